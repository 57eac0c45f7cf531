//! Who holds a map, and whether anything does.
//!
//! The runtime's collector answers the second question, but only at the end of a cycle; between two of them
//! the heap is full of dead maps. So the search does what the collector does: from global variables and
//! stacks it follows every pointer, and what it does not come to, nothing holds.
//!
//! Two ways were weighed. Backwards, level by level: look through the whole heap for words that point into
//! the maps, then for words that point to what holds these, and so on; each level is a pass over the heap,
//! a chain longer than the levels stays undecided, and it must be cut off where many hold one. Forwards, as
//! it is done here: **one** pass in the order of addresses keeps all pointers as a graph (`graph`), and a
//! search in breadth in that graph gives an exact answer for all maps at once, the small ones too, and the
//! shortest way to each. Measured on a heap of 346 MB with 200,000 maps, 165 MB of it objects that may hold
//! pointers: the pass 0.08 s, the search 0.03 s, 8 MB kept; a single level backwards would cost as much as
//! the pass.
//!
//! `goroutines`, `frames` and `roots` say where to begin, `nodes` what can be come to, `sweep` reads, `reach`
//! searches; `ways` turns ways into classes of objects that are alike, with `shapes` and `fields` for
//! their types, and `origins` names where they begin. `headers` looks for maps on stacks.
//!
//! What it does not see: memory of C, which may not hold pointers to Go's objects for long (cgo's rules);
//! registers of goroutines that run, for which the whole of their stack stands; and pointers that move while
//! the heap is read. Roots are read before and after the heap: what moves from there to a stack or a variable
//! is seen.

mod bits;
mod blocks;
mod classes;
mod fields;
mod finalizers;
mod frames;
mod goroutines;
mod graph;
mod headers;
mod identify;
mod interned;
mod keys;
#[cfg(test)]
mod made;
mod masks;
mod naming;
mod nodes;
mod origins;
pub mod private;
mod reach;
mod roots;
mod scene;
mod search;
mod shapes;
mod special;
mod sweep;
#[cfg(test)]
mod tests;
mod uses;
pub mod variables;
mod ways;

use std::collections::BTreeSet;
use std::ops::Range;

use crate::audit::unit::{Address, Bytes};
use crate::runtimes::go::hands::Hands;
use crate::runtimes::go::heap::{Heap, Span};
use crate::target::go::frame_map::FrameMap;
use crate::target::go::layouts::Layout;
use crate::target::go::program::Program;
use crate::target::go::types::{Maps, Types};
use crate::target::memory::{Memory, ReadError, read_u64};

use finalizers::{Arenas, arena_of};
use frames::Frames;
pub use headers::Sought;
pub use interned::Interned;
use masks::Bitmaps;
use nodes::Run;
pub use scene::{Asked, Wanted};
use search::Target;
use variables::Variables;

/// What is known of a process before the search.
#[derive(Clone, Copy)]
pub struct Process<'a> {
    /// The program.
    pub program: &'a Program,
    /// Its types.
    pub types: &'a Types,
    /// Its variables, as far as they have names.
    pub variables: &'a Variables,
    /// The list of goroutines, `runtime.allgs`; `None`: it was not found.
    pub goroutines: Option<Address>,
    /// Its heap. The fresher, the better: what is in a span that is newer is not seen.
    pub heap: &'a Heap,
    /// Its memory.
    pub memory: &'a dyn Memory,
    /// Maps that hold at least so many bytes are told of one by one.
    pub listed_from: Bytes,
    /// How many threads read its heap.
    pub hands: Hands,
}

/// What was found of a map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Whether any root leads to it; `None`: that could not be told.
    pub reachable: Option<bool>,
    /// How it is reached, as a place in [`Owners::names`].
    pub name: Option<usize>,
    /// Its type, where what leads to it tells.
    pub type_at: Option<Address>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// Of each map, in the order in which they were given.
    pub of: Interned<Owner>,
    /// Ways to maps, such as `main.globalCache -> (main.Cache).Inner.Idx`; of at most 800 characters. Maps
    /// that are reached alike share one.
    pub names: Vec<String>,
    /// How much memory was read.
    pub read: Bytes,
    /// What the reader of a report should know about what was not seen, in words.
    pub notes: Vec<String>,
}

