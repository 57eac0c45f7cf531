//! One file per verb: the only place that wires modules together. Errors are told with their whole
//! story here and above, never below.

mod completions;
mod exit;
mod explain;
mod replay;
mod topics;

use std::io::Write as _;

use log::LevelFilter;

use crate::cli::{Console, Request, Verb, Verbosity};

pub use exit::{CannotAttach, Exit};

/// Does what was asked for.
///
/// # Errors
/// What went wrong, for people; [`Exit::of`] is the status that goes with it.
pub fn run(request: Request) -> anyhow::Result<Exit> {
    log_to_stderr(request.console);
    match request.verb {
        Verb::Replay(replay) => replay::run(&replay, request.console),
        Verb::Explain(explain) => explain::run(&explain),
        Verb::Completions(shell) => completions::run(shell),
        Verb::Attach(_) | Verb::Run(_) | Verb::Doctor(_) => anyhow::bail!("not built in"),
    }
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
