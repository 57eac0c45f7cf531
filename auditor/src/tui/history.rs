//! RSS over the whole audit in bounded memory.

use crate::audit::unit::{Bytes, Nanos};

/// Points kept. When there are more, neighbours are merged into the larger: a peak stays a peak.
const MOST: usize = 4096;

/// RSS over time, oldest first.
#[derive(Clone, Debug, Default)]
pub struct History {
    points: Vec<(Nanos, Bytes)>,
}

impl History {
    /// Adds a reading. One that is not newer than the last is not a new reading.
    pub fn add(&mut self, at: Nanos, rss: Bytes) {
        if self.points.last().is_some_and(|(last, _)| at <= *last) {
            return;
        }
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
        let mut before = None;
        for slot in &mut largest {
            *slot = slot.or(before);
            before = *slot;
        }
        largest
    }

    fn halve(&mut self) {
        let merged =
            self.points.chunks(2).filter_map(|pair| pair.iter().max_by_key(|(_, rss)| *rss).copied());
        self.points = merged.collect();
    }
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
        history.add(Nanos(5), Bytes(1));
        history.add(Nanos(5), Bytes(2));
        assert_eq!(history.points.len(), 1);
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
