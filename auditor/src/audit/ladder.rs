//! RSS explained row by row. What no row explains is the last row, so the rows always add up.
//!
//! Each row says by what it is known. What the page map says of tables and mappings is in RAM. What a managed
//! runtime counts of its heap need not be, and no two sources are read at the same instant. So each row is at
//! most what those above it have left of RSS, and what is known to be in RAM comes first; what a heap's counters
//! say beyond it is `Ladder::beyond`. Entries that a map allocates one by one are counted by the map and lie
//! anywhere: where `[heap]` has as much, the allocator's row is less by them.

use super::collector::Kept;
use super::doubt::Doubt;
use super::fact::Beside;
use super::held::{Held, Parts};
use super::memory::Memory;
use super::report::Rung;
use super::unit::Bytes;

/// The last row.
pub const UNEXPLAINED: &str = "unexplained";
/// The row of what a C library's allocator has in `[heap]`, maps in it aside.
pub const OF_ALLOCATOR: &str = "allocator's memory ([heap])";
/// The row of pages that were left to the kernel to take.
pub const LAZILY_FREED: &str = "lazily freed";
/// The row of entries that are not in tables: nodes of chains, items.
pub const ENTRIES: &str = "entries behind tables";
/// The row that there is where it was asked how much of the maps is in RAM.
pub const TABLES: &str = "current tables";

/// The rows of maps that the page map was not asked for, listed and not.
const UNLOOKED: &str = "maps not asked for";
const SMALL: &str = "small maps";

/// Every row that there may be, in the order of the ladder.
pub const ROWS: [&str; 18] = [
    "file pages",
    "shared memory",
    TABLES,
    "old tables",
    "overflow and directories",
    "main thread's stack",
    "data of program and libraries",
    "runtime's own memory",
    ENTRIES,
    "maps that nothing refers to",
    UNLOOKED,
    SMALL,
    "other heap in use",
    "heap free and kept",
    "stacks",
    OF_ALLOCATOR,
    LAZILY_FREED,
    UNEXPLAINED,
];

/// The rows of maps that the page map was asked for.
const OF_MAPS: [&str; 3] = [TABLES, "old tables", "overflow and directories"];
/// The other rows that are made of what maps hold.
const OF_SIZES: [&str; 3] = [ENTRIES, UNLOOKED, SMALL];

/// By what a row is known.
const STATUS: &str = "process status";
const PAGES: &str = "page map";
const COUNTERS: &str = "heap's counters";
const SIZES: &str = "sizes of maps";
const COUNTED: &str = "counted by maps";
pub(super) const ROLLUP: &str = "smaps_rollup";
pub(super) const REST: &str = "what is left";

/// RSS, row by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ladder {
    /// The rows; none while RSS is not known.
    pub(super) rungs: Vec<Rung>,
    /// What the heap's counters say beyond what is left of RSS: it is not in RAM.
    pub(super) beyond: Bytes,
    /// What maps count of entries beyond what is left of RSS: it is not in RAM.
    pub(super) entries_beyond: Bytes,
}

/// What explains RSS, beside its members.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sources {
    /// The managed heap, where there is one.
    pub(super) heap: Option<Kept>,
    /// The maps.
    pub(super) maps: Held,
    /// What lies beside the maps, where that was asked for.
    pub(super) beside: Option<Beside>,
    /// Pages left to the kernel to take, where that was asked for.
    pub(super) lazily_freed: Option<Bytes>,
}

/// The rows for the last RSS known.
pub(super) fn ladder(memory: &Memory, from: Sources) -> Ladder {
    let Some(rest) = memory.rss().last else { return Ladder::default() };
    let mut climb = Climb { rest, ladder: Ladder::default() };
    climb.row("file pages", memory.file(), STATUS);
    climb.row("shared memory", memory.shmem(), STATUS);
    climb.tables(from.maps.looked_at);
    let beside = from.beside.unwrap_or_default();
    climb.beside(beside);
    climb.entries(from.maps.entries);
    match (from.heap, beside.heap) {
        (Some(heap), _) => climb.managed(heap, from.maps),
        (None, Some(heap)) => climb.unmanaged(heap, from.maps),
        (None, None) => {}
    }
    climb.row(LAZILY_FREED, from.lazily_freed, ROLLUP);
    climb.ladder.rungs.push(rung(UNEXPLAINED, climb.rest, REST));
    climb.ladder
}

