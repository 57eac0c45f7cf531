//! The search as a whole: reads, searches, names.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Owners;
use super::bits::{Bits, Ranked};
use super::fields::Types;
use super::finalizers::{self, Arenas};
use super::frames::{Frames, Unwind};
use super::goroutines::{self, Goroutine};
use super::graph::{Builder, Edge, Graph, Marks};
use super::identify::Identify;
use super::masks::Bitmaps;
use super::naming::{Naming, Outcome};
use super::nodes::{Node, Nodes, Run};
use super::origins::Sources;
use super::reach::Reached;
use super::roots::{Class, Holder, ORDER, Root, Roots};
use super::scene::{Asked, Scene};
use super::special::Special;
use super::sweep::sweep;
use super::variables::Variables;
use super::ways::Ways;
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::go::hands::Hands;
use crate::target::go::layouts::Layout;
use crate::target::go::types::Type;
use crate::target::memory::Memory;

/// Most pointers that are kept: 128 MB.
const POINTERS: usize = 32 << 20;
/// Stands for no node, and marks the number of one that does not begin where a map is: there are fewer nodes.
const NONE: Node = Node::MAX;
const WITHIN: Node = 1 << 31;
/// Which of the classes of roots come before those that have records: these come from the runtime.
const RECORDS_FROM: usize = Class::Runtime as usize;

/// What is searched.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    /// Runs of objects.
    pub(super) runs: &'a [Run],
    /// Where global variables are that may hold pointers.
    pub(super) globals: &'a [Range<u64>],
    /// Where code is, and it itself.
    pub(super) text: &'a [Range<u64>],
    pub(super) code: &'a dyn Memory,
    /// Where the descriptions of the program's types are.
    pub(super) type_range: &'a Range<u64>,
    /// The list of goroutines (`runtime.allgs`); `None`: it was not found.
    pub(super) goroutines: Option<Address>,
    pub(super) layout: &'a Layout,
    /// Where the runtime notes which words are pointers.
    pub(super) bitmaps: Bitmaps,
    /// Where it notes more of the heap; `None`: that was not found.
    pub(super) arenas: Option<Arenas<'a>>,
    /// Which arenas have spans.
    pub(super) arena_numbers: &'a BTreeSet<u64>,
    /// Whether maps are Swiss ones.
    pub(super) is_swiss: bool,
    pub(super) types: &'a dyn Types,
    pub(super) variables: &'a Variables,
    pub(super) unwind: &'a dyn Unwind,
    pub(super) memory: &'a dyn Memory,
    /// Maps that hold at least so many bytes are told of one by one.
    pub(super) listed_from: u64,
    /// How many threads read the heap.
    pub(super) hands: Hands,
}

/// What was read.
#[derive(Debug)]
struct Read<'a> {
    nodes: &'a Nodes,
    graph: Graph,
    roots: Roots<'a>,
    goroutines: Vec<Goroutine>,
    marks: &'a Marks,
    doubts: Doubts,
}

/// What was not seen: a map that nothing seems to hold may be held by that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Doubts {
    /// Spans that make no sense, or are too many.
    spans: bool,
    /// Bytes of the heap that could not be read.
    unread: u64,
    /// More pointers than are kept.
    pointers: bool,
    /// Stacks that could not be read.
    stacks: bool,
    /// Variables or finalizers that could not be read.
    roots: bool,
}

impl Doubts {
    fn any(&self) -> bool {
        *self != Self::default()
    }

    fn notes(&self) -> Vec<String> {
        let unread = format!("{} bytes of the heap could not be read", self.unread);
        let what = [
            (self.spans, "some spans of the heap were not looked at"),
            (self.unread > 0, &unread),
            (self.pointers, "the heap has more pointers than are followed"),
            (self.stacks, "some stacks of goroutines could not be read"),
            (self.roots, "some variables or finalizers could not be read"),
        ];
        let said = what.into_iter().filter(|(is_so, _)| *is_so);
        said.map(|(_, what)| format!("{what}: whether anything holds a map is not known of all maps"))
            .collect()
    }
}

/// Finds the owners of maps.
pub(super) fn find(target: &Target<'_>, wanted: Asked<'_>) -> Owners {
    let nodes = Nodes::new(target.runs);
    let structs: Vec<Type> =
        target.types.structs().into_iter().filter_map(|at| target.types.get(at)).collect();
    let Headers { marked, ranks, maps } = headers(&nodes, wanted, target.hands);
    let special = Special::of(&structs, target.types);
    let marks = Marks { maps: marked, types: target.type_range.clone(), special };
    let mut frames = Frames::new(target.unwind);
    let mut read = read(target, &nodes, &marks, maps.len(), &mut frames);
    let outcome = reach(target, &mut read, maps.len());
    let scene = Scene {
        nodes: &nodes,
        graph: &read.graph,
        reached: &outcome.reached,
        wanted,
        maps: &maps,
        ranks: &marks.maps,
        types: target.types,
        memory: target.memory,
        text: target.text,
        bitmaps: target.bitmaps,
        function: &|at| target.unwind.function(at),
    };
    let sources = Sources {
        variables: target.variables,
        goroutines: &read.goroutines,
        unwind: target.unwind,
        memory: target.memory,
        text: target.text,
        code: target.code,
        is_map_type: &|at| target.types.map(Address(at)).is_some(),
    };
    let identify = Identify::new(scene, target.is_swiss, &marks.special, &structs);
    let ways = Ways::new(scene, identify, target.is_swiss);
    let is_cut_short = read.doubts.any();
    let mut naming =
        Naming::new(scene, (sources, frames), &outcome, ways, (is_cut_short, target.listed_from));
    let (of, names) = naming.all(&ranks, target.hands);
    Owners { of, names, read: Bytes(read.roots.read), notes: read.doubts.notes() }
}

