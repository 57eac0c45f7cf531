//! Everything that is done to this repository, one verb a file. Nothing of the program lives here.
mod agreement;
mod bench;
mod build;
mod check;
mod demo;
mod kernel_tests;
mod process;
mod say;
mod setup;
mod shots;
mod test;
mod tiers;
mod toolchain;
mod vm;
mod workspace;

use clap::Parser;
use std::process::ExitCode;

/// What is done to this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Verb {
    Setup(setup::Setup),
    Build(build::Build),
    Check(check::Check),
    Test(test::Test),
    Vm(vm::Vm),
    Demo(demo::Demo),
    Bench(bench::Bench),
    Shots(shots::Shots),
}

fn main() -> ExitCode {
    let outcome = match Verb::parse() {
        Verb::Setup(verb) => verb.run(),
        Verb::Build(verb) => verb.run(),
        Verb::Check(verb) => verb.run(),
        Verb::Test(verb) => verb.run(),
        Verb::Vm(verb) => verb.run(),
        Verb::Demo(verb) => verb.run(),
        Verb::Bench(verb) => verb.run(),
        Verb::Shots(verb) => verb.run(),
    };
    say::outcome(&outcome)
}
