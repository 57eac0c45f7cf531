//! How long something took, over all times that it happened: how often, how long in all, the longest, and how
//! long half or all but the longest hundredth of them took. Takes the same room for ten as for a billion.

use super::unit::Nanos;

/// Steps within a power of two: what is read from the counts is less than 1/32 too long.
const STEPS: u64 = 32;
/// Counts that are needed for every length of 64 bits.
const COUNTS: usize = 60 * STEPS as usize;
/// With fewer of them, the 99th percentile is the longest.
const ENOUGH: u64 = 100;

/// Lengths so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Lengths {
    /// How many there were of each length, by [`place`]; empty until there is one.
    counts: Vec<u64>,
    /// How many.
    pub(super) count: u64,
    /// How long in all.
    pub(super) total: Nanos,
    /// The longest.
    pub(super) max: Nanos,
}

impl Lengths {
    /// One more.
    pub(super) fn add(&mut self, length: Nanos) {
        self.counts.resize(COUNTS, 0);
        if let Some(count) = self.counts.get_mut(place(length)) {
            *count += 1;
        }
        self.count += 1;
        self.total = self.total.plus(length);
        self.max = self.max.max(length);
    }

    /// Half of them were no longer; `None`: there was none.
    pub(super) fn median(&self) -> Option<Nanos> {
        self.beyond(self.count / 2)
    }

    /// Ninety-nine of a hundred were no longer; `None`: too few.
    pub(super) fn p99(&self) -> Option<Nanos> {
        (self.count >= ENOUGH).then(|| self.beyond(self.count / 100)).flatten()
    }

    /// The shortest length beyond which there are no more than `most`.
    fn beyond(&self, most: u64) -> Option<Nanos> {
        let mut longer = 0;
        let at = self.counts.iter().rposition(|count| {
            longer += count;
            longer > most
        });
        at.map(|at| longest_at(at).min(self.max))
    }
}

/// Lengths below 32 ns have a count each, longer ones 32 for each power of two.
const fn place(length: Nanos) -> usize {
    if length.0 < STEPS {
        return length.0 as usize;
    }
    let power = length.0.ilog2() as u64 - STEPS.ilog2() as u64;
    ((power + 1) * STEPS + (length.0 >> power) - STEPS) as usize
}

/// The longest length that is counted there.
const fn longest_at(place: usize) -> Nanos {
    let place = place as u64;
    if place < STEPS {
        return Nanos(place);
    }
    let (power, step) = (place / STEPS - 1, place % STEPS);
    let from = (STEPS + step) << power;
    Nanos(from + ((1 << power) - 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lengths(of: impl IntoIterator<Item = u64>) -> Lengths {
        let mut lengths = Lengths::default();
        of.into_iter().for_each(|length| lengths.add(Nanos(length)));
        lengths
    }

    #[test]
    fn one_long_one_among_a_hundred_is_not_the_99th_percentile() {
        let p99 = lengths((0..100).map(|n| if n == 50 { 80_000_000 } else { 100_000 })).p99().unwrap();
        assert!((100_000..104_000).contains(&p99.0), "{p99:?}");
        let p99 = lengths((0..100).map(|n| if n < 2 { 80_000_000 } else { 100_000 })).p99();
        assert_eq!(p99, Some(Nanos(80_000_000)), "never longer than the longest");
    }

    #[test]
    fn half_of_them_are_no_longer_than_the_median() {
        assert_eq!(lengths([]).median(), None);
        assert_eq!(lengths([7]).median(), Some(Nanos(7)));
        assert_eq!(lengths([9, 3, 20]).median(), Some(Nanos(9)));
        assert_eq!(lengths([9, 3, 20, 30]).median(), Some(Nanos(9)));
    }

    proptest! {
        #[test]
        fn every_length_has_its_place(length in any::<u64>()) {
            let at = place(Nanos(length));
            prop_assert!(at < COUNTS);
            let longest = longest_at(at).0;
            prop_assert!(longest >= length && longest - length <= length / STEPS);
        }
    }
}
