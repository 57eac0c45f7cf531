//! One process of a family, as the report has it.

use serde::{Deserialize, Serialize};

use super::super::fact::Sight;
use super::super::unit::{Bytes, Nanos, Pid};

/// A process of a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its number.
    pub pid: Pid,
    /// Who forked it; `null`: not known.
    pub parent: Option<Pid>,
    /// Its name.
    pub comm: String,
    /// How it came into sight.
    pub sight: Sight,
    /// When it was forked; `null`: before the audit began.
    pub born: Option<Nanos>,
    /// When it was followed no more; `null`: it was until the end.
    pub ended: Option<Nanos>,
    /// Why: `exited`, `replaced` (it ran another program), or why it could not be looked at.
    pub left: Option<String>,
    /// Its RSS at the last reading.
    pub rss: Option<Bytes>,
    /// What of that nobody else maps.
    pub private: Option<Bytes>,
    /// Its part: each page divided by how many map it.
    pub part: Option<Bytes>,
    /// What of its part is shared memory.
    pub shmem: Option<Bytes>,
    /// Its maps that live.
    pub maps: u64,
    /// What these hold.
    pub allocated: Bytes,
}
