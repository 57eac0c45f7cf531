//! `cargo xtask demo`: target-demo grows a map, the auditor watches it in this terminal, and at the end
//! what the auditor counted is held against the truth that the target kept itself.
//!
//! The auditor records; the report is drawn from the recording afterwards. So one run gives both the
//! live screen and the figures, and the recording stays behind to look at (`auditor replay`).

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::agreement::{self, Figure};
use crate::{build, process, say, workspace};

/// What the target does: 2 million keys, each put in once and followed by 16 reads, at 3 million
/// operations a second take 12 s, with 19 doublings to see.
const SCENARIO: [&str; 8] = ["grow", "--entries", "2000000", "--rate", "3000000", "--wait", "--hold", "3"];
/// The auditor must have placed its probes by then.
const ATTACH_LIMIT: Duration = Duration::from_secs(30);
/// The target must have ended by then, and after it the auditor.
const RUN_LIMIT: Duration = Duration::from_secs(180);
/// How often something is looked at while waiting for it.
const GLANCE: Duration = Duration::from_millis(200);

/// Watch target-demo with the auditor and compare what it counted with the truth. Needs root.
#[derive(Args, Debug)]
pub(crate) struct Demo {}

/// What a run leaves behind.
#[derive(Debug)]
struct Files {
    truth: PathBuf,
    recording: PathBuf,
    report: PathBuf,
    log: PathBuf,
}

/// A child that does not outlive us.
#[derive(Debug)]
struct Running {
    name: &'static str,
    child: Child,
}

impl Demo {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        workspace::require_root("demo", "the demo places probes in a process")?;
        build::release()?;
        let files = Files::fresh()?;
        watch(&files)?;
        let figures = compare(&files)?;
        agreement::table(&figures).iter().for_each(say::result);
        say::note(format_args!("the recording: {}", files.recording.display()));
        verdict(&figures)
    }
}

/// Runs target and auditor from start to end.
fn watch(files: &Files) -> Result<()> {
    let mut target = start_target(files)?;
    say::note(format_args!("target-demo {} is process {}", SCENARIO.join(" "), target.child.id()));
    let mut auditor = start_auditor(files, target.child.id())?;
    wait_until_attached(files, &mut auditor)?;
    target.begin()?;
    let deadline = Instant::now() + RUN_LIMIT;
    while target.ended()?.is_none() {
        if auditor.ended()?.is_some() {
            bail!("the auditor ended before the target did: there is nothing to compare");
        }
        ensure!(Instant::now() < deadline, "target-demo did not end within {} s", RUN_LIMIT.as_secs());
        sleep(GLANCE);
    }
    target.accept()?;
    while auditor.ended()?.is_none() {
        ensure!(Instant::now() < deadline, "the auditor did not end after its target had");
        sleep(GLANCE);
    }
    auditor.accept()
}

/// Draws the report from the recording and compares it with the truth.
fn compare(files: &Files) -> Result<Vec<Figure>> {
    process::output(auditor_replay(files).arg("-o").arg(&files.report))?;
    let read =
        |path: &PathBuf| fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    agreement::figures(&read(&files.truth)?, &read(&files.report)?)
}

/// The last line, or an error that names every figure that differs.
fn verdict(figures: &[Figure]) -> Result<()> {
    let differing: Vec<&str> =
        figures.iter().filter(|figure| !figure.agrees()).map(|figure| figure.what.as_str()).collect();
    if differing.is_empty() {
        say::result("auditor and truth agree");
        return Ok(());
    }
    bail!(
        "auditor and truth differ in {} of {} figures: {}",
        differing.len(),
        figures.len(),
        differing.join("; ")
    )
}

impl Files {
    /// Places for a new run; what an earlier one left is removed.
    fn fresh() -> Result<Self> {
        let folder = workspace::target().join("demo");
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self {
            truth: folder.join("truth.json"),
            recording: folder.join("run.rec"),
            report: folder.join("report.json"),
            log: folder.join("target-demo.log"),
        })
    }
}

/// Starts the target, waiting for [`Running::begin`]. What it says goes into a file, because the
/// terminal belongs to the auditor's screen.
fn start_target(files: &Files) -> Result<Running> {
    let log = File::create(&files.log)?;
    let mut command = Command::new(workspace::released("target-demo"));
    command.args(SCENARIO).arg("--truth").arg(&files.truth);
    command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
    Running::start("target-demo", &mut command)
}

fn start_auditor(files: &Files, pid: u32) -> Result<Running> {
    let mut command = Command::new(workspace::released("auditor"));
    command.args(["attach", "-p", &pid.to_string(), "--evacuation", "probe", "--record"]);
    Running::start("auditor", command.arg(&files.recording))
}

fn auditor_replay(files: &Files) -> Command {
    let mut command = Command::new(workspace::released("auditor"));
    command.arg("replay").arg(&files.recording).args(["-f", "json"]);
    command
}

/// Waits until the recording says that probes are attached, and says so twice alike: then all of them
/// are. A recording can be read while it is being written.
fn wait_until_attached(files: &Files, auditor: &mut Running) -> Result<()> {
    let deadline = Instant::now() + ATTACH_LIMIT;
    let mut before = 0;
    while Instant::now() < deadline {
        if let Some(status) = auditor.ended()? {
            bail!("the auditor ended before it had attached, with {status}");
        }
        let now = attached(files);
        if now > 0 && now == before {
            return Ok(());
        }
        before = now;
        sleep(GLANCE);
    }
    bail!("the auditor did not attach within {} s", ATTACH_LIMIT.as_secs())
}

/// How many probes the recording shows as attached; 0 while there is nothing to read.
fn attached(files: &Files) -> usize {
    #[derive(Deserialize)]
    struct Report {
        coverage: Coverage,
    }
    #[derive(Deserialize)]
    struct Coverage {
        probes: Vec<Probe>,
    }
    #[derive(Deserialize)]
    struct Probe {
        state: String,
    }
    let Ok(text) = process::output(&mut auditor_replay(files)) else { return 0 };
    let Ok(report) = serde_json::from_str::<Report>(&text) else { return 0 };
    report.coverage.probes.iter().filter(|probe| probe.state == "attached").count()
}

impl Running {
    fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("starting {}", process::shown(command)))?;
        Ok(Self { name, child })
    }

    /// The line that the target waits for.
    fn begin(&mut self) -> Result<()> {
        let mut stdin = self.child.stdin.take().context("the target has been told to begin before")?;
        stdin.write_all(b"\n").context("telling the target to begin")
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    fn accept(&mut self) -> Result<()> {
        let status = self.child.wait()?;
        ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }
}

impl Drop for Running {
    /// Ends the child if it still runs. That it has ended already is the usual case.
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait().map(drop)).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_differs_is_named_and_fails() {
        let same = Figure { what: "live".to_owned(), truth: 1, auditor: Some(1) };
        let other = Figure { what: "growths".to_owned(), truth: 2, auditor: Some(3) };
        assert!(verdict(std::slice::from_ref(&same)).is_ok());
        let error = verdict(&[same, other]).unwrap_err().to_string();
        assert_eq!(error, "auditor and truth differ in 1 of 2 figures: growths");
    }

    #[test]
    fn a_child_does_not_outlive_its_guard() {
        let running = Running::start("sleep", Command::new("sleep").arg("60")).unwrap();
        let pid = running.child.id();
        drop(running);
        assert!(!PathBuf::from(format!("/proc/{pid}")).exists());
    }
}
