//! What censuses tell: who maps are, what the small ones come to, what is garbage, and what one look
//! alone is worth.

use super::made::{
    MAP, SECOND, allocate, began, fact, folding, gone, grow, memory, only_map, runtime, shape, told,
    under_way, with_hooks,
};
use crate::audit::Audit;
use crate::audit::fact::{
    Beside, Crowd, Cycle, Described, Ended, GrowthKind, Heap, Look, Occasion, Pages, Resident, Shape, What,
};
use crate::audit::report::{Confidence, Origin, Population, Report};
use crate::audit::unit::{Address, Bytes, Nanos};

/// A map as one census told of it.
fn described(map: u64, owner: Option<&str>, reachable: Option<bool>) -> What {
    What::Described(Box::new(Described {
        map: Address(map),
        type_name: Some("map[string]int".to_owned()),
        candidates: Vec::new(),
        owner: owner.map(str::to_owned),
        reachable,
    }))
}

fn look_at(map: u64, occasion: Occasion, allocated: u64) -> What {
    let shape = Shape { capacity: 8, needed: Some(Bytes(100)), ..shape(0x10, allocated, 3) };
    What::Look(Look {
        map: Address(map),
        occasion,
        runtime: "demo".to_owned(),
        shape: shape.into(),
        name: None,
    })
}

fn crowd(owner: &str, maps: u64) -> Crowd {
    Crowd {
        runtime: "demo".to_owned(),
        type_name: Some("map[int]int".to_owned()),
        owner: Some(owner.to_owned()),
        reachable: Some(true),
        maps,
        live: maps,
        capacity: 8 * maps,
        allocated: Bytes(100 * maps),
        needed: Some(Bytes(50 * maps)),
        near_empty: maps / 2,
        over_presized: Some(1),
    }
}

/// An audit of a process whose maps no hook tells of.
fn unhooked() -> Audit {
    with_hooks(&[])
}

fn owners(report: &Report) -> Vec<Option<&str>> {
    report.maps.iter().map(|map| map.owner.as_deref()).collect()
}

#[test]
fn a_description_names_the_map_that_lives_there_and_a_later_one_knows_better() {
    let first = Described {
        map: Address(MAP),
        type_name: None,
        candidates: vec!["map[int]int".to_owned(), "map[int]uint".to_owned()],
        owner: None,
        reachable: None,
    };
    let facts = [(1, look_at(MAP, Occasion::AtAttach, 500)), (1, What::Described(Box::new(first)))];
    let report = told(unhooked(), facts.clone());
    let map = only_map(&report);
    assert_eq!((map.type_name.as_deref(), map.reachable), (None, None));
    assert_eq!(map.candidates, ["map[int]int", "map[int]uint"]);
    let better = told(unhooked(), facts.into_iter().chain([(2, described(MAP, Some("main.m"), Some(true)))]));
    let map = only_map(&better);
    assert_eq!((map.type_name.as_deref(), map.owner.as_deref()), (Some("map[string]int"), Some("main.m")));
    assert_eq!((map.candidates.len(), map.reachable), (0, Some(true)));
}

#[test]
fn a_description_of_a_place_where_no_map_lives_says_nothing() {
    let report = told(unhooked(), [(1, described(MAP, Some("main.m"), None))]);
    assert_eq!(report.maps.len(), 0);
    let dead =
        [(1, look_at(MAP, Occasion::AtAttach, 500)), (2, gone()), (3, described(MAP, None, Some(true)))];
    let report = told(unhooked(), dead);
    assert_eq!((only_map(&report).type_name.as_deref(), only_map(&report).reachable), (None, None));
}

#[test]
fn what_a_dropped_map_was_is_still_told_but_not_whether_anything_leads_to_it() {
    let facts = [
        (1, look_at(MAP, Occasion::AtAttach, 500)),
        (1, described(MAP, Some("main.m"), Some(true))),
        (2, gone()),
    ];
    let report = told(unhooked(), facts);
    let map = only_map(&report);
    assert_eq!((map.died, map.owner.as_deref(), map.reachable), (Some(Nanos(2)), Some("main.m"), None));
}

#[test]
fn what_waits_for_the_collector_is_listed_behind_what_does_not() {
    let mut facts = Vec::new();
    for (map, size, owner, reachable) in [
        (0x1000, 9000, None, Some(false)),
        (0x2000, 100, Some("small"), Some(true)),
        (0x3000, 500, Some("large"), None),
        (0x4000, 20, None, Some(false)),
    ] {
        facts.push((1, look_at(map, Occasion::AtAttach, size)));
        facts.push((1, described(map, owner, reachable)));
    }
    let report = told(unhooked(), facts);
    assert_eq!(owners(&report), [Some("large"), Some("small"), None, None]);
    let sizes: Vec<_> = report.maps.iter().filter_map(|map| map.bytes.allocated).collect();
    assert_eq!(sizes, [500, 100, 9000, 20].map(Bytes));
}

