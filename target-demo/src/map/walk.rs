//! Counts a map by stepping through every slot of its tables. Nothing here reads the header: that
//! is what makes it a check on it.

use super::Map;
use super::bucket::top;
use super::table::Table;

/// What the tables of a map were found to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Live entries.
    pub(crate) live: u64,
    /// Slots of the current bucket array.
    pub(crate) capacity: u64,
    /// Slots of the current table that a delete emptied and a lookup must still step over.
    pub(crate) tombstones: u64,
    /// Overflow buckets chained in the current table.
    pub(crate) overflow: u64,
    /// Overflow buckets chained in the old table.
    pub(crate) old_overflow: u64,
    /// Bytes of the current table with its overflow areas.
    pub(crate) table_bytes: u64,
    /// Bytes of the old table with its overflow areas.
    pub(crate) old_table_bytes: u64,
}

#[derive(Default)]
struct Found {
    live: u64,
    tombstones: u64,
    overflow: u64,
}

fn search(table: &Table) -> Found {
    let mut found = Found::default();
    for index in 0..table.buckets() {
        let chain = table.chain(index);
        found.overflow += chain.buckets().count() as u64 - 1;
        // Nothing follows an empty rest; presized tables are full of chains that are nothing else.
        for place in chain.places().take_while(|place| place.top() != top::EMPTY_REST) {
            found.live += u64::from(place.top() >= top::LEAST);
            found.tombstones += u64::from(place.top() == top::EMPTY_ONE);
        }
    }
    found
}

impl Map {
    /// Counts everything anew.
    pub(crate) fn walk(&self) -> Walk {
        let mut walk = Walk::default();
        if let Some(table) = &self.current {
            let found = search(table);
            walk.live += found.live;
            walk.tombstones = found.tombstones;
            walk.overflow = found.overflow;
            walk.capacity = table.buckets() * super::bucket::SLOTS as u64;
            walk.table_bytes = table.bytes();
        }
        if let Some(old) = &self.old {
            let found = search(old.table());
            walk.live += found.live;
            walk.old_overflow = found.overflow;
            walk.old_table_bytes = old.table().bytes();
        }
        walk
    }
}
