//! Delete and insert without end: the number of entries never changes, entries do, at random. And now
//! and then a whole map goes and a new one takes its place, as when a tenant leaves.

use std::ops::Range;

use super::Scenario;
use crate::stage::{Group, Stage};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "churn",
    about: "random entries are replaced, and each round one map in eight by a new one",
    maps: 16,
    rounds: 3,
    round: "as many replacements as entries",
    run,
};

const READS_PER_WRITE: u64 = 6;
/// One map in this many is replaced each round.
const REPLACED: usize = 8;

/// A map and the keys in it: slot `i` holds the key `slots[i]`.
struct Tenant {
    map: Group,
    slots: Vec<u64>,
}

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let mut next = 0;
    let mut tenants = Vec::new();
    for map in stage.maps("tenant").singles() {
        tenants.push(Tenant { map, slots: filled(stage, map, &mut next)? });
    }
    for round in 0..stage.settings.rounds {
        for tenant in &mut tenants {
            replace_entries(stage, tenant, &mut next)?;
        }
        replace_maps(stage, &mut tenants, round as usize, &mut next)?;
    }
    Ok(())
}

fn filled(stage: &mut Stage, map: Group, next: &mut u64) -> anyhow::Result<Vec<u64>> {
    let these: Range<u64> = *next..*next + stage.share();
    *next = these.end;
    stage.fill(map, these.clone(), READS_PER_WRITE)?;
    Ok(these.collect())
}

fn replace_entries(stage: &mut Stage, tenant: &mut Tenant, next: &mut u64) -> anyhow::Result<()> {
    let slots = 0..tenant.slots.len() as u64;
    for _ in slots.clone() {
        let slot = stage.random.within(&slots) as usize;
        stage.take(tenant.map, tenant.slots[slot])?;
        stage.put(tenant.map, *next)?;
        tenant.slots[slot] = *next;
        *next += 1;
        for _ in 0..READS_PER_WRITE {
            let read = tenant.slots[stage.random.newest_of(&slots) as usize];
            stage.read(tenant.map, read..read + 1, 1)?;
        }
    }
    Ok(())
}

fn replace_maps(
    stage: &mut Stage,
    tenants: &mut [Tenant],
    round: usize,
    next: &mut u64,
) -> anyhow::Result<()> {
    for (number, tenant) in tenants.iter_mut().enumerate().skip(round % REPLACED).step_by(REPLACED) {
        stage.drop_maps(tenant.map)?;
        tenant.map = stage.one_map_with_room(format!("tenant/{number}, after round {round}"), 0);
        tenant.slots = filled(stage, tenant.map, next)?;
    }
    Ok(())
}
