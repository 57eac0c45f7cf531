//! `cargo xtask vm`: the kernel tier on other kernels, each in a machine that qemu emulates.
//!
//! `kernels` says which there are, `fetch` gets one, `root` packs what the tests need, `machine` runs
//! it. Which tests run where is in `kernel_tests/selection.rs`.

mod archive;
mod fetch;
mod kernels;
mod machine;
mod root;

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::check::Outcome;
use crate::kernel_tests::selection::{self, Machine, Selection};
use crate::kernel_tests::{self, Program};
use crate::tiers::{Counts, Listener, Tally, Tier};
use crate::{build, say, workspace};
use kernels::{DEFAULT, KERNELS, Kernel};

/// Run the kernel tests on older and newer kernels, in qemu. Needs no root once qemu is there.
#[derive(Args, Debug)]
pub(crate) struct Vm {
    /// Only these kernels [default: all]
    #[arg(long, value_name = "NAME[,NAME]", value_delimiter = ',')]
    kernel: Vec<String>,
    /// Name the kernels and run nothing
    #[arg(long)]
    list: bool,
}

/// What happened on one kernel.
#[derive(Debug)]
struct Run {
    release: String,
    chosen: usize,
    tally: Tally,
}

impl Vm {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        if self.list {
            KERNELS.iter().map(listed).for_each(say::result);
            return Ok(());
        }
        let kernels = kernels::chosen(&self.kernel)?;
        build::release()?;
        let program = kernel_tests::build()?;
        let outcome = on(&kernels, &program)?;
        outcome.tally.summary(&[Tier::Vm]).iter().for_each(say::result);
        outcome.verdict()
    }
}

/// The tier as `cargo xtask test` runs it: one kernel.
pub(crate) fn tier(program: &Program) -> Result<Outcome> {
    on(&kernels::chosen(&[DEFAULT.to_owned()])?, program)
}

fn listed(kernel: &Kernel) -> String {
    let release = fetch::kept(&kernel.folder()).map_or("not here yet".to_owned(), |image| image.release);
    format!("{:<7} {:<19} {release:<25} {}", kernel.name, kernel.suite, kernel.why)
}

/// Runs the tests on each of these kernels. An error is that none could be.
fn on(kernels: &[&Kernel], program: &Program) -> Result<Outcome> {
    machine::ensure_qemu()?;
    let fixtures = workspace::target().join("vm").join("fixtures");
    kernel_tests::build_fixtures(program, &fixtures)?;
    let mut outcome = Outcome::default();
    for kernel in kernels {
        let began = Instant::now();
        match one(kernel, program) {
            Ok(run) => {
                let Counts { passed, failed } = run.tally.of(Tier::Vm);
                let (release, seconds) = (&run.release, began.elapsed().as_secs());
                say::note(format_args!("{release}: {passed} passed, {failed} failed, in {seconds} s"));
                outcome.problems.extend(run.problem());
                outcome.tally.take(Tier::Vm, &run.tally);
            }
            Err(error) => outcome.problems.push(format!("kernel {}: {error:#}", kernel.name)),
        }
    }
    outcome.problems.extend(outcome.tally.problems(&[Tier::Vm]));
    Ok(outcome)
}

/// Runs the tests on one kernel.
fn one(kernel: &Kernel, program: &Program) -> Result<Run> {
    let image = fetch::image(kernel)?;
    let release =
        selection::release(&image.release).with_context(|| format!("{:?} is no release", image.release))?;
    let selection = selection::select(&program.tests, release, Machine::Virtual)?;
    announce(&image.release, &selection);
    ensure!(!selection.chosen.is_empty(), "no test is for it");
    let (archive, fixtures) = (kernel.folder().join("root.cpio"), workspace::target().join("vm/fixtures"));
    let contents = root::Contents { program: &program.path, tests: &selection.chosen, fixtures: &fixtures };
    root::write(&contents, &archive)?;
    let mut listener = Listener::to(Tier::Vm);
    machine::run(&image, &archive, |line| {
        say::result(format_args!("{} | {line}", kernel.name));
        listener.see(line);
    })?;
    Ok(Run { release: image.release, chosen: selection.chosen.len(), tally: listener.finish() })
}

fn announce(release: &str, selection: &Selection) {
    say::note(format_args!("{release} in qemu: {} tests", selection.chosen.len()));
    selection.omissions().for_each(|line| say::note(format_args!("{release}: {line}")));
}

impl Run {
    /// Some of the tests that were chosen did not come to an end.
    fn problem(&self) -> Option<String> {
        let Counts { passed, failed } = self.tally.of(Tier::Vm);
        let (ran, chosen) = (passed + failed, self.chosen as u64);
        (ran != chosen).then(|| format!("{}: {ran} of {chosen} tests ran", self.release))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_was_chosen_and_did_not_run_is_a_problem() {
        let mut listener = Listener::to(Tier::Vm);
        listener.see("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out");
        let run = Run { release: "6.1".to_owned(), chosen: 3, tally: listener.finish() };
        assert_eq!(run.problem().as_deref(), Some("6.1: 2 of 3 tests ran"));
        assert_eq!(Run { chosen: 2, ..run }.problem(), None);
    }
}
