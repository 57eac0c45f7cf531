//! Tells how maps of each kind are sized, once, before the first look at one of them is told.

use std::collections::BTreeSet;

use crate::audit::fact::{Fact, SizesId, What};
use crate::runtimes::Instance;

/// The kinds that have been told of.
#[derive(Debug, Default)]
pub(super) struct Kinds(BTreeSet<SizesId>);

impl Kinds {
    /// What is to be told before this fact.
    pub(super) fn before(&mut self, fact: &Fact, instance: &dyn Instance) -> Option<Fact> {
        let What::Look(look) = &fact.what else { return None };
        let id = look.shape.sizes.filter(|id| self.0.insert(*id))?;
        let sizes = instance.sizes(id)?;
        Some(Fact { at: fact.at, thread: None, what: What::Sizes(Box::new(sizes)) })
    }
}
