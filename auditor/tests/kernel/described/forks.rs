//! Processes that are followed with the one they came of, from before their first instruction on: the program of
//! `fixtures/described/forks.c` is a process a session, and each says what it did.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::program::source;
use crate::harness::links::kinds;
use crate::harness::{Chance, PATIENCE, Process, Scene, json, number, probe, rows, text, wait_until};

/// Sessions that are there before the audit is.
const BEFORE: usize = 2;
/// Nothing is taken out.
const DEAR: &[&str] = &["--budget", "50%"];

fn start(scene: &Scene, what: &str) -> Process {
    let program: PathBuf = scene.path("forks");
    // Another file of the same name would be another program.
    if !program.exists() {
        let made = Command::new("gcc")
            .args(["-std=gnu11", "-O2", "-Wall", "-Werror", "-o"])
            .arg(&program)
            .arg(source("forks.c"))
            .status();
        assert!(made.unwrap().success());
    }
    let mut command = Command::new(program);
    let mut target = scene.start(&format!("forks-{what}"), command.arg(what).stdin(Stdio::piped()));
    target.wait_to_say("ready");
    target
}

fn agent(scene: &Scene, target: &Process, flags: &[&str]) -> Process {
    let (pid, profile) = (target.pid().to_string(), source("forks.toml"));
    let profile = profile.to_str().unwrap();
    let asked = ["attach", "-p", &pid, "--follow", "--runtime", profile, "--min-bytes", "0", "-f", "json"];
    let mut auditor = scene.auditor(asked.iter().chain(flags));
    auditor.wait_to_say("attached to");
    auditor
}

/// What so many processes say of themselves when they have gone on, by their numbers.
fn said(target: &Process, processes: usize) -> BTreeMap<u64, Value> {
    wait_until("all have gone on", PATIENCE, || target.stdout().lines().count() == processes);
    target.stdout().lines().map(json).map(|line| (number(&line, "/pid"), line)).collect()
}

/// The report agrees with what each process says of its table.
fn assert_agrees(report: &Value, said: &BTreeMap<u64, Value>) {
    let maps: BTreeMap<u64, &Value> =
        rows(report, "/maps").iter().map(|map| (number(map, "/pid"), map)).collect();
    assert_eq!(maps.keys().collect::<Vec<_>>(), said.keys().collect::<Vec<_>>(), "{report}");
    for (pid, said) in said {
        let map = maps[pid];
        for figure in ["/live", "/capacity"] {
            assert_eq!(number(map, figure), number(said, figure), "{figure} of {pid}: {map}");
        }
        assert_eq!(number(map, "/growths/double"), number(said, "/growths"), "{pid}: {map}");
    }
    let growths: u64 = said.values().map(|it| number(it, "/growths")).sum();
    assert_eq!(number(probe(report, "forks:table_grow_resize"), "/hits"), growths);
    assert_eq!(number(report, "/events/grow"), growths);
    assert_eq!(
        (number(report, "/coverage/lost"), text(report, "/coverage/confidence")),
        (0, "exact"),
        "{report}"
    );
}

