//! The end of the target, however it comes: the last look tells what was there.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::agreement::{Seen, differences};
use crate::harness::{Scene, demo, entries, fixture, json as parsed, probe};

/// Nothing is polled: what the report knows of the end it has from the last look.
const NO_POLLS: [&str; 6] = ["-i", "1h", "--evacuation", "probe", "-f", "json"];

/// The truth of the same run, played without a spectator; where the maps were is not the same.
fn truth_of(arguments: &[&str]) -> Value {
    let output = Command::new(demo()).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success());
    parsed(&String::from_utf8(output.stdout).unwrap())
}

fn without_addresses(document: &Value, by: &str) -> Value {
    let mut document = document.clone();
    let maps = document["maps"].as_array_mut().unwrap();
    maps.sort_by_key(|map| map[by].to_string());
    for (number, map) in maps.iter_mut().enumerate() {
        map["address"] = json!(format!("{number:#x}"));
        map["name"] = json!("unnamed");
    }
    document["episodes"] = json!([]);
    document
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_that_is_killed_leaves_its_last_counts() {
    for scenario in ["grow", "tombstones", "stalled_evacuation", "bad_hash"] {
        let arguments = [scenario, "--entries", &entries(300_000)];
        let truth = without_addresses(&truth_of(&arguments), "bytes");
        let scene = Scene::new();
        let mut target = scene.waiting_demo(&[&arguments[..], &["--hold", "60"]].concat());
        let auditor = scene.attach(&target, &NO_POLLS);
        target.ask("go", "holds its maps");
        assert_eq!(target.end_by(Signal::SIGKILL).status, -9);
        let report = parsed(&auditor.end_by_itself().well().stdout);
        assert_eq!(report["window"]["ended"], "target_exited");
        let found = differences(&truth, &without_addresses(&report, "address"), Seen::FromTheStart);
        let found: Vec<&String> = found
            .iter()
            .filter(|words| !words.contains(": moved") && !words.contains("the name is"))
            .collect();
        assert!(found.is_empty(), "{scenario}: {found:#?}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_that_replaces_its_program_ends_the_audit_and_goes_on_unharmed() {
    let scene = Scene::new();
    let program = scene.fixture(&fixture::HERD);
    let mut command = Command::new(&program);
    let mut target = scene.start("herd", command.args(["0.3", "threads", "1"]).stdin(Stdio::piped()));
    target.wait_to_say("generation 1");
    let auditor = scene.attach(&target, &["--evacuation", "probe", "-f", "json"]);
    target.hang_up();
    let report = parsed(&auditor.end_by_itself().well().stdout);
    assert_eq!(report["window"]["ended"], "target_replaced");
    assert!(probe(&report, "demo_map_grow")["hits"].as_u64().unwrap() > 0);
    target.end_by_itself().well();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_that_ends_by_itself_has_ended_the_audit() {
    let scene = Scene::new();
    let mut target = scene.waiting_demo(&["grow", "--entries", "1000"]);
    let auditor = scene.attach(&target, &NO_POLLS);
    target.tell("go");
    target.end_by_itself().well();
    let report = parsed(&auditor.end_by_itself().well().stdout);
    assert_eq!(report["window"]["ended"], "target_exited");
    let found = differences(&scene.truth(), &report, Seen::FromTheStart);
    assert!(found.is_empty(), "{found:#?}");
}
