//! Which processes were meant.

use anyhow::{Context as _, anyhow};

use crate::audit::unit::Pid;
use crate::cli::Targets;
use crate::target::process::find_by_name;

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