/// Whether a row adds up what the page map says of maps.
pub(super) fn is_of_maps(row: &str) -> bool {
    OF_MAPS.contains(&row)
}

/// What of the maps has a row.
pub(super) fn of_maps(rungs: &[Rung]) -> Bytes {
    let of_maps = rungs.iter().filter(|rung| is_of_maps(&rung.name) || OF_SIZES.contains(&&*rung.name));
    of_maps.fold(Bytes(0), |sum, rung| sum + rung.bytes)
}

impl Ladder {
    /// What the heap's counters say that is not in RAM. Heap and RSS are not read at the same instant, so a
    /// little of it means nothing.
    pub(super) fn beyond_ram(&self) -> Option<Doubt> {
        let mebibytes = self.beyond.0 >> 20;
        let words = format!("the heap's own counters come to {mebibytes} MiB more than there are in RAM");
        (mebibytes > 0).then(|| Doubt::remark(words))
    }

    /// What maps count of entries that is not in RAM.
    pub(super) fn entries_beyond_ram(&self) -> Option<Doubt> {
        let mebibytes = self.entries_beyond.0 >> 20;
        let words = format!("the entries behind tables come to {mebibytes} MiB more than there are in RAM");
        (mebibytes > 0).then(|| Doubt::remark(words))
    }
}

/// On the way down.
struct Climb {
    rest: Bytes,
    ladder: Ladder,
}

impl Climb {
    /// A row cannot explain more than there is: answers what it would beyond that.
    fn row(&mut self, name: &str, bytes: Option<Bytes>, evidence: &str) -> Bytes {
        let Some(bytes) = bytes else { return Bytes(0) };
        let in_ram = bytes.min(self.rest);
        self.rest = self.rest.less(in_ram);
        self.ladder.rungs.push(rung(name, in_ram, evidence));
        bytes.less(in_ram)
    }

    /// A row that a heap counts.
    fn counted(&mut self, name: &str, bytes: Option<Bytes>) {
        let beyond = self.row(name, bytes, COUNTERS);
        self.ladder.beyond += beyond;
    }

    fn tables(&mut self, parts: Option<Parts>) {
        let Some(Parts { current, old, rest }) = parts else { return };
        for (name, bytes) in OF_MAPS.into_iter().zip([current, old, rest]) {
            self.row(name, Some(bytes), PAGES);
        }
    }

    fn beside(&mut self, beside: Beside) {
        self.row("main thread's stack", beside.stack, PAGES);
        self.row("data of program and libraries", beside.data, PAGES);
        self.row("runtime's own memory", beside.runtime, PAGES);
    }

    /// They are taken to be in RAM. What a C library's allocator has in `[heap]` is less by them.
    fn entries(&mut self, entries: Bytes) {
        let some = Some(entries).filter(|bytes| *bytes > Bytes(0));
        self.ladder.entries_beyond = self.row(ENTRIES, some, COUNTED);
    }

    /// Maps that the page map was not asked for were counted at another moment than the heap, so together they are
    /// no more than it.
    fn managed(&mut self, heap: Kept, maps: Held) {
        if let Some(in_use) = heap.in_use {
            let some = |bytes: Bytes| Some(bytes.min(in_use)).filter(|bytes| *bytes > Bytes(0));
            self.row("maps that nothing refers to", some(maps.waiting), SIZES);
            self.row(UNLOOKED, some(maps.unlooked), SIZES);
            self.row(SMALL, Some(maps.small.min(in_use)), SIZES);
            self.counted("other heap in use", Some(in_use.less(maps.of_heap)));
        }
        self.counted("heap free and kept", heap.free);
        self.counted("stacks", heap.stacks);
    }

    /// Where nobody tells of a heap, small maps and entries are in the memory of the C library's allocator, as far
    /// as it has so much: what goes beyond it is in mappings of its own.
    fn unmanaged(&mut self, heap: Bytes, maps: Held) {
        let small = (maps.small + maps.unlooked).min(heap);
        self.row(SMALL, Some(small), SIZES);
        self.row(OF_ALLOCATOR, Some(heap.less(small).less(maps.entries)), PAGES);
    }
}

