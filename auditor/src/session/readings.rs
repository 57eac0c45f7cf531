//! PURE. When maps were read by polling, and which of those looks were overtaken by events.
//!
//! A look is dated before its reading begins, and a reading takes a while: what it shows may be of after
//! an event that is dated later than the look, and is applied after it. Or it shows a map that was born
//! meanwhile where another one died. Such a look is worth nothing; the event says so, and the next poll
//! reads again.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::fact::{Allocate, Fact, Free, Grow, Look, Occasion, What};
use crate::audit::unit::{Address, Nanos};

/// Readings whose looks wait to be applied: when each began, which is the date of its looks, and ended.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    ended: BTreeMap<Nanos, Nanos>,
}

/// A look, by its date and its map.
pub type Which = (Nanos, Address);

impl Readings {
    /// Maps were read.
    pub fn made(&mut self, began: Nanos, ended: Nanos) {
        self.ended.insert(began, ended);
    }

    /// The looks among what waits that were overtaken by an event among what waits. There are many looks and few
    /// events, so the events are gone through first.
    pub fn overtaken<'a>(&self, waiting: impl Iterator<Item = &'a Fact> + Clone) -> BTreeSet<Which> {
        let mut events: BTreeMap<Address, Vec<Nanos>> = BTreeMap::new();
        if !self.ended.is_empty() {
            let told = waiting.clone().filter_map(|fact| Some((happened_to(&fact.what)?, fact.at)));
            told.for_each(|(map, at)| events.entry(map).or_default().push(at));
        }
        if events.is_empty() {
            return BTreeSet::new();
        }
        let is_overtaken = |fact: &Fact| {
            let What::Look(Look { map, occasion: Occasion::Poll, .. }) = fact.what else { return None };
            let ended = self.ended.get(&fact.at)?;
            let during = |at: &Nanos| fact.at <= *at && at <= ended;
            events.get(&map)?.iter().any(during).then_some((fact.at, map))
        };
        waiting.filter_map(is_overtaken).collect()
    }

    /// Looks dated until then have been applied.
    pub fn applied(&mut self, until: Nanos) {
        self.ended.retain(|began, _| *began > until);
    }
}

/// The map of a look, where that is among the overtaken.
#[must_use]
pub fn is_among(overtaken: &BTreeSet<Which>, fact: &Fact) -> Option<Address> {
    match &fact.what {
        What::Look(look) if look.occasion == Occasion::Poll => {
            overtaken.contains(&(fact.at, look.map)).then_some(look.map)
        }
        _ => None,
    }
}

/// The map that a hook told of.
fn happened_to(what: &What) -> Option<Address> {
    match what {
        What::Allocate(Allocate { map, .. })
        | What::Grow(Grow { map, .. })
        | What::Free(Free { map, .. }) => Some(*map),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact::{Part, Shape};
    use crate::audit::unit::Bytes;

    fn look(at: u64, map: u64, occasion: Occasion) -> Fact {
        let (map, shape) = (Address(map), Shape::default());
        let look = Look { map, occasion, runtime: "demo".to_owned(), shape: shape.into(), name: None };
        Fact { at: Nanos(at), thread: None, what: What::Look(look) }
    }

    fn event(at: u64, map: u64) -> Fact {
        let (map, bytes, part) = (Address(map), Bytes(100), Part::Buckets);
        let allocate = Allocate { map, table: None, bytes, part, stack: None, took: None };
        Fact { at: Nanos(at), thread: None, what: What::Allocate(allocate) }
    }

    fn overtaken(event: Fact) -> bool {
        let mut readings = Readings::default();
        readings.made(Nanos(10), Nanos(20));
        let found = readings.overtaken([look(10, 1, Occasion::Poll), event].iter());
        assert!(found.is_empty() || found == BTreeSet::from([(Nanos(10), Address(1))]));
        !found.is_empty()
    }

    #[test]
    fn an_event_of_the_same_map_from_begin_to_end_of_the_reading_overtakes_the_look() {
        assert!([10, 15, 20].map(|at| overtaken(event(at, 1))).iter().all(|overtaken| *overtaken));
        assert!(![9, 21].map(|at| overtaken(event(at, 1))).iter().any(|overtaken| *overtaken));
        assert!(!overtaken(event(15, 2)), "another map");
        assert!(!overtaken(look(15, 1, Occasion::Poll)), "no event");
    }

    #[test]
    fn a_look_of_the_kernels_is_never_overtaken() {
        let mut readings = Readings::default();
        readings.made(Nanos(10), Nanos(20));
        let facts = [look(10, 1, Occasion::AtExit), event(15, 1)];
        assert!(readings.overtaken(facts.iter()).is_empty());
    }

    #[test]
    fn a_reading_is_forgotten_when_its_looks_have_been_applied() {
        let mut readings = Readings::default();
        readings.made(Nanos(10), Nanos(20));
        readings.made(Nanos(30), Nanos(40));
        readings.applied(Nanos(29));
        assert_eq!(readings.ended, BTreeMap::from([(Nanos(30), Nanos(40))]));
    }
}
