//! The described maps that are known: those that hooks told of, and those that roots led to.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};

use crate::audit::fact::Shape;
use crate::audit::unit::{Address, Bytes, Nanos};

/// Most maps that are known at once: as many as the audit follows.
const MOST: usize = 1 << 18;
/// A map that cannot be understood so many censuses in a row is there no more.
const STRIKES: u8 = 2;

/// How often a map's block is asked in vain.
const QUESTIONS: u8 = 3;
/// Tables that are remembered as let go: as many as calls may be under way at once.
const CALLS: usize = 256;

/// How long a growth may take to tell of its new table after the old one was given back.
const PATIENCE: Nanos = Nanos(1_000_000_000);

/// A table: where it is and how large.
pub(super) type Table = (Address, Bytes);

/// What is known of one map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Map {
    /// Where its header is, or was when something was told of it last.
    pub(super) own: Address,
    /// Its tables, as they were told last.
    pub(super) tables: Vec<Table>,
    /// What it looked like then.
    pub(super) shape: Option<Shape>,
    /// Bytes of an element, where its block said it; 0: none does.
    element: Cell<Option<u64>>,
    asked: Cell<u8>,
    /// The name of the function that told of it, where that may tell a type.
    pub(super) shown: Option<String>,
    strikes: u8,
}

impl Map {
    /// Bytes of an element; 0: not to be found. `None`: not asked, or not often enough.
    pub(super) fn element(&self) -> Option<u64> {
        self.element.get()
    }

    /// Whether its block was ever asked.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.get() > 0
    }

    /// Its block was asked. Whoever gets no answer asks again, for the map may just have changed, but not for ever: where
    /// another allocator made the block, each question looks at memory that is none of the map's.
    pub(super) fn asked(&self, answer: Option<u64>) {
        let asked = self.asked.get().saturating_add(1);
        self.asked.set(asked);
        match answer {
            Some(size) => self.element.set(Some(size)),
            None if asked >= QUESTIONS => self.element.set(Some(0)),
            None => {}
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Known {
    maps: BTreeMap<Address, Map>,
    /// Where the table of a map that is known by another one, its first, is now.
    names: BTreeMap<Address, Address>,
    not_followed: u64,
    /// Bytes of an element by hook: its function is of one type.
    elements: BTreeMap<String, u64>,
    /// Maps whose table went back to the kernel, when, and which.
    doomed: Vec<(Nanos, Address, Address)>,
    /// Tables that were let go lately, when and of which map: a call that is under way will find them gone.
    let_go: VecDeque<(Nanos, Address, Address)>,
}

impl Known {
    /// The name under which facts tell of the map with that identity: where its identity was met first.
    pub(super) fn name(&self, identity: Address) -> Address {
        self.names.get(&identity).copied().unwrap_or(identity)
    }

    /// A map's identity has changed.
    pub(super) fn moves(&mut self, from: Address, to: Address) {
        if from == to {
            return;
        }
        let name = self.names.remove(&from).unwrap_or(from);
        if self.names.len() < MOST {
            self.names.insert(to, name);
        }
    }

    /// Bytes of an element of the maps that a hook tells of.
    pub(super) fn element_at(&self, hook: &str) -> Option<u64> {
        self.elements.get(hook).copied()
    }

    /// The same, which is known now.
    pub(super) fn has_element(&mut self, hook: &str, size: u64) {
        match self.elements.get_mut(hook) {
            Some(known) => *known = size,
            None => _ = self.elements.insert(hook.to_owned(), size),
        }
    }

    pub(super) fn get(&self, name: Address) -> Option<&Map> {
        self.maps.get(&name)
    }

    /// A table of it was let go, and that has been told.
    pub(super) fn lets_go(&mut self, at: Nanos, name: Address, table: Address) {
        if self.let_go.len() >= CALLS {
            self.let_go.pop_front();
        }
        self.let_go.push_back((at, name, table));
    }

    /// Whether a probe within a call, from then on and until then, has told that a table of it was let go.
    pub(super) fn has_let_go(&self, name: Address, table: Address, (from, to): (Nanos, Nanos)) -> bool {
        let is_it = |(at, of, gone): &(Nanos, Address, Address)| {
            (*of, *gone) == (name, table) && (from..=to).contains(at)
        };
        self.let_go.iter().any(is_it)
    }

    /// The one of that name, which is known from now on. `None`: there are too many.
    pub(super) fn meet(&mut self, name: Address, own: Address) -> Option<&mut Map> {
        if self.maps.len() >= MOST && !self.maps.contains_key(&name) {
            self.not_followed += 1;
            return None;
        }
        let map = self.maps.entry(name).or_default();
        map.own = own;
        map.strikes = 0;
        Some(map)
    }

    /// It is dead. Gives what was known of it.
    pub(super) fn forget(&mut self, name: Address) -> Option<Map> {
        self.names.retain(|_, known| *known != name);
        self.maps.remove(&name)
    }

    /// All, by name, after those have gone that `lives` denies again and again.
    pub(super) fn living(&mut self, lives: impl Fn(Address, &Map) -> bool) -> Vec<Address> {
        let mut dead = Vec::new();
        for (name, map) in &mut self.maps {
            map.strikes = if lives(*name, map) { 0 } else { map.strikes + 1 };
            if map.strikes >= STRIKES {
                dead.push(*name);
            }
        }
        dead.into_iter().for_each(|name| _ = self.forget(name));
        self.maps.keys().copied().collect()
    }

    /// The target gave a range back: a map whose table lay there is dead, if nothing tells of another table soon.
    pub(super) fn unmapped(&mut self, at: Nanos, (start, len): (Address, Bytes)) {
        let lay_there = |(table, _): &&Table| table.0.wrapping_sub(start.0) < len.0;
        let doomed = self.maps.iter().filter_map(|(name, map)| {
            map.tables.first().filter(lay_there).map(|(table, _)| (at, *name, *table))
        });
        self.doomed.extend(doomed);
    }

    /// Those that have died so by now.
    pub(super) fn dead(&mut self, now: Nanos) -> Vec<(Address, Map)> {
        let due: Vec<_> = self.doomed.extract_if(.., |(at, ..)| at.plus(PATIENCE) <= now).collect();
        let mut dead = Vec::new();
        for (_, name, table) in due {
            let still = self.maps.get(&name).and_then(|map| map.tables.first());
            if still.is_some_and(|(at, _)| *at == table) {
                dead.extend(self.forget(name).map(|map| (name, map)));
            }
        }
        dead
    }

    /// How often there was no room for another one.
    pub(super) const fn not_followed(&self) -> u64 {
        self.not_followed
    }
}
