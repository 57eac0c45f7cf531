//! What the report says of the target as a whole.

use super::made::{
    allocate, anon, fact, hook, look, memory, only_map, runtime, shape, told, under_way, with_hooks,
};
use crate::audit::fact::{Cost, Ended, HookState, Lost, Occasion, Shape, What};
use crate::audit::report::Confidence;
use crate::audit::unit::{Bytes, Nanos};
use crate::audit::{Audit, ladder};

#[test]
fn nothing_told_is_a_report_of_nothing_known() {
    let report = Audit::new().report();
    assert_eq!(report.coverage.confidence, Confidence::Insufficient);
    assert_eq!(report.memory.rss.last, None);
    assert_eq!((report.events.allocate, report.events.insert), (None, None));
    assert_eq!((report.maps.len(), report.memory.ladder.len()), (0, 0));
}

#[test]
fn the_head_of_the_report_is_what_the_first_fact_says() {
    let report = told(under_way(), [(9, What::Ended(Ended::Stopped))]);
    assert_eq!((report.auditor.version.as_str(), report.host.kernel.as_str()), ("1.2.3", "6.18.0"));
    assert_eq!((report.target.comm.as_str(), report.target.runtimes.len()), ("demo", 1));
    assert_eq!((report.window.end, report.window.ended), (Nanos(9), Some(Ended::Stopped)));
    assert_eq!(report.window.wall_start, "1970-01-01T00:00:00Z");
}

#[test]
fn a_layout_that_failed_its_check_says_nothing_for_sure() {
    for (verified, confidence) in [
        (Some(true), Confidence::Exact),
        (None, Confidence::AtLeast),
        (Some(false), Confidence::Insufficient),
    ] {
        let report = told(under_way(), [(1, What::Runtime(runtime(verified)))]);
        assert_eq!((report.coverage.layout_verified, report.coverage.confidence), (verified, confidence));
    }
}

#[test]
fn loss_is_said_in_every_report() {
    let lost = What::Lost(Lost { source: "ring_full".to_owned(), count: 4 });
    let report = told(under_way(), [(1, lost)]);
    assert_eq!((report.coverage.lost, report.coverage.confidence), (4, Confidence::AtLeast));
}

#[test]
fn a_refused_tracepoint_makes_its_totals_lower_bounds() {
    let refused = |name| told(under_way(), [(1, What::Hook(hook(9, name, HookState::Refused)))]);
    assert_eq!(refused("sys_exit").coverage.confidence, Confidence::AtLeast);
    assert_eq!(refused("mark_victim").coverage.confidence, Confidence::Exact);
}

#[test]
fn hits_cost_what_their_site_costs() {
    let hits = |hook, hits| What::Hits { hook, hits };
    let cost = Cost { agent_cpu: Nanos(5), agent_rss: Bytes(6), bpf_memory: Bytes(7) };
    let facts = [(1, hits(0, 10)), (2, hits(0, 30)), (2, hits(1, 5)), (3, What::Cost(cost))];
    let report = told(under_way(), facts);
    assert_eq!((report.cost.probe_hits, report.cost.target_time_estimate), (35, Nanos(3500)));
    assert_eq!(report.cost.agent_cpu, Some(Nanos(5)));
    assert_eq!(report.coverage.probes[0].hits, 30);
}

#[test]
fn the_ladder_adds_up_after_every_step() {
    let report = told(under_way(), [(1, memory(1000)), (2, anon(9000)), (3, anon(4000))]);
    let sum: u64 = report.memory.ladder.iter().map(|rung| rung.bytes.0).sum();
    assert_eq!((report.memory.rss.last, sum), (Some(Bytes(4000)), 4000));
    assert_eq!(report.memory.rss.peak, Some(Bytes(9000)));
    assert_eq!(report.memory.ladder.last().unwrap().name, ladder::UNEXPLAINED);
}

#[test]
fn what_no_hook_tells_is_unknown_and_what_it_tells_is_counted() {
    let told_of = with_hooks(&["demo_map_allocate"]);
    let report = told(told_of, [(1, allocate(0x10, 10)), (2, allocate(0x20, 10))]);
    assert_eq!((report.events.allocate, report.events.grow), (Some(2), None));
    assert_eq!(only_map(&report).tables.allocated, Some(2));
}

#[test]
fn an_audit_tells_why_it_ended() {
    let mut audit = under_way();
    assert_eq!(audit.ended(), None);
    audit.apply(&fact(3, What::Ended(Ended::Duration)));
    assert_eq!(audit.ended(), Some(Ended::Duration));
}

/// Growths are told one by one, and the rest is what the map looked like.
#[test]
fn where_maps_are_only_read_the_last_reading_is_no_lower_bound_but_its_age_is_told() {
    let facts = [
        (2, look(Occasion::AtAttach, Shape { counted: None, ..shape(0x1000, 228, 7) })),
        (4, What::Ended(Ended::TargetExited)),
    ];
    let coverage = told(with_hooks(&["go_map_grow"]), facts).coverage;
    assert_eq!(coverage.confidence, Confidence::Exact);
    assert_eq!(coverage.notes, ["1 maps were not read at the exit: what they held is as of the last poll"]);
}

#[test]
fn a_map_that_was_not_read_at_the_exit_has_the_figures_of_the_last_poll() {
    for (occasion, confidence) in
        [(Occasion::Poll, Confidence::AtLeast), (Occasion::AtExit, Confidence::Exact)]
    {
        let facts = [
            (2, allocate(0x1000, 100)),
            (3, look(occasion, shape(0x1000, 228, 7))),
            (4, What::Ended(Ended::TargetExited)),
        ];
        let report = told(under_way(), facts);
        assert_eq!(report.coverage.confidence, confidence, "{:?}", report.coverage.notes);
    }
}
