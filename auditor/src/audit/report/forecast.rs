//! What is to come, and how well it was foretold.

use serde::{Deserialize, Serialize};

use super::super::unit::{Address, Bytes, Nanos, Pid};
use super::Place;

/// What the next growth needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextGrowth {
    /// With how many live entries it grows.
    pub at_live: u64,
    /// The new table.
    pub new_table: Bytes,
    /// What is held on top of today's memory while old and new coexist.
    pub peak_extra: Bytes,
    /// Slots once it has grown.
    pub capacity: u64,
    /// How long until then, at the measured rate.
    pub eta: Option<Nanos>,
    /// At the fastest rate of the last looks.
    pub eta_least: Option<Nanos>,
    /// At the slowest.
    pub eta_most: Option<Nanos>,
}

/// The growths to come, and how well those that have come were foretold; `null`: none was that could be held
/// against what came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// What is to come: first that whose time is known, by it; then the largest.
    pub growths: Vec<Upcoming>,
    /// With how many live entries.
    pub at_live: Option<Misses>,
    /// How large the new tables are.
    pub new_table: Option<Misses>,
    /// How long until then, as was said once the pace was known.
    pub eta: Option<Misses>,
}

/// A growth to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upcoming {
    /// Whose.
    pub map: Address,
    /// In which member of a family; `null`: one process was audited.
    pub pid: Option<Pid>,
    /// How long until then; `null`: it is not filling.
    pub eta: Option<Nanos>,
    /// What is held on top of today's memory while old and new coexist.
    pub peak_extra: Bytes,
    /// Whether that fits into what is left when it comes; `null`: what is left is not known.
    pub fits: Option<bool>,
}

impl Upcoming {
    /// Where its map is.
    #[must_use]
    pub const fn place(&self) -> Place {
        (self.pid, self.map)
    }
}

/// How far off forecasts were, in thousandths of what was foretold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misses {
    /// Growths that were foretold and came, at most 1,024.
    pub growths: u64,
    /// Half of them were off by no more.
    pub median_permille: u64,
    /// The worst.
    pub worst_permille: u64,
}
