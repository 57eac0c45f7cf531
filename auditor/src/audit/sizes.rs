//! How maps of each kind are sized, as runtimes tell it.

use std::collections::BTreeMap;

use super::fact::{Sizes, SizesId};
use super::report::Map;

/// Kinds that are kept: more types of large maps than programs have.
const MOST: usize = 4096;
/// Steps of one that are kept: twice as many as there are powers of two up to all memory, and more.
const MOST_STEPS: usize = 96;

/// The kinds so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Kinds(BTreeMap<SizesId, Sizes>);

impl Kinds {
    /// A kind was told of. What was told first under a number stands.
    pub(super) fn add(&mut self, sizes: &Sizes) {
        if self.0.len() < MOST {
            let kept = || Sizes { steps: sizes.steps.iter().take(MOST_STEPS).copied().collect(), ..*sizes };
            self.0.entry(sizes.id).or_insert_with(kept);
        }
    }

    /// The target replaced its program: numbers mean something else from now on.
    pub(super) fn replaced(&mut self) {
        self.0.clear();
    }

    /// Those of maps that are listed, by number.
    pub(super) fn of(&self, maps: &[Map]) -> Vec<Sizes> {
        let mut ids: Vec<SizesId> = maps.iter().filter_map(|map| map.sizes).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.iter().filter_map(|id| self.0.get(id)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact::Step;

    #[test]
    fn what_facts_make_up_is_bounded_and_the_first_of_a_number_stands() {
        let mut kinds = Kinds::default();
        let kind =
            |id, steps| Sizes { id: SizesId(id), steps: vec![Step::default(); steps], ..Sizes::default() };
        (0..2 * MOST as u32).for_each(|id| kinds.add(&kind(id, 1)));
        assert_eq!(kinds.0.len(), MOST);
        kinds.replaced();
        [1 << 16, 1].into_iter().for_each(|steps| kinds.add(&kind(7, steps)));
        assert_eq!(kinds.0[&SizesId(7)].steps.len(), MOST_STEPS);
    }
}
