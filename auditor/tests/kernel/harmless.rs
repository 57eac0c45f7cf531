//! Nothing harms the target: its text is restored, it dies of nothing, it computes what it should.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{
    Chance, PATIENCE, Process, Scene, entries, fixture, json, links, probe, times, wait_until,
};

const SYMBOLS: [&str; 4] = ["demo_map_allocate", "demo_map_grow", "demo_map_evacuate", "demo_map_free"];
const NOP: u8 = 0x90;
const BREAKPOINT: u8 = 0xcc;

/// The text of all probed functions, which are neighbours, and where each begins in it.
fn text_of(target: &Process) -> ([u8; 128], [usize; 4]) {
    let addresses = SYMBOLS.map(|symbol| target.address_of(symbol));
    let first = addresses.into_iter().min().unwrap();
    (target.bytes(first), addresses.map(|address| (address - first) as usize))
}

/// Only the first byte of each function is another, and the same.
fn with_probes((mut text, sites): ([u8; 128], [usize; 4])) -> ([u8; 128], [usize; 4]) {
    assert!(sites.iter().all(|&site| text[site] == NOP), "{text:02x?} at {sites:?}");
    sites.iter().for_each(|&site| text[site] = BREAKPOINT);
    (text, sites)
}

fn busy_demo(scene: &Scene, scenario: &str) -> Process {
    // More rounds than it will ever play: it is told to end.
    let target =
        scene.demo(&[scenario, "--entries", &entries(200_000), "--rounds", "1000000", "--maps", "8"]);
    target.wait_to_catch(Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(50));
    target
}

/// It ends well only when each read found what was put there, and each header agrees with its truth.
fn end_well(target: Process) {
    target.end_by(Signal::SIGTERM).well();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_audit_that_ends_restores_every_byte_of_the_text() {
    for flags in links::kinds() {
        for signal in [None, Some(Signal::SIGINT), Some(Signal::SIGTERM), Some(Signal::SIGHUP)] {
            let scene = Scene::new();
            let target = busy_demo(&scene, "churn");
            let before = text_of(&target);
            let auditor = scene.attach(
                &target,
                &[&["--evacuation", "probe", "--duration", "300ms", "--budget", "100%"], flags].concat(),
            );
            assert_eq!(text_of(&target), with_probes(before), "more than the sites changed");
            if let Some(signal) = signal {
                auditor.signal(signal);
            }
            auditor.end_by_itself().well();
            assert_eq!(text_of(&target), before, "{flags:?} {signal:?}");
            end_well(target);
        }
    }
}

/// Kills the agent at a random moment, in its start or long after, and looks whether the target was
/// left as it was.
fn kill_the_agent(scene: &Scene, target: &Process, chance: &mut Chance, flags: &[&str]) {
    let site = target.address_of("demo_map_allocate");
    let before: [u8; 6] = target.bytes(site);
    let pid = target.pid().to_string();
    let agent = scene.auditor(["attach", "-q", "-p", &pid, "--evacuation", "probe"].iter().chain(flags));
    std::thread::sleep(Duration::from_micros(chance.below(200_000)));
    agent.end_by(Signal::SIGKILL);
    wait_until("the text is restored", PATIENCE, || target.bytes(site) == before);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_hundred_kills_of_the_agent_under_load_leave_the_target_whole() {
    let mut chance = Chance::new(2026);
    for (scenario, flags) in [
        ("churn", &[][..]),
        ("many_threads", &[]),
        ("sliding_window", links::PERF),
        ("many_threads", links::PERF),
    ] {
        let scene = Scene::new();
        let mut target = busy_demo(&scene, scenario);
        let before = text_of(&target);
        for _ in 0..times(25) {
            if target.has_ended() {
                target = busy_demo(&scene, scenario);
            }
            kill_the_agent(&scene, &target, &mut chance, flags);
        }
        wait_until("all text is restored", PATIENCE, || text_of(&target) == before);
        end_well(target);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn fast_attaching_and_detaching_under_many_threads_computes_nothing_wrong() {
    for flags in links::kinds() {
        let scene = Scene::new();
        let target = busy_demo(&scene, "many_threads");
        let before = text_of(&target);
        for _ in 0..2 {
            scene
                .attach(&target, &[&["--evacuation", "probe", "--duration", "50ms"], flags].concat())
                .end_by_itself()
                .well();
            assert_eq!(text_of(&target), before);
        }
        end_well(target);
    }
}

fn herd(scene: &Scene, program: &Path, arguments: &[&str]) -> Process {
    let mut command = Command::new(program);
    let mut herd = scene.start("herd", command.args(arguments).stdin(Stdio::piped()));
    herd.wait_to_say("generation");
    herd
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_that_forks_execs_starts_threads_and_exits_under_probes_computes_nothing_wrong() {
    for flags in links::kinds() {
        let scene = Scene::new();
        let program = scene.fixture(&fixture::HERD);
        for arguments in [&["0.7", "forks", "2"][..], &["0.7", "threads", "2"], &["0.2", "exit"]] {
            let mut target = herd(&scene, &program, arguments);
            let auditor = scene.attach(
                &target,
                &[&["--evacuation", "probe", "--budget", "100%", "-f", "json"], flags].concat(),
            );
            target.hang_up();
            target.end_by_itself().well();
            let report = json(&auditor.end_by_itself().well().stdout);
            assert!(
                probe(&report, "demo_map_grow")["hits"].as_u64().unwrap() > times(100),
                "{arguments:?}: nothing was probed"
            );
        }
    }
}

/// Where a kernel turns probes on 5-byte nops into calls, forked children die of them: no hook may be
/// placed on one.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_whose_functions_begin_with_a_5_byte_nop_forks_without_harm() {
    for flags in links::kinds() {
        let scene = Scene::new();
        let program = scene.fixture(&fixture::HERD_ON_NOP5);
        let mut target = herd(&scene, &program, &["0.5", "forks"]);
        let auditor = scene.attach(&target, &[&["-f", "json"], flags].concat());
        target.hang_up();
        target.end_by_itself().well();
        auditor.end_by_itself().well();
    }
}
