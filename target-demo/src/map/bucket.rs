//! One bucket as it lies in memory (docs/demo-map.md, "The layout of a table"):
//!
//! ```text
//!   0   8 tophash bytes, one word
//!   8   8 keys
//!  72   8 values
//! 136   address of the next overflow bucket, 0: none
//! ```
//!
//! Everything is a `Cell`: buckets point at each other, so they are only ever shared. Chains of
//! buckets are in `chain.rs`.

use std::cell::Cell;
use std::ptr::NonNull;

/// Entries in one bucket.
pub(crate) const SLOTS: usize = 8;
/// Bytes of one bucket.
pub(crate) const BUCKET_BYTES: u64 = size_of::<Bucket>() as u64;

/// What the tophash byte of a slot may say; the names and values are those of Go's runtime/map.go.
pub(crate) mod top {
    /// Empty, and so are all slots after it in the chain. Fresh memory says this.
    pub(crate) const EMPTY_REST: u8 = 0;
    /// Empty.
    pub(crate) const EMPTY_ONE: u8 = 1;
    /// Moved to the bucket of the same index (all but doubling growths: to the only possible one).
    pub(crate) const MOVED_FIRST: u8 = 2;
    /// Moved to the bucket in the second half of a doubled table.
    pub(crate) const MOVED_SECOND: u8 = 3;
    /// Was empty when its bucket was moved.
    pub(crate) const MOVED_EMPTY: u8 = 4;
    /// The least tophash of a live entry.
    pub(crate) const LEAST: u8 = 5;

    /// The tophash of an entry with this hash.
    #[inline]
    pub(crate) const fn of(hash: u64) -> u8 {
        let top = (hash >> 56) as u8;
        if top < LEAST { top + LEAST } else { top }
    }
}

/// A bucket. All-zero memory is an empty one.
#[repr(C)]
pub(crate) struct Bucket {
    tops: Cell<u64>,
    keys: [Cell<u64>; SLOTS],
    values: [Cell<u64>; SLOTS],
    overflow: Cell<Option<NonNull<Self>>>,
}

const _: () = assert!(BUCKET_BYTES == 144);

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The high bit of each byte that is zero. Above the lowest such byte there may be false ones.
#[inline]
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW_BITS) & !word & HIGH_BITS
}

#[inline]
const fn lowest_byte(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

impl Bucket {
    /// The slot that holds `key`.
    #[inline]
    pub(crate) fn find(&self, top: u8, key: u64) -> Option<usize> {
        let mut marks = zero_bytes(self.tops.get() ^ (LOW_BITS * u64::from(top)));
        while marks != 0 {
            let slot = lowest_byte(marks);
            // A mark may be false, and freed slots keep their keys: both must agree.
            if self.key(slot) == key && self.top(slot) == top {
                return Some(slot);
            }
            marks &= marks - 1;
        }
        None
    }

    /// The first slot that is free for a new entry.
    #[inline]
    pub(crate) fn first_empty(&self) -> Option<usize> {
        let marks = zero_bytes(self.tops.get() & !LOW_BITS);
        (marks != 0).then(|| lowest_byte(marks))
    }

    /// The slot from which on the chain is empty, where that is in this bucket.
    #[inline]
    pub(crate) fn empty_rest(&self) -> Option<usize> {
        let marks = zero_bytes(self.tops.get());
        (marks != 0).then(|| lowest_byte(marks))
    }

    /// Whether its entries have been moved to the new table.
    #[inline]
    pub(crate) fn is_moved(&self) -> bool {
        (top::MOVED_FIRST..top::LEAST).contains(&self.top(0))
    }

    /// The tophash byte of a slot.
    #[inline]
    pub(crate) fn top(&self, slot: usize) -> u8 {
        (self.tops.get() >> (slot * 8)) as u8
    }

    /// Replaces the tophash byte of a slot.
    #[inline]
    pub(crate) fn set_top(&self, slot: usize, top: u8) {
        let others = self.tops.get() & !(0xff << (slot * 8));
        self.tops.set(others | u64::from(top) << (slot * 8));
    }

    /// The key of a slot; of an empty one whatever was there last.
    #[inline]
    pub(crate) fn key(&self, slot: usize) -> u64 {
        self.keys[slot % SLOTS].get()
    }

    /// The value of a slot.
    #[inline]
    pub(crate) fn value(&self, slot: usize) -> u64 {
        self.values[slot % SLOTS].get()
    }

    /// Replaces the value of a slot and returns the one it had.
    #[inline]
    pub(crate) fn replace_value(&self, slot: usize, value: u64) -> u64 {
        self.values[slot % SLOTS].replace(value)
    }

    /// Puts an entry into a free slot.
    #[inline]
    pub(crate) fn put(&self, slot: usize, top: u8, key: u64, value: u64) {
        self.keys[slot % SLOTS].set(key);
        self.values[slot % SLOTS].set(value);
        self.set_top(slot, top);
    }

    /// The next bucket of the chain.
    #[inline]
    pub(crate) fn overflow(&self) -> Option<&Self> {
        // SAFETY: `link` is the only writer: its caller vouches that the link outlives this bucket.
        self.overflow.get().map(|next| unsafe { next.as_ref() })
    }

    /// Makes `next` the next bucket of the chain.
    ///
    /// # Safety
    /// `next` must stay valid, and be only shared, for as long as this bucket exists.
    pub(crate) unsafe fn link(&self, next: NonNull<Self>) {
        self.overflow.set(Some(next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Bucket {
        Bucket {
            tops: Cell::new(0),
            keys: Default::default(),
            values: Default::default(),
            overflow: Cell::new(None),
        }
    }

    #[test]
    fn a_key_is_found_where_it_was_put_and_nowhere_else() {
        for slot in 0..SLOTS {
            let bucket = empty();
            bucket.put(slot, 9, 42, 1);
            assert_eq!(bucket.find(9, 42), Some(slot));
            assert_eq!(bucket.find(9, 43), None);
            assert_eq!(bucket.find(8, 42), None);
        }
    }

    #[test]
    fn tophashes_that_differ_by_one_bit_are_not_confused() {
        // 8 ^ 9 = 1 right above a true match is the false mark that `zero_bytes` warns of.
        let bucket = empty();
        bucket.put(0, 9, 1, 10);
        bucket.put(1, 8, 2, 20);
        assert_eq!(bucket.find(9, 2), None);
        assert_eq!(bucket.find(8, 2), Some(1));
    }

    #[test]
    fn a_slot_emptied_in_the_middle_is_free_but_not_the_end() {
        let bucket = empty();
        (0..SLOTS).for_each(|slot| bucket.put(slot, 200, slot as u64, 0));
        assert_eq!((bucket.first_empty(), bucket.empty_rest()), (None, None));
        bucket.set_top(3, top::EMPTY_ONE);
        assert_eq!((bucket.first_empty(), bucket.empty_rest()), (Some(3), None));
        bucket.set_top(7, top::EMPTY_REST);
        assert_eq!(bucket.empty_rest(), Some(7));
    }

    #[test]
    fn the_top_byte_of_a_hash_never_looks_like_a_mark() {
        (0..=255u64).for_each(|byte| assert!(top::of(byte << 56) >= top::LEAST));
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let offsets = [
            std::mem::offset_of!(Bucket, tops),
            std::mem::offset_of!(Bucket, keys),
            std::mem::offset_of!(Bucket, values),
            std::mem::offset_of!(Bucket, overflow),
        ];
        assert_eq!(offsets, [0, 8, 72, 136]);
    }
}
