//! `auditor attach`: audits running processes, side by side.

use anyhow::Context as _;

use super::audit::{self, Begin, Started};
use super::exit::{self, CannotAttach, Exit};
use super::faces::Colour;
use super::{plan_text, targets};
use crate::audit::unit::Pid;
use crate::cli::{self, Format};
use crate::output;
use crate::probes::host::Host;
use crate::session::shell::{self, Task};
use crate::session::timed::timed;
use crate::session::{burst, inspect};

/// Audits until they end, the user says so, or the time is over.
pub(super) fn run(request: cli::Attach, colour: Colour) -> anyhow::Result<Exit> {
    let mut pids = targets::pids(&request.targets).context(CannotAttach)?;
    let mut audit = request.audit;
    if audit.follow {
        pids = targets::heads(pids);
    }
    audit.check_files(pids.len())?;
    if pids.len() > 1 && audit.output.format == Format::Live {
        log::info!("the live screen shows one process; for {} it is -f text", pids.len());
        audit.output.format = Format::Text;
    }
    if audit.dry_run { plans(&pids, &audit) } else { watch(&pids, &audit, colour) }
}

fn plans(pids: &[Pid], request: &cli::Audit) -> anyhow::Result<Exit> {
    let host = Host::ask();
    let options = audit::options(request, Begin::Attached)?;
    for pid in pids {
        let inspected = inspect::inspect(*pid, &options, &host).context(CannotAttach)?;
        output::print(&plan_text::plan(&inspected))?;
        if let Some(asked) = options.writers {
            output::print(&format!("  {}\n", burst::price(asked, &inspected.burst)))?;
        }
    }
    Ok(Exit::Clean)
}

fn watch(pids: &[Pid], request: &cli::Audit, colour: Colour) -> anyhow::Result<Exit> {
    let stop = audit::stop()?;
    shell::run(async {
        let (started, failed) = start_all(pids, request, colour)?;
        let audits = started.into_iter().map(|started| {
            let (request, stop) = (request.clone(), stop.clone());
            let work: Task<_> = Box::pin(async move {
                let report = audit::watch(started, &request, stop).await?;
                anyhow::Ok(audit::exit(&report, &request))
            });
            work
        });
        let mut exit = failed;
        for ended in shell::together(audits.collect()).await {
            let ended = ended.context("an audit broke down")??;
            exit = if exit == Exit::Clean { ended } else { exit };
        }
        Ok(exit)
    })?
}

/// Those that can be audited are, whatever becomes of the others; the status tells that there were
/// others.
fn start_all(pids: &[Pid], request: &cli::Audit, colour: Colour) -> anyhow::Result<(Vec<Started>, Exit)> {
    let host = timed("asking the kernel", Host::ask);
    let mut started = Vec::new();
    let mut last = None;
    for pid in pids {
        match audit::start(*pid, request, Begin::Attached, colour, &host) {
            Ok(one) => started.push(one),
            Err(error) => {
                if let Some(error) = last.replace(error) {
                    log::error!("{}", exit::story(&error));
                }
            }
        }
    }
    match last {
        Some(error) if started.is_empty() => Err(error),
        Some(error) => {
            log::error!("{}; the others are audited", exit::story(&error));
            Ok((started, Exit::CannotAttach))
        }
        None => Ok((started, Exit::Clean)),
    }
}
