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
