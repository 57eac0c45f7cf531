//! Births, deaths, and addresses that are used again.

use super::made::{
    MAP, SECOND, allocate, began, evacuate, fact, folding, free, gone, grow, last_free, look, only_map,
    overflow, shape, told, under_way, with_hooks,
};
use crate::audit::fact::{Clear, Counted, GrowthKind, Occasion, Shape, What};
use crate::audit::report::{Confidence, Origin};
use crate::audit::unit::{Address, Bytes, Nanos};

fn counted(insert: u64) -> Option<Counted> {
    Some(Counted { insert, ..Counted::default() })
}

#[test]
fn a_bucket_array_asked_for_where_no_map_lives_is_a_birth() {
    let report = told(under_way(), [(5, allocate(0x10, 1000))]);
    let map = only_map(&report);
    assert_eq!((map.origin, map.born, map.died), (Origin::Observed, Some(Nanos(5)), None));
    assert_eq!((map.bytes.allocated, map.bytes.old_table), (Some(Bytes(1000)), Some(Bytes(0))));
    assert_eq!((map.live, map.growths.first), (None, Some(1)), "nobody has looked at it");
}

#[test]
fn a_map_found_at_attach_was_there_before() {
    let report = told(under_way(), [(5, look(Occasion::AtAttach, shape(0x10, 1128, 7)))]);
    let map = only_map(&report);
    assert_eq!((map.origin, map.born), (Origin::BeforeAttach, None));
    assert_eq!((map.live, map.bytes.allocated), (Some(7), Some(Bytes(1128))));
    assert_eq!(report.coverage.confidence, Confidence::Exact);
}

#[test]
fn a_map_found_by_polling_with_a_table_nobody_saw_asked_for_is_a_missed_birth() {
    let facts = [(5, look(Occasion::Poll, shape(0x10, 1128, 7)))];
    let report = told(under_way(), facts.clone());
    assert_eq!(only_map(&report).origin, Origin::BeforeAttach);
    assert_eq!(report.coverage.confidence, Confidence::AtLeast);
    assert_eq!(report.coverage.notes.len(), 1);
    let polled = told(with_hooks(&[]), facts);
    assert_eq!(polled.coverage.confidence, Confidence::Exact, "nothing was to tell of births");
}

#[test]
fn a_map_found_by_polling_before_its_first_table_is_seen_whole() {
    let empty = Shape { allocated: Bytes(128), counted: counted(0), ..Shape::default() };
    let full = Shape { counted: counted(4), ..shape(0x10, 1128, 4) };
    let report = told(
        under_way(),
        [(5, look(Occasion::Poll, empty)), (6, allocate(0x10, 1000)), (7, look(Occasion::Poll, full))],
    );
    let map = only_map(&report);
    assert_eq!((map.origin, map.born, map.growths.first), (Origin::Observed, Some(Nanos(6)), Some(1)));
    assert_eq!(report.events.insert, Some(4));
    assert_eq!(report.coverage.notes, Vec::<String>::new());
}

#[test]
fn the_last_table_of_a_dropped_map_is_its_death() {
    let report = told(
        under_way(),
        [
            (5, allocate(0x10, 1000)),
            (6, overflow(0x20, 300)),
            (7, free(0x20, 300, Some(Shape { dropped: true, ..shape(0x10, 1428, 9) }))),
            (8, last_free(0x10, 1000)),
        ],
    );
    let map = only_map(&report);
    assert_eq!(map.died, Some(Nanos(8)));
    assert_eq!((map.live, map.capacity, map.bytes.allocated), (Some(0), Some(0), Some(Bytes(0))));
    assert_eq!(map.bytes.peak, Some(Bytes(1428)));
    assert_eq!((map.tables.freed, map.tables.freed_bytes), (Some(2), Some(Bytes(1300))));
    assert_eq!(report.coverage.confidence, Confidence::Exact);
}

#[test]
fn a_map_that_clears_itself_lives_on_without_a_table() {
    let cleared = free(0x10, 1000, Some(shape(0x10, 1128, 0)));
    let report = told(under_way(), [(5, allocate(0x10, 1000)), (6, cleared)]);
    let map = only_map(&report);
    assert_eq!((map.died, map.bytes.allocated), (None, Some(Bytes(128))));
}

