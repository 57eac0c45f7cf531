//! What the rules say of each incident: maps that live through it, told fact by fact as they would be
//! while the audit watches, and the first finding.

use super::made::{SECOND, fact, with_hooks};
use crate::audit::Audit;
use crate::audit::fact::{
    Allocate, Counted, Ended, Fact, Free, Grow, GrowthKind, Heap, Look, Memory, Next, Occasion, Part,
    Progress, Shape, What,
};
use crate::audit::report::{Finding, Report, Severity, Verdict};
use crate::audit::unit::{Address, Bytes, Nanos};

const MIB: u64 = 1 << 20;
/// Bytes of a bucket: 8 slots, their tophashes, 8 keys and 8 values, a pointer.
const BUCKET: u64 = 144;

/// A map as the demo has them.
#[derive(Clone)]
struct Demo {
    address: u64,
    live: u64,
    log2: u32,
    overflow: u64,
    counted: Counted,
    tables: u64,
    moving: Option<Progress>,
}

/// What is being played.
struct Play {
    audit: Audit,
    at: u64,
    maps: Vec<Demo>,
    other_memory: u64,
    limit: Option<Bytes>,
}

fn log2_for(entries: u64) -> u32 {
    (0..48).find(|log2| entries * 2 <= 13 << log2).unwrap_or(48)
}

impl Demo {
    fn new(address: u64) -> Self {
        let counted = Counted::default();
        Self { address, live: 0, log2: 0, overflow: 0, counted, tables: 0, moving: None }
    }

    fn bytes(log2: u32, overflow: u64) -> u64 {
        ((1 << log2) + overflow) * BUCKET
    }

    fn shape(&self) -> Shape {
        let old = if self.moving.is_some() { Self::bytes(self.log2 - 1, 0) } else { 0 };
        Shape {
            live: self.live,
            capacity: 8 << self.log2,
            overflow: Some(self.overflow),
            table: Some(Address(self.address + self.tables * 16)),
            old_table: self.moving.map(|_| Address(self.address + (self.tables - 1) * 16)),
            allocated: Bytes(128 + Self::bytes(self.log2, self.overflow) + old),
            old_bytes: Bytes(old),
            needed: Some(Bytes(128 + Self::bytes(log2_for(self.live), 0))),
            evacuation: self.moving,
            counted: Some(self.counted),
            next: Some(Next {
                slots: 16 << self.log2,
                at_live: (13 << self.log2) / 2 + 1,
                tables: Bytes(Self::bytes(self.log2 + 1, 0)),
            }),
            ..Shape::default()
        }
    }
}

impl Play {
    fn new() -> Self {
        let hooks = ["demo_map_allocate", "demo_map_grow", "demo_map_evacuate", "demo_map_free", "sys_exit"];
        Self { audit: with_hooks(&hooks), at: 1, maps: Vec::new(), other_memory: 4 * MIB, limit: None }
    }

    fn tell(&mut self, what: What) {
        self.at += 1;
        self.audit.apply(&fact(self.at, what));
    }

    /// A new map with room for so many.
    fn map(&mut self, room: u64) -> usize {
        let mut map = Demo::new(0x10_0000 + self.maps.len() as u64 * 0x1000);
        map.log2 = log2_for(room);
        self.maps.push(map);
        let number = self.maps.len() - 1;
        self.ask(number, None);
        number
    }

    fn ask(&mut self, number: usize, took: Option<Nanos>) {
        let map = &mut self.maps[number];
        map.tables += 1;
        let allocate = Allocate {
            map: Address(map.address),
            table: Some(Address(map.address + map.tables * 16)),
            bytes: Bytes(Demo::bytes(map.log2, 0)),
            part: Part::Buckets,
            stack: None,
            took,
        };
        self.tell(What::Allocate(allocate));
    }

    fn let_go(&mut self, number: usize, log2: u32) {
        let map = &self.maps[number];
        let free = Free {
            map: Address(map.address),
            table: Address(map.address + (map.tables - 1) * 16),
            bytes: Bytes(Demo::bytes(log2, 0)),
            shape: None,
        };
        self.tell(What::Free(free));
    }

