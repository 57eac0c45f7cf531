//! PURE. Runs of pages on one side, ranges of bytes on the other: how many bytes of each range are of which
//! kind.
//!
//! Sums are kept at the ends of all ranges, and a range is the difference of two of them. So it does not matter
//! how ranges lie to each other, and a target that claims one table a thousand times costs no more than one
//! that has a thousand tables.

use std::ops::Range;

use crate::audit::fact::Pages;
use crate::audit::unit::{Address, Bytes};

/// What the kernel says of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kind {
    /// In RAM, and not the zero page.
    pub(super) present: bool,
    /// Part of a huge page; `None`: it is not told.
    pub(super) huge: Option<bool>,
    /// Of a file, or shared memory.
    pub(super) shared: bool,
    /// Swapped out.
    pub(super) swapped: bool,
}

/// Pages of one kind, one behind the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// First address.
    pub(super) start: u64,
    /// First address behind them.
    pub(super) end: u64,
    /// Their kind.
    pub(super) kind: Kind,
}

/// Bytes of each kind from the first range on.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    present: u64,
    huge: u64,
    shared: u64,
    swapped: u64,
}

impl Sums {
    fn add(&mut self, kind: Kind, bytes: u64) {
        let add = |sum: &mut u64, is_so: bool| *sum = sum.saturating_add(if is_so { bytes } else { 0 });
        add(&mut self.present, kind.present);
        add(&mut self.huge, kind.present && kind.huge == Some(true));
        add(&mut self.shared, kind.present && kind.shared);
        add(&mut self.swapped, kind.swapped);
    }
}

/// Sums under way.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    ranges: Vec<Range<u64>>,
    /// The ends of all ranges, first and last, by address; each once.
    ends: Vec<u64>,
    /// What there is before each of them.
    before: Vec<Sums>,
    /// What there is before where the last run ended.
    so_far: Sums,
    /// Whether huge pages are told of.
    huge_is_told: bool,
}

impl Tally {
    /// Nothing was found yet.
    pub(super) fn new(ranges: &[(Address, Bytes)], huge_is_told: bool) -> Self {
        let range = |(at, len): &(Address, Bytes)| at.0..at.0.saturating_add(len.0);
        let ranges: Vec<Range<u64>> = ranges.iter().map(range).collect();
        let mut ends: Vec<u64> = ranges.iter().flat_map(|range| [range.start, range.end]).collect();
        ends.sort_unstable();
        ends.dedup();
        let before = Vec::with_capacity(ends.len());
        Self { ranges, ends, before, so_far: Sums::default(), huge_is_told }
    }

    /// The ranges.
    pub(super) fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// A run was found. Runs come by address.
    pub(super) fn add(&mut self, run: Run) {
        while let Some(end) = self.ends.get(self.before.len()).filter(|end| **end < run.end) {
            let mut before = self.so_far;
            before.add(run.kind, end.saturating_sub(run.start));
            self.before.push(before);
        }
        self.so_far.add(run.kind, run.end.saturating_sub(run.start));
    }

    /// What there is in each range, in their order.
    pub(super) fn pages(mut self) -> Vec<Pages> {
        self.before.resize(self.ends.len(), self.so_far);
        self.ranges.iter().map(|range| self.of(range)).collect()
    }

    fn of(&self, range: &Range<u64>) -> Pages {
        let (start, end) = (self.at(range.start), self.at(range.end));
        let between = |of: fn(&Sums) -> u64| Bytes(of(&end).saturating_sub(of(&start)));
        Pages {
            asked: Bytes(range.end - range.start),
            present: between(|sums| sums.present),
            huge: self.huge_is_told.then(|| between(|sums| sums.huge)),
            shared: between(|sums| sums.shared),
            swapped: between(|sums| sums.swapped),
        }
    }

    fn at(&self, end: u64) -> Sums {
        let place = self.ends.binary_search(&end).ok();
        place.and_then(|place| self.before.get(place)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PRESENT: Kind = Kind { present: true, huge: Some(false), shared: false, swapped: false };

    fn tally(ranges: &[(u64, u64)], runs: &[(u64, u64)]) -> Vec<u64> {
        let ranges: Vec<_> = ranges.iter().map(|(at, len)| (Address(*at), Bytes(*len))).collect();
        let mut tally = Tally::new(&ranges, true);
        runs.iter().for_each(|(start, end)| tally.add(Run { start: *start, end: *end, kind: PRESENT }));
        tally.pages().iter().map(|pages| pages.present.0).collect()
    }

    #[test]
    fn of_a_page_that_is_shared_with_others_only_the_part_within_counts() {
        assert_eq!(tally(&[(100, 50)], &[(0, 4096)]), [50]);
        assert_eq!(tally(&[(4000, 200)], &[(0, 4096), (8192, 12_288)]), [96]);
        assert_eq!(tally(&[(4000, 10_000)], &[(4096, 8192)]), [4096]);
    }

    #[test]
    fn what_is_swapped_is_not_present_and_huge_pages_are_told_or_not_known() {
        let mut known = Tally::new(&[(Address(10), Bytes(90))], true);
        let mut unknown = Tally::new(&[(Address(10), Bytes(90))], false);
        for tally in [&mut known, &mut unknown] {
            tally.add(Run { start: 0, end: 20, kind: Kind { swapped: true, ..Kind::default() } });
            tally.add(Run { start: 20, end: 50, kind: Kind { huge: Some(true), shared: true, ..PRESENT } });
        }
        let pages = known.pages()[0];
        assert_eq!((pages.asked, pages.present, pages.swapped), (Bytes(90), Bytes(30), Bytes(10)));
        assert_eq!((pages.huge, pages.shared), (Some(Bytes(30)), Bytes(30)));
        assert_eq!(unknown.pages()[0].huge, None);
    }

    #[test]
    fn ranges_at_the_end_of_the_address_space_are_cut_there() {
        assert_eq!(tally(&[(u64::MAX - 5, 100), (0, 0)], &[(u64::MAX - 10, u64::MAX)]), [5, 0]);
    }

    proptest! {
        #[test]
        fn however_ranges_lie_each_has_what_it_would_have_alone(
            ranges in proptest::collection::vec((0_u64..200, 0_u64..100), 0..12),
            runs in proptest::collection::btree_set(0_u64..30, 0..20),
        ) {
            let runs: Vec<(u64, u64)> = runs.into_iter().map(|run| (10 * run, 10 * run + 10)).collect();
            let together = tally(&ranges, &runs);
            for (range, found) in ranges.iter().zip(together) {
                let overlap = |(start, end): &(u64, u64)| {
                    (range.0 + range.1).min(*end).saturating_sub(range.0.max(*start))
                };
                prop_assert_eq!(found, runs.iter().map(overlap).sum::<u64>());
            }
        }
    }
}
