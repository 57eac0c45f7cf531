//! How the map grows, to twice its size, to the same size, or (when asked) to a smaller one: a new
//! table is asked for at once, and every later write moves two buckets of the old one.
//!
//! The rules are those of Go's `hashGrow`, `growWork`, `evacuate` and `advanceEvacuationMark`.
//! Two things differ. Overflow buckets are counted exactly, where Go counts a sample once there are
//! 2^16 buckets; so what Go compares with 2^min(log2, 15) is here compared with 2^log2, which the
//! sample stands for. And Go never shrinks.

use super::Map;
use super::bucket::{Bucket, SLOTS, top};
use super::calls::{Calls, Growth};
use super::chain::{Chain, Place, Seat};
use super::hash::Hash;
use super::header::flag;
use super::table::Table;

/// How far the mark may skip over buckets that writes have moved already, per bucket moved.
const MARK_SKIPS: u64 = 1024;

/// The most entries that 2^`log2` buckets take without growth: 6.5 a bucket, at least 8 in all.
pub(crate) const fn largest_without_growth(log2: u8) -> u64 {
    let limit = (13 << log2) / 2;
    if limit > SLOTS as u64 { limit } else { SLOTS as u64 }
}

/// log2 of the buckets that `entries` need.
pub(super) const fn log2_for(entries: u64) -> u8 {
    let mut log2 = 0;
    while largest_without_growth(log2) < entries {
        log2 += 1;
    }
    log2
}

/// How far an evacuation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Old buckets moved.
    pub(crate) moved: u64,
    /// Old buckets in all.
    pub(crate) total: u64,
}

/// An old table whose entries are on their way to the current one.
pub(super) struct Evacuation {
    table: Table,
    /// Every old bucket before this one has been moved.
    mark: u64,
    moved: u64,
    kind: Growth,
}

impl Evacuation {
    /// The old chain of `hash`, unless it has been moved.
    #[inline]
    pub(super) fn unmoved_chain(&self, hash: u64) -> Option<Chain<'_>> {
        let chain = self.table.chain(hash);
        (!chain.is_moved()).then_some(chain)
    }

    /// Its old table.
    pub(super) const fn table(&self) -> &Table {
        &self.table
    }

    /// Lets the old table go.
    pub(super) fn release(self, calls: &Calls) {
        self.table.release(calls);
    }

    const fn is_over(&self) -> bool {
        self.mark == self.table.buckets()
    }

    /// Moves one old chain, unless it has been moved, and says whether it did.
    fn move_chain(&mut self, index: u64, to: &Destination<'_>) -> bool {
        let unmoved = !self.table.chain(index).is_moved();
        if unmoved {
            to.calls.evacuate(index);
            self.empty_into(index, to);
            self.moved += 1;
        }
        if index == self.mark {
            self.advance_mark();
        }
        unmoved
    }

    fn empty_into(&self, index: u64, to: &Destination<'_>) {
        let second_bit = if self.kind == Growth::Double { self.table.buckets() } else { 0 };
        let mut first = to.end_of(index);
        let mut second = to.end_of(index | second_bit);
        for place in self.table.chain(index).places() {
            if place.top() < top::LEAST {
                place.bucket.set_top(place.slot, top::MOVED_EMPTY);
                continue;
            }
            if to.hash.of(place.bucket.key(place.slot)) & second_bit == 0 {
                first = to.append(first, place);
                place.bucket.set_top(place.slot, top::MOVED_FIRST);
            } else {
                second = to.append(second, place);
                place.bucket.set_top(place.slot, top::MOVED_SECOND);
            }
        }
    }

    fn advance_mark(&mut self) {
        let stop = self.table.buckets().min(self.mark + 1 + MARK_SKIPS);
        self.mark += 1;
        while self.mark < stop && self.table.chain(self.mark).is_moved() {
            self.mark += 1;
        }
    }
}

/// Where entries move to.
struct Destination<'a> {
    table: &'a Table,
    calls: &'a Calls,
    hash: Hash,
}

impl<'a> Destination<'a> {
    /// Where the next entry moved to chain `index` goes.
    fn end_of(&self, index: u64) -> Seat<'a> {
        self.table.chain(index).end()
    }

    /// Copies an entry to `seat`, the end of a chain, and returns the new end.
    fn append(&self, seat: Seat<'a>, from: Place<'_>) -> Seat<'a> {
        let to = match seat {
            Seat::Taken(place) | Seat::Free(place) => place,
            Seat::Full(last) => Place { bucket: self.table.extend(last, self.calls), slot: 0 },
        };
        to.put(from.top(), from.bucket.key(from.slot), from.bucket.value(from.slot));
        after(to)
    }
}