#[test]
fn the_same_address_after_a_death_is_another_map() {
    let report = told(
        under_way(),
        [
            (5, allocate(0x10, 1000)),
            (6, last_free(0x10, 1000)),
            (7, allocate(0x10, 500)),
            (8, overflow(0x30, 50)),
        ],
    );
    let lives: Vec<_> = report.maps.iter().map(|map| (map.born, map.died, map.tables.allocated)).collect();
    assert_eq!(lives, [(Some(Nanos(7)), None, Some(2)), (Some(Nanos(5)), Some(Nanos(6)), Some(1))]);
    assert!(report.maps.iter().all(|map| map.address == Address(MAP)));
}

#[test]
fn the_frees_of_a_map_from_before_find_it_although_its_tables_were_never_seen() {
    let dropped = |allocated| Some(Shape { dropped: true, ..shape(0x10, allocated, 3) });
    let mut audit = under_way();
    for (at, what) in [
        (5, look(Occasion::AtAttach, shape(0x10, 1428, 3))),
        (6, free(0x20, 300, dropped(1428))),
        (7, free(0x10, 1000, dropped(1128))),
    ] {
        audit.apply(&fact(at, what));
    }
    let leaving = audit.report();
    let buried = told(audit, [(2 * SECOND, What::Tick)]);
    for report in [leaving, buried] {
        let map = only_map(&report);
        assert_eq!((map.died, map.tables.freed), (Some(Nanos(7)), Some(2)));
        assert_eq!(map.bytes.peak, Some(Bytes(1428)));
        assert_eq!(report.coverage.confidence, Confidence::Exact);
    }
}

#[test]
fn a_map_that_is_gone_is_dead_at_once_and_the_frees_that_follow_are_still_its_own() {
    let mut audit = under_way();
    for (at, what) in [(5, allocate(0x10, 1000)), (6, gone()), (7, free(0x10, 1000, None))] {
        audit.apply(&fact(at, what));
    }
    assert_eq!(audit.live_maps().count(), 0);
    let report = told(audit, [(2 * SECOND, What::Tick), (3 * SECOND, allocate(0x10, 100))]);
    assert_eq!(report.maps.len(), 2);
    let dead = &report.maps[1];
    assert_eq!((dead.died, dead.tables.freed), (Some(Nanos(6)), Some(1)));
}

#[test]
fn an_absence_from_before_the_last_event_speaks_of_another_map() {
    let mut audit = under_way();
    audit.apply(&fact(9, allocate(0x10, 1000)));
    audit.apply(&fact(8, gone()));
    assert_eq!(audit.live_maps().collect::<Vec<_>>(), [(Address(MAP), Bytes(1000))]);
}

#[test]
fn a_look_right_after_a_death_may_have_been_read_before_it_and_says_nothing() {
    let seen = |occasion| look(occasion, shape(0x10, 1128, 3));
    let dead = [(5, allocate(0x10, 1000)), (6, last_free(0x10, 1000))];
    let after = |at, occasion| told(under_way(), dead.clone().into_iter().chain([(at, seen(occasion))]));
    assert_eq!(after(7, Occasion::Poll).maps.len(), 1);
    assert_eq!(after(2 * SECOND, Occasion::Poll).maps.len(), 2, "by then it is another map");
    assert_eq!(after(7, Occasion::AtExit).maps.len(), 2, "the kernel dates what it copies");
}

#[test]
fn a_look_right_after_a_death_and_a_birth_is_of_the_map_that_was_born() {
    let seen = look(Occasion::Poll, shape(0x20, 1128, 3));
    let reborn = [(5, allocate(0x10, 1000)), (6, last_free(0x10, 1000)), (8, allocate(0x20, 1000))];
    let report = |at| told(under_way(), reborn.clone().into_iter().chain([(at, seen.clone())]));
    let live = |at| report(at).maps.iter().map(|map| map.live).collect::<Vec<_>>();
    assert_eq!(live(9), [Some(3), Some(0)]);
    assert_eq!(live(7), [None, Some(0)], "of whom it was, nobody knows");
}

