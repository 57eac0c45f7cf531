//! What the maps take of RSS, as far as it was looked at: what the ladder has rows for. What all maps come to is
//! kept as sums out of which one map can be taken again, so nobody goes through all maps to know it.

use super::fact::{Pages, Resident};
use super::life::Life;
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
    /// What they hold, whether or not it is in RAM.
    pub(super) allocated: Bytes,
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

/// What is added up over maps.
#[derive(Clone, Copy, Debug)]
enum Of {
    Current,
    Old,
    Rest,
    Waiting,
    Unlooked,
    Small,
    Heap,
    Allocated,
    /// How many maps are looked at and do not wait.
    LookedAt,
}

const KINDS: usize = Of::LookedAt as usize + 1;

/// What one map adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// Whether a census that adds small maps up may have added up this one.
    crowdable: bool,
    of: [u64; KINDS],
}

/// What all maps come to: those that are always told apart, and those that a census may have added up. As wide as
/// no number of maps can overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums([[u128; KINDS]; 2]);

impl Share {
    /// That of a living map. `listed`: it is large enough to be listed one by one.
    pub(super) fn of(life: &Life, listed: bool) -> Self {
        let mut share = Self { crowdable: !listed && !life.listed, of: [0; KINDS] };
        let allocated = life.holding.allocated();
        share.add(Of::Allocated, allocated);
        match life.resident.as_deref() {
            Some(resident) => share.add_pages(resident, waits(life)),
            None => {
                share.add(Of::Heap, allocated);
                let other = if listed { Of::Unlooked } else { Of::Small };
                share.add(if waits(life) { Of::Waiting } else { other }, allocated);
            }
        }
        share
    }

    fn add_pages(&mut self, Resident { current, old, rest, .. }: &Resident, waits: bool) {
        self.add(Of::Heap, current.asked + old.asked + rest.asked);
        let [current, old, rest] = [current, old, rest].map(private);
        if waits {
            return self.add(Of::Waiting, current + old + rest);
        }
        self.of[Of::LookedAt as usize] = 1;
        self.add(Of::Current, current);
        self.add(Of::Old, old);
        self.add(Of::Rest, rest);
    }

    const fn add(&mut self, kind: Of, bytes: Bytes) {
        self.of[kind as usize] = bytes.0;
    }
}

impl Sums {
    /// A map adds something else than before.
    pub(super) fn change(&mut self, from: &Share, to: &Share) {
        if from != to {
            let out = self.0[usize::from(from.crowdable)].iter_mut().zip(from.of);
            out.for_each(|(sum, part)| *sum -= u128::from(part));
            let into = self.0[usize::from(to.crowdable)].iter_mut().zip(to.of);
            into.for_each(|(sum, part)| *sum += u128::from(part));
        }
    }

    /// All of it, with the small maps that a census added up: these are then not counted once more.
    pub(super) fn held(&self, crowds: Option<&Populations>) -> Held {
        let [apart, crowdable] = &self.0;
        let sum = |kind: Of| {
            let others = if crowds.is_none() { crowdable[kind as usize] } else { 0 };
            u64::try_from(apart[kind as usize] + others).unwrap_or(u64::MAX)
        };
        let [current, old, rest] = [Of::Current, Of::Old, Of::Rest].map(|kind| Bytes(sum(kind)));
        let mut held = Held {
            looked_at: (sum(Of::LookedAt) > 0).then_some(Parts { current, old, rest }),
            waiting: Bytes(sum(Of::Waiting)),
            unlooked: Bytes(sum(Of::Unlooked)),
            small: Bytes(sum(Of::Small)),
            of_heap: Bytes(sum(Of::Heap)),
            allocated: Bytes(sum(Of::Allocated)),
        };
        for (reachable, bytes) in crowds.into_iter().flat_map(Populations::sizes) {
            let waits = reachable == Some(false);
            *(if waits { &mut held.waiting } else { &mut held.small }) += bytes;
            held.of_heap += bytes;
            held.allocated += bytes;
        }
        held
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
