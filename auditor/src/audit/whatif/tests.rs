//! Whole answers, with numbers that were worked out by hand.

use super::super::fact::{Sizes, SizesId};
use super::super::report::{Map, NextGrowth, Report};
use super::super::unit::{Address, Bytes, Nanos};
use super::ladder::tests::{doubling, splitting};
use super::{Ask, NoMap, Plan, Remedy, Traffic, WhatIf, answer};
use crate::audit::Audit;
use crate::audit::fact::{Fact, Look, Occasion, Shape, What};

const MAP: Address = Address(0x40);

/// A report of one map, made of facts as any other.
fn report(sizes: Sizes, shape: Shape) -> Report {
    let id = Some(sizes.id);
    let shape = Shape { table: Some(Address(0x100)), sizes: id, ..shape };
    let look = Look {
        map: MAP,
        occasion: Occasion::Poll,
        runtime: "demo".to_owned(),
        shape: shape.into(),
        name: None,
    };
    let mut audit = Audit::new();
    for what in [What::Sizes(Box::new(sizes)), What::Look(look)] {
        audit.apply(&Fact { at: Nanos(1), thread: None, what });
    }
    audit.report()
}

/// Three entries are left in a table for 52; it was looked at alone, so all its bytes count.
fn emptied() -> Report {
    let (allocated, needed) = (Bytes(10 + 800 + 3), Some(Bytes(10 + 100 + 3)));
    report(doubling(), Shape { live: 3, capacity: 64, allocated, needed, ..Shape::default() })
}

fn asked(report: &Report, ask: &Ask) -> Vec<Remedy> {
    answer(report, MAP, ask).unwrap().remedies
}

/// What a row frees, needs, holds and avoids.
fn numbers(row: &Remedy) -> (Option<i64>, Option<u64>, Option<u64>, Option<u64>) {
    (row.frees, row.needs_meanwhile.map(|it| it.0), row.holds.map(|it| it.0), row.growths_avoided)
}

#[test]
fn a_map_that_was_emptied_is_rebuilt_small() {
    let rows = asked(&emptied(), &Ask::default());
    assert_eq!(rows.len(), 7);
    assert_eq!(numbers(&rows[0]), (Some(813 - 113), Some(113), Some(113), None));
    assert_eq!((rows[0].estimate, &rows[0].condition, &rows[0].unanswered), (false, &None, &None));
    // It is far from its next growth: for those it has.
    assert_eq!(numbers(&rows[1]), (Some(700), Some(113), Some(113), Some(0)));
}

#[test]
fn presizing_avoids_each_growth_and_the_peak_of_the_last() {
    let report = report(
        doubling(),
        Shape { live: 8, capacity: 8, allocated: Bytes(118), needed: Some(Bytes(118)), ..Shape::default() },
    );
    let rows = asked(&report, &Ask { keys: Some(50), ..Ask::default() });
    // 10 + 800 + 50; growing there holds 10 + 800 + 400 + 50 at the third growth.
    assert_eq!(numbers(&rows[1]), (Some(118 - 860), Some(860), Some(860), Some(3)));
    let peaks = (Some(Bytes(1260)), Some(Bytes(400)));
    let Plan::Presize { entries, peak_growing, peak_saved } = rows[1].plan else { panic!("{:?}", rows[1]) };
    assert_eq!((entries, (peak_growing, peak_saved)), (Some(50), peaks));
    // A flat array of 50 slots: 600 bytes, one word of bits, 50 behind.
    assert_eq!(numbers(&rows[5]), (Some(118 - 658), Some(658), Some(658), Some(3)));
}

#[test]
fn a_map_near_its_next_growth_is_made_for_one_entry_more_than_it_grows_with() {
    let mut report = emptied();
    let next = |at_live| NextGrowth {
        at_live,
        new_table: Bytes(1),
        peak_extra: Bytes(1),
        capacity: 1,
        eta: None,
        eta_least: None,
        eta_most: None,
    };
    let entries = |report: &Report| match asked(report, &Ask::default())[1].plan {
        Plan::Presize { entries, .. } => entries,
        _ => None,
    };
    report.maps[0].next_growth = Some(next(6));
    assert_eq!(entries(&report), Some(7), "three of six");
    report.maps[0].next_growth = Some(next(8));
    assert_eq!(entries(&report), Some(3), "three of eight");
}

#[test]
fn shards_hold_their_parts_and_grow_one_by_one() {
    let rows = asked(&emptied(), &Ask { keys: Some(52), shards: vec![2, 4], ..Ask::default() });
    // 26 entries each: 10 + 400 + 26. 13 each: 10 + 200 + 13.
    assert_eq!(numbers(&rows[2]), (Some(813 - 872), Some(872), Some(872), None));
    assert_eq!(numbers(&rows[3]), (Some(813 - 892), Some(892), Some(892), None));
    let Plan::Shards { entries_each, growth_peak, growth_peak_alone, .. } = rows[2].plan else {
        panic!("{:?}", rows[2])
    };
    assert_eq!((entries_each, growth_peak, growth_peak_alone), (Some(26), Some(Bytes(1200)), None));
    assert!(rows[2].estimate && rows[2].condition.as_deref().unwrap().contains("evenly"));
    let rows = asked(&emptied(), &Ask { keys: Some(26), shards: vec![2], ..Ask::default() });
    let Plan::Shards { growth_peak, growth_peak_alone, .. } = rows[2].plan else { panic!("{:?}", rows[2]) };
    assert_eq!((growth_peak, growth_peak_alone), (Some(Bytes(400 + 200)), Some(Bytes(800 + 400))));
}

