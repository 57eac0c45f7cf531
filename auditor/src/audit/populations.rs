//! Maps that are too small, or too long dead, to be listed one by one: what they come to together.

use std::collections::BTreeMap;

use super::life::Life;
use super::recognised::{Recognised, RuntimeId};
use super::report::{Growths, Population, PopulationBytes, Tables};

/// Sums by runtime.
#[derive(Clone, Debug, Default)]
pub(super) struct Populations {
    rows: BTreeMap<Option<RuntimeId>, Row>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    maps: u64,
    alive: u64,
    live: u64,
    capacity: u64,
    bytes: PopulationBytes,
    tables: Tables,
    growths: Growths,
}

impl Populations {
    /// One map more.
    pub(super) fn add(&mut self, life: &Life) {
        let row = self.rows.entry(life.runtime).or_default();
        row.maps = row.maps.saturating_add(1);
        row.tables = tables(row.tables, life.holding.ledger.seen());
        row.growths = growths(row.growths, life.growths);
        if life.gone.is_some() {
            return;
        }
        row.alive = row.alive.saturating_add(1);
        row.bytes.allocated += life.holding.allocated();
        if let Some((_, shape)) = &life.shape {
            row.live = row.live.saturating_add(shape.live);
            row.capacity = row.capacity.saturating_add(shape.capacity);
        }
    }

    /// As the report has it, by the runtime's name.
    pub(super) fn report(&self, recognised: &Recognised) -> Vec<Population> {
        let mut by_name: BTreeMap<&str, Row> = BTreeMap::new();
        for (&id, row) in &self.rows {
            by_name.entry(recognised.name(id)).or_default().merge(row);
        }
        by_name.into_iter().map(|(name, row)| row.report(name)).collect()
    }
}

impl Row {
    /// A map that was never looked at, and one that was, may turn out to be of the same runtime.
    fn merge(&mut self, other: &Self) {
        self.maps = self.maps.saturating_add(other.maps);
        self.alive = self.alive.saturating_add(other.alive);
        self.live = self.live.saturating_add(other.live);
        self.capacity = self.capacity.saturating_add(other.capacity);
        self.bytes.allocated += other.bytes.allocated;
        self.tables = tables(self.tables, other.tables);
        self.growths = growths(self.growths, other.growths);
    }

    fn report(self, runtime: &str) -> Population {
        Population {
            runtime: runtime.to_owned(),
            type_name: None,
            owner: None,
            maps: self.maps,
            alive: self.alive,
            live: self.live,
            capacity: self.capacity,
            bytes: self.bytes,
            tables: self.tables,
            growths: self.growths,
            near_empty: None,
            over_presized: None,
        }
    }
}

fn tables(one: Tables, other: Tables) -> Tables {
    Tables {
        allocated: one.allocated.saturating_add(other.allocated),
        allocated_bytes: one.allocated_bytes + other.allocated_bytes,
        freed: one.freed.saturating_add(other.freed),
        freed_bytes: one.freed_bytes + other.freed_bytes,
    }
}

fn growths(one: Growths, other: Growths) -> Growths {
    Growths {
        first: one.first.saturating_add(other.first),
        double: one.double.saturating_add(other.double),
        same_size: one.same_size.saturating_add(other.same_size),
        shrink: one.shrink.saturating_add(other.shrink),
        split: one.split.saturating_add(other.split),
        other: one.other.saturating_add(other.other),
    }
}
