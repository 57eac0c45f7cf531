//! The grammar and the help texts, for a tired person at 3 a.m.: each flag one honest line. Nothing
//! is checked here that needs a second flag; that is `request.rs`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use super::asking::{Completions, Doctor, Explain, Man, Profile};
use super::comparing::{Check, Diff};
use super::pattern::{self, Pattern};
use super::request::{Budget, RuntimeChoice};
use super::value;
use crate::audit::unit::{Address, Bytes, Pid};
use crate::render;

const ABOUT: &str = "\
Says which hash map holds the memory of a running process, why its RSS moved, and
whether it comes back. Looks on from outside (root, eBPF): the process needs no
preparation and is never stopped.";

const EXAMPLES: &str = "\
Examples:
  auditor doctor -p 4711                        what would work; touches nothing
  auditor census -p 4711                        which maps hold the memory now
  auditor attach -p 4711 --record incident.rec  watch; Ctrl-C ends with a report
  auditor replay incident.rec -f json           the same report, on any machine

Exit status: 0 done, 1 a gate of check failed, 2 bad usage or a file that cannot be
read or written, 3 cannot attach, 4 incomplete data (check; --strict), 130 second Ctrl-C.
`auditor explain` lists what the words mean.";

/// The command line. `-h` and `--help` are the same: what is worth saying fits one line a flag.
#[derive(Debug, Parser)]
#[command(name = "auditor", version, about = ABOUT, after_help = EXAMPLES, max_term_width = 100)]
#[command(disable_help_subcommand = true, disable_help_flag = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) verb: Verb,
    #[command(flatten)]
    pub(super) console: Console,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Audit running processes until Ctrl-C, their end, or --duration
    Attach(Attach),
    /// Start a command and audit it from its first instruction
    Run(Run),
    /// Look once: which maps hold the memory now. Places nothing, stops nothing
    Census(Census),
    /// Draw the report of a recording
    Replay(Replay),
    /// What rebuilding, presizing, sharding or a flat array would do for one map
    #[command(name = "whatif")]
    WhatIf(WhatIf),
    /// What changed between two recordings or reports, map by map, and three checks of a release
    Diff(Diff),
    /// Fail a build on what a command, a recording or a report holds: a gate for CI
    Check(Box<Check>),
    /// What this kernel, these rights and the target allow; what is missing, with its remedy
    Doctor(Doctor),
    /// The hash maps that it knows
    Profiles,
    /// A description of a hash map: check one, show one that is built in, or its schema
    #[command(subcommand)]
    Profile(Profile),
    /// What a word, a field of the report or an exit status means
    Explain(Explain),
    /// Print shell completions
    Completions(Completions),
    /// Print a manual page: of all, or of one verb
    Man(Man),
}

#[derive(Debug, clap::Args)]
pub(super) struct Console {
    /// Print this help
    #[arg(short, long, global = true, action = ArgAction::HelpShort, help_heading = "Console")]
    help: Option<bool>,
    /// Errors only: no progress, no warnings
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Console")]
    pub(super) quiet: bool,
    /// Say more on stderr; -vv says everything
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Console")]
    pub(super) verbose: u8,
    /// No colour; so does a NO_COLOR that is not empty
    #[arg(long, global = true, help_heading = "Console")]
    pub(super) no_color: bool,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("target").required(true).args(["pid", "name"]))]
pub(super) struct Attach {
    /// Processes to audit
    #[arg(short, long, value_name = "PID[,PID]", value_delimiter = ',', value_parser = value::pid)]
    pub(super) pid: Vec<Pid>,
    /// Every process of that name, as in /proc/PID/comm
    #[arg(short, long, value_name = "NAME", value_parser = value::name)]
    pub(super) name: Option<String>,
    /// Look for a moment at each write to the map at ADDRESS: which goroutines, from where (Go)
    #[arg(long, value_name = "ADDRESS", value_parser = value::address, conflicts_with = "name")]
    pub(super) writers: Option<Address>,
    /// For how long, 50ms to 10s; each write to any map takes about 1 µs longer meanwhile
    #[arg(long, value_name = "TIME", value_parser = value::moment, default_value = "1s", requires = "writers")]
    pub(super) writers_for: Duration,
    #[command(flatten)]
    pub(super) audit: Audit,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("target").required(true).args(["pid", "name"]))]
