//! Which map is taken for which, and what the checks of a release make of two reports.

use super::pairing::rows;
use super::*;
use crate::audit::Audit;
use crate::audit::report::{Gc, Map, Outlook};

/// A report in which nothing happened.
fn empty() -> Report {
    Audit::new().report()
}

fn map(address: u64, allocated: u64, text: &str) -> Map {
    // Only what a recording has goes through the audit; a map by hand is plain data.
    let map = serde_json::json!({
        "address": format!("0x{address:x}"), "runtime": "go-swiss", "type": "map[string]int", "candidates": [],
        "name": null, "origin": "observed", "born": null, "died": null, "reachable": true, "owner": text,
        "site": ["main.fill (/src/a.go:7)", "0x1234"], "live": 1, "capacity": 8, "tombstones": null,
        "overflow": null, "bytes": {"allocated": allocated, "resident": null, "needed": null, "stranded": null,
        "old_table": null, "peak": null}, "tables": {"allocated": null, "allocated_bytes": null, "freed": null,
        "freed_bytes": null}, "growths": {"first": 1, "double": 2, "same_size": null, "shrink": null,
        "split": null, "other": null}, "cleared": null, "evacuation": null, "next_growth": null, "sizes": null,
        "verdict": null, "outlook": null
    });
    serde_json::from_value(map).unwrap()
}

fn of(maps: Vec<Map>) -> Report {
    Report { maps, ..empty() }
}

/// How each row was matched, with its maps before and after.
fn matched(before: Vec<Map>, after: Vec<Map>) -> Vec<(Matched, u64, u64)> {
    let (rows, _) = rows(&of(before), &of(after));
    let maps = |side: &Option<Side>| side.map_or(0, |side| side.maps);
    let mut told: Vec<_> =
        rows.iter().map(|row| (row.matched, maps(&row.pair.before), maps(&row.pair.after))).collect();
    told.sort_unstable();
    told
}

#[test]
fn a_map_is_found_again_at_another_address_and_line() {
    let mut moved = map(9, 200, "main.a");
    moved.site = vec!["main.fill (/src/a.go:99)".to_owned(), "0x9876".to_owned()];
    assert_eq!(matched(vec![map(1, 100, "main.a")], vec![moved]), [(Matched::All, 1, 1)]);
}

#[test]
fn maps_that_cannot_be_told_apart_are_one_row_that_says_so() {
    let alike = |sizes: &[u64]| (1..).zip(sizes).map(|(n, size)| map(n, *size, "main.a")).collect::<Vec<_>>();
    assert_eq!(matched(alike(&[5, 70]), alike(&[60, 6, 1])), [(Matched::Rank, 2, 3)]);
    let (rows, _) = rows(&of(alike(&[5, 70])), &of(alike(&[60, 6, 1])));
    let size = |side: Option<Side>| side.and_then(|side| side.allocated).map(|size| size.0);
    let ranked: Vec<_> = rows[0].ranked.iter().map(|pair| (size(pair.before), size(pair.after))).collect();
    assert_eq!(ranked, [(Some(70), Some(60)), (Some(5), Some(6)), (None, Some(1))]);
    assert_eq!((size(rows[0].pair.before), size(rows[0].pair.after)), (Some(75), Some(67)));
}

#[test]
fn what_differs_is_left_out_one_after_the_other_and_the_rest_is_in_one_only() {
    let mut elsewhere = map(2, 10, "main.a");
    elsewhere.site = vec!["main.other".to_owned()];
    assert_eq!(matched(vec![map(1, 10, "main.a")], vec![elsewhere.clone()]), [(Matched::Owner, 1, 1)]);
    assert_eq!(matched(vec![map(1, 10, "main.a")], vec![map(2, 10, "main.b")]), [(Matched::Site, 1, 1)]);
    elsewhere.owner = None;
    let apart = [(Matched::Gone, 1, 0), (Matched::New, 0, 1)];
    assert_eq!(matched(vec![map(1, 10, "main.a")], vec![elsewhere]), apart);
}

#[test]
fn what_is_not_known_of_one_map_is_not_known_of_the_row() {
    let mut unread = map(2, 10, "main.a");
    unread.bytes.allocated = None;
    let (rows, _) = rows(&of(vec![map(1, 10, "main.a"), unread]), &of(vec![map(3, 10, "main.a")]));
    assert_eq!(rows[0].pair.before.and_then(|side| side.allocated), None);
    assert_eq!(rows[0].pair.after.and_then(|side| side.allocated), Some(Bytes(10)));
}

/// A finding about a map.
fn found(map: u64, severity: Severity) -> Finding {
    let text = |text: &str| text.to_owned();
    let (rule, summary, remedy) = (text("never_shrinks"), format!("of 0x{map:x}"), text(""));
    Finding {
        rule,
        severity,
        map: Some(Address(map)),
        pid: None,
        summary,
        evidence: vec![],
        remedy,
        reclaimable: None,
    }
}

