//! What a hit costs by site class, and how many records pass through the ring: both measured by the
//! auditor's example `hit_cost`, which has what xtask must not link.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::figure::{Figure, Spread};
use super::{Scope, Show};
use crate::{process, say, workspace};

/// The names of the two parts.
pub(crate) const SITES: &str = "sites";
pub(crate) const RING: &str = "ring";
/// What the hook may cost, over an empty program, when it only counts.
const COUNT_AIM: f64 = 1.5;

/// The ns of each round.
#[derive(Debug, Deserialize)]
struct Site {
    class: String,
    program: String,
    ns: Vec<f64>,
}

/// One flood.
#[derive(Debug, Deserialize)]
struct Flood {
    threads: u32,
    calls: u64,
    seconds: f64,
    lost: u64,
}

/// Builds the example; its output is ours.
pub(crate) fn build() -> Result<()> {
    let mut command = workspace::cargo("build");
    process::loud(command.args(["--release", "-p", "auditor", "--example", "hit_cost"]))
}

/// ns a hit, and for each program its ratio to the empty one of the same round.
pub(crate) fn sites(scope: &Scope, show: Show<'_>) -> Result<()> {
    let step = say::step("ns per hit by site class");
    let text = example("sites", scope.pairs)?;
    step.done(format!("{} rounds", scope.pairs));
    show(draw_sites(&serde_json::from_str::<Vec<Site>>(&text).context("what hit_cost prints")?));
    Ok(())
}

fn draw_sites(sites: &[Site]) -> Vec<Figure> {
    let empty: BTreeMap<&str, &[f64]> =
        sites.iter().filter(|site| site.program == "empty").map(|site| (&*site.class, &*site.ns)).collect();
    let mut figures = Vec::new();
    for Site { class, program, ns } in sites {
        let what = format!("{class}, {program}");
        figures.extend(Spread::of(ns.iter().copied()).map(|of| Figure::new(SITES, &*what, "ns", of)));
        let Some(empty) = empty.get(&**class).filter(|_| program != "empty") else { continue };
        let Some(ratio) = Spread::of(ns.iter().zip(*empty).map(|(ns, empty)| ns / empty)) else { continue };
        let figure = Figure::new(SITES, format!("{what} over empty"), "x", ratio);
        figures.push(if program == "count" { figure.at_most(COUNT_AIM) } else { figure });
    }
    figures
}

/// The highest rate that passed without loss, and what was lost where that began.
pub(crate) fn ring(scope: &Scope, show: Show<'_>) -> Result<()> {
    let step = say::step("records through the ring");
    let milliseconds = if scope.quick { 500 } else { 1_500 };
    let text = example("ring", milliseconds)?;
    step.done("read as the live loop does");
    show(draw_ring(&serde_json::from_str::<Vec<Flood>>(&text).context("what hit_cost prints")?));
    Ok(())
}

fn draw_ring(floods: &[Flood]) -> Vec<Figure> {
    let by_threads = floods.chunk_by(|one, next| one.threads == next.threads);
    by_threads.flat_map(|floods| best(floods).into_iter().chain(most(floods))).collect()
}

fn best(floods: &[Flood]) -> Option<Figure> {
    let without = floods.iter().filter(|flood| flood.lost == 0);
    let best = without.max_by(|one, other| one.rate().total_cmp(&other.rate()))?;
    let what = format!("{}, most without loss", best.from());
    Some(Figure::new(RING, what, "1/s", Spread::of([best.rate()])?))
}

fn most(floods: &[Flood]) -> Option<Figure> {
    let unpaced = floods.last()?;
    let percent = 100.0 * unpaced.lost as f64 / unpaced.calls.max(1) as f64;
    Some(Figure::new(RING, format!("{}, unpaced, lost", unpaced.from()), "%", Spread::of([percent])?))
}

impl Flood {
    fn rate(&self) -> f64 {
        self.calls as f64 / self.seconds
    }

    fn from(&self) -> String {
        format!("from {} thread{}", self.threads, if self.threads == 1 { "" } else { "s" })
    }
}

fn example(what: &str, number: u32) -> Result<String> {
    let program = workspace::target().join("release").join("examples").join("hit_cost");
    process::output(Command::new(program).args([what, &number.to_string()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(program: &str, ns: [f64; 3]) -> Site {
        Site { class: "nop".to_owned(), program: program.to_owned(), ns: ns.to_vec() }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let sites = [site("empty", [100.0, 200.0, 400.0]), site("count", [150.0, 400.0, 500.0])];
        let figures = draw_sites(&sites);
        let names: Vec<&str> = figures.iter().map(|figure| &*figure.what).collect();
        assert_eq!(names, ["nop, empty", "nop, count", "nop, count over empty"]);
        assert_eq!((figures[2].spread.median, figures[2].spread.max), (1.5, 2.0));
        assert_eq!((figures[2].at_most, figures[2].missed), (Some(1.5), false));
    }

    #[test]
    fn the_best_rate_is_the_highest_that_lost_nothing() {
        let flood = |calls, lost| Flood { threads: 2, calls, seconds: 2.0, lost };
        let figures = draw_ring(&[flood(100, 0), flood(400, 0), flood(1_000, 50)]);
        assert_eq!(figures[0].what, "from 2 threads, most without loss");
        assert_eq!((figures[0].spread.median, figures[1].spread.median), (200.0, 5.0));
    }
}
