//! The maps that are here, by address. Facts come in bursts about one map, so the one that was asked for last is found
//! at once.

use std::collections::BTreeMap;

use slab::Slab;

use super::life::Life;
use super::unit::Address;

/// The maps that live or are leaving.
#[derive(Clone, Debug, Default)]
pub(super) struct Here {
    places: BTreeMap<Address, Place>,
    lives: Slab<Life>,
    /// The one that was asked for last.
    last: Option<(Address, Place)>,
}

/// Where one of them is kept, as long as it is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Here {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lives.len()
    }

    /// The one with the lowest address.
    pub(super) fn first(&self) -> Option<Address> {
        self.places.first_key_value().map(|(map, _)| *map)
    }

    /// Where the one at this address is kept.
    pub(super) fn place(&mut self, map: Address) -> Option<Place> {
        if let Some((_, place)) = self.last.filter(|(last, _)| *last == map) {
            return Some(place);
        }
        let place = *self.places.get(&map)?;
        self.last = Some((map, place));
        Some(place)
    }

    /// The one at this address.
    pub(super) fn get(&self, map: Address) -> Option<&Life> {
        match self.last {
            Some((last, place)) if last == map => self.lives.get(place.0 as usize),
            _ => self.lives.get(self.places.get(&map)?.0 as usize),
        }
    }

    /// The one at this address, to be changed.
    pub(super) fn get_mut(&mut self, map: Address) -> Option<&mut Life> {
        self.find(map).map(|(_, life)| life)
    }

    /// The same, with where it is kept.
    pub(super) fn find(&mut self, map: Address) -> Option<(Place, &mut Life)> {
        let place = self.place(map)?;
        Some((place, self.at(place)?))
    }

    /// The one that is kept there, to be changed.
    pub(super) fn at(&mut self, place: Place) -> Option<&mut Life> {
        self.lives.get_mut(place.0 as usize)
    }

    /// The one that is kept there.
    pub(super) fn peek(&self, place: Place) -> Option<&Life> {
        self.lives.get(place.0 as usize)
    }

    /// Another one, at an address where none is.
    pub(super) fn add(&mut self, life: Life) -> Place {
        let map = life.address;
        let place = Place(self.lives.insert(life) as u32);
        self.places.insert(map, place);
        self.last = Some((map, place));
        place
    }

    /// The one at this address is here no more.
    pub(super) fn take(&mut self, map: Address) -> Option<(Place, Life)> {
        self.last = None;
        let place = self.places.remove(&map)?;
        Some((place, self.lives.try_remove(place.0 as usize)?))
    }

    /// All of them, by address.
    pub(super) fn all(&self) -> impl Iterator<Item = &Life> {
        self.places.values().filter_map(|place| self.lives.get(place.0 as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::who::Birth;

    const MAPS: [Address; 2] = [Address(0x10), Address(0x20)];

    fn addresses(here: &Here) -> Vec<Address> {
        here.all().map(|life| life.address).collect()
    }

    #[test]
    fn each_is_found_by_its_address_whatever_was_asked_for_last() {
        let mut here = Here::default();
        let [low, high] = MAPS;
        here.add(Life::new(high, Birth::Seen));
        here.add(Life::new(low, Birth::Seen));
        for map in [low, high, high, low] {
            assert_eq!(here.find(map).map(|(_, life)| life.address), Some(map));
            assert_eq!(here.get(map).map(|life| life.address), Some(map));
        }
        assert_eq!((here.len(), here.first(), addresses(&here)), (2, Some(low), vec![low, high]));
    }

    #[test]
    fn who_takes_the_place_of_another_is_not_found_by_its_address() {
        let mut here = Here::default();
        let [gone, new] = MAPS;
        let place = here.add(Life::new(gone, Birth::Seen));
        assert_eq!(here.take(gone).map(|(left, life)| (left, life.address)), Some((place, gone)));
        assert!(here.find(gone).is_none() && here.peek(place).is_none());
        assert_eq!(here.add(Life::new(new, Birth::Seen)), place);
        assert!(here.get(gone).is_none() && here.take(gone).is_none());
        assert_eq!(addresses(&here), [new]);
    }
}