#[test]
fn a_finding_stays_the_same_when_its_map_is_elsewhere() {
    let mut before = of(vec![map(1, 10, "main.a"), map(2, 20, "main.b")]);
    let mut after = of(vec![map(8, 10, "main.a"), map(9, 20, "main.b")]);
    before.findings = vec![found(1, Severity::Warning)];
    after.findings = vec![found(8, Severity::Critical), found(9, Severity::Info)];
    let changes = diff(&before, &after).findings;
    let told: Vec<_> = changes.iter().map(|it| (it.map, it.pair.before, it.pair.after)).collect();
    let expected = [
        (Some(Address(9)), None, Some(Severity::Info)),
        (Some(Address(8)), Some(Severity::Warning), Some(Severity::Critical)),
    ];
    assert_eq!(told, expected);
    let went = diff(&after, &of(vec![])).findings;
    assert!(went.iter().all(|it| it.pair.after.is_none()) && went.len() == 2, "{went:?}");
}

/// A report of so many seconds with RSS in MiB.
fn lasting(seconds: u64, rss: u64) -> Report {
    let mut report = empty();
    report.window.end = Nanos(report.window.start.0 + seconds * 1_000_000_000);
    report.memory.rss.last = Some(Bytes(rss << 20));
    report
}

fn promising(frees: u64, within: Option<u64>) -> Report {
    let mut report = lasting(60, 200);
    report.memory.outlook = Some(Outlook {
        mechanism: String::new(),
        expected_within: within.map(|seconds| Nanos(seconds * 1_000_000_000)),
        frees: Some(Bytes(frees << 20)),
        disproof: String::new(),
    });
    report
}

fn verdict(before: &Report, after: &Report, check: usize) -> Verdict {
    diff(before, after).checks[check].verdict
}

#[test]
fn memory_is_held_to_what_was_promised_and_to_the_time_it_had() {
    for (before, after, expected) in [
        (promising(100, None), lasting(9, 100), Verdict::Pass),
        (promising(100, None), lasting(9, 104), Verdict::Pass),
        (promising(100, None), lasting(9, 110), Verdict::Fail),
        (promising(100, None), lasting(9, 300), Verdict::Fail),
        (promising(100, Some(10)), lasting(5, 150), Verdict::Pass),
        (promising(100, Some(10)), lasting(5, 160), Verdict::Fail),
        (promising(100, Some(10)), lasting(0, 200), Verdict::Unknown),
        (lasting(60, 200), lasting(60, 100), Verdict::Unknown),
    ] {
        assert_eq!(verdict(&before, &after, 0), expected, "{:?}", diff(&before, &after).checks[0]);
    }
}

fn collecting(cycles: u64, pause: Option<u64>) -> Report {
    let gc = serde_json::json!({
        "runtime": "go", "cycles": cycles, "cycles_per_minute": cycles, "cycles_in_all": cycles,
        "pauses": {"count": null, "total": null, "max": null, "p99": pause, "per_minute": null, "in_all": null},
        "heap_live": null, "heap_goal": null, "in_use": null, "allocated": null, "free": null, "released": null,
        "stacks": null, "percent": null, "limit": null, "gives_back_lazily": null, "size_classes": [],
        "world_stops": null, "extended": null, "large_objects": null
    });
    Report { gc: Some(serde_json::from_value::<Gc>(gc).unwrap()), ..lasting(60, 100) }
}

#[test]
fn the_collector_keeps_its_pace_within_8_percent_or_it_is_said_not_to() {
    let pace = |before, after| verdict(&collecting(before, None), &collecting(after, None), 2);
    assert_eq!((pace(100, 100), pace(100, 93), pace(100, 92)), (Verdict::Pass, Verdict::Pass, Verdict::Fail));
    assert_eq!((pace(100, 12), pace(12, 100)), (Verdict::Unknown, Verdict::Unknown));
    assert_eq!(verdict(&empty(), &collecting(100, None), 2), Verdict::Unknown);
}

#[test]
fn only_a_wait_that_is_longer_than_before_and_long_fails() {
    let waits = |before, after| verdict(&collecting(20, before), &collecting(20, after), 1);
    let ms = |ms: u64| Some(ms * 1_000_000);
    assert_eq!((waits(ms(1), ms(9)), waits(ms(30), ms(20))), (Verdict::Pass, Verdict::Pass));
    assert_eq!((waits(ms(1), ms(11)), waits(ms(1), None)), (Verdict::Fail, Verdict::Unknown));
    assert_eq!((waits(None, ms(11)), waits(None, None)), (Verdict::Unknown, Verdict::Unknown));
}

#[test]
fn what_makes_two_reports_hard_to_compare_is_said() {
    let mut other = empty();
    other.target.exe = "/usr/bin/other".to_owned();
    other.target.build_id = Some("b".to_owned());
    let told = diff(&empty(), &other).caveats.join("\n");
    for word in ["programs differ", "build id is missing", "BEFORE is incomplete", "AFTER is incomplete"] {
        assert!(told.contains(word), "{told}");
    }
}
