//! Growths from the fact that starts them to the table that is let go.

use super::made::{
    MAP, SECOND, allocate, anon, asked_for, evacuate, fact, free, grow, hook, last_free, look, memory, mmap,
    only_map, overflow, shape, told, under_way, with_hooks,
};
use crate::audit::fact::{
    Allocate, Grow, GrowthKind, HookState, Occasion, Progress, Shape, Stack, StackId, What,
};
use crate::audit::report::{Confidence, Evacuation};
use crate::audit::unit::{Address, Bytes, Nanos};

#[test]
fn a_growth_is_told_from_its_start_to_the_end_of_the_old_table() {
    let report = told(
        under_way(),
        [
            (1, memory(1000)),
            (10, allocate(0x10, 1000)),
            (20, grow(GrowthKind::Double, 4, 8)),
            (21, mmap(0x10_0000, 0x3000)),
            (22, allocate(0x10_0010, 2000)),
            (30, anon(3000)),
            (40, evacuate(1)),
            (50, overflow(0x40, 100)),
            (90, evacuate(3)),
            (95, free(0x10, 1000, None)),
            (96, anon(2000)),
        ],
    );
    let growth = &report.episodes[1];
    assert_eq!((growth.kind, growth.map), (GrowthKind::Double, Address(MAP)));
    assert_eq!((growth.start, growth.end), (Nanos(20), Some(Nanos(95))));
    assert_eq!((growth.allocated, growth.mmap), (Bytes(2100), Bytes(0x3000)));
    assert_eq!((growth.mmap_lag, growth.rss_lag), (Some(Nanos(1)), Some(Nanos(10))));
    assert_eq!((growth.rss_delta, growth.evacuated, growth.stall), (Some(2000), 4, Some(Nanos(50))));
    let map = only_map(&report);
    assert_eq!((map.growths.first, map.growths.double), (Some(1), Some(1)));
    let done = Evacuation { moved: 4, total: 4, in_progress: false, stalled_for: None };
    assert_eq!(map.evacuation, Some(done));
    assert_eq!((map.bytes.allocated, map.bytes.old_table), (Some(Bytes(2100)), Some(Bytes(0))));
}

#[test]
fn the_first_table_is_a_growth_that_lasts_as_long_as_the_call() {
    let first = What::Allocate(Allocate { took: Some(Nanos(15)), ..asked_for(0x10_0010, 1000) });
    let report = told(under_way(), [(90, mmap(0x10_0000, 0x1000)), (100, first)]);
    let growth = &report.episodes[0];
    assert_eq!((growth.kind, growth.start, growth.end), (GrowthKind::First, Nanos(85), Some(Nanos(100))));
    assert_eq!((growth.mmap, growth.mmap_lag), (Bytes(0x1000), Some(Nanos(5))));
}

/// As of maps that are rebuilt within one call, which is told when it returns.
#[test]
fn a_growth_that_one_call_tells_lasts_as_long_as_the_call() {
    let new = What::Allocate(Allocate { took: Some(Nanos(60)), ..asked_for(0x10_0010, 2000) });
    let report = told(
        with_hooks(&["table_grow_resize", "sys_exit"]),
        [
            (1, memory(1000)),
            (5, look(Occasion::Poll, shape(0x10, 1128, 7))),
            (45, mmap(0x10_0000, 0x3000)),
            (50, anon(3000)),
            (100, grow(GrowthKind::Double, 4, 8)),
            (100, new),
            (100, free(0x10, 1000, None)),
        ],
    );
    let growth = &report.episodes[0];
    assert_eq!((growth.start, growth.end), (Nanos(40), Some(Nanos(100))));
    assert_eq!((growth.mmap, growth.mmap_lag), (Bytes(0x3000), Some(Nanos(5))));
    assert_eq!((growth.rss_lag, growth.rss_delta), (Some(Nanos(10)), Some(2000)));
    let map = only_map(&report);
    assert_eq!((map.growths.double, map.tables.allocated, map.tables.freed), (Some(1), Some(1), Some(1)));
    assert_eq!(report.coverage.confidence, Confidence::Exact);
}

