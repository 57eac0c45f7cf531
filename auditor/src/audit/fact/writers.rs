//! What a short look at each write to one map has told.

use serde::{Deserialize, Serialize};

use super::super::unit::{Address, Nanos};
use super::StackId;

/// Every write to a map that was seen to begin in a short time. Where a write ends is not seen, so whether
/// two overlapped is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Which map.
    pub map: Address,
    /// From when on.
    pub from: Nanos,
    /// Until when.
    pub to: Nanos,
    /// Why it ended before its time, if it did.
    pub cut_short: Option<String>,
    /// Writes that began: keys put in or overwritten, keys taken out, the map emptied.
    pub writes: u64,
    /// How often one came from another writer than the one before.
    pub turns: u64,
    /// How many goroutines they came from; `None`: too many to be told apart, or not all were read.
    pub goroutines: Option<u64>,
    /// Those who wrote, each with where from, most writes first. Of more than there is room for those that
    /// were seen first.
    pub writers: Vec<Writer>,
}

/// One who wrote, from one place in the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The goroutine's number; `None`: it could not be read.
    pub goroutine: Option<u64>,
    /// Its writes from there.
    pub writes: u64,
    /// How many threads it ran on meanwhile.
    pub threads: u32,
    /// From where.
    pub site: Option<StackId>,
}