    /// Starts a growth; the entries are still to be moved.
    fn begin_growth(&mut self, number: usize, kind: GrowthKind) {
        let map = &mut self.maps[number];
        let from = 1_u64 << map.log2;
        map.log2 += u32::from(kind == GrowthKind::Double);
        map.overflow = 0;
        map.moving = Some(Progress { moved: 0, total: from });
        let grow = Grow {
            map: Address(map.address),
            kind,
            from,
            to: 1 << map.log2,
            live: Some(map.live),
            bytes: None,
            stack: None,
        };
        self.tell(What::Grow(grow));
        self.ask(number, None);
    }

    fn grow(&mut self, number: usize, kind: GrowthKind) {
        self.begin_growth(number, kind);
        let log2 = self.maps[number].log2 - u32::from(kind == GrowthKind::Double);
        self.let_go(number, log2);
        self.maps[number].moving = None;
    }

    /// Puts keys in, with the growths that they take.
    fn insert(&mut self, number: usize, entries: u64) {
        let goal = self.maps[number].live + entries;
        self.maps[number].counted.insert += entries;
        while goal * 2 > 13 << self.maps[number].log2 {
            self.maps[number].live = (13 << self.maps[number].log2) / 2 + 1;
            self.grow(number, GrowthKind::Double);
        }
        self.maps[number].live = goal;
    }

    fn delete(&mut self, number: usize, entries: u64) {
        self.maps[number].live -= entries;
        self.maps[number].counted.delete += entries;
    }

    /// The first map lets its table go for good.
    fn drop_first(&mut self) {
        let old = self.maps.remove(0);
        let last = Free {
            map: Address(old.address),
            table: Address(old.address + old.tables * 16),
            bytes: Bytes(Demo::bytes(old.log2, 0)),
            shape: Some(Box::new(Shape { dropped: true, ..old.shape() })),
        };
        self.tell(What::Free(last));
    }

    /// Some time passes, with a poll and a tick each second.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.at += SECOND;
            for map in self.maps.clone() {
                let look = Look {
                    map: Address(map.address),
                    occasion: Occasion::Poll,
                    runtime: "demo".to_owned(),
                    shape: map.shape().into(),
                    name: Some(format!("map {:#x}", map.address)),
                };
                self.tell(What::Look(look));
            }
            let held: u64 = self.maps.iter().map(|map| map.shape().allocated.0).sum();
            let anon = Bytes(held + self.other_memory);
            self.tell(What::Memory(Memory { anon, limit: self.limit, ..Memory::default() }));
            self.tell(What::Tick);
        }
    }

    fn report(&self) -> Report {
        self.audit.report()
    }

    fn end(mut self) -> Report {
        self.tell(What::Ended(Ended::Stopped));
        self.report()
    }
}

fn filled(entries: u64) -> Play {
    let mut play = Play::new();
    let map = play.map(0);
    for _ in 0..4 {
        play.insert(map, entries / 4);
        play.pass(1);
    }
    play
}

fn grow_then_delete() -> Report {
    let mut play = filled(1_000_000);
    play.delete(0, 990_000);
    play.pass(7);
    play.end()
}

fn sliding_window() -> Report {
    let mut play = filled(800_000);
    for _ in 0..8 {
        play.insert(0, 40_000);
        play.delete(0, 40_000);
        play.maps[0].overflow += 9_000;
        play.pass(1);
    }
    play.end()
}

fn stalled_evacuation() -> Report {
    let mut play = filled(851_969);
    play.begin_growth(0, GrowthKind::Double);
    play.maps[0].moving = Some(Progress { moved: 40_000, total: 131_072 });
    play.pass(8);
    play.end()
}

