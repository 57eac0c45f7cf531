//! Which bytes of a map must be captured at a probe so that the layout can be evaluated without its memory, and
//! a memory of what was captured.

use super::expression::Chain;
use super::profile::{Metric, Profile};
use crate::audit::unit::Address;
use crate::target::memory::{Memory, ReadError};

/// Most bytes at `self` that are captured as one block.
pub const HEADER: usize = 128;

/// What is to be captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// How many bytes at `self`; 0: none.
    pub header: usize,
    /// Windows elsewhere, in an order in which each one's pointers come before it.
    pub windows: Vec<Window>,
    /// The metrics that can be evaluated from these.
    pub metrics: Vec<Metric>,
    /// What cannot, and why.
    pub missing: Vec<(String, Missing)>,
}

/// Why something cannot be evaluated from what is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// It reads at an address that is computed.
    #[error("it reads at an address that is computed")]
    Computed,
    /// More loads one behind the other than the kernel side follows.
    #[error("more loads one behind the other than the kernel side follows")]
    TooDeep,
    /// There is no room for another window.
    #[error("there is no room for another window")]
    NoRoom,
}

/// A few bytes behind pointers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// From `self` to the address of its first byte: the steps load pointers, `add` is the last offset.
    pub chain: Chain,
    /// How many bytes: 1, 2, 4 or 8.
    pub width: u8,
}

impl Window {
    /// The offsets before each load, the last one that of the window: what a capture of the kernel side takes.
    #[must_use]
    pub fn offsets(&self) -> Vec<i64> {
        self.chain.steps.iter().map(|step| step.offset).chain([self.chain.add]).collect()
    }
}

impl Windows {
    /// What a profile needs, with room for so many windows besides the header. What matters most comes first.
    #[must_use]
    pub fn of(_profile: &Profile, _room: usize) -> Self {
        todo!()
    }
}

/// A memory of what was captured at one moment. All else cannot be read: it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Snapshot {
    /// From the bytes at `own`, and the values of the windows in their order (`None`: it could not be read).
    #[must_use]
    pub fn new(_windows: &Windows, _own: Address, _header: Option<&[u8]>, _values: &[Option<u64>]) -> Self {
        todo!()
    }
}

impl Memory for Snapshot {
    fn read(&self, _at: Address, _into: &mut [u8]) -> Result<(), ReadError> {
        todo!()
    }
}

/// Memory with some bytes of it at hand already: they are read from there, all else from what lies beneath.
#[derive(Clone, Copy)]
pub struct Overlay<'a> {
    /// Where the bytes are from.
    pub at: Address,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where all else is read; `None`: it cannot be.
    pub beneath: Option<&'a dyn Memory>,
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay")
            .field("at", &self.at)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl Memory for Overlay<'_> {
    fn read(&self, _at: Address, _into: &mut [u8]) -> Result<(), ReadError> {
        todo!()
    }
}
