//! Why RSS moved. At each reading it is kept what RSS was made of, and what maps differ from then on. A change goes
//! from one turning point of RSS to the next, and what differs between the two explains it: maps one by one, and the
//! other rows of the ladder. What nothing explains is said, so that a change always adds up.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use super::differences::{Difference, Differences};
use super::ladder;
use super::report::{self, Change, Episode, Part, Rung};
use super::tally::Map;
use super::unit::{Address, Bytes, Nanos};

/// Changes that are kept: the largest.
const MOST: usize = 32;
/// Maps that are parts of one change; the others are one part.
const MOST_PARTS: usize = 8;
/// RSS turns where it goes back by this much, and by this share of itself: less is noise.
const LEAST: Bytes = Bytes(1 << 20);
const LEAST_SHARE: u64 = 64;
/// The part of one map, and of all others.
const ONE_MAP: &str = "tables of a map";
const OTHER_MAPS: &str = "tables of other maps";

/// How RSS moved so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    under_way: Option<UnderWay>,
    /// Ended ones, in the order of time.
    ended: VecDeque<Change>,
    sums: report::Changes,
}

/// The present change.
#[derive(Clone, Debug)]
struct UnderWay {
    /// The turning point before.
    start: Moment,
    /// The farthest from it since.
    farthest: Moment,
    last: Moment,
    /// What maps have of RSS: what differs between the first two, and between the last two. At 60 bytes each,
    /// the maps that are followed at once would take 30 MB if each of them changed.
    there: Maps,
    beyond: Maps,
}

/// What RSS was made of at one moment, maps aside.
#[derive(Clone, Debug, Default)]
pub(super) struct Moment {
    at: Nanos,
    rss: Bytes,
    /// Cycles of the collector since the program began.
    cycles: Option<u64>,
    /// The rows of the ladder, but for those of maps and the last one.
    rows: BTreeMap<String, Bytes>,
}

/// How private memory differs, map by map, of those that the page map was asked for.
type Maps = Differences<Map, Bytes>;
type OneMap<'a> = (&'a Map, Difference<Bytes>);

impl Moment {
    /// By the rows of the ladder.
    pub(super) fn new(at: Nanos, rss: Bytes, cycles: Option<u64>, rungs: &[Rung]) -> Self {
        let rows =
            rungs.iter().filter(|rung| !ladder::is_of_maps(&rung.name) && rung.name != ladder::UNEXPLAINED);
        Self { at, rss, cycles, rows: rows.map(|rung| (rung.name.clone(), rung.bytes)).collect() }
    }
}

impl UnderWay {
    fn begin(now: Moment) -> Self {
        let [start, farthest] = [&now, &now].map(Moment::clone);
        Self { start, farthest, last: now, there: Maps::default(), beyond: Maps::default() }
    }

    /// It went on to the last reading.
    fn goes_on(&mut self) {
        self.farthest.clone_from(&self.last);
        self.there.then(std::mem::take(&mut self.beyond));
    }

    /// It, if the last reading ended it.
    fn so_far(&self) -> Change {
        change(&self.start, &self.last, self.there.with(&self.beyond))
    }

    /// It ended where it was farthest, and another began there.
    fn turns(&mut self) -> Change {
        let ended = change(&self.start, &self.farthest, self.there.iter().map(|(map, both)| (map, *both)));
        self.start = std::mem::replace(&mut self.farthest, self.last.clone());
        self.there = std::mem::take(&mut self.beyond);
        ended
    }
}

impl Changes {
    /// RSS was read. `maps`: how those differ that do since the reading before.
    pub(super) fn read(&mut self, now: Moment, maps: Maps) {
        let Some(change) = &mut self.under_way else {
            self.under_way = Some(UnderWay::begin(now));
            return;
        };
        change.last = now;
        change.beyond.then(maps);
        let [start, farthest, now] = [&change.start, &change.farthest, &change.last];
        let rises = farthest.rss >= start.rss;
        let goes_on = if rises { now.rss >= farthest.rss } else { now.rss <= farthest.rss };
        if goes_on || start.at == farthest.at {
            change.goes_on();
        } else if farthest.rss.0.abs_diff(now.rss.0) >= LEAST.0.max(farthest.rss.0 / LEAST_SHARE) {
            let ended = change.turns();
            self.end(ended);
        }
    }

    /// The target replaced its program: what its memory held is no start of anything.
    pub(super) fn replaced(&mut self) {
        if let Some(last) = self.under_way.take() {
            self.end(last.so_far());
        }
    }

    /// As the report has it; `None`: RSS was read once at most.
    pub(super) fn report(&self, episodes: &[Episode]) -> Option<report::Changes> {
        let mut all = Self { under_way: None, ended: self.ended.clone(), sums: self.sums.clone() };
        self.under_way.iter().for_each(|change| all.end(change.so_far()));
        let mut report = report::Changes { largest: all.ended.into(), ..all.sums };
        report.largest.retain(|change| change.start < change.end);
        report.largest.iter_mut().for_each(|change| count_growths(change, episodes));
        (!report.largest.is_empty()).then_some(report)
    }

