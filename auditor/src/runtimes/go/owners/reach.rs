//! What the roots lead to, and by which way: a search in breadth from one class of roots after the other,
//! so that a map's way is the shortest one from the best class of roots that leads to it at all.

use super::bits::{Bits, Ranked};
use super::graph::Graph;
use super::nodes::{Node, Nodes, WORD};

/// Marks a step that is a root's: the rest is its number.
const ROOT: u32 = 1 << 31;

/// Where a way came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The root of that number.
    Root(usize),
    /// The step at that place, by the pointer so many bytes from the beginning of its object.
    Step(usize, u64),
}

/// A node that leads on, or a map header, and how it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Which node.
    pub(super) node: Node,
    /// From where.
    pub(super) from: From,
}

/// A step as it is kept.
#[derive(Clone, Copy, Debug)]
struct Kept {
    node: Node,
    /// The step before it or the root.
    from: u32,
    /// Which word of the object before it led there.
    word: u32,
}

/// What was reached so far.
#[derive(Debug)]
pub(super) struct Reached {
    marked: Bits,
    /// Nodes that lead on and map headers, in the order in which they were reached.
    steps: Vec<Kept>,
    /// For each map, by its rank, one more than the place of its step; 0: not reached.
    maps: Vec<u32>,
    /// How many maps were not reached.
    left: usize,
}

impl Reached {
    /// Nothing was reached yet, of so many maps.
    pub(super) fn new(nodes: &Nodes, graph: &Graph, maps: usize) -> Self {
        let marked = Bits::new(nodes.count());
        // There is room for all there can be: moving what was kept costs more.
        let steps = Vec::with_capacity(graph.leading() + maps);
        Self { marked, steps, maps: vec![0; maps], left: maps }
    }

    /// Goes on from roots, each with its number, until nothing new or no map is left.
    pub(super) fn spread(
        &mut self,
        roots: impl IntoIterator<Item = (usize, Node)>,
        (nodes, graph, maps): (&Nodes, &Graph, &Ranked),
    ) {
        let mut next = self.steps.len();
        for (number, node) in roots {
            let from = u32::try_from(number).unwrap_or(u32::MAX) | ROOT;
            self.reach(node, (from, 0), graph, maps);
        }
        while self.left > 0
            && let Some(&Kept { node, .. }) = self.steps.get(next)
        {
            let from = u32::try_from(next).unwrap_or(u32::MAX);
            if let Some(object) = nodes.object(node) {
                graph.each_edge(&object, |edge| {
                    let word = u32::try_from(edge.offset / WORD).unwrap_or(u32::MAX);
                    self.reach(edge.to, (from, word), graph, maps);
                });
            }
            next += 1;
        }
    }

    #[inline]
    fn reach(&mut self, node: Node, (from, word): (u32, u32), graph: &Graph, maps: &Ranked) {
        let number = u64::from(node);
        if !self.marked.add(number) {
            return;
        }
        let map = maps.rank(number);
        if map.is_some() || graph.leads_on(node) {
            self.steps.push(Kept { node, from, word });
        }
        if let Some(place) = map.and_then(|map| self.maps.get_mut(map)) {
            *place = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
            self.left -= 1;
        }
    }

    /// The place of the step at which the map was reached, by its rank.
    pub(super) fn map(&self, rank: usize) -> Option<usize> {
        (*self.maps.get(rank)? as usize).checked_sub(1)
    }

    /// The step at that place.
    #[inline]
    pub(super) fn step(&self, place: usize) -> Option<Step> {
        let Kept { node, from, word } = *self.steps.get(place)?;
        let from = if from & ROOT != 0 {
            From::Root((from & !ROOT) as usize)
        } else {
            From::Step(from as usize, u64::from(word) * WORD)
        };
        Some(Step { node, from })
    }

    /// The number of the root at which the way to a step begins.
    pub(super) fn root(&self, place: usize) -> Option<usize> {
        let mut next = place;
        loop {
            match self.step(next)?.from {
                From::Root(root) => return Some(root),
                From::Step(before, _) => next = before,
            }
        }
    }

