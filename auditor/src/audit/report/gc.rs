//! The managed heap and its garbage collector, as the report has them.

use serde::{Deserialize, Serialize};

use super::super::unit::{Bytes, Nanos};

/// The managed heap and its collector. What is not said to be of the window is of the last reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gc {
    /// Which runtime's.
    pub runtime: String,
    /// Cycles ended in the window; `null`: the heap was read once, and nobody followed its cycles.
    pub cycles: Option<u64>,
    /// Cycles ended in a minute, by those of the window; `null`: the window is too short.
    pub cycles_per_minute: Option<u64>,
    /// Cycles ended since the program began.
    pub cycles_in_all: Option<u64>,
    /// How long the world was stopped.
    pub pauses: Pauses,
    /// Bytes marked live by the last cycle.
    pub heap_live: Option<Bytes>,
    /// Where the next cycle starts.
    pub heap_goal: Option<Bytes>,
    /// Memory in spans that hold objects, free slots among them included.
    pub in_use: Option<Bytes>,
    /// Objects: live ones, and dead ones that are not swept yet.
    pub allocated: Option<Bytes>,
    /// Spans without objects whose pages the runtime keeps.
    pub free: Option<Bytes>,
    /// Of this, what the runtime gives back only after the next cycle.
    pub waits: Option<Bytes>,
    /// Given back to the kernel.
    pub released: Option<Bytes>,
    /// Memory of stacks.
    pub stacks: Option<Bytes>,
    /// Growth over `heap_live` that starts a cycle, in percent; `null`: growth starts none.
    pub percent: Option<u32>,
    /// The runtime's own memory limit; `null`: none.
    pub limit: Option<Bytes>,
    /// Whether pages are given back lazily, so that RSS stays up until the kernel wants them.
    pub gives_back_lazily: Option<bool>,
    /// Objects by size class, largest total first.
    pub size_classes: Vec<SizeClass>,
    /// How often the world was stopped in the window, whoever asked for it; `null`: no hook tells.
    pub world_stops: Option<u64>,
    /// How far the heap was extended in the window; `null`: no hook tells.
    pub extended: Option<HeapExtended>,
    /// Large objects asked for in the window; `null`: no hook tells.
    pub large_objects: Option<LargeObjects>,
}

/// Pauses of the world. Those of one cycle count as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// Cycles of the window whose pauses are known one by one.
    pub count: Option<u64>,
    /// All of the window.
    pub total: Option<Nanos>,
    /// The longest.
    pub max: Option<Nanos>,
    /// 99 % were no longer; to within 4 %.
    pub p99: Option<Nanos>,
    /// In a minute, by those of the window; `null`: the window is too short.
    pub per_minute: Option<Nanos>,
    /// All since the program began.
    pub in_all: Option<Nanos>,
}

/// Objects of one size class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeClass {
    /// Bytes of one; 0: objects that have a span each, of any size.
    pub object: Bytes,
    /// Whether they hold no pointers.
    pub pointer_free: bool,
    /// How many.
    pub objects: u64,
    /// Their bytes.
    pub used: Bytes,
    /// Bytes of the spans that hold them.
    pub spans: Bytes,
}

/// More memory mapped for the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeapExtended {
    /// How often.
    pub times: u64,
    /// How much in all.
    pub bytes: Bytes,
}

/// Objects with pages of their own that were asked for, where they are large enough to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObjects {
    /// How many.
    pub times: u64,
    /// How much in all.
    pub bytes: Bytes,
    /// The largest; `null`: there was none.
    pub largest: Option<Bytes>,
    /// Call stack of the largest, innermost first.
    pub site: Vec<String>,
}
