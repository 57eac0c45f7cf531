//! What looking at a Go program costs: a census beside the same reads alone, the program's own
//! throughput while censuses follow each other, and growths that are told, beside bpftrace on the same
//! functions. The program is the one of the kernel tier.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use super::child::{Listen, Running};
use super::figure::{Figure, Spread};
use super::{Scope, Show, watcher};
use crate::toolchain::go;
use crate::{process, say, workspace};

/// The names of these parts.
pub(crate) const CENSUS: &str = "census";
pub(crate) const GROWTH: &str = "go-growth";
/// Releases with Swiss maps, and with classic ones.
pub(crate) const NEWEST: &str = "1.27";
const CLASSIC: &str = "1.23";
/// It has made its maps by then.
const LIMIT: Duration = Duration::from_secs(120);
/// Times of the same reads alone, and milliseconds.
const RATIO_AIM: f64 = 3.0;
const TIME_AIM: f64 = 1000.0;
/// The most memory it may take meanwhile, in MiB.
const MEMORY_AIM: f64 = 200.0;
/// Throughput without over throughput with censuses.
const THROUGHPUT_AIM: f64 = 1.01;
const GROWTH_AIM: f64 = 1.01;
/// About a second of inserting, this many times as often as other pairs.
const FILL: &str = "ints 2000000";
const SHORT: u32 = 4;
/// How long the program is watched at once.
const WINDOW: Duration = Duration::from_millis(300);
/// Small maps, and MiB of heap.
const HEAPS: [(&str, &str); 2] = [("150000", "370"), ("450000", "1100")];

/// What the example `census_cost` prints.
#[derive(Debug, Deserialize)]
struct Cost {
    maps: u64,
    bytes: u64,
    peak: u64,
    census_ns: Vec<f64>,
    copy_ns: Vec<f64>,
}

/// The go command of a release, with caches of its own.
pub(crate) fn command(release: &str) -> Result<Command> {
    let built = workspace::target().join("bench");
    fs::create_dir_all(&built)?;
    let mut command = Command::new(go::folder().join(release).join("bin/go"));
    command.envs([
        ("CGO_ENABLED", "0"),
        ("GOTOOLCHAIN", "local"),
        ("GOFLAGS", "-mod=mod"),
        ("GOPROXY", "off"),
    ]);
    command.env("GOCACHE", built.join("cache")).env("GOPATH", built.join("path"));
    Ok(command)
}

/// Builds the program with a release.
fn program(release: &str) -> Result<PathBuf> {
    go::ensure(go::Which::Usual)?;
    let built = workspace::target().join("bench");
    fs::create_dir_all(&built)?;
    let program = built.join(format!("truth-{release}"));
    let mut command = command(release)?;
    command.current_dir(workspace::root().join("auditor/tests/kernel/fixtures/go"));
    command.args(["build", "-o"]).arg(&program);
    process::output(&mut command)?;
    Ok(program)
}

/// Starts it for one CPU, so that the other is the watcher's, and waits until it is ready.
fn start(release: &str, args: &[&str]) -> Result<Running> {
    wait(Command::new(program(release)?).args(args))
}

fn wait(command: &mut Command) -> Result<Running> {
    let mut running = Running::start(command.env("GOMAXPROCS", "1"), Listen::Stdout)?;
    running.wait_for("\"maps\"", LIMIT)?;
    Ok(running)
}

/// Waits for its answer, and takes a number from it.
fn answered(running: &mut Running, number: &str) -> Result<f64> {
    let answer: Value = serde_json::from_str(&running.answer(LIMIT)?)?;
    answer.get(number).and_then(Value::as_f64).with_context(|| format!("no {number} in {answer}"))
}

/// Censuses of two heaps, and of a program at full speed.
pub(crate) fn census(scope: &Scope, show: Show<'_>) -> Result<()> {
    let mut command = workspace::cargo("build");
    process::loud(command.args(["--release", "-p", "auditor", "--example", "census_cost"]))?;
    for release in [CLASSIC, NEWEST] {
        for (maps, mebibytes) in HEAPS.into_iter().take(if scope.quick { 1 } else { 2 }) {
            let step = say::step(format!("Go {release}: a census of {maps} maps in {mebibytes} MiB"));
            let target = start(release, &["big", maps, mebibytes])?;
            let example = workspace::target().join("release").join("examples").join("census_cost");
            let pid = target.pid().to_string();
            let text = process::output(Command::new(example).args([pid, scope.pairs.to_string()]))?;
            step.done(format!("{} rounds", scope.pairs));
            show(draw(release, &serde_json::from_str(&text).context("what census_cost prints")?));
        }
        show(throughput(release, scope)?.into_iter().collect());
    }
    Ok(())
}

