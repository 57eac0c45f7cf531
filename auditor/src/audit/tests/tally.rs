//! What is kept of all maps together, one change at a time, is what a look at each of them gives.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::hostile::facts;
use crate::audit::Audit;
use crate::audit::differences::{Difference, Differences};
use crate::audit::fact::{Pages, Resident, What};
use crate::audit::held::{Held, Parts};
use crate::audit::life::Life;
use crate::audit::tally::Map;
use crate::audit::trend::Sample;
use crate::audit::unit::{Address, Bytes};

/// All maps as they were when they were looked at last.
#[derive(Default)]
struct Seen {
    sampled: BTreeMap<Address, Option<Sample>>,
    in_tables: BTreeMap<Map, Bytes>,
}

fn listed(audit: &Audit, life: &Life) -> bool {
    life.holding.peak() >= audit.head.min_bytes()
}

fn sampled(audit: &Audit) -> BTreeMap<Address, Option<Sample>> {
    let listed = audit.lives.living().filter(|life| listed(audit, life));
    listed.map(|life| (life.address, Sample::of(life))).collect()
}

fn in_tables(audit: &Audit) -> BTreeMap<Map, Bytes> {
    let there = |life: &Life| life.resident.as_deref().filter(|_| !waits(life)).copied();
    let known = |life: &Life| {
        let Resident { current, old, rest, .. } = there(life)?;
        let sum = [current, old, rest].iter().map(private).sum::<u128>();
        Some(((life.address, life.born()), Bytes(u64::try_from(sum).unwrap_or(u64::MAX))))
    };
    audit.lives.living().filter_map(known).collect()
}

fn waits(life: &Life) -> bool {
    life.described.as_ref().is_some_and(|who| who.reachable == Some(false))
}

fn private(pages: &Pages) -> u128 {
    u128::from(pages.present.less(pages.shared).0)
}

/// What the living maps hold, map by map.
fn counted(audit: &Audit) -> Held {
    let crowds = audit.crowds.as_ref();
    let (mut parts, mut looked_at, mut of_heap, mut allocated) = ([0_u128; 3], false, 0, 0);
    let (mut waiting, mut unlooked, mut small, mut entries) = (0, 0, 0, 0);
    let apart = |life: &&Life| crowds.is_none() || life.listed || listed(audit, life);
    for life in audit.lives.living().filter(apart) {
        let bytes = u128::from(life.holding.allocated().0);
        allocated += bytes;
        let there = life.resident.as_deref().map(|there| [&there.current, &there.old, &there.rest]);
        of_heap += there.map_or(bytes, |there| there.map(|pages| u128::from(pages.asked.0)).iter().sum());
        let in_ram = there.map(|there| there.map(private));
        let counted = life.seen.map_or([0; 2], |seen| [seen.entries.0, seen.behind.0]);
        let behind = u128::from(counted[0]).min(bytes);
        // Of one map together no more than there can be.
        let together = (behind + u128::from(counted[1])).min(u128::from(u64::MAX));
        entries += if waits(life) { 0 } else { together };
        match in_ram {
            _ if waits(life) => waiting += in_ram.map_or(bytes, |parts| parts.iter().sum()),
            Some(more) => {
                looked_at = true;
                parts = std::array::from_fn(|part| parts[part] + more[part]);
            }
            None if listed(audit, life) => unlooked += bytes - behind,
            None => small += bytes - behind,
        }
    }
    for (reachable, bytes) in crowds.into_iter().flat_map(|crowds| crowds.sizes()) {
        let bytes = u128::from(bytes.0);
        (of_heap, allocated) = (of_heap + bytes, allocated + bytes);
        *(if reachable == Some(false) { &mut waiting } else { &mut small }) += bytes;
    }
    let narrow = |sum: u128| Bytes(u64::try_from(sum).unwrap_or(u64::MAX));
    let [current, old, rest] = parts.map(narrow);
    Held {
        looked_at: looked_at.then_some(Parts { current, old, rest }),
        waiting: narrow(waiting),
        unlooked: narrow(unlooked),
        small: narrow(small),
        entries: narrow(entries),
        of_heap: narrow(of_heap),
        allocated: narrow(allocated),
    }
}

fn between<K: Ord + Copy, V: PartialEq + Copy + Default>(
    before: &BTreeMap<K, V>,
    now: &BTreeMap<K, V>,
) -> BTreeMap<K, (V, V)> {
    let value = |all: &BTreeMap<K, V>, key| all.get(key).copied().unwrap_or_default();
    let keys = before.keys().chain(now.keys());
    keys.map(|key| (*key, (value(before, key), value(now, key))))
        .filter(|(_, (from, to))| from != to)
        .collect()
}

fn told<K: Ord + Copy, V: PartialEq + Copy>(differences: &Differences<K, V>) -> BTreeMap<K, (V, V)> {
    differences.iter().map(|(key, Difference { from, to })| (*key, (*from, *to))).collect()
}

proptest! {
    #[test]
    fn what_is_kept_of_all_maps_is_what_each_of_them_gives(facts in facts()) {
        let (mut audit, mut before) = (Audit::new(), Seen::default());
        for fact in &facts {
            audit.apply(fact);
            match fact.what {
                What::Tick => before.sampled = sampled(&audit),
                What::Memory(_) => before.in_tables = in_tables(&audit),
                What::Exec => before.sampled.clear(),
                _ => {}
            }
            prop_assert_eq!(audit.lives.held(audit.crowds.as_ref()), counted(&audit));
            let mut kept = audit.clone();
            let tally = kept.lives.tally();
            prop_assert_eq!(told(&tally.take_sampled()), between(&before.sampled, &sampled(&audit)));
            prop_assert_eq!(told(&tally.take_in_tables()), between(&before.in_tables, &in_tables(&audit)));
        }
    }
}
