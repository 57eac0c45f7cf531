//! Where the heap is, in a program without symbols: the one variable whose list of spans leads to spans.

use std::ops::Range;

use super::spans::{Parsed, Place, parse};
use crate::audit::unit::Address;
use crate::runtimes::go::gather::{Gather, Piece};
use crate::target::memory::Memory;

/// Bytes that are read at once.
const BLOCK: usize = 1 << 20;
/// Most bytes of variables that are searched.
const SEARCHED: u64 = 1 << 30;
/// Most lists that are looked at more closely.
const LOOKS: usize = 1 << 12;
/// Spans that are looked at, spread over the list, before it is believed.
const SAMPLE: usize = 32;
/// Most spans of a list.
const SPANS: u64 = 1 << 23;
/// What the runtime maps for a list begins with a page of memory.
const ALIGNED: u64 = 4096;
/// Bytes of a slice: address, length, capacity.
const SLICE: usize = 24;

/// Searches ranges of variables for the heap, `runtime.mheap_`, that is like another but for where it is.
#[must_use]
pub fn find(ranges: &[Range<Address>], like: Place, memory: &dyn Memory) -> Option<Place> {
    slices(ranges, memory, &mut |at, array, count| {
        let start = at.checked_sub(like.layout.heap.all_spans as u64)?;
        let place = Place { at: Address(start), ..like };
        is_list(array, count, &place, memory).then_some(place)
    })
}

/// Hands on what may be a slice in memory that was mapped for it, until `accept` takes one.
fn slices<T>(
    ranges: &[Range<Address>],
    memory: &dyn Memory,
    accept: &mut dyn FnMut(u64, u64, u64) -> Option<T>,
) -> Option<T> {
    let (mut searched, mut looks) = (0, 0);
    for range in ranges {
        let mut start = range.start.0.next_multiple_of(8);
        while start < range.end.0 && searched < SEARCHED && looks < LOOKS {
            // A slice may lie on the border of two blocks.
            let len = (range.end.0 - start).min((BLOCK + SLICE) as u64);
            searched += len;
            let mut bytes = vec![0; len as usize];
            if memory.read(Address(start), &mut bytes).is_ok() {
                let found =
                    (start..).step_by(8).zip(bytes.windows(SLICE).step_by(8)).find_map(|(at, slice)| {
                        let (array, count) = slice_of(slice).filter(|_| looks < LOOKS)?;
                        looks += 1;
                        accept(at, array, count)
                    });
                if found.is_some() {
                    return found;
                }
            }
            start = start.checked_add(BLOCK as u64)?;
        }
    }
    None
}

/// Its array and length.
fn slice_of(bytes: &[u8]) -> Option<(u64, u64)> {
    let [array, len, capacity] = [0, 8, 16].map(|at| {
        let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
        u64::from_le_bytes(word.copied().unwrap_or_default())
    });
    let fits = array != 0 && array.is_multiple_of(ALIGNED) && (1..=SPANS).contains(&len);
    (fits && (len..=2 * SPANS).contains(&capacity)).then_some((array, len))
}

/// Whether the pointers lead to spans, some of which are in use.
fn is_list(array: u64, count: u64, place: &Place, memory: &dyn Memory) -> bool {
    let len = u32::try_from(place.layout.span.size).unwrap_or(0);
    let step = (count as usize).div_ceil(SAMPLE);
    let mut gather = Gather::new(memory);
    let entries: Vec<Piece> = (0..count)
        .step_by(step)
        .filter_map(|number| Some(Piece { at: array.checked_add(8 * number)?, len: 8 }))
        .collect();
    let mut spans = Vec::new();
    gather.pieces(&entries, &mut |_, bytes| {
        let word = bytes.and_then(<[u8]>::first_chunk).map(|word| u64::from_le_bytes(*word));
        spans.extend(word.filter(|at| *at != 0 && at.is_multiple_of(8)).map(|at| Piece { at, len }));
    });
    let (mut in_use, mut bad) = (0, entries.len() - spans.len());
    gather.pieces(&spans, &mut |_, bytes| match bytes.and_then(|bytes| parse(bytes, place, 0)) {
        Some(Parsed::InUse(..)) => in_use += 1,
        Some(Parsed::Other) => {}
        None => bad += 1,
    });
    in_use > 0 && bad == 0
}
