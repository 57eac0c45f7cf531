//! Gates on a command: run, audited and judged, with the exit status that a build looks at.

use serde_json::Value;

use crate::harness::{Scene, demo, json, number, rows};

/// Entries whose deletion strands more than 40 MiB and less than 1 GiB.
const MANY: &str = "2000000";

/// Checks a map that grows and is emptied, held long enough for its pages to be asked for.
fn check(scene: &Scene, flags: &[&str]) -> (i32, String, String) {
    let demo = demo();
    let truth = scene.name("truth");
    let command =
        [demo.to_str().unwrap(), "grow_then_delete", "--entries", MANY, "--hold", "3", "--truth", &truth];
    let args = [&["check", "-i", "100ms"], flags, &["--"], &command[..]].concat();
    let ended = scene.audit(args);
    (ended.status, ended.stdout, ended.stderr)
}

fn gates(outcome: &Value) -> Vec<(&str, &str)> {
    rows(outcome, "/gates")
        .iter()
        .map(|gate| (gate["gate"].as_str().unwrap(), gate["result"].as_str().unwrap()))
        .collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_command_that_strands_memory_fails_its_gate_and_the_map_is_named() {
    let scene = Scene::new();
    let (status, stdout, stderr) = check(
        &scene,
        &[
            "--gate",
            "stranded<40MiB",
            "--gate",
            "lost=0",
            "--gate",
            "growths(name=~\"^sess\")>3",
            "-f",
            "json",
        ],
    );
    assert_eq!(status, 1, "{stdout} {stderr}");
    let outcome = json(&stdout);
    let expected = [("stranded<40MiB", "fail"), ("lost=0", "pass"), ("growths(name=~\"^sess\")>3", "pass")];
    assert_eq!(gates(&outcome), expected, "{stdout}");
    let truth = scene.truth();
    let (part, map) = (&outcome["gates"][0]["parts"][0], &rows(&truth, "/maps")[0]);
    assert_eq!((&part["name"], &part["address"]), (&map["name"], &map["address"]));
    assert!(number(&outcome, "/gates/0/figure/least") > 40 << 20, "{stdout}");
    assert_eq!(outcome["command"]["success"], true, "{stdout}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_generous_gate_lets_a_command_pass() {
    let scene = Scene::new();
    let (status, stdout, stderr) = check(&scene, &["--gate", "stranded<1GiB", "--gate", "peak_rss<4GiB"]);
    assert_eq!(status, 0, "{stdout} {stderr}");
    assert!(stdout.contains("all 2 gates hold") && !stdout.contains("FAIL"), "{stdout}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_command_that_fails_is_an_error_of_its_own_and_a_slip_in_a_gate_costs_no_run() {
    let scene = Scene::new();
    let mark = scene.name("ran");
    let demo = demo();
    let demo = demo.to_str().unwrap();
    let script = format!("{demo} grow --entries 100 >{mark}; exit 3");
    let slip = scene.audit(["check", "--gate", "strandd<1GiB", "--", "sh", "-c", &script]);
    slip.refused(2, &["column 1", "did you mean stranded"]);
    assert!(!scene.path("ran").exists());
    let bad = ["check", "--gate", "lost=0", "-f", "junit", "--", demo, "no_such_scenario"];
    let ended = scene.audit(bad);
    assert_eq!(ended.status, 1, "{} {}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("<error type=\"command\""), "{}", ended.stdout);
}
