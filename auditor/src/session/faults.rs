//! Page faults of the target: read at each round of the loop, and told where something grew since the round before,
//! so that little else lies between the readings around a growth.

use std::io;

use super::live::now;
use crate::audit::fact::{self, Fact, What};
use crate::audit::unit::{Nanos, Pid};
use crate::target::faults::FaultCounts;

/// What takes longer is read at ticks alone: the kernel adds up all threads of the target, and keeps it from taking
/// signals meanwhile.
const DEAR: Nanos = Nanos(100_000);
/// Rounds follow each other faster than this where a flood of events is drained.
const PACE: Nanos = Nanos(10_000_000);

type Reading = (Nanos, fact::Faults);

/// The last two readings, and what was told of them. Of nobody by default.
#[derive(Debug, Default)]
pub(super) struct Faults {
    counts: Option<FaultCounts>,
    earlier: Option<Reading>,
    latest: Option<Reading>,
    told: Option<Reading>,
    is_dear: bool,
    /// Something grew since the last reading, or before it and after the one before.
    has_grown: bool,
    /// The next reading is to be told, too: what is drained may be younger than the reading just before it.
    owes_one: bool,
}

impl Faults {
    /// Nothing was read yet.
    ///
    /// # Errors
    /// When /proc does not tell of the process.
    pub(super) fn of(pid: Pid) -> io::Result<Self> {
        Ok(Self { counts: Some(FaultCounts::open(pid)?), ..Self::default() })
    }

    /// A round begins: what is drained in it happened since the reading of the round before.
    pub(super) fn round(&mut self) {
        let is_recent = self.latest.is_some_and(|(at, _)| now().since(at) < PACE);
        if !self.is_dear && !is_recent {
            self.read();
        }
    }

    /// A fact was drained.
    pub(super) const fn drained(&mut self, what: &What) {
        self.has_grown |= matches!(what, What::Grow(_) | What::Allocate(_) | What::Free(_));
    }

    /// What is to be told at the end of a round.
    pub(super) fn told(&mut self) -> Vec<Fact> {
        let due = if self.has_grown { [self.earlier, self.latest] } else { [None, self.latest] };
        if !self.has_grown && !self.owes_one {
            return Vec::new();
        }
        let told: Vec<Fact> = due.into_iter().flatten().filter_map(|reading| self.tell(reading)).collect();
        self.owes_one = std::mem::take(&mut self.has_grown) || told.is_empty();
        told
    }

    /// What they are at a tick, whatever happened.
    pub(super) fn at_tick(&mut self) -> Option<Fact> {
        self.read();
        self.tell(self.latest?)
    }

    fn read(&mut self) {
        let at = now();
        let Some(faults) = self.counts.as_ref().and_then(FaultCounts::read) else { return };
        self.is_dear = now().since(at) > DEAR;
        (self.earlier, self.latest) = (self.latest, Some((at, faults)));
    }

    fn tell(&mut self, reading: Reading) -> Option<Fact> {
        let is_news = self.told.is_none_or(|(at, _)| at < reading.0);
        is_news.then(|| {
            self.told = Some(reading);
            Fact { at: reading.0, thread: None, what: What::Faults(reading.1) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact::Free;
    use crate::audit::unit::{Address, Bytes};

    fn round(faults: &mut Faults, grows: bool) -> usize {
        faults.read();
        if grows {
            let (map, table) = (Address(1), Address(2));
            faults.drained(&What::Free(Free { map, table, bytes: Bytes(3), shape: None }));
        }
        faults.drained(&What::Tick);
        faults.told().len()
    }

    #[test]
    fn the_readings_before_and_after_a_growth_are_told_and_those_of_a_quiet_time_are_not() {
        let mut faults = Faults::of(Pid(std::process::id())).unwrap();
        let told: Vec<usize> = [false, false, true, false, false, true, true, false, false]
            .map(|grows| round(&mut faults, grows))
            .into();
        assert_eq!(told, [0, 0, 2, 1, 0, 2, 1, 1, 0]);
    }

    #[test]
    fn a_tick_tells_and_nothing_is_told_twice_or_of_nobody() {
        let mut faults = Faults::of(Pid(std::process::id())).unwrap();
        let first = faults.at_tick().unwrap();
        assert_eq!(round(&mut faults, true), 1, "the one before was told at the tick");
        assert!(first.at < faults.at_tick().unwrap().at);
        assert!(Faults::of(Pid(u32::MAX)).is_err());
        let mut nobody = Faults::default();
        assert_eq!((round(&mut nobody, true), nobody.at_tick()), (0, None));
    }

    #[test]
    fn what_is_dear_is_read_at_ticks_alone() {
        let mut faults = Faults::of(Pid(std::process::id())).unwrap();
        faults.is_dear = true;
        faults.round();
        assert!(faults.latest.is_none() && faults.at_tick().is_some());
        let told = faults.latest;
        faults.is_dear = false;
        faults.round();
        assert_eq!(faults.latest, told, "it was read just now");
    }
}
