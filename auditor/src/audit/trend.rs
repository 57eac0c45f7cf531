//! How things went over time, in bounded memory: entries and bytes of the maps that are listed, RSS, the
//! collector's counters. A sample is taken at each tick.
//!
//! A [`History`] has [`MOST_POINTS`] points at most. When it is full, every second one goes and only every
//! second sample is taken from then on: it reaches back to the beginning at any time, ever more coarsely.
//! A map takes 64 points of 32 bytes and 150 bytes more, [`MOST_MAPS`] of them 9 MB.

use std::collections::BTreeMap;

use super::life::Life;
use super::unit::{Address, Bytes, Nanos};

/// Points of one history.
pub(super) const MOST_POINTS: usize = 64;
/// Maps that have one.
pub(super) const MOST_MAPS: usize = 4096;
/// Slow calls that are kept.
const MOST_SLOW: usize = 16;
/// Calls for a table that took less are not slow by anybody's standard.
const SLOW: Nanos = Nanos(1_000_000);

/// Samples from the first to the latest.
#[derive(Clone, Debug)]
pub(super) struct History<P> {
    points: Vec<P>,
    /// One sample in this many is kept.
    every: u32,
    /// Samples since the last one that was kept.
    passed: u32,
}

/// A map at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    /// When.
    pub(super) at: Nanos,
    /// Its entries.
    pub(super) live: u64,
    /// What it holds.
    pub(super) allocated: Bytes,
    /// Tables asked for so far.
    pub(super) tables: u64,
}

/// The process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Whole {
    /// When.
    pub(super) at: Nanos,
    /// RSS.
    pub(super) rss: Option<Bytes>,
    /// The smallest limit.
    pub(super) limit: Option<Bytes>,
    /// What all living maps hold, as of the time when they were counted.
    pub(super) maps: Bytes,
    /// When that was; `None`: births and deaths are told as they happen.
    pub(super) counted: Option<Nanos>,
    /// Cycles of the collector since the program began.
    pub(super) cycles: Option<u64>,
    /// All its pauses since then.
    pub(super) paused: Option<Nanos>,
}

/// One map over time.
#[derive(Clone, Debug)]
pub(super) struct MapTrend {
    born: Option<Nanos>,
    seen: Nanos,
    latest: Point,
    history: History<Point>,
    /// Most tables asked for between two ticks, and the time between them.
    pub(super) fastest: Option<(u64, Nanos)>,
}

/// A call for a table that took long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slow {
    /// How long.
    pub(super) took: Nanos,
    /// When it returned.
    pub(super) at: Nanos,
    /// For which map.
    pub(super) map: Address,
    /// How large the table is.
    pub(super) bytes: Bytes,
}

/// Everything over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Trends {
    maps: BTreeMap<Address, MapTrend>,
    whole: History<Whole>,
    slow: Vec<Slow>,
}

impl Point {
    /// A map as it is; `None`: it was never read.
    pub(super) fn of(life: &Life, at: Nanos) -> Option<Self> {
        let (_, shape) = life.shape.as_ref()?;
        let tables = life.holding.ledger.seen().allocated;
        Some(Self { at, live: shape.live, allocated: life.holding.allocated(), tables })
    }
}

impl<P> Default for History<P> {
    fn default() -> Self {
        Self { points: Vec::new(), every: 1, passed: 0 }
    }
}

impl<P: Copy> History<P> {
    /// Another sample.
    pub(super) fn push(&mut self, point: P) {
        self.passed += 1;
        if !self.points.is_empty() && self.passed < self.every {
            return;
        }
        self.passed = 0;
        if self.points.len() == MOST_POINTS {
            let mut number = 0;
            self.points.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.every = self.every.saturating_mul(2);
        }
        self.points.push(point);
    }

    /// Those that are kept, oldest first.
    pub(super) fn points(&self) -> &[P] {
        &self.points
    }
}

impl MapTrend {
    fn new(born: Option<Nanos>, first: Point) -> Self {
        Self { born, seen: first.at, latest: first, history: History::default(), fastest: None }
    }

    /// Whether it is that of the map born then. Of one that was there, a census may find later when that was: then
    /// it was before the first sample.
    fn is_of(&self, born: Option<Nanos>) -> bool {
        let first = self.points().first().map(|point| point.at);
        self.born == born
            || (self.born.is_none() && born.zip(first).is_some_and(|(born, first)| born <= first))
    }

    /// Its points, oldest first.
    pub(super) fn points(&self) -> &[Point] {
        self.history.points()
    }

    /// As it was then or before, as late as is known.
    pub(super) fn by(&self, at: Nanos) -> Option<Point> {
        let count = self.points().partition_point(|point| point.at <= at);
        self.points()[..count].last().copied()
    }

    fn sample(&mut self, point: Point) {
        let (tables, span) =
            (point.tables.saturating_sub(self.latest.tables), point.at.since(self.latest.at));
        if span > Nanos(0) && self.fastest.is_none_or(|fastest| rate((tables, span)) > rate(fastest)) {
            self.fastest = Some((tables, span));
        }
        (self.seen, self.latest) = (point.at, point);
        self.history.push(point);
    }
}

/// How many a second.
pub(super) fn rate((times, span): (u64, Nanos)) -> u64 {
    let in_a_second = u128::from(times) * 1_000_000_000 / u128::from(span.0.max(1));
    u64::try_from(in_a_second).unwrap_or(u64::MAX)
}

