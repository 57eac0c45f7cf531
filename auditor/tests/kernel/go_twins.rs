//! What the rules say of Go programs that do what the scenarios of target-demo do: the first finding is the one that
//! the scenario was written for, classic and Swiss.

use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::findings::HASTY;
use crate::harness::go::{Go, Program, Variant, toolchains};
use crate::harness::{Scene, json, rows, text};

const SOURCE: &str = "go-twins";

/// A twin: how long it is held, in ms, and which rule comes first with classic maps and with Swiss ones; none:
/// nothing is found. Nobody counts what enters and leaves a Go map, and no program chooses its hash: `churn` and
/// `bad_hash` have no twin. Swiss maps take back what was deleted without growing, and their growths end at once.
struct Twin {
    scenario: &'static str,
    hold: u64,
    classic: Option<&'static str>,
    swiss: Option<&'static str>,
}

const fn twin(
    scenario: &'static str,
    hold: u64,
    classic: Option<&'static str>,
    swiss: Option<&'static str>,
) -> Twin {
    Twin { scenario, hold, classic, swiss }
}

const TWINS: &[Twin] = &[
    twin("grow_then_delete", 3000, Some("never_shrinks"), Some("never_shrinks")),
    twin("sliding_window", 300, Some("grew_without_more_live"), None),
    twin("tombstones", 3000, Some("never_shrinks"), Some("never_shrinks")),
    twin("stalled_evacuation", 3000, Some("stalled_evacuation"), None),
    twin("burst", 300, Some("avalanche"), Some("avalanche")),
    twin("many_small", 3000, Some("many_small"), Some("many_small")),
    twin("leak", 0, Some("key_leak"), Some("key_leak")),
    twin("rebuild", 3000, None, None),
    twin("steady", 3000, None, None),
];

fn is_as_written(go: &Go, twin: &Twin) -> Result<(), String> {
    let scene = Scene::new();
    std::fs::write(scene.path("rules"), HASTY).unwrap();
    let rules = scene.name("rules");
    let program = go.build_of(SOURCE, Variant::Plain, &[]);
    let mut program = Program::start(&scene, &program, &[twin.scenario]);
    let pid = program.pid().to_string();
    let mut auditor = scene.auditor(["attach", "-p", &pid, "-i", "100ms", "-f", "json", "--rules", &rules]);
    auditor.wait_to_say("attached to");
    program.ask("play");
    sleep(Duration::from_millis(twin.hold));
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    let findings = rows(&report, "/findings");
    let expected = if go.is_swiss() { twin.swiss } else { twin.classic };
    let first = findings.first().map(|finding| text(finding, "/rule"));
    // Of what grew fast it may be worth a line that it did.
    let is_right = match expected {
        Some(_) => first == expected,
        None => findings.iter().all(|finding| finding["severity"] == "info"),
    };
    let undecided = &report["undecided"];
    is_right
        .then_some(())
        .ok_or_else(|| format!("{} {}: {findings:#?} {undecided:#}", go.release, twin.scenario))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_first_finding_of_each_twin_is_the_one_it_was_written_for() {
    let all = toolchains();
    let ends = [all.iter().find(|go| go.release == "1.23"), all.iter().rfind(|go| go.is_swiss())];
    let wrong: Vec<String> = ends
        .into_iter()
        .flatten()
        .flat_map(|go| TWINS.iter().filter_map(move |twin| is_as_written(go, twin).err()))
        .collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
