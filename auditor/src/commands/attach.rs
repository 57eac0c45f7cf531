//! `auditor attach`: audits running processes, side by side.

use anyhow::{Context as _, anyhow, bail};
use tokio::task::LocalSet;

use super::audit::{self, Begin};
use super::exit::{CannotAttach, Exit};
use super::faces::Colour;
use super::plan_text;
use crate::audit::unit::Pid;
use crate::cli::{self, Format, Targets};
use crate::output;
use crate::probes::host::Host;
use crate::session::setup;
use crate::session::timed::timed;
use crate::target::process::find_by_name;

/// Audits until they end, the user says so, or the time is over.
pub(super) fn run(request: cli::Attach, colour: Colour) -> anyhow::Result<Exit> {
    let pids = pids(&request.targets)?;
    let mut audit = request.audit;
    audit.check_files(pids.len())?;
    if pids.len() > 1 && audit.output.format == Format::Live {
        log::info!("the live screen shows one process; for {} it is -f text", pids.len());
        audit.output.format = Format::Text;
    }
    if audit.dry_run { plans(&pids, &audit) } else { watch(&pids, &audit, colour) }
}

fn pids(targets: &Targets) -> anyhow::Result<Vec<Pid>> {
    let name = match targets {
        Targets::Pids(pids) => return Ok(pids.clone()),
        Targets::Name(name) => name,
    };
    let found = find_by_name(name).context("looking for processes")?;
    if found.is_empty() {
        return Err(anyhow!("no process is called {name:?}: `ps -e` lists the names")).context(CannotAttach);
    }
    Ok(found)
}

fn plans(pids: &[Pid], request: &cli::Audit) -> anyhow::Result<Exit> {
    let host = Host::ask();
    let options = audit::options(request, Begin::Attached, None);
    for pid in pids {
        let inspected = setup::inspect(*pid, &options, &host).context(CannotAttach)?;
        output::print(&plan_text::plan(&inspected))?;
    }
    Ok(Exit::Clean)
}

fn watch(pids: &[Pid], request: &cli::Audit, colour: Colour) -> anyhow::Result<Exit> {
    let stop = audit::stop()?;
    let host = timed("asking the kernel", Host::ask);
    let tasks = LocalSet::new();
    audit::runtime()?.block_on(tasks.run_until(async {
        let mut exit = Exit::Clean;
        let mut watched = Vec::new();
        for pid in pids {
            let options = audit::options(request, Begin::Attached, audit::record_path(request, *pid));
            match audit::start(*pid, &options, &host) {
                Ok(live) => {
                    let (request, stop) = (request.clone(), stop.clone());
                    watched.push(tokio::task::spawn_local(async move {
                        let report = audit::watch(live, &request, colour, stop).await?;
                        anyhow::Ok(audit::exit(&report, &request))
                    }));
                }
                Err(error) if pids.len() == 1 => return Err(error),
                Err(error) => {
                    log::error!("{error:#}; the others are audited");
                    exit = Exit::CannotAttach;
                }
            }
        }
        if watched.is_empty() {
            bail!(CannotAttach);
        }
        for task in watched {
            let ended = task.await.context("an audit broke down")??;
            exit = if exit == Exit::Clean { ended } else { exit };
        }
        Ok(exit)
    }))
}
