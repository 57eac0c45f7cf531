//! The heap's objects that may hold pointers, numbered: each is a node of the graph that is searched.
//! From a word to the node it points into takes two reads of tables that fit a processor's cache, since
//! every word of the heap is asked for.
//!
//! ```text
//! word ──► arena (64 MiB) ──► page (8 KiB) ──► run ──► which object of it
//! ```

use crate::runtimes::go::heap::Typing;

/// Bytes of a page of Go's heap (`runtime.pageSize`).
pub(super) const PAGE: u64 = 8 << 10;
/// Pages of an arena: 64 MiB (`runtime.heapArenaBytes` on linux/amd64).
const ARENA_PAGES: u64 = 8192;
const ARENA: u64 = ARENA_PAGES * PAGE;
/// Bytes of a word.
pub(super) const WORD: u64 = 8;
/// User addresses end here (`runtime.heapAddrBits` on linux/amd64).
const ADDRESSES: u64 = 1 << 47;
/// Most arenas that are told apart: a heap of 128 GiB.
const ARENAS: usize = 1 << 11;
/// Most nodes, and most words of them, that are looked at: some seconds, and 100 MB. Of a heap of which more may
/// hold pointers, the rest is left out. The highest bit of a number is free for other uses.
const NODES: u64 = 1 << 28;
const WORDS: u64 = (4 << 30) / WORD;
/// How many nodes share a hint of the run they are in.
const HINT: u64 = 128;
/// Bits of a word of the set that holds one bit a word of the heap: runs begin at such a word.
const ALIGNED: u64 = 64;

/// A node, by number.
pub(super) type Node = u32;

/// Objects of one size, one behind the other: a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Where the first one is; a multiple of 8,192.
    pub(super) start: u64,
    /// Bytes of one; a multiple of 8.
    pub(super) element: u64,
    /// How many there are.
    pub(super) count: u64,
    /// Whether they hold no pointers.
    pub(super) is_pointer_free: bool,
    /// Whether they say of what type they are.
    pub(super) header: Typing,
}

impl Run {
    /// Bytes of all objects.
    pub(super) fn bytes(&self) -> u64 {
        self.element * self.count
    }

    fn is_sound(&self) -> bool {
        let bytes = self.element.checked_mul(self.count);
        let end = bytes.and_then(|bytes| self.start.checked_add(bytes));
        self.start.is_multiple_of(PAGE)
            && self.start > 0
            && self.element.is_multiple_of(WORD)
            && self.element > 0
            && self.count > 0
            && end.is_some_and(|end| end <= ADDRESSES)
    }
}

/// What of a run every word is held against: small, as there are many.
#[derive(Clone, Copy, Debug)]
struct Hot {
    start: u64,
    /// `2^32 / element`, rounded up: a product and a shift do for a division. 0 for a lone object, which needs none.
    inverse: u32,
    /// How many objects there are.
    count: u32,
    /// The first of their nodes.
    first: Node,
}

impl Hot {
    /// Which object a place within the run belongs to. Exact for every size class and run of Go's, as
    /// `runtime.mspan.objIndex` relies on.
    #[inline]
    fn object(&self, within: u64) -> u64 {
        within.wrapping_mul(u64::from(self.inverse)) >> 32
    }
}

/// The rest of a run.
#[derive(Clone, Copy, Debug)]
struct Cold {
    element: u64,
    header: Typing,
    /// Its first word among the words of all runs.
    first_word: u64,
}

/// An object that is a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object {
    /// Where it begins.
    pub(super) base: u64,
    /// Its bytes, as its size class rounds them.
    pub(super) size: u64,
    /// Whether it says of what type it is.
    pub(super) header: Typing,
    /// Its first word among the words of all runs.
    pub(super) first_word: u64,
}

