//! What was asked for, checked as a whole. Nothing here does anything.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap_complete::Shell;

use super::args::{self, Args, Evacuation, Format};
use super::pattern::Pattern;
use super::{Stdout, Surroundings};
use crate::audit::unit::{Address, Bytes, Pid};

mod asking;
mod check;
mod diff;
mod judging;
mod output;
mod replay;
mod usage_error;
mod whatif;

pub use asking::{Doctor, Explain, Profile};
pub use check::{Check, Judgeable};
pub use diff::Diff;
pub use judging::Judging;
pub use output::{Destination, Output, Overwrite};
use output::{check_files, check_live, check_record};
pub use replay::Replay;
pub use usage_error::UsageError;
pub use whatif::{Source, WhatIf};

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What to do.
    pub verb: Verb,
    /// How to talk about it.
    pub console: Console,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// Audit running processes.
    Attach(Attach),
    /// Start a command and audit it.
    Run(Run),
    /// Look at running processes once.
    Census(Census),
    /// Draw the report of a recording.
    Replay(Replay),
    /// Ask what would become of one map.
    WhatIf(WhatIf),
    /// Tell two reports apart.
    Diff(Diff),
    /// Judge a report by gates.
    Check(Check),
    /// Say what is possible here.
    Doctor(Doctor),
    /// List the hash maps that are known.
    Profiles,
    /// Something about a description.
    Profile(Profile),
    /// Say what a word means.
    Explain(Explain),
    /// Print completions for a shell.
    Completions(Shell),
    /// Print a manual page; `None`: of all.
    Man(Option<String>),
}

/// How to talk on stderr and in colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Console {
    /// How much to say on stderr.
    pub verbosity: Verbosity,
    /// Whether colour is welcome where a terminal can show it.
    pub color: bool,
}

/// How much to say on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors.
    Quiet,
    /// Also warnings and progress.
    Normal,
    /// Also what was decided and why.
    Verbose,
    /// Everything.
    Debug,
}

/// Audit running processes.
#[derive(Clone, Debug, PartialEq)]
pub struct Attach {
    /// Which.
    pub targets: Targets,
    /// How.
    pub audit: Audit,
}

/// Which processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// These, each once, in the order in which they were given.
    Pids(Vec<Pid>),
    /// All of that name. Once it is known which those are, [`Audit::check_files`] has to be asked.
    Name(String),
}

/// Start a command and audit it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The program and its arguments; never empty.
    pub command: Vec<OsString>,
    /// How.
    pub audit: Audit,
}

/// How to audit.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// When to end by itself.
    pub duration: Option<Duration>,
    /// Between two ticks.
    pub interval: Duration,
    /// Where the report goes and how it looks.
    pub output: Output,
    /// Where the facts go.
    pub record: Option<Pattern>,
    /// Which of them: the last ones only, and when; `None`: all, as they come.
    pub ring: Option<Ring>,
    /// Which runtimes to look for.
    pub runtime: RuntimeChoice,
    /// Files with names that files of the target were stripped of.
    pub symbols: Vec<PathBuf>,
    /// Whether what comes of each process by fork is followed, too, as one target.
    pub follow: bool,
    /// How moved buckets are counted.
    pub evacuation: Evacuation,
    /// What the probes may take from the target.
    pub budget: Budget,
    /// Maps that stay below are folded into populations.
    pub min_bytes: Bytes,
    /// Smallest change of RSS that is reported; fits the kernel side's u32.
    pub rss_step: Bytes,
    /// By what the findings are judged.
    pub judging: Judging,
    /// Show the plan and attach nothing.
    pub dry_run: bool,
    /// Exit with 4 on incomplete data.
    pub strict: bool,
    /// Kernel features to do without, for tests.
    pub without_features: Vec<String>,
    /// Whose writers are looked at, and for how long.
    pub writers: Option<(Address, Duration)>,
}

/// A flight recorder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// How far back it goes.
    pub window: Duration,
    /// When it writes, as it was typed; none: at the end.
    pub triggers: Vec<String>,
}

/// Which runtimes to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeChoice {
    /// All that are known.
    Auto,
    /// These: names, or files that describe one, which end in `.toml`. Whether a name is known is for whoever has
    /// the table of runtimes to say.
    Named(Vec<String>),
}

/// A share of CPU time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(u32);

impl Budget {
    /// `percent` is within 0 and 100.
    pub(super) fn from_percent(percent: f64) -> Self {
        Self((percent * 10_000.0).round() as u32)
    }

    /// In millionths: 1 % is 10 000.
    #[must_use]
    pub fn parts_per_million(self) -> u32 {
        self.0
    }
}

/// Look at running processes once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// Which.
    pub targets: Targets,
    /// Whether what came of each by fork is looked at, too, as one target.
    pub follow: bool,
    /// Where the report goes and how it looks; never [`Format::Live`].
    pub output: Output,
    /// Maps that the text lists.
    pub rows: usize,
    /// Where the facts go.
    pub record: Option<Pattern>,
    /// Which runtimes to look for.
    pub runtime: RuntimeChoice,
    /// Files with names that files of the target were stripped of.
    pub symbols: Vec<PathBuf>,
    /// Maps that stay below are folded into populations.
    pub min_bytes: Bytes,
    /// By what the findings are judged.
    pub judging: Judging,
    /// Exit with 4 on incomplete data.
    pub strict: bool,
}

