//! Who points to whom: the pointers between nodes, as a target's number for each word that holds one.
//!
//! ```text
//! bits     one a word of the nodes: 0 0 1 0 0 0 1 1 0 ...      and how many ones lie below each 64
//! targets  one a one:                   17    4 230
//! ```
//! So a node's pointers are found by counting, and the place of a pointer within its object is known
//! without being stored. Words that point to nothing or to objects without pointers (strings, numbers)
//! cost one bit; of a heap of 1 GiB some 50 to 100 MB are kept.

use super::bits::{Bits, Ranked};
use super::nodes::{Node, Nodes, Object, WORD};
use super::special::Special;
use crate::audit::unit::Address;
use crate::runtimes::go::heap::Typing;

/// Marks a target that is a type: the rest is its offset in the program's types, divided by 8.
const TYPE: Node = 1 << 31;

/// What the builder has to know of the program.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    /// The nodes that are map headers.
    pub(super) maps: Ranked,
    /// Where the program's types begin and end.
    pub(super) types: std::ops::Range<u64>,
    /// The runtime's own types that need care.
    pub(super) special: Special,
}

/// An object, or a part of one, that is added.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    /// Which node.
    pub(super) node: Node,
    /// Where the object begins.
    pub(super) base: u64,
    /// Whether it says of what type it is.
    pub(super) header: Typing,
    /// Its first word among the words of all runs.
    pub(super) first_word: u64,
    /// Which of its words comes first here.
    pub(super) word: u64,
    /// The bytes from there on.
    pub(super) bytes: &'a [u8],
}

/// A graph that is being built, node by node, in the order of the nodes.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    nodes: &'a Nodes,
    marks: &'a Marks,
    words: Bits,
    targets: Vec<Node>,
    leads: Bits,
    boxes: Vec<u64>,
    most: usize,
    is_full: bool,
}

/// The graph.
#[derive(Debug)]
pub(super) struct Graph {
    words: Ranked,
    /// In two lists, one behind the other.
    targets: [Vec<Node>; 2],
    leads: Bits,
    boxes: Vec<u64>,
    types: u64,
    is_cut_short: bool,
}

/// A pointer from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    /// Where the pointer is, in bytes from the beginning of its object.
    pub(super) offset: u64,
    /// Which node it points into.
    pub(super) to: Node,
}

impl<'a> Builder<'a> {
    /// Nothing points to anything yet. At most `most` pointers are kept.
    pub(super) fn new(nodes: &'a Nodes, marks: &'a Marks, maps: usize, most: usize) -> Self {
        Self {
            nodes,
            marks,
            words: Bits::new(nodes.words()),
            // Untouched room costs nothing, and moving what was kept does.
            targets: Vec::with_capacity(most.min(usize::try_from(nodes.words()).unwrap_or(0))),
            leads: Bits::new(nodes.count()),
            boxes: vec![0; maps],
            most,
            is_full: false,
        }
    }

    /// Whether the rest of the heap will not be kept.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Adds what an object, or a part of one, points to.
    pub(super) fn add(&mut self, part: &Part<'_>) {
        let before = self.targets.len();
        match self.left_overs(part) {
            Some(left) => {
                let is_left = |word: u64| left.iter().any(|range| range.contains(&(word * WORD)));
                self.add_words(part, &is_left);
            }
            None => self.add_words(part, &|_| false),
        }
        if self.targets.len() > before {
            self.leads.add(u64::from(part.node));
        }
    }

    fn left_overs(&self, part: &Part<'_>) -> Option<[std::ops::Range<u64>; 2]> {
        self.marks.special.numbers(part.base, part.header, part.bytes)
    }

    #[inline]
    fn add_words(&mut self, part: &Part<'_>, is_left: &impl Fn(u64) -> bool) {
        let mut last = 0;
        for (at, bytes) in (part.word..).zip(part.bytes.chunks_exact(WORD as usize)) {
            let value = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
            match self.nodes.at(value) {
                Some(to) if to != part.node && !is_left(at) => self.keep(part.first_word + at, to, last),
                None if at == 0 && part.header == Typing::FirstWord => {
                    self.keep_type(part.first_word, value);
                }
                _ => {}
            }
            last = value;
        }
    }

    fn keep(&mut self, word: u64, to: Node, last: u64) {
        if self.targets.len() >= self.most {
            self.is_full = true;
            return;
        }
        self.words.add(word);
        self.targets.push(to);
        if self.marks.types.contains(&last) {
            self.keep_box(to, last);
        }
    }

    fn keep_type(&mut self, word: u64, value: u64) {
        let offset = value.wrapping_sub(self.marks.types.start) / WORD;
        if self.marks.types.contains(&value) && offset < u64::from(TYPE) {
            self.words.add(word);
            self.targets.push(TYPE | offset as Node);
        }
    }