fn burst() -> Report {
    let mut play = Play::new();
    let maps: Vec<usize> = (0..250).map(|_| play.map(1000)).collect();
    maps.iter().for_each(|map| play.insert(*map, 1000));
    play.pass(3);
    maps.iter().for_each(|map| play.insert(*map, 3000));
    play.pass(1);
    play.end()
}

fn many_small() -> Report {
    let mut play = Play::new();
    for number in 0..1000 {
        let map = play.map(1000);
        play.insert(map, if number % 4 == 3 { 63 } else { 1000 });
    }
    play.pass(7);
    play.end()
}

fn presized() -> Report {
    let mut play = Play::new();
    let map = play.map(500_000);
    play.insert(map, 100);
    play.pass(7);
    play.end()
}

fn leak() -> Report {
    let mut play = Play::new();
    let map = play.map(0);
    for _ in 0..90 {
        play.insert(map, 5_000);
        play.pass(1);
    }
    play.end()
}

fn churn() -> Report {
    let mut play = filled(300_000);
    for _ in 0..6 {
        play.insert(0, 60_000);
        play.delete(0, 60_000);
        play.pass(1);
    }
    play.end()
}

fn bad_hash() -> Report {
    let mut play = filled(800_000);
    play.maps[0].overflow = 92_000;
    play.pass(2);
    play.end()
}

fn rebuild() -> Report {
    let mut play = filled(1_000_000);
    play.delete(0, 990_000);
    let new = play.map(10_000);
    play.insert(new, 10_000);
    play.drop_first();
    play.pass(7);
    play.end()
}

fn first(report: &Report) -> Option<&str> {
    report.findings.first().map(|finding| finding.rule.as_str())
}

fn finding<'a>(report: &'a Report, rule: &str) -> Option<&'a Finding> {
    report.findings.iter().find(|finding| finding.rule == rule)
}

#[test]
fn the_first_finding_of_each_incident_is_the_one_it_is_about() {
    type Row = (&'static str, fn() -> Report, Option<&'static str>);
    let rows: [Row; 11] = [
        ("grow_then_delete", grow_then_delete, Some("never_shrinks")),
        ("sliding_window", sliding_window, Some("grew_without_more_live")),
        ("stalled_evacuation", stalled_evacuation, Some("stalled_evacuation")),
        ("burst", burst, Some("avalanche")),
        ("many_small", many_small, Some("many_small")),
        ("presized", presized, Some("presized_and_empty")),
        ("leak", leak, Some("key_leak")),
        ("churn", churn, Some("churn")),
        ("bad_hash", bad_hash, Some("bad_hash")),
        ("rebuild", rebuild, None),
        ("steady", || steady(7), None),
    ];
    for (incident, play, expected) in rows {
        let report = play();
        let first = first(&report).filter(|_| {
            expected.is_some() || report.findings.iter().any(|finding| finding.severity != Severity::Info)
        });
        assert_eq!(first, expected, "{incident}: {:#?}", report.findings);
    }
}

/// Chance that is the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Presized maps under even load, with keys that leave and come back.
fn steady(seed: u64) -> Report {
    let mut chance = Chance(seed);
    let mut play = Play::new();
    let entries = 20_000 + chance.below(800_000);
    let map = play.map(entries + entries / 20);
    for _ in 0..4 {
        play.insert(map, entries / 4);
        play.pass(1 + chance.below(2));
    }
    for _ in 0..20 + chance.below(100) {
        let out = chance.below(entries / 500);
        play.delete(map, out);
        play.pass(1);
        play.insert(map, out);
    }
    play.end()
}

/// From nothing, doubling by doubling, at any pace.
fn grow(seed: u64) -> Report {
    let mut chance = Chance(seed);
    let mut play = Play::new();
    play.limit = Some(Bytes((2 + chance.below(30)) << 30));
    let map = play.map(0);
    for _ in 0..5 + chance.below(80) {
        let entries = chance.below(60_000);
        play.insert(map, entries);
        play.pass(1 + chance.below(2));
    }
    play.end()
}

