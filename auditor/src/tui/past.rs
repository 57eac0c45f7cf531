//! Reports that were shown before, so that the reader can look back. Bounded: when they are too many or
//! too large together, the one is let go that is missed least, so that moments lie the further apart the
//! longer ago they are, and the first and the latest stay.

use std::rc::Rc;

use crate::audit::report::{Map, Report};
use crate::audit::unit::Nanos;

/// Moments are at least so far apart: reports between two intervals are not kept.
const APART: Nanos = Nanos(500_000_000);
/// Moments kept.
pub const MOMENTS: usize = 300;
/// What they may take together, by [`weight`].
pub const MOST_BYTES: usize = 32 << 20;
/// A map's row with its texts, reckoned with.
const MAP: usize = 1 << 10;
/// A growth.
const EPISODE: usize = 256;
/// All the rest of a report, its timeline of at most 256 readings included.
const REST: usize = 96 << 10;

/// Moments of the audit, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Past {
    moments: Vec<Rc<Report>>,
    bytes: usize,
}

/// What a report takes, roughly.
#[must_use]
pub fn weight(report: &Report) -> usize {
    let rows = report.maps.len().saturating_add(report.populations.len());
    REST + rows.saturating_mul(MAP) + report.episodes.len().saturating_mul(EPISODE)
}

impl Past {
    /// Keeps a report if it is of another moment than the last. The latest one is always kept.
    pub fn keep(&mut self, report: &Rc<Report>) {
        let at = report.window.end;
        let too_soon = |last: &Rc<Report>| at < last.window.end || at.since(last.window.end) < APART;
        if self.moments.last().is_some_and(too_soon) {
            return;
        }
        self.bytes += weight(report);
        self.moments.push(Rc::clone(report));
        while self.moments.len() > MOMENTS || self.bytes > MOST_BYTES {
            let Some(index) = self.least_missed() else { break };
            self.bytes -= weight(&self.moments.remove(index));
        }
    }

    /// The moment without which the gap between its neighbours is smallest against how long ago that is;
    /// `None`: there are only the first and the latest.
    fn least_missed(&self) -> Option<usize> {
        let latest = self.moments.last()?.window.end;
        let gaps = self.moments.windows(3).map(|three| match three {
            [before, it, after] => {
                (after.window.end.since(before.window.end).0, latest.since(it.window.end).0)
            }
            _ => (u64::MAX, 1),
        });
        let numbered =
            gaps.enumerate().map(|(index, (gap, age))| (index + 1, u128::from(gap), u128::from(age)));
        let least =
            numbered.reduce(|least, next| if next.1 * least.2 < least.1 * next.2 { next } else { least });
        least.map(|(index, ..)| index)
    }

    /// How many moments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.moments.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// The number of the moment at or last before a time, from 1; 0: all are later.
    #[must_use]
    pub fn number(&self, at: Nanos) -> usize {
        self.moments.partition_point(|moment| moment.window.end <= at)
    }

    /// So many moments before that time; the first where there are fewer.
    #[must_use]
    pub fn before(&self, at: Nanos, steps: usize) -> Option<&Rc<Report>> {
        let earlier = self.moments.partition_point(|moment| moment.window.end < at);
        self.moments.get(earlier.saturating_sub(steps))
    }

    /// So many moments after that time; `None`: there is none.
    #[must_use]
    pub fn after(&self, at: Nanos, steps: usize) -> Option<&Rc<Report>> {
        let later = self.moments.get(self.number(at)..).unwrap_or_default();
        later.get(steps.saturating_sub(1)).or(later.last())
    }

    /// The moment at or last before a time; else the first.
    #[must_use]
    pub fn at(&self, time: Nanos) -> Option<&Rc<Report>> {
        self.moments.get(self.number(time).saturating_sub(1))
    }

