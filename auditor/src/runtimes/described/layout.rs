//! What a described map looks like: its fields, checks and metrics on live memory or on what was captured.

use super::expression::{Scope, Value};
use super::profile::Profile;
use crate::audit::fact::{Next, Progress, Shape, Sizes, SizesId};
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::LayoutError;
use crate::target::memory::Memory;

/// What could be said of a map at one moment. `None`: not known, or there is none of it; never 0 for that.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Entries that a lookup could find.
    pub live: Option<u64>,
    /// Buckets of the current table.
    pub buckets: Option<u64>,
    /// Slots of the current table.
    pub capacity: Option<u64>,
    /// Slots that are empty but may not be reused freely.
    pub tombstones: Option<u64>,
    /// Overflow buckets in use.
    pub overflow: Option<u64>,
    /// The current table: `Some(Address(0))` says that there is none.
    pub table: Option<Address>,
    /// Its bytes.
    pub table_bytes: Option<Bytes>,
    /// The old table: `Some(Address(0))` says that there is none.
    pub old_table: Option<Address>,
    /// Its bytes.
    pub old_bytes: Option<Bytes>,
    /// Bytes of the map's own header.
    pub header: Option<Bytes>,
    /// Bytes of its entries that are allocated one by one.
    pub entries: Option<Bytes>,
    /// All bytes it holds.
    pub allocated: Option<Bytes>,
    /// What it would hold had it just been rebuilt.
    pub needed: Option<Bytes>,
    /// Old buckets moved and in all, while it evacuates.
    pub evacuation: Option<Progress>,
    /// Whether it says of itself that it is dropped.
    pub dropped: Option<bool>,
    /// Its next growth.
    pub next: Option<Next>,
    /// What tells its kind of sizes from others of the profile: the fields that `[sizes]` names. `None`: there
    /// are no sizes, or a field is not known.
    pub kind: Option<SizesKey>,
    /// Texts of the checks that could not be evaluated here.
    pub unchecked: Vec<String>,
}

/// The values of the fields that a profile's `[sizes]` name; none where it names none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SizesKey(pub Vec<i128>);

/// A map that was looked at.
#[derive(Clone, Debug)]
pub struct Look {
    /// For the report. `sizes` is number 0 where all maps of the profile are of one kind, else none.
    pub shape: Shape,
    /// In full.
    pub figures: Figures,
    /// `self`, the fields and metrics, so that label, identity and what a probe tells can be evaluated.
    pub scope: Scope,
}

/// Looks at a map. All checks must hold; live entries, capacity and bytes must be known.
///
/// # Errors
/// [`LayoutError`] names the check that failed, with the values in it.
pub fn look(_profile: &Profile, _own: Address, _memory: &dyn Memory) -> Result<Look, LayoutError> {
    todo!()
}

/// Looks at what was captured of a map: what is not known is left out. A check that fails is an error, one that
/// cannot be evaluated is told.
///
/// # Errors
/// [`LayoutError`] names the check that failed, with the values in it.
pub fn figures(
    _profile: &Profile,
    _own: Address,
    _memory: &dyn Memory,
) -> Result<(Figures, Scope), LayoutError> {
    todo!()
}

/// The address that is the map's identity: its own, or its table's. 0 or unknown: none.
#[must_use]
pub fn identity(_profile: &Profile, _scope: &Scope, _memory: &dyn Memory) -> Option<Address> {
    todo!()
}

/// How the maps of a profile are sized, for the kind that `key` says (an empty one where all are of one kind).
/// `None`: the profile does not tell.
#[must_use]
pub fn sizes(_profile: &Profile, _id: SizesId, _key: &SizesKey) -> Option<Sizes> {
    todo!()
}

/// A value as it goes into a report.
#[must_use]
pub fn word(value: Value) -> Option<u64> {
    value.word()
}
