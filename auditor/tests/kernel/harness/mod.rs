//! What every test stands on: a scratch folder, programs that are ended with the test that started
//! them, and waiting that gives up. Nothing here knows what a report should say; `agreement` does.

pub(crate) mod agreement;
pub(crate) mod fixture;
pub(crate) mod go;
pub(crate) mod links;
pub(crate) mod pace;
pub(crate) mod process;
pub(crate) mod terminal;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) use pace::{entries, times};
pub(crate) use process::{Ended, Process};

/// Longer than any run takes, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The auditor that was built with these tests.
pub(crate) fn auditor() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auditor"));
    command.env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// target-demo, built beside the auditor.
pub(crate) fn demo() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_auditor")).with_file_name("target-demo");
    assert!(path.is_file(), "{} is missing: cargo build --release --workspace", path.display());
    path
}

/// Every scenario there is, by the demo's own list; on an emulated machine some of them.
pub(crate) fn scenarios() -> Vec<String> {
    let help = String::from_utf8(Command::new(demo()).arg("--help").output().unwrap().stdout).unwrap();
    let rows = help.lines().skip_while(|line| *line != "Scenarios:").skip(1);
    let names: Vec<String> = rows
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    assert!(names.len() >= 15, "{help}");
    pace::played(names)
}

/// A folder for one test, and the programs that write into it.
#[derive(Debug)]
pub(crate) struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    /// A new, empty one.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A path in it, as an argument.
    pub(crate) fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Starts a program; what it says goes into files of that name.
    pub(crate) fn start(&self, name: &str, command: &mut Command) -> Process {
        Process::start(&self.path(name), command)
    }

    /// Starts the auditor.
    pub(crate) fn auditor<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Process {
        self.start("auditor", auditor().args(args))
    }

    /// Runs the auditor to its end.
    pub(crate) fn audit<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ended {
        self.auditor(args).end_by_itself()
    }

    /// Attaches to a process and waits until all hooks see.
    pub(crate) fn attach(&self, target: &Process, args: &[&str]) -> Process {
        let pid = target.pid().to_string();
        let mut auditor = self.auditor(["attach", "-p", &pid].iter().chain(args));
        auditor.wait_to_say("attached to");
        auditor
    }

    /// Starts target-demo, its truth going to `truth`.
    pub(crate) fn demo(&self, args: &[&str]) -> Process {
        let mut command = Command::new(demo());
        command.args(args).arg("--truth").arg(self.path("truth")).stdin(Stdio::piped());
        self.start("demo", &mut command)
    }

    /// Starts target-demo and waits until it waits.
    pub(crate) fn waiting_demo(&self, args: &[&str]) -> Process {
        let mut demo = self.demo(&[args, &["--wait"]].concat());
        demo.wait_to_say("waits for a line");
        demo
    }

    /// What a file holds as JSON.
    pub(crate) fn json(&self, name: &str) -> Value {
        json(&fs::read_to_string(self.path(name)).unwrap())
    }

    /// What target-demo says really happened.
    pub(crate) fn truth(&self) -> Value {
        self.json("truth")
    }
}

/// Text as JSON.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

/// A number of a document; missing or null is a failure and never 0.
pub(crate) fn number(document: &Value, pointer: &str) -> u64 {
    let found = document.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("no number at {pointer}: {:?}", document.pointer(pointer)))
}

/// A text of a document.
pub(crate) fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    let found = document.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer}: {:?}", document.pointer(pointer)))
}

/// The rows of a document.
pub(crate) fn rows<'a>(document: &'a Value, pointer: &str) -> &'a [Value] {
    let found = document.pointer(pointer).and_then(Value::as_array);
    found.unwrap_or_else(|| panic!("no rows at {pointer}"))
}

/// The hook of that name in a report's coverage.
pub(crate) fn probe<'a>(report: &'a Value, hook: &str) -> &'a Value {
    let mut probes = rows(report, "/coverage/probes").iter();
    probes.find(|probe| probe["hook"] == hook).unwrap_or_else(|| panic!("{hook} is not listed"))
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, patience: Duration, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Chance that is the same in each run (the generator of Knuth's MMIX).
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// From a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
