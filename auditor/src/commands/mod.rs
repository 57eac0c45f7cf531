//! One file per verb: the only place that wires modules together. Errors are told with their whole
//! story here and above, never below.

mod attach;
mod audit;
mod census;
mod check;
mod completions;
mod described;
mod diff;
mod doctor;
mod exit;
mod explain;
mod faces;
mod family_words;
mod gate_words;
mod man;
mod map_words;
mod plan_text;
mod player;
mod profile;
mod recording_words;
mod recordings;
mod replay;
mod report_file;
mod rules;
mod run;
mod snapshot;
mod tape;
mod targets;
mod topics;
mod verdicts;
mod whatif;

use std::io::Write as _;

use anyhow::Context as _;
use log::LevelFilter;

use crate::cli::{Console, Format, Request, Verb, Verbosity};
use crate::render;

pub use exit::{CannotAttach, CannotLook, Exit, story};
use faces::Colour;

/// Does what was asked for.
///
/// # Errors
/// What went wrong, for people; [`Exit::of`] is the status that goes with it.
pub fn run(request: Request) -> anyhow::Result<Exit> {
    log_to_stderr(request.console);
    let colour = Colour::of(request.console);
    match request.verb {
        Verb::Replay(replay) => replay::run(&replay, request.console),
        Verb::Profiles => profile::list(),
        Verb::Profile(asked) => profile::run(&asked),
        Verb::Explain(explain) => explain::run(&explain),
        Verb::Completions(shell) => completions::run(shell),
        Verb::Man(verb) => man::run(verb.as_deref()),
        Verb::Attach(attach) => attach::run(attach, colour),
        Verb::Run(run) => run::run(&run, colour),
        Verb::Census(census) => census::run(&census, colour),
        Verb::WhatIf(whatif) => whatif::run(&whatif, colour),
        Verb::Diff(diff) => diff::run(&diff, colour),
        Verb::Check(check) => check::run(&check, colour),
        Verb::Doctor(doctor) => doctor::run(&doctor),
    }
}

/// The format of a report that is not followed by others.
fn render_format(format: Format) -> anyhow::Result<render::Format> {
    format.written().context("there is nothing to follow on a live screen")
}

/// Progress and warnings are lines for people: `auditor: warning: ...`. Other crates only speak up
/// with `-v`.
fn log_to_stderr(console: Console) {
    let (own, others) = match console.verbosity {
        Verbosity::Quiet => (LevelFilter::Error, LevelFilter::Off),
        Verbosity::Normal => (LevelFilter::Info, LevelFilter::Off),
        Verbosity::Verbose => (LevelFilter::Debug, LevelFilter::Warn),
        Verbosity::Debug => (LevelFilter::Trace, LevelFilter::Debug),
    };
    let started = env_logger::Builder::new()
        .filter_level(others)
        .filter_module("auditor", own)
        .format(|line, record| match record.level() {
            log::Level::Warn => writeln!(line, "auditor: warning: {}", record.args()),
            _ => writeln!(line, "auditor: {}", record.args()),
        })
        .try_init();
    if started.is_err() {
        log::debug!("somebody else has set up logging");
    }
}
