//! The maps of a census with who holds them: the large ones one by one, the others as crowds of one type and
//! one owner.

use std::collections::BTreeMap;

use super::census::{Counted, Small};
use super::owners::{self, Owner, Owners, Process, Wanted};
use super::types::{Guess, MapTypes};
use crate::audit::fact::Crowd;
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::census::Found;

/// Most kinds of crowd that are told apart.
const KINDS: usize = 4096;

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

/// What makes a crowd: type, or else those it may be of; owner; whether it is reachable.
type Kind = (Option<Address>, Guess, Option<usize>, Option<bool>);

/// Finds out who holds the maps that were counted.
pub fn tell(mut counted: Counted, types: &MapTypes, process: &Process<'_>, runtime: &str) -> Held {
    let small = std::mem::take(&mut counted.small);
    let listed = counted.listed.iter().map(|listed| Small::of(&listed.seen));
    let all: Vec<Small> = listed.chain(small).collect();
    let mut sets: BTreeMap<Guess, Vec<Address>> = BTreeMap::new();
    for one in &all {
        sets.entry(one.guess).or_insert_with(|| types.places(one.guess).collect());
    }
    let wanted = all.iter().map(|one| Wanted {
        at: one.at,
        bytes: one.allocated.0,
        types: sets.get(&one.guess).map_or(&[], Vec::as_slice),
        has_tables: one.has_tables,
    });
    let found = owners::find(process, &wanted.collect::<Vec<_>>());
    let mut told = all.into_iter().zip(found.of.iter().copied()).map(|(one, owner)| told(one, owner, types));
    let of_listed: BTreeMap<Address, Told> =
        told.by_ref().take(counted.listed.len()).map(|told| (told.map.at, told)).collect();
    let crowds = crowds(told, &found, types, runtime);
    let mut maps = counted.found(types);
    for map in &mut maps {
        if let Some(told) = of_listed.get(&map.map) {
            describe(map, told, &found, types);
        }
    }
    Held { maps, crowds, notes: found.notes, read: found.read }
}

/// A map, and what is known of it by who holds it.
struct Told {
    map: Small,
    owner: Owner,
}

/// What a map holds and would need, where only its holder tells of which type it is: of types that differ in
/// what entries have behind pointers, nothing of that was counted.
fn told(map: Small, owner: Owner, types: &MapTypes) -> Told {
    let is_open = types.common(map.guess).is_none();
    let Some(known) = owner.type_at.and_then(|at| types.at(at)).filter(|_| is_open) else {
        return Told { map, owner };
    };
    let behind = Bytes(known.behind.saturating_mul(map.live));
    let needed = types.costs().needed(known, map.live);
    Told { map: Small { allocated: map.allocated + behind, needed, ..map }, owner }
}

fn describe(map: &mut Found, told: &Told, found: &Owners, types: &MapTypes) {
    if let Some(shape) = &mut map.shape {
        (shape.allocated, shape.needed) = (told.map.allocated, told.map.needed);
    }
    let Some(described) = &mut map.described else { return };
    described.owner = name(&told.owner, found);
    described.reachable = told.owner.reachable;
    if let Some(name) = told.owner.type_at.and_then(|at| types.types().name(at)) {
        described.type_name = Some(name);
        described.candidates.clear();
    }
}

fn name(owner: &Owner, found: &Owners) -> Option<String> {
    owner.name.and_then(|name| found.names.get(name)).cloned()
}

fn crowds(all: impl Iterator<Item = Told>, found: &Owners, types: &MapTypes, runtime: &str) -> Vec<Crowd> {
    let mut crowds: BTreeMap<Kind, Crowd> = BTreeMap::new();
    for Told { map, owner } in all {
        let guess = if owner.type_at.is_some() { Guess::default() } else { map.guess };
        let kind = (owner.type_at, guess, owner.name, owner.reachable);
        let is_one_more = crowds.len() < KINDS || crowds.contains_key(&kind);
        let kind = if is_one_more { kind } else { (None, Guess::default(), None, owner.reachable) };
        let first = || Crowd { needed: Some(Bytes(0)), ..Crowd::default() };
        map.add_to(crowds.entry(kind).or_insert_with(first));
    }
    let told = crowds.into_iter().map(|((type_at, guess, name, reachable), crowd)| Crowd {
        runtime: runtime.to_owned(),
        type_name: type_at.and_then(|at| types.types().name(at)).or_else(|| types.names(guess).0),
        owner: name.and_then(|name| found.names.get(name)).cloned(),
        reachable,
        ..crowd
    });
    told.collect()
}
