//! Who watches the target: the auditor in each way of counting moved buckets, or bpftrace.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::child::{Listen, Running};
use crate::workspace;

/// The symbols that both watch.
const SYMBOLS: [&str; 4] = ["demo_map_allocate", "demo_map_grow", "demo_map_evacuate", "demo_map_free"];
/// All probes must be in place by then.
const ATTACH_LIMIT: Duration = Duration::from_secs(30);
/// What bpftrace says when its probes are in place.
const ATTACHED: &str = "attached";

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watcher {
    /// `auditor attach` without flags.
    Default,
    /// With `--evacuation poll`.
    Poll,
    /// With `--evacuation probe`.
    Probe,
    /// Counting the same symbols.
    Bpftrace,
}

impl Watcher {
    /// As the tables call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Poll => "poll",
            Self::Probe => "probe",
            Self::Bpftrace => "bpftrace",
        }
    }

    /// The most that it may slow a scenario down.
    pub(crate) const fn aim(self) -> Option<f64> {
        match self {
            Self::Default => Some(1.03),
            Self::Poll => Some(1.01),
            Self::Probe | Self::Bpftrace => None,
        }
    }

    /// Starts it and waits until its probes are in place.
    pub(crate) fn attach(self, pid: u32) -> Result<Running> {
        let (mut command, listen, words) = match self {
            Self::Default => (auditor(pid), Listen::Stderr, "attached to"),
            Self::Poll => (auditor_with(pid, "poll"), Listen::Stderr, "attached to"),
            Self::Probe => (auditor_with(pid, "probe"), Listen::Stderr, "attached to"),
            Self::Bpftrace => {
                (bpftrace(&workspace::released("target-demo"), &SYMBOLS, pid, 20), Listen::Stdout, ATTACHED)
            }
        };
        let mut running = Running::start(&mut command, listen)?;
        running.wait_for(words, ATTACH_LIMIT)?;
        Ok(running)
    }
}

/// Starts the auditor and waits for its first report.
pub(crate) fn auditor_until_report(pid: u32) -> Result<Running> {
    let mut running = Running::start(auditor(pid).args(["-f", "ndjson"]), Listen::Stdout)?;
    running.wait_for("auditor.report/1", ATTACH_LIMIT)?;
    Ok(running)
}

/// Starts bpftrace on what both watch and waits until its probes are in place.
pub(crate) fn bpftrace_until_attached(pid: u32) -> Result<Running> {
    bpftrace_on(&workspace::released("target-demo"), &SYMBOLS, pid)
}

/// Starts bpftrace on those symbols of that program and waits until its probes are in place.
pub(crate) fn bpftrace_on(program: &Path, symbols: &[&str], pid: u32) -> Result<Running> {
    let mut running = Running::start(&mut bpftrace(program, symbols, pid, 1), Listen::Stdout)?;
    running.wait_for(ATTACHED, ATTACH_LIMIT)?;
    Ok(running)
}

/// Whether bpftrace is installed.
pub(crate) fn has_bpftrace() -> bool {
    let version = Command::new("bpftrace").arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

pub(crate) fn auditor(pid: u32) -> Command {
    let mut command = Command::new(workspace::released("auditor"));
    command.args(["attach", "-p", &pid.to_string()]);
    command
}

fn auditor_with(pid: u32, evacuation: &str) -> Command {
    let mut command = auditor(pid);
    command.args(["--evacuation", evacuation]);
    command
}

fn bpftrace(program: &Path, symbols: &[&str], pid: u32, milliseconds: u32) -> Command {
    let mut command = Command::new("bpftrace");
    command.args(["-B", "line", "-p", &pid.to_string(), "-e", &script(program, symbols, milliseconds)]);
    command
}

/// bpftrace attaches in the order of the script and prints nothing before it has attached everything,
/// so the first line that a timer prints says that it has. A `BEGIN` would say it too, but costs it a
/// probe in its own code; the timer's interval bounds how late it is said.
fn script(program: &Path, symbols: &[&str], milliseconds: u32) -> String {
    let site = |symbol| format!("uprobe:{}:\"{symbol}\"", program.display());
    let sites = symbols.iter().map(site).collect::<Vec<_>>().join(",");
    let say = format!("/@told == 0/ {{ printf(\"{ATTACHED}\\n\"); @told = 1; }}");
    format!("{sites} {{ @[probe] = count(); }} interval:ms:{milliseconds} {say}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_counts_every_symbol_and_says_so_once() {
        let script = script(Path::new("/t"), &SYMBOLS, 5);
        assert!(SYMBOLS.iter().all(|symbol| script.contains(&format!("uprobe:/t:\"{symbol}\""))));
        let end =
            "{ @[probe] = count(); } interval:ms:5 /@told == 0/ { printf(\"attached\\n\"); @told = 1; }";
        assert!(script.ends_with(end), "{script}");
    }
}