    /// A map behind a type is one in an interface: `runtime.eface` is a type and a pointer.
    fn keep_box(&mut self, to: Node, type_at: u64) {
        let place = self.marks.maps.rank(u64::from(to)).and_then(|map| self.boxes.get_mut(map));
        if let Some(place) = place.filter(|place| **place == 0) {
            *place = type_at;
        }
    }

    /// All that was added here, and to another one that has the nodes behind these, or none.
    pub(super) fn finish(mut self, behind: Self) -> Graph {
        if !behind.targets.is_empty() {
            self.words.add_all(&behind.words);
            self.leads.add_all(&behind.leads);
            let empty = self.boxes.iter_mut().zip(behind.boxes).filter(|(place, _)| **place == 0);
            empty.for_each(|(place, type_at)| *place = type_at);
        }
        let room = self.most.saturating_sub(self.targets.len());
        let is_cut_short = self.is_full || behind.is_full || behind.targets.len() > room;
        let mut targets = [self.targets, behind.targets];
        targets[1].truncate(room);
        Graph {
            words: self.words.ranked(),
            targets,
            leads: self.leads,
            boxes: self.boxes,
            types: self.marks.types.start,
            is_cut_short,
        }
    }
}

impl Graph {
    /// Whether there are pointers that it has no room for.
    pub(super) fn is_cut_short(&self) -> bool {
        self.is_cut_short
    }

    #[inline]
    fn target(&self, rank: usize) -> Option<Node> {
        let [first, behind] = &self.targets;
        first.get(rank).or_else(|| behind.get(rank - first.len())).copied()
    }

    /// How many nodes point to any other.
    pub(super) fn leading(&self) -> usize {
        self.leads.count()
    }

    /// Whether the node points to any other.
    pub(super) fn leads_on(&self, node: Node) -> bool {
        self.leads.has(u64::from(node))
    }

    /// What the object points to, in the order of its words.
    pub(super) fn edges(&self, object: &Object) -> impl Iterator<Item = Edge> {
        let first = object.first_word;
        let words = self.words.within(first, first + object.size / WORD);
        words.filter_map(move |(word, rank)| {
            let to = self.target(rank)?;
            (to & TYPE == 0).then_some(Edge { offset: (word - first) * WORD, to })
        })
    }

    /// Hands on the same, for the search that asks for all of the heap.
    #[inline]
    pub(super) fn each_edge(&self, object: &Object, mut each: impl FnMut(Edge)) {
        let first = object.first_word;
        self.words.each_within(first, first + object.size / WORD, |word, rank| {
            if let Some(to) = self.target(rank).filter(|to| to & TYPE == 0) {
                each(Edge { offset: (word - first) * WORD, to });
            }
        });
    }

    /// The type that the object's first word points to.
    pub(super) fn type_of(&self, object: &Object) -> Option<Address> {
        let target = self.target(self.words.rank(object.first_word)?)?;
        (target & TYPE != 0).then(|| Address(self.types + u64::from(target & !TYPE) * WORD))
    }

    /// The type beside the first pointer to a map that has one beside it; maps go by their rank among
    /// the map nodes.
    pub(super) fn boxed_as(&self, map: usize) -> Option<Address> {
        self.boxes.get(map).filter(|&&at| at != 0).map(|&at| Address(at))
    }
}

#[cfg(test)]
mod tests {
    use super::super::made::{TYPES, Torn, World};
    use super::*;
    use crate::runtimes::go::hands::Hands;
    use crate::runtimes::go::owners::blocks::BLOCK;

    #[test]
    fn each_pointer_of_an_object_to_another_is_an_edge_at_its_place() {
        let mut world = World::default();
        let small = world.run(32, 256);
        let other = world.run(48, 170);
        let into_last = other + 169 * 48 + 40;
        world.put(small + 32, other).put(small + 40, 7).put(small + 56, into_last);
        world.put(small + 64, small + 64 + 8).put(small + 96, other + 170 * 48).put(small + 104, 0);
        let (nodes, memory) = (world.nodes(), world.memory());
        let marks = world.marks(&nodes, &[]);
        let (graph, swept) = world.graph(&nodes, &marks, &memory);
        assert_eq!(world.edges(&nodes, &graph, small + 32), [(0, 256), (24, 256 + 169)]);
        assert_eq!(world.edges(&nodes, &graph, small + 64), [], "to itself");
        assert_eq!(world.edges(&nodes, &graph, small + 96), [], "behind the last object");
        assert!(graph.leads_on(1) && !graph.leads_on(2) && !graph.leads_on(256));
        assert!(!graph.is_cut_short());
        assert_eq!((swept.read, swept.unread), (32 * 256 + 48 * 170, 0));
    }

