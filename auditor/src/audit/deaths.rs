//! Where maps have died lately. A reading is dated a moment before or after it is made, and a map can
//! die, or another can be born at its address, in between: what a poll tells of such an address is
//! not to be trusted for a while.

use std::collections::{BTreeMap, VecDeque};

use super::unit::{Address, Nanos};

/// How many are remembered; with more than that in a [`WHILE`], the oldest are forgotten early.
const MOST: usize = 1 << 16;
/// How long a death is remembered. Reading all maps once takes milliseconds.
const WHILE: Nanos = Nanos(1_000_000_000);

/// Where maps have died lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Deaths {
    last: BTreeMap<Address, Nanos>,
    in_order: VecDeque<(Nanos, Address)>,
}

impl Deaths {
    /// One died.
    pub(super) fn add(&mut self, at: Nanos, map: Address) {
        while self.in_order.len() >= MOST || self.in_order.front().is_some_and(|(died, _)| is_over(*died, at))
        {
            self.forget_oldest();
        }
        self.in_order.push_back((at, map));
        self.last.insert(map, at);
    }

    /// Whether one died at this address a while before `at`, or after it.
    pub(super) fn are_near(&self, at: Nanos, map: Address) -> bool {
        self.last.get(&map).is_some_and(|died| !is_over(*died, at))
    }

    fn forget_oldest(&mut self) {
        let Some((died, map)) = self.in_order.pop_front() else { return };
        if self.last.get(&map) == Some(&died) {
            self.last.remove(&map);
        }
    }
}

fn is_over(died: Nanos, now: Nanos) -> bool {
    now.since(died) > WHILE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_is_near_for_a_while() {
        let mut deaths = Deaths::default();
        deaths.add(Nanos(5), Address(1));
        assert!(deaths.are_near(Nanos(4), Address(1)) && deaths.are_near(Nanos(5 + WHILE.0), Address(1)));
        assert!(!deaths.are_near(Nanos(6 + WHILE.0), Address(1)));
        assert!(!deaths.are_near(Nanos(5), Address(2)));
    }

    #[test]
    fn the_memory_is_bounded_by_time_and_by_number() {
        let mut deaths = Deaths::default();
        for n in 0..=MOST as u64 {
            deaths.add(Nanos(0), Address(n));
        }
        assert_eq!((deaths.last.len(), deaths.in_order.len()), (MOST, MOST));
        assert!(!deaths.are_near(Nanos(0), Address(0)));
        deaths.add(Nanos(2 * WHILE.0), Address(7));
        assert_eq!((deaths.last.len(), deaths.in_order.len()), (1, 1));
    }
}
