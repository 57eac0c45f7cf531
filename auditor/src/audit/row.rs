//! One map as the report lists it.

use super::held::in_ram;
use super::life::Life;
use super::recognised::Recognised;
use super::report::{Map, MapBytes};
use super::seen::Seen;
use super::stacks::Stacks;
use super::told::Kinds;
use super::unit::{Bytes, Nanos};
use super::who::Description;

/// What a row is drawn with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    /// The end of the window.
    pub(super) now: Nanos,
    /// For the runtime's name.
    pub(super) recognised: &'a Recognised,
    /// For the call stack.
    pub(super) stacks: &'a Stacks,
    /// For tables and growths.
    pub(super) told: Kinds,
}

/// The row of one map.
pub(super) fn row(life: &Life, context: Context<'_>) -> Map {
    let described = life.described.as_deref();
    let described = |of: fn(&Description) -> Option<&str>| described.and_then(of).map(str::to_owned);
    Map {
        runtime: context.recognised.name(life.runtime).to_owned(),
        type_name: described(|who| who.type_name.as_deref()),
        candidates: candidates(life),
        name: life.name().map(str::to_owned),
        owner: described(|who| who.owner.as_deref()),
        site: life.site.map_or_else(Vec::new, |(_, stack)| context.stacks.frames(stack)),
        next_growth: life.next_growth(context.now),
        ..figures(life, context)
    }
}

/// The same without what it is called, where it grew from, and what is foretold of it. A dead map holds nothing,
/// whatever it looked like last.
pub(super) fn figures(life: &Life, context: Context<'_>) -> Map {
    let dead = life.gone.is_some();
    let entries = |of: fn(Seen) -> Option<u64>| if dead { Some(0) } else { life.seen.and_then(of) };
    Map {
        address: life.address,
        pid: None,
        runtime: String::new(),
        type_name: None,
        candidates: Vec::new(),
        name: None,
        origin: life.birth.origin(),
        born: life.born(),
        died: life.gone,
        reachable: life.described.as_ref().filter(|_| !dead).and_then(|who| who.reachable),
        owner: None,
        site: Vec::new(),
        live: entries(|seen| Some(seen.live)),
        capacity: entries(|seen| Some(seen.capacity)),
        tombstones: entries(|seen| seen.tombstones),
        overflow: entries(|seen| seen.overflow),
        bytes: if dead { bytes_of_dead(life) } else { bytes(life) },
        tables: life.holding.ledger.seen().report(context.told),
        growths: life.growths.report(context.told),
        cleared: life.growths.cleared(context.told),
        evacuation: life.evacuation.map(|evacuation| evacuation.report(context.now)),
        next_growth: None,
        sizes: life.seen.and_then(|seen| seen.sizes).filter(|_| !dead),
        verdict: None,
        outlook: None,
    }
}

fn candidates(life: &Life) -> Vec<String> {
    let candidates = life.described.iter().flat_map(|who| &who.candidates);
    candidates.map(|name| name.clone().into_string()).collect()
}

fn bytes(life: &Life) -> MapBytes {
    let known = life.holding.is_known();
    let (resident, needed) = (in_ram(life), life.seen.and_then(|seen| seen.needed));
    MapBytes {
        allocated: known.then(|| life.holding.allocated()),
        resident,
        needed,
        stranded: resident.zip(needed).map(|(resident, needed)| resident.less(needed)),
        old_table: life.holding.old(),
        peak: known.then(|| life.holding.peak()),
    }
}

fn bytes_of_dead(life: &Life) -> MapBytes {
    MapBytes {
        allocated: Some(Bytes(0)),
        resident: None,
        needed: Some(Bytes(0)),
        stranded: None,
        old_table: Some(Bytes(0)),
        peak: life.holding.is_known().then(|| life.holding.peak()),
    }
}
