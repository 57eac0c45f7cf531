//! What on the stacks of goroutines may be a map's header: of maps that do not escape the function that made
//! them. Only large ones are told from what else is there.

use std::ops::Range;

use super::gather::{BLOCK, Gather, Piece};
use super::scan::Candidate;
use crate::audit::unit::Address;

/// Most bytes of stacks that are read.
const MOST: u64 = 1 << 28;
/// Headers lie on words.
const WORD: usize = 8;

/// What in these parts of stacks passes as a header of so many bytes, by address. And whether all was looked at.
pub fn scan(
    stacks: &[Range<Address>],
    header: usize,
    passes: impl Fn(&[u8]) -> bool,
    gather: &mut Gather<'_>,
) -> (Vec<Candidate>, bool) {
    let (mut found, mut is_whole) = (Vec::new(), true);
    let mut left = MOST;
    let mut pieces = Vec::new();
    let mut bytes = 0;
    for stack in stacks {
        for piece in parts(stack, header as u64) {
            let len = u64::from(piece.len);
            if len > left {
                is_whole = false;
                break;
            }
            left -= len;
            bytes += len;
            pieces.push(piece);
            if bytes >= BLOCK as u64 {
                read(&pieces, header, &passes, gather, &mut found);
                pieces.clear();
                bytes = 0;
            }
        }
    }
    read(&pieces, header, &passes, gather, &mut found);
    found.sort_unstable_by_key(|candidate: &Candidate| candidate.at);
    found.dedup_by_key(|candidate| candidate.at);
    (found, is_whole)
}

/// Parts that fit a block; each begins so early that no header is cut.
fn parts(stack: &Range<Address>, header: u64) -> impl Iterator<Item = Piece> {
    let (start, end) = (stack.start.0.next_multiple_of(WORD as u64), stack.end.0);
    let step = BLOCK as u64 - header;
    (start..end).step_by(step as usize).map(move |at| {
        let len = (end - at).min(BLOCK as u64);
        Piece { at, len: len as u32 }
    })
}

fn read(
    pieces: &[Piece],
    header: usize,
    passes: &impl Fn(&[u8]) -> bool,
    gather: &mut Gather<'_>,
    found: &mut Vec<Candidate>,
) {
    gather.pieces(pieces, &mut |number, bytes| {
        let Some((piece, bytes)) = pieces.get(number).zip(bytes) else { return };
        let places = (piece.at..).step_by(WORD).zip(bytes.windows(header).step_by(WORD));
        let headers = places.filter(|(_, bytes)| passes(bytes));
        found.extend(headers.filter_map(|(at, bytes)| Candidate::new(at, bytes, header)));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::memory::CapturedMemory;
    use proptest::prelude::*;

    fn found(stack: Range<u64>, marks: &[u64]) -> Vec<u64> {
        let mut memory = CapturedMemory::new();
        let mut bytes = vec![0; (stack.end - stack.start) as usize];
        for at in marks {
            bytes[(at - stack.start) as usize] = 7;
        }
        memory.insert(Address(stack.start), bytes);
        let stacks = [Address(stack.start)..Address(stack.end)];
        let (found, is_whole) = scan(&stacks, 48, |bytes| bytes[0] == 7, &mut Gather::new(&memory));
        assert!(is_whole);
        found.iter().map(|candidate| candidate.at).collect()
    }

    #[test]
    fn headers_are_found_once_wherever_they_lie_and_not_where_they_are_cut_off() {
        let end = 0x1000 + 3 * BLOCK as u64;
        let border = 0x1000 + BLOCK as u64;
        let marks = [0x1000, border - 48, border - 40, border - 8, border, border + 8, end - 48];
        let cut = [&marks[..], &[end - 40, end - 8]].concat();
        assert_eq!(found(0x1000..end, &cut), marks);
        assert_eq!(found(0x1000..0x1028, &[0x1000]), [0_u64; 0]);
    }

    proptest! {
        #[test]
        fn no_ranges_panic(ranges in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..5)) {
            let stacks: Vec<_> = ranges
                .into_iter()
                .map(|(at, len)| Address(at & !7)..Address((at & !7).saturating_add(len % (1 << 22))))
                .collect();
            let memory = CapturedMemory::new();
            prop_assert!(scan(&stacks, 48, |_| true, &mut Gather::new(&memory)).0.is_empty());
        }
    }
}
