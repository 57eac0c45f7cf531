//! The tables of one map whose address is remembered. Most maps have one, or two while they grow: these lie in the
//! map's own record. Only of a map with more tables the others are kept apart.

use std::collections::BTreeMap;

use super::unit::Address;

/// Tables that lie in the record.
const FEW: usize = 2;

/// Tables by address.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    few: [Option<(Address, T)>; FEW],
    others: BTreeMap<Address, T>,
}

impl<T> Default for Placed<T> {
    fn default() -> Self {
        Self { few: [const { None }; FEW], others: BTreeMap::new() }
    }
}

impl<T: Copy> Placed<T> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.few.iter().flatten().count() + self.others.len()
    }

    /// One more; returns the one that was at its address.
    pub(super) fn insert(&mut self, at: Address, table: T) -> Option<T> {
        let before = self.remove(at);
        match self.few.iter_mut().find(|place| place.is_none()) {
            Some(free) => *free = Some((at, table)),
            None => _ = self.others.insert(at, table),
        }
        before
    }

    /// The one at this address is gone.
    pub(super) fn remove(&mut self, at: Address) -> Option<T> {
        let here = self.few.iter_mut().find_map(|place| place.take_if(|(there, _)| *there == at));
        match here {
            Some((_, table)) => Some(table),
            None if self.others.is_empty() => None,
            None => self.others.remove(&at),
        }
    }

    /// Only those stay that fit.
    pub(super) fn retain(&mut self, fits: impl Fn(T) -> bool) {
        for place in &mut self.few {
            *place = place.take().filter(|(_, table)| fits(*table));
        }
        self.others.retain(|_, table| fits(*table));
    }

    /// All of them, by address.
    pub(super) fn all(&self) -> Vec<(Address, T)> {
        let others = self.others.iter().map(|(at, table)| (*at, *table));
        let mut all: Vec<_> = self.few.iter().flatten().copied().chain(others).collect();
        all.sort_unstable_by_key(|(at, _)| *at);
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_tree_would(steps in prop::collection::vec((0_u64..5, 0_u8..6), 0..60)) {
            let (mut placed, mut tree) = (Placed::default(), BTreeMap::new());
            for (at, step) in steps {
                let at = Address(at);
                match step {
                    0 | 1 => prop_assert_eq!(placed.remove(at), tree.remove(&at)),
                    2 => {
                        placed.retain(|table| table % 2 == 0);
                        tree.retain(|_, table| *table % 2 == 0);
                    }
                    table => prop_assert_eq!(placed.insert(at, table), tree.insert(at, table)),
                }
                prop_assert_eq!(placed.len(), tree.len());
                prop_assert_eq!(placed.all(), Vec::from_iter(tree.clone()));
            }
        }
    }
}
