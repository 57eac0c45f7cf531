//! RSS first, last and highest, against what /proc says at the same time.

use nix::sys::signal::Signal;
use std::process::{Command, Stdio};

use crate::harness::{Process, Scene, fixture, json, number};

const MEBI: u64 = 1 << 20;
/// `--rss-step`.
const STEP: u64 = MEBI;

/// The per-CPU parts of the kernel's counter, for the members that move: `RssRecord::bytes`.
fn slack() -> u64 {
    let cpus = std::thread::available_parallelism().unwrap().get() as u64;
    2 * cpus * 32 * 4096
}

fn assert_near(what: &str, report: u64, proc: u64) {
    let off = report.abs_diff(proc);
    assert!(off <= STEP + slack(), "{what}: {report}, /proc says {proc}: {off} apart");
}

fn start(scene: &Scene) -> Process {
    let mut command = Command::new(scene.fixture(&fixture::RSS));
    let target = scene.start("rss", command.stdin(Stdio::piped()));
    target.wait_to_sleep();
    target
}

/// The interval is an hour: what lies between the ends is known by the kernel's event alone.
const FLAGS: [&str; 6] = ["-i", "1h", "-f", "json", "--rss-step", "1MiB"];

#[test]
#[ignore = "needs root: cargo xtask test"]
fn first_last_and_peak_are_what_proc_said_within_one_step() {
    let scene = Scene::new();
    let mut target = start(&scene);
    target.ask("touch 64", "done 1");
    let first = target.status_bytes("VmRSS");
    let auditor = scene.attach(&target, &FLAGS);
    target.ask("release", "done 2");
    target.ask("touch 300", "done 3");
    let peak = target.status_bytes("VmRSS");
    target.ask("release", "done 4");
    target.ask("touch 33", "done 5");
    let last = target.status_bytes("VmRSS");
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    let rss = |field: &str| number(&report, &format!("/memory/rss/{field}"));
    assert_near("first", rss("first"), first);
    assert_near("last", rss("last"), last);
    assert_near("peak", rss("peak"), peak);
    assert!(peak > first + 200 * MEBI && first > last + 20 * MEBI, "{first} {peak} {last}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_peak_that_came_and_went_between_two_readings_is_seen() {
    let scene = Scene::new();
    let mut target = start(&scene);
    let auditor = scene.attach(&target, &FLAGS);
    target.ask("blip 200", "done 1");
    let (highest, last) = (target.status_bytes("VmHWM"), target.status_bytes("VmRSS"));
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    assert_near("peak", number(&report, "/memory/rss/peak"), highest);
    assert_near("last", number(&report, "/memory/rss/last"), last);
    assert!(highest > last + 190 * MEBI, "{highest} {last}");
    let (start, end) = (number(&report, "/window/start"), number(&report, "/window/end"));
    assert!((start..=end).contains(&number(&report, "/memory/rss/peak_at")));
}

/// An exit gives back everything, bit by bit: that is not what the target held in the end.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_last_is_what_it_held_before_its_exit_began() {
    let scene = Scene::new();
    let mut target = start(&scene);
    let auditor = scene.attach(&target, &FLAGS);
    target.ask("touch 100", "done 1");
    let last = target.status_bytes("VmRSS");
    target.end_by(Signal::SIGKILL);
    let report = json(&auditor.end_by_itself().well().stdout);
    assert_eq!(report["window"]["ended"], "target_exited");
    assert_near("last", number(&report, "/memory/rss/last"), last);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_ladder_adds_up_to_the_last_reading() {
    let scene = Scene::new();
    let mut target = start(&scene);
    let auditor = scene.attach(&target, &FLAGS);
    target.ask("touch 50", "done 1");
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    let rungs = crate::harness::rows(&report, "/memory/ladder");
    let sum: u64 = rungs.iter().map(|rung| number(rung, "/bytes")).sum();
    assert_eq!(sum, number(&report, "/memory/rss/last"));
    assert_eq!(rungs.last().unwrap()["name"], "unexplained");
}