/// Finds out who holds each of these maps.
#[must_use]
pub fn find(process: &Process<'_>, wanted: Asked<'_>) -> Owners {
    let Process { program, memory, .. } = process;
    let layout = process.heap.place().layout;
    let modules = program.modules();
    let text: Vec<_> = modules.iter().map(|module| plain(&module.text)).collect();
    let place = process.heap.place();
    let spans = || process.heap.spans().iter();
    let runs: Vec<Run> = spans().filter(|span| !span.is_pointer_free).map(run).collect();
    let mut arena_numbers: Vec<u64> = spans().map(|span| arena_of(span.start.0)).collect();
    arena_numbers.dedup();
    let table = place.at.plus(layout.heap.arenas as u64).and_then(|at| read_u64(*memory, at).ok());
    let arenas = table.map(|table| Arenas { table: Address(table), layout });
    search::find(
        &Target {
            runs: &runs,
            globals: &globals(program),
            text: &text,
            code: &Code(program),
            type_range: &modules.first().map_or(0..0, |module| plain(&module.types)),
            goroutines: process.goroutines,
            layout,
            bitmaps: bitmaps(process, table),
            arenas,
            arena_numbers: &arena_numbers.into_iter().collect::<BTreeSet<_>>(),
            is_swiss: program.maps() == Maps::Swiss,
            types: process.types,
            variables: process.variables,
            unwind: *program,
            memory: *memory,
            listed_from: process.listed_from.0,
            hands: process.hands,
        },
        wanted,
    )
}

/// Where headers of maps may be on the stacks of the goroutines that are listed at an address, and whether all
/// stacks were looked at.
#[must_use]
pub fn on_stacks(
    program: &Program,
    (list, layout): (Address, &Layout),
    sought: &Sought<'_>,
    memory: &dyn Memory,
) -> (Vec<Address>, bool) {
    let found = goroutines::read(list, layout, memory);
    let headers = headers::find(&found.all, sought, &mut Frames::new(program), memory);
    (headers, !found.is_cut_short)
}

/// The runtime's list of goroutines, in a program in which it has no name.
#[must_use]
pub fn goroutines(program: &Program, layout: &Layout, memory: &dyn Memory) -> Option<Address> {
    goroutines::find(&globals(program), layout, memory)
}

/// Where variables are that may hold pointers.
fn globals(program: &Program) -> Vec<Range<u64>> {
    program.modules().iter().flat_map(|module| [plain(&module.data), plain(&module.bss)]).collect()
}

fn plain(range: &Range<Address>) -> Range<u64> {
    range.start.0..range.end.0
}

fn run(span: &Span) -> Run {
    Run {
        start: span.start.0,
        element: span.element_size,
        count: u64::from(span.elements),
        is_pointer_free: span.is_pointer_free,
        header: span.typing,
    }
}

/// Where the runtime notes which words are pointers. A release that is not known may do it otherwise.
fn bitmaps(process: &Process<'_>, arenas: Option<u64>) -> Bitmaps {
    let arenas = arenas.map(Address);
    match process.heap.place().layout.release.minor {
        _ if !process.program.layout_is_exact() => Bitmaps::Unknown,
        22.. => Bitmaps::InSpan(process.heap.place().has_inline_marks),
        20 | 21 => arenas.map_or(Bitmaps::Unknown, Bitmaps::Single),
        _ => arenas.map_or(Bitmaps::Unknown, Bitmaps::Paired),
    }
}

/// A program's code.
#[derive(Debug)]
struct Code<'a>(&'a Program);

impl Memory for Code<'_> {
    fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
        self.0.read_code(at, into)
    }
}

impl frames::Unwind for Program {
    fn frame(&self, at: Address) -> Option<FrameMap> {
        self.frame_map(at)
    }
    fn function(&self, at: Address) -> Option<String> {
        self.function_at(at)
    }
}

impl std::fmt::Debug for Process<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("heap", &self.heap.place()).finish_non_exhaustive()
    }
}