    /// How many steps there are.
    pub(super) fn steps(&self) -> usize {
        self.steps.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::made::World;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Objects of one word, each pointing to at most one other.
    fn world(pointers: &[Option<usize>]) -> (World, u64) {
        let mut world = World::default();
        let start = world.run(8, 1024);
        for (from, to) in pointers.iter().enumerate() {
            if let Some(to) = to {
                world.put(start + from as u64 * 8, start + *to as u64 * 8);
            }
        }
        (world, start)
    }

    fn way(reached: &Reached, map: usize) -> Option<(usize, Vec<Node>)> {
        let mut place = reached.map(map)?;
        let mut nodes = Vec::new();
        loop {
            let step = reached.step(place).unwrap();
            nodes.push(step.node);
            match step.from {
                From::Root(root) => return Some((root, nodes)),
                From::Step(before, _) => place = before,
            }
        }
    }

    #[test]
    fn a_map_is_reached_by_the_shortest_way_from_the_first_class_that_leads_to_it() {
        let (world, start) = world(&[Some(1), Some(2), None, Some(2), None, Some(4)]);
        let nodes = world.nodes();
        let marks = world.marks(&nodes, &[start + 16, start + 32, start + 48]);
        let (graph, _) = world.graph(&nodes, &marks, &world.memory());
        let mut reached = Reached::new(&nodes, &graph, 3);
        reached.spread([(0, 0), (1, 1)], (&nodes, &graph, &marks.maps));
        assert_eq!(way(&reached, 0), Some((1, vec![2, 1])));
        reached.spread([(2, 3), (3, 5)], (&nodes, &graph, &marks.maps));
        assert_eq!(way(&reached, 0), Some((1, vec![2, 1])), "stays");
        assert_eq!(way(&reached, 1), Some((3, vec![4, 5])));
        assert_eq!(way(&reached, 2), None);
        assert_eq!(reached.left, 1);
    }

    #[test]
    fn a_step_tells_which_word_led_to_it() {
        let mut world = World::default();
        let start = world.run(32, 256);
        world.put(start + 24, start + 64 + 8);
        let nodes = world.nodes();
        let marks = world.marks(&nodes, &[start + 64]);
        let (graph, _) = world.graph(&nodes, &marks, &world.memory());
        let mut reached = Reached::new(&nodes, &graph, 1);
        reached.spread([(9, 0)], (&nodes, &graph, &marks.maps));
        assert_eq!(reached.step(1), Some(Step { node: 2, from: From::Step(0, 24) }));
        assert_eq!(reached.step(0), Some(Step { node: 0, from: From::Root(9) }));
        assert_eq!(reached.step(2), None);
    }

    proptest! {
        #[test]
        fn what_is_reached_is_what_can_be_reached_in_rings_too(
            pointers in proptest::collection::vec(proptest::option::of(0_usize..40), 40),
            roots in proptest::collection::btree_set(0_usize..40, 0..4),
            maps in proptest::collection::btree_set(0_usize..40, 0..40),
        ) {
            let (world, start) = world(&pointers);
            let nodes = world.nodes();
            let at: Vec<u64> = maps.iter().map(|&map| start + map as u64 * 8).collect();
            let marks = world.marks(&nodes, &at);
            let (graph, _) = world.graph(&nodes, &marks, &world.memory());
            let mut reached = Reached::new(&nodes, &graph, maps.len());
            let from = roots.iter().enumerate().map(|(number, &root)| (number, root as Node));
            reached.spread(from, (&nodes, &graph, &marks.maps));
            let mut expected = BTreeSet::new();
            for &root in &roots {
                let mut next = Some(root);
                while let Some(node) = next.filter(|&node| expected.insert(node)) {
                    next = pointers[node];
                }
            }
            for (rank, map) in maps.iter().enumerate() {
                prop_assert_eq!(way(&reached, rank).is_some(), expected.contains(map));
            }
        }
    }
}
