//! PURE: hits of the hooks of writes, to who writes a map. Only entries are hooked (in Go a return cannot
//! be), so that two writes overlap is not known; how often the writer changes is.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::fact::{StackId, Writer, Written};
use crate::audit::unit::{Address, Nanos};
use crate::runtimes::hook::WRITER;
use auditor_ebpf::HookRecord;

/// Writers that are told apart, each with each place it writes from.
const MOST: usize = 4096;

/// The writes seen so far.
#[derive(Debug)]
pub struct Writers {
    map: Address,
    from: Nanos,
    writes: u64,
    turns: u64,
    last: Option<Option<u64>>,
    rows: BTreeMap<Place, Row>,
    is_full: bool,
}

/// One who writes from one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    goroutine: Option<u64>,
    spec: u32,
    caller: u64,
}

#[derive(Debug, Default)]
struct Row {
    writes: u64,
    threads: BTreeSet<u32>,
}

impl Writers {
    /// None has been seen yet.
    #[must_use]
    pub fn of(map: Address, from: Nanos) -> Self {
        Self { map, from, writes: 0, turns: 0, last: None, rows: BTreeMap::new(), is_full: false }
    }

    /// A write began.
    pub fn wrote(&mut self, record: &HookRecord) {
        if record.header.at < self.from.0 {
            return;
        }
        let is_read = record.failed & (1 << WRITER) == 0;
        let goroutine = record.values.get(WRITER).copied().filter(|_| is_read);
        self.writes += 1;
        if self.last.replace(goroutine).is_some_and(|last| last != goroutine) {
            self.turns += 1;
        }
        let place = Place { goroutine, spec: record.spec, caller: record.caller };
        if self.rows.len() >= MOST && !self.rows.contains_key(&place) {
            self.is_full = true;
            return;
        }
        let row = self.rows.entry(place).or_default();
        row.writes += 1;
        row.threads.insert(record.header.tid);
    }

    /// What came of it. `site` numbers a place: that of the hook of a spec, called from there.
    pub fn told(
        &self,
        to: Nanos,
        cut_short: Option<String>,
        mut site: impl FnMut(u32, u64) -> Option<StackId>,
    ) -> Written {
        // One that was not read may be any of the others.
        let goroutines: Option<BTreeSet<u64>> = self.rows.keys().map(|place| place.goroutine).collect();
        let mut writers: Vec<Writer> = self
            .rows
            .iter()
            .map(|(place, row)| Writer {
                goroutine: place.goroutine,
                writes: row.writes,
                threads: u32::try_from(row.threads.len()).unwrap_or(u32::MAX),
                site: site(place.spec, place.caller),
            })
            .collect();
        writers.sort_by_key(|writer| std::cmp::Reverse(writer.writes));
        Written {
            map: self.map,
            from: self.from,
            to,
            cut_short,
            writes: self.writes,
            turns: self.turns,
            goroutines: goroutines.filter(|_| !self.is_full).map(|all| all.len() as u64),
            writers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auditor_ebpf::{CAPTURES, Header};

    fn record(at: u64, (goroutine, thread): (u64, u32), caller: u64) -> HookRecord {
        let mut values = [0; CAPTURES];
        values[WRITER] = goroutine;
        HookRecord {
            header: Header { kind: 1, pid: 7, tid: thread, cpu: 0, at },
            spec: 3,
            failed: 0,
            stack: -1,
            caller,
            took: 0,
            returned: 0,
            values,
        }
    }

    fn told(records: &[HookRecord]) -> Written {
        let mut writers = Writers::of(Address(0x10), Nanos(100));
        records.iter().for_each(|record| writers.wrote(record));
        writers.told(Nanos(900), None, |spec, caller| Some(StackId(spec + caller as u32)))
    }

    #[test]
    fn a_goroutine_is_one_writer_on_however_many_threads() {
        let told = told(&[record(100, (5, 1), 8), record(101, (5, 2), 8), record(102, (6, 1), 8)]);
        assert_eq!((told.writes, told.turns, told.goroutines), (3, 1, Some(2)));
        let rows: Vec<_> =
            told.writers.iter().map(|one| (one.goroutine, one.writes, one.threads, one.site)).collect();
        assert_eq!(rows, [(Some(5), 2, 2, Some(StackId(11))), (Some(6), 1, 1, Some(StackId(11)))]);
    }

    #[test]
    fn what_came_before_all_hooks_were_in_place_does_not_count() {
        assert_eq!(told(&[record(99, (5, 1), 8)]).writes, 0);
    }

    #[test]
    fn a_goroutine_that_could_not_be_read_is_nobody_and_not_number_0() {
        let told = told(&[HookRecord { failed: 1 << WRITER, ..record(100, (0, 1), 8) }]);
        assert_eq!((told.writers[0].goroutine, told.goroutines), (None, None));
    }

    #[test]
    fn of_too_many_writers_the_writes_still_count() {
        let records: Vec<_> = (0..5000).map(|n| record(100 + n, (n, 1), 8)).collect();
        let told = told(&records);
        assert_eq!((told.writes, told.writers.len(), told.goroutines), (5000, MOST, None));
    }
}
