//! What the allocator has.

use serde::{Deserialize, Serialize};

use crate::audit::fact;
use crate::audit::unit::Bytes;

/// What glibc's `malloc` has taken from the kernel, and what of it is free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arenas {
    /// How many arenas it has.
    pub count: u64,
    /// Taken from the kernel for them; requests that have mappings of their own are not among it.
    pub system: Bytes,
    /// Free behind the last chunk of each.
    pub top: Bytes,
    /// Free in chunks of at most 128 bytes, which are not merged with their neighbours.
    pub fast: Bytes,
    /// Free in other lists.
    pub binned: Bytes,
    /// Whether these are all free chunks; else they are lower bounds.
    pub whole: bool,
}

impl Arenas {
    /// All that is free.
    #[must_use]
    pub fn free(&self) -> Bytes {
        self.top + self.fast + self.binned
    }
}

impl From<&fact::Arenas> for Arenas {
    fn from(arenas: &fact::Arenas) -> Self {
        let fact::Arenas { arenas, system, top, fast, binned, whole } = *arenas;
        Self { count: arenas.into(), system, top, fast, binned, whole }
    }
}
