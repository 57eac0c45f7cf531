//! Growths: from the moment a new table is asked for until the old one is let go. What was
//! allocated, which mmap gave it, how RSS moved and how much later.
//!
//! Open episodes are kept by the map they belong to (`life.rs` knows when one begins and ends);
//! of the closed ones the [`MOST`] that allocated most stay.

use std::collections::BTreeSet;

use slab::Slab;

use super::fact::GrowthKind;
use super::faults::{self, Reading, Readings};
use super::lags::{Lags, Pair};
use super::mmaps::Mmaps;
use super::report::{Episode, Lag};
use super::steps::{Step, Steps};
use super::unit::{Address, Bytes, Nanos};

/// Closed episodes that are kept, and episodes in a report. 10 000 x 200 bytes are 2 MB.
pub const MOST: usize = 10_000;
/// Episodes that may wait besides those of which there are records.
const ROOM: usize = 64;
/// How long after the start of an episode that has ended a rise of RSS still belongs to it.
const ECHO: Nanos = Nanos(1_000_000_000);

/// Growths so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Episodes {
    next: u64,
    records: Slab<Record>,
    /// The closed ones, smallest first.
    closed: BTreeSet<(Bytes, Serial)>,
    omitted: u64,
    /// Those that still wait for RSS to rise.
    awaiting_rise: Waiting,
    /// Those that have ended since faults were read last.
    awaiting_faults: Waiting,
    faults: Readings,
    last_start: Nanos,
    mmaps: Mmaps,
    steps: Steps,
    /// Cycles of the collector that were seen to end; `None`: none was.
    cycles: Option<u64>,
    lags: Lags,
}

/// Which episode: they are numbered in the order in which they were noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Serial {
    number: u64,
    /// Where its record is kept. When that is gone, another takes its place.
    place: usize,
}

/// Those that wait for something to be told, and some that do so no more: their records say which.
#[derive(Clone, Debug, Default)]
struct Waiting(Vec<Serial>);

impl Waiting {
    /// Another one waits. They take no more room than twice the records, and some.
    fn push(&mut self, serial: Serial, records: &Slab<Record>) {
        if self.0.len() >= 2 * records.len() + ROOM {
            self.0.retain(|serial| records.get(serial.place).is_some_and(|record| record.serial == *serial));
        }
        self.0.push(serial);
    }
}

/// How an episode begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// Whose.
    pub(super) map: Address,
    /// Which kind.
    pub(super) kind: GrowthKind,
    /// When.
    pub(super) at: Nanos,
    /// Live entries, where they could be read.
    pub(super) live: Option<u64>,
    /// Buckets before.
    pub(super) from: u64,
}

/// A table that was asked for within an episode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// When the call returned.
    pub(super) at: Nanos,
    /// Where it is.
    pub(super) table: Option<Address>,
    /// How large.
    pub(super) bytes: Bytes,
    /// How long the call took, where the return was seen.
    pub(super) took: Option<Nanos>,
}

/// What the evacuation of an episode came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moves {
    /// Old buckets moved.
    pub(super) evacuated: u64,
    /// The longest time without a move.
    pub(super) stall: Option<Nanos>,
}

#[derive(Clone, Debug)]
struct Record {
    serial: Serial,
    start: Start,
    end: Option<Nanos>,
    allocated: Bytes,
    mmap: Bytes,
    mmap_at: Option<Nanos>,
    rss_before: Option<Bytes>,
    rss_after: Option<Bytes>,
    rss_lag: Option<Nanos>,
    awaits_rise: bool,
    moves: Moves,
    /// Cycles of the collector that were seen to end before it began, and before it ended.
    cycles_before: u64,
    cycles_by_end: Option<u64>,
    waited: Option<Nanos>,
    /// Page faults, as read last before it and first after it.
    faults_before: Option<Reading>,
    faults_after: Option<Reading>,
    awaits_faults: bool,
}

impl Episodes {
    /// A table was let go.
    pub(super) fn let_go(&mut self, at: Nanos) {
        self.lags.let_go(at);
    }

