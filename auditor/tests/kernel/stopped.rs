//! An audit that is stopped while its target still holds its maps reads them once more: it is exact on
//! every kernel. One that the target's exit ends is exact only where the kernel gives a last look.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::exact::Flags;
use crate::harness::agreement::{Seen, differences};
use crate::harness::{Scene, demo, entries, json, number, probe, scenarios, text};

/// Attaches to a scenario that waits, lets it play, stops the audit, and says what differs.
fn stopped(scenario: &str, flags: Flags<'_>) -> Vec<String> {
    let scene = Scene::new();
    let mut target = scene.waiting_demo(&[scenario, "--entries", &entries(300_000), "--hold", "600"]);
    // Small maps one by one, too: where one died and another was born, both are compared.
    let every_map = ["--evacuation", "probe", "-f", "json", "--min-bytes", "0"];
    let auditor = scene.attach(&target, &[&every_map, flags].concat());
    target.ask("go", "holds its maps");
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    target.end_by(Signal::SIGTERM).well();
    let mut found = differences(&scene.truth(), &report, Seen::FromTheStart);
    if report["window"]["ended"] != "stopped" {
        found.push(format!("it ended because of {}", report["window"]["ended"]));
    }
    found.iter().map(|difference| format!("{scenario}: {difference}")).collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_scenario_that_holds_its_maps_when_the_audit_is_stopped_is_counted_exactly() {
    let found: Vec<String> = scenarios().iter().flat_map(|scenario| stopped(scenario, &[])).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Runs a scenario to its end where there is no last look, for that reason.
fn exits_unseen(flags: Flags<'_>, reason: &str) {
    let scene = Scene::new();
    let (truth_file, entries) = (scene.name("truth"), entries(300_000));
    let demo = demo();
    let command = [demo.to_str().unwrap(), "grow", "--entries", &entries, "--truth", &truth_file];
    let args = [&["run", "--evacuation", "probe", "-f", "json"], flags, &["--"], &command].concat();
    let report = json(&scene.audit(args).well().stdout);
    let truth = scene.truth();
    assert_eq!(report["window"]["ended"], "target_exited");
    assert_eq!(probe(&report, "sched_process_exit")["state"], "refused");
    let said = text(probe(&report, "sched_process_exit"), "/reason");
    assert!(said.contains(reason) && said.contains("not known without it"), "{said}");
    assert_eq!(report["coverage"]["confidence"], "at_least");
    let notes = report["coverage"]["notes"].to_string();
    assert!(notes.contains("1 maps were not read at the exit"), "{notes}");
    let of_truth = |field: &str| number(&truth, &format!("/maps/0{field}"));
    for event in ["allocate", "grow", "free", "evacuate"] {
        let pointer = format!("/events/{event}");
        assert_eq!(number(&report, &pointer), of_truth(&pointer), "{event}: hooks need no last look");
    }
    let live = report.pointer("/maps/0/live").and_then(Value::as_u64);
    assert!(live.is_none_or(|live| live <= of_truth("/live")), "{live:?}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_exit_that_gives_no_last_look_leaves_lower_bounds_and_says_so() {
    exits_unseen(&["--no-feature", "sched_process_exit"], "left out by --no-feature");
}

/// Before Linux 6.16.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_kernel_that_gives_no_last_look_leaves_lower_bounds_and_says_so() {
    exits_unseen(&[], "before Linux 6.16 it comes after the memory has gone");
}
