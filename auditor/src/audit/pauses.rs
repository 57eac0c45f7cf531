//! Pauses of a collector, each counted once.

use super::fact::Cycle;
use super::lengths::Lengths;

/// Pauses so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Pauses {
    /// How long they took.
    pub(super) took: Lengths,
    /// The youngest cycle.
    last: u64,
}

impl Pauses {
    /// A cycle ended. One that was told already says nothing new: answers whether it does.
    pub(super) fn ended(&mut self, cycle: Cycle) -> bool {
        let is_new = cycle.number > self.last;
        if is_new {
            self.last = cycle.number;
            self.took.add(cycle.pause);
        }
        is_new
    }

    /// From here on cycles are numbered from the beginning.
    pub(super) const fn restart(&mut self) {
        self.last = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::unit::Nanos;

    #[test]
    fn a_cycle_that_is_told_twice_counts_once() {
        let mut pauses = Pauses::default();
        for (number, pause) in [(1, 5), (2, 7), (2, 7)] {
            pauses.ended(Cycle { number, pause: Nanos(pause) });
        }
        let took = &pauses.took;
        assert_eq!((took.count, took.total, took.max), (2, Nanos(12), Nanos(7)));
        assert_eq!(took.p99(), None, "of two, none is the longest hundredth");
    }
}
