//! What a recording is wanted for: a report, or the screen.

use std::path::PathBuf;
use std::time::Duration;

use super::output::check_live;
use super::{Judging, Output, UsageError};
use crate::cli::Stdout;
use crate::cli::args::{self, Format};

/// Draw the report of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The recording.
    pub file: PathBuf,
    /// Where the report goes and how it looks; [`Format::Live`] is the screen.
    pub output: Output,
    /// Where the screen starts, since the beginning of the recording; `None`: there.
    pub at: Option<Duration>,
    /// Where the part begins that is looked at, since the beginning; `None`: there.
    pub from: Option<Duration>,
    /// Where it ends, since the beginning; `None`: at the end.
    pub to: Option<Duration>,
    /// Which maps are shown, as it was typed; none: all.
    pub filter: Vec<String>,
    /// Maps that the text lists.
    pub rows: usize,
    /// By what the findings are judged; a file of its own takes the place of what the recording has.
    pub judging: Judging,
    /// Exit with 4 on incomplete data.
    pub strict: bool,
}

impl Replay {
    pub(super) fn new(args: args::Replay, stdout: Stdout) -> Result<Self, UsageError> {
        let default = match (stdout, &args.output.output) {
            (Stdout::Terminal, None) => Format::Live,
            _ => Format::Text,
        };
        let output = Output::new(args.format.unwrap_or(default), args.output).shown_on(stdout)?;
        match output.format {
            Format::Live => check_live(&output.to, stdout)?,
            _ if args.time.is_some() => return Err(UsageError::TimeWithoutScreen),
            _ => {}
        }
        if args.to.is_some_and(|to| to <= args.from.unwrap_or_default()) {
            return Err(UsageError::NoTime);
        }
        let (from, to, filter) = (args.from, args.to, args.filter);
        let (rows, judging) = (args.rows.top as usize, args.judging.into());
        Ok(Self {
            file: args.file,
            output,
            at: args.time,
            from,
            to,
            filter,
            rows,
            judging,
            strict: args.strict,
        })
    }
}
