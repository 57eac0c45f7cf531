//! What the auditor takes of many maps that all change: ten thousand tables with 4 GiB in RAM and more, read each
//! second, in formats that have something to say of each interval, and in one that has not.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::agent;
use super::child::{Listen, Running};
use super::figure::{Figure, Spread};
use super::{Scope, Show};
use crate::{say, workspace};

/// The name of this part.
pub(crate) const PART: &str = "sampling";
const CPU_AIM: f64 = 3.0;
/// Each map has a table of 4096 buckets, 610 KiB: all of them are more than 4 GiB.
const MAPS: u64 = 10_000;
const ENTRIES: u64 = 13_000;
/// Operations a second, one in seven a write: of each map some ten entries change.
const RATE: &str = "1000000";
/// KiB in RAM from which on it is measured, and KiB that the machine must have for that.
const RESIDENT: u64 = 4 << 20;
const ROOM: u64 = 8 << 20;
/// All pages have been written to by then.
const FULL: Duration = Duration::from_secs(600);
/// The last writes a report of all of them each second, 9 MB: that is no part of looking at them, and has no aim.
const FORMATS: [&str; 3] = ["json", "text", WRITTEN];
const WRITTEN: &str = "ndjson";
/// Looks of a minute each.
const ROUNDS: u32 = 3;
const TIME: Duration = Duration::from_secs(60);

/// Measures the formats in turns.
pub(crate) fn measure(scope: &Scope, show: Show<'_>) -> Result<()> {
    let (rounds, time) = if scope.quick { (1, TIME / 6) } else { (ROUNDS, TIME) };
    let target = target()?;
    let mut step = say::step("the agent: many maps that all change");
    let mut taken = FORMATS.map(|_| Vec::new());
    for round in 0..rounds {
        for (format, taken) in FORMATS.iter().zip(&mut taken) {
            step.progress(&format!("{format}, round {} of {rounds}", round + 1));
            taken.push(agent::cost(agent::attach(target.pid(), format)?, time)?.0);
        }
    }
    step.done(format!("{rounds} rounds of {} s", time.as_secs()));
    let figures = FORMATS.iter().zip(taken).filter_map(|(format, taken)| {
        let what = format!("{} k maps, 4 GiB, {format}", MAPS / 1000);
        let figure = Figure::new(PART, what, "% CPU", Spread::of(taken)?);
        Some(if *format == WRITTEN { figure } else { figure.at_most(CPU_AIM) })
    });
    show(figures.collect());
    Ok(())
}

/// Starts it and waits until its tables are in RAM.
fn target() -> Result<Running> {
    let available = kibibytes("/proc/meminfo", "MemAvailable:")?;
    ensure!(available >= ROOM, "so many tables want 8 GiB of memory, and {} MiB are there", available >> 10);
    let step = say::step("4 GiB of tables");
    let mut demo = Command::new(workspace::released("target-demo"));
    demo.args(["steady", "--rounds", "1000", "--rate", RATE]);
    demo.args(["--maps", &MAPS.to_string(), "--entries", &(MAPS * ENTRIES).to_string()]);
    let target = Running::start(&mut demo, Listen::Stderr)?;
    let (began, status) = (Instant::now(), format!("/proc/{}/status", target.pid()));
    while kibibytes(&status, "VmRSS:")? < RESIDENT {
        ensure!(began.elapsed() < FULL, "the tables do not fill");
        sleep(Duration::from_secs(1));
    }
    step.done(format!("{} s", began.elapsed().as_secs()));
    Ok(target)
}

/// A line of a file of `/proc`, such as `VmRSS:  1234 kB`.
fn kibibytes(file: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    value.with_context(|| format!("no {name} in {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_kibibytes() {
        assert!(kibibytes("/proc/meminfo", "MemTotal:").unwrap() > 1 << 10);
        assert!(kibibytes("/proc/meminfo", "Nonsense:").is_err());
    }
}
