//! RSS and what it was made of over time, in bounded memory, for pictures of it. A moment is kept at each
//! reading of RSS.
//!
//! There are [`MOST_MOMENTS`] at most. When there would be more, neighbours are merged and from then on twice as
//! many readings make one moment: it reaches back to the first reading at any time, ever more coarsely. Of readings
//! that are merged the one with the highest RSS stays as it was read, so no peak is lost and nothing is averaged.

use super::ladder::ROWS;
use super::report::{self, Rung};
use super::unit::{Bytes, Nanos};

/// Moments of a report.
pub const MOST_MOMENTS: usize = 256;
/// Moments that are kept: in a report come the highest and the latest of the readings since.
const MOST_KEPT: usize = MOST_MOMENTS - 2;

/// Readings so far: 350 bytes a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    kept: Vec<Moment>,
    /// The highest of the readings since the last one that is kept, and how many there were.
    highest: Option<(Moment, u64)>,
    latest: Option<Moment>,
    /// How often neighbours were merged: two to the power of it readings make one moment.
    merged: u32,
}

/// One reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment {
    /// When.
    pub(super) at: Nanos,
    /// RSS.
    pub(super) rss: Bytes,
    /// The smallest limit.
    pub(super) limit: Option<Bytes>,
    /// Growths started so far; `None`: no hook tells.
    pub(super) growths: Option<u64>,
    /// Cycles of the collector since the program began.
    pub(super) cycles: Option<u64>,
    /// What of RSS is in each of [`ROWS`].
    pub(super) rows: [Option<Bytes>; ROWS.len()],
}

impl Moment {
    /// The same with these rows of the ladder.
    pub(super) fn made_of(mut self, rungs: &[Rung]) -> Self {
        for rung in rungs {
            if let Some(row) = ROWS.iter().position(|name| *name == rung.name) {
                self.rows[row] = Some(rung.bytes);
            }
        }
        self
    }

    fn report(&self, rows: &[usize]) -> report::Moment {
        let ladder = rows.iter().map(|&row| self.rows[row]).collect();
        let Self { at, rss, limit, growths, cycles, .. } = *self;
        report::Moment { at, rss, limit, ladder, growths, cycles }
    }
}

impl Timeline {
    /// RSS was read. What is dated before the latest reading came late and is left out.
    pub(super) fn read(&mut self, moment: Moment) {
        if self.latest.is_some_and(|latest| moment.at <= latest.at) {
            return;
        }
        self.latest = Some(moment);
        if self.kept.is_empty() {
            self.kept.push(moment);
            return;
        }
        let (highest, readings) = self.highest.take().map_or((moment, 1), |(highest, readings)| {
            (if moment.rss > highest.rss { moment } else { highest }, readings + 1)
        });
        if readings < 1_u64.checked_shl(self.merged).unwrap_or(u64::MAX) {
            self.highest = Some((highest, readings));
            return;
        }
        self.kept.push(highest);
        if self.kept.len() > MOST_KEPT {
            self.merge();
        }
    }

    /// As the report has it; `None`: RSS was never read.
    pub(super) fn report(&self) -> Option<report::Timeline> {
        let latest = self.latest?;
        let since = self.highest.map(|(highest, _)| highest);
        let mut moments = self.kept.clone();
        for moment in since.into_iter().chain([latest]) {
            if moments.last().is_none_or(|last| last.at < moment.at) {
                moments.push(moment);
            }
        }
        let is_there = |row: &usize| moments.iter().any(|moment| moment.rows[*row].is_some());
        let rows: Vec<usize> = (0..ROWS.len()).filter(is_there).collect();
        Some(report::Timeline {
            rows: rows.iter().map(|&row| ROWS[row].to_owned()).collect(),
            moments: moments.iter().map(|moment| moment.report(&rows)).collect(),
        })
    }

    /// Halves the resolution. The first reading stays, and the last one where it has no neighbour.
    fn merge(&mut self) {
        let (first, rest) = self.kept.split_at(1);
        let merged = rest.chunks(2).filter_map(|two| two.iter().copied().reduce(higher));
        self.kept = first.iter().copied().chain(merged).collect();
        self.merged = self.merged.saturating_add(1);
    }
}

