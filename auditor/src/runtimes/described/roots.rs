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
    match &root.walk {
        Walk::Each(levels) => walker.each(levels, symbol.0),
        Walk::Tree { base, child, next } => walker.tree(base, child.as_ref(), next.as_ref()),
    }
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
        let (Some(base), Some(count)) = (self.word(&level.base, item), self.word(&level.count, item)) else {
            return;
        };
        // A null array has no elements, whatever its length says.
        for index in (0..count).take_while(|_| base != 0) {
            let Some(at) = level.stride.checked_mul(index).and_then(|offset| base.checked_add(offset)) else {
                return;
            };
            if !self.step() {
                return;
            }
            self.each(deeper, at);
        }
    }

    fn tree(&mut self, base: &Expression, child: Option<&Expression>, next: Option<&Expression>) {
        let (mut seen, mut waiting) = (BTreeSet::new(), Vec::new());
        waiting.extend(self.word(base, self.symbol.0));
        while let Some(node) = waiting.pop() {
            if node == 0 || !seen.insert(node) {
                continue;
            }
            if !self.step() {
                return;
            }
            self.take(node);
            for way in [child, next].into_iter().flatten() {
                waiting.extend(self.word(way, node));
            }
        }
    }
}
