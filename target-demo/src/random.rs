//! Everything that looks like chance, from the seed alone.

use std::ops::Range;

use crate::map::mix;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One read in this many goes anywhere; the others go to the newest keys.
const COLD_READS: u64 = 4;
/// The newest keys are this part of all.
const HOT_PART: u64 = 64;

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The sequence of this seed. Streams of one seed are independent of each other.
    pub(crate) const fn new(seed: u64, stream: u64) -> Self {
        Self(mix(seed ^ mix(stream.wrapping_add(GOLDEN))))
    }

    /// The next 64 bits.
    #[inline]
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number of `range`, each as likely; its start where it is empty.
    #[inline]
    pub(crate) const fn within(&mut self, range: &Range<u64>) -> u64 {
        range.start + scale(self.next(), range.end.saturating_sub(range.start))
    }

    /// A number of `range` as a service reads: three of four times one of the newest (last) ones.
    #[inline]
    pub(crate) const fn newest_of(&mut self, range: &Range<u64>) -> u64 {
        let bits = self.next();
        let all = range.end.saturating_sub(range.start);
        let among = if bits.is_multiple_of(COLD_READS) { all } else { all / HOT_PART + 1 };
        range.end.saturating_sub(1 + scale(bits, among))
    }
}

/// Maps 64 even bits onto 0..`below`, evenly.
#[inline]
pub(crate) const fn scale(bits: u64, below: u64) -> u64 {
    ((bits as u128 * below as u128) >> 64) as u64
}

/// The keys of a run: the n-th looks random, and no two are the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys(u64);

impl Keys {
    /// Those of this seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(mix(seed ^ GOLDEN))
    }

    /// The `index`-th.
    #[inline]
    pub(crate) const fn at(self, index: u64) -> u64 {
        mix(index.wrapping_add(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range() {
        let mut random = Random::new(1, 0);
        for _ in 0..10_000 {
            assert!((5..9).contains(&random.within(&(5..9))));
            assert!((5..500).contains(&random.newest_of(&(5..500))));
            assert_eq!(random.newest_of(&(5..6)), 5);
        }
    }

    #[test]
    fn the_newest_are_read_most() {
        let mut random = Random::new(1, 0);
        let hot = (0..10_000).filter(|_| random.newest_of(&(0..6_400)) >= 6_300).count();
        assert!((7_000..8_500).contains(&hot), "{hot}");
    }

    #[test]
    fn streams_and_seeds_differ() {
        let first = |seed, stream| Random::new(seed, stream).next();
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(1, 0), first(2, 0));
        assert_ne!(Keys::new(1).at(0), Keys::new(2).at(0));
    }
}