#[test]
fn hot_keys_are_counted_and_decide_the_slots_of_an_array() {
    let traffic = Some(Traffic { qps: 2.0, skew: 1.0, window: Nanos(1_000_000_000) });
    let rows = asked(&emptied(), &Ask { keys: Some(2), traffic, ..Ask::default() });
    // 13/9 of two keys.
    let Plan::HotSet { keys, hot, hot_error, array, .. } = rows[6].plan else { panic!("{:?}", rows[6]) };
    assert_eq!((keys, hot, hot_error, array), (Some(2), Some(2), Some(0), Some(Bytes(24 + 8 + 2))));
    assert_eq!(numbers(&rows[6]), (Some(813 - 112), Some(112), Some(112), None));
    assert!(matches!(rows[5].plan, Plan::FlatArray { slots: Some(2), bitmap: Some(Bytes(8)) }));
}

#[test]
fn tables_that_fill_unevenly_make_an_estimate() {
    let shape =
        Shape { live: 20, capacity: 32, allocated: Bytes(340), needed: Some(Bytes(340)), ..Shape::default() };
    let report = report(splitting(), shape);
    let rows = asked(&report, &Ask { keys: Some(56), ..Ask::default() });
    assert!(rows[0].estimate && rows[0].condition.as_deref().unwrap().contains("unevenly"), "{:?}", rows[0]);
    assert_eq!(numbers(&rows[1]), (Some(340 - 660), Some(660), Some(660), Some(2)));
    assert!(rows[1].estimate);
    // The size of its entries is not known.
    assert!(rows[5].holds.is_none() && rows[5].unanswered.as_deref().unwrap().contains("entries"));
}

/// That nothing is said of a row, and why.
fn unanswered(rows: &[Remedy]) -> Vec<&str> {
    let silent = |row: &&Remedy| numbers(row) == (None, None, None, None);
    rows.iter().filter(silent).filter_map(|row| row.unanswered.as_deref()).collect()
}

#[test]
fn what_is_not_known_is_said_and_not_guessed() {
    let mut report = emptied();
    report.sizes.clear();
    let rows = asked(&report, &Ask::default());
    let reasons = unanswered(&rows);
    assert_eq!(reasons.len(), 6, "{rows:#?}");
    assert!(reasons[..5].iter().all(|why| why.contains("its type")), "{reasons:?}");
    assert!(reasons[5].contains("--qps") && rows[0].unanswered.is_none());
    report.maps[0].live = None;
    assert_eq!(unanswered(&asked(&report, &Ask::default())).len(), 7);
    let many = Ask { keys: Some(u64::MAX), slots: Some(u64::MAX), shards: vec![1], traffic: None };
    assert_eq!(unanswered(&asked(&emptied(), &many)).len(), 4);
    let traffic = Some(Traffic { qps: 1.0, skew: 1.0, window: Nanos(1) });
    let mut nobody = emptied();
    nobody.maps[0].live = Some(0);
    let rows = asked(&nobody, &Ask { traffic, ..Ask::default() });
    assert!(rows[6].unanswered.as_deref().unwrap().contains("--keys"), "{:?}", rows[6]);
}

#[test]
fn a_map_that_is_not_there_or_gone_is_told_apart_from_one_that_took_its_place() {
    let mut report = emptied();
    assert_eq!(answer(&report, Address(1), &Ask::default()), Err(NoMap::Unknown(Address(1))));
    let dead = Map { died: Some(Nanos(5)), ..report.maps[0].clone() };
    report.maps.insert(0, dead);
    assert_eq!(answer(&report, MAP, &Ask::default()).unwrap().map.live, Some(3));
    report.maps.truncate(1);
    assert_eq!(answer(&report, MAP, &Ask::default()), Err(NoMap::Dropped(MAP)));
}

#[test]
fn answers_are_the_same_from_a_report_that_was_written_and_read_and_can_be_read_themselves() {
    let mut report = emptied();
    let answers = answer(&report, MAP, &Ask { keys: Some(20), ..Ask::default() }).unwrap();
    let text = serde_json::to_string(&report).unwrap();
    report = serde_json::from_str(&text).unwrap();
    assert_eq!(answer(&report, MAP, &Ask { keys: Some(20), ..Ask::default() }).unwrap(), answers);
    let text = serde_json::to_string(&answers).unwrap();
    assert_eq!(serde_json::from_str::<WhatIf>(&text).unwrap(), answers);
    assert!(text.contains(r#""remedy":"presize","entries":20,"#), "{text}");
}

#[test]
fn sizes_that_make_no_sense_neither_panic_nor_overflow() {
    let most = u64::MAX;
    let step = crate::audit::fact::Step {
        live: most,
        slots: most,
        tables: most,
        bytes: Bytes(most),
        spare: most,
        together: most,
        beside: Some(Bytes(most)),
    };
    let sizes = Sizes {
        id: SizesId(1),
        header: Bytes(most),
        slot: Some(Bytes(most)),
        behind: Bytes(most),
        overflow: Some(Bytes(most)),
        listed: Bytes(most),
        steps: vec![step; 3],
    };
    let shape = Shape { live: most, capacity: most, allocated: Bytes(most), ..Shape::default() };
    let report = report(sizes, shape);
    let traffic = Some(Traffic { qps: 1e12, skew: 10.0, window: Nanos(most) });
    for keys in [None, Some(1), Some(most)] {
        let ask = Ask { keys, shards: vec![0, 1, most], slots: Some(most), traffic };
        assert_eq!(asked(&report, &ask).len(), 7);
    }
}