#[test]
fn a_map_that_a_later_census_finds_for_the_first_time_was_born_since() {
    let report = told(unhooked(), [(5, look_at(MAP, Occasion::Census, 500))]);
    let map = only_map(&report);
    assert_eq!((map.origin, map.born), (Origin::Observed, Some(Nanos(5))));
    assert_eq!(report.coverage.confidence, Confidence::Exact, "{:?}", report.coverage.notes);
    let polled = told(unhooked(), [(5, look_at(MAP, Occasion::Poll, 500))]);
    assert_eq!(only_map(&polled).origin, Origin::BeforeAttach, "nothing shows that it was not there");
}

#[test]
fn births_that_only_censuses_tell_of_are_counted_and_said_to_be_no_more_than_that() {
    let note = "25 maps were born since the first census and lived to a later one; those that lived and died between two censuses were not seen";
    let report = told(unhooked(), [(5, What::Crowds(Vec::new())), (9, What::Born(7)), (20, What::Born(25))]);
    assert_eq!(
        (report.coverage.confidence, report.coverage.notes),
        (Confidence::Exact, vec![note.to_owned()])
    );
    let another = told(unhooked(), [(5, What::Born(7)), (6, What::Exec)]);
    assert_eq!(another.coverage.notes, Vec::<String>::new());
}

#[test]
fn a_map_that_a_census_finds_new_was_born_before_its_growth() {
    let facts = [(5, grow(GrowthKind::Double, 256, 512)), (9, look_at(MAP, Occasion::Census, 500))];
    let told_of = |more| told(with_hooks(&["go_map_grow"]), facts.clone().into_iter().chain(more));
    let map = only_map(&told_of(None)).clone();
    assert_eq!((map.origin, map.born, map.growths.double), (Origin::Observed, Some(Nanos(5)), Some(1)));
    let polled = facts.iter().cloned().chain([(7, look_at(MAP, Occasion::Poll, 400))]);
    let mut polled: Vec<(u64, What)> = polled.collect();
    polled.sort_by_key(|(at, _)| *at);
    let polled = told(with_hooks(&["go_map_grow"]), polled);
    assert_eq!(
        only_map(&polled).born,
        Some(Nanos(5)),
        "a poll that read it before says nothing of its birth"
    );
    let again = told_of(Some((20, look_at(MAP, Occasion::Census, 700))));
    assert_eq!(only_map(&again).born, Some(Nanos(5)), "a birth is told once");
}

#[test]
fn where_hooks_tell_births_a_census_that_finds_one_first_has_missed_it() {
    let report = told(under_way(), [(5, look_at(MAP, Occasion::Census, 500))]);
    assert_eq!(report.coverage.confidence, Confidence::AtLeast);
    let dead = [(5, allocate(0x10, 1000)), (6, gone()), (7, look_at(MAP, Occasion::Census, 1128))];
    assert_eq!(told(under_way(), dead.clone()).maps.len(), 1, "it may have been read before the death");
    assert_eq!(told(unhooked(), dead).maps.len(), 2, "no hook tells of deaths: it was read after it");
}

#[test]
fn growths_that_no_hook_tells_of_are_no_contradiction() {
    let sizes = [500, 500, 900, 900, 1700, 1700, 400, 400];
    let facts = (1..).zip(sizes).map(|(at, size)| (at, look_at(MAP, Occasion::Poll, size)));
    let report = told(unhooked(), facts);
    assert_eq!((report.coverage.confidence, report.coverage.notes.len()), (Confidence::Exact, 0));
    let bytes = only_map(&report).bytes;
    assert_eq!((bytes.allocated, bytes.peak), (Some(Bytes(400)), Some(Bytes(1700))));
}

#[test]
fn what_no_hook_tells_of_a_map_is_unknown_and_not_zero() {
    let report = told(unhooked(), [(1, look_at(MAP, Occasion::AtAttach, 500))]);
    let map = only_map(&report);
    assert_eq!((map.tables.allocated, map.tables.freed_bytes), (None, None));
    assert_eq!((map.growths.double, report.events.grow), (None, None));
    let hooked = told(under_way(), [(1, look_at(MAP, Occasion::AtAttach, 500))]);
    assert_eq!((only_map(&hooked).tables.allocated, only_map(&hooked).growths.split), (Some(0), Some(0)));
}