#[test]
fn health_is_not_blamed() {
    for seed in 0..20 {
        let report = steady(seed);
        assert_eq!(report.findings, [], "{seed}");
        assert_eq!(report.maps[0].verdict, Some(Verdict::InUse), "{seed}");
    }
}

#[test]
fn growing_is_not_critical_and_no_waste() {
    for seed in 0..20 {
        let report = grow(seed);
        let critical = report.findings.iter().find(|finding| finding.severity == Severity::Critical);
        assert_eq!(critical, None, "{seed}");
        for rule in ["never_shrinks", "oversized", "presized_and_empty", "stalled_evacuation", "bad_hash"] {
            assert_eq!(finding(&report, rule), None, "{seed}");
        }
    }
}

#[test]
fn waste_is_too_early_to_tell_while_a_map_was_hardly_left_alone() {
    let mut play = filled(1_000_000);
    play.delete(0, 990_000);
    play.pass(2);
    let report = play.report();
    assert_eq!(finding(&report, "never_shrinks"), None);
    assert!(report.undecided.iter().any(|undecided| undecided.rule == "never_shrinks"));
    assert_eq!(report.maps[0].verdict, Some(Verdict::TooEarly));
    play.pass(4);
    assert!(finding(&play.report(), "never_shrinks").is_some());
}

#[test]
fn a_map_that_fills_again_is_not_waste() {
    let mut play = filled(1_000_000);
    play.delete(0, 990_000);
    for _ in 0..8 {
        play.insert(0, 60_000);
        play.pass(1);
    }
    let report = play.report();
    assert!(report.maps[0].live < report.maps[0].capacity.map(|capacity| capacity / 4));
    assert_eq!(finding(&report, "never_shrinks"), None);
    assert_eq!(report.maps[0].verdict, Some(Verdict::InUse));
}

#[test]
fn a_verdict_says_how_soon_and_how_much() {
    let report = grow_then_delete();
    let map = &report.maps[0];
    assert_eq!(map.verdict, Some(Verdict::StrandedUntilRebuilt));
    let frees = map.outlook.as_ref().and_then(|outlook| outlook.frees);
    assert_eq!(frees, Some(map.bytes.allocated.unwrap().less(map.bytes.needed.unwrap())));
    assert_eq!(
        (report.memory.verdict, finding(&report, "never_shrinks").unwrap().reclaimable),
        (map.verdict, frees)
    );
    let report = stalled_evacuation();
    assert_eq!(report.maps[0].verdict, Some(Verdict::Stalled));
    assert_eq!(
        report.maps[0].outlook.as_ref().and_then(|outlook| outlook.frees),
        report.maps[0].bytes.old_table
    );
}

#[test]
fn an_evacuation_that_goes_on_is_coming_back_and_no_finding() {
    let mut play = filled(851_969);
    play.begin_growth(0, GrowthKind::Double);
    for moved in 1..=8 {
        play.maps[0].moving = Some(Progress { moved: moved * 10_000, total: 131_072 });
        play.pass(1);
    }
    let report = play.report();
    assert_eq!(finding(&report, "stalled_evacuation"), None);
    assert_eq!(report.maps[0].verdict, Some(Verdict::ComingBackNow));
    let within = report.maps[0].outlook.as_ref().and_then(|outlook| outlook.expected_within).unwrap();
    assert!((4 * SECOND..6 * SECOND).contains(&within.0), "{within:?}");
}

#[test]
fn garbage_comes_back_with_the_next_cycle_and_is_never_blamed() {
    let mut play = filled(1_000_000);
    play.delete(0, 990_000);
    let described = crate::audit::fact::Described {
        map: Address(play.maps[0].address),
        type_name: None,
        candidates: vec![],
        owner: None,
        reachable: Some(false),
    };
    play.tell(What::Described(Box::new(described)));
    play.pass(8);
    let report = play.report();
    assert_eq!(report.maps[0].verdict, Some(Verdict::AfterNextGc));
    assert_eq!(report.memory.verdict, Some(Verdict::AfterNextGc));
    assert_eq!(report.findings.iter().filter(|finding| finding.map.is_some()).count(), 0);
}

