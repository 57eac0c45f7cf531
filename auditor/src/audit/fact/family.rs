//! Facts about the processes of a family: one that was asked for and those that came of it by fork. What is told of
//! each is a stream of its own, of the same facts as of a process that is audited alone.

use serde::{Deserialize, Serialize};

use super::super::unit::{Bytes, Pid};

/// A process of the family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its number.
    pub pid: Pid,
    /// Who forked it, as far as is known.
    pub parent: Option<Pid>,
    /// Its name in `/proc/PID/comm` then.
    pub comm: String,
    /// How it came into sight, at the time of this fact.
    pub sight: Sight,
}

/// How a process of a family came into sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// It is the one that was asked for.
    Asked,
    /// It was there when the audit began.
    Found,
    /// It was seen to be forked.
    Forked,
}

/// Why a process is followed no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Left {
    /// It ended.
    Exited,
    /// It runs another program, which is none of the family's.
    Replaced,
    /// It could not be looked at, and why.
    Unread(String),
}

/// What of a member's memory is its own and what is shared, as `smaps_rollup` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shares {
    /// Pages that it maps and that are in RAM.
    pub rss: Bytes,
    /// Those that nobody else maps.
    pub private: Bytes,
    /// Anonymous pages, each divided by how many map it.
    pub anon: Bytes,
    /// Pages of files, likewise.
    pub file: Bytes,
    /// Pages of shared memory, likewise.
    pub shmem: Bytes,
}

impl Shares {
    /// Its part: added up over all who map a page, each page is there once.
    #[must_use]
    pub fn part(&self) -> Bytes {
        self.anon + self.file + self.shmem
    }
}
