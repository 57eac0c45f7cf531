//! A flight recorder: what is written, when, and that it tells of the same target as the audit did.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{PATIENCE, Scene, auditor, entries, json, number, rows, wait_until};

const SECOND: u64 = 1_000_000_000;

/// The report of a recording.
fn replayed(scene: &Scene, recording: &str) -> Value {
    let recording = scene.name(recording);
    let replay = scene.start("replay", auditor().args(["replay", &recording, "-f", "json"]));
    json(&replay.end_by_itself().well().stdout)
}

fn notes(report: &Value) -> String {
    report["coverage"]["notes"].to_string()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn only_the_last_seconds_are_written_and_they_know_every_map() {
    let scene = Scene::new();
    let target = scene.demo(&["many_small", "--entries", &entries(200_000), "--hold", "60"]);
    let recording = scene.name("a.rec");
    let flags = ["-i", "100ms", "-f", "json", "--min-bytes", "0B", "--ring", "10s", "--record", &recording];
    let auditor = scene.attach(&target, &flags);
    std::thread::sleep(Duration::from_secs(14));
    assert!(!scene.path("a.rec").exists(), "it is written at the end");
    let live = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    target.end_by(Signal::SIGTERM).well();
    let kept = replayed(&scene, "a.rec");
    let seen = number(&kept, "/window/end") - number(&kept, "/window/start");
    assert!((9 * SECOND..12 * SECOND).contains(&seen), "{seen} ns");
    assert_eq!(kept["window"]["end"], live["window"]["end"]);
    assert_eq!(kept["window"]["ended"], "stopped");
    let shapes = |report: &Value| -> Vec<Value> {
        let of =
            |map: &Value| ["address", "live", "capacity", "bytes"].map(|field| map[field].clone()).to_vec();
        let living = rows(report, "/maps").iter().filter(|map| map["died"].is_null());
        let mut shapes: Vec<Value> = living.map(|map| of(map).into()).collect();
        shapes.sort_by_key(|shape| shape[0].to_string());
        shapes
    };
    let (known, there) = (shapes(&kept), shapes(&live));
    assert!(there.len() > 10, "{} maps", there.len());
    let differs = known.iter().zip(&there).find(|(one, other)| one != other);
    assert!(
        known.len() == there.len() && differs.is_none(),
        "{} of {}: {differs:#?}",
        known.len(),
        there.len()
    );
    assert_eq!(kept["memory"]["rss"]["last"], live["memory"]["rss"]["last"]);
    assert!(notes(&kept).contains("the audit ended"), "{}", notes(&kept));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_condition_writes_while_the_target_goes_on_and_the_end_of_the_target_does_too() {
    let scene = Scene::new();
    let mut target = scene.demo(&["grow", "--entries", "1000000", "--wait", "--hold", "3"]);
    target.wait_to_say("waits for a line");
    let recording = scene.name("a.rec");
    let ring = ["-f", "json", "--ring", "1m", "--record", &recording, "--trigger", "growth>1MiB"];
    let auditor = scene.attach(&target, &ring);
    assert!(!scene.path("a.rec").exists());
    target.tell("go");
    wait_until("a growth is kept", PATIENCE, || scene.path("a.rec").exists());
    target.end_by_itself().well();
    let live = json(&auditor.end_by_itself().well().stdout);
    let (first, last) = (replayed(&scene, "a.rec"), replayed(&scene, "a-2.rec"));
    assert!(!scene.path("a-3.rec").exists());
    assert!(notes(&first).contains("growth>1MiB: a map asked for 1."), "{}", notes(&first));
    assert_eq!(number(&first, "/coverage/lost"), 0);
    assert!(number(&first, "/maps/0/live") < number(&live, "/maps/0/live"));
    assert_eq!(last["maps"], live["maps"]);
    assert_eq!(last["window"]["ended"], "target_exited");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_is_no_condition_is_told_before_anything_is_attached() {
    let scene = Scene::new();
    let target = scene.demo(&["steady", "--entries", "1000", "--hold", "60"]);
    let pid = target.pid().to_string();
    let recording = scene.name("a.rec");
    let start = ["attach", "-p", &pid, "--record", &recording];
    let slip = [&start[..], &["--ring", "1m", "--trigger", "rss>25%"]].concat();
    scene.audit(slip).refused(2, &["--trigger", "rss>25%", "write it as 512MiB or 2GiB"]);
    scene.audit([&start[..], &["--trigger", "rss+25%"]].concat()).refused(2, &["--ring"]);
    assert!(!scene.path("a.rec").exists());
    target.end_by(Signal::SIGTERM).well();
}