fn with_heap(heap: Heap, rss: u64) -> Report {
    of_go("go1.20.14", heap, rss)
}

/// What is said of a heap of that release.
fn of_go(version: &str, heap: Heap, rss: u64) -> Report {
    let mut play = Play::new();
    play.other_memory = rss;
    let (name, evidence) = ("go_bucket".to_owned(), "build information".to_owned());
    let runtime = crate::audit::fact::Runtime {
        version: Some(version.to_owned()),
        name: name.clone(),
        evidence,
        verified: Some(true),
    };
    play.tell(What::Runtime(runtime));
    play.tell(What::Heap(Box::new(Heap { runtime: name, ..heap })));
    play.pass(6);
    play.report()
}

fn mostly_free() -> Heap {
    Heap {
        in_use: Some(Bytes(20 * MIB)),
        allocated: Some(Bytes(15 * MIB)),
        free: Some(Bytes(180 * MIB)),
        goal: Some(Bytes(20 * MIB)),
        percent: Some(100),
        ..Heap::default()
    }
}

/// Verdict on RSS, how soon in s, how much in MiB.
fn outlook(report: &Report) -> (Verdict, Option<u64>, Option<u64>) {
    let outlook = report.memory.outlook.as_ref().unwrap();
    let seconds = outlook.expected_within.map(|within| within.0 / SECOND);
    (report.memory.verdict.unwrap(), seconds, outlook.frees.map(|frees| frees.0 / MIB))
}

#[test]
fn a_heap_that_is_free_comes_back_unless_it_was_given_back_lazily() {
    let report = with_heap(mostly_free(), 210 * MIB);
    assert_eq!(outlook(&report), (Verdict::ComingBackNow, Some(10), Some(178)));
    let lazily = Heap {
        free: Some(Bytes(0)),
        released: Some(Bytes(180 * MIB)),
        gives_back_lazily: Some(true),
        ..mostly_free()
    };
    let report = with_heap(lazily, 210 * MIB);
    assert_eq!(outlook(&report), (Verdict::LazilyFreed, None, Some(180)));
    assert_eq!(finding(&report, "lazily_freed_is_not_a_leak").map(|it| it.severity), Some(Severity::Info));
}

#[test]
fn what_was_full_before_the_last_cycle_waits_for_the_next_one_from_go_1_21_on() {
    for (version, within) in [("go1.20.14", 10), ("go1.21.0", 130), ("go1.27rc1", 130), ("devel", 130)] {
        let report = of_go(version, mostly_free(), 210 * MIB);
        assert_eq!(outlook(&report), (Verdict::ComingBackNow, Some(within), Some(178)), "{version}");
    }
}

#[test]
fn what_the_scavenger_leaves_alone_decides_whether_a_cycle_is_waited_for() {
    let waits = |waits: u64| Heap { waits: Some(Bytes(waits * MIB)), ..mostly_free() };
    // 178 of 180 MiB are to go: 2 MiB that wait are not missed, and 5 are too little to wait for.
    for (megabytes, within) in [(0, 10), (2, 10), (5, 10), (60, 130), (180, 130)] {
        let report = of_go("go1.27.1", waits(megabytes), 210 * MIB);
        assert_eq!(outlook(&report), (Verdict::ComingBackNow, Some(within), Some(178)), "{megabytes}");
    }
    let report = of_go("go1.27.1", waits(60), 210 * MIB);
    let why = report.memory.outlook.unwrap().mechanism;
    assert!(why.contains("120.0 MiB in some 10 s") && why.contains("58.0 MiB, at which"), "{why}");
    let old = of_go("go1.19.8", Heap { waits: None, ..mostly_free() }, 210 * MIB);
    assert_eq!(outlook(&old), (Verdict::ComingBackNow, Some(10), Some(178)));
}

