//! The truth: what really happened to each map, told without asking its header. Events come from
//! what the probe symbols were called with, inserts and deletes from what the operations returned,
//! the rest from a walk through the tables at the end. `Account::settle` holds the header against it.

use std::io;

use serde::Serialize;

use crate::map::{Blueprint, Count, HEADER_BYTES, Header, Map, Walk};

/// One map and what was done to it, from its birth on; kept when the map is gone.
#[derive(Debug)]
pub(crate) struct Account {
    name: String,
    address: u64,
    inserts: u64,
    deletes: u64,
    /// `None`: dropped.
    map: Option<Map>,
    /// Of a dropped map.
    last_count: Count,
}

impl Account {
    /// Of a new map.
    pub(crate) fn open(blueprint: &Blueprint) -> Self {
        let map = Map::new(blueprint);
        Self {
            name: map.name().to_owned(),
            address: map.header().address(),
            inserts: 0,
            deletes: 0,
            map: Some(map),
            last_count: Count::default(),
        }
    }

    /// Its map, unless that was dropped.
    #[inline]
    pub(crate) const fn map(&self) -> Option<&Map> {
        self.map.as_ref()
    }

    /// [`Map::get`]; a dropped map has nothing.
    #[inline]
    pub(crate) fn get(&self, key: u64) -> Option<u64> {
        self.map.as_ref()?.get(key)
    }

    /// [`Map::insert`]; a dropped map takes nothing.
    #[inline]
    pub(crate) fn insert(&mut self, key: u64, value: u64) -> Option<u64> {
        let before = self.map.as_mut()?.insert(key, value);
        self.inserts += u64::from(before.is_none());
        before
    }

    /// [`Map::remove`]; a dropped map has nothing.
    #[inline]
    pub(crate) fn remove(&mut self, key: u64) -> Option<u64> {
        let removed = self.map.as_mut()?.remove(key);
        self.deletes += u64::from(removed.is_some());
        removed
    }

    /// [`Map::shrink`].
    pub(crate) fn shrink(&mut self) {
        if let Some(map) = &mut self.map {
            map.shrink();
        }
    }

    /// Drops the map. The account stays.
    pub(crate) fn drop_map(&mut self) {
        if let Some(mut map) = self.map.take() {
            map.let_go();
            self.last_count = map.count();
        }
    }

    /// The truth about this map now, and what disagrees with it: nothing, unless this program has a bug.
    pub(crate) fn settle(&self) -> (MapTruth, Vec<String>) {
        let walk = self.map().map(Map::walk).unwrap_or_default();
        let truth = self.tell(&walk);
        let disagreements = self.disagreements(&truth, &walk);
        (truth, disagreements)
    }

    fn tell(&self, walk: &Walk) -> MapTruth {
        let count = self.map().map_or(self.last_count, Map::count);
        let dropped = self.map().is_none();
        let header = if dropped { 0 } else { HEADER_BYTES };
        MapTruth {
            address: format!("{:#x}", self.address),
            name: self.name.clone(),
            dropped,
            live: walk.live,
            capacity: walk.capacity,
            tombstones: walk.tombstones,
            overflow: walk.overflow + walk.old_overflow,
            events: self.events(&count),
            growths: Growths { double: count.double, same_size: count.same_size, shrink: count.shrink },
            bytes: header + walk.table_bytes + walk.old_table_bytes,
            table_bytes: walk.table_bytes,
            old_table_bytes: walk.old_table_bytes,
        }
    }

    const fn events(&self, count: &Count) -> Events {
        Events {
            allocate: count.allocate,
            allocate_bytes: count.allocate_bytes,
            grow: count.double + count.same_size + count.shrink,
            evacuate: count.evacuate,
            free: count.free,
            free_bytes: count.free_bytes,
            insert: self.inserts,
            delete: self.deletes,
        }
    }

    fn disagreements(&self, truth: &MapTruth, walk: &Walk) -> Vec<String> {
        let mut pairs = truth.balance();
        if let Some(map) = self.map() {
            pairs.extend(against_header(truth, walk, map.header()));
        }
        let differ = |(_, truth, other): &Pair| truth != other;
        let say =
            |(what, told, other)| format!("{} ({}): {what}: {told}, but {other}", truth.name, truth.address);
        pairs.into_iter().filter(differ).map(say).collect()
    }
}