    #[test]
    fn two_hands_see_what_one_sees() {
        let mut world = World::default();
        let runs = [world.run(32, 256), world.run(48, 170), world.typed(1024, 8), world.run(16, 512)];
        for (from, to) in runs.iter().zip(runs.iter().rev()) {
            world.put(from + 8, TYPES.start + 64).put(from + 16, to + 48).put(from + 40, to + 8);
        }
        let nodes = world.nodes();
        let marks = world.marks(&nodes, &[runs[1] + 48]);
        let by = |world: &World, hands| {
            let (graph, swept) = world.graph_by(hands, &nodes, (&marks, &world.memory()));
            let edges: Vec<_> = runs.iter().map(|run| world.edges(&nodes, &graph, *run)).collect();
            let leads: Vec<bool> = (0..nodes.count() as Node).map(|node| graph.leads_on(node)).collect();
            (edges, leads, graph.boxed_as(0), swept, graph.is_cut_short())
        };
        assert_eq!(by(&world, Hands::Two), by(&world, Hands::One));
        assert_eq!(by(&world, Hands::Two).2, Some(Address(TYPES.start + 64)));
        for most in 1..8 {
            world.keep(most);
            let ((edges, ..), (one, ..)) = (by(&world, Hands::Two), by(&world, Hands::One));
            assert!(by(&world, Hands::Two).4 && edges == one, "{most}");
        }
    }

    #[test]
    fn an_object_longer_than_a_block_is_one_object() {
        let mut world = World::default();
        let large = world.run(3 * BLOCK as u64, 1);
        let small = world.run(8, 1024);
        let far = 2 * BLOCK as u64 + 8;
        world.put(large, small).put(large + far, small + 8);
        let nodes = world.nodes();
        let (graph, swept) = world.graph(&nodes, &world.marks(&nodes, &[]), &world.memory());
        assert_eq!(world.edges(&nodes, &graph, large + 99), [(0, 1), (far, 2)]);
        assert_eq!(swept.read, 3 * BLOCK as u64 + 8192);
    }

    #[test]
    fn an_object_with_a_header_says_its_type_and_others_do_not() {
        let mut world = World::default();
        let typed = world.typed(1024, 8);
        let plain = world.run(1024, 8);
        let a_type = TYPES.start + 0x1230;
        for start in [typed, plain] {
            world.put(start, a_type).put(start + 1024, TYPES.end).put(start + 8, plain + 4096);
        }
        let nodes = world.nodes();
        let (graph, _) = world.graph(&nodes, &world.marks(&nodes, &[]), &world.memory());
        let type_of = |at| graph.type_of(&nodes.object(nodes.at(at).unwrap()).unwrap());
        assert_eq!(type_of(typed), Some(Address(a_type)));
        assert_eq!(type_of(typed + 1024), None);
        assert_eq!(type_of(plain), None);
        assert_eq!(world.edges(&nodes, &graph, typed), [(8, 12)]);
    }

    #[test]
    fn the_type_beside_a_pointer_to_a_map_is_kept() {
        let mut world = World::default();
        let maps = world.run(48, 170);
        let holder = world.run(16, 512);
        world.put(holder, TYPES.start + 64).put(holder + 8, maps + 48);
        world.put(holder + 16, maps).put(holder + 24, maps);
        let nodes = world.nodes();
        let marks = world.marks(&nodes, &[maps, maps + 48]);
        let (graph, _) = world.graph(&nodes, &marks, &world.memory());
        assert_eq!(graph.boxed_as(0), None);
        assert_eq!(graph.boxed_as(1), Some(Address(TYPES.start + 64)));
        assert_eq!(graph.boxed_as(2), None);
    }

    #[test]
    fn what_cannot_be_read_or_kept_is_told() {
        let mut world = World::default();
        let first = world.run(16, 512);
        let second = world.run(16, 512);
        world.put(first, second).put(second, first);
        let nodes = world.nodes();
        let marks = world.marks(&nodes, &[]);
        let torn = Torn(world.memory(), second + 8..second + 9);
        let (graph, swept) = world.graph(&nodes, &marks, &torn);
        assert!(!graph.is_cut_short());
        assert_eq!((swept.read, swept.unread), (8192, 8192));
        assert_eq!(world.edges(&nodes, &graph, first), [(0, 512)]);
        world.keep(1);
        let (graph, _) = world.graph(&nodes, &marks, &world.memory());
        assert!(graph.is_cut_short());
        assert_eq!(world.edges(&nodes, &graph, first), [(0, 512)]);
        assert_eq!(world.edges(&nodes, &graph, second), []);
    }
}
