//! Reads many ranges of memory in blocks, none of which is kept.

use std::ops::{ControlFlow, Range};

use crate::audit::unit::Address;
use crate::target::memory::{Memory, Request};

/// Bytes that are read at once: a processor's cache has them still when they are looked at.
pub(super) const BLOCK: usize = 256 << 10;

/// A part of a range that fits a block, and what was said about the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part<T> {
    /// Where it is.
    pub(super) range: Range<u64>,
    /// What it is.
    pub(super) of: T,
}

/// What becomes of each part: its bytes, or `None` where they could not be read.
type Each<'a, T> = &'a mut dyn FnMut(&Part<T>, Option<&[u8]>) -> ControlFlow<()>;

/// Reads the ranges in order and hands each part of at most [`BLOCK`] bytes on, with `None` for bytes that
/// could not be read. Ends when `each` says so.
pub(super) fn read<T: Copy>(
    ranges: impl IntoIterator<Item = (Range<u64>, T)>,
    memory: &dyn Memory,
    each: Each<'_, T>,
) {
    let mut buffer = vec![0; BLOCK];
    let mut batch = Vec::new();
    let mut room = BLOCK as u64;
    for part in ranges.into_iter().flat_map(|(range, of)| parts(range, of)) {
        let len = part.range.end - part.range.start;
        if len > room {
            if read_batch(&batch, &mut buffer, memory, each).is_break() {
                return;
            }
            batch.clear();
            room = BLOCK as u64;
        }
        room -= len;
        batch.push(part);
    }
    // What `each` says to the last parts changes nothing.
    let (ControlFlow::Continue(()) | ControlFlow::Break(())) = read_batch(&batch, &mut buffer, memory, each);
}

fn parts<T: Copy>(range: Range<u64>, of: T) -> impl Iterator<Item = Part<T>> {
    let end = range.end;
    range.step_by(BLOCK).map(move |from| {
        let to = end.min(from.saturating_add(BLOCK as u64));
        Part { range: from..to, of }
    })
}

/// Ranges of at most [`BLOCK`] bytes that cover a range, each beginning with the last `bytes` of the one
/// before, so that nothing of `bytes` + 1 bytes lies on a border.
pub(super) fn overlapping(range: Range<u64>, bytes: usize) -> impl Iterator<Item = Range<u64>> {
    let Range { start, end } = range;
    let step = BLOCK.saturating_sub(bytes).max(1);
    (start..end).step_by(step).map(move |from| from..end.min(from.saturating_add(BLOCK as u64)))
}

fn read_batch<T>(
    batch: &[Part<T>],
    buffer: &mut [u8],
    memory: &dyn Memory,
    each: Each<'_, T>,
) -> ControlFlow<()> {
    let mut requests = Vec::with_capacity(batch.len());
    let mut rest = buffer;
    for part in batch {
        let len = (part.range.end - part.range.start) as usize;
        let (into, behind) = rest.split_at_mut(len.min(rest.len()));
        requests.push(Request { at: Address(part.range.start), into });
        rest = behind;
    }
    let answers = memory.read_many(&mut requests);
    let read = requests.iter().zip(answers).zip(batch);
    read.map(|((request, answer), part)| each(part, answer.is_ok().then_some(&*request.into)))
        .find(ControlFlow::is_break)
        .unwrap_or(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::memory::CapturedMemory;

    fn all(ranges: &[(Range<u64>, u8)], memory: &CapturedMemory) -> Vec<(Range<u64>, u8, Option<u8>)> {
        let mut seen = Vec::new();
        read(ranges.iter().cloned(), memory, &mut |part, bytes| {
            assert!(bytes.is_none_or(|bytes| bytes.len() as u64 == part.range.end - part.range.start));
            seen.push((part.range.clone(), part.of, bytes.and_then(|bytes| bytes.last().copied())));
            ControlFlow::Continue(())
        });
        seen
    }

    #[test]
    fn ranges_come_in_order_in_parts_and_what_cannot_be_read_is_told() {
        let block = BLOCK as u64;
        let mut memory = CapturedMemory::new();
        memory.insert(Address(0), vec![7; 2 * BLOCK + 8]);
        let seen = all(&[(8..16, 1), (0..2 * block + 8, 2), (3 * block..3 * block + 8, 3)], &memory);
        let expected = [
            (8..16, 1, Some(7)),
            (0..block, 2, Some(7)),
            (block..2 * block, 2, Some(7)),
            (2 * block..2 * block + 8, 2, Some(7)),
            (3 * block..3 * block + 8, 3, None),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn reading_ends_when_it_is_told_to() {
        let mut memory = CapturedMemory::new();
        memory.insert(Address(0), vec![0; 4 * BLOCK]);
        let mut parts = 0;
        read([(0..4 * BLOCK as u64, ())], &memory, &mut |_, _| {
            parts += 1;
            if parts == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(parts, 2);
    }
}
