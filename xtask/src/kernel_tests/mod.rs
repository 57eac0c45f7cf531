//! The test program of the kernel tier: built, asked for its tests, and run on this kernel. On others
//! `vm/` runs it.

pub(crate) mod selection;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::tiers::{self, Tally, Tier};
use crate::toolchain::go::{self, Which};
use crate::toolchain::{readers, suites};
use crate::{process, say, workspace};
use selection::Machine;

/// What cargo is told about it.
const TARGET: [&str; 5] = ["--release", "-p", "auditor", "--test", "kernel"];
/// Builds the C programs into the folder that `AUDITOR_TEST_FIXTURES_INTO` names.
const BUILDS_FIXTURES: &str = "harness::fixture::every_fixture_builds";

/// The test program.
#[derive(Debug)]
pub(crate) struct Program {
    /// Itself.
    pub(crate) path: PathBuf,
    /// The tests that need a kernel.
    pub(crate) tests: Vec<String>,
}

/// Builds it, with the programs that it starts, in release mode: what is tested is what is delivered.
pub(crate) fn build() -> Result<Program> {
    process::loud(workspace::cargo("build").args(["--release", "--workspace"]))?;
    process::loud(workspace::cargo("test").args(TARGET).arg("--no-run"))?;
    let mut again = workspace::cargo("test");
    let messages = process::output(again.args(TARGET).args(["--no-run", "--message-format=json"]))?;
    let path = executable(&messages).context("cargo built the kernel tests and does not say where")?;
    let listing = process::output(Command::new(&path).args(["--list", "--ignored"]))?;
    Ok(Program { path, tests: listed(&listing) })
}

/// Runs those that are for this kernel, one at a time, because they count what happens in it. Go programs
/// are of these releases.
pub(crate) fn run_here(program: &Program, which: Which) -> Result<Tally> {
    let name = fs::read_to_string("/proc/sys/kernel/osrelease").context("asking which kernel this is")?;
    let release = selection::release(&name).with_context(|| format!("{name:?} is no release"))?;
    let selection = selection::select(&program.tests, release, Machine::Real)?;
    selection.omissions().for_each(|line| say::note(format_args!("{}: {line}", name.trim())));
    let mut command = Command::new(&program.path);
    let releases: Vec<&str> = which.releases().map(|release| release.name).collect();
    command.env("AUDITOR_GO_RELEASES", releases.join(",")).env("AUDITOR_GO_FOLDER", go::folder());
    command.env("AUDITOR_READERS_FOLDER", readers::folder()).env("AUDITOR_SUITES_FOLDER", suites::folder());
    command.current_dir(workspace::root().join("auditor"));
    command.args(["--ignored", "--exact", "--test-threads=1"]).args(&selection.chosen);
    tiers::run_program(Tier::Kernel, &mut command)
}

/// Has the C programs built into a folder.
pub(crate) fn build_fixtures(program: &Program, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let mut command = Command::new(&program.path);
    command.args(["--ignored", "--exact", BUILDS_FIXTURES]).env("AUDITOR_TEST_FIXTURES_INTO", folder);
    process::output(&mut command).context("building the C programs of the kernel tests").map(drop)
}

/// Where the test program is, among what cargo says as JSON, one object a line.
fn executable(messages: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        target: Target,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    built.filter(|message| message.target.name == "kernel").find_map(|message| message.executable)
}

/// The names in `name: test`.
fn listed(listing: &str) -> Vec<String> {
    listing.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_what_cargo_says() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"auditor"},"executable":"/x/auditor"}
{"reason":"compiler-artifact","target":{"name":"kernel"},"executable":"/x/kernel-1"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages), Some(PathBuf::from("/x/kernel-1")));
        assert_eq!(executable("{}"), None);
    }

    #[test]
    fn the_tests_are_what_it_lists() {
        assert_eq!(listed("a::b: test\nc: test\n\n2 tests, 0 benchmarks\n"), ["a::b", "c"]);
    }
}
