//! What the rules found, as the report has it. How they find it is `audit/findings`.

use serde::{Deserialize, Serialize};

use super::super::unit::{Address, Bytes, Pid};
use super::Place;

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule, as `auditor explain` knows it.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// About which map; `null`: about the process, or about many maps.
    pub map: Option<Address>,
    /// About which member of a family; `null`: one process was audited.
    pub pid: Option<Pid>,
    /// In one sentence.
    pub summary: String,
    /// What it rests on.
    pub evidence: Vec<String>,
    /// What to do.
    pub remedy: String,
    /// What that frees.
    pub reclaimable: Option<Bytes>,
}

impl Finding {
    /// Where its map is; `None`: it is not about one map.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        Some((self.pid, self.map?))
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It will hurt soon or does already.
    Critical,
    /// It costs memory or time.
    Warning,
    /// Worth knowing.
    Info,
}

/// What a rule suspects and cannot tell yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecided {
    /// The rule, as `auditor explain` knows it.
    pub rule: String,
    /// What is missing.
    pub reason: String,
}
