//! Where maps were at the censuses so far, so that a later one can say which are new. Addresses alone: a map
//! that took the place of a dead one between two censuses counts as the same. The seed would not tell them
//! apart, as the runtime draws a new one when a map is cleared or runs empty.

use crate::audit::unit::Address;

/// Maps that are remembered. At 8 bytes each they take 32 MiB, and as much again while two censuses are
/// compared.
const MOST: usize = 1 << 22;
/// Maps that are listed though they have become small.
const MOST_KEPT: usize = 1 << 16;

/// Headers are aligned to 16 bytes: the lowest bits are free to say that the first census did not find it,
/// that it was listed, that the last census did not find it, that this one is the first to.
const NEW: u64 = 1;
const LISTED: u64 = 2;
const MISSED: u64 = 4;
const FRESH: u64 = 8;
const FLAGS: u64 = 15;

/// Where maps were.
#[derive(Debug, Default)]
pub struct Places {
    /// By address, each with its flags.
    known: Vec<u64>,
    /// Whether all are remembered; without that nothing can be called new.
    is_whole: bool,
    /// Those of the census under way: what follows in the order of addresses, and what is behind that. Where maps of
    /// two sorts are found in turns, each sort by address, that puts both in order.
    found: [Vec<u64>; 2],
    /// Where the last one that was asked for is, as they are asked for nearly in order.
    near: usize,
    kept: usize,
    /// Maps that were new when they were found, over all censuses.
    born: u64,
}

/// What is known of a map's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whether no census found a map there at first.
    pub is_new: bool,
    /// Whether the map is to be listed, however small: it was before.
    pub is_listed: bool,
}

impl Places {
    /// A census begins that will find at most so many maps, but for those on stacks.
    pub fn expect(&mut self, maps: usize) {
        // Untouched room costs nothing, and moving what was found does.
        self.found.iter_mut().for_each(|pile| pile.reserve(maps.min(MOST)));
    }

    /// A map was found. `is_large`: large enough to be listed.
    pub fn found(&mut self, at: Address, is_large: bool) -> Known {
        let before = self.flags(at.0);
        let was_listed = before.is_some_and(|flags| flags & LISTED != 0) && self.kept < MOST_KEPT;
        let is_new = self.is_whole && before.is_none_or(|flags| flags & NEW != 0);
        self.kept += usize::from(was_listed && !is_large);
        let known = Known { is_new, is_listed: is_large || was_listed };
        let [first, second] = &mut self.found;
        if first.len() + second.len() <= MOST {
            let flag = |is_so: bool, flag: u64| if is_so { flag } else { 0 };
            let flags = flag(is_new, NEW) | flag(known.is_listed, LISTED);
            let place = at.0 & !FLAGS | flags | flag(is_new && before.is_none(), FRESH);
            let follows = first.last().is_none_or(|last| *last <= place);
            if follows { first.push(place) } else { second.push(place) }
        }
        known
    }

    /// Adds what another one has found, of a part of the process that this one has not looked at.
    pub fn take_over(&mut self, other: Self) {
        let more = self.found.iter_mut().zip(other.found);
        more.for_each(|(pile, more)| pile.extend(more));
        self.kept += other.kept;
    }

    /// The census is over. What it did not find is remembered for one more: it may have been overlooked while
    /// it was being changed.
    pub fn end(&mut self) {
        let before = std::mem::take(&mut self.known);
        let missed = before.into_iter().filter(|place| place & MISSED == 0).map(|place| place | MISSED);
        let [mut found, second] = std::mem::take(&mut self.found);
        found.extend(second);
        found.extend(missed);
        // By runs: all of them are in order but for a few jumps.
        found.sort();
        // Of one address, what was found comes before what was missed.
        found.dedup_by_key(|place| *place & !FLAGS);
        self.is_whole = found.len() <= MOST;
        let fresh = |place: &&mut u64| **place & FRESH != 0;
        for place in found.iter_mut().filter(fresh) {
            *place &= !FRESH;
            self.born += 1;
        }
        found.truncate(MOST);
        self.known = found;
        (self.near, self.kept) = (0, 0);
    }

    /// Maps so far that no census found at first, and a later one did.
    #[must_use]
    pub const fn born(&self) -> u64 {
        self.born
    }

    fn flags(&mut self, at: u64) -> Option<u64> {
        let at = at & !FLAGS;
        let is_near = |near: usize| self.known.get(near).is_some_and(|place| place & !FLAGS == at);
        let near = [self.near, self.near + 1].into_iter().find(|near| is_near(*near));
        self.near = match near {
            Some(near) => near,
            None => self.known.partition_point(|place| *place & !FLAGS < at),
        };
        let place = self.known.get(self.near)?;
        (place & !FLAGS == at).then_some(place & FLAGS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A census that finds these maps, the large ones with `true`; what it is told of each.
    fn census(places: &mut Places, maps: &[(u64, bool)]) -> Vec<(bool, bool)> {
        let tell = |(at, is_large): &(u64, bool)| {
            let known = places.found(Address(*at), *is_large);
            (known.is_new, known.is_listed)
        };
        let told = maps.iter().map(tell).collect();
        places.end();
        told
    }

    #[test]
    fn what_the_first_census_did_not_find_is_new_for_good() {
        let mut places = Places::default();
        assert_eq!(census(&mut places, &[(0x30, false), (0x60, true)]), [(false, false), (false, true)]);
        let more = [(0x30, true), (0x60, true), (0x90, false)];
        assert_eq!(census(&mut places, &more), [(false, true), (false, true), (true, false)]);
        assert_eq!(census(&mut places, &[(0x90, true)]), [(true, true)], "small at first, and large later");
        assert_eq!(places.born(), 1);
    }

    #[test]
    fn a_map_that_was_listed_stays_listed_when_it_becomes_small() {
        let mut places = Places::default();
        census(&mut places, &[(0x30, true)]);
        assert_eq!(census(&mut places, &[(0x30, false)]), [(false, true)]);
        assert_eq!(census(&mut places, &[(0x30, false)]), [(false, true)]);
    }

    #[test]
    fn a_map_that_one_census_overlooked_is_not_new_at_the_next_but_is_after_two() {
        let mut places = Places::default();
        for missed in 1..=2 {
            census(&mut places, &[(0x30, true)]);
            (0..missed).for_each(|_| _ = census(&mut places, &[]));
            assert_eq!(census(&mut places, &[(0x30, true)]), [(missed == 2, true)]);
        }
    }

    #[test]
    fn where_not_all_fit_nothing_is_called_new() {
        let mut places = Places::default();
        (0..MOST as u64 + 10).for_each(|number| _ = places.found(Address(16 * number), true));
        places.end();
        assert_eq!(places.known.len(), MOST);
        assert_eq!(census(&mut places, &[(0x9000_0000, false)]), [(false, false)]);
    }

    proptest! {
        #[test]
        fn the_order_in_which_maps_are_found_does_not_matter(
            before in proptest::collection::btree_set(0_u64..60, 0..40),
            after in proptest::collection::vec(0_u64..60, 0..40),
        ) {
            let mut places = Places::default();
            before.iter().for_each(|number| _ = places.found(Address(48 * number), false));
            places.end();
            for number in after {
                let known = places.found(Address(48 * number), false);
                prop_assert_eq!(known.is_new, !before.contains(&number));
            }
        }
    }
}