fn owned_by<'a>(report: &'a Report, owner: &str) -> &'a Population {
    report.populations.iter().find(|row| row.owner.as_deref() == Some(owner)).unwrap()
}

#[test]
fn crowds_are_populations_and_take_the_place_of_those_before() {
    let first = What::Crowds(vec![crowd("main.small", 10), crowd("main.many", 40)]);
    let second = What::Crowds(vec![crowd("main.many", 30)]);
    let report = told(unhooked(), [(1, first.clone())]);
    let row = owned_by(&report, "main.many");
    assert_eq!(report.populations.len(), 2);
    assert_eq!(report.populations[0].owner.as_deref(), Some("main.many"), "largest first");
    assert_eq!((row.maps, row.alive, row.live, row.capacity), (40, 40, 40, 320));
    assert_eq!((row.bytes.allocated, row.bytes.needed), (Bytes(4000), Some(Bytes(2000))));
    assert_eq!((row.near_empty, row.over_presized, row.reachable), (Some(20), Some(1), Some(true)));
    assert_eq!((row.type_name.as_deref(), row.tables.allocated), (Some("map[int]int"), None));
    let report = told(unhooked(), [(1, first), (2, second)]);
    assert_eq!((report.populations.len(), owned_by(&report, "main.many").maps), (1, 30));
}

/// Whether a rise of RSS by 120 MiB in 20 s is said to be none of the maps', which censuses find: at the beginning,
/// and `later`, each with what small maps hold then.
fn rise_is_something_else(later: &[(u64, u64)]) -> bool {
    let counted = |bytes: u64| What::Crowds(vec![Crowd { allocated: Bytes(bytes), ..crowd("main.m", 100) }]);
    let mut facts = vec![(SECOND, counted(1 << 20))];
    for second in 1..=20 {
        let at = second * SECOND;
        facts
            .extend(later.iter().filter(|(when, _)| *when == second).map(|(_, bytes)| (at, counted(*bytes))));
        facts.extend([(at + 1, memory((second * 6) << 20)), (at + 2, What::Tick)]);
    }
    told(unhooked(), facts).findings.iter().any(|finding| finding.rule == "not_a_map")
}

#[test]
fn what_rss_rose_by_since_the_last_census_may_be_maps() {
    assert!(!rise_is_something_else(&[]), "nobody has counted since");
    assert!(!rise_is_something_else(&[(18, 90 << 20)]), "small maps hold it");
    assert!(rise_is_something_else(&[(18, 2 << 20)]), "they were counted, and do not");
}

#[test]
fn a_crowd_that_waits_for_the_collector_comes_last_however_large() {
    let garbage = Crowd { owner: None, reachable: Some(false), ..crowd("", 1000) };
    let report = told(unhooked(), [(1, What::Crowds(vec![garbage, crowd("main.m", 1)]))]);
    let reachable: Vec<_> = report.populations.iter().map(|row| row.reachable).collect();
    assert_eq!(reachable, [Some(true), Some(false)]);
}

#[test]
fn more_kinds_of_crowds_than_are_told_apart_lose_no_map() {
    let crowds: Vec<_> = (0..5000).map(|n| crowd(&format!("main.m{n}"), 2)).collect();
    let report = told(unhooked(), [(1, What::Crowds(crowds))]);
    assert!(report.populations.len() <= 4097, "{}", report.populations.len());
    assert_eq!(report.populations.iter().map(|row| row.maps).sum::<u64>(), 10_000);
    let rest = report.populations.iter().find(|row| row.owner.is_none()).unwrap();
    assert_eq!((rest.type_name.as_deref(), rest.maps), (None, 2 * (5000 - 4096)));
}

#[test]
fn a_small_map_that_an_event_tells_of_and_a_census_added_up_is_counted_once() {
    let facts = [
        (1, What::Crowds(vec![crowd("main.m", 7)])),
        (2, grow(GrowthKind::Double, 1, 2)),
        (3, look_at(MAP, Occasion::Poll, 700)),
    ];
    let report = told(folding(1000), facts.clone());
    let alive: u64 = report.populations.iter().map(|row| row.alive).sum();
    let held: u64 = report.populations.iter().map(|row| row.bytes.allocated.0).sum();
    assert_eq!((report.maps.len(), alive, held), (0, 7, 700));
    let doubles: u64 = report.populations.iter().filter_map(|row| row.growths.double).sum();
    assert_eq!(doubles, 1, "what was seen to happen to it is not lost");
    let listed = told(folding(1000), facts.into_iter().chain([(4, described(MAP, None, None))]));
    assert_eq!(listed.populations.iter().map(|row| row.alive).sum::<u64>(), 8, "the census listed it");
}

