//! Which tests belong to which tier, and how many of them ran, read from what `cargo test` prints.
//!
//! | tier | tests |
//! |---|---|
//! | pure | beside the code, in documentation, and `tests/architecture.rs` |
//! | golden | every other file in a `tests/` folder |
//! | kernel | `tests/kernel/`: needs root, so ignored unless asked for |
//! | vm | the same, on another kernel |
//!
//! A tier in which nothing ran has not passed.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{process, say};

/// A tier of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// Nothing but code.
    Pure,
    /// Files in, files out.
    Golden,
    /// Real probes in this kernel.
    Kernel,
    /// The same in other kernels.
    Vm,
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Tier {
    fn name(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Golden => "golden",
            Self::Kernel => "kernel",
            Self::Vm => "vm",
        }
    }
}

/// How many tests ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Passed.
    pub(crate) passed: u64,
    /// Failed, or started and never came to an end.
    pub(crate) failed: u64,
}

/// Counts by tier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally(BTreeMap<Tier, Counts>);

/// Listens to `cargo test`, or to one test program, line by line.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    tally: Tally,
    /// Whose tests are running.
    tier: Option<Tier>,
}

/// Runs `cargo test` with these arguments and counts; the output is ours too. Tests that fail are in
/// the count; an error is that they could not be run.
pub(crate) fn run(command: &mut Command) -> Result<Tally> {
    listen(Listener::default(), command)
}

/// Runs one test program, as [`run`] does all.
pub(crate) fn run_program(tier: Tier, command: &mut Command) -> Result<Tally> {
    listen(Listener::to(tier), command)
}

fn listen(mut listener: Listener, command: &mut Command) -> Result<Tally> {
    let status = process::watched(command, |line| {
        say::result(line);
        listener.see(line);
    })?;
    let tally = listener.finish();
    if !status.success() && tally.total().failed == 0 {
        bail!("{} ended with {status}", process::shown(command));
    }
    Ok(tally)
}

impl Listener {
    /// Listens to one program, whose tests are of that tier.
    pub(crate) fn to(tier: Tier) -> Self {
        Self { tier: Some(tier), ..Self::default() }
    }

    /// One line of what it says.
    pub(crate) fn see(&mut self, line: &str) {
        if let Some(running) = started(line) {
            self.fail_the_unfinished();
            self.tier = Some(tier_of(running));
        } else if let Some(result) = line.strip_prefix("test result: ")
            && let Some(counts) = counts(result)
            && let Some(tier) = self.tier.take()
        {
            self.tally.add(tier, counts);
        }
    }

    /// A test program that ended without a result has crashed.
    fn fail_the_unfinished(&mut self) {
        if let Some(tier) = self.tier.take() {
            self.tally.add(tier, Counts { passed: 0, failed: 1 });
        }
    }

    /// What all that was said comes to.
    pub(crate) fn finish(mut self) -> Tally {
        self.fail_the_unfinished();
        self.tally
    }
}

/// What cargo says that it is running: its words end in column 12, which a test's hardly ever do.
fn started(line: &str) -> Option<&str> {
    line.strip_prefix("     Running ").or(line.strip_prefix("   Doc-tests "))
}

/// The tier of what cargo says it is running: `unittests src/lib.rs (...)`, `tests/replay.rs (...)`.
fn tier_of(running: &str) -> Tier {
    match running.split_whitespace().next() {
        Some(file) if file.starts_with("tests/kernel") => Tier::Kernel,
        Some(file) if file.starts_with("tests/architecture") => Tier::Pure,
        Some(file) if file.starts_with("tests/") => Tier::Golden,
        _ => Tier::Pure,
    }
}

/// The counts in `ok. 7 passed; 1 failed; 0 ignored; ...`.
fn counts(result: &str) -> Option<Counts> {
    let number = |what: &str| {
        let before = result.split(what).next().filter(|before| before.len() < result.len())?;
        before.trim_end().rsplit(' ').next()?.parse().ok()
    };
    Some(Counts { passed: number("passed")?, failed: number("failed")? })
}

impl Tally {
    fn add(&mut self, tier: Tier, counts: Counts) {
        let sum = self.0.entry(tier).or_default();
        sum.passed += counts.passed;
        sum.failed += counts.failed;
    }

