//! Static probes: a program without any symbol, whose authors say by `sys/sdt.h` when its table grows and when it lets
//! an old one go; always, or while somebody listens (a semaphore).

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::program::source;
use crate::harness::{Chance, PATIENCE, Process, Scene, json, number, probe, rows, text, wait_until};

/// The program, without symbols.
fn built(scene: &Scene, flags: &[&str]) -> PathBuf {
    let program = scene.path("noted");
    let made = Command::new("gcc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Werror", "-s", "-o"])
        .arg(&program)
        .arg(source("noted.c"))
        .args(flags)
        .status();
    assert!(made.unwrap().success());
    program
}

fn start(scene: &Scene, flags: &[&str], what: &str) -> Process {
    let mut command = Command::new(built(scene, flags));
    let mut target = scene.start("noted", command.arg(what).stdin(Stdio::piped()));
    target.wait_to_say("ready");
    target
}

fn agent(scene: &Scene, target: &Process) -> Process {
    agent_with(scene, target, &[])
}

fn agent_with(scene: &Scene, target: &Process, flags: &[&str]) -> Process {
    let (pid, profile) = (target.pid().to_string(), source("noted.toml"));
    let profile = profile.to_str().unwrap();
    let asked = ["attach", "-p", &pid, "--runtime", profile, "--min-bytes", "0", "-f", "json"];
    let mut auditor = scene.auditor(asked.iter().chain(flags));
    auditor.wait_to_say("attached to");
    auditor
}

/// What the program says of itself when it has done all.
fn said(target: &mut Process) -> Value {
    target.tell("go");
    wait_until("it is done", PATIENCE, || target.stdout().contains("live"));
    json(target.stdout().lines().last().unwrap())
}

fn is_told(flags: &[&str]) {
    let scene = Scene::new();
    let mut target = start(&scene, flags, "1000000");
    let auditor = agent(&scene, &target);
    let truth = said(&mut target);
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    target.hang_up();
    target.end_by_itself().well();
    let [map] = rows(&report, "/maps") else { panic!("{report}") };
    assert_eq!(text(map, "/address"), text(&truth, "/address"));
    for figure in ["/live", "/capacity"] {
        assert_eq!(number(map, figure), number(&truth, figure), "{map}");
    }
    // The first table is no doubling; every other one let one go.
    let growths = number(&truth, "/growths");
    assert_eq!(truth["told"], json(&format!("[{growths}, {}]", growths - 1)));
    assert_eq!(number(map, "/growths/double"), growths - 1);
    assert_eq!(number(map, "/tables/freed"), growths - 1);
    assert_eq!(number(map, "/tables/freed_bytes"), 8 * (number(&truth, "/capacity") - 1024));
    for (hook, hits) in [("noted:words_grow_grow", growths), ("noted:words_let_go_free", growths - 1)] {
        assert_eq!(number(probe(&report, hook), "/hits"), hits);
    }
    assert_eq!((number(&report, "/coverage/lost"), text(&report, "/coverage/confidence")), (0, "exact"));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn static_probes_of_a_stripped_program_are_told() {
    is_told(&[]);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn static_probes_that_are_off_until_somebody_listens_are_told() {
    is_told(&["-DSEMAPHORES"]);
}

/// Perf links raise no semaphore: a probe that needs one is refused, and one that needs none is told all the same.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_multi_links_a_probe_that_nothing_would_switch_on_is_refused() {
    for (flags, state) in [(&[][..], "attached"), (&["-DSEMAPHORES"], "refused")] {
        let scene = Scene::new();
        let mut target = start(&scene, flags, "1000000");
        let auditor = agent_with(&scene, &target, &["--no-feature", "uprobe_multi"]);
        said(&mut target);
        let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
        target.hang_up();
        target.end_by_itself().well();
        let grow = probe(&report, "noted:words_grow_grow");
        assert_eq!(text(grow, "/state"), state, "{grow}");
        let says_why = grow["reason"].as_str().is_some_and(|reason| reason.contains("semaphore"));
        assert_eq!(says_why, state == "refused", "{grow}");
    }
}

/// The kernel raises a semaphore in the target's memory, and lowers it when the agent is gone, however it went.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_agent_that_is_killed_leaves_no_semaphore_raised() {
    let scene = Scene::new();
    let mut target = start(&scene, &["-DSEMAPHORES"], "1000000");
    let mut chance = Chance::new(7);
    for _ in 0..10 {
        let killed = agent(&scene, &target);
        thread::sleep(Duration::from_micros(chance.below(20_000)));
        killed.end_by(Signal::SIGKILL);
    }
    assert_eq!(said(&mut target)["told"], json("[0, 0]"));
    target.hang_up();
    target.end_by_itself().well();
}

/// Children have the probes' pages, and semaphores of their own.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_that_forks_under_static_probes_computes_nothing_wrong() {
    for flags in [&[][..], &["-DSEMAPHORES"]] {
        let scene = Scene::new();
        let mut target = start(&scene, flags, "herd");
        let auditor = agent(&scene, &target);
        let truth = said(&mut target);
        let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
        let [map] = rows(&report, "/maps") else { panic!("{report}") };
        assert_eq!(number(map, "/live"), number(&truth, "/live"), "{map}");
        target.hang_up();
        target.end_by_itself().well();
    }
}
