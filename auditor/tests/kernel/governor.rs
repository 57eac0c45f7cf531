//! A hook that is hit far more often than it should be is taken out before it costs the target much,
//! and the report says so.

use std::process::{Command, Stdio};
use std::time::Duration;

use auditor::audit::fact::{Fact, HookState, What};
use auditor::audit::unit::Nanos;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{PATIENCE, Process, Scene, fixture, json, links, probe, wait_until};

/// Calls in each of the last 20 ms, newest last.
fn speeds(target: &Process) -> Vec<u64> {
    target.stdout().lines().filter_map(|line| line.parse().ok()).collect()
}

/// The median of the speeds in a while from now on.
fn speed(target: &Process) -> u64 {
    let before = speeds(target).len();
    std::thread::sleep(Duration::from_millis(400));
    let mut since = speeds(target).split_off(before + 1);
    since.sort_unstable();
    since[since.len() / 2]
}

fn hot(scene: &Scene) -> Process {
    hot_with(scene, &[])
}

pub(crate) fn hot_with(scene: &Scene, arguments: &[&str]) -> Process {
    let mut command = Command::new(scene.fixture(&fixture::HOT));
    scene.start("hot", command.args(arguments).stdin(Stdio::piped()))
}

fn grow(report: &Value) -> &Value {
    probe(report, "demo_map_grow")
}

/// When the hooks' eyes opened, and when one was taken out, as the recording tells.
fn times(scene: &Scene) -> (Nanos, Nanos) {
    let facts: Vec<Fact> =
        auditor::recording::open(&scene.path("recording")).unwrap().map(Result::unwrap).collect();
    let when = |state| {
        let is = |fact: &&Fact| matches!(&fact.what, What::Hook(hook) if hook.name == "demo_map_grow" && hook.state == state);
        facts.iter().find(is).unwrap_or_else(|| panic!("demo_map_grow never was {state:?}")).at
    };
    (when(HookState::Attached), when(HookState::Disabled))
}

/// What has other work to do than the target delays both the target's calls and the agent, so the best
/// of some runs counts.
const RUNS: usize = 3;

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_hook_that_fires_far_too_often_is_out_within_100_ms_and_the_target_recovers() {
    for flags in links::kinds() {
        let best = (0..RUNS).map(|_| time_until_out(flags)).min().unwrap();
        assert!(best <= Nanos(100_000_000), "{flags:?}: after {best:?}");
    }
}

/// One run: how long a hook far too hot was in.
fn time_until_out(flags: &[&str]) -> Nanos {
    let scene = Scene::new();
    let mut target = hot(&scene);
    let before = speed(&target);
    let site = target.address_of("demo_map_grow");
    let unprobed: [u8; 16] = target.bytes(site);
    let recording = scene.name("recording");
    let auditor = scene.attach(&target, &[&["-f", "json", "--record", &recording], flags].concat());
    wait_until("the probe is out", PATIENCE, || target.bytes(site) == unprobed);
    let after = speed(&target);
    assert!(after > before / 2, "{before} calls in 20 ms before, {after} after");
    let other: [u8; 1] = target.bytes(target.address_of("demo_map_free"));
    assert_eq!(other, [0xcc], "a hook that costs nothing stays");
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    assert_eq!(grow(&report)["state"], "disabled");
    let reason = grow(&report)["reason"].as_str().unwrap();
    assert!(reason.contains("over the budget") && reason.contains("--budget"), "{reason}");
    assert_eq!(report["coverage"]["confidence"], "at_least");
    target.tell("end");
    target.end_by_itself().well();
    let (placed, out) = times(&scene);
    out.since(placed)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn with_a_budget_of_all_time_the_hook_stays() {
    let scene = Scene::new();
    let mut target = hot(&scene);
    let auditor = scene.attach(&target, &["-f", "json", "--budget", "100%", "--duration", "1s"]);
    let report = json(&auditor.end_by_itself().well().stdout);
    assert_eq!(grow(&report)["state"], "attached");
    assert!(grow(&report)["hits"].as_u64().unwrap() > 10_000);
    target.tell("end");
    target.end_by_itself().well();
}

/// A look at a target that does nothing but syscalls, with those flags.
fn looked_at_syscalls(flags: &[&str]) -> Value {
    let scene = Scene::new();
    let mut target = hot_with(&scene, &["syscalls"]);
    let flags = [&["-f", "json", "--duration", "1s"], flags].concat();
    let report = json(&scene.attach(&target, &flags).end_by_itself().well().stdout);
    target.tell("end");
    target.end_by_itself().well();
    report
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn listening_to_each_syscall_of_a_target_that_makes_very_many_ends_with_the_budget() {
    let on_tracepoint = ["--no-feature", "fexit"];
    let report = looked_at_syscalls(&on_tracepoint);
    let syscalls = probe(&report, "sys_exit");
    assert_eq!(syscalls["state"], "disabled", "{syscalls}");
    assert!(syscalls["reason"].as_str().unwrap().contains("over the budget"), "{syscalls}");
    assert_eq!(report["coverage"]["confidence"], "at_least");
    let report = looked_at_syscalls(&[&on_tracepoint[..], &["--budget", "100%"]].concat());
    let syscalls = probe(&report, "sys_exit");
    assert_eq!(syscalls["state"], "attached", "{syscalls}");
    assert!(syscalls["hits"].as_u64().unwrap() > 10_000, "{syscalls}");
}
