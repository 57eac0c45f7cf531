//! What a map looked like last, as far as it is kept. What it holds, moved and counted is kept in other ways:
//! `holding.rs`, `evacuation.rs`, `counters.rs`.

use super::fact::{Next, Shape, SizesId};
use super::unit::{Bytes, Nanos};

/// A look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// When.
    pub(super) at: Nanos,
    /// Entries.
    pub(super) live: u64,
    /// Slots.
    pub(super) capacity: u64,
    /// Slots that may not be used again freely.
    pub(super) tombstones: Option<u64>,
    /// Overflow buckets in use.
    pub(super) overflow: Option<u64>,
    /// What of it is the old table.
    pub(super) old_bytes: Bytes,
    /// What it would hold had it just been rebuilt.
    pub(super) needed: Option<Bytes>,
    /// When it asks for its next tables.
    pub(super) next: Option<Next>,
    /// How it is sized.
    pub(super) sizes: Option<SizesId>,
    /// Whether it said that it is being dropped.
    pub(super) dropped: bool,
}

impl Seen {
    /// At this time, of this shape.
    pub(super) const fn new(at: Nanos, shape: &Shape) -> Self {
        let &Shape { live, capacity, tombstones, overflow, old_bytes, needed, next, sizes, dropped, .. } =
            shape;
        Self { at, live, capacity, tombstones, overflow, old_bytes, needed, next, sizes, dropped }
    }
}