#[test]
fn the_old_table_is_gone_when_its_last_part_is() {
    let growing = [
        (10, allocate(0x10, 1000)),
        (11, overflow(0x20, 300)),
        (20, grow(GrowthKind::SameSize, 4, 4)),
        (21, allocate(0x30, 1000)),
        (30, free(0x10, 1000, None)),
    ];
    let open = told(under_way(), growing.clone());
    assert_eq!((open.episodes[1].end, only_map(&open).bytes.old_table), (None, Some(Bytes(300))));
    let ended = told(under_way(), growing.into_iter().chain([(31, free(0x20, 300, None))]));
    assert_eq!(ended.episodes[1].end, Some(Nanos(31)));
    assert_eq!(ended.episodes[1].cause.as_deref(), Some("overflow or tombstones"));
}

#[test]
fn a_stalled_evacuation_says_for_how_long() {
    let report = told(
        under_way(),
        [
            (10, allocate(0x10, 1000)),
            (20, grow(GrowthKind::Double, 4, 8)),
            (21, allocate(0x20, 2000)),
            (30, evacuate(1)),
            (5 * SECOND, What::Tick),
        ],
    );
    let stalled_for = Some(Nanos(5 * SECOND - 30));
    let stalled = Evacuation { moved: 1, total: 4, in_progress: true, stalled_for };
    assert_eq!(only_map(&report).evacuation, Some(stalled));
    assert_eq!((report.episodes[1].end, report.episodes[1].stall), (None, stalled_for));
}

#[test]
fn the_first_growth_of_a_map_from_before_ends_with_the_table_that_a_look_had_shown() {
    let report = told(
        under_way(),
        [
            (5, look(Occasion::AtAttach, shape(0x10, 1128, 7))),
            (20, grow(GrowthKind::Double, 4, 8)),
            (21, allocate(0x20, 2000)),
            (22, evacuate(4)),
            (30, free(0x10, 1000, None)),
        ],
    );
    assert_eq!(report.episodes[0].end, Some(Nanos(30)));
    assert_eq!(only_map(&report).bytes.allocated, Some(Bytes(2128)));
}

#[test]
fn a_look_that_knew_of_the_new_table_before_the_hook_does_not_keep_the_growth_open() {
    let early = Shape { old_table: Some(Address(0x10)), ..shape(0x20, 3128, 7) };
    let report = told(
        under_way(),
        [
            (5, look(Occasion::AtAttach, shape(0x10, 1128, 7))),
            (19, look(Occasion::Poll, early)),
            (20, grow(GrowthKind::Double, 4, 8)),
            (21, allocate(0x20, 2000)),
            (30, free(0x10, 1000, None)),
        ],
    );
    assert_eq!(report.episodes[0].end, Some(Nanos(30)));
}

#[test]
fn polled_progress_stands_for_moves_that_no_hook_tells() {
    let polled = |moved| {
        let evacuation = Some(Progress { moved, total: 8 });
        let old_table = Some(Address(0x10));
        look(Occasion::Poll, Shape { evacuation, old_table, ..shape(0x20, 3128, 9) })
    };
    let report = told(
        with_hooks(&["demo_map_allocate", "demo_map_grow", "demo_map_free"]),
        [
            (10, allocate(0x10, 1000)),
            (20, grow(GrowthKind::Double, 8, 16)),
            (21, allocate(0x20, 2000)),
            (30, polled(2)),
            (50, polled(6)),
            (60, polled(6)),
        ],
    );
    let evacuation = only_map(&report).evacuation.unwrap();
    assert_eq!((evacuation.moved, evacuation.stalled_for), (6, Some(Nanos(10))));
    assert_eq!(report.episodes[1].evacuated, 6);
}

#[test]
fn where_no_free_is_told_a_look_without_an_old_table_ends_the_growth() {
    let report = told(
        with_hooks(&["demo_map_allocate", "demo_map_grow"]),
        [
            (10, allocate(0x10, 1000)),
            (20, grow(GrowthKind::Double, 4, 8)),
            (21, allocate(0x20, 2000)),
            (30, look(Occasion::Poll, shape(0x20, 2128, 9))),
        ],
    );
    assert_eq!(report.episodes[1].end, Some(Nanos(30)));
    let bytes = only_map(&report).bytes;
    assert_eq!((bytes.allocated, bytes.old_table), (Some(Bytes(2128)), Some(Bytes(0))));
    assert_eq!(report.events.free, None, "not counted is not none");
}

