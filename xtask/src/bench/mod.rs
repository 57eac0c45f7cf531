//! `cargo xtask bench`: what the auditor costs its target, and itself, beside the aims. docs/bench.md
//! says how each figure is measured and has those of one machine.
//!
//! Each part of the bench has a file and gives figures; `table` draws them.

mod agent;
mod attach;
mod child;
mod example;
mod figure;
mod go;
mod go_attach;
mod hits;
mod page;
mod redis;
mod replay;
mod sampling;
mod slowdown;
mod table;
mod watcher;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::{build, process, say, workspace};
use figure::Figure;

const PAIRS: u32 = 7;
const QUICK_PAIRS: u32 = 3;

/// Measure what the auditor costs, beside the aims. Needs root and some 30 minutes of a quiet machine.
#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// Pairs of runs that a median is of [default: 7, with --quick 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pairs: Option<u32>,
    /// Only this scenario or part (slowdown, sites, ring, agent, sampling, attach, census, go-growth, page, redis); repeatable
    #[arg(long, value_name = "SCENARIO|PART")]
    only: Vec<String>,
    /// Four scenarios, fewer pairs, shorter looks: within 5 minutes
    #[arg(long)]
    quick: bool,
    /// Write the figures to FILE as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How much is measured.
#[derive(Debug)]
struct Scope {
    scenarios: Vec<String>,
    pairs: u32,
    quick: bool,
}

/// Takes figures as soon as they are there: a bench that is cut short has shown what it found.
type Show<'a> = &'a mut dyn FnMut(Vec<Figure>);

/// A part of the bench: its name, what its figures are, and what measures them.
type Part = (&'static str, &'static str, fn(&Scope, Show<'_>) -> Result<()>);

const PARTS: [Part; 12] = [
    (hits::SITES, "ns that a hit takes from the target, by instruction and program", hits::sites),
    (hits::RING, "records a second from the kernel to the auditor", hits::ring),
    (attach::PART, "one idle target, in turns with bpftrace", attach::measure),
    (agent::PART, "the auditor itself, at an interval of 1 s", agent::measure),
    (sampling::PART, "the auditor itself, of many maps that all change", sampling::measure),
    (go::CENSUS, "a Go program while it goes on, beside the same reads alone", go::census),
    (go::GROWTH, "a Go program's time to fill a map, over the plain runs around it", go::growth),
    (go_attach::PART, "a stripped Go program of 100 MB, bpftrace on its unstripped twin", go_attach::measure),
    (replay::PART, "a recording of ten million facts, beside reading it", replay::measure),
    (page::PART, "ten minutes read, replayed, and written as a page", page::measure),
    (
        redis::PART,
        "CPU time of redis-server for two million orders, over the plain runs around it",
        redis::measure,
    ),
    (slowdown::PART, "CPU time of a scenario, over the mean of the plain runs around it", slowdown::measure),
];

/// Under which conditions the figures came about.
#[derive(Debug, Serialize)]
struct Conditions {
    cpus: usize,
    kernel: String,
    load: String,
    pairs: u32,
}

/// What is written as JSON.
#[derive(Debug, Serialize)]
struct Results<'a> {
    schema: &'static str,
    conditions: &'a Conditions,
    figures: &'a [Figure],
}

impl Bench {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        workspace::require_root("bench", "the bench places probes in processes")?;
        build::release()?;
        hits::build()?;
        let scenarios = slowdown::scenarios()?;
        let parts = self.parts(&scenarios)?;
        let scope = self.scope(&scenarios);
        let conditions = Conditions::now(scope.pairs)?;
        say::result(conditions.shown());
        if !watcher::has_bpftrace() {
            say::warn("bpftrace is missing, so nothing is compared with it: apt-get install bpftrace");
        }
        let figures = measure(&parts, &scope)?;
        table::verdict(&figures).iter().for_each(say::result);
        self.json.as_deref().map_or(Ok(()), |path| write(path, &conditions, &figures))
    }

    /// The parts that were asked for; a scenario asks for the slowdown.
    fn parts(&self, scenarios: &[String]) -> Result<Vec<Part>> {
        let names = || PARTS.iter().map(|part| part.0).chain(scenarios.iter().map(String::as_str));
        for only in &self.only {
            let known = names().any(|name| name == only);
            ensure!(known, "there is no {only:?}; there are: {}", names().collect::<Vec<_>>().join(", "));
        }
        let wanted = |part: &Part| {
            let named =
                |only: &String| only == part.0 || (part.0 == slowdown::PART && scenarios.contains(only));
            self.only.is_empty() || self.only.iter().any(named)
        };
        Ok(PARTS.into_iter().filter(wanted).collect())
    }

    /// The scenarios that were named, or those of a quick bench, or all.
    fn scope(&self, scenarios: &[String]) -> Scope {
        let quick = self.quick;
        let named = |name: &&String| self.only.contains(name);
        let none_named = !scenarios.iter().any(|name| named(&name));
        let usual = |name: &&String| none_named && (!quick || slowdown::QUICK.contains(&name.as_str()));
        let scenarios = scenarios.iter().filter(|name| named(name) || usual(name)).cloned().collect();
        Scope { scenarios, pairs: self.pairs.unwrap_or(if quick { QUICK_PAIRS } else { PAIRS }), quick }
    }
}

