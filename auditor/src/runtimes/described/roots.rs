//! The maps that exist already, by following a profile's roots. Bounded whatever the process holds.

use std::collections::BTreeSet;

use super::expression::{Expression, Scope};
use super::profile::{Level, Root, Walk};
use crate::audit::unit::Address;
use crate::target::memory::Memory;
use crate::target::module::Module;

/// Most elements of all levels, or nodes of a tree, that one root leads to.
const MOST: usize = 1 << 20;

/// Where a root is in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// Which one of the profile.
    pub(super) index: usize,
    /// Its object.
    pub(super) symbol: Address,
}

/// What following roots came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// Addresses of headers, each once.
    pub(super) maps: BTreeSet<Address>,
    /// What was not followed to its end, in words.
    pub(super) notes: Vec<String>,
}

/// The roots that the file has.
pub(super) fn place(roots: &[Root], module: &Module) -> Vec<Placed> {
    let placed = |(index, root): (usize, &Root)| {
        module.object(&root.symbol).map(|object| Placed { index, symbol: object.symbol.address })
    };
    roots.iter().enumerate().filter_map(placed).collect()
}

/// Follows one root.
pub(super) fn follow(root: &Root, symbol: Address, memory: &dyn Memory, reached: &mut Reached) {
    let mut walker = Walker { root, symbol, memory, left: MOST, reached, is_whole: true };
    walker.each(&root.levels, symbol.0);
    if !walker.is_whole {
        let note =
            format!("not all maps that {} leads to were found: part of it could not be read", root.symbol);
        reached.notes.push(note);
    }
}

struct Walker<'a> {
    root: &'a Root,
    symbol: Address,
    memory: &'a dyn Memory,
    left: usize,
    reached: &'a mut Reached,
    is_whole: bool,
}

