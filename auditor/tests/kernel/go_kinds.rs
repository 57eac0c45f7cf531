//! Go programs that are not as most are: one with a plugin, one that is the first process of a container, one
//! of a release with Swiss maps that was built without them.

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::go::{Go, Program, Variant, toolchains};
use crate::harness::{Scene, json, number, rows, text, wait_until};

fn census(scene: &Scene, pid: u32) -> Value {
    json(&scene.audit(["census", "-p", &pid.to_string(), "-f", "json", "--min-bytes", "4KiB"]).well().stdout)
}

fn map_at<'a>(report: &'a Value, address: &str) -> Option<&'a Value> {
    rows(report, "/maps").iter().find(|map| map["address"] == address)
}

/// Those maps of the truth that the report has not, or not with as many entries.
fn missing(truth: &Value, report: &Value) -> Vec<String> {
    let is_there = |map: &&Value| {
        let found = map_at(report, text(map, "/address"));
        found.is_some_and(|found| found["live"] == map["len"])
    };
    let maps = rows(truth, "/maps").iter();
    maps.filter(|map| !is_there(map)).map(|map| text(map, "/name").to_owned()).collect()
}

/// One with classic maps and one with Swiss ones.
fn one_of_each() -> Vec<Go> {
    let mut all = toolchains();
    let newest = all.pop();
    let classic = all.into_iter().rfind(|go| !go.is_swiss());
    classic.into_iter().chain(newest).collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_release_with_swiss_maps_that_was_built_without_them_has_classic_ones() {
    // The experiment is gone since 1.26.
    let could = |go: &Go| (24..26).contains(&go.minor());
    for go in toolchains().into_iter().filter(could) {
        let scene = Scene::new();
        let path = go.build_of("go", Variant::Stripped, &[("GOEXPERIMENT", "noswissmap")]);
        let mut program = Program::start(&scene, &path, &["grow"]);
        let report = census(&scene, program.pid());
        assert_eq!(report["target"]["runtimes"][0]["name"], "go_bucket");
        let pid = program.pid().to_string();
        let mut auditor = scene.auditor(["attach", "-p", &pid, "-f", "json", "--budget", "50%"]);
        auditor.wait_to_say("attached to");
        let answer = program.ask("ints 300000");
        let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
        assert_eq!(report["events"]["grow"], answer["growths"], "{}", go.release);
        let program = Program::start(&scene, &path, &["shapes"]);
        let report = census(&scene, program.pid());
        assert_eq!(missing(&program.truth, &report), Vec::<String>::new(), "{}", go.release);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn maps_of_a_plugin_are_among_those_of_the_program() {
    for go in toolchains() {
        let scene = Scene::new();
        let plugin = go.build_of("go-plugin", Variant::Plugin, &[]);
        let host = go.build_of("go-host", Variant::Cgo, &[]);
        let program = Program::start(&scene, &host, &[plugin.to_str().unwrap()]);
        let report = census(&scene, program.pid());
        for (name, entries) in [("own", 30_000), ("plugged", 20_000)] {
            let map = map_at(&report, text(&program.truth, &format!("/{name}")));
            let map = map.unwrap_or_else(|| panic!("{}: {name} was not found", go.release));
            assert_eq!(map["live"], entries, "{}: {map}", go.release);
            assert_eq!(map["reachable"], true, "{}: {map}", go.release);
        }
    }
}

/// The process that `unshare` has started, as it is called outside.
fn child_of(parent: u32) -> u32 {
    let mut child = None;
    wait_until("the container has a process", Duration::from_secs(20), || {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
        child = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        child.is_some()
    });
    child.unwrap()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_first_process_of_a_container_is_audited_by_its_pid_outside() {
    for go in one_of_each() {
        let scene = Scene::new();
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
        command.arg(go.build(Variant::Stripped)).arg("grow");
        let mut program = Program::start_with(&scene, &mut command);
        assert_eq!(program.truth["pid"], 1, "it is not the first process there");
        let pid = child_of(program.pid());
        let counted = census(&scene, pid);
        assert_eq!(number(&counted, "/target/pid"), u64::from(pid));
        let name = pid.to_string();
        let mut auditor = scene.auditor(["attach", "-p", &name, "-f", "json", "--budget", "50%"]);
        auditor.wait_to_say("attached to");
        let answer = program.ask("ints 300000");
        let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
        assert_eq!(report["events"]["grow"], answer["growths"], "{}", go.release);
        let map = map_at(&report, text(&answer, "/ints")).expect("its map is listed");
        assert_eq!(map["live"], 300_000, "{}: {map}", go.release);
        let site = rows(map, "/site");
        let named = site.iter().filter_map(Value::as_str).any(|frame| frame.starts_with("main.fillInts"));
        assert!(named, "{}: {site:?}", go.release);
    }
}
