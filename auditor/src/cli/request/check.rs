//! What is to be checked, by which gates.

use std::path::PathBuf;

use super::{Audit, Output, Run, UsageError, check_record};
use crate::cli::args::{Evacuation, Format};
use crate::cli::comparing::{self, CheckFormat, Watch};
use crate::render::gate;

/// Judge a report by gates.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The expressions, as they were typed; none: the usual one.
    pub gates: Vec<String>,
    /// A recording or a report that limits may refer to.
    pub baseline: Option<PathBuf>,
    /// Mind what only somebody strict minds.
    pub strict: bool,
    /// What is judged.
    pub subject: Judgeable,
    /// How it looks.
    pub format: gate::Format,
    /// Where it goes; of its format only that it is one report.
    pub output: Output,
}

/// What can be judged.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgeable {
    /// A recording or a report.
    File(PathBuf),
    /// A command, audited from its first instruction.
    Command(Box<Run>),
}

impl Check {
    pub(super) fn new(args: comparing::Check) -> Result<Self, UsageError> {
        let format = match args.format {
            CheckFormat::Text => gate::Format::Text,
            CheckFormat::Json => gate::Format::Json,
            CheckFormat::Junit => gate::Format::Junit,
            CheckFormat::Github => gate::Format::Github,
        };
        let output = Output::new(Format::Text, args.output);
        // The grammar lets one of them through.
        let is_judging = args.watch.judging.rules.is_some() || !args.watch.judging.expect.is_empty();
        let subject = match args.file {
            Some(_) if is_judging => return Err(UsageError::JudgingOfFile),
            Some(file) => Judgeable::File(file),
            None => {
                let audit = audit(args.watch, &output)?;
                Judgeable::Command(Box::new(Run { command: args.command, audit }))
            }
        };
        Ok(Self { gates: args.gate, baseline: args.baseline, strict: args.strict, subject, format, output })
    }
}

/// As `run` audits, where its report is not shown.
fn audit(args: Watch, output: &Output) -> Result<Audit, UsageError> {
    if let Some(record) = &args.record {
        check_record(record, &output.to)?;
    }
    Ok(Audit {
        duration: args.duration,
        interval: args.interval,
        output: output.clone(),
        record: args.record,
        ring: None,
        runtime: args.runtime,
        symbols: args.symbols,
        follow: false,
        evacuation: Evacuation::Auto,
        budget: args.budget,
        min_bytes: args.min_bytes,
        rss_step: args.rss_step,
        judging: args.judging.into(),
        dry_run: false,
        strict: false,
        without_features: Vec::new(),
        writers: None,
    })
}
