//! The only caller of the probe symbols, and its account of what it called them with. The account
//! is for the truth; it shares nothing with the counters in the header.

use std::cell::Cell;
use std::ptr::NonNull;

use super::bucket::Bucket;
use super::symbols::{demo_map_allocate, demo_map_evacuate, demo_map_free, demo_map_grow};

/// What a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Part {
    /// The bucket array, with its spare buckets.
    Buckets = 0,
    /// More buckets for overflow.
    Overflow = 1,
}

/// Why a table is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Growth {
    /// Too many entries: twice the buckets.
    Double = 1,
    /// Too many overflow buckets: as many buckets, packed anew.
    SameSize = 2,
    /// Asked for: fewer buckets.
    Shrink = 3,
}

/// How often each symbol was called for one map, and with what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Tables asked for.
    pub(crate) allocate: u64,
    /// Their bytes.
    pub(crate) allocate_bytes: u64,
    /// Growths by kind.
    pub(crate) double: u64,
    pub(crate) same_size: u64,
    pub(crate) shrink: u64,
    /// Old buckets moved.
    pub(crate) evacuate: u64,
    /// Tables let go.
    pub(crate) free: u64,
    /// Their bytes.
    pub(crate) free_bytes: u64,
}

/// Calls the symbols in the name of one map.
#[derive(Debug)]
pub(crate) struct Calls {
    map: u64,
    count: Cell<Count>,
}

impl Calls {
    /// In the name of the map with its header at `map`.
    pub(crate) fn new(map: u64) -> Self {
        Self { map, count: Cell::default() }
    }

    /// What was called so far.
    pub(crate) const fn count(&self) -> Count {
        self.count.get()
    }

    /// Asks for a table. `log2` is that of the buckets it is for.
    pub(crate) fn allocate(&self, bytes: u64, part: Part, log2: u8) -> NonNull<Bucket> {
        self.record(|count| {
            count.allocate += 1;
            count.allocate_bytes += bytes;
        });
        demo_map_allocate(self.map, bytes, part as u32, log2.into())
    }

    /// Announces a growth.
    pub(crate) fn grow(&self, kind: Growth, log2_before: u8, log2_after: u8) {
        self.record(|count| match kind {
            Growth::Double => count.double += 1,
            Growth::SameSize => count.same_size += 1,
            Growth::Shrink => count.shrink += 1,
        });
        demo_map_grow(self.map, kind as u32, log2_before.into(), log2_after.into());
    }

    /// Announces that an old bucket is moved.
    pub(crate) fn evacuate(&self, index: u64) {
        self.record(|count| count.evacuate += 1);
        demo_map_evacuate(self.map, index);
    }

    /// Lets a table go.
    ///
    /// # Safety
    /// It must be from [`Calls::allocate`] with the same `bytes`, and nothing may refer to it.
    pub(crate) unsafe fn free(&self, table: NonNull<Bucket>, bytes: u64, part: Part) {
        self.record(|count| {
            count.free += 1;
            count.free_bytes += bytes;
        });
        // SAFETY: `allocate` got it from `memory::obtain`; the rest is promised by the caller.
        unsafe { demo_map_free(self.map, table, bytes, part as u32) };
    }

    #[inline]
    fn record(&self, change: impl FnOnce(&mut Count)) {
        let mut count = self.count.get();
        change(&mut count);
        self.count.set(count);
    }
}
