//! Where memory is, and how scarce: pages of maps, and what the kernel says of limits and waiting.

use serde::{Deserialize, Serialize};

use super::super::unit::{Address, Bytes, Nanos};

/// Which pages of a map's tables are in RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resident {
    /// Whose.
    pub map: Address,
    /// Its current tables.
    pub current: Pages,
    /// The old ones while it evacuates.
    pub old: Pages,
    /// Header, directory and chained overflow buckets.
    pub rest: Pages,
}

/// What was found in ranges of memory. Of a page that holds other things too, only the part within the
/// ranges counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pages {
    /// Length of the ranges.
    pub asked: Bytes,
    /// In RAM. The zero page, which takes none, does not count.
    pub present: Bytes,
    /// Of these, in huge pages; `None`: the kernel does not tell (before Linux 6.7).
    pub huge: Option<Bytes>,
    /// Of `present`, file pages or shared memory.
    pub shared: Bytes,
    /// Swapped out.
    pub swapped: Bytes,
}

/// What of the target's memory beside its maps is in RAM, by what it is mapped as: bytes of private pages. No byte
/// of a map that the page map was asked for is among it, but small maps are. What is not told apart is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// The memory that a C library's allocator takes first (`[heap]`), whether it has handed it out or not.
    pub heap: Option<Bytes>,
    /// The stack of the main thread (`[stack]`).
    pub stack: Option<Bytes>,
    /// Written pages of mapped files: variables of the program and its libraries; and the zeroed memory behind
    /// the program's own.
    pub data: Option<Bytes>,
    /// What a runtime that manages a heap has mapped beside it. Only of programs without a C library: there,
    /// nobody else maps anything.
    pub runtime: Option<Bytes>,
}

/// Limits and waiting at one moment. What the host does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressure {
    /// The cgroup whose limit binds; without a limit, the one the target is in.
    pub group: Option<Charge>,
    /// Waiting for memory in that cgroup; where it does not tell, on the host.
    pub stalls: Option<Stalls>,
    /// Memory of the host that could be had without swapping (`MemAvailable`).
    pub available: Option<Bytes>,
}

/// What a cgroup was charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Now (`memory.current`, `memory.usage_in_bytes`).
    pub current: Option<Bytes>,
    /// Of this, page cache that is given up before anything hurts (`inactive_file` of `memory.stat`).
    pub reclaimable: Option<Bytes>,
    /// From where on its tasks are slowed down (`memory.high`).
    pub high: Option<Bytes>,
    /// The most it may be (`memory.max`, `memory.limit_in_bytes`).
    pub max: Option<Bytes>,
    /// The most it was (`memory.peak`, `memory.max_usage_in_bytes`).
    pub peak: Option<Bytes>,
    /// Times it was held back at `high` since it was made.
    pub high_events: Option<u64>,
    /// Times it ran into `max`.
    pub max_events: Option<u64>,
    /// Tasks of it that the kernel killed for want of memory.
    pub oom_kills: Option<u64>,
}

/// Waiting for memory since the host or the cgroup began (`memory.pressure`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stalls {
    /// Time in which some task waited.
    pub some: Nanos,
    /// Time in which all tasks waited.
    pub full: Nanos,
    /// Whether it is the cgroup's own.
    pub of_group: bool,
}

/// Page faults of the target, by all its threads, since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// For which nothing had to be read.
    pub minor: u64,
    /// For which a page was read from disk or swap.
    pub major: u64,
}
