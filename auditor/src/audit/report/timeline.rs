//! RSS and what it was made of over time, as the report has it. How it is kept is `audit/timeline.rs`.

use serde::{Deserialize, Serialize};

use super::super::unit::{Bytes, Nanos};

/// Readings of RSS from the first to the last, in bounded memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Rows of the ladder that there were at some time, in its order; `unexplained` is the last.
    pub rows: Vec<String>,
    /// Readings, in the order of time. At most 256: then neighbours are merged, and the one with the higher RSS
    /// stays.
    pub moments: Vec<Moment>,
}

/// One reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub at: Nanos,
    /// RSS.
    pub rss: Bytes,
    /// The smallest memory limit of the target's cgroups.
    pub limit: Option<Bytes>,
    /// Of each of the rows how much; they add up to `rss`. `null`: the row was not there.
    pub ladder: Vec<Option<Bytes>>,
    /// Growths seen to start so far; `null`: no hook tells.
    pub growths: Option<u64>,
    /// Cycles of the collector since the program began; `null`: no collector tells.
    pub cycles: Option<u64>,
}
