//! Pauses of a collector, each counted once: how many, how long in all, the longest, and how long all
//! but the longest hundredth were. Takes the same room for ten as for a billion.

use super::fact::Cycle;
use super::unit::Nanos;

/// Steps within a power of two: what is read from the counts is less than 1/32 too long.
const STEPS: u64 = 32;
/// Counts that are needed for every length of 64 bits.
const COUNTS: usize = 60 * STEPS as usize;
/// With fewer pauses, the 99th percentile is the longest.
const ENOUGH: u64 = 100;

/// Pauses so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Pauses {
    /// How many there were of each length, by [`place`]; empty until there is one.
    counts: Vec<u64>,
    /// How many.
    pub(super) count: u64,
    /// How long in all.
    pub(super) total: Nanos,
    /// The longest.
    pub(super) max: Nanos,
    /// The youngest cycle.
    last: u64,
}

impl Pauses {
    /// A cycle ended. One that was told already says nothing new.
    pub(super) fn ended(&mut self, cycle: Cycle) {
        if cycle.number <= self.last {
            return;
        }
        self.last = cycle.number;
        self.counts.resize(COUNTS, 0);
        if let Some(count) = self.counts.get_mut(place(cycle.pause)) {
            *count += 1;
        }
        self.count += 1;
        self.total = self.total.plus(cycle.pause);
        self.max = self.max.max(cycle.pause);
    }

    /// From here on cycles are numbered from the beginning.
    pub(super) const fn restart(&mut self) {
        self.last = 0;
    }

    /// Ninety-nine of a hundred were no longer; `None`: too few.
    pub(super) fn p99(&self) -> Option<Nanos> {
        let longest = (self.count >= ENOUGH).then_some(self.count / 100)?;
        let mut longer = 0;
        let at = self.counts.iter().rposition(|count| {
            longer += count;
            longer > longest
        });
        at.map(|at| longest_at(at).min(self.max))
    }
}

/// Lengths below 32 ns have a count each, longer ones 32 for each power of two.
const fn place(pause: Nanos) -> usize {
    if pause.0 < STEPS {
        return pause.0 as usize;
    }
    let power = pause.0.ilog2() as u64 - STEPS.ilog2() as u64;
    ((power + 1) * STEPS + (pause.0 >> power) - STEPS) as usize
}

/// The longest pause that is counted there.
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

    fn pauses(lengths: impl IntoIterator<Item = u64>) -> Pauses {
        let mut pauses = Pauses::default();
        for (number, pause) in (1..).zip(lengths) {
            pauses.ended(Cycle { number, pause: Nanos(pause) });
        }
        pauses
    }

    #[test]
    fn a_cycle_that_is_told_twice_counts_once() {
        let mut pauses = pauses([5, 7]);
        pauses.ended(Cycle { number: 2, pause: Nanos(7) });
        assert_eq!((pauses.count, pauses.total, pauses.max), (2, Nanos(12), Nanos(7)));
        assert_eq!(pauses.p99(), None, "of two, none is the longest hundredth");
    }

    #[test]
    fn one_long_pause_among_a_hundred_is_not_the_99th_percentile() {
        let p99 = pauses((0..100).map(|n| if n == 50 { 80_000_000 } else { 100_000 })).p99().unwrap();
        assert!((100_000..104_000).contains(&p99.0), "{p99:?}");
        let p99 = pauses((0..100).map(|n| if n < 2 { 80_000_000 } else { 100_000 })).p99();
        assert_eq!(p99, Some(Nanos(80_000_000)), "never longer than the longest");
    }

    proptest! {
        #[test]
        fn every_length_has_its_place(pause in any::<u64>()) {
            let at = place(Nanos(pause));
            prop_assert!(at < COUNTS);
            let longest = longest_at(at).0;
            prop_assert!(longest >= pause && longest - pause <= pause / STEPS);
        }
    }
}
