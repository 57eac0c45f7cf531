//! PURE: hooks and host facts to placements and refusals. `place.rs` does what this says;
//! `--dry-run` and `auditor doctor` print it. Every refusal has a reason and a remedy.

use std::path::PathBuf;

use crate::audit::unit::{Address, Nanos};
use crate::runtimes::hook::Hook;

/// One hook that can be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Number within the audit; the index of its spec.
    pub id: u32,
    /// What to do there.
    pub hook: Hook,
    /// The file to put it in, by a path that works from any mount namespace.
    pub file: PathBuf,
    /// Offset of the site in the file.
    pub offset: u64,
    /// Where the site is in the target.
    pub address: Address,
    /// The bytes that must be there.
    pub bytes: Vec<u8>,
    /// For people: file, symbol, offset, instruction.
    pub place: String,
    /// Estimated cost of a hit.
    pub cost: Nanos,
    /// Bytes of a map's header.
    pub header_len: u32,
}
