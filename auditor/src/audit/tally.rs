//! What is known of all maps together, brought up to date by each map as it changes: so a tick and a reading of RSS
//! take as long as what has changed since the one before, and not as long as all maps there are.
//!
//! Facts come in bursts about one map. So a map is written down as it was when something happens to it first, and
//! added up when some others were met too, while it is still at hand.

use super::differences::{Differences, Journal};
use super::held::{Share, Sums};
use super::here::{Here, Place};
use super::life::Life;
use super::trend::Sample;
use super::unit::{Address, Bytes, Nanos};

/// A map, and when it was born: addresses are used again.
pub(super) type Map = (Address, Option<Nanos>);

/// Maps that are written down before they are added up.
const MOST_TOUCHED: usize = 32;

/// What all living maps come to, and which of them have changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    min_bytes: Bytes,
    sums: Sums,
    /// Maps that are not added up as they are, but as they were: like this.
    touched: Vec<(Place, Footprint)>,
    sampled: Journal<Address, Option<Sample>>,
    in_tables: Journal<Map, Bytes>,
}

/// What one map adds to it; nothing, where it is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Footprint {
    share: Share,
    sample: Option<Sample>,
    born: Option<Nanos>,
}

impl Footprint {
    /// How the map is, where it is listed one by one.
    pub(super) const fn sample(&self) -> Option<Sample> {
        self.sample
    }

    fn of(life: &Life, min_bytes: Bytes) -> Self {
        if life.gone.is_some() {
            return Self::default();
        }
        let listed = life.holding.peak() >= min_bytes;
        Self {
            share: Share::of(life, listed),
            sample: Sample::of(life).filter(|_| listed),
            born: life.born(),
        }
    }
}

impl Tally {
    /// Maps that never held this much are not listed one by one.
    pub(super) fn list_from(&mut self, min_bytes: Bytes, here: &mut Here) {
        self.settle(here);
        for life in here.all() {
            let [before, after] = [self.min_bytes, min_bytes].map(|least| Footprint::of(life, least));
            self.change(life.address, &before, &after);
        }
        self.min_bytes = min_bytes;
    }

    /// Whether a map is large enough, or was, to be listed one by one.
    pub(super) fn lists(&self, life: &Life) -> bool {
        life.holding.peak() >= self.min_bytes
    }

    /// What a map adds as it is.
    pub(super) fn footprint(&self, life: &Life) -> Footprint {
        Footprint::of(life, self.min_bytes)
    }

    /// Something is about to happen to a map.
    pub(super) fn touch(&mut self, place: Place, life: &mut Life) {
        if !std::mem::replace(&mut life.touched, true) {
            self.touched.push((place, self.footprint(life)));
        }
    }

    /// Adds up all maps as they are, once enough of them were touched.
    pub(super) fn settle_many(&mut self, here: &mut Here) {
        if self.touched.len() >= MOST_TOUCHED {
            self.settle(here);
        }
    }

    /// Adds up all maps as they are.
    pub(super) fn settle(&mut self, here: &mut Here) {
        let mut touched = std::mem::take(&mut self.touched);
        for (place, before) in touched.drain(..) {
            let Some(life) = here.at(place) else { continue };
            life.touched = false;
            self.change(life.address, &before, &self.footprint(life));
        }
        self.touched = touched;
    }

    /// A map is not here any more.
    pub(super) fn left(&mut self, place: Place, life: &Life) {
        let written = self.touched.iter().rposition(|(touched, _)| *touched == place);
        let before = match written {
            Some(written) => self.touched.swap_remove(written).1,
            None => self.footprint(life),
        };
        self.change(life.address, &before, &Footprint::default());
    }

    /// What all living maps come to.
    pub(super) fn sums(&self, here: &Here) -> Sums {
        let mut sums = self.sums;
        for (place, before) in &self.touched {
            if let Some(life) = here.peek(*place) {
                sums.change(&before.share, &self.footprint(life).share);
            }
        }
        sums
    }

    /// The listed maps that are otherwise than when this was asked last.
    pub(super) fn take_sampled(&mut self) -> Differences<Address, Option<Sample>> {
        self.sampled.take()
    }

    /// The maps of which another part of RSS is known than when this was asked last.
    pub(super) fn take_in_tables(&mut self) -> Differences<Map, Bytes> {
        self.in_tables.take()
    }

    fn change(&mut self, map: Address, from: &Footprint, to: &Footprint) {
        self.sums.change(&from.share, &to.share);
        self.sampled.change(map, from.sample, to.sample);
        let [were, are] = [from, to].map(|footprint| footprint.share.in_tables());
        if from.born == to.born {
            return self.in_tables.change((map, from.born), were, are);
        }
        self.in_tables.change((map, from.born), were, Bytes(0));
        self.in_tables.change((map, to.born), Bytes(0), are);
    }
}
