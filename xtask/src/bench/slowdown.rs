//! What watching costs the target: its CPU time for a scenario, which it tells itself, with a watcher
//! and without.
//!
//! Every watched run stands between plain ones and is divided by the mean of those before and after
//! it, so a machine that becomes slower or faster meanwhile cancels out. The plain runs between others
//! are divided in the same way: that control would be 1 on a quiet machine, and its spread says what
//! the other figures are worth.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::child::{Listen, Running};
use super::figure::{Beside, Figure, Spread};
use super::watcher::{self, Watcher};
use super::{Scope, Show};
use crate::{process, say, workspace};

/// The name of this part.
pub(crate) const PART: &str = "slowdown";
/// What `--quick` plays: one map that grows, many that come and go, threads, and health.
pub(crate) const QUICK: [&str; 4] = ["grow", "churn", "many_threads", "steady"];
/// Who watches in a round, each round beginning with another; a plain run comes before the first and
/// the third, and at the end.
const ROUND: [Watcher; 4] = [Watcher::Default, Watcher::Poll, Watcher::Probe, Watcher::Bpftrace];
/// Watched runs between two plain ones.
const BETWEEN: usize = 2;
/// A run must have ended by then, and after it its watcher.
const RUN_LIMIT: Duration = Duration::from_secs(120);
const WATCHER_LIMIT: Duration = Duration::from_secs(30);

/// What a run took.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Took {
    pub(super) cpu_ns: u64,
    pub(super) elapsed_ns: u64,
}

/// A run, and who watched it.
pub(super) type Run = (Option<Watcher>, Took);

/// By watcher (`None`: the control) the ratios of CPU and of wall time.
type Ratios = BTreeMap<&'static str, Vec<(f64, f64)>>;

/// The scenarios that target-demo has.
pub(crate) fn scenarios() -> Result<Vec<String>> {
    let help = process::output(target().arg("--help"))?;
    let names = listed(&help);
    anyhow::ensure!(!names.is_empty(), "target-demo's help lists no scenarios");
    Ok(names)
}

/// The first words of the lines below `Scenarios:`.
fn listed(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| line.trim() != "Scenarios:").skip(1);
    let names =
        lines.take_while(|line| !line.trim().is_empty()).filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// Measures every scenario in scope.
pub(crate) fn measure(scope: &Scope, show: Show<'_>) -> Result<()> {
    let watchers: Vec<Watcher> = ROUND
        .into_iter()
        .filter(|watcher| *watcher != Watcher::Bpftrace || watcher::has_bpftrace())
        .collect();
    for scenario in &scope.scenarios {
        let mut step = say::step(format!("slowdown of {scenario}"));
        let mut runs = Vec::new();
        for pair in 1..=scope.pairs {
            step.progress(&format!("round {pair} of {}", scope.pairs));
            for (number, watcher) in turned(&watchers, pair as usize).enumerate() {
                if number % BETWEEN == 0 {
                    runs.push((None, play(scenario, None)?));
                }
                runs.push((Some(watcher), play(scenario, Some(watcher))?));
            }
        }
        runs.push((None, play(scenario, None)?));
        step.done(format!("{} runs", runs.len()));
        show(draw(PART, scenario, &runs, Watcher::aim));
    }
    Ok(())
}

/// The watchers, beginning with another one each time: what a run leaves behind (caches, memory, a
/// tracer that goes) must not meet the same one after it again and again.
pub(super) fn turned(watchers: &[Watcher], by: usize) -> impl Iterator<Item = Watcher> {
    watchers.iter().cycle().skip(by % watchers.len().max(1)).take(watchers.len()).copied()
}

/// One run; the target waits until the watcher is in place.
fn play(scenario: &str, watcher: Option<Watcher>) -> Result<Took> {
    let truth = truth()?;
    let mut command = target();
    command.args([scenario, "--wait", "--truth"]).arg(&truth);
    let mut target = Running::start(&mut command, Listen::Stderr)?;
    target.wait_for("waits for a line", WATCHER_LIMIT)?;
    let watching = watcher.map(|watcher| watcher.attach(target.pid())).transpose()?;
    target.tell("begin")?;
    target.end(RUN_LIMIT)?;
    if let Some(watching) = watching {
        watching.end(WATCHER_LIMIT)?;
    }
    let text = fs::read_to_string(&truth).with_context(|| format!("reading {}", truth.display()))?;
    serde_json::from_str(&text).context("the truth says how long the scenario took")
}

fn target() -> Command {
    Command::new(workspace::released("target-demo"))
}

fn truth() -> Result<PathBuf> {
    let folder = workspace::target().join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder.join("truth.json"))
}