#[test]
fn a_map_dropped_amid_its_evacuation_leaves_it_incomplete() {
    let dropped = Some(Shape { dropped: true, ..shape(0x20, 3128, 9) });
    let report = told(
        under_way(),
        [
            (10, allocate(0x10, 1000)),
            (20, grow(GrowthKind::Double, 4, 8)),
            (21, allocate(0x20, 2000)),
            (22, evacuate(2)),
            (30, free(0x10, 1000, dropped)),
            (31, last_free(0x20, 2000)),
        ],
    );
    let map = only_map(&report);
    assert_eq!((map.died, map.evacuation.unwrap().moved), (Some(Nanos(31)), 2));
    assert_eq!((report.episodes[1].end, report.episodes[1].evacuated), (Some(Nanos(30)), 2));
}

#[test]
fn the_site_is_the_stack_of_the_largest_table() {
    let stack = |id, name: &str| What::Stack(Stack { id: StackId(id), frames: vec![name.to_owned()] });
    let from =
        |id, table, bytes| What::Allocate(Allocate { stack: Some(StackId(id)), ..asked_for(table, bytes) });
    let report = told(
        under_way(),
        [
            (1, stack(1, "load")),
            (10, from(1, 0x10, 1000)),
            (20, grow(GrowthKind::Double, 4, 8)),
            (21, from(2, 0x20, 2000)),
            (30, from(1, 0x30, 500)),
            (31, stack(2, "insert")),
        ],
    );
    assert_eq!(only_map(&report).site, ["insert"], "a stack may be named after it is used");
}

#[test]
fn a_hook_taken_away_leaves_its_count_a_lower_bound() {
    let mut audit = under_way();
    audit.apply(&fact(5, evacuate(3)));
    let disabled = hook(2, "demo_map_evacuate", HookState::Disabled);
    let report = told(audit, [(SECOND, What::Hook(disabled))]);
    assert_eq!((report.events.evacuate, report.coverage.confidence), (Some(3), Confidence::AtLeast));
    assert_eq!(report.coverage.notes, ["demo_map_evacuate was taken away after 1.000 s: no reason given"]);
}

#[test]
fn splits_close_together_are_one_episode_and_later_ones_another() {
    let split = |at, bytes| {
        let grow = Grow {
            map: Address(MAP),
            kind: GrowthKind::Split,
            from: 128,
            to: 256,
            live: Some(900),
            bytes: Some(Bytes(bytes)),
            stack: Some(StackId(1)),
        };
        (at, What::Grow(grow))
    };
    let named = What::Stack(Stack { id: StackId(1), frames: vec!["main.fill".to_owned()] });
    let facts = [split(10, 100), split(10 + SECOND, 100), (11 + SECOND, named), split(11 + 2 * SECOND, 100)];
    let report = told(with_hooks(&["go_map_split"]), facts);
    let spans: Vec<_> = report.episodes.iter().map(|row| (row.start, row.end, row.allocated)).collect();
    let second = Nanos(11 + 2 * SECOND);
    assert_eq!(
        spans,
        [(Nanos(10), Some(Nanos(10 + SECOND)), Bytes(200)), (second, Some(second), Bytes(100))]
    );
    assert_eq!((report.events.grow, only_map(&report).growths.split), (Some(3), Some(3)));
    assert_eq!(only_map(&report).site, ["main.fill"]);
}

#[test]
fn a_growth_that_tells_its_bytes_needs_no_table_to_be_told() {
    let What::Grow(grow) = grow(GrowthKind::Double, 256, 512) else { panic!() };
    let grow = What::Grow(Grow { bytes: Some(Bytes(5000)), ..grow });
    let moved = Shape { capacity: 4096, ..shape(0x20, 7000, 1700) };
    let facts = [(10, grow), (90, look(Occasion::Poll, moved))];
    let report = told(with_hooks(&["go_map_grow"]), facts);
    let row = &report.episodes[0];
    assert_eq!((row.allocated, row.end), (Bytes(5000), Some(Nanos(90))));
}
