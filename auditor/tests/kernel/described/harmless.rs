//! What a profile has probed is not harmed by it: at the entry and at the return, amid a function, and in one that is
//! called all the time. The program of `fixtures/described/many.c` ends well only where all that it computed was right.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::program::source;
use crate::harness::{Chance, PATIENCE, Process, Scene, json, number, rows, text, wait_until};

/// The program, built for this scene.
fn built(scene: &Scene) -> PathBuf {
    let program = scene.path("many");
    let made = Command::new("gcc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Werror", "-pthread", "-o"])
        .arg(&program)
        .arg(source("many.c"))
        .status();
    assert!(made.unwrap().success());
    program
}

fn start(scene: &Scene, program: &Path, arguments: &[&str]) -> Process {
    let mut command = Command::new(program);
    let mut target = scene.start("target", command.args(arguments).stdin(Stdio::piped()));
    target.wait_to_say("ready");
    target
}

fn profile() -> String {
    source("many.toml").to_str().unwrap().to_owned()
}

/// An agent that attaches with the profile of all kinds of probes.
fn agent(scene: &Scene, target: &Process, flags: &[&str]) -> Process {
    let (pid, profile) = (target.pid().to_string(), profile());
    scene.auditor(["attach", "-p", &pid, "--runtime", &profile, "-f", "json"].iter().chain(flags))
}

/// First bytes of all functions that are probed.
fn text_of(target: &Process) -> [[u8; 32]; 3] {
    ["table_grow", "table_let_go", "table_touch"].map(|symbol| target.bytes(target.address_of(symbol)))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_agent_that_is_killed_leaves_no_probe_of_a_profile() {
    let scene = Scene::new();
    let program = built(&scene);
    let mut target = start(&scene, &program, &["churn"]);
    let before = text_of(&target);
    let mut chance = Chance::new(7);
    for _ in 0..20 {
        let killed = agent(&scene, &target, &["-q"]);
        std::thread::sleep(Duration::from_micros(chance.below(200_000)));
        killed.end_by(Signal::SIGKILL);
        wait_until("the text is restored", PATIENCE, || text_of(&target) == before);
    }
    target.hang_up();
    target.end_by_itself().well();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_that_forks_threads_execs_and_exits_under_probes_of_a_profile_computes_nothing_wrong() {
    let scene = Scene::new();
    let program = built(&scene);
    let mut target = start(&scene, &program, &["herd"]);
    let mut auditor = agent(&scene, &target, &["--budget", "100%", "--min-bytes", "0"]);
    auditor.wait_to_say("attached to");
    target.tell("go");
    let report = json(&auditor.end_by_itself().well().stdout);
    assert_eq!(text(&report, "/window/ended"), "target_replaced");
    assert!(
        number(&report, "/events/grow") > 100 && number(&report, "/events/free") > 100,
        "{}",
        report["events"]
    );
    target.tell("and the next");
    target.end_by_itself().well();
}

/// 2.8 million hits, as one function of a real program had: the governor takes the hook out while there is little
/// of the target's time gone, and says so; the others stay.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_function_of_a_profile_that_is_called_all_the_time_is_taken_out_at_once() {
    let scene = Scene::new();
    let program = built(&scene);
    let mut target = start(&scene, &program, &["touch", "2800000"]);
    let mut auditor = agent(&scene, &target, &[]);
    auditor.wait_to_say("attached to");
    target.tell("go");
    let report = json(&auditor.end_by_itself().well().stdout);
    target.end_by_itself().well();
    let probes = rows(&report, "/coverage/probes");
    let of = |name: &str| probes.iter().find(|probe| text(probe, "/hook").contains(name)).unwrap();
    let hot = of("table_touch");
    assert_eq!(text(hot, "/state"), "disabled", "{hot}");
    assert!(text(hot, "/reason").contains("over the budget"), "{hot}");
    // 30 ms are saved up, 5,000 hits of 6 µs, or less where syscalls took of it; the governor looks every 20 ms, and
    // taking a hook out takes some 30 more.
    assert!((2_500..200_000).contains(&number(hot, "/hits")), "{hot}");
    assert_eq!(text(of("table_grow"), "/state"), "attached");
    assert_eq!(text(&report, "/coverage/confidence"), "at_least");
}
