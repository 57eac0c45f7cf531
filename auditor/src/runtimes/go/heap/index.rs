//! From an address to its span, in a step or two: a table over the whole range of the heap says between
//! which spans to search.

use super::spans::Span;
use crate::runtimes::go::sizes::PAGE;

/// Most entries of the table: one a page for a heap of 8 GiB in one piece.
const ENTRIES: u64 = 1 << 20;

/// The table.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Where the first span begins and the last one ends.
    low: u64,
    high: u64,
    /// Bytes of an entry's part, as a power of two.
    shift: u32,
    /// For each part, how many spans begin before its end.
    before: Vec<u32>,
}

impl Index {
    /// Of spans that are sorted and do not overlap.
    pub(super) fn new(spans: &[Span]) -> Self {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Self::default() };
        let (low, high) = (first.start.0, last.end());
        let mut shift = PAGE.trailing_zeros();
        while (high - low) >> shift >= ENTRIES {
            shift += 1;
        }
        let mut before = vec![0; ((high - low) >> shift) as usize + 1];
        for (number, span) in (1..=u32::MAX).zip(spans) {
            let part = ((span.start.0 - low) >> shift) as usize;
            before.get_mut(part).into_iter().for_each(|entry| *entry = number);
        }
        let mut most = 0;
        for entry in &mut before {
            most = most.max(*entry);
            *entry = most;
        }
        Self { low, high, shift, before }
    }

    /// The number of the span that may hold an address: the last one that begins at or before it.
    #[inline]
    pub(super) fn find(&self, spans: &[Span], at: u64) -> Option<usize> {
        if at < self.low || at >= self.high {
            return None;
        }
        let part = ((at - self.low) >> self.shift) as usize;
        let end = *self.before.get(part)? as usize;
        let start =
            part.checked_sub(1).and_then(|part| self.before.get(part)).map_or(0, |start| *start as usize);
        let within = spans.get(start..end)?;
        (start + within.partition_point(|span| span.start.0 <= at)).checked_sub(1)
    }
}