#[test]
fn what_is_seen_where_a_map_was_gone_is_another_map() {
    let seen = look(Occasion::AtExit, shape(0x10, 1128, 3));
    let report = told(under_way(), [(5, allocate(0x10, 1000)), (6, gone()), (7, seen)]);
    let died: Vec<_> = report.maps.iter().map(|map| map.died).collect();
    assert_eq!(died, [None, Some(Nanos(6))]);
}

#[test]
fn counters_that_went_back_are_those_of_another_map() {
    let seen = |insert| look(Occasion::Poll, Shape { counted: counted(insert), ..shape(0x10, 1128, insert) });
    let facts = [(5, allocate(0x10, 1000)), (6, seen(50)), (7, seen(3))];
    let once = told(under_way(), facts.clone());
    assert_eq!(only_map(&once).live, Some(50), "it may have been read while one died");
    let again = told(under_way(), facts.into_iter().chain([(8, seen(4))]));
    assert_eq!((again.maps.len(), again.coverage.confidence), (2, Confidence::AtLeast));
    let lives: Vec<_> = again.maps.iter().map(|map| (map.live, map.died)).collect();
    assert_eq!(lives, [(Some(4), None), (Some(0), Some(Nanos(8)))]);
}

#[test]
fn a_new_program_has_none_of_the_old_maps() {
    let report = told(under_way(), [(5, allocate(0x10, 1000)), (6, What::Exec), (7, allocate(0x10, 1000))]);
    let died: Vec<_> = report.maps.iter().map(|map| map.died).collect();
    assert_eq!(died, [None, Some(Nanos(6))]);
}

#[test]
fn a_late_count_of_moves_does_not_bring_a_map_back() {
    let report = told(under_way(), [(5, allocate(0x10, 1000)), (6, last_free(0x10, 1000)), (7, evacuate(8))]);
    assert_eq!((report.maps.len(), report.events.evacuate), (1, Some(8)));
}

#[test]
fn a_late_event_of_a_map_costs_the_confidence_only_if_a_younger_one_was_applied() {
    let born = (10, allocate(0x10, 1000));
    let late = told(under_way(), [born.clone(), (9, grow(GrowthKind::Double, 1, 2))]);
    assert_eq!((late.coverage.late, late.coverage.confidence), (1, Confidence::AtLeast));
    let tick_first = told(under_way(), [born, (20, What::Tick), (15, grow(GrowthKind::Double, 1, 2))]);
    assert_eq!((tick_first.coverage.late, tick_first.coverage.confidence), (1, Confidence::Exact));
    assert_eq!(tick_first.events.grow, Some(1));
}

#[test]
fn only_the_first_word_about_the_smallest_size_counts() {
    let report = told(under_way(), [(1, began(1 << 20)), (2, allocate(0x10, 1000))]);
    assert_eq!(report.maps.len(), 1);
}

#[test]
fn small_maps_are_folded_and_lose_nothing() {
    let report = told(
        folding(1000),
        [
            (1, allocate(0x10, 900)),
            (2, last_free(0x10, 900)),
            (3, allocate(0x10, 70)),
            (4, last_free(0x10, 70)),
            (5, allocate(0x10, 60)),
        ],
    );
    let large = only_map(&report);
    assert_eq!((large.bytes.peak, large.died), (Some(Bytes(1028)), Some(Nanos(2))), "with its header");
    let small = &report.populations[0];
    assert_eq!((small.maps, small.alive), (2, 1));
    assert_eq!(
        (small.tables.allocated, small.tables.freed, small.growths.first),
        (Some(2), Some(1), Some(2))
    );
    assert_eq!(small.bytes.allocated, Bytes(60));
}

#[test]
fn a_map_that_is_emptied_at_once_keeps_its_tables_and_counts_it() {
    let there = || look(Occasion::AtAttach, shape(0x10, 1128, 900));
    let clear = || What::Clear(Clear { map: Address(MAP), live: Some(900), stack: None });
    let report =
        told(with_hooks(&["go_map_grow", "go_map_clear"]), [(5, there()), (6, clear()), (9, clear())]);
    let map = only_map(&report);
    assert_eq!((map.cleared, report.events.clear), (Some(2), Some(2)));
    assert_eq!((map.died, map.bytes.allocated), (None, Some(Bytes(1128))));
    let unheard = told(with_hooks(&["go_map_grow"]), [(5, there())]);
    assert_eq!((only_map(&unheard).cleared, unheard.events.clear), (None, None));
}