    fn end(&mut self, change: Change) {
        let (size, unexplained) =
            (Bytes(change.rss.unsigned_abs()), Bytes(change.unexplained.unsigned_abs()));
        let (moved, rest) = if change.rss < 0 {
            (&mut self.sums.fell, &mut self.sums.fell_unexplained)
        } else {
            (&mut self.sums.rose, &mut self.sums.rose_unexplained)
        };
        *moved += size;
        *rest += unexplained;
        self.ended.push_back(change);
        if self.ended.len() > MOST {
            self.sums.omitted += 1;
            let smallest = (0..self.ended.len()).min_by_key(|&index| self.ended[index].rss.unsigned_abs());
            smallest.and_then(|index| self.ended.remove(index));
        }
    }
}

fn change<'a>(from: &Moment, to: &Moment, maps: impl Iterator<Item = OneMap<'a>>) -> Change {
    let rss = to.rss.change_from(from.rss);
    let mut parts = parts(maps);
    parts.extend(differences(&from.rows, &to.rows).map(|(name, bytes)| Part {
        name: name.clone(),
        map: None,
        bytes,
        growths: None,
    }));
    parts.sort_by_key(|part| Reverse(part.bytes.unsigned_abs()));
    let explained = parts.iter().fold(0_i64, |sum, part| sum.saturating_add(part.bytes));
    let cycles = from.cycles.zip(to.cycles).map(|(before, after)| after.saturating_sub(before));
    Change { start: from.at, end: to.at, rss, parts, unexplained: rss.saturating_sub(explained), cycles }
}

/// The maps that moved most one by one, the others together.
fn parts<'a>(maps: impl Iterator<Item = OneMap<'a>>) -> Vec<Part> {
    let mut moved: Vec<(Map, i64)> =
        maps.map(|(map, bytes)| (*map, bytes.to.change_from(bytes.from))).collect();
    moved.sort_by_key(|(map, bytes)| (Reverse(bytes.unsigned_abs()), *map));
    let others = moved.iter().skip(MOST_PARTS).fold(0_i64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    let one = |&((address, _), bytes): &(Map, i64)| Part {
        name: ONE_MAP.to_owned(),
        map: Some(address),
        bytes,
        growths: None,
    };
    let rest = Part { name: OTHER_MAPS.to_owned(), map: None, bytes: others, growths: None };
    moved.iter().take(MOST_PARTS).map(one).chain((others != 0).then_some(rest)).collect()
}

/// The rows that differ. What is on one side only was nothing on the other.
fn differences<'a>(
    from: &'a BTreeMap<String, Bytes>,
    to: &'a BTreeMap<String, Bytes>,
) -> impl Iterator<Item = (&'a String, i64)> {
    let gone =
        from.iter().filter(|(key, _)| !to.contains_key(*key)).map(|(key, &bytes)| (key, bytes, Bytes(0)));
    let here = to.iter().map(|(key, &bytes)| (key, from.get(key).copied().unwrap_or_default(), bytes));
    gone.chain(here).map(|(key, from, to)| (key, to.change_from(from))).filter(|(_, bytes)| *bytes != 0)
}

