//! The maps of a census with who holds them: the large ones one by one, the others as crowds of one type and
//! one owner.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::hash_map;

use rustc_hash::FxHashMap;

use super::census::{Counted, Listed, Small};
use super::owners::{self, Asked, Owner, Owners, Process, Wanted};
use super::types::{Guess, Known, MapTypes};
use crate::audit::fact::{Crowd, Described, SizesId};
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::census::{Found, add};

/// Most kinds of crowd that are added up. Of so many `Census::bound_crowds` keeps the largest, and says so.
const KINDS: usize = 1 << 16;

/// What is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Large maps, by address.
    pub maps: Vec<Found>,
    /// The others.
    pub crowds: Vec<Crowd>,
    /// What was not seen, in words.
    pub notes: Vec<String>,
    /// How much memory was read.
    pub read: Bytes,
}

/// What makes a crowd: type, owner, whether it is reachable.
type Kind = (Guess, Option<Address>, Option<usize>, Option<bool>);

/// A kind of crowd, and what is known of each map of it.
struct Sum {
    kind: Kind,
    crowd: Crowd,
    told: Option<Told>,
}

/// A type that only the owner tells: its number, and what each entry has behind pointers.
#[derive(Clone, Copy)]
struct Told {
    id: SizesId,
    behind: u64,
}

impl Told {
    fn of(types: &MapTypes, guess: Guess, owner: &Owner) -> Option<Self> {
        let known = only_told(types, guess, owner)?;
        Some(Self { id: types.sizes_id_of(known)?, behind: known.behind })
    }
}

impl Sum {
    fn new(kind: Kind, told: Option<Told>) -> Self {
        let crowd = Crowd { needed: Some(Bytes(0)), ..Crowd::default() };
        Self { kind, crowd, told }
    }
}

/// Crowds by kind, in the order in which they were met.
struct Kinds<'a> {
    types: &'a MapTypes,
    all: Vec<Sum>,
    /// For a guess and the number of an owner, which of them it is.
    places: FxHashMap<(Guess, u32), usize>,
    /// The one that was asked for last: maps that lie side by side are often alike.
    last: Option<((Guess, u32), usize)>,
}

impl<'a> Kinds<'a> {
    fn new(types: &'a MapTypes) -> Self {
        Self { types, all: Vec::new(), places: FxHashMap::default(), last: None }
    }

    /// Adds a map that has an owner with its number.
    fn add(&mut self, one: &Small, (number, owner): (u32, &Owner)) {
        let key = (one.guess, number);
        let last = self.last.filter(|(last, _)| *last == key).map(|(_, place)| place);
        let place = last.or_else(|| self.place(key, owner));
        self.last = place.map(|place| (key, place));
        let types = self.types;
        if let Some(sum) = place.and_then(|place| self.all.get_mut(place)) {
            add_as(one, sum.told, types, &mut sum.crowd);
        } else if let Some(crowd) = self.others(owner) {
            add_as(one, Told::of(types, one.guess, owner), types, crowd);
        }
    }

    /// Which crowd it is; `None`: there are [`KINDS`] others.
    fn place(&mut self, key: (Guess, u32), owner: &Owner) -> Option<usize> {
        let next = self.all.len();
        match self.places.entry(key) {
            hash_map::Entry::Occupied(place) => Some(*place.get()),
            hash_map::Entry::Vacant(place) if next < KINDS => {
                let kind = (key.0, owner.type_at, owner.name, owner.reachable);
                self.all.push(Sum::new(kind, Told::of(self.types, key.0, owner)));
                Some(*place.insert(next))
            }
            hash_map::Entry::Vacant(_) => None,
        }
    }

    /// Beyond [`KINDS`] nothing is told but whether maps are reachable.
    fn others(&mut self, owner: &Owner) -> Option<&mut Crowd> {
        let others = self.all.iter().skip(KINDS).position(|sum| sum.kind.3 == owner.reachable);
        let place = others.map_or(self.all.len(), |place| KINDS + place);
        if others.is_none() {
            self.all.push(Sum::new((Guess::default(), None, None, owner.reachable), None));
        }
        self.all.get_mut(place).map(|sum| &mut sum.crowd)
    }
}

