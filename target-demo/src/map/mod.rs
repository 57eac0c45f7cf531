//! A hash map built as Go's bucket map is (Go 1.23, runtime/map.go), from `u64` to `u64`: 8 slots a
//! bucket, a tophash byte a slot, overflow buckets, load factor 6.5, and growth that moves two old
//! buckets a write.
//!
//! This file is what a user of the map sees. `growth.rs` has how it grows, `chain.rs` and
//! `bucket.rs` what a lookup steps through, `table.rs` and `memory.rs` where it all lies. What
//! outsiders may rely on is in docs/demo-map.md: `header.rs`, `registry.rs` and `symbols.rs`.

mod bucket;
mod calls;
mod chain;
mod growth;
mod hash;
mod header;
mod memory;
mod registry;
mod symbols;
mod table;
mod walk;

use std::fmt;

use bucket::top;
use calls::Calls;
pub(crate) use calls::Count;
use chain::{Chain, Place, Seat};
use growth::Evacuation;
pub(crate) use growth::{Progress, largest_without_growth};
use hash::Hash;
pub(crate) use hash::{Spread, mix};
pub(crate) use header::{HEADER_BYTES, Header};
use table::Table;
pub(crate) use walk::Walk;

/// What a new map is to be like.
#[derive(Clone, Debug)]
pub(crate) struct Blueprint {
    /// What it is called. Outsiders read it; cut to 64 bytes.
    pub(crate) name: String,
    /// Entries it is to hold without growing; 0: the least.
    pub(crate) room_for: u64,
    /// Seed of its hash.
    pub(crate) seed: u64,
    /// How well its hash spreads.
    pub(crate) spread: Spread,
}

/// The map. It lets its tables go when it is dropped.
pub(crate) struct Map {
    hash: Hash,
    current: Option<Table>,
    old: Option<Evacuation>,
    header: Box<Header>,
    calls: Calls,
    first_log2: u8,
    listed: Option<registry::Slot>,
    name: Box<str>,
}

impl Map {
    /// An empty map. Its first table is asked for by its first insert.
    pub(crate) fn new(blueprint: &Blueprint) -> Self {
        let name: Box<str> = cut(&blueprint.name, header::NAME_BYTES).into();
        let header = Box::new(Header::new(&name));
        Self {
            hash: Hash::new(blueprint.seed, blueprint.spread),
            current: None,
            old: None,
            calls: Calls::new(header.address()),
            first_log2: growth::log2_for(blueprint.room_for),
            listed: Some(registry::enter(&header)),
            header,
            name,
        }
    }

    /// The value of `key`.
    #[inline]
    pub(crate) fn get(&self, key: u64) -> Option<u64> {
        let hash = self.hash.of(key);
        let place = self.readable_chain(hash)?.find(top::of(hash), key)?;
        Some(place.bucket.value(place.slot))
    }

    /// Sets the value of `key` and returns the one it had.
    pub(crate) fn insert(&mut self, key: u64, value: u64) -> Option<u64> {
        let hash = self.hash.of(key);
        self.move_two_old_buckets(hash);
        let Some(table) = &self.current else {
            self.ask_for_first_table();
            return self.insert(key, value);
        };
        let seat = table.chain(hash).seat(top::of(hash), key);
        if let Seat::Taken(place) = seat {
            return Some(place.bucket.replace_value(place.slot, value));
        }
        if let Some(growth) = self.growth_due(table) {
            self.start(growth);
            return self.insert(key, value);
        }
        self.occupy(table, &seat).put(top::of(hash), key, value);
        self.header.live.change(1);
        self.header.inserted.change(1);
        None
    }

    /// Takes `key` out and returns its value. Like Go's, a map keeps its tables however little is left.
    pub(crate) fn remove(&mut self, key: u64) -> Option<u64> {
        let hash = self.hash.of(key);
        self.move_two_old_buckets(hash);
        let chain = self.current.as_ref()?.chain(hash);
        let place = chain.find(top::of(hash), key)?;
        let value = place.bucket.value(place.slot);
        let tombstones = chain.empty(place);
        self.header.tombstones.change(tombstones);
        self.header.live.change(-1);
        self.header.removed.change(1);
        Some(value)
    }

    /// Entries a lookup could find, as the header counts them.
    pub(crate) fn live(&self) -> u64 {
        self.header.live.get()
    }

    /// Its header.
    pub(crate) const fn header(&self) -> &Header {
        &self.header
    }

    /// What it is called.
    pub(crate) const fn name(&self) -> &str {
        &self.name
    }

    /// What the probe symbols were called with in its name.
    pub(crate) const fn count(&self) -> Count {
        self.calls.count()
    }

    /// Lets all tables go and takes the map off the registry. What is left is empty and unlisted.
    pub(crate) fn let_go(&mut self) {
        let Some(slot) = self.listed.take() else { return };
        self.header.flags.set(self.header.flags.get() | header::flag::DROPPED);
        if let Some(evacuation) = self.old.take() {
            evacuation.release(&self.calls);
        }
        if let Some(table) = self.current.take() {
            table.release(&self.calls);
        }
        registry::leave(slot);
    }

    /// The chain in which a lookup must search: the old one until it has been moved.
    #[inline]
    fn readable_chain(&self, hash: u64) -> Option<Chain<'_>> {
        let unmoved = self.old.as_ref().and_then(|old| old.unmoved_chain(hash));
        unmoved.or_else(|| self.current.as_ref().map(|table| table.chain(hash)))
    }

    fn ask_for_first_table(&mut self) {
        let table = Table::allocate(self.first_log2, &self.calls);
        self.publish_table(&table);
        self.current = Some(table);
    }

    /// The free place that `seat` found, or one in a new overflow bucket.
    #[inline]
    fn occupy<'a>(&self, table: &'a Table, seat: &Seat<'a>) -> Place<'a> {
        match *seat {
            Seat::Taken(place) => place,
            Seat::Free(place) => {
                if place.top() == top::EMPTY_ONE {
                    self.header.tombstones.change(-1);
                }
                place
            }
            Seat::Full(last) => {
                let bucket = table.extend(last, &self.calls);
                self.publish_overflow(table);
                Place { bucket, slot: 0 }
            }
        }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Map")
            .field("name", &self.name)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// `text`, at most `bytes` long, cut between two characters.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests;
