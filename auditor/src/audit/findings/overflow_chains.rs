//! Buckets with long chains of overflow buckets behind them: lookups step through all of them.

use super::Rule;
use super::scene::{Found, Judged, Outcome, Scene, Seen, called, rebuild, surplus};
use crate::audit::report::{Map, Severity};
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "overflow_chains",
    line: "long chains of overflow buckets: lookups step through all of them",
    text: "
Decided by: overflow buckets against buckets. A bucket has 8 slots and each overflow bucket 8
more; a chain of 12 slots on average is slow. Keys that come and go cause it, since new keys
fall into other buckets than the old ones left; so does a hash that spreads badly, see bad_hash.
What to do: rebuild the map at a quiet moment; it takes the new table on top meanwhile. The
runtime does so itself only once there are about as many overflow buckets as buckets.",
    judge,
};

/// Slots of a bucket: Go's `bucketCnt` (1.19 to 1.23, runtime/map.go), and the demo map's.
pub(super) const SLOTS: u64 = 8;

/// Buckets and overflow buckets of a map that has such a thing.
pub(super) fn buckets(map: &Map) -> Option<(u64, u64)> {
    let buckets = map.capacity? / SLOTS;
    (buckets > 0).then_some((buckets, map.overflow?))
}

/// Slots of an average chain.
pub(super) fn slots((buckets, overflow): (u64, u64)) -> u64 {
    let all = u128::from(buckets) + u128::from(overflow);
    u64::try_from(all * u128::from(SLOTS) / u128::from(buckets.max(1))).unwrap_or(u64::MAX)
}

fn judge(scene: &Scene<'_>) -> Outcome {
    scene.each(|seen| one(scene, seen))
}

fn one(scene: &Scene<'_>, seen: Seen<'_>) -> Judged {
    let limits = &scene.thresholds.overflow_chains;
    let map = seen.map;
    // While it evacuates, overflow is that of both tables.
    if map.evacuation.is_some_and(|evacuation| evacuation.in_progress) {
        return Judged::Clear;
    }
    let Some(chains) = buckets(map) else { return Judged::Clear };
    if slots(chains) < limits.slots || chains.1 < limits.buckets {
        return Judged::Clear;
    }
    let surplus = surplus(map);
    Judged::Found(Found {
        severity: Severity::Warning,
        map: Some(map.address),
        summary: format!(
            "{} has {} for {}: lookups step through {} slots on average",
            called(map),
            words::plural(chains.1, "overflow bucket"),
            words::plural(chains.0, "bucket"),
            slots(chains)
        ),
        evidence: vec![format!(
            "{} live entries would fill {} in buckets of {SLOTS}",
            words::count(map.live.unwrap_or(0)),
            words::plural(map.live.unwrap_or(0).div_ceil(SLOTS), "bucket")
        )],
        remedy: surplus.map_or_else(|| "rebuild it".to_owned(), |surplus| rebuild(map, surplus.needed)),
        reclaimable: surplus.map(|surplus| surplus.bytes),
    })
}
