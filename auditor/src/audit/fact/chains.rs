//! How many overflow buckets a chained map has, if its hash spreads the entries as chance would: each entry falls
//! into each bucket alike, so that their number in one follows the binomial law.

/// Slots of a bucket.
const SLOTS: u64 = 8;
/// Entries a bucket beyond which nothing is said: maps grow long before.
const MOST: f64 = 64.0;
/// With so many entries in one bucket the rest of the sum is nothing.
const TAIL: u32 = 512;
/// Neither is what is less likely than this.
const NOTHING: f64 = 1e-12;

/// Overflow buckets expected behind the buckets of so many slots with so many entries, to the nearest whole one. A
/// single bucket takes what fits into it.
pub(super) fn overflow_buckets(slots: u64, entries: u64) -> u64 {
    let buckets = slots / SLOTS;
    if buckets < 2 || entries <= SLOTS || entries as f64 / buckets as f64 > MOST {
        return 0;
    }
    (behind_one(buckets, entries) * buckets as f64).round() as u64
}

/// Expected behind one of so many buckets: one for each 8 entries that are there after the first 8.
fn behind_one(buckets: u64, entries: u64) -> f64 {
    let (all, share) = (entries as f64, 1.0 / buckets as f64);
    let odds = share / (1.0 - share);
    let (mut probability, mut sum) = ((all * (-share).ln_1p()).exp(), 0.0);
    for there in 1..=TAIL.min(u32::try_from(entries).unwrap_or(TAIL)) {
        let count = f64::from(there);
        probability *= (all - count + 1.0) / count * odds;
        sum += probability * f64::from((there - 1) / SLOTS as u32);
        if probability < NOTHING && count > all * share {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_has_an_overflow_bucket_behind_one_bucket_in_five() {
        // Of very many buckets it is Poisson's law: P(X > 8) = 0.2084 and P(X > 16) = 0.0004 for 6.5 entries a
        // bucket, 0.0063 and nothing for 3.25, by tables.
        let of_many = |halves: u64| behind_one(1 << 40, halves << 39);
        assert!((of_many(13) - 0.2088).abs() < 2e-4, "{}", of_many(13));
        assert!((behind_one(1 << 40, 13 << 38) - 0.0063).abs() < 2e-4);
        assert_eq!((overflow_buckets(8000, 6500), overflow_buckets(8, 8)), (209, 0));
    }

    #[test]
    fn of_few_buckets_it_is_every_way_in_which_the_entries_fall() {
        // 13 in two buckets: one has more than 8 of them in 2 (C(13,9) + ... + C(13,13)) of 2^13 ways.
        let ways = 2.0 * f64::from(715 + 286 + 78 + 13 + 1);
        assert!((2.0 * behind_one(2, 13) - ways / f64::from(1 << 13)).abs() < 1e-9);
        assert_eq!((overflow_buckets(16, 13), overflow_buckets(16, 16)), (0, 1));
    }

    #[test]
    fn no_numbers_are_too_large() {
        for slots in [0, 1, 16, u64::MAX] {
            for entries in [0, 1, 9, u64::MAX] {
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
