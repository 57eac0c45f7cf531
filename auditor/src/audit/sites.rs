//! From where a map was grown: the call stack of its largest table, or growth.

use super::fact::{Allocate, Grow};
use super::life::Life;

impl Life {
    /// A table was asked for.
    pub(super) fn remember_site(&mut self, fact: &Allocate) {
        let stack = fact.stack.or_else(|| self.growth.and_then(|growth| growth.stack));
        if let Some(stack) = stack
            && self.site.is_none_or(|(bytes, _)| bytes < fact.bytes)
        {
            self.site = Some((fact.bytes, stack));
        }
    }

    /// Without a hook that tells tables, the call stack of the largest growth is that of the map.
    pub(super) fn remember_growth(&mut self, fact: &Grow) {
        let bytes = fact.bytes.unwrap_or_default();
        if let Some(stack) = fact.stack
            && self.site.is_none_or(|(largest, _)| largest <= bytes)
        {
            self.site = Some((bytes, stack));
        }
    }
}
