//! A figure that may not be known to the last unit: what it is at least and at most. A sum of what is known
//! with what is not stays honest that way, and a gate can still be sure of it.

use serde::{Deserialize, Serialize};

/// What a figure is at least and at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// At least this.
    pub least: u64,
    /// At most this; `null`: nobody knows.
    pub most: Option<u64>,
}

impl Range {
    /// Of which nothing is known.
    pub const UNKNOWN: Self = Self { least: 0, most: None };

    /// A figure that is known.
    #[must_use]
    pub const fn exact(value: u64) -> Self {
        Self { least: value, most: Some(value) }
    }

    /// A figure that is known, or not at all.
    #[must_use]
    pub fn known(value: Option<u64>) -> Self {
        value.map_or(Self::UNKNOWN, Self::exact)
    }

    /// A figure that is known, or that is at most `bound`.
    #[must_use]
    pub fn known_or_up_to(value: Option<u64>, bound: Option<u64>) -> Self {
        value.map_or(Self { least: 0, most: bound }, Self::exact)
    }

    /// The figure, where it is one.
    #[must_use]
    pub fn value(self) -> Option<u64> {
        self.most.filter(|most| *most == self.least)
    }

    /// Whether nothing at all is known of it.
    #[must_use]
    pub fn is_unknown(self) -> bool {
        self == Self::UNKNOWN
    }

    /// This, or nothing: it is not known whether it counts.
    #[must_use]
    pub const fn perhaps(self) -> Self {
        Self { least: 0, most: self.most }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let most = self.most.zip(other.most).map(|(one, other)| one.saturating_add(other));
        Self { least: self.least.saturating_add(other.least), most }
    }

    /// The larger of both.
    #[must_use]
    pub fn or_larger(self, other: Self) -> Self {
        let most = self.most.zip(other.most).map(|(one, other)| one.max(other));
        Self { least: self.least.max(other.least), most }
    }

    /// Each end changed.
    #[must_use]
    pub fn map(self, change: impl Fn(u64) -> u64) -> Self {
        Self { least: change(self.least), most: self.most.map(change) }
    }

    /// Whether it is below `limit`, whatever both are; `None`: that depends on what is not known.
    #[must_use]
    pub fn is_below(self, limit: Self) -> Option<bool> {
        if self.most.is_some_and(|most| most < limit.least) {
            return Some(true);
        }
        limit.most.is_some_and(|limit| self.least >= limit).then_some(false)
    }

    /// Whether both are the same figure; `None`: that depends on what is not known.
    #[must_use]
    pub fn is_same(self, other: Self) -> Option<bool> {
        if self.value().is_some() && self == other {
            return Some(true);
        }
        let apart = self.is_below(other) == Some(true) || other.is_below(self) == Some(true);
        apart.then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_range() -> impl Strategy<Value = Range> {
        (0_u64..40, prop::option::of(0_u64..40))
            .prop_map(|(least, more)| Range { least, most: more.map(|more| least + more) })
    }

    /// Some figures that a range may be.
    fn figures(range: Range) -> Vec<u64> {
        (range.least..=range.most.unwrap_or(range.least + 100)).collect()
    }

    proptest! {
        #[test]
        fn what_is_said_of_ranges_goes_for_every_figure_in_them(one in any_range(), other in any_range()) {
            for (a, b) in figures(one).into_iter().flat_map(|a| figures(other).into_iter().map(move |b| (a, b))) {
                prop_assert!(one.is_below(other).is_none_or(|below| below == (a < b)));
                prop_assert!(one.is_same(other).is_none_or(|same| same == (a == b)));
                prop_assert!(one.plus(other).least <= a + b);
                prop_assert!(one.plus(other).most.is_none_or(|most| a + b <= most));
                prop_assert!(one.or_larger(other).least <= a.max(b));
                prop_assert!(one.or_larger(other).most.is_none_or(|most| a.max(b) <= most));
            }
        }
    }

    #[test]
    fn what_is_unknown_is_neither_below_nor_over_anything() {
        assert_eq!(Range::UNKNOWN.is_below(Range::exact(u64::MAX)), None);
        assert_eq!(Range::exact(5).is_below(Range::UNKNOWN), None);
        assert_eq!(Range::UNKNOWN.is_same(Range::UNKNOWN), None);
    }
}
