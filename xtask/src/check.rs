//! `cargo xtask check`: all that can be checked without root. It goes on after a failure, so that one
//! run names everything that is wrong.

use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::tiers::{self, Tally, Tier};
use crate::toolchain::{Toolchain, survey};
use crate::{build, process, say, workspace};

/// The tiers that need no root.
pub(crate) const TIERS: [Tier; 2] = [Tier::Pure, Tier::Golden];

/// Check format, lints, documentation, and the tests that need no root.
#[derive(Args, Debug)]
pub(crate) struct Check {}

/// What a check came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Tests counted.
    pub(crate) tally: Tally,
    /// What is wrong.
    pub(crate) problems: Vec<String>,
}

/// Whether the BPF object is there to be put inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    Built,
    Skipped,
}

impl Check {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        let outcome = all(survey().toolchain())?;
        outcome.tally.summary(&TIERS).iter().for_each(say::result);
        outcome.verdict()
    }
}

impl Outcome {
    /// An error that names all that is wrong.
    pub(crate) fn verdict(&self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        bail!("{}", self.problems.join("\n       "))
    }
}

/// Checks everything. An error is that it could not be checked.
pub(crate) fn all(toolchain: Option<Toolchain>) -> Result<Outcome> {
    let object = match toolchain {
        Some(toolchain) => build::object(&toolchain).map(|()| Object::Built)?,
        None => warn_of_skipping(),
    };
    let mut outcome = Outcome::default();
    for (what, mut command) in steps(object) {
        let step = format!("{what}: {}", process::shown(&command));
        say::note(&step);
        if let Err(error) = process::loud(&mut command) {
            say::warn(format_args!("{error:#}"));
            outcome.problems.push(format!("{what} failed"));
        }
    }
    outcome.tally = tiers::run(&mut cargo(object, "test", &["--workspace", "--no-fail-fast"]))?;
    outcome.problems.extend(outcome.tally.problems(&TIERS));
    Ok(outcome)
}

fn warn_of_skipping() -> Object {
    say::warn("there is no BPF toolchain here: everything is checked WITHOUT the BPF object inside");
    say::warn("cargo xtask setup gets it, or says how");
    Object::Skipped
}

/// What must succeed, besides the tests.
fn steps(object: Object) -> [(&'static str, Command); 5] {
    let mut documentation = cargo(object, "doc", &["--workspace", "--no-deps"]);
    documentation.env("RUSTDOCFLAGS", "-D warnings");
    [
        ("format", workspace::cargo_fmt_check()),
        ("lints", cargo(object, "clippy", &["--workspace", "--all-targets", "--", "-D", "warnings"])),
        ("lints of the BPF programs", cargo(object, "clippy", &PROGRAMS)),
        ("documentation", documentation),
        ("build", cargo(object, "build", &["--workspace"])),
    ]
}

/// The BPF programs are linted as if they were for this host, which has clippy; unwinding has no
/// place in them.
const PROGRAMS: [&str; 10] =
    ["-p", "auditor-ebpf", "--bins", "--features", "programs", "--", "-C", "panic=abort", "-D", "warnings"];

fn cargo(object: Object, verb: &str, arguments: &[&str]) -> Command {
    let mut command = workspace::cargo(verb);
    // A golden file that differs is a failure and never something to be written anew in passing.
    command.args(arguments).env("INSTA_UPDATE", "no");
    if object == Object::Skipped {
        command.env("AUDITOR_SKIP_EBPF", "1");
    }
    command
}
