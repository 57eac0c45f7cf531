//! Libraries that processes of a family load later: the program of `fixtures/described/plugs.c` is a process a session,
//! and each loads a plugin with a table of its own. One attach serves all that have the same file.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::program::source;
use crate::harness::{PATIENCE, Process, Scene, json, number, rows, text, wait_until};

/// Sessions that are there before the audit is, and such as come later.
const BEFORE: usize = 2;
const LATER: usize = 12;

fn built(scene: &Scene, name: &str, flags: &[&str]) -> PathBuf {
    let file = scene.path(name);
    let made = Command::new("gcc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Werror", "-fvisibility=hidden", "-o"])
        .arg(&file)
        .arg(source("plugs.c"))
        .args(flags)
        .status();
    assert!(made.unwrap().success());
    file
}

fn start(scene: &Scene) -> Process {
    let program = built(scene, "plugs", &["-ldl"]);
    let plugin = built(scene, "libplug.so", &["-DPLUG", "-shared", "-fPIC"]);
    let mut command = Command::new(program);
    command.arg(plugin).arg(LATER.to_string()).stdin(Stdio::piped());
    let mut target = scene.start("plugs", &mut command);
    target.wait_to_say("ready");
    target
}

fn agent(scene: &Scene, target: &Process, flags: &[&str]) -> Process {
    let (pid, profile) = (target.pid().to_string(), source("plugs.toml"));
    let profile = profile.to_str().unwrap();
    let asked = ["attach", "-p", &pid, "--follow", "--runtime", profile, "--min-bytes", "0", "-f", "json"];
    let mut auditor = scene.auditor(asked.iter().chain(&["-i", "200ms", "--budget", "50%"]).chain(flags));
    auditor.wait_to_say("attached to");
    auditor
}

/// Lines that have that key, by the number of the process: so many.
fn said(target: &Process, key: &str, lines: usize) -> BTreeMap<u64, Value> {
    let all = || target.stdout().lines().map(json).filter(|line| line.get(key).is_some()).collect::<Vec<_>>();
    wait_until("all have said so", PATIENCE, || all().len() == lines);
    all().into_iter().map(|line| (number(&line, &format!("/{key}")), line)).collect()
}

/// Where the plugin's function is, and what is there.
fn functions(loaded: &BTreeMap<u64, Value>) -> Vec<(u64, u64, [u8; 16])> {
    let function = |(pid, line): (&u64, &Value)| {
        let at = u64::from_str_radix(text(line, "/grow").trim_start_matches("0x"), 16).unwrap();
        (*pid, at, bytes(*pid, at))
    };
    loaded.iter().map(function).collect()
}

fn bytes(pid: u64, at: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    File::open(format!("/proc/{pid}/mem")).unwrap().read_exact_at(&mut bytes, at).unwrap();
    bytes
}

/// The map that a process has in the plugin: the other one is what the program has had from the beginning.
fn plugged<'a>(report: &'a Value, said: &Value) -> &'a Value {
    let own = |map: &&Value| map["pid"] == said["pid"] && number(map, "/live") == number(said, "/live");
    let maps: Vec<&Value> = rows(report, "/maps").iter().filter(own).collect();
    assert_eq!(maps.len(), 1, "{said}: {}", report["maps"]);
    maps[0]
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_library_that_members_load_later_is_looked_at_in_each_of_them_and_probed_once() {
    let scene = Scene::new();
    let file = scene.name("plugs.rec");
    let mut target = start(&scene);
    let auditor = agent(&scene, &target, &["--record", &file]);
    // Longer than a poll: that nothing has come is known by then.
    std::thread::sleep(Duration::from_millis(500));
    target.tell("go");
    let before = functions(&said(&target, "loaded", BEFORE));
    // The file is probed for the one that was looked at first, and with it in the other one.
    wait_until("the plugin is probed", PATIENCE, || {
        before.iter().all(|(pid, at, was)| bytes(*pid, *at) != *was)
    });
    target.tell("on");
    let said = said(&target, "pid", BEFORE + LATER + 1);
    let output = auditor.end_by(Signal::SIGINT).well().stdout;
    assert!(before.iter().all(|(pid, at, was)| bytes(*pid, *at) == *was), "the probes are gone");
    target.hang_up();
    target.end_by_itself().well();
    let report = json(&output);
    for said in said.values() {
        let map = plugged(&report, said);
        assert_eq!(number(map, "/capacity"), number(said, "/capacity"), "{map}");
        // The first table is no growth.
        assert_eq!(number(map, "/growths/double"), number(said, "/growths") - 1, "{map} {said}");
    }
    assert_eq!(rows(&report, "/maps").len(), 2 * said.len(), "each has the program's table, too");
    let growths: u64 = said.values().map(|it| number(it, "/growths")).sum();
    let probes: Vec<&Value> = rows(&report, "/coverage/probes")
        .iter()
        .filter(|probe| {
            text(probe, "/hook").contains("table_grow") && text(probe, "/where").contains("libplug")
        })
        .collect();
    assert_eq!(probes.len(), 1, "{}", report["coverage"]);
    assert_eq!((text(probes[0], "/state"), number(probes[0], "/hits")), ("attached", growths));
    assert_eq!(number(&report, "/events/grow"), growths - said.len() as u64);
    assert_eq!(
        (number(&report, "/coverage/lost"), text(&report, "/coverage/confidence")),
        (0, "exact"),
        "{}",
        report["coverage"]
    );
    let replayed = scene.audit(["replay", &file, "-f", "json"]).well().stdout;
    assert_eq!(output, replayed);
}
