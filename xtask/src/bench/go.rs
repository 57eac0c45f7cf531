//! What looking at a Go program costs: a census beside the same reads alone, the program's own
//! throughput while censuses follow each other, and growths that are told, beside bpftrace on the same
//! functions. The program is the one of the kernel tier.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
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
/// About a second of inserting into a map and deleting what is old, so many times as often as other pairs.
const TURN: &str = "turnover 6000000";
const SHORT: u32 = 4;
/// Inserts alone: a map that does nothing but grow.
const FILL: &str = "ints 2000000";
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

/// Has it do some work, and waits for the seconds of its own CPU time that this took: the traps of hooks are among
/// them, and what other programs take is not.
fn seconds_of(work: &str, running: &mut Running) -> Result<f64> {
    running.tell(work)?;
    seconds_in(&running.answer(LIMIT)?)
}

fn seconds_in(answer: &str) -> Result<f64> {
    let found: Value = serde_json::from_str(answer)?;
    found.get("busy_seconds").and_then(Value::as_f64).with_context(|| format!("no busy_seconds in {answer}"))
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
        show(throughput(release, scope)?);
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

/// The program's own CPU time for the same work during censuses of it that follow each other, over that during censuses
/// of its twin. It has one CPU and the auditor another, so that neither takes the other's time; two CPUs share more
/// than memory, and whatever keeps the second busy slows the first down, so that is told as a figure of its own.
fn throughput(release: &str, scope: &Scope) -> Result<Vec<Figure>> {
    let mut step = say::step(format!("Go {release}: throughput during censuses"));
    let (mut target, mut twin) = (turning(release)?, turning(release)?);
    let (own, other) = (target.pid(), twin.pid());
    seconds_of(TURN, &mut twin)?;
    let (mut censuses, mut busy) = (Vec::new(), Vec::new());
    let mut before = seconds_of(TURN, &mut target)?;
    for pair in 0..scope.pairs * SHORT {
        step.progress(&format!("pair {} of {}", pair + 1, scope.pairs * SHORT));
        // Neither is always the first.
        let order = if pair % 2 == 0 { [own, other] } else { [other, own] };
        let [first, second] = order.map(|audited| turn_beside(&mut target, audited));
        let (first, second) = (first?, second?);
        let (audited, beside) = if pair % 2 == 0 { (first, second) } else { (second, first) };
        let after = seconds_of(TURN, &mut target)?;
        censuses.push(audited / beside);
        busy.push(beside / f64::midpoint(before, after));
        before = after;
    }
    step.done(format!("{} pairs", censuses.len()));
    let figure = |what, values| {
        Spread::of(values).map(|of| Figure::new(CENSUS, format!("{release}, throughput: {what}"), "x", of))
    };
    let censuses =
        figure("without over with censuses", censuses).map(|figure| figure.at_most(THROUGHPUT_AIM));
    Ok([figure("other CPU idle over busy", busy), censuses].into_iter().flatten().collect())
}

/// Starts the program on the first CPU.
fn turning(release: &str) -> Result<Running> {
    wait(Command::new("taskset").args(["-c", "0"]).arg(program(release)?).arg("grow"))
}

/// The same work with censuses of a process on the last CPU meanwhile.
fn turn_beside(target: &mut Running, audited: u32) -> Result<f64> {
    target.tell(TURN)?;
    let last = (available_parallelism()?.get() - 1).to_string();
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        let mut census = Command::new("taskset");
        census.args(["-c", &last]).arg(workspace::released("auditor"));
        process::output(census.args(["census", "-p", &audited.to_string(), "-f", "json"]))?;
        if let Some(answer) = target.said_by_now() {
            return seconds_in(&answer);
        }
    }
    bail!("{TURN} was not answered within {} s", LIMIT.as_secs())
}

/// Programs whose maps grow: plain, with the auditor, and with bpftrace where the same functions are hooked and where
/// entries are moved.
pub(crate) fn growth(scope: &Scope, show: Show<'_>) -> Result<()> {
    for release in [CLASSIC, NEWEST] {
        let aim = |figure: Figure| figure.at_most(GROWTH_AIM);
        let turned = growths(release, "inserts and deletes", TURN, scope)?;
        show(turned.drawn(aim));
        // Nothing but growth, right after the auditor has come: the governor looks at a longer time.
        show(growths(release, "inserts alone", FILL, scope)?.drawn(|figure| figure));
    }
    Ok(())
}

/// What a piece of work took with each, over what it took before and after.
struct Growths {
    what: String,
    control: Vec<f64>,
    auditor: Vec<f64>,
    bpftrace: Vec<f64>,
}

impl Growths {
    fn drawn(self, auditor: impl FnOnce(Figure) -> Figure) -> Vec<Figure> {
        let figure = |who, values| {
            Spread::of(values).map(|of| Figure::new(GROWTH, format!("{}: {who}", self.what), "x", of))
        };
        let ours = figure("auditor", self.auditor).map(auditor);
        [figure("control", self.control), ours, figure("bpftrace", self.bpftrace)]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn growths(release: &str, what: &str, work: &str, scope: &Scope) -> Result<Growths> {
    let mut step = say::step(format!("Go {release}: {what}"));
    let mut target = start(release, &["grow"])?;
    let what = format!("{release}, {what}");
    let mut found = Growths { what, control: Vec::new(), auditor: Vec::new(), bpftrace: Vec::new() };
    let mut before = seconds_of(work, &mut target)?;
    for pair in 0..scope.pairs * SHORT {
        step.progress(&format!("pair {} of {}", pair + 1, scope.pairs * SHORT));
        let auditor = watcher::Watcher::Default.attach(target.pid())?;
        let with_auditor = seconds_of(work, &mut target)?;
        auditor.interrupt(LIMIT)?;
        let between = seconds_of(work, &mut target)?;
        if watcher::has_bpftrace() {
            let bpftrace = bpftrace(release, target.pid())?;
            let with_bpftrace = seconds_of(work, &mut target)?;
            bpftrace.interrupt(LIMIT)?;
            found.bpftrace.push(with_bpftrace / between);
        }
        let after = seconds_of(work, &mut target)?;
        found.auditor.push(with_auditor / f64::midpoint(before, between));
        found.control.push(after / between);
        before = after;
    }
    step.done(format!("{} pairs", found.control.len()));
    Ok(found)
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