#[test]
fn without_a_cycle_that_comes_by_itself_nothing_is_promised_in_time() {
    let off = Heap { percent: None, goal: None, ..mostly_free() };
    assert_eq!(outlook(&with_heap(off, 210 * MIB)), (Verdict::AfterNextGc, None, Some(180)));
}

#[test]
fn a_heap_that_will_give_back_lazily_does_not_come_back_either() {
    let lazily = Heap { gives_back_lazily: Some(true), ..mostly_free() };
    let report = with_heap(lazily, 210 * MIB);
    assert_eq!(outlook(&report), (Verdict::LazilyFreed, None, Some(178)));
    assert_eq!(finding(&report, "lazily_freed_is_not_a_leak"), None);
}

#[test]
fn of_pages_left_to_the_kernel_its_own_count_decides() {
    let mut play = Play::new();
    play.other_memory = 210 * MIB;
    let heap = Heap {
        free: Some(Bytes(0)),
        released: Some(Bytes(180 * MIB)),
        gives_back_lazily: Some(true),
        ..mostly_free()
    };
    play.tell(What::Heap(Box::new(heap)));
    play.tell(What::LazilyFreed(Bytes(150 * MIB)));
    play.pass(6);
    assert_eq!(outlook(&play.report()), (Verdict::LazilyFreed, None, Some(150)));
}

#[test]
fn room_between_objects_is_fragmentation() {
    let heap = |allocated| Heap {
        in_use: Some(Bytes(200 * MIB)),
        allocated: Some(Bytes(allocated * MIB)),
        ..Heap::default()
    };
    let report = with_heap(heap(60), 220 * MIB);
    assert_eq!(finding(&report, "fragmentation").unwrap().reclaimable, Some(Bytes(140 * MIB)));
    assert_eq!(finding(&with_heap(heap(120), 220 * MIB), "fragmentation"), None);
}

#[test]
fn a_collector_that_stops_the_world_for_long_is_told_by_the_last_minute() {
    let mut play = Play::new();
    for second in 0..70_u64 {
        let heap = Heap {
            runtime: "go_swiss".to_owned(),
            cycles: Some(second * 3),
            pause_total: Some(Nanos(second * 15_000_000)),
            ..Heap::default()
        };
        play.tell(What::Heap(Box::new(heap)));
        play.pass(1);
        if second == 5 {
            assert_eq!(finding(&play.report(), "gc_pressure"), None);
        }
    }
    let report = play.report();
    let summary = &finding(&report, "gc_pressure").unwrap().summary;
    assert!(summary.contains("179 times a minute") && summary.contains("900.0 ms"), "{summary}");
}

#[test]
fn what_was_let_go_and_did_not_go_back_is_the_allocators() {
    let after = |stays: u64| {
        let mut play = filled(1_000_000);
        play.drop_first();
        play.other_memory += stays;
        play.pass(3);
        play.report()
    };
    let table = Demo::bytes(18, 0);
    let report = after(table);
    assert_eq!(finding(&report, "allocator_retention").unwrap().reclaimable, Some(Bytes(table)));
    assert_eq!(report.memory.verdict, Some(Verdict::HeldByAllocator));
    assert_eq!(finding(&after(0), "allocator_retention"), None);
}

#[test]
fn what_the_allocator_keeps_in_the_break_is_explained_and_kept_nevertheless() {
    let after = |stays: u64| {
        let mut play = filled(1_000_000);
        play.drop_first();
        play.other_memory += stays;
        let beside = crate::audit::fact::Beside { heap: Some(Bytes(stays)), ..Default::default() };
        play.tell(What::Beside(beside));
        play.pass(3);
        play.report()
    };
    let table = Demo::bytes(18, 0);
    assert_eq!(after(table).memory.verdict, Some(Verdict::HeldByAllocator));
    assert_eq!(after(0).memory.verdict, Some(Verdict::InUse));
}

