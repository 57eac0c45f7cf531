//! How many distinct keys a window of traffic touches, when the key of rank i is asked for in proportion to
//! 1 / i^s (Zipf). The only floating point in the audit: no report is made of it.
//!
//! A key that is asked for with probability p is among m requests with 1 - (1 - p)^m; the expected number of
//! distinct keys is the sum of that over all ranks. The first `EXACT` ranks are added up one by one. Of the
//! others, ranks within 1 part in `PARTS` of each other are taken together: what is added up falls with the
//! rank, so that the first and the last of them bound the rest, and half of what they differ by is the error.

/// Ranks that are added up one by one.
const EXACT: u64 = 1 << 16;
/// Later ones are taken together as far as they are within one part in so many of the first.
const PARTS: u64 = 1 << 12;

/// A sum, and how far off it is at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// The sum.
    pub sum: f64,
    /// At most so much more or less.
    pub error: f64,
}

/// The expected number of distinct keys among `requests`, of so many keys, at a skew of `s`. Some 200,000 steps
/// at most, however many keys there are. `requests` and `s` are over 0 and finite.
#[must_use]
pub fn distinct(keys: u64, s: f64, requests: f64) -> Expected {
    let weight = |rank: u64| (-s * (rank as f64).ln()).exp();
    let all = sum(keys, weight);
    let touched = |rank: u64| {
        let p = (weight(rank) / all.sum).min(1.0);
        -(requests * (-p).ln_1p()).exp_m1()
    };
    let Expected { sum, error } = sum(keys, touched);
    // That of the probabilities carries over, and no further: what is added up is concave in them.
    Expected { sum, error: error + sum * all.error / all.sum }
}

/// The sum over ranks 1 to `last` of what falls with the rank.
fn sum(last: u64, of: impl Fn(u64) -> f64) -> Expected {
    let (mut sum, mut error) = (0.0, 0.0);
    let mut rank = 1;
    while rank <= last {
        let more = if rank <= EXACT { 0 } else { rank / PARTS };
        let end = rank.saturating_add(more).min(last);
        let (most, least) = (of(rank), if end == rank { of(rank) } else { of(end) });
        let ranks = (end - rank) as f64 + 1.0;
        sum += ranks * f64::midpoint(most, least);
        error += ranks * (most - least) / 2.0;
        let Some(next) = end.checked_add(1) else { break };
        rank = next;
    }
    Expected { sum, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One by one, from the definition.
    fn exact(keys: u64, s: f64, requests: f64) -> f64 {
        let weights: Vec<f64> = (1..=keys).map(|rank| (rank as f64).powf(-s)).collect();
        let all: f64 = weights.iter().rev().sum();
        // 1 - (1 - p)^m without the rounding of 1 - p.
        weights.iter().rev().map(|weight| -(requests * (-weight / all).ln_1p()).exp_m1()).sum()
    }

    #[test]
    fn two_keys_can_be_reckoned_by_hand() {
        // Weights 1 and 1/2: probabilities 2/3 and 1/3. Of two requests: (1 - 1/9) + (1 - 4/9) = 13/9.
        let found = distinct(2, 1.0, 2.0);
        assert!((found.sum - 13.0 / 9.0).abs() < 1e-12 && found.error == 0.0, "{found:?}");
        assert_eq!(distinct(1, 1.0, 1e9).sum, 1.0);
        // One request touches one key.
        assert!((distinct(50_000, 0.8, 1.0).sum - 1.0).abs() < 1e-9);
    }

    #[test]
    fn it_is_the_exact_sum_to_within_the_error_it_states() {
        for (keys, s, requests) in [
            (1000, 1.0, 500.0),
            (60_000, 0.5, 1e6),
            (1_000_000, 0.99, 60_000.0),
            (3_000_000, 1.2, 6e7),
            (2_000_000, 0.01, 1e6),
            (1_000_000, 3.0, 1e9),
        ] {
            let (found, exact) = (distinct(keys, s, requests), exact(keys, s, requests));
            assert!((found.sum - exact).abs() <= found.error + 1e-9 * exact, "{keys} {s}: {found:?} {exact}");
            assert!(found.error <= 2e-3 * exact, "{keys} {s}: {found:?}");
        }
    }

    /// The generator of Knuth's MMIX, its upper bits as a share of one.
    fn chance(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1_u64 << 53) as f64
    }

    #[test]
    fn requests_that_are_drawn_touch_as_many_keys() {
        let (keys, requests, rounds) = (20_000_usize, 30_000, 20);
        for (seed, s) in [(1, 0.6), (2, 1.0), (3, 1.4)] {
            let weights = (1..=keys).map(|rank| (rank as f64).powf(-s));
            let sums: Vec<f64> = weights
                .scan(0.0, |sum, weight| {
                    *sum += weight;
                    Some(*sum)
                })
                .collect();
            let all = sums[keys - 1];
            let (mut state, mut touched) = (seed, 0);
            for _ in 0..rounds {
                let mut hit = vec![false; keys];
                (0..requests).for_each(|_| {
                    let drawn = chance(&mut state) * all;
                    hit[sums.partition_point(|sum| *sum <= drawn).min(keys - 1)] = true;
                });
                touched += hit.iter().filter(|hit| **hit).count();
            }
            let (drawn, told) = (touched as f64 / f64::from(rounds), distinct(keys as u64, s, 30_000.0).sum);
            // The number of distinct keys deviates by less than its root.
            assert!((drawn - told).abs() < 4.0 * (told / f64::from(rounds)).sqrt(), "{s}: {drawn} {told}");
        }
    }

    #[test]
    fn no_input_takes_long_or_leaves_the_numbers() {
        for keys in [1, 2, EXACT, u64::MAX] {
            for s in [1e-300, 0.01, 1.0, 50.0, 1e300] {
                for requests in [1e-300, 1.0, 1e18, 1e300] {
                    let Expected { sum, error } = distinct(keys, s, requests);
                    let most = (keys as f64).min(requests.max(1.0)) * 1.0001;
                    assert!(
                        (0.0..=most).contains(&sum) && error >= 0.0,
                        "{keys} {s} {requests}: {sum} {error}"
                    );
                }
            }
        }
    }
}
