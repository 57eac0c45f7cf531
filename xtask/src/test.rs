//! `cargo xtask test`: [`crate::check`], then the tests in this kernel, which need root, and those in an
//! older one. None of them is ever skipped.

use anyhow::Result;
use clap::Args;

use crate::check::Outcome;
use crate::kernel_tests::{self, Program};
use crate::tiers::Tier;
use crate::toolchain::go::{self, Which};
use crate::toolchain::{readers, suites};
use crate::{check, say, setup, vm, workspace};

/// Every tier, in the order in which they are summed up.
const TIERS: [Tier; 4] = [Tier::Pure, Tier::Golden, Tier::Kernel, Tier::Vm];

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
        readers::ensure()?;
        suites::ensure()?;
        let mut outcome = check::all(Some(toolchain))?;
        match kernel_tests::build() {
            Ok(program) => {
                take(&mut outcome, Tier::Kernel, here(&program, which));
                take(&mut outcome, Tier::Vm, vm::tier(&program));
            }
            Err(error) => outcome.problems.push(format!("the kernel tests cannot be built: {error:#}")),
        }
        outcome.tally.summary(&TIERS).iter().for_each(say::result);
        outcome.verdict()
    }
}

fn here(program: &Program, which: Which) -> Result<Outcome> {
    let tally = kernel_tests::run_here(program, which)?;
    let problems = tally.problems(&[Tier::Kernel]);
    Ok(Outcome { tally, problems })
}

/// Adds what a tier came to.
fn take(outcome: &mut Outcome, tier: Tier, of_tier: Result<Outcome>) {
    match of_tier {
        Ok(of_tier) => {
            outcome.tally.take(tier, &of_tier.tally);
            outcome.problems.extend(of_tier.problems);
        }
        Err(error) => outcome.problems.push(format!("the {tier} tier could not be run: {error:#}")),
    }
}
