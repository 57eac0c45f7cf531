//! What the rules say of Go programs that do what the scenarios of target-demo do: the first finding is the one that
//! the scenario was written for, classic and Swiss.

use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::findings::{HASTY, ROWS};
use crate::harness::go::{Go, Program, Variant, toolchains};
use crate::harness::{Scene, json, rows, text};

const SOURCE: &str = "go-twins";

/// A twin: how long it is held, in ms, and which rule comes first with classic maps and with Swiss ones; none:
/// nothing is found. Swiss maps take back what was deleted without growing, and their growths end at once.
struct Twin {
    scenario: &'static str,
    hold: u64,
    classic: Option<&'static str>,
    swiss: Option<&'static str>,
    releases: Releases,
}

/// With which releases a twin is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Releases {
    /// With all that there are.
    All,
    /// With the last that has classic maps and the last of all.
    Ends,
}

type Rule = Option<&'static str>;

const fn twin(scenario: &'static str, hold: u64, classic: Rule, swiss: Rule) -> Twin {
    Twin { scenario, hold, classic, swiss, releases: Releases::Ends }
}

const fn with_all(scenario: &'static str, hold: u64, classic: Rule, swiss: Rule) -> Twin {
    Twin { scenario, hold, classic, swiss, releases: Releases::All }
}

const TWINS: &[Twin] = &[
    with_all("grow_then_delete", 3000, Some("never_shrinks"), Some("never_shrinks")),
    with_all("sliding_window", 300, Some("grew_without_more_live"), None),
    twin("tombstones", 3000, Some("never_shrinks"), Some("never_shrinks")),
    twin("stalled_evacuation", 3000, Some("stalled_evacuation"), None),
    with_all("burst", 300, Some("avalanche"), Some("avalanche")),
    twin("many_small", 3000, Some("many_small"), Some("many_small")),
    twin("leak", 0, Some("key_leak"), Some("key_leak")),
    twin("rebuild", 3000, None, None),
    twin("steady", 3000, None, None),
    // What a Go program can have instead of a bad hash: keys that are lost for ever.
    twin("lost_keys", 0, Some("key_leak"), Some("key_leak")),
    // Nothing is made up of entries that nobody counts: see WITHOUT.
    twin("churn", 300, None, None),
];

/// Scenarios whose finding no Go program can yield, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("churn", "a Go map does not count what enters and leaves it, and a hook on every write is too dear"),
    ("bad_hash", "Go chooses hash and seed of each map itself, and no key of any type spreads badly by them"),
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
    let ends = [all.iter().rfind(|go| !go.is_swiss()), all.iter().rfind(|go| go.is_swiss())];
    let is_end = |go: &Go| ends.iter().flatten().any(|end| end.release == go.release);
    let is_played = |twin: &Twin, go: &Go| twin.releases == Releases::All || is_end(go);
    let wrong: Vec<String> = all
        .iter()
        .flat_map(|go| TWINS.iter().filter(move |twin| is_played(twin, go)).map(move |twin| (go, twin)))
        .filter_map(|(go, twin)| is_as_written(go, twin).err())
        .collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_scenario_has_a_twin_or_a_reason_why_not() {
    let has_reason = |scenario: &str| WITHOUT.iter().any(|(without, _)| *without == scenario);
    let yields = |row: &crate::findings::Row, twin: &Twin| {
        let said = [twin.classic, twin.swiss].into_iter().flatten();
        twin.scenario == row.scenario && said.into_iter().all(|rule| row.first.contains(&rule))
    };
    for row in ROWS {
        let has_twin = TWINS.iter().any(|twin| yields(row, twin));
        assert!(has_twin || has_reason(row.scenario), "{}", row.scenario);
    }
    assert!(
        WITHOUT
            .iter()
            .all(|(scenario, why)| { !why.is_empty() && ROWS.iter().any(|row| row.scenario == *scenario) })
    );
}
