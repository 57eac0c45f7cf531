//! `auditor run -- CMD`: starts a command and audits it from its first instruction.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context as _;

use super::audit::{self, Begin};
use super::exit::{CannotAttach, Exit};
use super::faces::{self, Colour, Shows};
use super::{described, plan_text};
use crate::audit::fact::Ended;
use crate::audit::report::Report;
use crate::cli::{self, Destination, Format};
use crate::output;
use crate::probes::host::Host;
use crate::session::inspect::{self, SetupError};
use crate::session::shell;
use crate::session::shell::Stop;
use crate::session::timed::timed;
use crate::target::launch::{self, Held, Running};

/// How often it is looked whether a command that exits has done so, and with what time between: a second.
const LOOKS: u32 = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Holds the command at its first instruction, attaches, and lets it run.
pub(super) fn run(request: &cli::Run, colour: Colour) -> anyhow::Result<Exit> {
    let audit = &request.audit;
    let (program, arguments) = request.command.split_first().context("no command was given")?;
    let stop = audit::stop()?;
    let mut held = launch::hold(program, arguments, output_of(audit)).context(CannotAttach)?;
    if audit.dry_run {
        let planned = plan(&mut held, audit);
        held.end();
        return planned;
    }
    let pid = held.pid();
    let Ran { report, status } = audited(held, audit, stop, || faces::prepare(audit, pid, colour))?;
    say_how_it_ended(status);
    Ok(audit::exit(&report, audit))
}

/// What came of a command that was audited.
pub(super) struct Ran {
    /// Its last report.
    pub(super) report: Report,
    /// How it ended; `None`: it runs on, or nobody knows.
    pub(super) status: Option<ExitStatus>,
}

/// Lets a command run that is held, and audits it until the end of one of both.
pub(super) fn audited(
    mut held: Held,
    request: &cli::Audit,
    stop: Stop,
    face: impl FnOnce() -> anyhow::Result<Box<dyn Shows>>,
) -> anyhow::Result<Ran> {
    shell::run(async {
        let host = timed("asking the kernel", Host::ask);
        wait_for_libraries(&mut held, request)?;
        let started = match audit::start_showing(held.pid(), request, Begin::Launched, &host, face) {
            Ok(started) => started,
            Err(error) => {
                held.end();
                return Err(error.context("the command was not run"));
            }
        };
        let mut running =
            held.release().context("the command ended before it began").context(CannotAttach)?;
        let report = audit::watch(started, request, stop).await?;
        let status = status(&mut running, report.window.ended);
        Ok(Ran { report, status })
    })?
}

/// Lets a command in which no hash map is known go on until the libraries that may hold one are there.
fn wait_for_libraries(held: &mut Held, request: &cli::Audit) -> anyhow::Result<()> {
    let choice = described::choice(&request.runtime, &request.symbols)?;
    if !matches!(inspect::open(held.pid(), &choice), Err(SetupError::NoRuntime { .. })) {
        return Ok(());
    }
    match held.go_to_entry() {
        Ok(()) => log::debug!("no hash map in the program itself: its libraries were waited for"),
        Err(reason) => log::warn!("the libraries of the command could not be waited for: {reason}"),
    }
    Ok(())
}

/// Its status. That it is about to end is heard before there is one.
fn status(running: &mut Running, ended: Option<Ended>) -> Option<ExitStatus> {
    let looks = if ended == Some(Ended::TargetExited) { LOOKS } else { 1 };
    for look in 1..=looks {
        match running.ended() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if look < looks => std::thread::sleep(BETWEEN_LOOKS),
            Ok(None) => {}
            Err(error) => log::debug!("the command's status: {error}"),
        }
    }
    None
}

fn plan(held: &mut Held, request: &cli::Audit) -> anyhow::Result<Exit> {
    wait_for_libraries(held, request)?;
    let options = audit::options(request, Begin::Launched)?;
    let inspected = inspect::inspect(held.pid(), &options, &Host::ask()).context(CannotAttach)?;
    output::print(&plan_text::plan(&inspected))?;
    Ok(Exit::Clean)
}

/// Our stdout is data: what the command prints goes there only when nothing of ours does.
pub(super) fn output_of(request: &cli::Audit) -> launch::Output {
    match (request.output.format, &request.output.to) {
        (Format::Live, _) => launch::Output::Nowhere,
        (_, Destination::Stdout) => launch::Output::ToStderr,
        (_, Destination::File(_)) => launch::Output::Inherited,
    }
}

fn say_how_it_ended(status: Option<ExitStatus>) {
    match status {
        Some(status) if !status.success() => log::info!("the command ended with {status}"),
        Some(_) => {}
        None => log::info!("the command runs on"),
    }
}
