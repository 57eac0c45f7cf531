//! How things went over time, in bounded memory: entries and bytes of the maps that are listed, RSS, the
//! collector's counters. A sample is taken at each tick.
//!
//! A [`History`] has [`MOST_POINTS`] points at most. When it is full, every second one goes and only every
//! second sample is taken from then on: it reaches back to the beginning at any time, ever more coarsely.
//! A map takes 64 points of 32 bytes and 160 bytes more, [`MOST_MAPS`] of them 9 MB; one that waits for a place 16
//! bytes. Of a map of which nothing is told at a tick, the sample is that of the tick before. Every map is sampled at
//! every tick, so they lie side by side.

use std::collections::BTreeSet;

use super::differences::Differences;
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

/// A map as a tick finds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// When it was born: addresses are used again.
    born: Option<Nanos>,
    live: u64,
    allocated: Bytes,
    tables: u64,
}

/// One map over time.
#[derive(Clone, Debug)]
pub(super) struct MapTrend {
    map: Address,
    born: Option<Nanos>,
    now: Sample,
    /// The tick before, and the tables asked for until then.
    before: Option<(Nanos, u64)>,
    is_gone: bool,
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
    /// By address.
    maps: Vec<MapTrend>,
    /// Those for which there is no room.
    waiting: BTreeSet<Address>,
    whole: History<Whole>,
    slow: Vec<Slow>,
}

impl Sample {
    /// A map as it is; `None`: it was never read.
    pub(super) fn of(life: &Life) -> Option<Self> {
        let live = life.seen?.live;
        let tables = life.holding.ledger.seen().allocated;
        Some(Self { born: life.born(), live, allocated: life.holding.allocated(), tables })
    }

