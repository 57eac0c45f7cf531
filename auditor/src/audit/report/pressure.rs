//! How scarce memory is.

use serde::{Deserialize, Serialize};

use super::super::unit::{Bytes, Nanos};

/// What the target's cgroup was charged and may be, and how long tasks waited for memory; `null`: the host does
/// not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pressure {
    /// What the cgroup whose limit binds was charged at the last reading.
    pub charged: Option<Bytes>,
    /// Of this, page cache that is given up before anything hurts.
    pub reclaimable: Option<Bytes>,
    /// From where on its tasks are slowed down.
    pub high: Option<Bytes>,
    /// The most it may be.
    pub max: Option<Bytes>,
    /// The most it was.
    pub peak: Option<Bytes>,
    /// Times it was held back at `high` during the audit.
    pub high_events: Option<u64>,
    /// Times it ran into `max` during the audit.
    pub max_events: Option<u64>,
    /// Tasks of it that the kernel killed for want of memory during the audit.
    pub oom_kills: Option<u64>,
    /// Time during the audit in which some task waited for memory.
    pub some: Option<Nanos>,
    /// Time in which all tasks did.
    pub full: Option<Nanos>,
    /// Whether `some` and `full` are of the cgroup, and not of the whole host.
    pub of_group: bool,
    /// Memory of the host that could be had without swapping.
    pub available: Option<Bytes>,
}