#[test]
fn small_maps_that_were_listed_are_added_up_by_who_they_are() {
    let mut facts = Vec::new();
    for map in [0x1000, 0x2000, 0x3000] {
        facts.push((1, look_at(map, Occasion::AtAttach, 100)));
        facts.push((1, described(map, Some(if map == 0x3000 { "main.b" } else { "main.a" }), Some(true))));
    }
    let report = told(folding(1000), facts);
    let row = owned_by(&report, "main.a");
    assert_eq!((report.populations.len(), row.maps, row.bytes.allocated), (2, 2, Bytes(200)));
    assert_eq!((row.bytes.needed, row.near_empty), (Some(Bytes(200)), Some(0)), "3 of 8 slots are used");
}

#[test]
fn a_map_is_near_empty_below_an_eighth_of_its_slots_and_unknown_where_one_was_not_read() {
    let seen = |map, live| {
        let shape = Shape { live, capacity: 80, ..shape(0x10, 500, live) };
        What::Look(Look {
            map: Address(map),
            occasion: Occasion::AtAttach,
            runtime: "demo".to_owned(),
            shape: shape.into(),
            name: None,
        })
    };
    let facts = [(1, seen(0x1000, 9)), (1, seen(0x2000, 10))];
    assert_eq!(told(folding(1000), facts.clone()).populations[0].near_empty, Some(1));
    let unread = told(folding(1000), facts.into_iter().chain([(2, allocate(0x10, 100))]));
    assert_eq!(unread.populations[0].near_empty, None);
}

fn heap(in_use: u64) -> What {
    What::Heap(Box::new(Heap {
        runtime: "go_swiss".to_owned(),
        in_use: Some(Bytes(in_use)),
        free: Some(Bytes(50)),
        cycles: Some(3),
        ..Heap::default()
    }))
}

#[test]
fn rss_is_told_down_to_the_maps_where_the_heap_tells_of_itself() {
    let facts = [
        (1, look_at(MAP, Occasion::AtAttach, 500)),
        (1, look_at(0x9000, Occasion::AtAttach, 200)),
        (1, described(0x9000, None, Some(false))),
        (1, What::Crowds(vec![crowd("main.m", 1)])),
        (2, heap(1000)),
        (3, memory(2000)),
    ];
    let report = told(unhooked(), facts.clone());
    let rows: Vec<_> = report.memory.ladder.iter().map(|rung| (rung.name.as_str(), rung.bytes.0)).collect();
    let expected = [
        ("file pages", 0),
        ("shared memory", 0),
        ("maps that nothing refers to", 200),
        ("maps not asked for", 500),
        ("small maps", 100),
        ("other heap in use", 200),
        ("heap free and kept", 50),
        ("unexplained", 950),
    ];
    assert_eq!(rows, expected);
    assert_eq!(report.coverage.notes, Vec::<String>::new());
    let swapped = told(unhooked(), facts.into_iter().chain([(4, heap(9 << 20)), (4, memory(5 << 20))]));
    assert_eq!(swapped.memory.ladder.last().unwrap().bytes, Bytes(0));
    let note = "the heap's own counters come to 4 MiB more than there are in RAM";
    assert_eq!(swapped.coverage.notes, [note]);
    assert_eq!(swapped.coverage.confidence, Confidence::Exact);
}

#[test]
fn entries_behind_tables_are_told_of_maps_of_every_size_and_what_is_not_in_ram_is_said() {
    let look = |map, entries, behind| {
        let (entries, behind) = (Bytes(entries), Bytes(behind));
        let shape = Shape { capacity: 8, entries, behind, ..shape(0x10, entries.0 + 300, 3) };
        let (occasion, runtime) = (Occasion::AtAttach, "demo".to_owned());
        What::Look(Look { map: Address(map), occasion, runtime, shape: Box::new(shape), name: None })
    };
    let pages = Pages { asked: Bytes(300), present: Bytes(200), ..Pages::default() };
    let (old, rest) = (Pages::default(), Pages::default());
    let resident = Resident { map: Address(MAP), current: pages, old, rest };
    let facts = |first| {
        let beside = Beside { heap: Some(Bytes(2000)), ..Beside::default() };
        [
            (1, look(MAP, first, 0)),
            (1, look(0x9000, 70, 0)),
            (1, look(0xb000, 0, 4000)),
            (2, What::Resident(Box::new(resident))),
            (2, What::Beside(beside)),
            (3, memory(7000)),
        ]
    };
    let report = told(unhooked(), facts(500));
    let rows: Vec<_> = report.memory.ladder.iter().map(|rung| (rung.name.as_str(), rung.bytes.0)).collect();
    let expected = [
        ("file pages", 0),
        ("shared memory", 0),
        ("current tables", 200),
        ("old tables", 0),
        ("overflow and directories", 0),
        ("entries behind tables", 4570),
        ("small maps", 600),
        ("allocator's memory ([heap])", 0),
        ("unexplained", 1630),
    ];
    assert_eq!(
        rows, expected,
        "entries are the heap's, as far as it has so much, and then what else there is"
    );
    assert_eq!(report.memory.ladder[5].evidence, "counted by maps");
    assert_eq!(report.coverage.notes, Vec::<String>::new());
    let swapped = told(unhooked(), facts(3 << 20));
    assert_eq!(swapped.memory.ladder.iter().map(|rung| rung.bytes.0).sum::<u64>(), 7000);
    let note = "the entries behind tables come to 2 MiB more than there are in RAM";
    assert_eq!(swapped.coverage.notes, [note]);
    assert_eq!(swapped.coverage.confidence, Confidence::Exact);
}