fn after(place: Place<'_>) -> Seat<'_> {
    let full: &Bucket = place.bucket;
    if place.slot + 1 < SLOTS {
        Seat::Free(Place { slot: place.slot + 1, ..place })
    } else {
        Seat::Full(full)
    }
}

impl Map {
    /// How far the evacuation under way is.
    pub(crate) fn evacuation(&self) -> Option<Progress> {
        self.old.as_ref().map(|old| Progress { moved: old.moved, total: old.table.buckets() })
    }

    /// Starts a growth to the fewest buckets its entries need, unless it has no more than these or is
    /// still evacuating. Go's map cannot do this.
    pub(crate) fn shrink(&mut self) {
        let fewest = log2_for(self.live());
        if self.old.is_none() && self.current.as_ref().is_some_and(|table| table.log2() > fewest) {
            self.start((Growth::Shrink, fewest));
        }
    }

    /// The growth that one more entry calls for, and log2 of the buckets after it.
    #[inline]
    pub(super) fn growth_due(&self, table: &Table) -> Option<(Growth, u8)> {
        if self.old.is_some() {
            return None;
        }
        if self.live() + 1 > largest_without_growth(table.log2()) {
            return Some((Growth::Double, table.log2() + 1));
        }
        let too_many = u64::from(table.overflow()) >= table.buckets();
        too_many.then_some((Growth::SameSize, table.log2()))
    }

    /// Replaces the current table by an empty one; the map must have one and not be evacuating.
    pub(super) fn start(&mut self, (kind, log2): (Growth, u8)) {
        let Some(table) = self.current.take() else { return };
        self.calls.grow(kind, table.log2(), log2);
        let fresh = Table::allocate(log2, &self.calls);
        self.publish_start(kind, &table, &fresh);
        self.current = Some(fresh);
        self.old = Some(Evacuation { table, mark: 0, moved: 0, kind });
    }

    /// Before a write: moves the old bucket of its key, and the next one in order.
    #[inline]
    pub(super) fn move_two_old_buckets(&mut self, hash: u64) {
        if let Some(old) = &self.old {
            let index = hash & (old.table.buckets() - 1);
            self.move_old_bucket(|_| index);
            self.move_old_bucket(|old| old.mark);
        }
    }

    #[cold]
    fn move_old_bucket(&mut self, choose: impl FnOnce(&Evacuation) -> u64) {
        let (Some(old), Some(table)) = (&mut self.old, &self.current) else { return };
        let to = Destination { table, calls: &self.calls, hash: self.hash };
        let moved = old.move_chain(choose(old), &to);
        if moved {
            self.header.moved.change(1);
            self.header.moved_ever.change(1);
        }
        if old.is_over() {
            self.finish();
        } else {
            self.publish_overflow(table);
        }
    }

    fn finish(&mut self) {
        let evacuation = self.old.take();
        self.publish_end();
        if let Some(evacuation) = evacuation {
            evacuation.release(&self.calls);
        }
    }
}

/// What outsiders are told.
impl Map {
    pub(super) fn publish_table(&self, table: &Table) {
        self.header.log2.set(table.log2());
        self.header.table.set(table.address());
        self.header.tombstones.set(0);
        self.publish_overflow(table);
    }

    pub(super) fn publish_overflow(&self, table: &Table) {
        self.header.overflow.set(table.overflow());
        self.header.table_bytes.set(table.bytes());
    }

    fn publish_start(&self, kind: Growth, old: &Table, new: &Table) {
        let (counter, flag) = match kind {
            Growth::Double => (&self.header.doublings, 0),
            Growth::SameSize => (&self.header.same_size_growths, flag::SAME_SIZE),
            Growth::Shrink => (&self.header.shrinks, flag::SHRINK),
        };
        counter.increment();
        self.header.old_log2.set(old.log2());
        self.header.old_table.set(old.address());
        self.header.old_overflow.set(old.overflow());
        self.header.old_table_bytes.set(old.bytes());
        self.header.moved.set(0);
        self.header.flags.set(flag::EVACUATING | flag);
        self.publish_table(new);
    }

    fn publish_end(&self) {
        if let Some(table) = &self.current {
            self.publish_overflow(table);
        }
        self.header.flags.set(0);
        self.header.old_table.set(0);
        self.header.old_log2.set(0);
        self.header.old_overflow.set(0);
        self.header.old_table_bytes.set(0);
        self.header.moved.set(0);
    }
}
