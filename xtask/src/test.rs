//! `cargo xtask test`: [`crate::check`], then the kernel tier, which needs root and never skips.

use anyhow::{Result, ensure};
use clap::Args;

use crate::tiers::{self, Tally, Tier};
use crate::toolchain::go::{self, Which};
use crate::{check, process, say, setup, workspace};

/// Every tier, in the order in which they are summed up.
const TIERS: [Tier; 3] = [Tier::Pure, Tier::Golden, Tier::Kernel];

/// The root of the test program of the kernel tier.
const KERNEL_TESTS: &str = "auditor/tests/kernel/main.rs";

/// Run every test, those in the kernel included. Needs root.
#[derive(Args, Debug)]
pub(crate) struct Test {
    /// Build the Go programs with every release that is supported, not only the usual ones.
    #[arg(long)]
    go_matrix: bool,
}

impl Test {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        workspace::require_root("test", "the kernel tests place real probes")?;
        let toolchain = setup::ensure()?;
        let which = if self.go_matrix { Which::All } else { Which::Usual };
        go::ensure(which)?;
        let mut outcome = check::all(Some(toolchain))?;
        match kernel(which) {
            Ok(tally) => {
                outcome.tally.take(Tier::Kernel, &tally);
                outcome.problems.extend(tally.problems(&[Tier::Kernel]));
            }
            Err(error) => outcome.problems.push(format!("the kernel tier could not be run: {error:#}")),
        }
        outcome.tally.summary(&TIERS).iter().for_each(say::result);
        outcome.verdict()
    }
}

/// The kernel tier, in release mode: what is tested is what is delivered. One test at a time, because
/// they count what happens in one kernel. They start target-demo, so that is built first.
fn kernel(which: Which) -> Result<Tally> {
    let tests = workspace::root().join(KERNEL_TESTS);
    ensure!(tests.is_file(), "{KERNEL_TESTS} is missing");
    let mut programs = workspace::cargo("build");
    process::loud(programs.args(["--release", "--workspace"]))?;
    let mut tests = workspace::cargo("test");
    let releases: Vec<&str> = which.releases().map(|release| release.name).collect();
    tests.env("AUDITOR_GO_RELEASES", releases.join(",")).env("AUDITOR_GO_FOLDER", go::folder());
    tests.args(["--release", "-p", "auditor", "--test", "kernel", "--", "--ignored", "--test-threads=1"]);
    tiers::run(&mut tests)
}
