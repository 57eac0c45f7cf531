//! Who writes one map: two goroutines under a lock, classic and Swiss; what it leaves behind.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::go::{Program, Variant, toolchains};
use crate::harness::{Chance, Scene, json, number, rows, text};

const SOURCE: &str = "go-writers";
/// So that no budget ends what is to be seen as a whole.
const WHOLE: [&str; 2] = ["--budget", "100%"];

/// An audit that looks at the writers of the map for half a second.
fn attach<'a>(pid: &'a str, map: &'a str) -> Vec<&'a str> {
    vec!["attach", "-p", pid, "-f", "json", "--duration", "2s", "--writers", map, "--writers-for", "500ms"]
}

fn places_of(writers: &Value, goroutine: &Value) -> BTreeSet<String> {
    let its = rows(writers, "/by").iter().filter(|row| row["goroutine"] == *goroutine);
    its.flat_map(|row| rows(row, "/site")).map(|frame| frame.as_str().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_writers_of_a_map_are_told_apart_and_nobody_else_is_among_them() {
    for go in toolchains() {
        let scene = Scene::new();
        let mut program = Program::start(&scene, &go.build_of(SOURCE, Variant::Stripped, &[]), &[]);
        let (pid, map) = (program.pid().to_string(), text(&program.truth, "/map").to_owned());
        let before = number(&program.ask("count"), "/writes");
        let arguments = [attach(&pid, &map), WHOLE.to_vec()].concat();
        let report = json(&scene.audit(arguments).well().stdout);
        let written = number(&program.ask("count"), "/writes") - before;
        let writers = &report["writers"];
        let place = format!("{}: {writers}", go.release);
        assert_eq!(number(&report, "/coverage/lost"), 0, "{place}");
        assert!(writers["cut_short"].is_null() && writers["map"] == map.as_str(), "{place}");
        // A goroutine writes 16 times and then sleeps for a millisecond, or longer on a busy machine.
        assert!((100..=written).contains(&number(writers, "/writes")), "{written} {place}");
        assert_eq!(writers["goroutines"], 2, "{place}");
        assert!(number(writers, "/turns") >= 2, "{place}");
        let sum: u64 = rows(writers, "/by").iter().map(|row| number(row, "/writes")).sum();
        assert_eq!(sum, number(writers, "/writes"), "{place}");
        for (who, function, called) in [
            ("putter", "main.put", "runtime.mapassign_faststr"),
            ("remover", "main.remove", "runtime.mapdelete_faststr"),
        ] {
            let places = places_of(writers, &program.truth[who]);
            let is_there = |name: &str| places.iter().any(|frame| frame.starts_with(name));
            assert!(is_there(function) && is_there(called), "{who}: {places:?} {place}");
            let other = if who == "putter" { "main.remove" } else { "main.put" };
            assert!(!is_there(other), "{who}: {places:?} {place}");
        }
        let left = rows(&report, "/coverage/probes")
            .iter()
            .filter(|probe| text(probe, "/hook").starts_with("go_write_") && probe["state"] == "attached");
        assert_eq!(left.count(), 0, "{place}: hooks of writes are in place after their time");
    }
}

/// The smallest budget there is saves up 0.3 ms: some 300 writes.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_budget_ends_a_look_at_writers_and_the_report_says_so() {
    let go = toolchains().pop().unwrap();
    let scene = Scene::new();
    let program = Program::start(&scene, &go.build_of(SOURCE, Variant::Stripped, &[]), &[]);
    let (pid, map) = (program.pid().to_string(), text(&program.truth, "/map").to_owned());
    let report = json(&scene.audit([attach(&pid, &map), vec!["--budget", "0.01%"]].concat()).well().stdout);
    let writers = &report["writers"];
    assert!(writers["cut_short"].as_str().unwrap().starts_with("over the budget"), "{writers}");
    assert!(number(writers, "/end") - number(writers, "/start") < 500_000_000, "{writers}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_agent_that_is_killed_while_it_looks_at_writers_leaves_the_program_as_it_was() {
    let mut chance = Chance::new(28);
    for go in toolchains() {
        let scene = Scene::new();
        let mut program = Program::start(&scene, &go.build_of(SOURCE, Variant::Stripped, &[]), &[]);
        let (pid, map) = (program.pid().to_string(), text(&program.truth, "/map").to_owned());
        for _ in 0..10 {
            let mut auditor = scene.auditor([attach(&pid, &map), WHOLE.to_vec()].concat());
            auditor.wait_to_say("writers of");
            std::thread::sleep(Duration::from_millis(chance.below(400)));
            auditor.end_by(Signal::SIGKILL);
        }
        let before = number(&program.ask("count"), "/writes");
        std::thread::sleep(Duration::from_millis(200));
        let after = number(&program.ask("count"), "/writes");
        assert!(after > before, "{}: it does not write any more", go.release);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn writers_of_maps_that_nobody_can_tell_are_refused() {
    let scene = Scene::new();
    let target = scene.waiting_demo(&["steady"]);
    let pid = target.pid().to_string();
    scene.audit(["attach", "-p", &pid, "--writers", "0xc000012000"]).refused(3, &["--writers knows how Go"]);
}