impl Walker<'_> {
    fn word(&mut self, expression: &Expression, item: u64) -> Option<u64> {
        let scope = Scope { symbol: Some(self.symbol.0), item: Some(item), ..Scope::default() };
        let word = expression.eval(&scope, self.memory).ok().and_then(|value| value.word());
        self.is_whole &= word.is_some();
        word
    }

    fn take(&mut self, item: u64) {
        let root = self.root;
        for map in &root.maps {
            let at = self.word(map, item).unwrap_or(0);
            if at != 0 {
                self.reached.maps.insert(Address(at));
            }
        }
    }

    /// One more element, if there may be one.
    fn step(&mut self) -> bool {
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        self.is_whole &= may;
        may
    }

    fn each(&mut self, levels: &[Level], item: u64) {
        let Some((level, deeper)) = levels.split_first() else { return self.take(item) };
        // A null array has no elements, whatever its length says.
        let Some(base) = self.word(&level.base, item).filter(|base| *base != 0) else { return };
        match &level.walk {
            Walk::Array { count, stride } => {
                let Some(count) = self.word(count, item) else { return };
                self.array((base, count, *stride), deeper);
            }
            Walk::Tree { child, next } => self.tree(base, [child, next], deeper),
        }
    }

    fn array(&mut self, (base, count, stride): (u64, u64, u64), deeper: &[Level]) {
        for index in 0..count {
            let Some(at) = stride.checked_mul(index).and_then(|offset| base.checked_add(offset)) else {
                return;
            };
            if !self.step() {
                return;
            }
            self.each(deeper, at);
        }
    }

    fn tree(&mut self, base: u64, ways: [&Option<Expression>; 2], deeper: &[Level]) {
        let (mut seen, mut waiting) = (BTreeSet::new(), vec![base]);
        while let Some(node) = waiting.pop() {
            if node == 0 || !seen.insert(node) {
                continue;
            }
            if !self.step() {
                return;
            }
            self.each(deeper, node);
            for way in ways.into_iter().flatten() {
                waiting.extend(self.word(way, node));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtimes::described::profile::{self, builtin::BUILTIN};
    use crate::target::memory::CapturedMemory;

    /// The variable that holds the lock's address.
    const SYMBOL: u64 = 0x5000;
    const SEGMENT: u64 = 0x7f00_0000_0000;
    const MAGIC: u64 = 679_834_894;
    /// The header of the index, its first segment of buckets, and its entries.
    const INDEX: u64 = SEGMENT + 0x8000;
    const BUCKETS: u64 = SEGMENT + 0x9000;
    const ENTRIES: u64 = SEGMENT + 0xa000;
    /// The header of the table that the entries lead to.
    const TABLE: u64 = SEGMENT + 0xb000;

    fn root() -> Root {
        let (_, text) = BUILTIN.iter().find(|(name, _)| *name == "postgres-shared-15").unwrap();
        profile::parse(text).unwrap().roots.remove(0)
    }

    /// The shared memory of a server: a lock in its fourth page, an index with entries chained in one bucket, each
    /// of which is told to be so long.
    fn segment(entries: &[u64]) -> Vec<u64> {
        let mut words = vec![0; 0x10000 / 8];
        let mut put = |at: u64, word: u64| words[((at - SEGMENT) / 8) as usize] = word;
        put(SEGMENT, MAGIC);
        put(SEGMENT + 8, 0x10000);
        put(SEGMENT + 32, INDEX);
        put(INDEX + 776, 1);
        put(INDEX + 848, BUCKETS);
        put(TABLE + 768, 256);
        for (number, size) in (0..).zip(entries) {
            let at = ENTRIES + 88 * number;
            // Each before those that were there.
            put(at, if number == 0 { 0 } else { at - 88 });
            put(at + 64, TABLE);
            put(at + 72, *size);
            put(BUCKETS + 8 * 200, at);
        }
        words
    }

    fn reach(segment: &[u64], lock: u64) -> Reached {
        let mut memory = CapturedMemory::new();
        memory.insert(Address(SYMBOL), lock.to_le_bytes());
        memory.insert(
            Address(SEGMENT),
            segment.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>(),
        );
        let mut reached = Reached::default();
        follow(&root(), Address(SYMBOL), &memory, &mut reached);
        reached
    }

    const LOCK: u64 = SEGMENT + 0x3fb8;
    const LONG: u64 = 848 + 8 * 256;

    #[test]
    fn what_is_chained_in_the_buckets_of_a_table_of_names_is_found_if_it_is_a_table() {
        let reached = reach(&segment(&[LONG, 64, LONG]), LOCK);
        let found: Vec<u64> = reached.maps.iter().map(|map| map.0).collect();
        assert_eq!((found, reached.notes), (vec![ENTRIES, ENTRIES + 176], vec![]));
    }

    #[test]
    fn the_one_that_is_always_there_is_found_however_long_it_is() {
        let mut segment = segment(&[64]);
        segment[((ENTRIES + 16 - SEGMENT) / 8) as usize] = u64::from_le_bytes(*b"LOCK has");
        assert_eq!(reach(&segment, LOCK).maps.len(), 1);
    }

    #[test]
    fn a_process_without_the_memory_has_none_and_that_is_no_loss() {
        assert_eq!(reach(&segment(&[LONG]), 0), Reached::default());
    }

    #[test]
    fn memory_that_leads_nowhere_or_in_circles_ends() {
        let mut circle = segment(&[LONG, LONG]);
        circle[((ENTRIES - SEGMENT) / 8) as usize] = ENTRIES + 88;
        assert_eq!(reach(&circle, LOCK).maps.len(), 2);
        let mut wild = segment(&[LONG]);
        for at in [INDEX + 776, INDEX + 848, BUCKETS, ENTRIES] {
            wild[((at - SEGMENT) / 8) as usize] = u64::MAX - 7;
        }
        assert_eq!(reach(&wild, LOCK).notes.len(), 1, "that it was not followed to its end is said");
        // Without the magic there is no header, and what is before the segment cannot be read.
        let nothing = vec![0; 0x10000 / 8];
        let reached = reach(&nothing, LOCK);
        assert_eq!((reached.maps.len(), reached.notes.len()), (0, 1));
        // An index beyond what the segment says of itself.
        let mut short = segment(&[LONG]);
        short[1] = 0x1000;
        assert_eq!(reach(&short, LOCK), Reached::default());
    }
}
