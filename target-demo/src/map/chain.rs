//! A chain: a bucket of the array and the overflow buckets behind it. What a lookup steps
//! through, where a new entry goes, and how a delete shortens the way for later lookups.

use std::iter::successors;

use super::bucket::{Bucket, SLOTS, top};

/// A slot of a chain.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) bucket: &'a Bucket,
    pub(crate) slot: usize,
}

/// Where a key is, or where it would go.
pub(crate) enum Seat<'a> {
    /// It is here.
    Taken(Place<'a>),
    /// It is not in the chain; this is its first free slot.
    Free(Place<'a>),
    /// It is not in the chain, which is full up to this last bucket.
    Full(&'a Bucket),
}

/// All buckets of one index.
#[derive(Clone, Copy)]
pub(crate) struct Chain<'a> {
    home: &'a Bucket,
}

impl<'a> Chain<'a> {
    /// The chain that begins with `home`, a bucket of the array.
    #[inline]
    pub(crate) const fn new(home: &'a Bucket) -> Self {
        Self { home }
    }

    /// Whether its entries have been moved to the new table.
    #[inline]
    pub(crate) fn is_moved(self) -> bool {
        self.home.is_moved()
    }

    /// Its buckets.
    pub(crate) fn buckets(self) -> impl Iterator<Item = &'a Bucket> {
        successors(Some(self.home), |bucket| bucket.overflow())
    }

    /// All its slots.
    pub(crate) fn places(self) -> impl Iterator<Item = Place<'a>> {
        self.buckets().flat_map(|bucket| (0..SLOTS).map(move |slot| Place { bucket, slot }))
    }

    /// Where `key` is.
    #[inline]
    pub(crate) fn find(self, top: u8, key: u64) -> Option<Place<'a>> {
        let mut bucket = self.home;
        loop {
            if let Some(slot) = bucket.find(top, key) {
                return Some(Place { bucket, slot });
            }
            if bucket.empty_rest().is_some() {
                return None;
            }
            bucket = bucket.overflow()?;
        }
    }

    /// Where `key` is or would go.
    #[inline]
    pub(crate) fn seat(self, top: u8, key: u64) -> Seat<'a> {
        let mut bucket = self.home;
        let mut free = None;
        loop {
            if let Some(slot) = bucket.find(top, key) {
                return Seat::Taken(Place { bucket, slot });
            }
            free = free.or_else(|| bucket.first_empty().map(|slot| Place { bucket, slot }));
            match bucket.overflow() {
                Some(next) if bucket.empty_rest().is_none() => bucket = next,
                _ => return free.map_or(Seat::Full(bucket), Seat::Free),
            }
        }
    }

    /// Where the empty rest of the chain begins; `Full` where it has none.
    pub(crate) fn end(self) -> Seat<'a> {
        let mut bucket = self.home;
        loop {
            if let Some(slot) = bucket.empty_rest() {
                return Seat::Free(Place { bucket, slot });
            }
            match bucket.overflow() {
                Some(next) => bucket = next,
                None => return Seat::Full(bucket),
            }
        }
    }

    /// Marks a live slot empty. When nothing lives after it, it and the empty slots right before it
    /// join the empty rest. Returns by how many the tombstones of the table rose.
    pub(crate) fn empty(self, place: Place<'a>) -> i64 {
        place.bucket.set_top(place.slot, top::EMPTY_ONE);
        if !place.is_last_before_empty_rest() {
            return 1;
        }
        let mut joined = 0;
        let mut next = Some(place);
        while let Some(place) = next.filter(|place| place.top() == top::EMPTY_ONE) {
            place.bucket.set_top(place.slot, top::EMPTY_REST);
            joined += 1;
            next = self.before(place);
        }
        1 - joined
    }

    fn before(self, place: Place<'a>) -> Option<Place<'a>> {
        if place.slot > 0 {
            return Some(Place { slot: place.slot - 1, ..place });
        }
        let points_here =
            |bucket: &&Bucket| bucket.overflow().is_some_and(|next| std::ptr::eq(next, place.bucket));
        self.buckets().find(points_here).map(|bucket| Place { bucket, slot: SLOTS - 1 })
    }
}

impl Place<'_> {
    /// The tophash byte here.
    #[inline]
    pub(crate) fn top(self) -> u8 {
        self.bucket.top(self.slot)
    }

    /// Puts an entry here.
    #[inline]
    pub(crate) fn put(self, top: u8, key: u64, value: u64) {
        self.bucket.put(self.slot, top, key, value);
    }

    fn is_last_before_empty_rest(self) -> bool {
        if self.slot + 1 < SLOTS {
            return self.bucket.top(self.slot + 1) == top::EMPTY_REST;
        }
        self.bucket.overflow().is_none_or(|next| next.top(0) == top::EMPTY_REST)
    }
}
