//! Maps that are too small, or too long dead, to be listed one by one: what they come to together, by
//! runtime, type, owner and whether anything leads to them. Some are lives that were followed, the
//! others are crowds that a census added up itself.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::counts::{Growths, Tables};
use super::fact::Crowd;
use super::life::Life;
use super::recognised::{Recognised, RuntimeId};
use super::report::{Population, PopulationBytes};
use super::told::Kinds;
use super::unit::Bytes;
use super::who::kept;

/// Kinds that are told apart; a census tells no more. The maps of further kinds are one row for each
/// runtime.
const MOST: usize = 4096;

/// Sums by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Populations {
    rows: BTreeMap<Kind, Row>,
    /// Rows of which more is told than the runtime.
    told_apart: usize,
}

/// What is told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    runtime: Option<RuntimeId>,
    type_name: Option<Box<str>>,
    owner: Option<Box<str>>,
    reachable: Option<bool>,
}

/// Whether a map is among those that a census added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowded {
    /// It is: only what was seen to happen to it is news.
    Counted,
    /// It is not.
    Not,
}

/// The maps of one kind. What is not known of one of them is not known of all.
#[derive(Clone, Copy, Debug)]
struct Row {
    maps: u64,
    alive: u64,
    live: u64,
    capacity: u64,
    allocated: Bytes,
    needed: Option<Bytes>,
    near_empty: Option<u64>,
    over_presized: Option<u64>,
    /// `None`: nobody would have seen anything happen to them one by one.
    seen: Option<(Tables, Growths)>,
}

impl Populations {
    /// The small maps that a census found.
    pub(super) fn of_crowds(crowds: &[Crowd], recognised: &mut Recognised) -> Self {
        let mut populations = Self::default();
        for crowd in crowds {
            let kind = Kind {
                runtime: recognised.id(&crowd.runtime),
                type_name: crowd.type_name.as_deref().map(kept),
                owner: crowd.owner.as_deref().map(kept),
                reachable: crowd.reachable,
            };
            populations.put(kind, Row::of_crowd(crowd));
        }
        populations
    }

    /// What its maps hold, by whether anything leads to them.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (Option<bool>, Bytes)> {
        self.rows.iter().map(|(kind, row)| (kind.reachable, row.allocated))
    }

    /// One map more.
    pub(super) fn add(&mut self, life: &Life, crowded: Crowded) {
        let row = match crowded {
            Crowded::Counted => Row { seen: Row::of_life(life).seen, ..Row::NONE },
            Crowded::Not => Row::of_life(life),
        };
        self.put(Kind::of_life(life), row);
    }

    fn put(&mut self, kind: Kind, row: Row) {
        if let Some(sum) = self.rows.get_mut(&kind) {
            return sum.merge(row);
        }
        let rest = Kind { runtime: kind.runtime, ..Kind::default() };
        if kind != rest && self.told_apart < MOST {
            self.told_apart += 1;
            self.rows.insert(kind, row);
        } else {
            self.rows.entry(rest).and_modify(|sum| sum.merge(row)).or_insert(row);
        }
    }
}

/// Both sources as the report has them: largest first, what waits for the collector last.
pub(super) fn report(sources: [&Populations; 2], recognised: &Recognised, told: Kinds) -> Vec<Population> {
    let mut by_name: BTreeMap<Names<'_>, Row> = BTreeMap::new();
    for (kind, row) in sources.into_iter().flat_map(|source| &source.rows) {
        by_name.entry(kind.names(recognised)).and_modify(|sum| sum.merge(*row)).or_insert(*row);
    }
    let mut rows: Vec<Population> = by_name.into_iter().map(|(names, row)| row.report(names, told)).collect();
    rows.sort_by_key(|row| (row.reachable == Some(false), Reverse(row.bytes.allocated)));
    rows
}

/// A kind by the name of its runtime: a map that was never looked at, and one that was, may turn out to
/// be of the same one.
type Names<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<bool>);

impl Kind {
    fn names<'a>(&'a self, recognised: &'a Recognised) -> Names<'a> {
        let name = recognised.name(self.runtime);
        (name, self.type_name.as_deref(), self.owner.as_deref(), self.reachable)
    }

    fn of_life(life: &Life) -> Self {
        let runtime = life.runtime;
        match life.described.as_deref().filter(|_| life.gone.is_none()) {
            None => Self { runtime, ..Self::default() },
            Some(described) => Self {
                runtime,
                type_name: described.type_name.clone(),
                owner: described.owner.clone(),
                reachable: described.reachable,
            },
        }
    }
}

impl Row {
    /// No map at all.
    const NONE: Self = Self {
        maps: 0,
        alive: 0,
        live: 0,
        capacity: 0,
        allocated: Bytes(0),
        needed: Some(Bytes(0)),
        near_empty: Some(0),
        over_presized: Some(0),
        seen: None,
    };

    const fn of_crowd(crowd: &Crowd) -> Self {
        Self {
            maps: crowd.maps,
            alive: crowd.maps,
            live: crowd.live,
            capacity: crowd.capacity,
            allocated: crowd.allocated,
            needed: crowd.needed,
            near_empty: Some(crowd.near_empty),
            over_presized: crowd.over_presized,
            seen: None,
        }
    }

    fn of_life(life: &Life) -> Self {
        let seen = Some((life.holding.ledger.seen(), life.growths));
        if life.gone.is_some() {
            return Self { maps: 1, seen, ..Self::NONE };
        }
        let is_near_empty = |live: u64, slots: u64| u64::from(live.saturating_mul(8) < slots);
        Self {
            maps: 1,
            alive: 1,
            live: life.seen.map_or(0, |seen| seen.live),
            capacity: life.seen.map_or(0, |seen| seen.capacity),
            allocated: life.holding.allocated(),
            needed: life.seen.and_then(|seen| seen.needed),
            near_empty: life.seen.map(|seen| is_near_empty(seen.live, seen.capacity)),
            over_presized: None,
            seen,
        }
    }

    fn merge(&mut self, other: Self) {
        let both = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
        self.maps = self.maps.saturating_add(other.maps);
        self.alive = self.alive.saturating_add(other.alive);
        self.live = self.live.saturating_add(other.live);
        self.capacity = self.capacity.saturating_add(other.capacity);
        self.allocated += other.allocated;
        self.needed = self.needed.zip(other.needed).map(|(one, other)| one + other);
        self.near_empty = both(self.near_empty, other.near_empty);
        self.over_presized = both(self.over_presized, other.over_presized);
        self.seen = match (self.seen, other.seen) {
            (Some((mut tables, mut growths)), Some((more_tables, more_growths))) => {
                tables.add(more_tables);
                growths.add(more_growths);
                Some((tables, growths))
            }
            (one, other) => one.or(other),
        };
    }

    fn report(self, (runtime, type_name, owner, reachable): Names<'_>, told: Kinds) -> Population {
        let told = if self.seen.is_some() { told } else { Kinds::default() };
        let (tables, growths) = self.seen.unwrap_or_default();
        Population {
            runtime: runtime.to_owned(),
            type_name: type_name.map(str::to_owned),
            owner: owner.map(str::to_owned),
            reachable,
            maps: self.maps,
            alive: self.alive,
            live: self.live,
            capacity: self.capacity,
            bytes: PopulationBytes { allocated: self.allocated, needed: self.needed, stranded: None },
            tables: tables.report(told),
            growths: growths.report(told),
            near_empty: self.near_empty,
            over_presized: self.over_presized,
        }
    }
}