    /// A cycle of the collector ended.
    pub(super) fn cycle(&mut self, at: Nanos) {
        self.cycles = Some(self.cycles.unwrap_or(0) + 1);
        self.lags.cycle(at);
    }

    /// Page faults were read.
    pub(super) fn faults(&mut self, reading: Reading) {
        self.faults.read(reading);
        let records = &mut self.records;
        self.awaiting_faults.0.retain(|serial| {
            let Some(record) = find(records, *serial) else { return false };
            record.faults_after = Some(reading).filter(|(at, _)| record.end.is_some_and(|end| end <= *at));
            record.awaits_faults = record.faults_after.is_none();
            record.awaits_faults
        });
    }

    /// How long after one kind of event another comes.
    pub(super) fn lags(&self) -> Vec<Lag> {
        self.lags.report()
    }

    /// A mapping was made.
    pub(super) fn mapped(&mut self, at: Nanos, address: Address, bytes: Bytes) {
        self.mmaps.made(at, address, bytes);
    }

    /// RSS made a step.
    pub(super) fn rss(&mut self, step: Step) {
        self.steps.made(step);
        if step.way.is_lt() {
            self.lags.fell(step.at);
        }
        // A rise from before the last start is late: those that wait wait for the next one.
        if !step.way.is_gt() || step.at <= self.last_start {
            return;
        }
        for serial in self.awaiting_rise.0.drain(..) {
            if let Some(record) = find(&mut self.records, serial).filter(|record| record.awaits_rise) {
                record.rise(step.at, &mut self.lags);
            }
        }
    }

    /// A growth began.
    pub(super) fn begin(&mut self, start: Start) -> Serial {
        let serial = Serial { number: self.next, place: self.records.vacant_key() };
        self.next += 1;
        self.last_start = self.last_start.max(start.at);
        let mut record = Record {
            serial,
            start,
            end: None,
            allocated: Bytes(0),
            mmap: Bytes(0),
            mmap_at: None,
            rss_before: self.steps.rss_at(start.at),
            rss_after: None,
            rss_lag: None,
            awaits_rise: true,
            moves: Moves::default(),
            cycles_before: self.cycles.unwrap_or(0),
            cycles_by_end: None,
            waited: None,
            faults_before: self.faults.before(start.at),
            faults_after: None,
            awaits_faults: false,
        };
        match self.steps.first_rise_after(start.at) {
            Some(at) => record.rise(at, &mut self.lags),
            None => self.awaiting_rise.push(serial, &self.records),
        }
        self.records.insert(record);
        serial
    }

    /// A table was asked for within it.
    pub(super) fn asked(&mut self, serial: Serial, asked: Asked) {
        let Some(record) = find(&mut self.records, serial) else { return };
        if record.end.is_some() {
            self.closed.remove(&(record.allocated, serial));
        }
        record.allocated += asked.bytes;
        if let Some(took) = asked.took.filter(|_| record.start.at == asked.at) {
            self.begin_earlier(serial, took);
        }
        let Some(record) = find(&mut self.records, serial) else { return };
        if let Some(took) = asked.took {
            record.waited = Some(record.waited.unwrap_or_default().plus(took));
        }
        let Some(table) = asked.table else { return };
        let Some(given) = self.mmaps.give(record.start.at, asked.at, table, asked.bytes) else { return };
        record.mmap += given.bytes;
        if record.mmap_at.is_none() {
            self.lags.add(Pair::GrowthMmap, given.first.since(record.start.at));
        }
        record.mmap_at = Some(record.mmap_at.map_or(given.first, |at| at.min(given.first)));
    }

    /// One call told of it when it returned, table and all: it began when the call did.
    fn begin_earlier(&mut self, serial: Serial, took: Nanos) {
        let Some(record) = find(&mut self.records, serial) else { return };
        let at = Nanos(record.start.at.0.saturating_sub(took.0));
        record.start.at = at;
        record.rss_before = self.steps.rss_at(at);
        record.faults_before = self.faults.before(at);
        if record.awaits_rise
            && let Some(rise) = self.steps.first_rise_after(at)
        {
            record.rise(rise, &mut self.lags);
        }
    }

