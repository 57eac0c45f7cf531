//! What the maps take of RSS, as far as it was looked at: what the ladder has rows for.

use super::fact::{Pages, Resident};
use super::life::Life;
use super::report::{Map, Population};
use super::unit::Bytes;

/// What maps hold, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// What the page map says of the maps that it was asked for; `None`: of none.
    pub(super) looked_at: Option<Parts>,
    /// What maps hold that wait for the collector: in RAM, where that is known.
    pub(super) waiting: Bytes,
    /// What other maps hold of which nobody asked how much is in RAM.
    pub(super) unlooked: Bytes,
    /// What small maps hold.
    pub(super) small: Bytes,
    /// What of a heap in use all these account for, in RAM or not.
    pub(super) of_heap: Bytes,
}

/// Bytes in RAM, without file pages and shared memory, which have rows of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// Current tables.
    pub(super) current: Bytes,
    /// Old tables.
    pub(super) old: Bytes,
    /// Headers, directories, listed overflow.
    pub(super) rest: Bytes,
}

impl Held {
    /// By the maps that live, and the rows of a report.
    pub(super) fn by<'a>(
        living: impl Iterator<Item = &'a Life>,
        maps: &[Map],
        populations: &[Population],
    ) -> Self {
        let mut held = Self::default();
        living.for_each(|life| held.add_life(life));
        for map in maps.iter().filter(|map| map.bytes.resident.is_none()) {
            held.add_size(map.reachable, map.bytes.allocated.unwrap_or_default(), |held| &mut held.unlooked);
        }
        for row in populations {
            held.add_size(row.reachable, row.bytes.allocated, |held| &mut held.small);
        }
        held
    }

    fn add_life(&mut self, life: &Life) {
        let Some(Resident { current, old, rest, .. }) = life.resident.as_deref() else { return };
        self.of_heap += current.asked + old.asked + rest.asked;
        let [current, old, rest] = [current, old, rest].map(private);
        if life.described.as_ref().is_some_and(|who| who.reachable == Some(false)) {
            self.waiting += current + old + rest;
            return;
        }
        let parts = self.looked_at.get_or_insert_default();
        parts.current += current;
        parts.old += old;
        parts.rest += rest;
    }

    fn add_size(&mut self, reachable: Option<bool>, bytes: Bytes, other: fn(&mut Self) -> &mut Bytes) {
        self.of_heap += bytes;
        let sum = if reachable == Some(false) { &mut self.waiting } else { other(self) };
        *sum += bytes;
    }
}

/// What of a map is in RAM, at most what it holds: that may have become less since the asking. `None`: nobody asked.
pub(super) fn in_ram(life: &Life) -> Option<Bytes> {
    let Resident { current, old, rest, .. } = life.resident.as_deref()?;
    let present = current.present + old.present + rest.present;
    Some(if life.holding.is_known() { present.min(life.holding.allocated()) } else { present })
}

fn private(pages: &Pages) -> Bytes {
    pages.present.less(pages.shared)
}
