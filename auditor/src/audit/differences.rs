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
            let cut = cut.min(moments.len() - 1);
            let (mut joined, later) = (between(&moments[..=cut]), between(&moments[cut..]));
            let mut seen: Vec<_> = joined.with(&later).map(|(key, both)| (*key, both)).collect();
            seen.sort_by_key(|(key, _)| *key);
            joined.then(later);
            prop_assert_eq!((all(&joined), seen), (expected.clone(), expected));
        }
    }
}
