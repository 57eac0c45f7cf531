//! Where a map's memory is: what the page map is asked for.

use crate::audit::unit::{Address, Bytes};

/// Most ranges of one map: one with more tables is not asked for.
pub const MOST: usize = 1 << 17;

/// Where a map's memory is at one moment. What it holds elsewhere (overflow buckets that only its chains lead to,
/// keys and elements behind pointers) is not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Its current tables.
    pub current: Vec<(Address, Bytes)>,
    /// The old ones while it evacuates.
    pub old: Vec<(Address, Bytes)>,
    /// Header, directory, the headers of its tables.
    pub rest: Vec<(Address, Bytes)>,
}

impl Ranges {
    /// How long they are together.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        let all = self.current.iter().chain(&self.old).chain(&self.rest);
        all.fold(Bytes(0), |sum, (_, len)| sum + *len)
    }

    /// All of them: the current ones, the old ones, the rest.
    #[must_use]
    pub fn all(&self) -> Vec<(Address, Bytes)> {
        [&self.current[..], &self.old, &self.rest].concat()
    }
}
