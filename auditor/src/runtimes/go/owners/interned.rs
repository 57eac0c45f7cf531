//! A long list of few different things: 4 bytes an item.

use std::collections::BTreeMap;

/// Such a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interned<T> {
    kinds: Vec<T>,
    numbers: BTreeMap<T, u32>,
    items: Vec<u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { kinds: Vec::new(), numbers: BTreeMap::new(), items: Vec::new() }
    }
}

impl<T: Copy + Ord> Interned<T> {
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

impl<T: Copy + Ord> FromIterator<T> for Interned<T> {
    /// There are fewer than 2^32 different items.
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = Self::default();
        for item in items {
            let next = u32::try_from(list.kinds.len()).unwrap_or(u32::MAX);
            let number = *list.numbers.entry(item).or_insert_with(|| {
                list.kinds.push(item);
                next
            });
            list.items.push(number);
        }
        list
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