#[test]
fn cycles_that_are_told_without_a_heap_are_shown_too() {
    let report = told(unhooked(), [(1, What::Cycle(Cycle { number: 9, pause: Nanos(70) }))]);
    let gc = report.gc.unwrap();
    assert_eq!((gc.cycles, gc.pauses.total, gc.in_use), (Some(1), Some(Nanos(70)), None));
    assert_eq!(told(unhooked(), []).gc, None);
}

#[test]
fn another_program_has_another_heap_and_other_crowds() {
    let facts = [(1, heap(1000)), (1, What::Crowds(vec![crowd("main.m", 1)])), (2, What::Exec)];
    let report = told(unhooked(), facts);
    assert_eq!((report.gc, report.populations.len()), (None, 0));
}

const ONE_LOOK: &str = "one look: no probe was placed, and what happened before and after it was not seen";

/// One look, as it is told.
fn one_look(facts: impl IntoIterator<Item = (u64, What)>) -> Report {
    told(unhooked(), facts.into_iter().chain([(SECOND, What::Ended(Ended::OneLook))]))
}

#[test]
fn one_look_is_exact_for_what_it_claims_and_says_that_it_was_one() {
    let report = one_look([(1, look_at(MAP, Occasion::AtAttach, 500))]);
    assert_eq!(
        (report.coverage.confidence, report.coverage.notes.as_slice()),
        (Confidence::Exact, [ONE_LOOK.to_owned()].as_slice())
    );
    assert_eq!(report.window.ended, Some(Ended::OneLook));
    assert_eq!((report.syscalls, report.gc), (None, None));
}

#[test]
fn one_look_that_finds_no_map_has_seen_that_there_is_none() {
    let nothing = one_look([]);
    assert_eq!((nothing.coverage.confidence, nothing.maps.len()), (Confidence::Exact, 0));
    let crowds = one_look([(1, What::Crowds(vec![crowd("main.m", 3)]))]);
    assert_eq!(crowds.coverage.confidence, Confidence::Exact);
    let unchecked = one_look([(1, What::Runtime(runtime(None)))]);
    assert_eq!(unchecked.coverage.confidence, Confidence::AtLeast, "its layout was not checked");
    let failed = one_look([(1, What::Runtime(runtime(Some(false))))]);
    assert_eq!(failed.coverage.confidence, Confidence::Insufficient);
}

#[test]
fn descriptions_are_bounded_over_all_maps_and_what_is_not_kept_is_said() {
    let mut audit = unhooked();
    audit.apply(&fact(0, began(0)));
    let long = "x".repeat(4096);
    for map in 1..=700_u64 {
        let described = Described {
            map: Address(map),
            type_name: Some(long.clone()),
            candidates: vec![long.clone(); 32],
            owner: Some(long.clone()),
            reachable: Some(false),
        };
        audit.apply(&fact(1, look_at(map, Occasion::AtAttach, 500)));
        audit.apply(&fact(1, What::Described(Box::new(described))));
    }
    let report = audit.report();
    let kept = report.maps.iter().filter(|map| map.owner.is_some()).count();
    assert!((400..600).contains(&kept), "{kept}");
    assert!(report.maps.iter().all(|map| map.reachable == Some(false)), "that is always kept");
    let note = format!("{} types and owners of maps were not kept: too many", 700 - kept);
    assert_eq!(
        (report.coverage.notes.as_slice(), report.coverage.confidence),
        ([note].as_slice(), Confidence::Exact)
    );
}