/// What a map counts of its entries has a row of its own: the allocator does not keep it.
#[test]
fn entries_that_took_the_place_of_a_table_are_not_kept_by_the_allocator() {
    let table = Demo::bytes(18, 0);
    let after = |entries: (u64, u64)| {
        let mut play = filled(1_000_000);
        play.drop_first();
        play.other_memory += table;
        let (allocated, entries, behind) = (Bytes(100 + entries.0), Bytes(entries.0), Bytes(entries.1));
        let shape = Shape { live: 9, capacity: 9, allocated, entries, behind, ..Shape::default() };
        let (runtime, occasion) = ("demo".to_owned(), Occasion::AtAttach);
        play.tell(What::Look(Look {
            map: Address(0x77_0000),
            occasion,
            runtime,
            shape: Box::new(shape),
            name: None,
        }));
        play.pass(3);
        play.report()
    };
    let kept = |entries| finding(&after(entries), "allocator_retention").map(|it| it.reclaimable.unwrap());
    assert_eq!(kept((0, 0)), Some(Bytes(table - 100)));
    let rest = 30 * MIB + Play::new().other_memory;
    // The row has more than this map holds, so that nothing of it is taken to lie elsewhere: the bound is higher by that.
    assert_eq!(kept((0, table - 30 * MIB)), Some(Bytes(rest)));
    assert_eq!([(0, table), (table, 0), (table / 2, table / 2)].map(kept), [None; 3]);
}

#[test]
fn an_allocator_that_is_known_is_named_with_its_own_remedy_alone() {
    let remedy = |allocator: Option<&str>| {
        let mut play = filled(1_000_000);
        allocator.into_iter().for_each(|name| play.tell(What::Allocator(name.to_owned())));
        play.drop_first();
        play.other_memory += Demo::bytes(18, 0);
        play.pass(3);
        let report = play.report();
        let mechanism = report.memory.outlook.as_ref().unwrap().mechanism.clone();
        (finding(&report, "allocator_retention").unwrap().remedy.clone(), mechanism)
    };
    let own = [
        ("glibc", "malloc_trim"),
        ("jemalloc", "background_thread"),
        ("tcmalloc", "ReleaseFreeMemory"),
        ("mimalloc", "mi_collect"),
    ];
    for (name, way) in own {
        let (told, mechanism) = remedy(Some(name));
        assert!(told.contains(name) && mechanism.contains(name), "{told} {mechanism}");
        let ways: Vec<&str> = own.into_iter().map(|(_, way)| way).filter(|way| told.contains(way)).collect();
        assert_eq!(ways, [way], "{told}");
    }
    for unknown in [None, Some("dlmalloc")] {
        let (told, _) = remedy(unknown);
        assert!(own.into_iter().all(|(name, way)| told.contains(name) && told.contains(way)), "{told}");
    }
}

#[test]
fn tables_that_a_map_grew_out_of_prove_nothing_against_the_allocator() {
    let mut play = filled(1_000_000);
    play.other_memory = 80 * MIB;
    play.pass(3);
    let report = play.report();
    assert_eq!(finding(&report, "allocator_retention"), None);
    assert_eq!(report.memory.verdict, Some(Verdict::InUse));
}

#[test]
fn maps_that_double_one_after_the_other_are_no_avalanche() {
    let mut play = Play::new();
    for _ in 0..100 {
        let map = play.map(3000);
        play.insert(map, 9000);
        play.drop_first();
    }
    play.pass(3);
    let report = play.report();
    assert!(report.episodes.len() >= 100);
    assert_eq!(finding(&report, "avalanche"), None);
}

#[test]
fn rss_that_rises_without_the_maps_is_something_else() {
    let mut play = filled(100_000);
    for _ in 0..20 {
        play.other_memory += 6 * MIB;
        play.pass(1);
    }
    let report = play.report();
    assert_eq!(finding(&report, "not_a_map").map(|it| it.severity), Some(Severity::Warning));
    assert_eq!(finding(&grow_then_delete(), "not_a_map"), None);
}

