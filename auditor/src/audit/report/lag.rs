//! How long after one kind of event another comes.

use serde::{Deserialize, Serialize};

use super::Nanos;

/// One pair of kinds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    /// What comes first.
    pub from: String,
    /// What follows.
    pub to: String,
    /// How often it did.
    pub count: u64,
    /// Half of the times it took no longer.
    pub median: Nanos,
    /// Ninety-nine times of a hundred it took no longer; `null`: it happened less than a hundred times.
    pub p99: Option<Nanos>,
    /// The longest that it took.
    pub max: Nanos,
}
