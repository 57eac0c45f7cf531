//! The exit status: a promise to scripts, kept in one place.

use std::io;
use std::process::ExitCode;

use crate::audit::gate::lacks;
use crate::audit::report::Report;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for was done.
    Clean = 0,
    /// Findings at or over the gate.
    Findings = 1,
    /// Bad usage, or a file that cannot be read or written.
    Usage = 2,
    /// Cannot attach, or no right to.
    CannotAttach = 3,
    /// The data are incomplete, and it was asked to mind.
    Incomplete = 4,
    /// A second Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// The status for an error that reached the top.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        let cannot = error.downcast_ref::<CannotAttach>().is_some();
        if cannot || error.downcast_ref::<CannotLook>().is_some() {
            return Self::CannotAttach;
        }
        if reader_is_gone(error) { Self::Clean } else { Self::Usage }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The whole chain in one line, outermost first. What a cause says is left out where the one before has
/// quoted it already.
#[must_use]
pub fn story(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

/// Marks an error as one of attaching: `.context(CannotAttach)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot attach")]
pub struct CannotAttach;

/// The same of one look, which attaches nothing: `.context(CannotLook)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot take a census")]
pub struct CannotLook;

/// What `--strict` minds: anything lost, a layout that failed its check, no end.
pub(super) fn is_incomplete(report: &Report) -> bool {
    !lacks(report).is_empty()
}

/// `head` and `less` leave before the end: that is their right and no error.
fn reader_is_gone(error: &anyhow::Error) -> bool {
    let broken = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_cause_that_was_quoted_is_not_told_again() {
        let error = io::Error::from_raw_os_error(2);
        let quoted = anyhow!("no such file").context("cannot start `x`: no such file").context(CannotAttach);
        assert_eq!(story(&quoted), "cannot attach: cannot start `x`: no such file");
        let plain = anyhow::Error::from(error).context("cannot open y");
        assert_eq!(story(&plain), "cannot open y: No such file or directory (os error 2)");
    }

    #[test]
    fn the_status_of_an_error_is_found_under_any_context() {
        let attach = anyhow!("no such process").context(CannotAttach).context("pid 4711");
        assert_eq!(Exit::of(&attach), Exit::CannotAttach);
        assert_eq!(format!("{attach:#}"), "pid 4711: cannot attach: no such process");
        assert_eq!(Exit::of(&anyhow!("no such process").context(CannotLook)), Exit::CannotAttach);
        let gone = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
        assert_eq!(Exit::of(&gone), Exit::Clean);
        assert_eq!(Exit::of(&anyhow!("anything else")), Exit::Usage);
    }
}
