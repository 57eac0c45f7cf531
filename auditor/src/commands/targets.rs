//! Which processes were meant.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, anyhow};

use crate::audit::unit::Pid;
use crate::cli::Targets;
use crate::target::process::find_by_name;
use crate::target::{family, proc};

/// The numbers that were given, or those of the processes of that name.
///
/// # Errors
/// When there is no such process, or /proc cannot be listed.
pub(super) fn pids(targets: &Targets) -> anyhow::Result<Vec<Pid>> {
    let name = match targets {
        Targets::Pids(pids) => return Ok(pids.clone()),
        Targets::Name(name) => name,
    };
    let found = find_by_name(name).context("looking for processes")?;
    if found.is_empty() {
        return Err(anyhow!("no process is called {name:?}: `ps -e` lists the names"));
    }
    Ok(found)
}

/// Those that are of no other's family: the rest is looked at with it.
pub(super) fn heads(pids: Vec<Pid>) -> Vec<Pid> {
    let of_others: BTreeSet<Pid> = pids
        .iter()
        // One that cannot be looked at is told so when it is its turn.
        .filter_map(|pid| family::descendants(Path::new(proc::ROOT), *pid).ok())
        .flatten()
        .map(|kin| kin.pid)
        .collect();
    pids.into_iter().filter(|pid| !of_others.contains(pid)).collect()
}
