//! What a managed heap and its collector say of themselves: the runtime's own counters, read from
//! memory.

use serde::{Deserialize, Serialize};

use super::super::unit::{Address, Bytes, Nanos};
use super::StackId;

/// The managed heap at one moment. What a runtime does not count is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heap {
    /// Which runtime's.
    pub runtime: String,
    /// Memory in spans that hold objects, free slots among them included (Go: `HeapInuse`).
    pub in_use: Option<Bytes>,
    /// Objects: live ones, and dead ones that are not swept yet (Go: `HeapAlloc`).
    pub allocated: Option<Bytes>,
    /// Spans without objects whose pages the runtime keeps (Go: `HeapIdle - HeapReleased`).
    pub free: Option<Bytes>,
    /// Spans without objects whose pages were given back (Go: `HeapReleased`).
    pub released: Option<Bytes>,
    /// What the last cycle found alive.
    pub live: Option<Bytes>,
    /// Where the next cycle starts (Go: `NextGC`).
    pub goal: Option<Bytes>,
    /// Memory of stacks.
    pub stacks: Option<Bytes>,
    /// Growth of the heap over `live` that starts a cycle, in percent (Go: `GOGC`); `None`: off.
    pub percent: Option<u32>,
    /// The runtime's own memory limit (Go: `GOMEMLIMIT`); `None`: none.
    pub limit: Option<Bytes>,
    /// Cycles ended since the program began.
    pub cycles: Option<u64>,
    /// All pauses of the world since then.
    pub pause_total: Option<Nanos>,
    /// Whether pages are given back lazily (`MADV_FREE`), so that RSS stays up until the kernel wants
    /// them (Go: `GODEBUG=madvdontneed=0`); `None`: not known.
    pub gives_back_lazily: Option<bool>,
    /// Objects by size class, largest total first.
    pub classes: Vec<SizeClass>,
    /// Of `free`, what the runtime gives back only after the next cycle; `None`: not known.
    pub waits: Option<Bytes>,
}

/// Objects of one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeClass {
    /// Bytes of one object; 0: objects that have a span each, of any size.
    pub object: Bytes,
    /// Whether the objects hold no pointers.
    pub pointer_free: bool,
    /// Objects allocated.
    pub objects: u64,
    /// Their bytes.
    pub used: Bytes,
    /// Bytes of the spans that hold them.
    pub spans: Bytes,
}

/// One cycle of the collector has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// Its number since the program began, from 1 on.
    pub number: u64,
    /// How long the world was stopped for it, all its pauses together.
    pub pause: Nanos,
}

/// Something that the managed heap or its collector did, as a hook saw it begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Managed {
    /// What.
    pub event: ManagedEvent,
    /// How much, where it has a size.
    pub bytes: Option<Bytes>,
    /// From where.
    pub stack: Option<StackId>,
}

/// What a managed heap or its collector does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagedEvent {
    /// A cycle of the collector is wanted. A race that another thread wins is told, too.
    CycleBegins,
    /// Marking ends: what was not reached is free from here on.
    CycleEnds,
    /// The world is being stopped: by the collector, or by anybody who asks for its counters.
    WorldStops,
    /// The world goes on.
    WorldGoesOn,
    /// More memory is mapped for the heap.
    HeapExtends,
    /// An object that has pages of its own is allocated.
    LargeObject,
}

/// All entries of a map are being removed at once. It keeps its tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clear {
    /// Whose.
    pub map: Address,
    /// Live entries at that moment, where they could be read.
    pub live: Option<u64>,
    /// From where.
    pub stack: Option<StackId>,
}

/// What glibc's `malloc` has taken from the kernel, and what of it is free: its arenas added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arenas {
    /// How many there are.
    pub arenas: u32,
    /// Taken from the kernel for them (`system_mem`). Large requests, which have mappings of their own, are not among it.
    pub system: Bytes,
    /// Free behind the last chunk of each: it goes back when the program frees what is next to it and much is there.
    pub top: Bytes,
    /// Free in chunks of at most 128 bytes that are not merged with their neighbours (fastbins).
    pub fast: Bytes,
    /// Free in other lists.
    pub binned: Bytes,
    /// Whether all lists were followed to their ends: else `fast` and `binned` are lower bounds.
    pub whole: bool,
}
