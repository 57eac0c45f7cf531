//! Merges facts from several sources (ring buffer, memory reader, /proc, counters) by their time.
//! Nothing here knows what a fact means; what a late one does is decided in `coverage.rs`.
//!
//! The release rule: a source that has been drained up to a moment cannot bring anything older. The
//! caller says so with [`Order::release`]: everything dated until then comes out, oldest first, and
//! what was pushed first comes out first where times are equal. Everything younger stays, for
//! another source may still bring something that belongs before it. A fact that arrives after its
//! time has been released comes out with the next release, before everything younger: it is late,
//! and the audit counts it.

use std::vec::Drain;

use super::fact::Fact;
use super::unit::Nanos;

/// Something with a time.
pub trait Timed {
    /// When it happened or was read.
    fn at(&self) -> Nanos;
}

impl Timed for Fact {
    fn at(&self) -> Nanos {
        self.at
    }
}

/// Items waiting for their turn.
///
/// It holds what has been pushed and not released; who pushes bounds it by releasing.
#[derive(Clone, Debug)]
pub struct Order<T: Timed = Fact> {
    /// A sorted remainder, then the arrivals since. Sources are nearly sorted themselves, so the
    /// stable sort finds few runs and mostly copies.
    waiting: Vec<T>,
}

impl<T: Timed> Default for Order<T> {
    fn default() -> Self {
        Self { waiting: Vec::new() }
    }
}

impl<T: Timed> Order<T> {
    /// Nothing waits yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an item from any source.
    pub fn push(&mut self, item: T) {
        self.waiting.push(item);
    }

    /// Gives out what is dated `until` or earlier. The caller vouches that nothing earlier can come.
    pub fn release(&mut self, until: Nanos) -> Drain<'_, T> {
        self.sort();
        let ready = self.waiting.partition_point(|item| item.at() <= until);
        self.waiting.drain(..ready)
    }

    /// Gives out everything: all sources have ended.
    pub fn drain_all(&mut self) -> Drain<'_, T> {
        self.sort();
        self.waiting.drain(..)
    }

    /// What waits, in no order that could be relied on but that of one source.
    pub fn waiting(&self) -> std::slice::Iter<'_, T> {
        self.waiting.iter()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn sort(&mut self) {
        self.waiting.sort_by_key(Timed::at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A time, and the place in which it arrived.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Item(u64, usize);

    impl Timed for Item {
        fn at(&self) -> Nanos {
            Nanos(self.0)
        }
    }

    fn order(times: &[u64]) -> Order<Item> {
        let mut order = Order::new();
        for (place, &time) in times.iter().enumerate() {
            order.push(Item(time, place));
        }
        order
    }

    #[test]
    fn younger_items_wait() {
        let mut order = order(&[3, 1, 2]);
        let released: Vec<_> = order.release(Nanos(2)).collect();
        assert_eq!(released, [Item(1, 1), Item(2, 2)]);
        assert_eq!(order.len(), 1);
    }

    #[test]
    fn equal_times_keep_the_order_of_arrival_across_releases() {
        let mut order = order(&[5, 5, 9]);
        assert_eq!(order.release(Nanos(4)).count(), 0);
        order.push(Item(5, 3));
        let released: Vec<_> = order.release(Nanos(5)).collect();
        assert_eq!(released, [Item(5, 0), Item(5, 1), Item(5, 3)]);
    }

    #[test]
    fn a_late_item_comes_before_everything_younger() {
        let mut order = order(&[10, 30]);
        assert_eq!(order.release(Nanos(20)).count(), 1);
        order.push(Item(15, 2));
        let released: Vec<_> = order.drain_all().collect();
        assert_eq!(released, [Item(15, 2), Item(30, 1)]);
        assert!(order.is_empty());
    }

    proptest! {
        #[test]
        fn any_releases_give_the_same_sequence_as_one_stable_sort(
            times in prop::collection::vec(0_u64..50, 0..60),
            mut marks in prop::collection::vec(0_u64..50, 0..6),
        ) {
            let mut expected: Vec<_> = order(&times).waiting;
            expected.sort_by_key(|item| item.0);
            marks.sort_unstable();
            let mut order = order(&times);
            let mut got = Vec::new();
            for mark in marks {
                got.extend(order.release(Nanos(mark)));
                prop_assert!(got.iter().all(|item: &Item| item.0 <= mark));
            }
            got.extend(order.drain_all());
            prop_assert_eq!(got, expected);
        }
    }
}
