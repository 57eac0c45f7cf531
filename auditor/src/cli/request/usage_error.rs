//! What cannot be asked for, and what to ask for instead.

use std::ffi::OsString;

/// Flags that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// One file for several processes.
    #[error(
        "{flag} {} would take {processes} processes into one file: put %p, the pid, into its name",
        file.display()
    )]
    OneFileForMany {
        /// Which flag.
        flag: &'static str,
        /// Its value.
        file: OsString,
        /// How many.
        processes: usize,
    },
    /// The report and the recording in one file.
    #[error("-o and --record both name {}: give each its own file", .0.display())]
    SameFile(OsString),
    /// Facts on standard output.
    #[error("--record needs a file: a recording is not for stdout")]
    RecordToStdout,
    /// A screen in a file.
    #[error("-f live is a screen and cannot go into a file: take -f text, json or ndjson with -o")]
    LiveToFile,
    /// A screen without a terminal.
    #[error("-f live needs a terminal and stdout is none: take -f text, json or ndjson")]
    LiveWithoutTerminal,
    /// Bytes on a terminal.
    #[error("-f {0} is not text and would garble the terminal: write it to a file with -o FILE")]
    BinaryToTerminal(&'static str),
    /// Several whole files, one after the other.
    #[error(
        "-f {format} of {processes} processes would run into each other on stdout: give each a file, -o FILE with %p in its name"
    )]
    OneOutputForMany {
        /// Which format.
        format: &'static str,
        /// How many.
        processes: usize,
    },
    /// Growths of one look.
    #[error(
        "-f folded shows growths, and one look sees none: take attach or run, or replay what they recorded"
    )]
    NoGrowths,
    /// Answers in a format of reports.
    #[error("whatif answers about one map, and -f {0} is of a whole report: take -f text, json or ndjson")]
    NotForAnswers(&'static str),
    /// One address for several processes.
    #[error("--writers ADDRESS is a map of one process, and -p names {0}")]
    WritersOfMany(usize),
    /// One address for all of a family.
    #[error("--writers ADDRESS is a map of one process, and --follow is for all that came of it")]
    WritersOfFamily,
    /// Thresholds for a report whose findings are made.
    #[error("--rules and --expect are for a command: what FILE holds was judged when it was seen")]
    JudgingOfFile,
    /// A part that ends before it begins.
    #[error("--to is not after --from: nothing lies between them")]
    NoTime,
    /// A place in time of something that has none.
    #[error("-t is where the live screen starts: leave -f and -o out, on a terminal")]
    TimeWithoutScreen,
    /// A screen for something that does not go on.
    #[error("{0} cannot draw the live screen: take -f text, json or ndjson")]
    NothingLive(&'static str),
}