/// First bytes of what is probed, in one of the processes.
fn text_of(target: &Process, pid: u64) -> Vec<[u8; 16]> {
    use std::os::unix::fs::FileExt as _;
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let bytes = |symbol| {
        let mut bytes = [0; 16];
        memory.read_exact_at(&mut bytes, target.address_of(symbol)).unwrap();
        bytes
    };
    ["table_grow", "table_touch"].map(bytes).into()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn each_growth_of_each_process_is_told_once_also_of_those_that_are_forked_meanwhile() {
    for link in kinds() {
        let scene = Scene::new();
        let file = scene.name("forks.rec");
        let mut target = start(&scene, "20");
        let auditor = agent(&scene, &target, &[link, DEAR, &["--record", &file]].concat());
        target.tell("go");
        let said = said(&target, 1 + BEFORE + 20);
        let output = auditor.end_by(Signal::SIGINT).well().stdout;
        target.hang_up();
        target.end_by_itself().well();
        let report = json(&output);
        assert_agrees(&report, &said);
        let count = |sight: &str| rows(&report, "/members").iter().filter(|it| it["sight"] == sight).count();
        assert_eq!([count("asked"), count("found"), count("forked")], [1, BEFORE, 20]);
        let replayed = scene.audit(["replay", &file, "-f", "json"]).well().stdout;
        assert_eq!(output, replayed);
    }
}

/// Those that end are members that left, with their maps; those that run something else are none.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn sessions_that_are_over_in_no_time_are_told_as_far_as_they_were_seen_and_no_one_is_harmed() {
    let scene = Scene::new();
    let mut target = start(&scene, "brief");
    let auditor = agent(&scene, &target, DEAR);
    target.tell("go");
    said(&target, 1 + BEFORE);
    target.hang_up();
    target.end_by_itself().well();
    let report = json(&auditor.end_by_itself().well().stdout);
    assert_eq!(text(&report, "/window/ended"), "target_exited");
    let members = rows(&report, "/members");
    let forked: Vec<&Value> = members.iter().filter(|it| it["sight"] == "forked").collect();
    let missed = forked.iter().filter(|it| text(it, "/left").contains("before it was looked at")).count();
    assert!((100..=200).contains(&forked.len()), "{} forked", forked.len());
    assert!(missed < forked.len(), "{report}");
    assert!(forked.iter().all(|it| !it["ended"].is_null() && it["parent"] == target_of(&report)), "{report}");
    assert_eq!(missed > 0, text(&report, "/coverage/confidence") == "at_least", "{report}");
}

fn target_of(report: &Value) -> Value {
    report["target"]["pid"].clone()
}

/// A probe that sees forked children sits in the file: it is in all of them, and when the agent is gone in none.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_agent_that_is_killed_leaves_no_probe_in_any_process() {
    let scene = Scene::new();
    let mut target = start(&scene, "20");
    let before = text_of(&target, u64::from(target.pid()));
    let mut chance = Chance::new(11);
    for _ in 0..10 {
        let killed = agent(&scene, &target, DEAR);
        std::thread::sleep(Duration::from_micros(chance.below(50_000)));
        killed.end_by(Signal::SIGKILL);
    }
    let killed = agent(&scene, &target, DEAR);
    target.tell("go");
    let said = said(&target, 1 + BEFORE + 20);
    assert_ne!(text_of(&target, u64::from(target.pid())), before);
    killed.end_by(Signal::SIGKILL);
    for pid in said.keys() {
        wait_until("the text is restored", PATIENCE, || text_of(&target, *pid) == before);
    }
    target.hang_up();
    target.end_by_itself().well();
}

/// A stranger runs the same file: it is no member, and nothing of it is in the report; but it pays for the traps, so
/// that they are taken out when it pays too much.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn who_runs_the_same_file_is_not_told_of_and_not_made_to_pay_for_long() {
    let scene = Scene::new();
    let mut target = start(&scene, "3");
    let mut stranger = start(&scene, "hot");
    let auditor = agent(&scene, &target, &[]);
    stranger.tell("go");
    said(&stranger, 1 + BEFORE);
    target.tell("go");
    said(&target, 1 + BEFORE + 3);
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    for mut process in [target, stranger] {
        process.hang_up();
        process.end_by_itself().well();
    }
    let touch = probe(&report, "forks:table_touch_resize");
    assert_eq!((text(touch, "/state"), number(touch, "/hits")), ("disabled", 0), "{touch}");
    assert!(text(touch, "/reason").contains("over the budget"), "{touch}");
    assert_eq!(rows(&report, "/members").len(), 1 + BEFORE + 3, "{report}");
    assert_eq!(rows(&report, "/maps").len(), 1 + BEFORE + 3, "{report}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn processes_beyond_the_limit_are_counted_as_lost() {
    let scene = Scene::new();
    let mut target = start(&scene, "300");
    let auditor = agent(&scene, &target, DEAR);
    target.tell("go");
    said(&target, 1 + BEFORE + 300);
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    target.hang_up();
    target.end_by_itself().well();
    assert_eq!(rows(&report, "/members").len(), 256, "{}", report["coverage"]);
    assert_eq!(number(&report, "/coverage/lost"), 300 + BEFORE as u64 - 255, "{}", report["coverage"]);
    assert_eq!(text(&report, "/coverage/confidence"), "at_least");
}