/// How many growths of its maps were under way during a change.
fn count_growths(change: &mut Change, episodes: &[Episode]) {
    let (start, end) = (change.start, change.end);
    let meanwhile =
        |episode: &&Episode| episode.start <= end && episode.end.is_none_or(|ended| start <= ended);
    let mut growths: BTreeMap<Address, u64> = BTreeMap::new();
    for episode in episodes.iter().filter(meanwhile) {
        *growths.entry(episode.map).or_default() += 1;
    }
    for part in &mut change.parts {
        part.growths = part.map.map(|map| growths.get(&map).copied().unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::fact::GrowthKind;

    const MIB: u64 = 1 << 20;
    const MAP: Map = (Address(0xa0), None);

    /// What RSS is made of, in MiB: one map, a heap, and what nothing explains.
    fn moment(at: u64, [map, heap, rest]: [u64; 3]) -> Moment {
        Moment {
            at: Nanos(at),
            rss: Bytes((map + heap + rest) * MIB),
            rows: [("heap".to_owned(), Bytes(heap * MIB))].into(),
            cycles: Some(at),
        }
    }

    /// One map that has so many MiB less or more.
    fn moves(map: Map, from: u64, to: u64) -> Maps {
        let mut maps = Maps::default();
        maps.change(map, Bytes(from * MIB), Bytes(to * MIB));
        maps
    }

    fn told(moments: &[(u64, [u64; 3])]) -> Changes {
        let mut changes = Changes::default();
        let before = [0].into_iter().chain(moments.iter().map(|(_, [map, ..])| *map));
        for ((at, parts), before) in moments.iter().zip(before) {
            changes.read(moment(*at, *parts), moves(MAP, before, parts[0]));
        }
        changes
    }

    fn mebibytes(bytes: i64) -> i64 {
        bytes / 1024 / 1024
    }

    #[test]
    fn one_look_shows_no_change() {
        assert_eq!(Changes::default().report(&[]), None);
        assert_eq!(told(&[(1, [5, 5, 5])]).report(&[]), None);
    }

    #[test]
    fn a_change_goes_from_turn_to_turn_and_its_parts_add_up() {
        let steps =
            [(1, [10, 10, 1]), (2, [40, 10, 2]), (3, [90, 12, 3]), (4, [50, 12, 3]), (5, [20, 12, 2])];
        let report = told(&steps).report(&[]).unwrap();
        let rows: Vec<_> =
            report.largest.iter().map(|row| (row.start.0, row.end.0, mebibytes(row.rss))).collect();
        assert_eq!(rows, [(1, 3, 84), (3, 5, -71)]);
        let rise = &report.largest[0];
        let parts: Vec<_> =
            rise.parts.iter().map(|part| (part.name.as_str(), part.map, mebibytes(part.bytes))).collect();
        assert_eq!(parts, [(ONE_MAP, Some(MAP.0), 80), ("heap", None, 2)]);
        assert_eq!((mebibytes(rise.unexplained), rise.cycles), (2, Some(2)));
        assert_eq!((report.rose.0, report.rose_unexplained.0), (84 * MIB, 2 * MIB));
        assert_eq!((report.fell.0, report.fell_unexplained.0), (71 * MIB, MIB));
    }

    #[test]
    fn a_wobble_is_no_turn() {
        let steps = [(1, [0, 200, 0]), (2, [0, 260, 0]), (3, [0, 257, 0]), (4, [0, 300, 0])];
        let report = told(&steps).report(&[]).unwrap();
        assert_eq!(report.largest.len(), 1);
        assert_eq!((mebibytes(report.largest[0].rss), report.largest[0].end), (100, Nanos(4)));
    }

    #[test]
    fn what_came_and_what_went_counts_in_full() {
        let mut changes = told(&[(1, [0, 10, 0])]);
        let other = (Address(0xb0), Some(Nanos(2)));
        let last = Moment { rows: BTreeMap::new(), ..moment(2, [40, 10, 0]) };
        changes.read(last, moves(other, 0, 40));
        let parts = changes.report(&[]).unwrap().largest.remove(0).parts;
        let parts: Vec<_> = parts.iter().map(|part| (part.map, mebibytes(part.bytes))).collect();
        assert_eq!(parts, [(Some(other.0), 40), (None, -10)]);
    }

    #[test]
    fn growths_that_were_under_way_are_counted_with_their_map() {
        let growth = |map: u64, start: u64, end: Option<u64>| Episode {
            map: Address(map),
            pid: None,
            kind: GrowthKind::Double,
            start: Nanos(start),
            end: end.map(Nanos),
            allocated: Bytes(0),
            mmap: Bytes(0),
            rss_delta: None,
            rss_lag: None,
            mmap_lag: None,
            evacuated: 0,
            stall: None,
            cycles: None,
            waited: None,
            faults: None,
            cause: None,
        };
        let episodes = [
            growth(0xa0, 1, Some(9)),
            growth(0xa0, 15, None),
            growth(0xa0, 21, None),
            growth(0xb0, 15, None),
        ];
        let report = told(&[(10, [1, 0, 0]), (20, [9, 0, 0])]).report(&episodes).unwrap();
        assert_eq!(report.largest[0].parts[0].growths, Some(1), "one was over, one had not begun");
    }

    #[test]
    fn the_smallest_are_left_out_and_stay_in_the_sums() {
        let heights = (0..100).map(|n| if n % 2 == 0 { 0 } else { 10 + n });
        let steps: Vec<_> = (1..).zip(heights).map(|(at, height)| (at, [height, 0, 0])).collect();
        let report = told(&steps).report(&[]).unwrap();
        assert_eq!((report.largest.len(), report.omitted), (MOST, 99 - MOST as u64));
        let all: u64 = (0..100).filter(|n| n % 2 == 1).map(|n| 10 + n).sum();
        assert_eq!(report.rose.0, all * MIB);
        assert!(report.largest.windows(2).all(|two| two[0].end <= two[1].start));
    }

    proptest! {
        #[test]
        fn whatever_happens_it_adds_up(steps in prop::collection::vec(prop::array::uniform3(0_u64..500), 2..80)) {
            let steps: Vec<_> = (1..).zip(steps).collect();
            let report = told(&steps).report(&[]).unwrap();
            for row in &report.largest {
                let parts: i64 = row.parts.iter().map(|part| part.bytes).sum();
                prop_assert_eq!(parts + row.unexplained, row.rss);
            }
            let net = i128::from(report.rose.0) - i128::from(report.fell.0);
            let [first, last] = [steps[0].1, steps[steps.len() - 1].1].map(|parts| parts.iter().sum::<u64>());
            prop_assert_eq!(net, (i128::from(last) - i128::from(first)) * i128::from(MIB));
        }
    }
}