fn draw(release: &str, cost: &Cost) -> Vec<Figure> {
    let what = |what| format!("{release}, {} k maps: {what}", cost.maps / 1000);
    let ratios = cost.census_ns.iter().zip(&cost.copy_ns).map(|(census, copy)| census / copy);
    let milliseconds = |all: &[f64]| Spread::of(all.iter().map(|ns| ns / 1e6));
    let figure = |name, unit, of: Option<Spread>| Some(Figure::new(CENSUS, what(name), unit, of?));
    [
        figure("MiB read", "MiB", Spread::of([cost.bytes as f64 / f64::from(1 << 20)])),
        figure("a census", "ms", milliseconds(&cost.census_ns)).map(|figure| figure.at_most(TIME_AIM)),
        figure("the same reads", "ms", milliseconds(&cost.copy_ns)),
        figure("peak memory", "MiB", Spread::of([cost.peak as f64 / f64::from(1 << 20)]))
            .map(|figure| figure.at_most(MEMORY_AIM)),
        figure("over the reads", "x", Spread::of(ratios)).map(|figure| figure.at_most(RATIO_AIM)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the program does in a second of its own CPU time without censuses, over what it does with one after the
/// other. It has one CPU and the auditor another, so that neither takes the other's time, and what a third program
/// takes does not count; what is left is what they share: caches, memory, locks of the kernel.
fn throughput(release: &str, scope: &Scope) -> Result<Option<Figure>> {
    let step = say::step(format!("Go {release}: throughput during censuses"));
    let mut target = wait(Command::new("taskset").args(["-c", "0"]).arg(program(release)?).arg("mutate"))?;
    let pid = target.pid().to_string();
    let other = (available_parallelism()?.get() - 1).to_string();
    let mut beside = || {
        let mut census = Command::new("taskset");
        census.args(["-c", &other]).arg(workspace::released("auditor"));
        process::output(census.args(["census", "-p", &pid, "-f", "json"])).map(drop)
    };
    let mut ratios = Vec::new();
    let mut before = work(&mut target, None)?;
    for _ in 0..scope.pairs * SHORT {
        let during = work(&mut target, Some(&mut beside))?;
        let after = work(&mut target, None)?;
        ratios.push(f64::midpoint(before, after) / during);
        before = after;
    }
    step.done(format!("{} pairs", ratios.len()));
    let what = format!("{release}: throughput without over with");
    Ok(Spread::of(ratios).map(|of| Figure::new(CENSUS, what, "x", of).at_most(THROUGHPUT_AIM)))
}

/// What the program does in a second of its own CPU time, with something done beside it again and again.
fn work(target: &mut Running, beside: Option<&mut dyn FnMut() -> Result<()>>) -> Result<f64> {
    target.tell(&format!("rate {}", WINDOW.as_millis()))?;
    let until = Instant::now() + WINDOW;
    if let Some(beside) = beside {
        while Instant::now() < until {
            beside()?;
        }
    }
    answered(target, "per_busy_second")
}

/// Inserts into growing maps: plain, with the auditor, and with bpftrace where the same functions are hooked and
/// where entries are moved.
pub(crate) fn growth(scope: &Scope, show: Show<'_>) -> Result<()> {
    for release in [CLASSIC, NEWEST] {
        let mut step = say::step(format!("Go {release}: growths"));
        let mut target = start(release, &["grow"])?;
        let (mut control, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        let mut before = fill(&mut target)?;
        for pair in 0..scope.pairs * SHORT {
            step.progress(&format!("pair {} of {}", pair + 1, scope.pairs * SHORT));
            let auditor = watcher::Watcher::Default.attach(target.pid())?;
            let with_auditor = fill(&mut target)?;
            auditor.interrupt(LIMIT)?;
            let between = fill(&mut target)?;
            if watcher::has_bpftrace() {
                let bpftrace = bpftrace(release, target.pid())?;
                let with_bpftrace = fill(&mut target)?;
                bpftrace.interrupt(LIMIT)?;
                theirs.push(with_bpftrace / between);
            }
            let after = fill(&mut target)?;
            ours.push(with_auditor / f64::midpoint(before, between));
            control.push(after / between);
            before = after;
        }
        step.done(format!("{} pairs", control.len()));
        let figure = |who, values| {
            let what = format!("{release}, a growing map: {who}");
            Spread::of(values).map(|of| Figure::new(GROWTH, what, "x", of))
        };
        let ours = figure("auditor", ours).map(|figure| figure.at_most(GROWTH_AIM));
        show([figure("control", control), ours, figure("bpftrace", theirs)].into_iter().flatten().collect());
    }
    Ok(())
}

/// Seconds of its own CPU time to fill a map: the traps of hooks are among them, and what other programs take is not.
fn fill(target: &mut Running) -> Result<f64> {
    target.tell(FILL)?;
    answered(target, "busy_seconds")
}

/// What one would write to follow growths: where they start, and where entries are moved.
fn bpftrace(release: &str, pid: u32) -> Result<Running> {
    let symbols: &[&str] = if release == NEWEST {
        &["internal/runtime/maps.(*table).split", "internal/runtime/maps.(*table).grow"]
    } else {
        &["runtime.hashGrow", "runtime.evacuate_fast64"]
    };
    watcher::bpftrace_on(&program(release)?, symbols, pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_census_is_held_against_the_reads_of_its_own_round() {
        let cost = Cost {
            maps: 150_040,
            bytes: 64 << 20,
            peak: 201 << 20,
            census_ns: vec![3e8, 4e8],
            copy_ns: vec![1e8, 4e8],
        };
        let figures = draw("1.27", &cost);
        let shown: Vec<(&str, f64, bool)> =
            figures.iter().map(|figure| (&*figure.what, figure.spread.max, figure.missed)).collect();
        let expected = [
            ("1.27, 150 k maps: MiB read", 64.0, false),
            ("1.27, 150 k maps: a census", 400.0, false),
            ("1.27, 150 k maps: the same reads", 400.0, false),
            ("1.27, 150 k maps: peak memory", 201.0, true),
            ("1.27, 150 k maps: over the reads", 3.0, false),
        ];
        assert_eq!(shown, expected);
    }
}
