//! The last readings of the target's page faults: which of them lie around a growth.

use std::collections::VecDeque;

use super::fact;
use super::report::Faults;
use super::unit::Nanos;

/// Readings that are remembered. A question reaches back no further than growths are told late.
const MOST: usize = 64;

/// A reading, with its time.
pub(super) type Reading = (Nanos, fact::Faults);

/// The last readings, by time.
#[derive(Clone, Debug, Default)]
pub(super) struct Readings(VecDeque<Reading>);

impl Readings {
    /// They were read.
    pub(super) fn read(&mut self, reading: Reading) {
        if self.0.back().is_some_and(|last| reading.0 <= last.0) {
            return;
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(reading);
    }

    /// The last one until then.
    pub(super) fn before(&self, at: Nanos) -> Option<Reading> {
        self.0.iter().rfind(|reading| reading.0 <= at).copied()
    }

    /// The first one from then on.
    pub(super) fn after(&self, at: Nanos) -> Option<Reading> {
        self.0.iter().find(|reading| reading.0 >= at).copied()
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<Reading> {
        self.0.back().copied()
    }
}

/// What happened from one to the other; `None`: nothing was read in between.
pub(super) fn between(from: Option<Reading>, to: Option<Reading>) -> Option<Faults> {
    let ((from, then), (to, now)) = from.zip(to).filter(|((from, _), (to, _))| from < to)?;
    let minor = now.minor.saturating_sub(then.minor);
    Some(Faults { minor, major: now.major.saturating_sub(then.major), within: to.since(from) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: u64, minor: u64) -> Reading {
        (Nanos(at), fact::Faults { minor, major: minor / 10 })
    }

    #[test]
    fn the_readings_around_a_time_are_found_and_no_others() {
        let mut readings = Readings::default();
        assert_eq!((readings.before(Nanos(9)), readings.after(Nanos(0))), (None, None));
        for at in [10, 20, 15, 30] {
            readings.read(reading(at, 100 + at));
        }
        assert_eq!(readings.before(Nanos(25)), Some(reading(20, 120)), "15 came late and is left out");
        assert_eq!((readings.before(Nanos(9)), readings.after(Nanos(31))), (None, None));
        assert_eq!(
            (readings.before(Nanos(10)), readings.after(Nanos(30))),
            (Some(reading(10, 110)), readings.last())
        );
    }

    #[test]
    fn faults_are_counted_from_one_reading_to_a_later_one() {
        let faults = between(Some(reading(10, 100)), Some(reading(30, 170)));
        assert_eq!(faults, Some(Faults { minor: 70, major: 7, within: Nanos(20) }));
        assert_eq!(between(Some(reading(10, 100)), Some(reading(10, 100))), None);
        assert_eq!((between(None, Some(reading(1, 1))), between(Some(reading(1, 1)), None)), (None, None));
    }

    #[test]
    fn readings_are_bounded() {
        let mut readings = Readings::default();
        (0..10_000).for_each(|at| readings.read(reading(at, at)));
        assert_eq!(readings.0.len(), MOST);
    }
}