pub(super) struct Census {
    /// Processes to look at
    #[arg(short, long, value_name = "PID[,PID]", value_delimiter = ',', value_parser = value::pid)]
    pub(super) pid: Vec<Pid>,
    /// Every process of that name, as in /proc/PID/comm
    #[arg(short, long, value_name = "NAME", value_parser = value::name)]
    pub(super) name: Option<String>,
    /// Look at what came of each process by fork, too, as one target with members: PostgreSQL's backends
    #[arg(long)]
    pub(super) follow: bool,
    /// Show the report as text, json, ndjson, html, openmetrics, pprof, perfetto or csv (auditor explain
    /// format) [default: text]
    #[arg(short, long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub(super) format: Option<Format>,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) rows: Rows,
    /// Keep all that is seen in FILE, for `auditor replay`; %p, %h, %t as above
    #[arg(long, value_name = "FILE", value_parser = pattern::parser())]
    pub(super) record: Option<Pattern>,
    #[command(flatten)]
    pub(super) sought: Sought,
    /// Add up maps that are smaller than this instead of listing them
    #[arg(long, value_name = "SIZE", value_parser = value::size, default_value = "16KiB")]
    pub(super) min_bytes: Bytes,
    #[command(flatten)]
    pub(super) judging: Judging,
    /// Exit with 4 when the data are incomplete: maps not read, layout not verified
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Sought {
    /// Which hash maps to look for: auto, or one by its name
    #[arg(long, value_name = "auto|NAME|FILE.toml,...", value_parser = value::runtime, default_value = "auto")]
    pub(super) runtime: RuntimeChoice,
    /// A file with the names that one of the target was stripped of: an unstripped build of equal code, or what a
    /// debug package holds; others are refused (repeatable) [default: where the system keeps them]
    #[arg(long, value_name = "FILE")]
    pub(super) symbols: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Judging {
    /// Thresholds of the findings in TOML; those it does not name stay (auditor explain thresholds)
    #[arg(long, value_name = "FILE")]
    pub(super) rules: Option<PathBuf>,
    /// How many entries maps of a type (or a name) are to have; many more are a finding (repeatable)
    #[arg(long, value_name = "TYPE=N", value_parser = value::expected)]
    pub(super) expect: Vec<(String, u64)>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Rows {
    /// Maps that the text lists, largest first; json has them all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), default_value = "20")]
    pub(super) top: u32,
}

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) audit: Audit,
    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Audit {
    /// End after this time, such as 30s [default: at Ctrl-C or with the target]
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    pub(super) duration: Option<Duration>,
    /// Time between two looks at the maps, 50ms to 1h
    #[arg(short, long, value_name = "TIME", value_parser = value::interval, default_value = "1s")]
    pub(super) interval: Duration,
    /// Show the report as live, text, json, ndjson, or write it at the end as html, openmetrics, pprof,
    /// perfetto, folded or csv (auditor explain format) [default: live on a terminal, else text]
    #[arg(short, long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub(super) format: Option<Format>,
    #[command(flatten)]
    pub(super) output: Output,
    /// Keep all that is seen in FILE, for `auditor replay`; %p, %h, %t as above
    #[arg(long, value_name = "FILE", value_parser = pattern::parser())]
    pub(super) record: Option<Pattern>,
    /// Keep the last TIME in memory, 10s to 24h, and write FILE only when a trigger fires or the target ends
    #[arg(long, value_name = "TIME", value_parser = value::ring, requires = "record")]
    pub(super) ring: Option<Duration>,
    /// When to write it: rss+25%, rss>2GiB, limit>90% or growth>512MiB (repeatable; auditor explain trigger)
    #[arg(long, value_name = "EXPR", requires = "ring")]
    pub(super) trigger: Vec<String>,
    #[command(flatten)]
    pub(super) sought: Sought,
    /// Follow what comes of each process by fork, too, as one target with members: PostgreSQL's backends
    #[arg(long, conflicts_with = "ring")]
    pub(super) follow: bool,
    /// Count moved buckets by probe (each of them, costly), by poll (free, may miss some) or auto
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Evacuation::Auto, hide_possible_values = true)]
    pub(super) evacuation: Evacuation,
    /// CPU time the probes may take from the target; over it, the costliest go
    #[arg(long, value_name = "PERCENT", value_parser = value::budget, default_value = "1%")]
    pub(super) budget: Budget,
    /// Add up maps that stay smaller than this instead of listing them
    #[arg(long, value_name = "SIZE", value_parser = value::size, default_value = "16KiB")]
    pub(super) min_bytes: Bytes,
    /// Smallest change of RSS that is reported, 4KiB to 1GiB
    #[arg(long, value_name = "SIZE", value_parser = value::rss_step, default_value = "1MiB")]
    pub(super) rss_step: Bytes,
    #[command(flatten)]
    pub(super) judging: Judging,
    /// Attach nothing: show each hook, where it would go and its cost, or why not
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Exit with 4 when the data are incomplete: events lost, layout not verified
    #[arg(long)]
    pub(super) strict: bool,
    /// Pretend that the kernel lacks a feature (repeatable): for tests of what then happens
    #[arg(long, value_name = "FEATURE", hide = true)]
    pub(super) no_feature: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Output {
    /// Write to FILE, not to stdout; in it %p is the pid, %h the host, %t the time, %% a %
    #[arg(short, long, value_name = "FILE", value_parser = pattern::parser())]
    pub(super) output: Option<Pattern>,
    /// Replace files that exist
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    /// A recording, made with --record
    pub(super) file: PathBuf,
    /// Show it live (the screen), or its report as text, json, ndjson, html, openmetrics, pprof, perfetto,
    /// folded or csv (auditor explain format) [default: live on a terminal, else text]
    #[arg(short, long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub(super) format: Option<Format>,
    /// Where the screen starts, since the beginning: 90s, 3m
    #[arg(short = 't', long = "time", value_name = "TIME", value_parser = value::since)]
    pub(super) time: Option<Duration>,
    /// Leave out what came before this time, since the beginning: 90s, 3m; what it led to stands there
    #[arg(long, value_name = "TIME", value_parser = value::since)]
    pub(super) from: Option<Duration>,
    /// Leave out what came after this time
    #[arg(long, value_name = "TIME", value_parser = value::since)]
    pub(super) to: Option<Duration>,
    /// Show maps that fit, such as 'type=~"Session",owner!~"^main"' (repeatable; auditor explain filter)
    #[arg(long, value_name = "EXPR")]
    pub(super) filter: Vec<String>,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) rows: Rows,
    #[command(flatten)]
    pub(super) judging: Judging,
    /// Exit with 4 when the data are incomplete: events lost, layout not verified, no end
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["pid", "file"]))]
pub(super) struct WhatIf {
    /// A process to look at, once, as census does
    #[arg(short, long, value_name = "PID", value_parser = value::pid)]
    pub(super) pid: Option<Pid>,
    /// A recording, or a report in JSON
    pub(super) file: Option<PathBuf>,
    /// The map, by its address in the report; without it, the largest ones are named
    #[arg(long, value_name = "ADDRESS", value_parser = value::address)]
    pub(super) map: Option<Address>,
    /// For how many keys [default: those it has, or one more than it grows with when that is near]
    #[arg(long, value_name = "N", value_parser = value::count)]
    pub(super) keys: Option<u64>,
    /// Into how many shards (repeatable) [default: 4, 16 and 64]
    #[arg(long, value_name = "N", value_parser = value::shards)]
    pub(super) shards: Vec<u64>,
    /// Slots of a flat array [default: one for each hot key, or for each key]
    #[arg(long, value_name = "N", value_parser = value::count)]
    pub(super) slots: Option<u64>,
    /// Requests a second, of which most are for a few keys
    #[arg(long, value_name = "N", value_parser = value::rate, requires = "skew")]
    pub(super) qps: Option<f64>,
    /// How few: s of Zipf's law, 0.01 to 10; the key of rank i is asked for 1 / i^s times as often
    #[arg(long, value_name = "S", value_parser = value::skew, requires = "qps")]
    pub(super) skew: Option<f64>,
    /// Keys that are asked for within this time are hot
    #[arg(long, value_name = "TIME", value_parser = value::duration, default_value = "60s", requires = "qps")]
    pub(super) window: Duration,
    /// Show the answers as text, json or ndjson [default: text]
    #[arg(short, long, value_enum, value_name = "FORMAT", hide_possible_values = true)]
    pub(super) format: Option<Format>,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) sought: Sought,
    /// Maps of PID that are smaller than this are not listed and cannot be asked about
    #[arg(long, value_name = "SIZE", value_parser = value::size, default_value = "16KiB")]
    pub(super) min_bytes: Bytes,
}

