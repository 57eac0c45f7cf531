//! The maps of a census with who holds them: the large ones one by one, the others as crowds of one type and
//! one owner.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::hash_map;

use rustc_hash::FxHashMap;

use super::census::{Counted, Listed, Small};
use super::owners::{self, Owner, Owners, Process, Wanted};
use super::types::{Guess, Known, MapTypes};
use crate::audit::fact::{Crowd, Described};
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

/// Crowds by kind, in the order in which they were met.
#[derive(Default)]
struct Kinds {
    all: Vec<(Kind, Crowd)>,
    /// For a guess and the number of an owner, which of them it is.
    places: FxHashMap<(Guess, u32), usize>,
}

impl Kinds {
    /// The crowd of maps of a guess and an owner with its number. Beyond [`KINDS`] nothing is told but whether they
    /// are reachable.
    fn crowd(&mut self, guess: Guess, (number, owner): (u32, &Owner)) -> Option<&mut Crowd> {
        let first = Crowd { needed: Some(Bytes(0)), ..Crowd::default() };
        let next = self.all.len();
        let place = match self.places.entry((guess, number)) {
            hash_map::Entry::Occupied(place) => *place.get(),
            hash_map::Entry::Vacant(place) if next < KINDS => {
                self.all.push(((guess, owner.type_at, owner.name, owner.reachable), first));
                *place.insert(next)
            }
            hash_map::Entry::Vacant(_) => {
                let others = self.all.iter().skip(KINDS).position(|(kind, _)| kind.3 == owner.reachable);
                if others.is_none() {
                    self.all.push(((Guess::default(), None, None, owner.reachable), first));
                }
                others.map_or(next, |place| KINDS + place)
            }
        };
        self.all.get_mut(place).map(|(_, crowd)| crowd)
    }
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

fn find(listed: &[Listed], small: &[Small], types: &MapTypes, process: &Process<'_>) -> Owners {
    let wanted = |at: Address, bytes: Bytes, guess: Guess, has_tables: bool| Wanted {
        at,
        bytes: bytes.0,
        types: types.places(guess),
        has_tables,
    };
    let large = listed
        .iter()
        .map(|Listed { seen, .. }| wanted(seen.at, seen.shape.allocated, seen.guess, seen.has_tables));
    let others = small.iter().map(|one| wanted(one.at, one.allocated, one.guess, one.has_tables));
    owners::find(process, &large.chain(others).collect::<Vec<_>>())
}

/// The type of a map of which only its owner tells it. What its entries have behind pointers, and what it would
/// need, was not known before.
fn only_told<'a>(types: &'a MapTypes, guess: Guess, owner: &Owner) -> Option<&'a Known> {
    owner.type_at.and_then(|at| types.at(at)).filter(|_| types.common(guess).is_none())
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
fn crowds(small: &[Small], found: &Owners, types: &MapTypes, runtime: &str) -> Vec<Crowd> {
    let owners = found.of.numbers();
    let owners = owners.get(owners.len().saturating_sub(small.len())..).unwrap_or_default();
    let mut kinds = Kinds::default();
    for (one, number) in small.iter().zip(owners) {
        let Some(owner) = found.of.kinds().get(*number as usize) else { continue };
        let (mut one, known) = (*one, only_told(types, one.guess, owner));
        one.allocated += Bytes(known.map_or(0, |known| known.behind).saturating_mul(one.live));
        let needed = match known {
            Some(known) => types.costs().needed(known, one.live),
            None => types.needed(one.guess, one.live),
        };
        if let Some(crowd) = kinds.crowd(one.guess, (*number, owner)) {
            one.add_to(needed, crowd);
        }
    }
    let named = |(guess, type_at, name, reachable): Kind| {
        let type_name = types.names(guess).0.or_else(|| types.types().name(type_at?));
        (type_name, name.and_then(|name| found.names.get(name)).cloned(), reachable)
    };
    // What is of one type by itself and what is by its owner are one crowd.
    let mut told = BTreeMap::<_, Crowd>::new();
    for (kind, crowd) in kinds.all {
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