    /// What a map was like at each moment up to a time, oldest first.
    pub fn of_map<'a>(
        &'a self,
        is_it: impl Fn(&Map) -> bool + 'a,
        until: Nanos,
    ) -> impl Iterator<Item = (Nanos, &'a Map)> {
        let moments = self.moments.get(..self.number(until)).unwrap_or_default();
        let found = move |moment: &'a Rc<Report>| moment.maps.iter().find(|map| is_it(map));
        moments.iter().filter_map(move |moment| Some((moment.window.end, found(moment)?)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(times: impl IntoIterator<Item = u64>) -> Past {
        let mut past = Past::default();
        let blank = crate::audit::Audit::new().report();
        for at in times {
            let mut report = blank.clone();
            report.window.end = Nanos(at * 1_000_000_000);
            past.keep(&Rc::new(report));
        }
        past
    }

    fn ends(past: &Past) -> Vec<u64> {
        past.moments.iter().map(|moment| moment.window.end.0 / 1_000_000_000).collect()
    }

    #[test]
    fn one_goes_back_and_ahead_moment_by_moment_and_not_off_the_ends() {
        let past = seconds([1, 2, 3, 4]);
        let end = |report: Option<&Rc<Report>>| report.map(|report| report.window.end.0 / 1_000_000_000);
        let at = |second: u64| Nanos(second * 1_000_000_000);
        assert_eq!(end(past.before(at(4), 1)), Some(3));
        assert_eq!(end(past.before(at(3), 10)), Some(1));
        assert_eq!(end(past.before(at(1), 1)), Some(1));
        assert_eq!(end(past.after(at(1), 1)), Some(2));
        assert_eq!(end(past.after(at(1), 10)), Some(4));
        assert_eq!(end(past.after(at(4), 1)), None);
        assert_eq!((end(past.at(at(0))), end(past.at(Nanos(3_500_000_000)))), (Some(1), Some(3)));
        assert_eq!(past.number(at(3)), 3);
        assert!(Past::default().before(at(1), 1).is_none());
    }

    #[test]
    fn what_is_long_ago_gets_coarser_and_the_latest_stays() {
        let past = seconds(1..=2000);
        assert!(past.len() <= MOMENTS && past.bytes <= MOST_BYTES, "{} {}", past.len(), past.bytes);
        let ends = ends(&past);
        assert_eq!(ends.last(), Some(&2000));
        assert_eq!(ends[0], 1);
        let gap = |pair: &[u64]| pair[1] - pair[0];
        let largest = |ends: &[u64]| ends.windows(2).map(gap).max().unwrap();
        assert!(largest(&ends) < 100, "{ends:?}");
        assert_eq!(largest(&ends[ends.len() - 50..]), 1, "{ends:?}");
    }

    #[test]
    fn large_reports_are_few() {
        let mut past = Past::default();
        let rows = report_with_maps(10_000);
        for at in [1, 2, 3, 4, 5, 39_u64] {
            let mut report = rows.clone();
            report.window.end = Nanos(at * 1_000_000_000);
            past.keep(&Rc::new(report));
        }
        assert!((2..=3).contains(&past.len()), "{}", past.len());
        assert!(past.bytes <= MOST_BYTES);
        assert_eq!(past.moments.last().map(|moment| moment.window.end.0), Some(39_000_000_000));
    }

    fn report_with_maps(maps: usize) -> Report {
        use crate::audit::fact::{Fact, Look, Occasion, Shape, What};
        use crate::audit::unit::Address;
        let mut audit = crate::audit::Audit::new();
        let look = Look {
            map: Address(1),
            occasion: Occasion::Poll,
            runtime: "demo".to_owned(),
            shape: Shape::default().into(),
            name: None,
        };
        audit.apply(&Fact { at: Nanos(1), thread: None, what: What::Look(look) });
        let mut report = audit.report();
        report.maps = vec![report.maps[0].clone(); maps];
        report
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

        #[test]
        fn moments_stay_in_order_and_bounded_whatever_comes(times in prop::collection::vec(0_u64..5000, 0..900)) {
            let past = seconds(times);
            prop_assert!(past.len() <= MOMENTS && past.bytes <= MOST_BYTES);
            prop_assert!(past.moments.is_sorted_by_key(|moment| moment.window.end));
        }
    }
}
