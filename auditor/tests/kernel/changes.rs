//! Why RSS moved: what the parts say adds up, and they explain it, held against what the kernel counted.

use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::go::{Program, Variant, toolchains};
use crate::harness::process::bytes_in;
use crate::harness::{Scene, entries, json, number, rows, text};

/// How much of what RSS rose no part may leave unexplained, in percent.
const MOST: u64 = 5;

/// RSS now and the highest that it was, as the kernel counts.
fn held(pid: u32) -> (u64, u64) {
    (bytes_in("status", pid, "VmRSS"), bytes_in("status", pid, "VmHWM"))
}

/// Every change adds up, they follow each other, and little of what RSS rose is unexplained. `rose`: how much it
/// rose at least.
fn explained(report: &Value, rose: u64, who: &str) {
    let changes = &report["memory"]["changes"];
    let place = format!("{who}: {changes:#}");
    for change in rows(changes, "/largest") {
        let signed = |value: &Value| value.as_i64().unwrap();
        let parts: i64 = rows(change, "/parts").iter().map(|part| signed(&part["bytes"])).sum();
        assert_eq!(parts + signed(&change["unexplained"]), signed(&change["rss"]), "{place}");
        assert!(number(change, "/start") < number(change, "/end"), "{place}");
    }
    let (told, rest) = (number(changes, "/rose"), number(changes, "/rose_unexplained"));
    assert!(told >= rose, "{rose} {place}");
    assert!(rest * 100 <= told * MOST, "{place}");
}

fn demo(scenario: &str, interval: &str) -> (Value, u64) {
    let scene = Scene::new();
    let mut target = scene.waiting_demo(&[scenario, "--entries", &entries(1_000_000), "--hold", "60"]);
    let (before, _) = held(target.pid());
    let auditor = scene.attach(&target, &["-i", interval, "-f", "json"]);
    target.tell("go");
    target.wait_to_say("holds its maps");
    sleep(Duration::from_millis(500));
    let (_, most) = held(target.pid());
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    target.end_by(Signal::SIGTERM).well();
    (report, most - before)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_rss_rose_while_one_map_grew_is_explained_by_that_map() {
    let (report, rose) = demo("grow", "100ms");
    // Between two readings it may turn.
    explained(&report, rose / 2, "grow");
    let map = &rows(&report, "/maps")[0]["address"];
    let all = rows(&report, "/memory/changes/largest");
    let largest = all.iter().max_by_key(|change| change["rss"].as_i64()).unwrap();
    let first = &rows(largest, "/parts")[0];
    assert_eq!((&first["map"], text(first, "/name")), (map, "tables of a map"), "{largest:#}");
    assert!(number(first, "/growths") > 0, "{largest:#}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_rss_rose_while_many_maps_grew_at_once_is_explained_by_them_together() {
    let (report, rose) = demo("burst", "200ms");
    explained(&report, rose / 2, "burst");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_rss_rose_while_a_go_program_inserted_is_explained() {
    for go in toolchains() {
        let scene = Scene::new();
        let mut program = Program::start(&scene, &go.build(Variant::Plain), &["grow"]);
        let (before, _) = held(program.pid());
        let pid = program.pid().to_string();
        let mut auditor = scene.auditor(["attach", "-p", &pid, "-i", "200ms", "-f", "json"]);
        auditor.wait_to_say("attached to");
        program.ask("ints 3000000");
        sleep(Duration::from_millis(500));
        let (now, _) = held(program.pid());
        let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
        explained(&report, (now - before) / 2, &go.release);
        let pairs: Vec<&str> = rows(&report, "/lags").iter().map(|lag| text(lag, "/to")).collect();
        assert!(pairs.contains(&"RSS rises"), "{}: {pairs:?}", go.release);
    }
}
