//! Every count and every byte of every scenario, by `run` and by an attach while the target waits.

use serde_json::Value;

use crate::harness::agreement::{Seen, differences};
use crate::harness::{Scene, demo, entries, json, scenarios};

/// What must not matter to what is counted.
pub(crate) type Flags<'a> = &'a [&'a str];

/// Starts a scenario under the auditor and says what differs.
pub(crate) fn launched(scenario: &str, flags: Flags<'_>) -> Vec<String> {
    unless_a_page_moves(|| launched_once(scenario, flags))
}

/// Attaches to a scenario that waits, lets it play, and says what differs.
pub(crate) fn attached(scenario: &str, flags: Flags<'_>) -> Vec<String> {
    unless_a_page_moves(|| attached_once(scenario, flags))
}

/// Linux may be moving a page of headers, to make a huge one or room for one, just when the target exits: then they
/// cannot be read, and the report says so and is not exact. It happens once in some hundred runs, and not twice.
fn unless_a_page_moves(play: impl Fn() -> Vec<String>) -> Vec<String> {
    let found = play();
    if found.iter().any(|difference| difference.contains("were not read at the exit")) {
        play()
    } else {
        found
    }
}

fn launched_once(scenario: &str, flags: Flags<'_>) -> Vec<String> {
    let scene = Scene::new();
    let truth = scene.name("truth");
    let command = [demo().to_str().unwrap(), scenario, "--entries", &entries(1_000_000), "--truth", &truth]
        .map(str::to_owned);
    let common =
        ["run", "--evacuation", "probe", "-f", "json", "-o", &scene.name("report")].map(str::to_owned);
    let flags = flags.iter().map(|flag| (*flag).to_owned());
    scene.audit(common.into_iter().chain(flags).chain(["--".to_owned()]).chain(command)).well();
    judged(scenario, &scene.truth(), &scene.json("report"))
}

fn attached_once(scenario: &str, flags: Flags<'_>) -> Vec<String> {
    let scene = Scene::new();
    let mut target = scene.waiting_demo(&[scenario, "--entries", &entries(1_000_000)]);
    let auditor = scene.attach(&target, &[&["--evacuation", "probe", "-f", "json"], flags].concat());
    target.tell("go");
    target.end_by_itself().well();
    let report = json(&auditor.end_by_itself().well().stdout);
    judged(scenario, &scene.truth(), &report)
}

fn judged(scenario: &str, truth: &Value, report: &Value) -> Vec<String> {
    let mut found = differences(truth, report, Seen::FromTheStart);
    if report["window"]["ended"] != "target_exited" {
        found.push(format!("it ended because of {}", report["window"]["ended"]));
    }
    found.iter().map(|difference| format!("{scenario}: {difference}")).collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_scenario_that_is_launched_is_counted_exactly() {
    let found: Vec<String> = scenarios().iter().flat_map(|scenario| launched(scenario, &[])).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_scenario_that_is_attached_while_it_waits_is_counted_exactly() {
    let found: Vec<String> = scenarios().iter().flat_map(|scenario| attached(scenario, &[])).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}
