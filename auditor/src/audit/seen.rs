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
    /// What of it are entries that are allocated one by one.
    pub(super) entries: Bytes,
    /// What it counts of its entries that something else holds.
    pub(super) behind: Bytes,
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
        let &Shape { live, capacity, tombstones, overflow, old_bytes, needed, .. } = shape;
        let &Shape { entries, behind, next, sizes, dropped, .. } = shape;
        Self {
            at,
            live,
            capacity,
            tombstones,
            overflow,
            old_bytes,
            needed,
            entries,
            behind,
            next,
            sizes,
            dropped,
        }
    }
}