/// All nodes.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// The runs, by address.
    runs: Vec<Hot>,
    cold: Vec<Cold>,
    /// The lowest address and how many bytes lie between it and the end of the highest run.
    low: u64,
    range: u64,
    /// The number of the arena that `low` is in.
    first_arena: u64,
    /// For each arena from there on, one more than its place in `pages`; 0: none of its pages is known.
    arenas: Vec<u32>,
    /// For each page of the arenas, one more than the run that it belongs to; 0: none.
    pages: Vec<u32>,
    /// For each [`HINT`] nodes, the run of the first of them.
    hints: Vec<u32>,
    count: u64,
    words: u64,
    /// Whether there were runs that found no place.
    pub(super) is_cut_short: bool,
}

impl Nodes {
    /// Numbers the objects of the runs that may hold pointers. Runs that make no sense, overlap one before or
    /// would be too many are left out, which [`Self::is_cut_short`] tells.
    pub(super) fn new(runs: &[Run]) -> Self {
        let mut runs: Vec<&Run> = runs.iter().filter(|run| !run.is_pointer_free).collect();
        // By runs: they mostly come by address.
        runs.sort_by_key(|run| run.start);
        let mut nodes = Self::default();
        nodes.runs.reserve(runs.len());
        nodes.cold.reserve(runs.len());
        for run in runs {
            let is_placed = nodes.place(*run);
            nodes.is_cut_short |= !is_placed;
        }
        nodes.index();
        nodes
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many words they have, unused ones that round runs up included.
    pub(super) fn words(&self) -> u64 {
        self.words
    }

    /// The runs that have a place, by address.
    pub(super) fn runs(&self) -> impl Iterator<Item = (Run, Node, u64)> {
        let run = |(hot, cold): (&Hot, &Cold)| {
            let (count, is_pointer_free) = (u64::from(hot.count), false);
            let run =
                Run { start: hot.start, element: cold.element, count, is_pointer_free, header: cold.header };
            (run, hot.first, cold.first_word)
        };
        self.runs.iter().zip(&self.cold).map(run)
    }

    /// The node that the word points into, if it points into any.
    #[inline]
    pub(super) fn at(&self, word: u64) -> Option<Node> {
        if word.wrapping_sub(self.low) >= self.range {
            return None;
        }
        let run = self.run_at(word)?;
        let object = run.object(word.wrapping_sub(run.start));
        // There are fewer than 2^32 objects.
        (object < u64::from(run.count)).then(|| run.first + object as Node)
    }

    /// The object that a node is.
    #[inline]
    pub(super) fn object(&self, node: Node) -> Option<Object> {
        let number = self.run_of(node)?;
        let (hot, cold) = (self.runs.get(number)?, self.cold.get(number)?);
        let index = u64::from(node.checked_sub(hot.first).filter(|index| *index < hot.count)?);
        Some(Object {
            base: hot.start + index * cold.element,
            size: cold.element,
            header: cold.header,
            first_word: cold.first_word + index * (cold.element / WORD),
        })
    }

    #[inline]
    fn run_at(&self, word: u64) -> Option<&Hot> {
        let arena = usize::try_from((word / ARENA).wrapping_sub(self.first_arena)).ok()?;
        let slot = u64::from(self.arenas.get(arena)?.checked_sub(1)?);
        let page = slot * ARENA_PAGES + word / PAGE % ARENA_PAGES;
        let run = self.pages.get(usize::try_from(page).ok()?)?.checked_sub(1)?;
        self.runs.get(run as usize)
    }

    /// The number of the last run that begins with that node or one before.
    #[inline]
    fn run_of(&self, node: Node) -> Option<usize> {
        let hint = *self.hints.get((u64::from(node) / HINT) as usize)? as usize;
        let behind = self.runs.get(hint..)?.iter().take_while(|run| run.first <= node).count();
        (hint + behind).checked_sub(1)
    }

    fn place(&mut self, run: Run) -> bool {
        if !run.is_sound() {
            return false;
        }
        let has_room = self.count + run.count <= NODES && self.words + run.bytes() / WORD <= WORDS;
        if run.start < self.end() || !has_room {
            return false;
        }
        let inverse = if run.count == 1 { 0 } else { (1_u64 << 32).div_ceil(run.element) };
        let (first, count, inverse) = (node(self.count), node(run.count), inverse as u32);
        self.runs.push(Hot { start: run.start, inverse, count, first });
        self.cold.push(Cold { element: run.element, header: run.header, first_word: self.words });
        self.count += run.count;
        self.words += (run.bytes() / WORD).next_multiple_of(ALIGNED);
        true
    }

    /// Where the last run ends.
    fn end(&self) -> u64 {
        let last = self.runs.last().zip(self.cold.last());
        last.map_or(0, |(hot, cold)| hot.start + cold.element * u64::from(hot.count))
    }

    fn index(&mut self) {
        let Some(first) = self.runs.first() else { return };
        self.low = first.start;
        self.range = self.end() - self.low;
        self.first_arena = self.low / ARENA;
        for number in 0..self.runs.len() {
            self.is_cut_short |= self.index_run(number).is_none();
        }
    }

    /// `None`: there are too many arenas.
    fn index_run(&mut self, number: usize) -> Option<()> {
        let (hot, cold) = (*self.runs.get(number)?, *self.cold.get(number)?);
        let number = u32::try_from(number).ok()?;
        let hints = (u64::from(hot.first) + u64::from(hot.count)).div_ceil(HINT);
        self.hints.resize(usize::try_from(hints).unwrap_or(0), number);
        let end = hot.start + cold.element * u64::from(hot.count);
        for page in hot.start / PAGE..end.div_ceil(PAGE) {
            let place = self.slot(page / ARENA_PAGES)? * ARENA_PAGES as usize + (page % ARENA_PAGES) as usize;
            *self.pages.get_mut(place)? = number + 1;
        }
        Some(())
    }

    /// Where the arena's pages are, as how many arenas come before; makes room for them.
    fn slot(&mut self, arena: u64) -> Option<usize> {
        let place = usize::try_from(arena.checked_sub(self.first_arena)?).ok()?;
        if self.arenas.len() <= place {
            self.arenas.resize(place + 1, 0);
        }
        let slots = self.pages.len() / ARENA_PAGES as usize;
        let slot = self.arenas.get_mut(place)?;
        if *slot == 0 && slots < ARENAS {
            *slot = u32::try_from(slots + 1).ok()?;
            self.pages.resize((slots + 1) * ARENA_PAGES as usize, 0);
        }
        (*slot as usize).checked_sub(1)
    }
}

/// There are fewer nodes than [`NODES`].
fn node(number: u64) -> Node {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Go's size classes (`runtime.class_to_size`, src/runtime/sizeclasses.go) and their pages.
    const CLASSES: [(u64, u64); 67] = [
        (8, 1),
        (16, 1),
        (24, 1),
        (32, 1),
        (48, 1),
        (64, 1),
        (80, 1),
        (96, 1),
        (112, 1),
        (128, 1),
        (144, 1),
        (160, 1),
        (176, 1),
        (192, 1),
        (208, 1),
        (224, 1),
        (240, 1),
        (256, 1),
        (288, 1),
        (320, 1),
        (352, 1),
        (384, 1),
        (416, 1),
        (448, 1),
        (480, 1),
        (512, 1),
        (576, 1),
        (640, 1),
        (704, 1),
        (768, 1),
        (896, 1),
        (1024, 1),
        (1152, 1),
        (1280, 1),
        (1408, 2),
        (1536, 1),
        (1792, 2),
        (2048, 1),
        (2304, 2),
        (2688, 1),
        (3072, 3),
        (3200, 2),
        (3456, 3),
        (4096, 1),
        (4864, 3),
        (5376, 2),
        (6144, 3),
        (6528, 4),
        (6784, 5),
        (6912, 6),
        (8192, 1),
        (9472, 7),
        (9728, 6),
        (10240, 5),
        (10880, 4),
        (12288, 3),
        (13568, 5),
        (14336, 7),
        (16384, 2),
        (18432, 9),
        (19072, 7),
        (20480, 5),
        (21760, 8),
        (24576, 3),
        (27264, 10),
        (28672, 7),
        (32768, 4),
    ];

    pub(crate) fn run(start: u64, element: u64, count: u64) -> Run {
        Run { start, element, count, is_pointer_free: false, header: Typing::None }
    }

    #[test]
    fn every_byte_of_a_run_belongs_to_its_object_in_each_size_class() {
        for (element, pages) in CLASSES {
            let count = pages * PAGE / element;
            let nodes = Nodes::new(&[run(PAGE, element, count)]);
            assert_eq!(nodes.count(), count);
            for within in 0..count * element {
                assert_eq!(nodes.at(PAGE + within), Some(node(within / element)), "{element} {within}");
            }
            for outside in [PAGE - 1, PAGE + count * element, 0, u64::MAX] {
                assert_eq!(nodes.at(outside), None, "{element} {outside}");
            }
        }
    }

    #[test]
    fn runs_that_make_no_sense_are_left_out_and_that_is_told() {
        let good = run(PAGE, 64, 128);
        assert!(!Nodes::new(&[good]).is_cut_short);
        for bad in [
            run(PAGE * 3 / 2, 64, 1),
            run(0, 64, 1),
            run(4 * PAGE, 12, 1),
            run(4 * PAGE, 0, 1),
            run(4 * PAGE, 64, 0),
            run(4 * PAGE, u64::MAX - 7, 2),
            run(1 << 47, 64, 1),
            run(4 * PAGE, 8, NODES),
            run(4 * PAGE, WORDS * WORD, 1),
            run(PAGE, 64, 1),
        ] {
            let nodes = Nodes::new(&[good, bad]);
            assert!(nodes.is_cut_short, "{bad:?}");
            assert_eq!(nodes.runs().count(), 1, "{bad:?}");
            assert_eq!(nodes.at(PAGE + 64), Some(1));
        }
    }

    #[test]
    fn arenas_far_apart_take_no_memory_in_between_and_there_may_be_only_so_many() {
        let far: Vec<_> = (0..3).map(|n| run(PAGE + n * (1 << 45), 64, 1)).collect();
        let nodes = Nodes::new(&far);
        assert!(!nodes.is_cut_short);
        assert_eq!(nodes.pages.len() as u64, 3 * ARENA_PAGES);
        assert_eq!(nodes.at(PAGE + (1 << 45) + 63), Some(1));
        let many: Vec<_> = (0..=ARENAS as u64).map(|arena| run(PAGE + arena * ARENA, 64, 1)).collect();
        let nodes = Nodes::new(&many);
        assert!(nodes.is_cut_short);
        assert_eq!(nodes.pages.len() as u64, ARENAS as u64 * ARENA_PAGES);
    }

    proptest! {
        #[test]
        fn a_node_and_its_address_lead_to_each_other(
            sizes in proptest::collection::vec((0_usize..67, 0_u64..3, 1_u64..3), 1..40),
        ) {
            let mut runs = Vec::new();
            let mut start = 1 << 40;
            for (class, gap, times) in sizes {
                start += gap * ARENA / 2;
                let (element, pages) = CLASSES[class];
                runs.push(run(start, element, pages * PAGE / element));
                start += times * pages * PAGE;
            }
            let nodes = Nodes::new(&runs);
            prop_assert!(!nodes.is_cut_short);
            let mut number = 0;
            for run in &runs {
                for index in 0..run.count {
                    let object = nodes.object(number).unwrap();
                    prop_assert_eq!((object.base, object.size), (run.start + index * run.element, run.element));
                    prop_assert_eq!(nodes.at(object.base), Some(number));
                    prop_assert_eq!(nodes.at(object.base + object.size - 1), Some(number));
                    number += 1;
                }
            }
            prop_assert_eq!(nodes.object(number), None);
        }

        #[test]
        fn no_runs_and_no_words_panic(
            runs in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..20),
            words in proptest::collection::vec(any::<u64>(), 0..20),
        ) {
            let runs: Vec<_> = runs.into_iter().map(|(a, b, c)| run(a & !0x1fff, b & 0xfff8, c & 0xff)).collect();
            let nodes = Nodes::new(&runs);
            for word in words {
                if let Some(object) = nodes.at(word).and_then(|node| nodes.object(node)) {
                    prop_assert!(object.base <= word && word < object.base + object.size);
                }
            }
        }
    }
}
