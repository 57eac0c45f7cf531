//! How a runtime sizes its maps of one kind: what the tables of one take, by how many entries they are for. Told
//! once a kind, so that what a map of another size would take can be said without the target.

use serde::{Deserialize, Serialize};

use super::super::unit::Bytes;
use super::chains;

/// Number of a [`Sizes`] within one audit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SizesId(pub u32);

/// How maps of one kind are sized.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Its number.
    pub id: SizesId,
    /// What a map without a table takes.
    pub header: Bytes,
    /// Key and value as a table lays them out; `None`: not known.
    pub slot: Option<Bytes>,
    /// What each entry has behind pointers: keys and values too large for a slot.
    pub behind: Bytes,
    /// An overflow bucket, of maps whose full buckets of 8 slots are followed by others; `None`: they have none.
    pub overflow: Option<Bytes>,
    /// What each of them takes in a list of them; 0: there is none.
    pub listed: Bytes,
    /// The tables a map can have, the smallest first.
    pub steps: Vec<Step>,
}

/// The tables of a map of one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// For how many entries a map is made that gets these tables, at most. Where it has several tables, one
    /// may be full before all are.
    pub live: u64,
    /// Their slots.
    pub slots: u64,
    /// How many tables there are, each of which grows by itself.
    pub tables: u64,
    /// What they take, with what leads to them.
    pub bytes: Bytes,
    /// Overflow buckets that are among them from the start.
    pub spare: u64,
    /// How many of those beyond them are made at once.
    pub together: u64,
    /// What of the step before is held beside them while a map grows to them; `None`: none grows to them, it
    /// can only be made with them.
    pub beside: Option<Bytes>,
}

impl Step {
    /// What overflow buckets of so many bytes, listed in so many each, take beside these tables when they hold so
    /// many entries that the hash has spread as chance would.
    #[must_use]
    pub fn chained(&self, entries: u64, (bucket, listed): (Bytes, Bytes)) -> Bytes {
        let expected = chains::overflow_buckets(self.slots, entries);
        let beyond = expected.saturating_sub(self.spare);
        let made = beyond.div_ceil(self.together.max(1)).saturating_mul(self.together.max(1));
        Bytes(made.saturating_mul(bucket.0).saturating_add(expected.saturating_mul(listed.0)))
    }
}