/// How the report is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A screen that follows the target
    Live,
    /// For people
    Text,
    /// One object at the end
    Json,
    /// One object per line: one per interval, and the last one at the end
    Ndjson,
    /// One page for a browser, which needs nothing beside it
    Html,
    /// Metrics for Prometheus, at the end
    #[value(name = "openmetrics")]
    OpenMetrics,
    /// A profile for `go tool pprof`, at the end
    Pprof,
    /// A trace for ui.perfetto.dev, at the end
    Perfetto,
    /// Call stacks with the bytes of their growths, for flame graphs, at the end
    Folded,
    /// A table of maps, at the end
    Csv,
}

impl Format {
    /// How a report is written in it; `None`: it is a screen.
    #[must_use]
    pub const fn written(self) -> Option<render::Format> {
        Some(match self {
            Self::Live => return None,
            Self::Text => render::Format::Text,
            Self::Json => render::Format::Json,
            Self::Ndjson => render::Format::Ndjson,
            Self::Html => render::Format::Html,
            Self::OpenMetrics => render::Format::OpenMetrics,
            Self::Pprof => render::Format::Pprof,
            Self::Perfetto => render::Format::Perfetto,
            Self::Folded => render::Format::Folded,
            Self::Csv => render::Format::Csv,
        })
    }

    /// Its row in the table of formats; `None`: it is a screen.
    pub(super) fn row(self) -> Option<&'static render::Row> {
        self.written().map(render::Format::row)
    }
}

/// How moved buckets are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Evacuation {
    /// By polling where the map says how far it is, else by a probe
    Auto,
    /// By a probe on every move: exact, and the costliest probe there is
    Probe,
    /// By reading the map at each interval: free, and misses what starts and ends between two
    Poll,
}
