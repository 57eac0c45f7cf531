//! What a census of a whole process tells beside the shapes of single maps: who they are, and what
//! the many small ones come to.

use serde::{Deserialize, Serialize};

use super::super::unit::{Address, Bytes};

/// Who a map is. Told with the first look at it, and again when more is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// Which one.
    pub map: Address,
    /// Its type as the runtime writes it, such as `map[string]*main.User`; `None`: not known.
    pub type_name: Option<String>,
    /// Where `type_name` is not known, the types that it may be of, sorted; empty: no idea.
    pub candidates: Vec<String>,
    /// The path from a root to it, such as `main.globalCache -> (main.Cache).Inner.Idx`; `None`: none
    /// was found.
    pub owner: Option<String>,
    /// Whether any root leads to it; `None`: nobody looked, or the looking was cut short.
    pub reachable: Option<bool>,
}

/// Small maps of one type and one owner, as one census found them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    /// Which runtime's.
    pub runtime: String,
    /// As for one map; `None` also stands for all kinds beyond those that are told apart.
    pub type_name: Option<String>,
    /// As for one map.
    pub owner: Option<String>,
    /// As for one map.
    pub reachable: Option<bool>,
    /// How many there are.
    pub maps: u64,
    /// Their live entries.
    pub live: u64,
    /// Their slots.
    pub capacity: u64,
    /// What they hold: headers, tables, overflow.
    pub allocated: Bytes,
    /// What their live entries would need, each map just rebuilt; `None`: not known.
    pub needed: Option<Bytes>,
    /// Of the maps with a table, those whose live entries fill less than an eighth of it.
    pub near_empty: u64,
    /// Of these, those that never grew: they were made that large.
    pub over_presized: Option<u64>,
}
