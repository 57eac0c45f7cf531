//! One look, against what the target says of itself: every map is found and right, nothing is placed or
//! stopped, and the right to read memory is all that it takes.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::bad_input::{copy_for_all, with_setpriv};
use crate::harness::agreement::{Seen, differences};
use crate::harness::{Chance, Ended, Process, Scene, auditor, entries, fixture, json, rows, scenarios};

fn look(scene: &Scene, target: &Process, flags: &[&str]) -> Ended {
    let pid = target.pid().to_string();
    scene.audit(["census", "-p", &pid].iter().chain(flags))
}

/// What a look may not claim.
fn claims_too_much(report: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut null = |pointer: &str| {
        if report.pointer(pointer).is_some_and(|value| !value.is_null()) {
            found.push(format!("{pointer} is {}", report.pointer(pointer).unwrap()));
        }
    };
    for event in ["allocate", "grow", "free"] {
        null(&format!("/events/{event}"));
    }
    null("/syscalls");
    for row in 0..rows(report, "/maps").len() {
        for field in ["tables/allocated", "tables/freed", "growths/double", "born", "died"] {
            null(&format!("/maps/{row}/{field}"));
        }
    }
    found
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_map_of_every_scenario_is_found_and_right() {
    let mut found = Vec::new();
    for scenario in scenarios() {
        let scene = Scene::new();
        let mut target = scene.demo(&[&scenario, "--entries", &entries(100_000), "--hold", "60"]);
        target.wait_to_say("holds its maps");
        let report = json(&look(&scene, &target, &["-f", "json", "--strict"]).well().stdout);
        target.end_by(Signal::SIGTERM).well();
        let mut differs = differences(&scene.truth(), &report, Seen::InMidRun);
        differs.extend(claims_too_much(&report));
        let coverage = &report["coverage"];
        if coverage["confidence"] != "exact" || report["window"]["ended"] != "one_look" {
            differs.push(format!("{} {}", report["window"]["ended"], coverage));
        }
        found.extend(differs.iter().map(|difference| format!("{scenario}: {difference}")));
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn looks_at_maps_that_are_being_written_are_whole_and_do_no_harm() {
    for scenario in ["churn", "many_threads"] {
        let scene = Scene::new();
        let target = scene.demo(&[scenario, "--entries", "200000", "--rounds", "1000000", "--maps", "8"]);
        std::thread::sleep(Duration::from_millis(100));
        for _ in 0..20 {
            let report = json(&look(&scene, &target, &["-f", "json", "--min-bytes", "0"]).well().stdout);
            let maps = rows(&report, "/maps");
            // One of eight may just be gone: `churn` replaces one after the other.
            assert!(maps.len() >= 7, "{scenario}: {} maps", maps.len());
            for map in maps {
                let [live, capacity] =
                    ["live", "capacity"].map(|field| map[field].as_u64().unwrap_or_else(|| panic!("{map}")));
                assert!(live <= 8 * capacity.max(8) && map["name"].is_string(), "{scenario}: {map}");
            }
        }
        // It ends well only when each read found what was put there.
        target.end_by(Signal::SIGTERM).well();
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_look_neither_traces_nor_probes_nor_writes() {
    let scene = Scene::new();
    let mut target = scene.demo(&["grow", "--entries", "50000", "--hold", "60"]);
    target.wait_to_say("holds its maps");
    let log = scene.name("strace");
    let forbidden = "ptrace,bpf,perf_event_open,kill,tkill,tgkill,pidfd_send_signal,process_vm_writev";
    let mut command = Command::new("strace");
    command.args(["-f", "-o", &log, "-e", &format!("trace={forbidden},process_vm_readv")]);
    command.arg(auditor().get_program()).args(["census", "-p", &target.pid().to_string()]);
    let said = scene.start("traced", command.stdin(Stdio::null())).end_by_itself().well().stdout;
    assert!(said.contains("one look"), "{said}");
    let calls = fs::read_to_string(&log).unwrap();
    assert!(calls.contains("process_vm_readv("), "nothing was read: {calls}");
    let wrong: Vec<&str> = calls
        .lines()
        .filter(|line| forbidden.split(',').any(|call| line.contains(&format!(" {call}("))))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    target.end_by(Signal::SIGTERM).well();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_replay_of_a_look_gives_the_same_report_to_the_byte() {
    let scene = Scene::new();
    let mut target = scene.demo(&["many_small", "--entries", "60000", "--hold", "60"]);
    target.wait_to_say("holds its maps");
    for format in ["json", "ndjson", "text"] {
        let (recording, report) = (scene.name(&format!("{format}.rec")), scene.name(format));
        let flags = ["-f", format, "-o", &report, "--record", &recording, "--min-bytes", "24KiB"];
        look(&scene, &target, &flags).well();
        let replayed = scene.audit(["replay", &recording, "-f", format]).well();
        assert_eq!((replayed.stdout, replayed.stderr), (fs::read_to_string(&report).unwrap(), String::new()));
    }
    target.end_by(Signal::SIGTERM).well();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_right_to_read_memory_is_enough_and_without_it_the_remedy_is_named() {
    let scene = Scene::new();
    let program = copy_for_all(&scene);
    let mut target = scene.demo(&["grow", "--entries", "1000", "--hold", "60"]);
    target.wait_to_say("holds");
    let pid = target.pid().to_string();
    let args = ["census", "-p", &pid, "-f", "json"];
    let one = ["--inh-caps", "-all", "--bounding-set", "-all,+sys_ptrace"];
    assert_eq!(json(&with_setpriv(&scene, &program, &one, &args).well().stdout)["maps"][0]["live"], 1000);
    let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let none = [&user[..], &["--inh-caps", "-all", "--bounding-set", "-all"]].concat();
    with_setpriv(&scene, &program, &none, &args).refused(3, &["cannot take a census", "CAP_SYS_PTRACE"]);
    let ambient = [&user[..], &["--inh-caps", "-all,+sys_ptrace", "--ambient-caps", "+sys_ptrace"]].concat();
    let report = json(&with_setpriv(&scene, &program, &ambient, &args).well().stdout);
    assert_eq!(report["maps"][0]["live"], 1000, "an ordinary user with that right");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_cannot_be_looked_at_is_refused_and_the_others_are_looked_at() {
    let scene = Scene::new();
    scene.audit(["census", "-p", "4194304"]).refused(3, &["cannot take a census: no process 4194304"]);
    scene.audit(["census", "-n", "no-such-name"]).refused(3, &["no-such-name", "ps -e"]);
    let sleeper = scene.start("sleeper", Command::new("sleep").arg("100"));
    let mut target = scene.demo(&["grow", "--entries", "5000", "--hold", "60"]);
    target.wait_to_say("holds");
    look(&scene, &sleeper, &[]).refused(3, &["sleep", "no hash map", "demo"]);
    look(&scene, &target, &["--runtime", "cobol"]).refused(3, &["cobol", "there are: auto, demo"]);
    let pids = format!("{},{}", sleeper.pid(), target.pid());
    let report = scene.name("%p.json");
    scene.audit(["census", "-p", &pids, "-f", "json", "-o", &report]).refused(3, &["sleep", "no hash map"]);
    assert_eq!(scene.json(&format!("{}.json", target.pid()))["maps"][0]["live"], 5000);
    let there = scene.name("there");
    fs::write(&there, "precious").unwrap();
    for flag in ["-o", "--record"] {
        look(&scene, &target, &[flag, &there]).refused(2, &["--force"]);
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "precious");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_without_a_map_has_none_for_sure() {
    let scene = Scene::new();
    let target = scene.waiting_demo(&["grow"]);
    let ended = look(&scene, &target, &["--strict"]).well();
    assert!(ended.stdout.contains("There is no map."), "{}", ended.stdout);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_that_dies_meanwhile_ends_in_a_message_or_a_report() {
    let mut chance = Chance::new(11);
    for _ in 0..20 {
        let scene = Scene::new();
        let mut target = scene.demo(&["many_small", "--entries", "300000", "--hold", "60"]);
        target.wait_to_say("holds");
        let pid = target.pid().to_string();
        let agent = scene.auditor(["census", "-p", &pid, "-f", "json", "--min-bytes", "0"]);
        std::thread::sleep(Duration::from_micros(chance.below(25_000)));
        target.end_by(Signal::SIGKILL);
        let ended = agent.end_by_itself();
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        match ended.status {
            0 => assert_eq!(json(&ended.stdout)["window"]["ended"], "one_look"),
            3 => assert!(ended.stderr.contains("cannot take a census"), "{}", ended.stderr),
            other => panic!("status {other}: {}", ended.stderr),
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn names_that_the_target_chose_reach_no_terminal_unescaped() {
    let scene = Scene::new();
    let mut target =
        scene.start("hostile", Command::new(scene.fixture(&fixture::HOSTILE)).stdin(Stdio::piped()));
    target.wait_to_say("ready");
    for format in ["text", "json"] {
        let said = look(&scene, &target, &["-f", format, "--min-bytes", "0", "-v"]).well();
        for said in [&said.stdout, &said.stderr] {
            let evil = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!said.contains(evil), "{said:?}");
        }
        assert!(said.stdout.contains("red"), "the map is not listed: {}", said.stdout);
        assert!(said.stderr.contains("the census: "), "{}", said.stderr);
    }
    target.tell("end");
    target.end_by_itself().well();
}
