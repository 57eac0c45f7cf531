//! `auditor run -- CMD`: starts a command and audits it from its first instruction.

use std::process::ExitStatus;

use anyhow::Context as _;

use super::audit::{self, Begin};
use super::exit::{CannotAttach, Exit};
use super::faces::Colour;
use super::plan_text;
use crate::cli::{self, Destination, Format};
use crate::output;
use crate::probes::host::Host;
use crate::session::timed::timed;
use crate::session::{inspect, shell};
use crate::target::launch::{self, Held, Running};

/// Holds the command at its first instruction, attaches, and lets it run.
pub(super) fn run(request: &cli::Run, colour: Colour) -> anyhow::Result<Exit> {
    let audit = &request.audit;
    let (program, arguments) = request.command.split_first().context("no command was given")?;
    let stop = audit::stop()?;
    let mut held = launch::hold(program, arguments, output_of(audit)).context(CannotAttach)?;
    if audit.dry_run {
        let planned = plan(&held, audit);
        held.end();
        return planned;
    }
    shell::run(async {
        let started = match audit::start(
            held.pid(),
            audit,
            Begin::Launched,
            colour,
            &timed("asking the kernel", Host::ask),
        ) {
            Ok(started) => started,
            Err(error) => {
                held.end();
                return Err(error.context("the command was not run"));
            }
        };
        let mut running =
            held.release().context("the command ended before it began").context(CannotAttach)?;
        let report = audit::watch(started, audit, stop).await?;
        say_how_it_ended(&mut running);
        Ok(audit::exit(&report, audit))
    })?
}

fn plan(held: &Held, request: &cli::Audit) -> anyhow::Result<Exit> {
    let options = audit::options(request, Begin::Launched)?;
    let inspected = inspect::inspect(held.pid(), &options, &Host::ask()).context(CannotAttach)?;
    output::print(&plan_text::plan(&inspected))?;
    Ok(Exit::Clean)
}

/// Our stdout is data: what the command prints goes there only when nothing of ours does.
fn output_of(request: &cli::Audit) -> launch::Output {
    match (request.output.format, &request.output.to) {
        (Format::Live, _) => launch::Output::Nowhere,
        (_, Destination::Stdout) => launch::Output::ToStderr,
        (_, Destination::File(_)) => launch::Output::Inherited,
    }
}

fn say_how_it_ended(running: &mut Running) {
    match running.ended() {
        Ok(Some(status)) if !status.success() => log::info!("the command ended with {}", shown(status)),
        Ok(Some(_)) => {}
        Ok(None) => log::info!("the command runs on"),
        Err(error) => log::debug!("the command's status: {error}"),
    }
}

fn shown(status: ExitStatus) -> String {
    status.to_string()
}