/// Measures part by part.
fn measure(parts: &[Part], scope: &Scope) -> Result<Vec<Figure>> {
    let mut all = Vec::new();
    for (name, about, measure) in parts {
        table::heading(name, about, [slowdown::PART, redis::PART].contains(name))
            .iter()
            .for_each(say::result);
        let mut show = |figures: Vec<Figure>| {
            figures.iter().map(table::line).for_each(say::result);
            all.extend(figures);
        };
        measure(scope, &mut show).with_context(|| format!("measuring {name}"))?;
    }
    Ok(all)
}

fn write(path: &Path, conditions: &Conditions, figures: &[Figure]) -> Result<()> {
    let results = Results { schema: "auditor.bench/1", conditions, figures };
    let text = serde_json::to_string_pretty(&results)?;
    fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
}

impl Conditions {
    fn now(pairs: u32) -> Result<Self> {
        let kernel = process::output(std::process::Command::new("uname").arg("-r"))?.trim().to_owned();
        let load = fs::read_to_string("/proc/loadavg").context("reading /proc/loadavg")?;
        let load = load.split(' ').next().unwrap_or_default().to_owned();
        Ok(Self { cpus: available_parallelism()?.get(), kernel, load, pairs })
    }

    fn shown(&self) -> String {
        let Self { cpus, kernel, load, pairs } = self;
        format!("{cpus} CPUs, Linux {kernel}, load {load} at the beginning, {pairs} pairs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench(only: &[&str]) -> Bench {
        let only = only.iter().map(|&name| name.to_owned()).collect();
        Bench { pairs: None, only, quick: false, json: None }
    }

    fn chosen(only: &[&str]) -> Vec<&'static str> {
        let scenarios = ["grow".to_owned(), "steady".to_owned()];
        bench(only).parts(&scenarios).unwrap().into_iter().map(|part| part.0).collect()
    }

    #[test]
    fn a_scenario_asks_for_the_slowdown_and_a_part_for_itself() {
        assert_eq!(chosen(&[]).len(), PARTS.len());
        assert_eq!(chosen(&["grow"]), ["slowdown"]);
        assert_eq!(chosen(&["ring", "agent"]), ["ring", "agent"]);
    }

    #[test]
    fn scenarios_are_those_that_were_named_else_all_or_the_quick_ones() {
        let scenarios = ["grow", "leak"].map(str::to_owned);
        let quick = Bench { quick: true, ..bench(&[]) };
        assert_eq!(bench(&["leak", "ring"]).scope(&scenarios).scenarios, ["leak"]);
        assert_eq!(bench(&["ring"]).scope(&scenarios).scenarios, scenarios);
        assert_eq!(quick.scope(&scenarios).scenarios, ["grow"]);
        assert_eq!((quick.scope(&scenarios).pairs, bench(&[]).scope(&scenarios).pairs), (3, 7));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = bench(&["shrug"]).parts(&["grow".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("attach") && error.contains("grow"), "{error}");
    }
}