/// Where the maps that are asked for are among the nodes.
struct Headers {
    /// The nodes that are headers.
    marked: Ranked,
    /// For each map, the rank among these of the node that it is in; [`NONE`]: it is in none of them.
    ranks: Vec<u32>,
    /// For each of these, in order, the number of its map. Of two at one place it is the first.
    maps: Vec<u32>,
}

/// Looks the maps up, with two hands one half each.
fn headers(nodes: &Nodes, wanted: Asked<'_>, hands: Hands) -> Headers {
    let half = if hands == Hands::One { wanted.len() } else { wanted.len() / 2 };
    let ((mut places, mut marked), (more, behind)) =
        hands.both(|| places(nodes, wanted, 0..half), || places(nodes, wanted, half..wanted.len()));
    places.extend(more);
    marked.add_all(&behind);
    let marked = marked.ranked();
    let mut maps = vec![NONE; marked.len()];
    for (number, place) in (0..).zip(&mut places) {
        let begins = *place & WITHIN == 0;
        let rank = marked.rank(u64::from(*place & !WITHIN));
        *place = rank.map_or(NONE, |rank| u32::try_from(rank).unwrap_or(NONE));
        let map = rank.filter(|_| begins).and_then(|rank| maps.get_mut(rank)).filter(|map| **map == NONE);
        map.into_iter().for_each(|map| *map = number);
    }
    Headers { marked, ranks: places, maps }
}

/// The nodes that hold the headers in a range of maps, and which nodes are headers.
fn places(nodes: &Nodes, wanted: Asked<'_>, range: Range<usize>) -> (Vec<Node>, Bits) {
    let mut marked = Bits::new(nodes.count());
    let place = |number: usize| {
        let at = wanted.get(number)?.at.0;
        let node = nodes.at(at)?;
        let begins = nodes.object(node)?.base == at;
        if begins {
            marked.add(u64::from(node));
        }
        Some(if begins { node } else { node | WITHIN })
    };
    let places = range.map(place).map(|place| place.unwrap_or(NONE)).collect();
    (places, marked)
}

fn read<'a>(
    target: &Target<'_>,
    nodes: &'a Nodes,
    marks: &'a Marks,
    maps: usize,
    frames: &mut Frames<'_>,
) -> Read<'a> {
    let mut roots = Roots::new(nodes);
    let mut goroutines = Vec::new();
    let mut sees_stacks = read_roots(target, &mut roots, &mut goroutines, frames);
    let empty = || Builder::new(nodes, marks, maps, POINTERS);
    let (graph, swept) = sweep(nodes, empty, (target.memory, target.hands));
    sees_stacks &= read_roots(target, &mut roots, &mut goroutines, frames);
    roots.read += swept.read;
    let doubts = Doubts {
        spans: nodes.is_cut_short,
        unread: swept.unread,
        pointers: graph.is_cut_short(),
        stacks: !sees_stacks,
        // Known when all roots are.
        roots: false,
    };
    Read { nodes, graph, roots, goroutines, marks, doubts }
}

/// Adds what is a root now, and says whether all stacks were seen.
fn read_roots(
    target: &Target<'_>,
    roots: &mut Roots<'_>,
    goroutines: &mut Vec<Goroutine>,
    frames: &mut Frames<'_>,
) -> bool {
    let class_of = |at| if target.variables.are_runtimes(at) { Class::Runtime } else { Class::Global };
    roots.add_globals(target.globals, &class_of, target.memory);
    let Some(list) = target.goroutines else { return false };
    let found = goroutines::read(list, target.layout, target.memory);
    let first = u32::try_from(goroutines.len()).unwrap_or(u32::MAX);
    roots.add_stacks(&found.all, first, frames, target.memory);
    goroutines.extend(found.all);
    !found.is_cut_short
}

/// What objects with finalizers lead to.
fn held_by_finalized(read: &Read<'_>) -> impl Iterator<Item = Root> {
    let objects = read.roots.finalized.iter().filter_map(|node| read.nodes.object(*node));
    objects.flat_map(|object| {
        let edges = read.graph.edges(&object).collect::<Vec<_>>();
        let root =
            move |edge: Edge| Root { at: object.base + edge.offset, node: edge.to, of: Holder::Finalizer };
        edges.into_iter().map(root)
    })
}

/// Searches from the roots, and reads meanwhile what is asked for last.
fn reach(target: &Target<'_>, read: &mut Read<'_>, maps: usize) -> Outcome {
    let reached = Reached::new(read.nodes, &read.graph, maps);
    let mut outcome = Outcome { reached, doubtful: 0, roots: Vec::new() };
    let (first, last) = ORDER.split_at(RECORDS_FROM);
    let Target { arenas, arena_numbers, type_range, memory, hands, .. } = *target;
    let records = || arenas.map(|arenas| finalizers::read(&arenas, arena_numbers, type_range, memory));
    let ((), records) = hands.both(|| spread(first, read, &mut outcome), records);
    records.iter().for_each(|records| read.roots.add_records(records));
    read.doubts.roots = read.roots.is_cut_short || records.is_none();
    spread(last, read, &mut outcome);
    outcome
}

/// Goes on from the roots of some classes.
fn spread(classes: &[Class], read: &Read<'_>, outcome: &mut Outcome) {
    let Outcome { reached, doubtful, roots } = outcome;
    for class in classes {
        *doubtful = reached.steps();
        let from = roots.len();
        roots.extend(read.roots.of(*class));
        if *class == Class::Runtime {
            roots.extend(held_by_finalized(read));
        }
        let numbered = roots.iter().enumerate().skip(from).map(|(number, root)| (number, root.node));
        reached.spread(numbered, (read.nodes, &read.graph, &read.marks.maps));
    }
}
