//! Why RSS moved.

use serde::{Deserialize, Serialize};

use super::{Address, Bytes, Nanos};

/// How RSS moved, from the first reading to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// All rises together.
    pub rose: Bytes,
    /// What of them no part explains.
    pub rose_unexplained: Bytes,
    /// All falls together.
    pub fell: Bytes,
    /// What of them no part explains.
    pub fell_unexplained: Bytes,
    /// How many changes are not among `largest`.
    pub omitted: u64,
    /// The largest, in the order of time.
    pub largest: Vec<Change>,
}

/// RSS from one turning point to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The reading at which it began.
    pub start: Nanos,
    /// The reading at which it ended, or the last one.
    pub end: Nanos,
    /// How far RSS moved. The parts and what is unexplained add up to it.
    pub rss: i64,
    /// What became more or less meanwhile, the largest first.
    pub parts: Vec<Part>,
    /// What no part explains.
    pub unexplained: i64,
    /// Cycles of the collector that ended meanwhile; `null`: no collector tells.
    pub cycles: Option<u64>,
}

/// A part of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// A row of the ladder, or `tables of a map`.
    pub name: String,
    /// Which map.
    pub map: Option<Address>,
    /// How much more, or less, of it is in RAM.
    pub bytes: i64,
    /// Growths of that map that were under way meanwhile; `null`: it is not one map.
    pub growths: Option<u64>,
}
