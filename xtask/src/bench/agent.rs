//! What the auditor itself takes: CPU and memory at the default interval of one second.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::child::{Listen, Running};
use super::figure::{Figure, Spread};
use super::watcher;
use super::{Scope, Show};
use crate::{say, workspace};

/// The name of this part.
pub(crate) const PART: &str = "agent";
const CPU_AIM: f64 = 2.0;
const MEMORY_AIM: f64 = 40.0;
/// The auditor must have attached by then.
const LIMIT: Duration = Duration::from_secs(30);
/// Maps come into being first: it is their being there that is measured.
const SETTLE: Duration = Duration::from_secs(2);

/// Targets that are busy all the time: one large map, and a thousand that are made and dropped.
const LOADS: [(&str, &[&str]); 2] = [
    ("one map, 100 k operations/s", &["steady", "--rate", "100000", "--hold", "600"]),
    ("1000 maps, 2 M operations/s", &["many_small", "--rate", "2000000", "--rounds", "1000"]),
];
const FORMATS: [&str; 2] = ["text", "ndjson"];

/// Measures each load with each format.
pub(crate) fn measure(scope: &Scope, show: Show<'_>) -> Result<()> {
    let time = Duration::from_secs(if scope.quick { 5 } else { 20 });
    for (load, arguments) in LOADS {
        for format in FORMATS {
            let step = say::step(format!("the agent: {load}, {format}"));
            let (cpu, memory) = watch(arguments, format, time)?;
            step.done(format!("over {} s", time.as_secs()));
            let new = |unit, value, aim| {
                Some(Figure::new(PART, format!("{load}, {format}"), unit, Spread::of([value])?).at_most(aim))
            };
            show(
                [new("% CPU", cpu, CPU_AIM), new("MiB", memory, MEMORY_AIM)].into_iter().flatten().collect(),
            );
        }
    }
    Ok(())
}

/// What it takes of a target that begins once it is there.
fn watch(arguments: &[&str], format: &str, time: Duration) -> Result<(f64, f64)> {
    let mut demo = Command::new(workspace::released("target-demo"));
    let mut target = Running::start(demo.args(arguments).arg("--wait"), Listen::Stderr)?;
    target.wait_for("waits for a line", LIMIT)?;
    let auditor = attach(target.pid(), format)?;
    target.tell("begin")?;
    cost(auditor, time)
}

/// Starts the auditor and waits until it has attached.
pub(super) fn attach(pid: u32, format: &str) -> Result<Running> {
    let mut auditor = Running::start(watcher::auditor(pid).args(["-f", format]), Listen::Stderr)?;
    auditor.wait_for("attached to", LIMIT)?;
    Ok(auditor)
}

/// Percent of a core that the auditor takes over the time, and the peak of its memory in MiB.
pub(super) fn cost(auditor: Running, time: Duration) -> Result<(f64, f64)> {
    sleep(SETTLE);
    let (began, before) = (Instant::now(), auditor.cpu_seconds()?);
    sleep(time);
    let percent = 100.0 * (auditor.cpu_seconds()? - before) / began.elapsed().as_secs_f64();
    let mebibytes = auditor.peak_memory()? as f64 / f64::from(1 << 20);
    auditor.interrupt(LIMIT)?;
    Ok((percent, mebibytes))
}
