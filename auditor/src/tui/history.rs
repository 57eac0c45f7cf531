//! RSS over the whole audit, and when the collector ended a cycle and the target gave memory back, in
//! bounded memory.

use crate::audit::report::Report;
use crate::audit::unit::{Bytes, Nanos};

/// Points kept of each kind. When there are more, neighbours are merged: a peak stays a peak, and no mark
/// is lost.
const MOST: usize = 4096;

/// What happened at a time, as far as two reports tell it: between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The collector ended a cycle.
    Collected,
    /// The target gave memory back: munmap, or madvise with an advice that lets pages go.
    GaveBack,
}

/// RSS over time, oldest first, and what else happened.
#[derive(Clone, Debug, Default)]
pub struct History {
    points: Vec<(Nanos, Bytes)>,
    collected: Counter,
    gave_back: Counter,
    latest: Option<Nanos>,
}

/// A total that grew at these times, by so much.
#[derive(Clone, Debug, Default)]
struct Counter {
    total: u64,
    grew: Vec<(Nanos, u64)>,
}

impl History {
    /// Takes from a report what it says of its end. One that is not newer than the last is not news.
    pub fn feed(&mut self, report: &Report) {
        let at = report.window.end;
        if self.latest.is_some_and(|latest| at <= latest) {
            return;
        }
        self.latest = Some(at);
        if let Some(rss) = report.memory.rss.last {
            self.add(at, rss);
        }
        self.collected.read(at, report.gc.as_ref().and_then(|gc| gc.cycles));
        self.gave_back.read(at, given_back(report));
    }

    fn add(&mut self, at: Nanos, rss: Bytes) {
        if self.points.len() >= MOST {
            self.halve();
        }
        self.points.push((at, rss));
    }

    /// The largest reading of each of `slices` equal parts of the time from `start` to `end`; a part
    /// without a reading shows the one before it, and nothing before the first.
    #[must_use]
    pub fn slices(&self, start: Nanos, end: Nanos, slices: usize) -> Vec<Option<u64>> {
        let mut largest = vec![None; slices];
        for (at, rss) in self.points.iter().filter(|(at, _)| (start..=end).contains(at)) {
            let slot = slice(start, end, slices, *at).and_then(|index| largest.get_mut(index));
            if let Some(slot) = slot {
                *slot = Some(rss.0.max(slot.unwrap_or(0)));
            }
        }
        held_over(largest)
    }

    /// How much of it there was in each of `slices` equal parts of the time from `start` to `end`.
    #[must_use]
    pub fn marks(&self, mark: Mark, start: Nanos, end: Nanos, slices: usize) -> Vec<u64> {
        let counter = match mark {
            Mark::Collected => &self.collected,
            Mark::GaveBack => &self.gave_back,
        };
        let mut counts = vec![0_u64; slices];
        for (at, by) in &counter.grew {
            let slot = slice(start, end, slices, *at).and_then(|index| counts.get_mut(index));
            if let Some(slot) = slot {
                *slot = slot.saturating_add(*by);
            }
        }
        counts
    }

    fn halve(&mut self) {
        let merged =
            self.points.chunks(2).filter_map(|pair| pair.iter().max_by_key(|(_, rss)| *rss).copied());
        self.points = merged.collect();
    }
}

impl Counter {
    fn read(&mut self, at: Nanos, total: Option<u64>) {
        let Some(total) = total else { return };
        let by = total.saturating_sub(self.total);
        self.total = total;
        if by > 0 {
            if self.grew.len() >= MOST {
                self.halve();
            }
            self.grew.push((at, by));
        }
    }

    fn halve(&mut self) {
        let sum = |pair: &[(Nanos, u64)]| {
            let (at, _) = *pair.last()?;
            Some((at, pair.iter().fold(0, |sum: u64, (_, by)| sum.saturating_add(*by))))
        };
        self.grew = self.grew.chunks(2).filter_map(sum).collect();
    }
}

/// Bytes that the target is known to have given back so far; `None`: nobody listens.
fn given_back(report: &Report) -> Option<u64> {
    /// Advice of madvise(2) that lets pages go at once or when the kernel wants them.
    const LETS_GO: [&str; 3] = ["DONTNEED", "FREE", "REMOVE"];
    let syscalls = report.syscalls.as_ref()?;
    let advised = LETS_GO.iter().filter_map(|advice| syscalls.madvise.by_advice.get(*advice));
    let advised = advised.fold(0, |sum: u64, calls| sum.saturating_add(calls.bytes.0));
    Some(syscalls.munmap.bytes.0.saturating_add(advised))
}

/// A slice without a reading shows the one before it.
#[must_use]
pub fn held_over<T: Copy>(mut slices: Vec<Option<T>>) -> Vec<Option<T>> {
    let mut before = None;
    for slot in &mut slices {
        *slot = slot.or(before);
        before = *slot;
    }
    slices
}

/// Which of `slices` equal parts of the time from `start` to `end` holds `at`.
#[must_use]
pub fn slice(start: Nanos, end: Nanos, slices: usize, at: Nanos) -> Option<usize> {
    if !(start..=end).contains(&at) || slices == 0 {
        return None;
    }
    let (at, all) = (u128::from(at.since(start).0), u128::from(end.since(start).0) + 1);
    usize::try_from(at * slices as u128 / all).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_gap_shows_what_was_read_before_it() {
        let mut history = History::default();
        history.add(Nanos(25), Bytes(7));
        history.add(Nanos(85), Bytes(9));
        assert_eq!(history.slices(Nanos(0), Nanos(99), 5), [None, Some(7), Some(7), Some(7), Some(9)]);
    }

    #[test]
    fn a_peak_survives_however_long_the_audit_lasts() {
        let mut history = History::default();
        for at in 1..100_000 {
            history.add(Nanos(at), Bytes(if at == 777 { 1000 } else { 10 }));
        }
        assert!(history.points.len() <= MOST);
        assert_eq!(history.slices(Nanos(0), Nanos(100_000), 100)[0], Some(1000));
    }

    #[test]
    fn the_same_report_twice_is_one_reading() {
        let mut history = History::default();
        let mut report = crate::audit::Audit::new().report();
        report.memory.rss.last = Some(Bytes(1));
        history.feed(&report);
        history.feed(&report);
        assert_eq!(history.points.len(), 1);
    }

    #[test]
    fn a_mark_is_where_a_total_grew_and_none_is_lost_however_many_there_are() {
        let mut counter = Counter::default();
        (1..=100_000).for_each(|at| counter.read(Nanos(at), Some(at)));
        counter.read(Nanos(200_000), None);
        let history = History { collected: counter, ..History::default() };
        assert!(history.collected.grew.len() <= MOST);
        let marks = history.marks(Mark::Collected, Nanos(0), Nanos(200_000), 4);
        assert_eq!(marks.iter().sum::<u64>(), 100_000);
        assert_eq!(marks[3], 0);
        assert_eq!(history.marks(Mark::GaveBack, Nanos(0), Nanos(200_000), 4), [0; 4]);
    }

    proptest! {
        #[test]
        fn every_time_of_the_window_has_a_slice(start in any::<u64>(), span in any::<u64>(), at in any::<u64>(), slices in 1_usize..300) {
            let end = start.saturating_add(span);
            let found = slice(Nanos(start), Nanos(end), slices, Nanos(at));
            prop_assert_eq!(found.is_some(), (start..=end).contains(&at));
            prop_assert!(found.is_none_or(|index| index < slices));
        }
    }
}
