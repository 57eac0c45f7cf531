//! An attach in mid-run: the maps that were there are found by the target's own list, marked as such,
//! and what they hold is right.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::agreement::{Seen, differences};
use crate::harness::{Scene, entries, json, number, rows, scenarios};

fn judged(scenario: &str, truth: &Value, report: &Value) -> Vec<String> {
    let found = differences(truth, report, Seen::InMidRun);
    found.iter().map(|difference| format!("{scenario}: {difference}")).collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn all_that_was_there_before_the_attach_is_found_and_right() {
    let mut found = Vec::new();
    for scenario in scenarios() {
        let scene = Scene::new();
        let mut target = scene.demo(&[&scenario, "--entries", &entries(100_000), "--hold", "60"]);
        target.wait_to_say("holds its maps");
        let report = scene.attach(&target, &["--duration", "200ms", "-f", "json"]).end_by_itself().well();
        target.end_by(Signal::SIGTERM).well();
        let (truth, report) = (scene.truth(), json(&report.stdout));
        found.extend(judged(&scenario, &truth, &report));
        found.extend(
            rows(&report, "/maps")
                .iter()
                .filter(|map| map["origin"] != "before-attach")
                .map(|map| format!("{scenario}: {} is {}", map["name"], map["origin"])),
        );
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// What changes while the audit looks is followed from where it was found.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn maps_that_go_on_changing_are_right_in_the_end() {
    let mut found = Vec::new();
    for scenario in
        ["grow", "grow_then_delete", "sliding_window", "churn", "many_threads", "rebuild", "shrink"]
    {
        let scene = Scene::new();
        let mut target = scene.demo(&[scenario, "--entries", &entries(1_000_000), "--maps", "3"]);
        std::thread::sleep(std::time::Duration::from_millis(150));
        let auditor = scene.attach(&target, &["--evacuation", "probe", "-f", "json"]);
        assert!(!target.has_ended(), "{scenario} is too short for this test");
        target.end_by_itself().well();
        let report = json(&auditor.end_by_itself().well().stdout);
        let truth = scene.truth();
        found.extend(judged(scenario, &truth, &report));
        let before = rows(&report, "/maps").iter().filter(|map| map["origin"] == "before-attach").count();
        if before == 0 {
            found.push(format!("{scenario}: nothing was there before the attach"));
        }
        let moved = rows(&truth, "/maps").iter().map(|map| number(map, "/events/evacuate")).sum::<u64>();
        if number(&report, "/events/evacuate") > moved {
            found.push(format!("{scenario}: more moved than there were"));
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}
