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
    /// What other maps hold of which nobody asked how much is in RAM; without the entries behind their tables.
    pub(super) unlooked: Bytes,
    /// What small maps hold; without the entries behind their tables.
    pub(super) small: Bytes,
    /// Entries behind the tables of all maps that do not wait, whether or not the maps hold them themselves: no
    /// other sum of what may be in RAM has them.
    pub(super) entries: Bytes,
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
    Entries,
    Heap,
    Allocated,
    /// How many maps are looked at and do not wait.
    LookedAt,
}

const KINDS: usize = Of::LookedAt as usize + 1;

/// What the page map said of one map, as far as it is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paged {
    /// What was asked for.
    asked: Bytes,
    /// What of it is in RAM, of whatever kind.
    present: Bytes,
    parts: Parts,
}

/// What one map adds; nothing, where it is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// Whether it is large enough to be listed one by one.
    listed: bool,
    /// Whether a census told of it, so that it is not among those it only added up.
    told: bool,
    waits: bool,
    allocated: Bytes,
    entries: Bytes,
    behind: Bytes,
    paged: Option<Paged>,
}

/// What all maps come to: those that are always told apart, and those that a census may have added up. As wide as
/// no number of maps can overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums([[u128; KINDS]; 2]);

impl Paged {
    /// Of an answer.
    pub(super) fn of(Resident { current, old, rest, .. }: &Resident) -> Self {
        Self {
            asked: current.asked + old.asked + rest.asked,
            present: current.present + old.present + rest.present,
            parts: Parts { current: private(current), old: private(old), rest: private(rest) },
        }
    }

    fn private(&self) -> Bytes {
        let Parts { current, old, rest } = self.parts;
        current + old + rest
    }
}

impl Share {
    /// That of a living map. `listed`: it is large enough to be listed one by one.
    pub(super) fn of(life: &Life, listed: bool) -> Self {
        let (waits, allocated) = (waits(life), life.holding.allocated());
        // What it holds may have become less since it was read.
        let entries = life.seen.map_or(Bytes(0), |seen| seen.entries.min(allocated));
        let behind = life.seen.map_or(Bytes(0), |seen| seen.behind);
        Self { listed, told: life.listed, waits, allocated, entries, behind, paged: life.paged }
    }

    /// What it adds to the ladder's rows of tables.
    pub(super) fn in_tables(&self) -> Bytes {
        self.paged.filter(|_| !self.waits).map_or(Bytes(0), |paged| paged.private())
    }

    /// Whether a census that adds small maps up may have added up this one.
    const fn crowdable(&self) -> bool {
        !self.listed && !self.told
    }

    fn by_kind(&self) -> [u64; KINDS] {
        let mut by_kind = [0; KINDS];
        let mut add = |kind: Of, amount: u64| by_kind[kind as usize] = amount;
        add(Of::Allocated, self.allocated.0);
        if !self.waits {
            add(Of::Entries, (self.entries + self.behind).0);
        }
        let but_entries = self.allocated.less(self.entries).0;
        add(Of::Heap, self.paged.map_or(self.allocated, |paged| paged.asked).0);
        match self.paged {
            Some(paged) if self.waits => add(Of::Waiting, paged.private().0),
            Some(Paged { parts: Parts { current, old, rest }, .. }) => {
                add(Of::LookedAt, 1);
                add(Of::Current, current.0);
                add(Of::Old, old.0);
                add(Of::Rest, rest.0);
            }
            None if self.waits => add(Of::Waiting, self.allocated.0),
            None if self.listed => add(Of::Unlooked, but_entries),
            None => add(Of::Small, but_entries),
        }
        by_kind
    }
}

impl Sums {
    /// A map adds something else than before.
    pub(super) fn change(&mut self, from: &Share, to: &Share) {
        if from != to {
            let out = self.0[usize::from(from.crowdable())].iter_mut().zip(from.by_kind());
            out.for_each(|(sum, part)| *sum -= u128::from(part));
            let into = self.0[usize::from(to.crowdable())].iter_mut().zip(to.by_kind());
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
            entries: Bytes(sum(Of::Entries)),
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
pub(super) const fn waits(life: &Life) -> bool {
    life.waits
}

/// What of a map is in RAM, at most what it holds: that may have become less since the asking. `None`: nobody asked.
pub(super) fn in_ram(life: &Life) -> Option<Bytes> {
    let present = life.paged?.present;
    Some(if life.holding.is_known() { present.min(life.holding.allocated()) } else { present })
}

fn private(pages: &Pages) -> Bytes {
    pages.present.less(pages.shared)
}