/// The one with the higher RSS, and the first of two that are the same.
const fn higher(one: Moment, other: Moment) -> Moment {
    if other.rss.0 > one.rss.0 { other } else { one }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(sizes: impl IntoIterator<Item = u64>) -> Timeline {
        let mut timeline = Timeline::default();
        for (at, rss) in (1..).zip(sizes) {
            timeline.read(Moment { at: Nanos(at), rss: Bytes(rss), ..Moment::default() });
        }
        timeline
    }

    fn shown(timeline: &Timeline) -> Vec<(u64, u64)> {
        let moments = timeline.report().map(|report| report.moments).unwrap_or_default();
        moments.iter().map(|moment| (moment.at.0, moment.rss.0)).collect()
    }

    #[test]
    fn without_a_reading_there_is_none() {
        assert_eq!(Timeline::default().report(), None);
    }

    #[test]
    fn each_reading_is_a_moment_while_there_is_room() {
        assert_eq!(shown(&told([5, 9, 2])), [(1, 5), (2, 9), (3, 2)]);
        assert_eq!(shown(&told(0..MOST_KEPT as u64)).len(), MOST_KEPT);
    }

    #[test]
    fn when_it_is_full_neighbours_are_merged_into_the_higher_one() {
        let sizes = |at: u64| if at.is_multiple_of(2) { 900 + at } else { at };
        let shown = shown(&told((1..=MOST_KEPT as u64 + 1).map(sizes)));
        assert_eq!(shown[..4], [(1, 1), (2, 902), (4, 904), (6, 906)]);
        assert_eq!(shown.len(), 2 + MOST_KEPT / 2, "the latest is there, too");
        assert_eq!(shown.last(), Some(&(MOST_KEPT as u64 + 1, MOST_KEPT as u64 + 1)));
    }

    #[test]
    fn a_late_reading_is_left_out() {
        let mut timeline = told([5, 9]);
        timeline.read(Moment { at: Nanos(1), rss: Bytes(77), ..Moment::default() });
        assert_eq!(shown(&timeline), [(1, 5), (2, 9)]);
    }

    #[test]
    fn rows_come_in_the_order_of_the_ladder_and_only_those_that_there_were() {
        let rung =
            |name: &str, bytes| Rung { name: name.to_owned(), bytes: Bytes(bytes), evidence: String::new() };
        let mut timeline = Timeline::default();
        let at = |at| Moment { at: Nanos(at), ..Moment::default() };
        timeline.read(at(1).made_of(&[rung("file pages", 3), rung("unexplained", 4)]));
        timeline.read(at(2).made_of(&[rung("file pages", 3), rung("stacks", 1), rung("unexplained", 4)]));
        let report = timeline.report().unwrap();
        assert_eq!(report.rows, ["file pages", "stacks", "unexplained"]);
        let ladders: Vec<Vec<Option<u64>>> = report
            .moments
            .iter()
            .map(|moment| moment.ladder.iter().map(|bytes| bytes.map(|bytes| bytes.0)).collect())
            .collect();
        assert_eq!(ladders, [[Some(3), None, Some(4)], [Some(3), Some(1), Some(4)]]);
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_in_order_and_has_the_first_the_last_and_the_highest(
            sizes in prop::collection::vec(0_u64..1000, 1..5000),
        ) {
            let shown = shown(&told(sizes.iter().copied()));
            prop_assert!(shown.len() <= MOST_MOMENTS);
            prop_assert!(shown.windows(2).all(|two| two[0].0 < two[1].0));
            let readings = || (1..).zip(sizes.iter().copied());
            prop_assert_eq!(shown.first().copied(), readings().next());
            prop_assert_eq!(shown.last().copied(), readings().last());
            let highest = |all: &[(u64, u64)]| all.iter().map(|one| one.1).max();
            prop_assert_eq!(highest(&shown), sizes.iter().copied().max());
            prop_assert!(shown.iter().all(|(at, rss)| sizes[*at as usize - 1] == *rss), "as it was read");
        }
    }
}