/// Two tellings of one number: what it is, the truth, the other.
type Pair = (&'static str, u64, u64);

fn against_header(truth: &MapTruth, walk: &Walk, header: &Header) -> [Pair; 13] {
    let capacity = if header.table.get() == 0 { 0 } else { 8 << header.log2.get() };
    [
        ("live entries, header", truth.live, header.live.get()),
        ("capacity, header", truth.capacity, capacity),
        ("tombstones, header", truth.tombstones, header.tombstones.get()),
        ("overflow, header", walk.overflow, header.overflow.get().into()),
        ("old overflow, header", walk.old_overflow, header.old_overflow.get().into()),
        ("table bytes, header", truth.table_bytes, header.table_bytes.get()),
        ("old table bytes, header", truth.old_table_bytes, header.old_table_bytes.get()),
        ("inserts, header", truth.events.insert, header.inserted.get()),
        ("deletes, header", truth.events.delete, header.removed.get()),
        ("evacuations, header", truth.events.evacuate, header.moved_ever.get()),
        ("doublings, header", truth.growths.double, header.doublings.get().into()),
        ("same-size growths, header", truth.growths.same_size, header.same_size_growths.get().into()),
        ("shrinks, header", truth.growths.shrink, header.shrinks.get().into()),
    ]
}

/// The truth about one map, as the JSON has it.
#[derive(Debug, Serialize)]
pub(crate) struct MapTruth {
    address: String,
    name: String,
    dropped: bool,
    live: u64,
    capacity: u64,
    tombstones: u64,
    overflow: u64,
    events: Events,
    growths: Growths,
    bytes: u64,
    table_bytes: u64,
    old_table_bytes: u64,
}

#[derive(Debug, Serialize)]
struct Events {
    allocate: u64,
    allocate_bytes: u64,
    grow: u64,
    evacuate: u64,
    free: u64,
    free_bytes: u64,
    insert: u64,
    delete: u64,
}

#[derive(Debug, Serialize)]
struct Growths {
    double: u64,
    same_size: u64,
    shrink: u64,
}

impl MapTruth {
    /// What must add up within the truth itself.
    fn balance(&self) -> Vec<Pair> {
        let held = self.events.allocate_bytes.wrapping_sub(self.events.free_bytes);
        let mut pairs =
            vec![("bytes asked for less bytes let go", self.table_bytes + self.old_table_bytes, held)];
        if !self.dropped {
            let kept = self.events.insert.wrapping_sub(self.events.delete);
            pairs.push(("inserts less deletes", self.live, kept));
        }
        pairs
    }
}

/// The whole truth of a run, as the JSON has it.
#[derive(Debug, Serialize)]
pub(crate) struct Truth {
    pub(crate) schema: &'static str,
    pub(crate) pid: u32,
    pub(crate) scenario: &'static str,
    pub(crate) seed: u64,
    pub(crate) operations: u64,
    pub(crate) elapsed_ns: u64,
    pub(crate) cpu_ns: u64,
    pub(crate) maps: Vec<MapTruth>,
}

impl Truth {
    /// The name and version of the JSON.
    pub(crate) const SCHEMA: &'static str = "demo.truth/1";

    /// Writes it as one JSON object and a newline.
    pub(crate) fn write(&self, mut to: impl io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut to, self)?;
        to.write_all(b"\n")?;
        to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Spread;

    fn account() -> Account {
        let blueprint = Blueprint { name: "told".into(), room_for: 0, seed: 5, spread: Spread::Even };
        let mut account = Account::open(&blueprint);
        for key in 0..5_000 {
            account.insert(key, key);
        }
        for key in 0..700 {
            account.remove(key * 3);
            account.insert(key, key);
        }
        account
    }

    #[test]
    fn truth_and_header_agree_when_nothing_lies() {
        assert_eq!(account().settle().1, Vec::<String>::new());
    }

    #[test]
    fn a_header_that_lies_is_found_out_field_by_field() {
        type Lie = fn(&Header);
        let lies: [(&str, Lie); 8] = [
            ("live entries", |header| header.live.change(1)),
            ("capacity", |header| header.log2.set(header.log2.get() + 1)),
            ("tombstones", |header| header.tombstones.change(1)),
            ("overflow", |header| header.overflow.increment()),
            ("table bytes", |header| header.table_bytes.change(-144)),
            ("inserts", |header| header.inserted.change(-1)),
            ("evacuations", |header| header.moved_ever.change(1)),
            ("doublings", |header| header.doublings.increment()),
        ];
        for (field, lie) in lies {
            let account = account();
            lie(account.map().unwrap().header());
            let found = account.settle().1;
            assert_eq!(found.len(), 1, "{field}: {found:?}");
            assert!(found[0].contains(field), "{field}: {found:?}");
        }
    }

    #[test]
    fn an_account_that_lies_is_found_out_too() {
        let mut account = account();
        account.inserts += 1;
        assert_eq!(account.settle().1.len(), 2, "the walk and the header both object");
    }

    #[test]
    fn a_dropped_map_keeps_its_events_and_holds_nothing() {
        let mut account = account();
        account.drop_map();
        assert_eq!(account.settle().1, Vec::<String>::new());
        let truth = account.settle().0;
        assert!(truth.dropped);
        assert_eq!((truth.live, truth.capacity, truth.bytes), (0, 0, 0));
        assert_eq!(truth.events.allocate, truth.events.free);
        assert!(truth.events.insert > 5_000);
        assert_eq!(account.insert(1, 1), None);
    }
}
