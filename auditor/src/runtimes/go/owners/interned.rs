//! A long list of few different things: 4 bytes an item.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Such a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interned<T> {
    kinds: Vec<T>,
    items: Vec<u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { kinds: Vec::new(), items: Vec::new() }
    }
}

impl<T: Copy + Eq + Hash> Interned<T> {
    /// Of kinds, and for each item the place of its kind.
    pub(super) fn new(kinds: Vec<T>, items: Vec<u32>) -> Self {
        Self { kinds, items }
    }

    /// The kinds of items; as collected, in the order in which each came first.
    pub fn kinds(&self) -> &[T] {
        &self.kinds
    }

    /// For each item, the place of its kind among these.
    pub fn numbers(&self) -> &[u32] {
        &self.items
    }

    /// The items, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().filter_map(|kind| self.kinds.get(*kind as usize))
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<T: Copy + Eq + Hash> FromIterator<T> for Interned<T> {
    /// There are fewer than 2^32 different items.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut kinds = Vec::new();
        let mut numbers = FxHashMap::default();
        let mut last = None;
        let number = |item: T| {
            // What lies side by side is often alike.
            if let Some((_, number)) = last.filter(|(last, _)| *last == item) {
                return number;
            }
            let number = *numbers.entry(item).or_insert_with(|| {
                kinds.push(item);
                u32::try_from(kinds.len() - 1).unwrap_or(u32::MAX)
            });
            last = Some((item, number));
            number
        };
        let items = items.into_iter().map(number).collect();
        Self { kinds, items }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_goes_in_comes_out(items in proptest::collection::vec(0_u8..9, 0..99)) {
            let list: Interned<u8> = items.iter().copied().collect();
            prop_assert!(list.kinds.len() <= 9);
            prop_assert_eq!(list.iter().copied().collect::<Vec<_>>(), items);
        }
    }
}
