//! A hash that puts too many keys into the same buckets.

use super::Rule;
use super::overflow_chains::{SLOTS, buckets};
use super::scene::{Found, Judged, Outcome, Scene, Seen, called, surplus};
use crate::audit::report::Severity;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "bad_hash",
    line: "far more overflow than a good hash gives: it spreads badly",
    text: "
Decided by: with n entries in m buckets a good hash puts Poisson(n/m) into each, which gives so
many overflow buckets; this map has several times as many, and few of its keys were ever taken
out again. Only for maps that count their deletes: without, overflow_chains speaks.
What to do: another hash or another seed; if the keys come from outside, a keyed hash (SipHash),
since whoever knows the hash can choose keys that collide. Then rebuild the map.",
    judge,
};

/// Overflow buckets of a million buckets, at a load of 0, 1/2, 1, ... entries a bucket: the sum over x of
/// Poisson(x; load) * ceil((x - 8) / 8). The last row is for 8 and more: maps grow well before.
const EXPECTED: [u64; 17] = [
    0, 0, 1, 28, 237, 1_140, 3_803, 9_874, 21_365, 40_263, 68_114, 105_707, 152_937, 208_857, 271_867,
    339_992, 411_172,
];

/// Overflow buckets that a good hash gives; of a load between two rows that of the higher one.
fn expected(live: u64, buckets: u64) -> u64 {
    let halves = (u128::from(live) * 2).div_ceil(u128::from(buckets.max(1)));
    let row = usize::try_from(halves).unwrap_or(usize::MAX).min(EXPECTED.len() - 1);
    let of_a_million = u128::from(EXPECTED.get(row).copied().unwrap_or_default());
    u64::try_from(of_a_million * u128::from(buckets) / 1_000_000).unwrap_or(u64::MAX)
}

fn judge(scene: &Scene<'_>) -> Outcome {
    scene.each(|seen| one(scene, seen))
}

fn one(scene: &Scene<'_>, seen: Seen<'_>) -> Judged {
    let limits = &scene.thresholds.bad_hash;
    let map = seen.map;
    // While it evacuates, overflow is that of both tables.
    if map.evacuation.is_some_and(|evacuation| evacuation.in_progress) {
        return Judged::Clear;
    }
    let (Some(live), Some((buckets, overflow)), Some(moved)) = (map.live, buckets(map), seen.past.moved)
    else {
        return Judged::Clear;
    };
    // Where the audit came late, what was deleted before is not known.
    let was_counted = moved.insert >= live;
    let was_emptied = moved.delete > limits.deleted.of(moved.insert);
    let expected = expected(live, buckets);
    let is_far_off = overflow >= limits.buckets && overflow / limits.times.max(1) >= expected.max(1);
    if !was_counted || was_emptied || !is_far_off {
        return Judged::Clear;
    }
    Judged::Found(Found {
        severity: Severity::Warning,
        map: Some(map.address),
        summary: format!(
            "the hash of {} spreads badly: {} where a good one gives about {}",
            called(map),
            words::plural(overflow, "overflow bucket"),
            words::count(expected)
        ),
        evidence: vec![format!(
            "{} entries in {} of {SLOTS} slots, {} of the keys were ever taken out",
            words::count(live),
            words::plural(buckets, "bucket"),
            words::share(moved.delete, moved.insert)
        )],
        remedy: "take another hash or seed, a keyed one if the keys come from outside; then rebuild the map"
            .to_owned(),
        reclaimable: surplus(map).map(|surplus| surplus.bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_overflow_is_that_of_poisson() {
        for (row, told) in EXPECTED.iter().enumerate() {
            let load = row as f64 / 2.0;
            let mut probability = (-load).exp();
            let mut sum = 0.0;
            for entries in 1..200_u32 {
                probability *= load / f64::from(entries);
                sum += probability * f64::from(entries.saturating_sub(8).div_ceil(8));
            }
            assert!((sum * 1e6 - *told as f64).abs() <= 1.0, "{load}: {sum}");
        }
    }

    #[test]
    fn any_load_has_an_expectation() {
        assert_eq!(expected(0, 0), 0);
        assert_eq!(expected(u64::MAX, 1), 0);
        assert_eq!(expected(6_500_000, 1_000_000), 208_857);
        assert_eq!(expected(6_000_001, 1_000_000), 208_857);
    }
}
