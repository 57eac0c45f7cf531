//! What the rules say of each scenario of target-demo, seen from outside: the first finding is the one that
//! the scenario was written for.

use serde_json::Value;

use crate::harness::{Scene, demo, json, rows};

/// Thresholds of time for runs that take seconds: what takes minutes in a service.
pub(crate) const HASTY: &str = "[watch]\nquiet = \"1s\"\n[stalled_evacuation]\nafter = \"1s\"\n[key_leak]\nwatched = \"1s\"\npoints = 5\n";

/// What a scenario is played with beside the defaults, and the rules of which one has to be the first; none:
/// nothing is found.
pub(crate) struct Row {
    pub(crate) scenario: &'static str,
    args: &'static [&'static str],
    pub(crate) first: &'static [&'static str],
}

const fn row(scenario: &'static str, args: &'static [&'static str], first: &'static [&'static str]) -> Row {
    Row { scenario, args, first }
}

/// A thread may wait for the CPU while it asks for a table, on a machine that does much else.
const ANYWHERE: &str = "growth_stall";

const MANY: &str = "1000000";

/// With `--hold` maps are left alone for long enough to be idle.
pub(crate) const ROWS: &[Row] = &[
    row("grow_then_delete", &["--hold", "3"], &["never_shrinks"]),
    row("sliding_window", &[], &["grew_without_more_live", "overflow_chains"]),
    row("tombstones", &["--hold", "3"], &["never_shrinks", "grew_without_more_live", "overflow_chains"]),
    row("stalled_evacuation", &["--hold", "3"], &["stalled_evacuation"]),
    row("burst", &[], &["avalanche"]),
    row("many_small", &[], &["many_small"]),
    row("leak", &["--rate", "20000000"], &["key_leak"]),
    row("churn", &[], &["churn"]),
    row("bad_hash", &[], &["bad_hash"]),
    row("rebuild", &["--hold", "3"], &[]),
    row("steady", &["--hold", "3"], &[]),
];

fn report(scenario: &str, args: &[&str], rules: &str, entries: &str) -> Value {
    let scene = Scene::new();
    std::fs::write(scene.path("rules"), rules).unwrap();
    let rules = scene.name("rules");
    let target = demo();
    let flags = ["run", "-i", "100ms", "--rules", &rules, "-f", "json", "--"];
    let truth = scene.name("truth");
    let command = [target.to_str().unwrap(), scenario, "--entries", entries, "--truth", &truth];
    json(&scene.audit(flags.iter().chain(&command).chain(args)).well().stdout)
}

fn rule(finding: &Value) -> &str {
    finding["rule"].as_str().unwrap()
}

fn is_as_written(row: &Row) -> Result<(), String> {
    let report = report(row.scenario, row.args, HASTY, MANY);
    let findings = rows(&report, "/findings");
    let first = findings.first().map(rule);
    let nothing = || findings.iter().all(|finding| rule(finding) == ANYWHERE);
    let is_right = match (row.first, first) {
        ([], _) => nothing(),
        (expected, Some(first)) => expected.contains(&first),
        (_, None) => false,
    };
    let undecided = &report["undecided"];
    is_right.then_some(()).ok_or_else(|| format!("{}: {findings:#?} {undecided:#}", row.scenario))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_first_finding_of_every_scenario_is_the_one_it_was_written_for() {
    let wrong: Vec<String> = ROWS.iter().filter_map(|row| is_as_written(row).err()).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_map_that_grows_is_not_critical_by_the_defaults() {
    let report = report("grow", &[], "", MANY);
    let critical = rows(&report, "/findings").iter().find(|finding| finding["severity"] == "critical");
    assert_eq!(critical, None);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn nothing_is_critical_whatever_the_seed() {
    for scenario in ["steady", "grow"] {
        for seed in 1..=20 {
            let report = report(scenario, &["--seed", &seed.to_string()], "", "100000");
            let critical: Vec<_> = rows(&report, "/findings")
                .iter()
                .filter(|finding| finding["severity"] == "critical")
                .collect();
            assert!(critical.is_empty(), "{scenario}, seed {seed}: {critical:#?}");
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_recording_keeps_its_rules_and_a_replay_may_have_others() {
    let scene = Scene::new();
    let (file, rules) = (scene.name("a.rec"), scene.name("rules"));
    std::fs::write(&rules, HASTY).unwrap();
    let target = demo();
    let command = [target.to_str().unwrap(), "grow_then_delete", "--entries", "300000", "--hold", "3"];
    let flags = [
        "run",
        "-i",
        "100ms",
        "--rules",
        &rules,
        "--expect",
        "sessions=5",
        "--record",
        &file,
        "-f",
        "json",
        "--",
    ];
    let live = scene.audit(flags.iter().chain(&command)).well().stdout;
    assert_eq!(scene.audit(["replay", &file, "-f", "json"]).well().stdout, live);
    std::fs::write(&rules, "[watch]\nquiet = \"1h\"\n").unwrap();
    let other = json(&scene.audit(["replay", &file, "-f", "json", "--rules", &rules]).well().stdout);
    let names = |report: &Value| -> Vec<String> {
        rows(report, "/findings").iter().map(|finding| rule(finding).to_owned()).collect()
    };
    assert!(names(&json(&live)).contains(&"key_leak".to_owned()), "{live}");
    assert!(names(&json(&live)).contains(&"never_shrinks".to_owned()), "{live}");
    assert!(
        !names(&other).contains(&"key_leak".to_owned())
            && !names(&other).contains(&"never_shrinks".to_owned())
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn rules_that_are_wrong_are_told_before_anything_runs() {
    let scene = Scene::new();
    let rules = scene.name("rules");
    std::fs::write(&rules, "[never_shrinks]\nleast = 5\n").unwrap();
    let target = demo();
    let command = ["run", "--rules", &rules, "--", target.to_str().unwrap(), "steady"];
    scene.audit(command).refused(2, &["--rules", "line 2, column 9", "a size"]);
}