    /// Takes in the counts of one tier from another run.
    pub(crate) fn take(&mut self, tier: Tier, other: &Self) {
        self.add(tier, other.of(tier));
    }

    /// The counts of one tier.
    pub(crate) fn of(&self, tier: Tier) -> Counts {
        self.0.get(&tier).copied().unwrap_or_default()
    }

    fn total(&self) -> Counts {
        self.0.values().fold(Counts::default(), |sum, counts| Counts {
            passed: sum.passed + counts.passed,
            failed: sum.failed + counts.failed,
        })
    }

    /// What is wrong with each of these tiers, if anything.
    pub(crate) fn problems(&self, tiers: &[Tier]) -> Vec<String> {
        let problem = |tier: &Tier| match self.of(*tier) {
            Counts { failed: 1.., .. } => Some(format!("the {} tier failed", tier.name())),
            Counts { passed: 0, .. } => Some(format!("the {} tier ran no test", tier.name())),
            Counts { .. } => None,
        };
        tiers.iter().filter_map(problem).collect()
    }

    /// A line a tier, then the sum alone.
    pub(crate) fn summary(&self, tiers: &[Tier]) -> Vec<String> {
        let line = |tier: &Tier| {
            let Counts { passed, failed } = self.of(*tier);
            format!("{:<7} {passed:>5} passed  {failed:>3} failed", tier.name())
        };
        let Counts { passed, failed } = self.total();
        let sum = format!("{passed} passed, {failed} failed");
        tiers.iter().map(line).chain([sum]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
     Running unittests src/lib.rs (target/debug/deps/auditor-1)
test audit::ledger::tests::balances ... ok
test result: ok. 41 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.10s
     Running tests/architecture.rs (target/debug/deps/architecture-1)
test result: ok. 9 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
     Running tests/kernel/main.rs (target/debug/deps/kernel-1)
test result: ok. 0 passed; 0 failed; 5 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/replay.rs (target/debug/deps/replay-1)
test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests auditor
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn read(output: &str) -> Tally {
        let mut listener = Listener::default();
        output.lines().for_each(|line| listener.see(line));
        listener.finish()
    }

    #[test]
    fn each_result_counts_for_its_tier() {
        let tally = read(OUTPUT);
        assert_eq!(tally.of(Tier::Pure), Counts { passed: 50, failed: 0 });
        assert_eq!(tally.of(Tier::Golden), Counts { passed: 3, failed: 1 });
        assert_eq!(
            tally.summary(&[Tier::Pure, Tier::Golden]),
            ["pure       50 passed    0 failed", "golden      3 passed    1 failed", "53 passed, 1 failed"]
        );
    }

    #[test]
    fn a_tier_that_failed_or_ran_nothing_is_a_problem() {
        let tally = read(OUTPUT);
        assert_eq!(
            tally.problems(&[Tier::Pure, Tier::Golden, Tier::Kernel]),
            ["the golden tier failed", "the kernel tier ran no test"]
        );
        assert_eq!(read("").problems(&[Tier::Pure]), ["the pure tier ran no test"]);
    }

    #[test]
    fn a_test_program_that_crashed_has_failed() {
        let crashed = "     Running tests/replay.rs (x)\ntest one ... ok\nerror: test failed (signal: 11)\n";
        assert_eq!(read(crashed).of(Tier::Golden), Counts { passed: 0, failed: 1 });
    }

    #[test]
    fn one_program_alone_counts_for_the_tier_it_is_run_for() {
        let mut listener = Listener::to(Tier::Vm);
        listener.see("test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 20 filtered out");
        assert_eq!(listener.finish().of(Tier::Vm), Counts { passed: 7, failed: 0 });
        assert_eq!(Listener::to(Tier::Vm).finish().of(Tier::Vm), Counts { passed: 0, failed: 1 });
    }

    #[test]
    fn a_line_that_a_test_prints_is_no_result() {
        assert_eq!(counts("none of your business"), None);
        assert_eq!(read("test result: ok. 7 passed; 0 failed; 0 ignored\n"), Tally::default());
        assert_eq!(read("Running tests/replay.rs (x)\n"), Tally::default());
    }
}
