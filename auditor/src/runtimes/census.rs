//! What a look over a whole process asks for and finds. No probe, no stop: memory is read, that is all.

use crate::audit::fact::{Crowd, Described, Heap, Shape};
use crate::audit::unit::{Address, Bytes};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Maps that hold less may be told of as [`Crowd`]s.
    pub fold_below: Bytes,
    /// Whether the paths from the roots to the maps are wanted.
    pub owners: Owners,
}

/// Whether the paths from the roots to the maps are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// Yes: who holds them, and whether anything does.
    Find,
    /// No: it costs a walk over the heap.
    Leave,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Maps, by address.
    pub maps: Vec<Found>,
    /// What the others come to; `None`: there are no others.
    pub crowds: Option<Vec<Crowd>>,
    /// The managed heap, where there is one.
    pub heap: Option<Heap>,
    /// What the reader of a report should know about what was not seen, in words.
    pub notes: Vec<String>,
    /// Maps so far that the first census of this instance did not find and a later one did; `None`: this is
    /// the first, or not known.
    pub born: Option<u64>,
    /// How much of the target's memory was read.
    pub read: Bytes,
}

/// One map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub map: Address,
    /// What it looked like; `None`: [`super::Instance::look`] can tell from the bytes there.
    pub shape: Option<Shape>,
    /// Who it is, where more is known than the address.
    pub described: Option<Described>,
    /// Whether the first census of this instance did not find it, nor any other small map that lives there
    /// since.
    pub is_new: bool,
}

impl Census {
    /// A census that knows where the maps are and no more.
    #[must_use]
    pub fn of(maps: impl IntoIterator<Item = Address>) -> Self {
        let found = |map| Found { map, shape: None, described: None, is_new: false };
        Self { maps: maps.into_iter().map(found).collect(), ..Self::default() }
    }
}
