//! The grammar and the help of the verbs that hold reports against each other, or against gates: `diff`, `check`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::args::{Judging, Output, Rows};
use super::pattern::{self, Pattern};
use super::request::{Budget, RuntimeChoice};
use super::value;
use crate::audit::unit::Bytes;

#[derive(Debug, clap::Args)]
pub(super) struct Diff {
    /// A recording, or a report in JSON
    pub(super) before: PathBuf,
    /// A later one, or one of a changed program
    pub(super) after: PathBuf,
    /// Show it as text or json
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = DiffFormat::Text, hide_possible_values = true)]
    pub(super) format: DiffFormat,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) rows: Rows,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("subject").required(true).args(["file", "command"]))]
pub(super) struct Check {
    /// A condition such as 'stranded<40MiB' (repeatable; auditor explain gate)
    /// [default: findings(severity>=warning)=0]
    #[arg(long, value_name = "EXPR")]
    pub(super) gate: Vec<String>,
    /// A recording or a report that limits refer to, such as 'peak_rss<=baseline+10%'
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Mind refused hooks, undecided rules and a baseline of another program, too: exit with 4
    #[arg(long)]
    pub(super) strict: bool,
    /// Show it as text, json, junit or github (annotations of a workflow)
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = CheckFormat::Text, hide_possible_values = true)]
    pub(super) format: CheckFormat,
    #[command(flatten)]
    pub(super) output: Output,
    /// A recording, or a report in JSON
    pub(super) file: Option<PathBuf>,
    /// A command to audit from its first instruction, after `--`
    #[arg(last = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
    #[command(flatten)]
    pub(super) watch: Watch,
}

/// How CMD is audited: of `Audit` what makes sense where nobody looks on.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options for CMD, as of run")]
pub(super) struct Watch {
    /// End after this time, such as 30s [default: with the command]
    #[arg(long, value_name = "TIME", value_parser = value::duration, conflicts_with = "file")]
    pub(super) duration: Option<Duration>,
    /// Time between two looks at the maps, 50ms to 1h
    #[arg(short, long, value_name = "TIME", value_parser = value::interval, default_value = "1s", conflicts_with = "file")]
    pub(super) interval: Duration,
    /// Keep all that is seen in FILE, for `auditor replay`; %p, %h, %t as above
    #[arg(long, value_name = "FILE", value_parser = pattern::parser(), conflicts_with = "file")]
    pub(super) record: Option<Pattern>,
    /// Which hash maps to look for: auto, or one by its name
    #[arg(long, value_name = "auto|NAME|FILE.toml,...", value_parser = value::runtime, default_value = "auto", conflicts_with = "file")]
    pub(super) runtime: RuntimeChoice,
    /// A file with the names that one of the target was stripped of (repeatable)
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(super) symbols: Vec<PathBuf>,
    /// CPU time the probes may take from the target; over it, the costliest go
    #[arg(long, value_name = "PERCENT", value_parser = value::budget, default_value = "1%", conflicts_with = "file")]
    pub(super) budget: Budget,
    /// Add up maps that stay smaller than this instead of listing them
    #[arg(long, value_name = "SIZE", value_parser = value::size, default_value = "16KiB", conflicts_with = "file")]
    pub(super) min_bytes: Bytes,
    /// Smallest change of RSS that is reported, 4KiB to 1GiB
    #[arg(long, value_name = "SIZE", value_parser = value::rss_step, default_value = "1MiB", conflicts_with = "file")]
    pub(super) rss_step: Bytes,
    #[command(flatten)]
    pub(super) judging: Judging,
}

/// How a difference is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DiffFormat {
    /// For people
    Text,
    /// One object
    Json,
}

/// How the outcome of gates is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
    /// For people
    Text,
    /// One object
    Json,
    /// XML that most CI servers read
    Junit,
    /// Commands of GitHub's workflows
    Github,
}
