//! Tables and growths of a map as they were seen: plain numbers. What no hook tells is unknown in the
//! report, however often it was counted here: [`Kinds`] says what they tell.

use super::fact::GrowthKind;
use super::report;
use super::told::Kinds;
use super::unit::Bytes;

/// Tables asked for and let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tables {
    /// Asked for.
    pub(super) allocated: u64,
    /// How much, in all.
    pub(super) allocated_bytes: Bytes,
    /// Let go.
    pub(super) freed: u64,
    /// How much, in all.
    pub(super) freed_bytes: Bytes,
}

/// Growths by kind, and how often the map was emptied at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Growths {
    first: u64,
    double: u64,
    same_size: u64,
    shrink: u64,
    split: u64,
    other: u64,
    cleared: u64,
}

impl Tables {
    /// Those of other maps on top.
    pub(super) fn add(&mut self, other: Self) {
        self.allocated = self.allocated.saturating_add(other.allocated);
        self.allocated_bytes += other.allocated_bytes;
        self.freed = self.freed.saturating_add(other.freed);
        self.freed_bytes += other.freed_bytes;
    }

    /// As the report has them.
    pub(super) fn report(self, told: Kinds) -> report::Tables {
        report::Tables {
            allocated: told.allocated.then_some(self.allocated),
            allocated_bytes: told.allocated.then_some(self.allocated_bytes),
            freed: told.freed.then_some(self.freed),
            freed_bytes: told.freed.then_some(self.freed_bytes),
        }
    }
}

impl Growths {
    /// One more.
    pub(super) fn count(&mut self, kind: GrowthKind) {
        let count = match kind {
            GrowthKind::First => &mut self.first,
            GrowthKind::Double => &mut self.double,
            GrowthKind::SameSize => &mut self.same_size,
            GrowthKind::Shrink => &mut self.shrink,
            GrowthKind::Split => &mut self.split,
            GrowthKind::Other => &mut self.other,
        };
        *count = count.saturating_add(1);
    }

    /// It was emptied at once.
    pub(super) fn clear(&mut self) {
        self.cleared = self.cleared.saturating_add(1);
    }

    /// How often it was; `None`: no hook tells.
    pub(super) fn cleared(self, told: Kinds) -> Option<u64> {
        told.cleared.then_some(self.cleared)
    }

    /// Those of other maps on top.
    pub(super) fn add(&mut self, other: Self) {
        self.first = self.first.saturating_add(other.first);
        self.double = self.double.saturating_add(other.double);
        self.same_size = self.same_size.saturating_add(other.same_size);
        self.shrink = self.shrink.saturating_add(other.shrink);
        self.split = self.split.saturating_add(other.split);
        self.other = self.other.saturating_add(other.other);
        self.cleared = self.cleared.saturating_add(other.cleared);
    }

    /// As the report has them.
    pub(super) fn report(self, told: Kinds) -> report::Growths {
        let grown = |count| told.grown.then_some(count);
        report::Growths {
            first: told.allocated.then_some(self.first),
            double: grown(self.double),
            same_size: grown(self.same_size),
            shrink: grown(self.shrink),
            split: told.split.then_some(self.split),
            other: grown(self.other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_hook_tells_is_unknown_and_not_zero() {
        let mut growths = Growths::default();
        for kind in [GrowthKind::Split, GrowthKind::Split, GrowthKind::Double] {
            growths.count(kind);
        }
        let splits_only = Kinds { split: true, ..Kinds::default() };
        let shown = growths.report(splits_only);
        assert_eq!((shown.split, shown.double, shown.first), (Some(2), None, None));
        let tables = Tables { freed: 3, ..Tables::default() }.report(Kinds { freed: true, ..splits_only });
        assert_eq!((tables.allocated, tables.freed), (None, Some(3)));
    }
}