#[test]
fn a_slow_call_for_a_table_is_worth_a_line() {
    let mut play = Play::new();
    let map = play.map(0);
    play.ask(map, Some(Nanos(9_000_000)));
    assert_eq!(finding(&play.report(), "growth_stall"), None);
    play.ask(map, Some(Nanos(25_000_000)));
    let report = play.report();
    assert!(finding(&report, "growth_stall").unwrap().summary.contains("25.0 ms"));
}

#[test]
fn a_storm_of_tables_is_told_by_its_rate() {
    let mut play = filled(1_000);
    for _ in 0..25_000 {
        play.ask(0, None);
    }
    play.pass(2);
    assert!(finding(&play.report(), "growth_storm").unwrap().summary.contains("a second"));
}

#[test]
fn expectations_turn_a_number_into_a_leak() {
    let mut play = filled(2_000);
    play.tell(What::Rules("[expect]\n\"map 0x100000\" = 1000\n".to_owned()));
    let report = play.report();
    assert!(finding(&report, "key_leak").unwrap().summary.contains("2,000 entries where 1,000 are expected"));
    play.tell(What::Rules("[expect]\n\"map 0x100000\" = 2000\n".to_owned()));
    assert_eq!(finding(&play.report(), "key_leak"), None);
}

#[test]
fn thresholds_of_a_recording_count_and_wrong_ones_are_noted() {
    let mut play = filled(1_000_000);
    play.delete(0, 990_000);
    play.pass(2);
    play.tell(What::Rules("[watch]\nquiet = \"1s\"\n".to_owned()));
    assert!(finding(&play.report(), "never_shrinks").is_some());
    play.tell(What::Rules("[watch]\nquiet = 7\n".to_owned()));
    let notes = play.report().coverage.notes.join(" ");
    assert!(notes.contains("were not taken") && notes.contains("line 2"), "{notes}");
}

#[test]
fn a_growth_that_does_not_fit_under_the_limit_is_critical_when_it_is_near() {
    let mut report = filled(800_000).end();
    report.memory.headroom = Some(Bytes(MIB));
    let next = crate::audit::report::NextGrowth {
        at_live: 851_969,
        new_table: Bytes(36 * MIB),
        peak_extra: Bytes(36 * MIB),
        capacity: 2 << 20,
        eta: None,
        eta_least: None,
        eta_most: None,
    };
    let severity = |report: &Report, at_live, eta| {
        let mut report = report.clone();
        report.maps[0].next_growth = Some(crate::audit::report::NextGrowth { at_live, eta, ..next });
        let (trends, thresholds) = Default::default();
        let scene = crate::audit::findings::scene::Scene::new(&report, &[], &trends, &thresholds);
        let (findings, _) = crate::audit::findings::judge(&scene);
        let found = findings.into_iter().find(|finding| finding.rule == "next_growth_exceeds_headroom");
        found.map(|finding| finding.severity)
    };
    assert_eq!(severity(&report, 851_969, None), Some(Severity::Critical));
    assert_eq!(severity(&report, 8_519_690, None), Some(Severity::Warning));
    assert_eq!(severity(&report, 8_519_690, Some(Nanos(60 * SECOND))), Some(Severity::Critical));
    report.memory.headroom = Some(Bytes(64 * MIB));
    assert_eq!(severity(&report, 851_969, None), None);
}

#[test]
fn the_same_facts_give_the_same_findings_however_often_they_are_drawn() {
    let facts = |draw: bool| {
        let mut play = filled(1_000_000);
        play.delete(0, 990_000);
        for _ in 0..9 {
            play.pass(1);
            if draw {
                drop(play.report());
            }
        }
        play.end()
    };
    assert_eq!(facts(true), facts(false));
}

#[test]
fn nothing_known_is_nothing_found() {
    let mut audit = Audit::new();
    assert_eq!(audit.report().findings, []);
    audit.apply(&Fact { at: Nanos(5), thread: None, what: What::Tick });
    assert_eq!((audit.report().findings, audit.report().undecided), (vec![], vec![]));
}
