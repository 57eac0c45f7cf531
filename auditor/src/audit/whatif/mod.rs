//! What if one map were rebuilt, made larger from the start, split into shards, or replaced: what each remedy
//! would free, need meanwhile and avoid. From a report alone, so that a file answers as the process did.
//!
//! `remedies.rs` answers one remedy at a time, `ladder.rs` knows what maps of other sizes take, `zipf.rs` how
//! many keys are hot. What is not known is not guessed: such a row says why it has no answer. The meaning of
//! each number is in `docs/whatif.md`.

mod ladder;
mod remedies;
#[cfg(test)]
mod tests;
pub mod zipf;

use serde::{Deserialize, Serialize};

use super::report::{Map, MapBytes, Report};
use super::unit::{Address, Bytes, Nanos, Pid};
use remedies::Question;

/// Name and version of this format.
pub const SCHEMA: &str = "auditor.whatif/1";
/// Shards that are reckoned with where none are asked for.
pub const SHARDS: [u64; 3] = [4, 16, 64];

/// What is asked beside the map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// For how many entries; `None`: as many as the map has, or one more than it grows with.
    pub keys: Option<u64>,
    /// Into how many shards, each of them over 0; none: [`SHARDS`].
    pub shards: Vec<u64>,
    /// How many slots a flat array has; `None`: one for each key that is hot, or for each key.
    pub slots: Option<u64>,
    /// What is asked for of the map; `None`: not known.
    pub traffic: Option<Traffic>,
}

/// What is asked for of a map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests a second; over 0 and finite.
    pub qps: f64,
    /// Zipf's s: the key of rank i is asked for in proportion to 1 / i^s; over 0 and finite.
    pub skew: f64,
    /// A key that is asked for within this time is hot.
    pub window: Nanos,
}

/// All answers about one map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhatIf {
    /// [`SCHEMA`].
    pub schema: String,
    /// Whose map it is.
    pub target: Target,
    /// The map as it is.
    pub map: Subject,
    /// One row a remedy.
    pub remedies: Vec<Remedy>,
}

/// Whose map it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Process id.
    pub pid: Pid,
    /// Its name.
    pub comm: String,
}

/// The map as it is: the fields of the same names of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its header's address.
    pub address: Address,
    /// Which runtime's.
    pub runtime: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// Its name in the target.
    pub name: Option<String>,
    /// The path from a root to it.
    pub owner: Option<String>,
    /// Its entries.
    pub live: Option<u64>,
    /// Its slots.
    pub capacity: Option<u64>,
    /// What it holds.
    pub bytes: MapBytes,
}

/// One remedy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remedy {
    /// Which, with its own numbers.
    #[serde(flatten)]
    pub plan: Plan,
    /// Whether the numbers rest on more than the layout of the map: see `condition`.
    pub estimate: bool,
    /// What is held now (in RAM, or else allocated) less `holds`; negative: it takes so much more.
    pub frees: Option<i64>,
    /// What is held on top of today's memory until the old table is let go.
    pub needs_meanwhile: Option<Bytes>,
    /// What is held afterwards.
    pub holds: Option<Bytes>,
    /// Growths between now and that many entries that do not happen.
    pub growths_avoided: Option<u64>,
    /// What must be so for the numbers to be right; `None`: nothing more than the layout.
    pub condition: Option<String>,
    /// Why there is no answer, where there is none.
    pub unanswered: Option<String>,
}

/// The remedies, with the numbers that only one of them has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "remedy", rename_all = "snake_case")]
pub enum Plan {
    /// A new map for the entries of now takes the place of this one.
    Rebuild {
        /// The entries of now.
        entries: Option<u64>,
    },
    /// A map that is made for all its entries at once.
    Presize {
        /// For how many.
        entries: Option<u64>,
        /// The most that is held when it grows there from now, step by step; `null` where it need not grow.
        peak_growing: Option<Bytes>,
        /// That less `holds`.
        peak_saved: Option<Bytes>,
    },
    /// Several maps, each for its part of the keys.
    Shards {
        /// How many.
        shards: u64,
        /// For how many entries in all.
        entries: Option<u64>,
        /// For how many each.
        entries_each: Option<u64>,
        /// Old and new table of one shard while it grows next.
        growth_peak: Option<Bytes>,
        /// The same of a single map with all entries.
        growth_peak_alone: Option<Bytes>,
    },
    /// An array with an entry in each slot, and a bit that says whether it is there.
    FlatArray {
        /// Its slots.
        slots: Option<u64>,
        /// Bytes of the bits.
        bitmap: Option<Bytes>,
    },
    /// A map with the keys alone that are asked for within a window.
    HotSet {
        /// What is asked for.
        traffic: Option<Traffic>,
        /// Of how many keys.
        keys: Option<u64>,
        /// How many distinct keys are expected within the window.
        hot: Option<u64>,
        /// By how much the reckoning of that may be off, at most.
        hot_error: Option<u64>,
        /// A flat array with just these.
        array: Option<Bytes>,
    },
}

/// Why a map cannot be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMap {
    /// None was listed there.
    #[error("no map is listed at {0}")]
    Unknown(Address),
    /// It is gone.
    #[error("the map at {0} was dropped")]
    Dropped(Address),
    /// Members of a family have their maps at equal addresses.
    #[error("{1} members of the family have a map at {0}: ask one of them (-p PID)")]
    InMembers(Address, usize),
}

/// Answers for the map at an address.
///
/// # Errors
/// [`NoMap`].
pub fn answer(report: &Report, at: Address, ask: &Ask) -> Result<WhatIf, NoMap> {
    let map = living(report, at)?;
    let sizes = map.sizes.and_then(|id| report.sizes.iter().find(|sizes| sizes.id == id));
    Ok(WhatIf {
        schema: SCHEMA.to_owned(),
        target: Target { pid: report.target.pid, comm: report.target.comm.clone() },
        map: subject(map),
        remedies: Question::new(map, sizes, ask).remedies(),
    })
}

/// One that lives, where others have lived at its address before.
fn living(report: &Report, at: Address) -> Result<&Map, NoMap> {
    let there = || report.maps.iter().filter(|map| map.address == at);
    let living = there().find(|map| map.died.is_none());
    let members = there().filter(|map| map.died.is_none()).count();
    if members > 1 {
        return Err(NoMap::InMembers(at, members));
    }
    living.ok_or_else(|| there().next().map_or(NoMap::Unknown(at), |_| NoMap::Dropped(at)))
}

fn subject(map: &Map) -> Subject {
    Subject {
        address: map.address,
        runtime: map.runtime.clone(),
        type_name: map.type_name.clone(),
        name: map.name.clone(),
        owner: map.owner.clone(),
        live: map.live,
        capacity: map.capacity,
        bytes: map.bytes,
    }
}
