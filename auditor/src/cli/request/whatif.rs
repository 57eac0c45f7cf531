//! Which map is asked about, and what.

use std::path::PathBuf;
use std::time::Duration;

use super::{Output, RuntimeChoice, UsageError};
use crate::audit::unit::{Address, Bytes, Pid};
use crate::cli::{Stdout, args};
use crate::render::Kind;

/// Ask what would become of one map.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    /// Where the map is found.
    pub source: Source,
    /// The map; `None`: those there are are to be named.
    pub map: Option<Address>,
    /// For how many keys.
    pub keys: Option<u64>,
    /// Into how many shards; none: the usual numbers.
    pub shards: Vec<u64>,
    /// Slots of a flat array.
    pub slots: Option<u64>,
    /// Requests a second, and Zipf's s; both over 0 and finite.
    pub traffic: Option<(f64, f64)>,
    /// Within which time a key is asked for that is hot.
    pub window: Duration,
    /// Where the answers go and how they look; only formats of which several can follow each other.
    pub output: Output,
}

/// Where a map is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a process, by one look.
    Process {
        /// Which.
        pid: Pid,
        /// Which runtimes to look for.
        runtime: RuntimeChoice,
        /// Files with names that files of the target were stripped of.
        symbols: Vec<PathBuf>,
        /// Maps that are smaller are not listed.
        min_bytes: Bytes,
    },
    /// In a recording or a report.
    File(PathBuf),
}

impl WhatIf {
    pub(super) fn new(args: args::WhatIf, stdout: Stdout) -> Result<Self, UsageError> {
        let output = Output::ended(args.format, args.output, "whatif", stdout)?;
        if let Some(row) = output.format.row().filter(|row| row.kind != Kind::Stream) {
            return Err(UsageError::NotForAnswers(row.name));
        }
        let (args::Sought { runtime, symbols }, min_bytes) = (args.sought, args.min_bytes);
        // The grammar lets one of them through.
        let source = match args.pid {
            Some(pid) => Source::Process { pid, runtime, symbols, min_bytes },
            None => Source::File(args.file.unwrap_or_default()),
        };
        Ok(Self {
            source,
            map: args.map,
            keys: args.keys,
            shards: args.shards,
            slots: args.slots,
            traffic: args.qps.zip(args.skew),
            window: args.window,
            output,
        })
    }
}
