//! One look at a family: a process, then each that came of it by fork. Which those are, `target/family.rs` knows.

use std::path::Path;

use super::inspect::{self, Opened, Options, SetupError};
use super::live::whole;
use super::one_look::{Journal, one};
use super::recognise::Model;
use crate::audit::fact::{Ended, Left, Lost, Member, Sight, What};
use crate::audit::report::Report;
use crate::audit::unit::Pid;
use crate::recording;
use crate::target::family::{self, Kin};
use crate::target::proc;
use crate::target::process::ProcessError;

/// Most members that are looked at.
pub(super) const MEMBERS: usize = 256;

/// Takes a census of a process and of all that came of it by fork and run its program, one after the other, and draws
/// the report of them as one target. Facts are kept in `recording`, if any.
///
/// # Errors
/// [`SetupError`], of the process that was asked for. What of another cannot be read is told in the report.
pub fn look(
    opened: Opened,
    options: &Options,
    recording: Option<recording::Writer>,
) -> Result<Report, SetupError> {
    let first = opened.process.clone();
    let pid = first.pid();
    let mut journal = Journal::new(recording);
    let asked = Member { pid, parent: None, comm: first.identity().comm.clone(), sight: Sight::Asked };
    let introduce = |journal: &mut Journal| journal.tell(What::Member(Box::new(asked)));
    let model = opened.model();
    one(opened, options, &mut journal, introduce)?;
    tell_shares(&mut journal, pid);
    let kin = family::descendants(Path::new(proc::ROOT), pid).unwrap_or_else(|error| {
        journal.tell(What::Note(format!("its children are not known: {error}")));
        Vec::new()
    });
    let (looked_at, beyond) = kin.split_at(kin.len().min(MEMBERS - 1));
    looked_at.iter().for_each(|kin| look_at(&mut journal, *kin, options, &model));
    journal.tell(What::Of(pid));
    if !beyond.is_empty() {
        let count = beyond.len() as u64;
        journal.tell(What::Lost(Lost { source: "members_beyond_limit".to_owned(), count }));
    }
    Ok(journal.end())
}

/// Looks at a member beside the first one.
fn look_at(journal: &mut Journal, kin: Kin, options: &Options, model: &Model) {
    let member = Member { pid: kin.pid, parent: Some(kin.parent), comm: comm(kin.pid), sight: Sight::Found };
    journal.tell(What::Member(Box::new(member)));
    let looked_at = inspect::open_beside(kin.pid, &options.runtimes, Some(model)).and_then(|opened| {
        let process = opened.process.clone();
        one(opened, options, journal, |_| {})?;
        Ok(process)
    });
    tell_shares(journal, kin.pid);
    match looked_at {
        Ok(process) if process.has_exited() => journal.tell(What::Left(Left::Exited)),
        Ok(_) => {}
        Err(error) if is_over(&error) => return journal.tell(What::Left(Left::Exited)),
        Err(error) => return journal.tell(What::Left(Left::Unread(whole(&error)))),
    }
    journal.tell(What::Ended(Ended::OneLook));
}

fn tell_shares(journal: &mut Journal, pid: Pid) {
    if let Some(shares) = family::shares(pid) {
        journal.tell(What::Shares(shares));
    }
}

/// The name of a process, or none where it has ended.
pub(super) fn comm(pid: Pid) -> String {
    let comm = proc::read(Path::new(proc::ROOT), pid, "comm").unwrap_or_default();
    comm.trim_end_matches('\n').to_owned()
}

/// Whether the process has ended.
pub(super) fn is_over(error: &SetupError) -> bool {
    let SetupError::Process(error) = error else { return matches!(error, SetupError::Ended { .. }) };
    matches!(
        error,
        ProcessError::NoSuchProcess { .. } | ProcessError::Gone { .. } | ProcessError::Zombie { .. }
    )
}