    /// It ended.
    pub(super) fn end(&mut self, serial: Serial, at: Nanos, moves: Moves) {
        let Some(record) = find(&mut self.records, serial) else { return };
        if record.end.is_none() && !matches!(record.start.kind, GrowthKind::First | GrowthKind::Split) {
            self.lags.add(Pair::GrowthEnd, at.since(record.start.at));
        }
        record.end = Some(at);
        record.cycles_by_end = self.cycles;
        record.rss_after = self.steps.rss_at(at);
        record.moves = moves;
        record.faults_after = self.faults.after(at);
        self.closed.insert((record.allocated, serial));
        if record.faults_after.is_none() && !std::mem::replace(&mut record.awaits_faults, true) {
            self.awaiting_faults.push(serial, &self.records);
        }
        if self.closed.len() > MOST
            && let Some((_, smallest)) = self.closed.pop_first()
        {
            self.records.remove(smallest.place);
            self.omitted += 1;
        }
    }

    /// The largest, in the order in which they started. `open` tells what the evacuation of an open one has
    /// come to so far.
    pub(super) fn report(&self, now: Nanos, open: impl Fn(Address) -> Moves) -> Vec<Episode> {
        let mut records: Vec<&Record> = self.records.iter().map(|(_, record)| record).collect();
        records.sort_unstable_by_key(|record| record.serial);
        let too_many = self.too_many();
        if too_many > 0 {
            records.sort_by_key(|record| record.allocated);
            records.drain(..too_many);
        }
        records.sort_by_key(|record| (record.start.at, record.start.map));
        let rss = self.steps.rss_at(now);
        let rows = records.into_iter().map(|record| match record.end {
            Some(_) => Episode {
                faults: faults::between(record.faults_before, record.faults_after),
                ..record.row(record.rss_after, record.moves, record.cycles_by_end)
            },
            None => Episode {
                faults: faults::between(record.faults_before, self.faults.last()),
                ..record.row(rss, open(record.start.map), self.cycles)
            },
        });
        rows.collect()
    }

    /// How many are in no report: the smallest, where there are more than one can hold.
    pub(super) fn omitted(&self) -> u64 {
        self.omitted.saturating_add(self.too_many() as u64)
    }

    fn too_many(&self) -> usize {
        self.records.len().saturating_sub(MOST)
    }
}

/// The record of an episode, if it is still kept.
fn find(records: &mut Slab<Record>, serial: Serial) -> Option<&mut Record> {
    records.get_mut(serial.place).filter(|record| record.serial == serial)
}

impl Record {
    /// RSS rose. Long after a short episode that is another story.
    fn rise(&mut self, at: Nanos, lags: &mut Lags) {
        self.awaits_rise = false;
        let lag = at.since(self.start.at);
        let within = self.end.is_none_or(|end| at <= end) || lag <= ECHO;
        self.rss_lag = within.then_some(lag);
        if within {
            lags.add(Pair::GrowthRise, lag);
        }
    }

    fn row(&self, rss: Option<Bytes>, moves: Moves, cycles: Option<u64>) -> Episode {
        Episode {
            map: self.start.map,
            pid: None,
            kind: self.start.kind,
            start: self.start.at,
            end: self.end,
            allocated: self.allocated,
            mmap: self.mmap,
            rss_delta: rss.zip(self.rss_before).map(|(after, before)| after.change_from(before)),
            rss_lag: self.rss_lag,
            mmap_lag: self.mmap_at.map(|at| at.since(self.start.at)),
            evacuated: moves.evacuated,
            stall: moves.stall,
            cycles: cycles.map(|cycles| cycles.saturating_sub(self.cycles_before)),
            waited: self.waited,
            faults: None,
            cause: self.start.cause(),
        }
    }
}