/// Adds a map to a crowd; `told`: its type, if only its owner tells it.
fn add_as(one: &Small, told: Option<Told>, types: &MapTypes, crowd: &mut Crowd) {
    let behind = told.map_or(0, |told| told.behind).saturating_mul(one.live);
    let needed = match told {
        Some(told) => types.needed_of(told.id, one.live),
        None => types.needed(one.guess, one.live),
    };
    Small { allocated: one.allocated + Bytes(behind), ..*one }.add_to(needed, crowd);
}

/// Finds out who holds the maps that were counted.
pub fn tell(mut counted: Counted, types: &MapTypes, process: &Process<'_>, runtime: &str) -> Held {
    let small = std::mem::take(&mut counted.small);
    let found = find(&counted.listed, &small, types, process);
    let mut owner_of = BTreeMap::new();
    for (Listed { seen, .. }, owner) in counted.listed.iter_mut().zip(found.of.iter()) {
        if let Some(known) = only_told(types, seen.guess, owner) {
            seen.shape.allocated += Bytes(known.behind.saturating_mul(seen.shape.live));
            seen.shape.needed = types.costs().needed(known, seen.shape.live);
            seen.shape.sizes = types.sizes_id_of(known);
        }
        owner_of.insert(seen.at, *owner);
    }
    let crowds = crowds(&small, &found, types, runtime);
    let mut maps = counted.found(types);
    for map in &mut maps {
        if let (Some(owner), Some(described)) = (owner_of.get(&map.map), &mut map.described) {
            describe(described, owner, &found, types);
        }
    }
    Held { maps, crowds, notes: found.notes, read: found.read }
}

fn find(listed: &[Listed], small: &[Vec<Small>], types: &MapTypes, process: &Process<'_>) -> Owners {
    let wanted = |Listed { seen, .. }: &Listed| Wanted {
        at: seen.at,
        bytes: seen.shape.allocated.0,
        types: types.places(seen.guess),
        has_tables: seen.has_tables,
    };
    let first: Vec<Wanted<'_>> = listed.iter().map(wanted).collect();
    owners::find(process, Asked { first: &first, small, types: Some(types) })
}

/// The type of a map of which only its owner tells it. What its entries have behind pointers, and what it would
/// need, was not known before.
fn only_told<'a>(types: &'a MapTypes, guess: Guess, owner: &Owner) -> Option<&'a Known> {
    let at = owner.type_at.filter(|_| types.common(guess).is_none())?;
    types.at(at)
}

fn describe(described: &mut Described, owner: &Owner, found: &Owners, types: &MapTypes) {
    described.owner = name(owner, found);
    described.reachable = owner.reachable;
    if described.type_name.is_none()
        && let Some(name) = owner.type_at.and_then(|at| types.types().name(at))
    {
        described.type_name = Some(name);
        described.candidates.clear();
    }
}

fn name(owner: &Owner, found: &Owners) -> Option<String> {
    owner.name.and_then(|name| found.names.get(name)).cloned()
}

/// Adds up the maps that are not listed: those behind the listed ones in what was found.
fn crowds(small: &[Vec<Small>], found: &Owners, types: &MapTypes, runtime: &str) -> Vec<Crowd> {
    let owners = found.of.numbers();
    let count = small.iter().map(Vec::len).sum();
    let owners = owners.get(owners.len().saturating_sub(count)..).unwrap_or_default();
    let mut kinds = Kinds::new(types);
    for (one, number) in small.iter().flatten().zip(owners) {
        if let Some(owner) = found.of.kinds().get(*number as usize) {
            kinds.add(one, (*number, owner));
        }
    }
    let named = |(guess, type_at, name, reachable): Kind| {
        let type_name = types.names(guess).0.or_else(|| types.types().name(type_at?));
        (type_name, name.and_then(|name| found.names.get(name)).cloned(), reachable)
    };
    // What is of one type by itself and what is by its owner are one crowd.
    let mut told = BTreeMap::<_, Crowd>::new();
    for Sum { kind, crowd, .. } in kinds.all {
        match told.entry(named(kind)) {
            Entry::Occupied(mut sum) => add(sum.get_mut(), &crowd),
            Entry::Vacant(place) => _ = place.insert(crowd),
        }
    }
    let crowd = |((type_name, owner, reachable), crowd)| {
        let runtime = runtime.to_owned();
        Crowd { runtime, type_name, owner, reachable, ..crowd }
    };
    told.into_iter().map(crowd).collect()
}
