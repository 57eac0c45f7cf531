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

/// Such a list that is being written.
#[derive(Debug)]
pub(super) struct Interning<T> {
    list: Interned<T>,
    numbers: FxHashMap<T, u32>,
    last: Option<(T, u32)>,
}

impl<T: Copy + Eq + Hash> Interning<T> {
    /// Nothing yet, with room for so many items.
    pub(super) fn with_room(items: usize) -> Self {
        let list = Interned { kinds: Vec::new(), items: Vec::with_capacity(items) };
        Self { list, numbers: FxHashMap::default(), last: None }
    }

    /// Adds an item. There are fewer than 2^32 different ones.
    #[inline]
    pub(super) fn add(&mut self, item: T) {
        // What lies side by side is often alike.
        let last = self.last.filter(|(last, _)| *last == item);
        let number = last.map_or_else(|| self.number(item), |(_, number)| number);
        self.last = Some((item, number));
        self.list.items.push(number);
    }

    fn number(&mut self, item: T) -> u32 {
        let kinds = &mut self.list.kinds;
        *self.numbers.entry(item).or_insert_with(|| {
            kinds.push(item);
            u32::try_from(kinds.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// The list.
    pub(super) fn finish(self) -> Interned<T> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_goes_in_comes_out(items in proptest::collection::vec(0_u8..9, 0..99)) {
            let mut list = Interning::with_room(0);
            items.iter().for_each(|item| list.add(*item));
            let list = list.finish();
            prop_assert!(list.kinds.len() <= 9);
            prop_assert_eq!(list.iter().copied().collect::<Vec<_>>(), items);
        }
    }
}