impl Start {
    /// What is known of why it grew.
    fn cause(&self) -> Option<String> {
        let entries = self.live.map(|live| format!("{live} live entries in {} buckets", self.from));
        match self.kind {
            GrowthKind::SameSize => Some(match entries {
                Some(entries) => format!("overflow or tombstones, with {entries}"),
                None => "overflow or tombstones".to_owned(),
            }),
            GrowthKind::First => None,
            _ => entries,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;

    const MAP: Address = Address(0xa0);

    fn begin(episodes: &mut Episodes, at: u64) -> Serial {
        let start = Start { map: MAP, kind: GrowthKind::Double, at: Nanos(at), live: Some(53), from: 8 };
        episodes.begin(start)
    }

    fn rss(episodes: &mut Episodes, at: u64, bytes: u64, rose: bool) {
        let way = if rose { Ordering::Greater } else { Ordering::Less };
        episodes.rss(Step { at: Nanos(at), rss: Some(Bytes(bytes)), way });
    }

    fn asked(at: u64, bytes: u64) -> Asked {
        Asked { at: Nanos(at), table: Some(Address(0x1_0010)), bytes: Bytes(bytes), took: Some(Nanos(7)) }
    }

    fn only(episodes: &Episodes) -> Episode {
        let mut rows = episodes.report(Nanos(u64::MAX), |_| Moves::default());
        assert_eq!((rows.len(), episodes.omitted()), (1, 0));
        rows.remove(0)
    }

    #[test]
    fn table_mmap_and_rss_are_tied_together_with_their_lags() {
        let mut episodes = Episodes::default();
        rss(&mut episodes, 50, 1000, true);
        let serial = begin(&mut episodes, 100);
        episodes.mapped(Nanos(110), Address(0x1_0000), Bytes(0x4000));
        episodes.asked(serial, asked(120, 0x3000));
        rss(&mut episodes, 130, 900, false);
        rss(&mut episodes, 140, 5000, true);
        rss(&mut episodes, 150, 6000, true);
        episodes.end(serial, Nanos(200), Moves { evacuated: 8, stall: Some(Nanos(30)) });
        rss(&mut episodes, 210, 99, false);
        let row = only(&episodes);
        assert_eq!((row.start, row.end), (Nanos(100), Some(Nanos(200))));
        assert_eq!((row.allocated, row.mmap), (Bytes(0x3000), Bytes(0x4000)));
        assert_eq!((row.mmap_lag, row.rss_lag), (Some(Nanos(10)), Some(Nanos(40))));
        assert_eq!((row.rss_delta, row.evacuated, row.stall), (Some(5000), 8, Some(Nanos(30))));
        assert_eq!((row.waited, row.cycles), (Some(Nanos(7)), None));
        let pairs = episodes.lags();
        let lags: Vec<_> = pairs.iter().map(|lag| (lag.to.as_str(), lag.count, lag.median)).collect();
        let expected = [("mmap", 10), ("RSS rises", 40), ("old table let go", 100)];
        assert_eq!(lags, expected.map(|(to, lag)| (to, 1, Nanos(lag))));
        assert_eq!(row.cause.as_deref(), Some("53 live entries in 8 buckets"));
    }

    #[test]
    fn cycles_of_the_collector_that_end_meanwhile_are_counted() {
        let mut episodes = Episodes::default();
        episodes.cycle(Nanos(50));
        let serial = begin(&mut episodes, 100);
        episodes.cycle(Nanos(150));
        episodes.cycle(Nanos(160));
        assert_eq!(only(&episodes).cycles, Some(2));
        episodes.end(serial, Nanos(200), Moves::default());
        episodes.cycle(Nanos(250));
        assert_eq!(only(&episodes).cycles, Some(2));
    }

    fn read(episodes: &mut Episodes, at: u64, minor: u64) {
        episodes.faults((Nanos(at), super::super::fact::Faults { minor, major: 1 }));
    }

    fn faults(episodes: &Episodes) -> Option<(u64, Nanos)> {
        only(episodes).faults.map(|faults| (faults.minor, faults.within))
    }

    #[test]
    fn page_faults_are_those_between_the_readings_around_a_growth() {
        let mut episodes = Episodes::default();
        read(&mut episodes, 40, 5);
        read(&mut episodes, 90, 10);
        let serial = begin(&mut episodes, 100);
        assert_eq!(faults(&episodes), None, "nothing was read since");
        read(&mut episodes, 150, 30);
        assert_eq!(faults(&episodes), Some((20, Nanos(60))));
        episodes.end(serial, Nanos(200), Moves::default());
        assert_eq!(faults(&episodes), None, "nor after its end");
        read(&mut episodes, 190, 40);
        read(&mut episodes, 220, 50);
        read(&mut episodes, 300, 99);
        assert_eq!(faults(&episodes), Some((40, Nanos(130))));
        episodes.end(serial, Nanos(250), Moves::default());
        assert_eq!(faults(&episodes), Some((89, Nanos(210))), "a spell of splits goes on");
        assert!(episodes.awaiting_faults.0.is_empty());
    }

    #[test]
    fn page_faults_of_which_nothing_was_read_before_are_not_known() {
        let mut episodes = Episodes::default();
        let serial = begin(&mut episodes, 100);
        episodes.end(serial, Nanos(200), Moves::default());
        read(&mut episodes, 250, 9);
        assert_eq!(faults(&episodes), None);
    }

    #[test]
    fn a_rise_soon_after_the_end_is_an_echo_and_a_late_one_is_not() {
        for (rise, lag) in [(ECHO.0, Some(ECHO)), (ECHO.0 + 1, None)] {
            let mut episodes = Episodes::default();
            let serial = begin(&mut episodes, 100);
            episodes.end(serial, Nanos(200), Moves::default());
            rss(&mut episodes, 100 + rise, 5, true);
            rss(&mut episodes, 101 + rise, 9, true);
            assert_eq!(only(&episodes).rss_lag, lag);
            assert!(episodes.awaiting_rise.0.is_empty());
        }
    }

    #[test]
    fn a_rise_long_into_an_open_episode_counts() {
        let mut episodes = Episodes::default();
        begin(&mut episodes, 100);
        rss(&mut episodes, 5 * ECHO.0, 5, true);
        assert_eq!(only(&episodes).rss_lag, Some(Nanos(5 * ECHO.0 - 100)));
    }

    #[test]
    fn a_rise_that_was_told_before_the_episode_was_noticed_counts() {
        let mut episodes = Episodes::default();
        rss(&mut episodes, 90, 10, true);
        rss(&mut episodes, 105, 70, true);
        begin(&mut episodes, 100);
        let row = only(&episodes);
        assert_eq!((row.rss_lag, row.rss_delta), (Some(Nanos(5)), Some(60)));
    }

    #[test]
    fn unknown_rss_is_no_delta() {
        let mut episodes = Episodes::default();
        let serial = begin(&mut episodes, 100);
        rss(&mut episodes, 150, 10, true);
        episodes.end(serial, Nanos(200), Moves::default());
        assert_eq!(only(&episodes).rss_delta, None);
    }

    #[test]
    fn of_too_many_the_largest_stay() {
        let mut episodes = Episodes::default();
        for size in 0..MOST as u64 + 5 {
            let serial = begin(&mut episodes, size);
            episodes.asked(serial, asked(size, size));
            episodes.end(serial, Nanos(size), Moves::default());
        }
        let rows = episodes.report(Nanos(0), |_| Moves::default());
        assert_eq!((rows.len(), episodes.omitted()), (MOST, 5));
        assert_eq!(rows[0].allocated, Bytes(5));
        assert_eq!(episodes.records.len(), MOST);
    }

    #[test]
    fn those_that_wait_take_no_more_room_than_twice_the_records() {
        let mut episodes = Episodes::default();
        for at in 0..10 * MOST as u64 {
            let serial = begin(&mut episodes, at);
            (0..3).for_each(|_| episodes.end(serial, Nanos(at), Moves::default()));
            for waiting in [&episodes.awaiting_rise, &episodes.awaiting_faults] {
                assert!(waiting.0.len() <= 2 * (episodes.records.len() + 1) + ROOM);
            }
        }
    }
}