/// What the runs of one scenario or load come to.
pub(super) fn draw(
    part: &'static str,
    scenario: &str,
    runs: &[Run],
    aim: impl Fn(Watcher) -> Option<f64>,
) -> Vec<Figure> {
    let seconds = seconds(runs, None).map_or(0.0, |of| of.median);
    let mut ratios = ratios(runs);
    let mut figures = Vec::new();
    for watcher in [None].into_iter().chain(ROUND.map(Some)) {
        let name = watcher.map_or("control", Watcher::name);
        let pairs = ratios.remove(name).unwrap_or_default();
        let of = |pick: fn(&(f64, f64)) -> f64| Spread::of(pairs.iter().map(pick));
        let (Some(cpu), Some(wall)) = (of(|pair| pair.0), of(|pair| pair.1)) else { continue };
        let what = format!("{scenario} ({seconds:.2} s), {name}");
        let figure = Figure::new(part, what, "x", cpu).beside(Beside { wall, best: best(runs, watcher) });
        figures.push(match watcher.and_then(&aim) {
            Some(aim) => figure.at_most(aim),
            None => figure,
        });
    }
    figures
}

/// CPU time of the runs with that watcher.
fn seconds(runs: &[Run], watcher: Option<Watcher>) -> Option<Spread> {
    let with = runs.iter().filter(|run| run.0 == watcher);
    Spread::of(with.map(|(_, took)| took.cpu_ns as f64 / 1e9))
}

/// The fastest run with that watcher over the fastest plain one. Of the plain ones, the second half
/// over the first.
fn best(runs: &[Run], watcher: Option<Watcher>) -> f64 {
    let (these, plain) = match watcher {
        Some(_) => (runs, runs),
        None => (&runs[runs.len() / 2..], &runs[..runs.len() / 2]),
    };
    let fastest = |runs, watcher| seconds(runs, watcher).map_or(f64::NAN, |of: Spread| of.min);
    fastest(these, watcher) / fastest(plain, None)
}

/// Every run over the mean of the nearest plain runs on both sides of it.
fn ratios(runs: &[Run]) -> Ratios {
    let mut ratios = Ratios::new();
    for (at, (watcher, took)) in runs.iter().enumerate() {
        let is_plain = |run: &&Run| run.0.is_none();
        let before = runs[..at].iter().rev().find(is_plain);
        let after = runs[at + 1..].iter().find(is_plain);
        let (Some((_, before)), Some((_, after))) = (before, after) else { continue };
        let over = |pick: fn(&Took) -> u64| {
            pick(took) as f64 / f64::midpoint(pick(before) as f64, pick(after) as f64)
        };
        let name = watcher.map_or("control", Watcher::name);
        ratios.entry(name).or_default().push((over(|took| took.cpu_ns), over(|took| took.elapsed_ns)));
    }
    ratios
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn took(cpu_ns: u64) -> Took {
        Took { cpu_ns, elapsed_ns: 2 * cpu_ns }
    }

    #[test]
    fn a_machine_that_becomes_slower_cancels_out() {
        let runs = [
            (None, took(100)),
            (Some(Watcher::Poll), took(110)),
            (None, took(120)),
            (Some(Watcher::Poll), took(260)),
            (None, took(140)),
        ];
        let ratios = ratios(&runs);
        assert_eq!(ratios["poll"], [(1.0, 1.0), (2.0, 2.0)]);
        assert_eq!(ratios["control"], [(1.0, 1.0)]);
    }

    #[test]
    fn a_figure_has_its_watchers_aim() {
        let runs = [(None, took(100)), (Some(Watcher::Poll), took(102)), (None, took(100))];
        let figures = draw(PART, "grow", &runs, Watcher::aim);
        assert_eq!(figures.len(), 1, "a control needs three plain runs");
        assert!(figures[0].missed && figures[0].at_most == Some(1.01));
        assert!(figures[0].what.starts_with("grow (0.00 s), poll"));
    }

    #[test]
    fn every_round_begins_with_another_watcher() {
        let order = |by| turned(&ROUND, by).map(Watcher::name).collect::<Vec<_>>();
        assert_eq!(order(0), ["default", "poll", "probe", "bpftrace"]);
        assert_eq!(order(5), ["poll", "probe", "bpftrace", "default"]);
    }

    #[test]
    fn the_best_runs_are_not_misled_by_a_disturbed_one() {
        let poll = Some(Watcher::Poll);
        let runs =
            [(None, took(100)), (poll, took(300)), (None, took(900)), (poll, took(101)), (None, took(101))];
        assert_eq!(best(&runs, poll), 1.01);
        assert_eq!(best(&runs, None), 1.01);
    }

    #[test]
    fn scenarios_are_read_from_the_help() {
        let help = "usage\n\nScenarios:\n  grow    maps grow\n  steady  nothing\n\nDefault:\n  grow 1\n";
        assert_eq!(listed(help), ["grow", "steady"]);
        assert_eq!(listed("usage"), Vec::<String>::new());
    }
}
