//! Who writes one map, as the report has it.

use serde::{Deserialize, Serialize};

use super::super::unit::{Address, Nanos};

/// Who wrote one map in a short time. Only where a write begins is seen, so that two overlap is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writers {
    /// Which map.
    pub map: Address,
    /// From when on.
    pub start: Nanos,
    /// Until when.
    pub end: Nanos,
    /// Why it ended before its time; `null`: it did not.
    pub cut_short: Option<String>,
    /// Writes that were seen to begin.
    pub writes: u64,
    /// How often one came from another goroutine than the one before.
    pub turns: u64,
    /// How many goroutines they came from; `null`: too many to be told apart, or not all were read.
    pub goroutines: Option<u64>,
    /// Each goroutine with each place that it wrote from, most writes first.
    pub by: Vec<Writer>,
}

/// One goroutine, writing from one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// Its number; `null`: not read.
    pub goroutine: Option<u64>,
    /// Its writes from there.
    pub writes: u64,
    /// How many threads it ran on meanwhile.
    pub threads: u32,
    /// The function that writes and the one that called it, innermost first.
    pub site: Vec<String>,
}