impl Trends {
    /// A map as it is at this tick. Addresses are used again: one that was born at another time is another.
    pub(super) fn sample(&mut self, map: Address, born: Option<Nanos>, point: Point) {
        if self.maps.get(&map).is_some_and(|trend| !trend.is_of(born)) {
            self.maps.remove(&map);
        }
        if self.maps.len() >= MOST_MAPS && !self.maps.contains_key(&map) {
            return;
        }
        self.maps.entry(map).or_insert_with(|| MapTrend::new(born, point)).sample(point);
    }

    /// The process at this tick. Maps of which no sample was taken at it have gone.
    pub(super) fn tick(&mut self, whole: Whole) {
        self.whole.push(whole);
        self.maps.retain(|_, trend| trend.seen == whole.at);
    }

    /// A call for a table returned.
    pub(super) fn returned(&mut self, slow: Slow) {
        if slow.took < SLOW {
            return;
        }
        self.slow.push(slow);
        self.slow.sort_by(|one, other| other.cmp(one));
        self.slow.truncate(MOST_SLOW);
    }

    /// The target replaced its program.
    pub(super) fn replaced(&mut self) {
        *self = Self::default();
    }

    /// That of one map.
    pub(super) fn of(&self, map: Address, born: Option<Nanos>) -> Option<&MapTrend> {
        self.maps.get(&map).filter(|trend| trend.is_of(born))
    }

    /// The process, oldest first.
    pub(super) fn whole(&self) -> &[Whole] {
        self.whole.points()
    }

    /// The slowest calls for tables, slowest first.
    pub(super) fn slow(&self) -> &[Slow] {
        &self.slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: u64, live: u64, tables: u64) -> Point {
        Point { at: Nanos(at), live, allocated: Bytes(live), tables }
    }

    #[test]
    fn a_history_keeps_the_beginning_and_stays_within_its_points() {
        let mut history = History::default();
        for number in 0..100_000_u64 {
            history.push(number);
            assert!(history.points().len() <= MOST_POINTS);
        }
        let points = history.points();
        assert_eq!(points[0], 0);
        assert!(points.len() >= MOST_POINTS / 2, "{}", points.len());
        assert!(points.windows(2).all(|two| two[0] < two[1]));
        assert!(*points.last().unwrap() > 100_000 - 100_000 / 30);
    }

    #[test]
    fn points_are_as_far_apart_as_each_other() {
        let mut history = History::default();
        (0..1000_u64).for_each(|number| history.push(number));
        let steps: Vec<u64> = history.points().windows(2).map(|two| two[1] - two[0]).collect();
        assert!(steps.iter().all(|step| *step == steps[0]), "{steps:?}");
    }

    #[test]
    fn another_map_at_the_same_address_has_a_history_of_its_own() {
        let mut trends = Trends::default();
        let (map, born) = (Address(0xa0), Some(Nanos(1)));
        trends.sample(map, born, point(5, 10, 1));
        trends.sample(map, born, point(6, 20, 1));
        assert_eq!(trends.of(map, born).unwrap().by(Nanos(5)), Some(point(5, 10, 1)));
        trends.sample(map, Some(Nanos(7)), point(8, 1, 1));
        assert_eq!(trends.of(map, born).map(MapTrend::points), None);
        assert_eq!(trends.of(map, Some(Nanos(7))).unwrap().points().len(), 1);
    }

    #[test]
    fn a_map_whose_birth_is_found_out_later_keeps_its_history() {
        let mut trends = Trends::default();
        trends.sample(Address(0xa0), None, point(5, 10, 1));
        trends.sample(Address(0xa0), Some(Nanos(4)), point(6, 20, 1));
        assert_eq!(trends.of(Address(0xa0), Some(Nanos(4))).unwrap().points().len(), 2);
        trends.sample(Address(0xa0), Some(Nanos(7)), point(8, 1, 1));
        assert_eq!(trends.of(Address(0xa0), Some(Nanos(7))).unwrap().points().len(), 1, "it is another one");
    }

    #[test]
    fn a_map_that_is_gone_is_forgotten() {
        let mut trends = Trends::default();
        trends.sample(Address(1), None, point(5, 1, 1));
        trends.tick(Whole { at: Nanos(5), ..Whole::default() });
        trends.tick(Whole { at: Nanos(6), ..Whole::default() });
        assert!(trends.of(Address(1), None).is_none());
        assert_eq!(trends.whole().len(), 2);
    }

    #[test]
    fn the_fastest_stretch_is_kept_and_most_maps_are_bounded() {
        let mut trends = Trends::default();
        for (at, tables) in [(0, 1), (1_000_000_000, 50_001), (2_000_000_000, 50_002)] {
            trends.sample(Address(1), None, point(at, 1, tables));
        }
        assert_eq!(trends.of(Address(1), None).unwrap().fastest.map(rate), Some(50_000));
        (0..MOST_MAPS as u64 + 9)
            .for_each(|map| trends.sample(Address(map), None, point(3_000_000_000, 1, 1)));
        assert_eq!(trends.maps.len(), MOST_MAPS);
    }

    #[test]
    fn a_map_with_its_history_takes_what_is_said() {
        let size = size_of::<MapTrend>() + size_of::<Point>() * MOST_POINTS;
        assert!(size <= 64 * 32 + 150, "{size}");
    }
}
