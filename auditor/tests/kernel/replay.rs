//! A recording gives the report that the live run gave, to the byte; a recording that breaks off gives
//! what came before.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Scene, auditor, demo, entries, json, number, rows};

/// Replays and gives what is printed.
fn replayed(scene: &Scene, format: &str) -> String {
    let recording = scene.name("recording");
    scene.start("replay", auditor().args(["replay", &recording, "-f", format])).end_by_itself().well().stdout
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_report_of_a_replay_is_byte_for_byte_that_of_the_live_run() {
    for scenario in ["grow", "churn", "many_threads", "many_small", "stalled_evacuation"] {
        for format in ["json", "ndjson", "text"] {
            let scene = Scene::new();
            let (report, recording, truth) =
                (scene.name("report"), scene.name("recording"), scene.name("truth"));
            let audit = ["run", "-i", "200ms", "-f", format, "-o", &report, "--record", &recording, "--"];
            let command =
                [demo().to_str().unwrap(), scenario, "--entries", &entries(300_000), "--truth", &truth]
                    .map(str::to_owned);
            scene.audit(audit.map(str::to_owned).into_iter().chain(command)).well();
            let live = fs::read_to_string(&report).unwrap();
            assert!(!live.is_empty());
            assert!(replayed(&scene, format) == live, "{scenario}, {format}: the replay differs");
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn so_it_is_after_ctrl_c_and_after_a_duration() {
    for end in ["SIGINT", "--duration"] {
        let scene = Scene::new();
        let target = scene.demo(&["churn", "--entries", &entries(1_000_000), "--rounds", "1000"]);
        let recording = scene.name("recording");
        let mut flags = vec!["-f", "json", "--record", &recording];
        if end == "--duration" {
            flags.extend(["--duration", "700ms"]);
        }
        let auditor = scene.attach(&target, &flags);
        std::thread::sleep(Duration::from_millis(700));
        if end == "SIGINT" {
            auditor.signal(Signal::SIGINT);
        }
        let live = auditor.end_by_itself().well().stdout;
        assert!(replayed(&scene, "json") == live, "{end}: the replay differs");
        target.end_by(Signal::SIGTERM).well();
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn after_a_kill_of_the_agent_the_recording_gives_all_up_to_its_last_frame() {
    let scene = Scene::new();
    let target = scene.demo(&["churn", "--entries", &entries(1_000_000), "--rounds", "1000"]);
    let recording = scene.name("recording");
    let killed = scene.attach(&target, &["-i", "100ms", "-f", "json", "--record", &recording]);
    std::thread::sleep(Duration::from_millis(1500));
    killed.end_by(Signal::SIGKILL);
    let report = json(&replayed(&scene, "json"));
    target.end_by(Signal::SIGTERM).well();
    assert_eq!(report["window"]["ended"], Value::Null);
    let notes = report["coverage"]["notes"].to_string();
    assert!(notes.contains("breaks off"), "{notes}");
    let seen = number(&report, "/window/end") - number(&report, "/window/start");
    assert!(seen > 1_000_000_000, "only {seen} ns of 1.5 s are there");
    assert!(!rows(&report, "/maps").is_empty());
    let strict = ["replay", &recording, "--strict", "-f", "json"];
    scene.audit(strict).refused(4, &["breaks off"]);
}
