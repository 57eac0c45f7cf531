//! How many overflow buckets a chained map has, if its hash spreads the entries as chance would: their number in
//! a bucket follows Poisson's law then.

/// Slots of a bucket.
const SLOTS: u64 = 8;
/// Entries a bucket beyond which nothing is said: maps grow long before.
const MOST: f64 = 64.0;
/// With so many entries in one bucket the rest of the sum is nothing.
const TAIL: u32 = 512;

/// Overflow buckets expected behind the buckets of so many slots with so many entries, rounded up. A single
/// bucket takes what fits into it.
pub(super) fn overflow_buckets(slots: u64, entries: u64) -> u64 {
    let buckets = slots / SLOTS;
    if buckets < 2 {
        return 0;
    }
    let load = entries as f64 / buckets as f64;
    if load > MOST {
        return 0;
    }
    (behind_one(load) * buckets as f64).ceil() as u64
}

/// Expected behind one bucket: one for each 8 entries that are there after the first 8.
fn behind_one(load: f64) -> f64 {
    let (mut probability, mut sum) = ((-load).exp(), 0.0);
    for entries in 1..TAIL {
        probability *= load / f64::from(entries);
        sum += probability * f64::from((entries - 1) / SLOTS as u32);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_has_an_overflow_bucket_behind_one_bucket_in_five() {
        // P(X > 8) = 0.2084 and P(X > 16) = 0.0004 for Poisson(6.5), 0.0063 and nothing for 3.25: tables.
        assert!((behind_one(6.5) - 0.2087).abs() < 2e-4, "{}", behind_one(6.5));
        assert!((behind_one(3.25) - 0.0063).abs() < 2e-4, "{}", behind_one(3.25));
        assert_eq!((overflow_buckets(8000, 6500), overflow_buckets(8, 8)), (209, 0));
    }

    #[test]
    fn no_numbers_are_too_large() {
        for slots in [0, 1, 16, u64::MAX] {
            for entries in [0, 1, u64::MAX] {
                assert!(overflow_buckets(slots, entries) <= slots, "{slots} {entries}");
            }
        }
    }

    #[test]
    fn buckets_that_are_filled_by_chance_have_as_many() {
        let (buckets, entries) = (10_000_usize, 60_000);
        let mut filled = vec![0_u64; buckets];
        let mut state = 7_u64;
        for _ in 0..entries {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            filled[(state >> 33) as usize % buckets] += 1;
        }
        let drawn: u64 = filled.iter().map(|entries| entries.div_ceil(SLOTS).saturating_sub(1)).sum();
        let told = overflow_buckets(8 * buckets as u64, entries);
        assert!(drawn.abs_diff(told) * 20 < told, "{drawn} {told}");
    }
}