fn rung(name: &str, bytes: Bytes, evidence: &str) -> Rung {
    Rung { name: name.to_owned(), bytes, evidence: evidence.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact;
    use crate::audit::unit::Nanos;

    fn memory(anon: u64) -> Memory {
        let mut memory = Memory::default();
        let seen =
            fact::Memory { anon: Bytes(anon), file: Bytes(20), shmem: Bytes(3), ..fact::Memory::default() };
        memory.read(Nanos(1), &seen, false);
        memory
    }

    fn heap(in_use: u64) -> Option<Kept> {
        Some(Kept { in_use: Some(Bytes(in_use)), free: Some(Bytes(30)), stacks: Some(Bytes(10)) })
    }

    fn shown(ladder: &Ladder) -> Vec<(&str, u64)> {
        ladder.rungs.iter().map(|rung| (rung.name.as_str(), rung.bytes.0)).collect()
    }

    fn maps() -> Held {
        let looked_at = Some(Parts { current: Bytes(60), old: Bytes(15), rest: Bytes(5) });
        let (waiting, unlooked, small) = (Bytes(50), Bytes(0), Bytes(20));
        Held { looked_at, waiting, unlooked, small, of_heap: Bytes(170), ..Held::default() }
    }

    const BESIDE: Beside =
        Beside { heap: None, stack: Some(Bytes(4)), data: Some(Bytes(6)), runtime: Some(Bytes(8)) };

    #[test]
    fn no_reading_gives_no_row() {
        let sources = Sources { heap: heap(5), maps: maps(), ..Sources::default() };
        assert_eq!(ladder(&Memory::default(), sources), Ladder::default());
    }

    #[test]
    fn the_rows_add_up_to_the_last_rss() {
        let rows = ladder(&memory(7), Sources::default());
        assert_eq!(shown(&rows), [("file pages", 20), ("shared memory", 3), (UNEXPLAINED, 7)]);
    }

    #[test]
    fn a_heap_that_tells_of_itself_is_told_apart_from_its_maps_and_what_lies_beside_it() {
        let lazily_freed = Some(Bytes(2));
        let sources = Sources { heap: heap(220), maps: maps(), beside: Some(BESIDE), lazily_freed };
        let rows = ladder(&memory(300), sources);
        let expected = [
            ("file pages", 20),
            ("shared memory", 3),
            (TABLES, 60),
            ("old tables", 15),
            ("overflow and directories", 5),
            ("main thread's stack", 4),
            ("data of program and libraries", 6),
            ("runtime's own memory", 8),
            ("maps that nothing refers to", 50),
            ("small maps", 20),
            ("other heap in use", 50),
            ("heap free and kept", 30),
            ("stacks", 10),
            ("lazily freed", 2),
            (UNEXPLAINED, 40),
        ];
        assert_eq!((shown(&rows).as_slice(), rows.beyond), (expected.as_slice(), Bytes(0)));
        assert!(are_in_order(&rows));
    }

    /// Whether they are rows of [`ROWS`], in its order.
    fn are_in_order(ladder: &Ladder) -> bool {
        let mut all = ROWS.iter();
        ladder.rungs.iter().all(|rung| all.any(|name| *name == rung.name))
    }

    #[test]
    fn a_row_says_by_what_it_is_known() {
        let sources = Sources { heap: heap(220), maps: maps(), beside: Some(BESIDE), ..Sources::default() };
        let rows = ladder(&memory(300), sources).rungs;
        let of = |name: &str| rows.iter().find(|rung| rung.name == name).map(|rung| rung.evidence.as_str());
        let names = ["file pages", TABLES, "small maps", "heap free and kept", UNEXPLAINED];
        let known = [STATUS, PAGES, SIZES, COUNTERS, REST];
        assert_eq!(names.map(of), known.map(Some));
    }

    #[test]
    fn without_a_managed_heap_small_maps_are_in_the_allocators_memory() {
        let beside = Beside { heap: Some(Bytes(90)), runtime: None, ..BESIDE };
        let held = Held { waiting: Bytes(0), ..maps() };
        let rows = ladder(&memory(200), Sources { maps: held, beside: Some(beside), ..Sources::default() });
        let own = &shown(&rows)[5..];
        let expected = [
            ("main thread's stack", 4),
            ("data of program and libraries", 6),
            ("small maps", 20),
            ("allocator's memory ([heap])", 70),
            (UNEXPLAINED, 20),
        ];
        assert_eq!(own, expected);
        assert!(are_in_order(&rows));
        let unknown = ladder(&memory(200), Sources { maps: held, ..Sources::default() });
        assert_eq!(shown(&unknown)[5..], [(UNEXPLAINED, 120)], "they may be anywhere");
    }

    #[test]
    fn entries_behind_tables_are_taken_out_of_the_allocators_memory_and_no_row_is_negative() {
        let rows = |heap: Option<u64>, entries| {
            let beside = Beside { heap: heap.map(Bytes), runtime: None, ..BESIDE };
            let held = Held { waiting: Bytes(0), entries: Bytes(entries), ..maps() };
            let rows =
                ladder(&memory(200), Sources { maps: held, beside: Some(beside), ..Sources::default() });
            assert!(are_in_order(&rows));
            assert_eq!(rows.rungs.iter().map(|rung| rung.bytes.0).sum::<u64>(), 223);
            let of = |name| shown(&rows).iter().find(|row| row.0 == name).map(|row| row.1);
            ([ENTRIES, SMALL, OF_ALLOCATOR, UNEXPLAINED].map(of), rows.entries_beyond.0)
        };
        assert_eq!(rows(Some(90), 0), ([None, Some(20), Some(70), Some(20)], 0));
        assert_eq!(rows(Some(90), 50), ([Some(50), Some(20), Some(20), Some(20)], 0));
        assert_eq!(rows(Some(90), 85), ([Some(85), Some(20), Some(0), Some(5)], 0));
        assert_eq!(rows(Some(90), 400), ([Some(110), Some(0), Some(0), Some(0)], 290));
        assert_eq!(rows(None, 50), ([Some(50), None, None, Some(60)], 0), "they may be anywhere");
    }

    #[test]
    fn entries_are_beside_a_managed_heap_and_take_nothing_of_its_rows() {
        let held = Held { entries: Bytes(25), ..maps() };
        let sources = |maps| Sources { heap: heap(220), maps, beside: Some(BESIDE), ..Sources::default() };
        let [without, with] = [maps(), held].map(|maps| ladder(&memory(300), sources(maps)));
        let others: Vec<_> = shown(&with).into_iter().filter(|row| row.0 != ENTRIES).collect();
        let (last, before) = shown(&without).split_last().map(|(last, all)| (last.1, all.to_vec())).unwrap();
        assert_eq!(others, [before, vec![(UNEXPLAINED, last - 25)]].concat());
        assert_eq!(of_maps(&with.rungs), Bytes(60 + 15 + 5 + 20 + 25));
    }

    #[test]
    fn what_the_heap_counts_beyond_rss_is_not_in_ram_and_no_row_is_negative() {
        let rows = ladder(&memory(120), Sources { heap: heap(370), maps: maps(), ..Sources::default() });
        let sum: u64 = rows.rungs.iter().map(|rung| rung.bytes.0).sum();
        // 150 are the maps' and 200 other objects, 40 free and stacks, of which minus 30 are left.
        assert_eq!((sum, rows.beyond), (143, Bytes(240)));
        assert_eq!(rows.rungs.last().unwrap().bytes, Bytes(0));
    }

    #[test]
    fn maps_that_were_counted_when_the_heap_was_larger_are_no_more_than_it() {
        let held = Held { looked_at: None, unlooked: Bytes(500), ..maps() };
        let rows = ladder(&memory(1000), Sources { heap: heap(120), maps: held, ..Sources::default() });
        assert!(shown(&rows).contains(&("maps not asked for", 120)) && are_in_order(&rows));
        assert!(shown(&rows).contains(&("other heap in use", 0)));
    }
}
