//! A table: the bucket array with its spare buckets, and the areas of overflow buckets that were
//! asked for when the spare ones ran out.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

use super::bucket::{BUCKET_BYTES, Bucket};
use super::calls::{Calls, Part};
use super::chain::Chain;

/// The smallest array that carries spare buckets, as log2.
const SPARE_FROM_LOG2: u8 = 4;
/// The fewest buckets of an overflow area.
const LEAST_AREA: u64 = 8;

/// A run of buckets that are not in use yet.
#[derive(Clone, Copy)]
struct Unused {
    next: NonNull<Bucket>,
    left: u64,
}

/// A bucket array and what belongs to it. Its owner must [`Table::release`] it.
pub(crate) struct Table {
    first: NonNull<Bucket>,
    log2: u8,
    unused: Cell<Unused>,
    in_use: Cell<u32>,
    areas: RefCell<Vec<NonNull<Bucket>>>,
}

// SAFETY: a table owns all its memory, and nothing in it is tied to a thread.
unsafe impl Send for Table {}

/// Spare buckets at the end of an array of 2^`log2`.
const fn spare(log2: u8) -> u64 {
    if log2 >= SPARE_FROM_LOG2 { 1 << (log2 - SPARE_FROM_LOG2) } else { 0 }
}

const fn array_bytes(log2: u8) -> u64 {
    ((1 << log2) + spare(log2)) * BUCKET_BYTES
}

const fn area_buckets(log2: u8) -> u64 {
    if spare(log2) > LEAST_AREA { spare(log2) } else { LEAST_AREA }
}

impl Table {
    /// A new table of 2^`log2` empty buckets.
    pub(crate) fn allocate(log2: u8, calls: &Calls) -> Self {
        let first = calls.allocate(array_bytes(log2), Part::Buckets, log2);
        // SAFETY: the spare buckets follow the array in the same allocation.
        let next = unsafe { first.add(1 << log2) };
        let unused = Cell::new(Unused { next, left: spare(log2) });
        Self { first, log2, unused, in_use: Cell::new(0), areas: RefCell::default() }
    }

    /// Its address.
    pub(crate) fn address(&self) -> u64 {
        self.first.as_ptr().expose_provenance() as u64
    }

    /// log2 of its buckets.
    pub(crate) const fn log2(&self) -> u8 {
        self.log2
    }

    /// Its buckets without overflow.
    pub(crate) const fn buckets(&self) -> u64 {
        1 << self.log2
    }

    /// Its bytes with its overflow areas.
    pub(crate) fn bytes(&self) -> u64 {
        let areas = self.areas.borrow().len() as u64;
        array_bytes(self.log2) + areas * area_buckets(self.log2) * BUCKET_BYTES
    }

    /// Overflow buckets handed out so far.
    pub(crate) const fn overflow(&self) -> u32 {
        self.in_use.get()
    }

    /// The chain for a hash; the index of a bucket will do as its hash.
    #[inline]
    pub(crate) fn chain(&self, hash: u64) -> Chain<'_> {
        let index = hash & (self.buckets() - 1);
        // SAFETY: the index is less than the length of the array.
        let bucket = unsafe { self.first.add(index as usize) };
        // SAFETY: the memory is zeroed or was written as buckets, and lives as long as `self`;
        // buckets are only ever shared.
        Chain::new(unsafe { bucket.as_ref() })
    }

    /// Chains an overflow bucket behind `last`, the end of a chain of this table.
    pub(crate) fn extend(&self, last: &Bucket, calls: &Calls) -> &Bucket {
        let fresh = self.take_unused(calls);
        // SAFETY: array and areas are let go together, in `release`, so neither end of the link
        // outlives the other.
        unsafe { last.link(fresh) };
        self.in_use.set(self.in_use.get() + 1);
        // SAFETY: as for `chain`.
        unsafe { fresh.as_ref() }
    }

    fn take_unused(&self, calls: &Calls) -> NonNull<Bucket> {
        if self.unused.get().left == 0 {
            let left = area_buckets(self.log2);
            let next = calls.allocate(left * BUCKET_BYTES, Part::Overflow, self.log2);
            self.areas.borrow_mut().push(next);
            self.unused.set(Unused { next, left });
        }
        let Unused { next, left } = self.unused.get();
        // SAFETY: `left` buckets follow `next` in its allocation, so one past it is at most its end.
        let after = unsafe { next.add(1) };
        self.unused.set(Unused { next: after, left: left - 1 });
        next
    }

    /// Lets its memory go: overflow areas first, oldest first, then the bucket array.
    pub(crate) fn release(self, calls: &Calls) {
        let area_bytes = area_buckets(self.log2) * BUCKET_BYTES;
        for &area in &*self.areas.borrow() {
            // SAFETY: asked for in `take_unused`; `self` was its owner and ends here.
            unsafe { calls.free(area, area_bytes, Part::Overflow) };
        }
        // SAFETY: asked for in `allocate`; `self` was its owner and ends here.
        unsafe { calls.free(self.first, array_bytes(self.log2), Part::Buckets) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spare_buckets_come_before_areas_and_both_are_accounted() {
        let calls = Calls::new(0);
        let table = Table::allocate(7, &calls);
        assert_eq!((table.buckets(), table.bytes()), (128, (128 + 8) * 144));
        let mut last = table.chain(5).buckets().last().unwrap();
        for _ in 0..9 {
            last = table.extend(last, &calls);
        }
        assert_eq!((table.overflow(), table.bytes()), (9, (128 + 8 + 8) * 144));
        assert_eq!(table.chain(5).buckets().count(), 10);
        assert_eq!(table.chain(5 + 128).buckets().count(), 10, "the same chain");
        table.release(&calls);
        let count = calls.count();
        assert_eq!((count.allocate, count.free), (2, 2));
        assert_eq!(count.allocate_bytes, count.free_bytes);
    }

    #[test]
    fn a_tiny_table_has_no_spare_buckets_and_areas_of_eight() {
        assert_eq!([0, 3, 4, 7, 8].map(spare), [0, 0, 1, 8, 16]);
        assert_eq!([0, 3, 4, 7, 8].map(area_buckets), [8, 8, 8, 8, 16]);
    }
}