    const fn at(self, at: Nanos) -> Point {
        let Self { live, allocated, tables, .. } = self;
        Point { at, live, allocated, tables }
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
    fn new(map: Address, now: Sample) -> Self {
        let history = History::default();
        Self { map, born: now.born, now, before: None, is_gone: false, history, fastest: None }
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

    /// A tick.
    fn sample(&mut self, at: Nanos) {
        let tables = self.now.tables;
        let (then, before) = self.before.replace((at, tables)).unwrap_or((at, tables));
        let (tables, span) = (tables.saturating_sub(before), at.since(then));
        let is_faster = |fastest| tables > 0 && rate((tables, span)) > rate(fastest);
        if span > Nanos(0) && self.fastest.is_none_or(is_faster) {
            self.fastest = Some((tables, span));
        }
        self.history.push(self.now.at(at));
    }
}

/// How many a second.
pub(super) fn rate((times, span): (u64, Nanos)) -> u64 {
    let in_a_second = u128::from(times) * 1_000_000_000 / u128::from(span.0.max(1));
    u64::try_from(in_a_second).unwrap_or(u64::MAX)
}

impl Trends {
    /// The process at this tick, and the maps that are otherwise than at the one before. `now` tells of any map how
    /// it is.
    pub(super) fn tick(
        &mut self,
        whole: Whole,
        changed: &Differences<Address, Option<Sample>>,
        now: impl Fn(Address) -> Option<Sample>,
    ) {
        self.take_over(changed);
        let known = self.maps.len();
        while self.maps.len() < MOST_MAPS
            && let Some(map) = self.waiting.pop_first()
        {
            self.maps.extend(now(map).map(|now| MapTrend::new(map, now)));
        }
        if self.maps.len() > known {
            self.maps.sort_by_key(|trend| trend.map);
        }
        // The place of one that has gone is free from the next tick on.
        self.maps.retain(|trend| !trend.is_gone);
        self.maps.iter_mut().for_each(|trend| trend.sample(whole.at));
        self.whole.push(whole);
    }

    /// Both come by address. Addresses are used again: a map that was born at another time is another.
    fn take_over(&mut self, changed: &Differences<Address, Option<Sample>>) {
        let mut maps = self.maps.iter_mut().peekable();
        for (&map, sample) in changed.iter() {
            while maps.next_if(|trend| trend.map < map).is_some() {}
            match (maps.next_if(|trend| trend.map == map), sample.to) {
                (Some(trend), Some(sample)) if trend.is_of(sample.born) => trend.now = sample,
                (Some(trend), Some(sample)) => *trend = MapTrend::new(map, sample),
                (Some(trend), None) => trend.is_gone = true,
                (None, Some(_)) => _ = self.waiting.insert(map),
                (None, None) => _ = self.waiting.remove(&map),
            }
        }
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
        let place = self.maps.binary_search_by_key(&map, |trend| trend.map).ok()?;
        self.maps.get(place).filter(|trend| trend.is_of(born))
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
    use std::collections::BTreeMap;

    use super::*;

    const MAP: Address = Address(0xa0);

    fn sample(born: Option<u64>, live: u64, tables: u64) -> Option<Sample> {
        Some(Sample { born: born.map(Nanos), live, allocated: Bytes(live), tables })
    }

    /// A tick at which some maps are otherwise.
    fn tick(trends: &mut Trends, at: u64, changed: impl IntoIterator<Item = (Address, Option<Sample>)>) {
        let mut differences = Differences::default();
        let mut now = BTreeMap::new();
        for (map, to) in changed {
            let before = if to.is_some() { None } else { Some(Sample::default()) };
            differences.change(map, before, to);
            now.insert(map, to);
        }
        let now = |map: Address| now.get(&map).copied().unwrap_or_else(|| sample(None, map.0, 1));
        trends.tick(Whole { at: Nanos(at), ..Whole::default() }, &differences, now);
    }

    fn lives(trends: &Trends, born: Option<u64>) -> Option<Vec<(u64, u64)>> {
        let trend = trends.of(MAP, born.map(Nanos))?;
        Some(trend.points().iter().map(|point| (point.at.0, point.live)).collect())
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
    fn a_map_of_which_nothing_is_told_is_as_it_was() {
        let mut trends = Trends::default();
        tick(&mut trends, 5, [(MAP, sample(None, 10, 1))]);
        tick(&mut trends, 6, []);
        tick(&mut trends, 7, [(MAP, sample(None, 20, 1))]);
        assert_eq!(lives(&trends, None).unwrap(), [(5, 10), (6, 10), (7, 20)]);
        assert_eq!(trends.of(MAP, None).unwrap().by(Nanos(6)).unwrap().allocated, Bytes(10));
    }

    #[test]
    fn another_map_at_the_same_address_has_a_history_of_its_own() {
        let mut trends = Trends::default();
        tick(&mut trends, 5, [(MAP, sample(Some(1), 10, 1))]);
        tick(&mut trends, 6, [(MAP, sample(Some(1), 20, 1))]);
        assert_eq!(lives(&trends, Some(1)).unwrap(), [(5, 10), (6, 20)]);
        tick(&mut trends, 8, [(MAP, sample(Some(7), 1, 1))]);
        assert_eq!((lives(&trends, Some(1)), lives(&trends, Some(7))), (None, Some(vec![(8, 1)])));
    }

    #[test]
    fn a_map_whose_birth_is_found_out_later_keeps_its_history() {
        let mut trends = Trends::default();
        tick(&mut trends, 5, [(MAP, sample(None, 10, 1))]);
        tick(&mut trends, 6, [(MAP, sample(Some(4), 20, 1))]);
        assert_eq!(lives(&trends, Some(4)).unwrap().len(), 2);
        tick(&mut trends, 7, [(MAP, sample(Some(7), 20, 1))]);
        assert_eq!(lives(&trends, Some(7)).unwrap().len(), 1, "it is another one");
    }

    #[test]
    fn a_map_that_is_gone_is_forgotten() {
        let mut trends = Trends::default();
        tick(&mut trends, 5, [(MAP, sample(None, 1, 1))]);
        tick(&mut trends, 6, [(MAP, None)]);
        assert_eq!((lives(&trends, None), trends.whole().len()), (None, 2));
    }

    #[test]
    fn the_fastest_stretch_is_kept() {
        let mut trends = Trends::default();
        for (second, tables) in [(0, 1), (1, 50_001), (2, 50_002)] {
            tick(&mut trends, second * 1_000_000_000, [(MAP, sample(None, 1, tables))]);
        }
        tick(&mut trends, 3_000_000_000, []);
        assert_eq!(trends.of(MAP, None).unwrap().fastest.map(rate), Some(50_000));
    }

    #[test]
    fn most_maps_are_bounded_and_one_that_waits_takes_the_place_of_one_that_has_gone() {
        let mut trends = Trends::default();
        let last = Address(MOST_MAPS as u64 + 1);
        tick(&mut trends, 1, (0..=last.0).map(|map| (Address(map), sample(None, map, 1))));
        assert_eq!((trends.maps.len(), trends.waiting.len()), (MOST_MAPS, 2));
        tick(&mut trends, 2, [(Address(7), None), (Address(last.0 - 1), None)]);
        assert!(trends.of(last, None).is_none(), "there is room from the next tick on");
        tick(&mut trends, 3, []);
        assert_eq!(trends.of(last, None).unwrap().points(), [sample(None, last.0, 1).unwrap().at(Nanos(3))]);
        assert_eq!((trends.maps.len(), trends.waiting.len()), (MOST_MAPS, 0));
    }

    #[test]
    fn a_map_with_its_history_takes_what_is_said() {
        let size = size_of::<MapTrend>() + size_of::<Point>() * MOST_POINTS;
        assert!(size <= 64 * 32 + 160, "{size}");
    }
}