impl Request {
    pub(super) fn new(args: Args, around: Surroundings) -> Result<Self, UsageError> {
        let verb = match args.verb {
            args::Verb::Attach(attach) => Verb::Attach(Attach::new(attach, around.stdout)?),
            args::Verb::Run(run) => {
                Verb::Run(Run { command: run.command, audit: Audit::new(run.audit, around.stdout)? })
            }
            args::Verb::Census(census) => Verb::Census(Census::new(census, around.stdout)?),
            args::Verb::Replay(replay) => Verb::Replay(Replay::new(replay, around.stdout)?),
            args::Verb::WhatIf(whatif) => Verb::WhatIf(WhatIf::new(whatif, around.stdout)?),
            args::Verb::Diff(diff) => Verb::Diff(Diff::new(diff)),
            args::Verb::Check(check) => Verb::Check(Check::new(*check)?),
            args::Verb::Doctor(doctor) => Verb::Doctor(Doctor { pid: doctor.pid }),
            args::Verb::Profiles => Verb::Profiles,
            args::Verb::Profile(super::asking::Profile::Check { file, pid }) => {
                Verb::Profile(Profile::Check { file, pid })
            }
            args::Verb::Profile(super::asking::Profile::Show { name }) => {
                Verb::Profile(Profile::Show { name })
            }
            args::Verb::Profile(super::asking::Profile::Schema) => Verb::Profile(Profile::Schema),
            args::Verb::Explain(explain) => Verb::Explain(Explain { topic: explain.topic }),
            args::Verb::Completions(completions) => Verb::Completions(completions.shell),
            args::Verb::Man(man) => Verb::Man(man.verb),
        };
        Ok(Self { verb, console: Console::new(&args.console, around) })
    }
}

impl Console {
    fn new(args: &args::Console, around: Surroundings) -> Self {
        let verbosity = match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::Debug,
        };
        Self { verbosity, color: around.color && !args.no_color }
    }
}

impl Attach {
    fn new(args: args::Attach, stdout: Stdout) -> Result<Self, UsageError> {
        let writers = args.writers.map(|map| (map, args.writers_for));
        let audit = Audit { writers, ..Audit::new(args.audit, stdout)? };
        let targets = Targets::new(args.name, args.pid);
        if let Targets::Pids(pids) = &targets {
            if writers.is_some() && pids.len() > 1 {
                return Err(UsageError::WritersOfMany(pids.len()));
            }
            audit.check_files(pids.len())?;
        }
        if writers.is_some() && audit.follow {
            return Err(UsageError::WritersOfFamily);
        }
        Ok(Self { targets, audit })
    }
}

impl Targets {
    fn new(name: Option<String>, pids: Vec<Pid>) -> Self {
        match name {
            Some(name) => Self::Name(name),
            None => Self::Pids(each_once(pids)),
        }
    }
}

impl Census {
    fn new(args: args::Census, stdout: Stdout) -> Result<Self, UsageError> {
        let output = Output::ended(args.format, args.output, "census", stdout)?;
        if output.format == Format::Folded {
            return Err(UsageError::NoGrowths);
        }
        if let Some(record) = &args.record {
            check_record(record, &output.to)?;
        }
        let census = Self {
            targets: Targets::new(args.name, args.pid),
            follow: args.follow,
            output,
            rows: args.rows.top as usize,
            record: args.record,
            runtime: args.sought.runtime,
            symbols: args.sought.symbols,
            min_bytes: args.min_bytes,
            judging: args.judging.into(),
            strict: args.strict,
        };
        if let Targets::Pids(pids) = &census.targets {
            census.check_files(pids.len())?;
        }
        Ok(census)
    }

    /// Whether that many processes can be told apart in the files that were named.
    ///
    /// # Errors
    /// [`UsageError::OneFileForMany`], where not.
    pub fn check_files(&self, processes: usize) -> Result<(), UsageError> {
        check_files(&self.output, self.record.as_ref(), processes)
    }
}

impl Audit {
    fn new(args: args::Audit, stdout: Stdout) -> Result<Self, UsageError> {
        let default = match (stdout, &args.output.output) {
            (Stdout::Terminal, None) => Format::Live,
            _ => Format::Text,
        };
        let output = Output::new(args.format.unwrap_or(default), args.output).shown_on(stdout)?;
        if output.format == Format::Live {
            check_live(&output.to, stdout)?;
        }
        if let Some(record) = &args.record {
            check_record(record, &output.to)?;
        }
        Ok(Self {
            duration: args.duration,
            interval: args.interval,
            output,
            record: args.record,
            ring: args.ring.map(|window| Ring { window, triggers: args.trigger }),
            runtime: args.sought.runtime,
            symbols: args.sought.symbols,
            follow: args.follow,
            evacuation: args.evacuation,
            budget: args.budget,
            min_bytes: args.min_bytes,
            rss_step: args.rss_step,
            judging: args.judging.into(),
            dry_run: args.dry_run,
            strict: args.strict,
            without_features: args.no_feature,
            writers: None,
        })
    }

    /// Whether that many processes can be told apart in the files that were named.
    ///
    /// # Errors
    /// [`UsageError::OneFileForMany`], where not.
    pub fn check_files(&self, processes: usize) -> Result<(), UsageError> {
        check_files(&self.output, self.record.as_ref(), processes)
    }
}

fn each_once(pids: Vec<Pid>) -> Vec<Pid> {
    let mut once = Vec::new();
    for pid in pids {
        if !once.contains(&pid) {
            once.push(pid);
        }
    }
    once
}

#[cfg(test)]
mod tests;
