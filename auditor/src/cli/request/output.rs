//! Where the report and the facts go, and which files do not fit together.

use std::ffi::OsStr;

use super::UsageError;
use crate::cli::Stdout;
use crate::cli::args::{self, Format};
use crate::cli::pattern::Pattern;
use crate::render::Kind;

/// Where the report goes and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it looks. [`Format::Live`] only where standard output is a terminal and takes it.
    pub format: Format,
    /// Where it goes.
    pub to: Destination,
    /// What becomes of files that exist: those of the report and of the recording.
    pub existing: Overwrite,
}

/// Where the report goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file for each target.
    File(Pattern),
}

/// What becomes of a file that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// It stays, and that is an error.
    Refuse,
    /// It is replaced.
    Replace,
}

impl Output {
    /// Of a verb that has nothing to follow on a screen.
    pub(super) fn ended(
        format: Option<Format>,
        args: args::Output,
        verb: &'static str,
        stdout: Stdout,
    ) -> Result<Self, UsageError> {
        match format.unwrap_or(Format::Text) {
            Format::Live => Err(UsageError::NothingLive(verb)),
            format => Self::new(format, args).shown_on(stdout),
        }
    }

    /// As it was typed.
    pub(super) fn new(format: Format, args: args::Output) -> Self {
        let to = match args.output {
            Some(file) if !file.is_stdout() => Destination::File(file),
            _ => Destination::Stdout,
        };
        let existing = if args.force { Overwrite::Replace } else { Overwrite::Refuse };
        Self { format, to, existing }
    }

    /// Bytes that are no text are not for a terminal.
    pub(super) fn shown_on(self, stdout: Stdout) -> Result<Self, UsageError> {
        match (self.format.row(), &self.to, stdout) {
            (Some(row), Destination::Stdout, Stdout::Terminal) if row.kind == Kind::Binary => {
                Err(UsageError::BinaryToTerminal(row.name))
            }
            _ => Ok(self),
        }
    }
}

/// Whether a screen can be drawn there.
pub(super) fn check_live(to: &Destination, stdout: Stdout) -> Result<(), UsageError> {
    match (to, stdout) {
        (Destination::File(_), _) => Err(UsageError::LiveToFile),
        (Destination::Stdout, Stdout::Other) => Err(UsageError::LiveWithoutTerminal),
        (Destination::Stdout, Stdout::Terminal) => Ok(()),
    }
}

/// Whether that many processes can be told apart in the files that were named, and whether what is written
/// about them can follow each other.
pub(super) fn check_files(
    output: &Output,
    record: Option<&Pattern>,
    processes: usize,
) -> Result<(), UsageError> {
    let report = match &output.to {
        Destination::File(file) => Some(("-o", file)),
        Destination::Stdout => None,
    };
    if let (None, Some(row)) = (report, output.format.row())
        && processes > 1
        && row.kind != Kind::Stream
    {
        return Err(UsageError::OneOutputForMany { format: row.name, processes });
    }
    for (flag, file) in report.into_iter().chain(record.map(|file| ("--record", file))) {
        if processes > 1 && !file.tells_pids_apart() {
            let file = AsRef::<OsStr>::as_ref(file).to_owned();
            return Err(UsageError::OneFileForMany { flag, file, processes });
        }
    }
    Ok(())
}

/// Whether facts can go there.
pub(super) fn check_record(record: &Pattern, to: &Destination) -> Result<(), UsageError> {
    match to {
        _ if record.is_stdout() => Err(UsageError::RecordToStdout),
        Destination::File(report) if report == record => {
            Err(UsageError::SameFile(AsRef::<OsStr>::as_ref(report).to_owned()))
        }
        _ => Ok(()),
    }
}
