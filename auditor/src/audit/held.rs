//! What the maps take of RSS, as far as it was looked at: what the ladder has rows for.

use super::fact::{Pages, Resident};
use super::life::Life;
use super::lives::Lives;
use super::populations::Populations;
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
    /// By the maps that live, and the small ones that a census added up.
    pub(super) fn by(lives: &Lives, crowds: Option<&Populations>) -> Self {
        let mut held = Self::default();
        for life in lives.by_themselves(crowds.is_some()) {
            let (waits, bytes) = (waits(life), life.holding.allocated());
            if life.resident.is_some() {
                held.add_life(life);
            } else if lives.is_listed(life) {
                held.add_size(waits, bytes, |held| &mut held.unlooked);
            } else {
                held.add_size(waits, bytes, |held| &mut held.small);
            }
        }
        for (reachable, bytes) in crowds.into_iter().flat_map(Populations::sizes) {
            held.add_size(reachable == Some(false), bytes, |held| &mut held.small);
        }
        held
    }

    fn add_life(&mut self, life: &Life) {
        let Some(Resident { current, old, rest, .. }) = life.resident.as_deref() else { return };
        self.of_heap += current.asked + old.asked + rest.asked;
        let [current, old, rest] = [current, old, rest].map(private);
        if waits(life) {
            self.waiting += current + old + rest;
            return;
        }
        let parts = self.looked_at.get_or_insert_default();
        parts.current += current;
        parts.old += old;
        parts.rest += rest;
    }

    fn add_size(&mut self, waits: bool, bytes: Bytes, other: fn(&mut Self) -> &mut Bytes) {
        self.of_heap += bytes;
        let sum = if waits { &mut self.waiting } else { other(self) };
        *sum += bytes;
    }
}

/// Whether a map waits for the collector: nothing refers to it.
pub(super) fn waits(life: &Life) -> bool {
    life.described.as_ref().is_some_and(|who| who.reachable == Some(false))
}

/// What a map adds to the ladder's rows of tables. `None`: nobody asked, or it waits for the collector.
pub(super) fn in_tables(life: &Life) -> Option<Bytes> {
    let Resident { current, old, rest, .. } = life.resident.as_deref()?;
    (!waits(life)).then(|| private(current) + private(old) + private(rest))
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
