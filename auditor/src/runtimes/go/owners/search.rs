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
use super::scene::{Scene, Wanted};
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
pub(super) fn find(target: &Target<'_>, wanted: &[Wanted<'_>]) -> Owners {
    let nodes = Nodes::new(target.runs);
    let structs: Vec<Type> =
        target.types.structs().into_iter().filter_map(|at| target.types.get(at)).collect();
    let (headers, maps) = headers(&nodes, wanted);
    let special = Special::of(&structs, target.types);
    let marks = Marks { maps: headers, types: target.type_range.clone(), special };
    let mut frames = Frames::new(target.unwind);
    let read = read(target, &nodes, &marks, maps.len(), &mut frames);
    let outcome = reach(&read, maps.len());
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
    let (of, names) = naming.all();
    Owners { of, names, read: Bytes(read.roots.read), notes: read.doubts.notes() }
}

/// The nodes that are headers, and for each of them, in order, the place of its map among those wanted. Of two at
/// one place it is the first.
fn headers(nodes: &Nodes, wanted: &[Wanted<'_>]) -> (Ranked, Vec<u32>) {
    let header = |at: Address| {
        let node = nodes.at(at.0)?;
        (nodes.object(node)?.base == at.0).then_some(node)
    };
    let nodes_of: Vec<Option<Node>> = wanted.iter().map(|one| header(one.at)).collect();
    let mut headers = Bits::new(nodes.count());
    nodes_of.iter().flatten().for_each(|node| _ = headers.add(u64::from(*node)));
    let headers = headers.ranked();
    let mut maps = vec![u32::MAX; headers.len()];
    for (place, node) in (0..u32::MAX).zip(&nodes_of) {
        let rank = node.and_then(|node| headers.rank(u64::from(node)));
        let map = rank.and_then(|rank| maps.get_mut(rank)).filter(|map| **map == u32::MAX);
        map.into_iter().for_each(|map| *map = place);
    }
    (headers, maps)
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
    if let Some(arenas) = &target.arenas {
        let records = finalizers::read(arenas, target.arena_numbers, target.type_range, target.memory);
        roots.add_records(&records);
    }
    roots.read += swept.read;
    let doubts = Doubts {
        spans: nodes.is_cut_short,
        unread: swept.unread,
        pointers: graph.is_cut_short(),
        stacks: !sees_stacks,
        roots: roots.is_cut_short || target.arenas.is_none(),
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

fn reach(read: &Read<'_>, maps: usize) -> Outcome {
    let mut reached = Reached::new(read.nodes, maps);
    let mut doubtful = 0;
    let mut roots: Vec<Root> = Vec::new();
    for class in ORDER {
        doubtful = reached.steps();
        let from = roots.len();
        roots.extend(read.roots.of(class));
        if class == Class::Runtime {
            roots.extend(held_by_finalized(read));
        }
        let numbered = roots.iter().enumerate().skip(from).map(|(number, root)| (number, root.node));
        reached.spread(numbered, (read.nodes, &read.graph, &read.marks.maps));
    }
    Outcome { reached, doubtful, roots }
}
