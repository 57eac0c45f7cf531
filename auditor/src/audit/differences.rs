//! What differs between two moments, by key: how it was, and how it is. What is again as it was is no difference,
//! so there are never more of them than what there was and what there is.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The differences, in the order of the keys.
#[derive(Clone, Debug)]
pub(super) struct Differences<K, V>(BTreeMap<K, Difference<V>>);

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Difference<V> {
    /// How it was at the earlier moment.
    pub(super) from: V,
    /// How it is at the later one.
    pub(super) to: V,
}

impl<K, V> Default for Differences<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// Changes as they come, which is cheap, until somebody asks what they come to. It holds no more of them than twice
/// the differences, and [`ROOM`].
#[derive(Clone, Debug)]
pub(super) struct Journal<K, V> {
    changes: Vec<(K, Difference<V>)>,
    /// With so many, those of the same key are brought together.
    most: usize,
}

/// Changes that are written down before any are brought together.
const ROOM: usize = 1024;

impl<K, V> Default for Journal<K, V> {
    fn default() -> Self {
        Self { changes: Vec::new(), most: ROOM }
    }
}

impl<K: Ord, V: PartialEq> Journal<K, V> {
    /// This is another now.
    pub(super) fn change(&mut self, key: K, from: V, to: V) {
        if from == to {
            return;
        }
        if self.changes.len() >= self.most {
            self.bring_together();
            self.most = 2 * self.changes.len() + ROOM;
        }
        self.changes.push((key, Difference { from, to }));
    }

    /// What all changes since this was asked last come to.
    pub(super) fn take(&mut self) -> Differences<K, V> {
        self.bring_together();
        Differences(self.changes.drain(..).collect())
    }

    /// One change for each key that is otherwise than at the beginning, in their order.
    fn bring_together(&mut self) {
        self.changes.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.changes.dedup_by(|(later, last), (key, first)| {
            let is_same = later == key;
            if is_same {
                std::mem::swap(&mut first.to, &mut last.to);
            }
            is_same
        });
        self.changes.retain(|(_, difference)| difference.from != difference.to);
    }
}

impl<K: Ord, V: PartialEq> Differences<K, V> {
    /// The later moment has moved on: this is another now.
    pub(super) fn change(&mut self, key: K, from: V, to: V) {
        if from == to {
            return;
        }
        match self.0.entry(key) {
            Entry::Vacant(unchanged) => _ = unchanged.insert(Difference { from, to }),
            Entry::Occupied(back) if back.get().from == to => _ = back.remove(),
            Entry::Occupied(mut changed) => changed.get_mut().to = to,
        }
    }

    /// The later moment has moved on by all of these.
    pub(super) fn then(&mut self, later: Self) {
        later.0.into_iter().for_each(|(key, Difference { from, to })| self.change(key, from, to));
    }

    /// What there would be after [`Self::then`], with nothing moved.
    pub(super) fn with<'a>(&'a self, later: &'a Self) -> impl Iterator<Item = (&'a K, Difference<V>)>
    where
        V: Copy,
    {
        let until = move |key: &K, to: V| later.0.get(key).map_or(to, |moved| moved.to);
        let changed = self
            .0
            .iter()
            .map(move |(key, &Difference { from, to })| (key, Difference { from, to: until(key, to) }));
        let others = later.0.iter().filter(move |(key, _)| !self.0.contains_key(*key));
        let all = changed.chain(others.map(|(key, difference)| (key, *difference)));
        all.filter(|(_, difference)| difference.from != difference.to)
    }

    /// Each with its key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Difference<V>)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// States by key, each moment after the one before.
    fn moments() -> impl Strategy<Value = Vec<[u8; 4]>> {
        prop::collection::vec(prop::array::uniform4(0_u8..3), 3..20)
    }

    fn between(moments: &[[u8; 4]]) -> Differences<usize, u8> {
        let mut differences = Differences::default();
        for step in moments.windows(2) {
            (0..4).for_each(|key| differences.change(key, step[0][key], step[1][key]));
        }
        differences
    }

    /// The same, in a journal that holds so many changes at first.
    fn written_down(moments: &[[u8; 4]], most: usize) -> Journal<usize, u8> {
        let mut journal = Journal { most, ..Journal::default() };
        for step in moments.windows(2) {
            (0..4).for_each(|key| journal.change(key, step[0][key], step[1][key]));
        }
        journal
    }

    #[test]
    fn a_journal_holds_no_more_than_twice_what_differs_and_some_room() {
        let mut journal = Journal::default();
        for number in 0..100_000_u32 {
            journal.change(number % 7, number, number + 7);
            assert!(journal.changes.len() <= 2 * 7 + ROOM);
        }
        assert_eq!(journal.take().iter().count(), 7);
        assert_eq!(journal.take().iter().count(), 0);
    }

    proptest! {
        #[test]
        fn only_the_ends_count_whatever_lies_between(moments in moments(), cut in 1_usize..19) {
            let (first, last) = (moments[0], moments[moments.len() - 1]);
            let expected: Vec<_> = (0..4)
                .filter(|&key| first[key] != last[key])
                .map(|key| (key, Difference { from: first[key], to: last[key] }))
                .collect();
            let all = |differences: &Differences<usize, u8>| -> Vec<_> {
                differences.iter().map(|(key, difference)| (*key, *difference)).collect()
            };
            prop_assert_eq!(all(&between(&moments)), &expected[..]);
            prop_assert_eq!(all(&written_down(&moments, 3).take()), &expected[..]);
            let cut = cut.min(moments.len() - 1);
            let (mut joined, later) = (between(&moments[..=cut]), between(&moments[cut..]));
            let mut seen: Vec<_> = joined.with(&later).map(|(key, both)| (*key, both)).collect();
            seen.sort_by_key(|(key, _)| *key);
            joined.then(later);
            prop_assert_eq!((all(&joined), seen), (expected.clone(), expected));
        }
    }
}
