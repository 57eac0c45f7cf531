//! Maps whose headers lie on stacks, which the compiler arranges for those that never leave their function.
//! A header is not told from other words by its place there, as it is on the heap by the size of its object;
//! so only such are looked for as leave little doubt, and where the frames tell which words are pointers, only
//! where the header has one.

use std::ops::{ControlFlow, Range};

use super::blocks;
use super::frames::Frames;
use super::goroutines::Goroutine;
use crate::audit::unit::Address;
use crate::target::memory::Memory;

/// Where a header has the pointer to its table: `hmap.buckets` (src/runtime/map.go), `Map.dirPtr`
/// (src/internal/runtime/maps/map.go).
const TABLE: usize = 16;
/// Bytes of a word.
const WORD: usize = 8;
/// Most places that are found.
const MOST: usize = 1 << 16;

/// What is looked for.
#[derive(Clone, Copy)]
pub struct Sought<'a> {
    /// Bytes of a header.
    pub len: usize,
    /// Whether bytes are, with little doubt, a map's header.
    pub is_header: &'a dyn Fn(&[u8]) -> bool,
}

/// Where headers may be on these stacks, in order.
pub(super) fn find(
    goroutines: &[Goroutine],
    sought: &Sought<'_>,
    frames: &mut Frames<'_>,
    memory: &dyn Memory,
) -> Vec<Address> {
    let mut found = Vec::new();
    let certain = goroutines.iter().map(|one| (one.stack().0, Some(one)));
    let perhaps = goroutines.iter().map(|one| (one.stack().1, None));
    blocks::read(certain.chain(perhaps), memory, &mut |part, bytes| {
        let bytes = bytes.unwrap_or_default();
        for offset in places(&part.range, part.of, bytes, frames) {
            let header = bytes.get(offset..offset.saturating_add(sought.len));
            if header.is_some_and(sought.is_header) {
                found.push(Address(part.range.start + offset as u64));
            }
        }
        if found.len() < MOST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    found.sort_unstable();
    found.dedup();
    found
}

/// Where headers may begin in the bytes of a stack or of a part of one: where a pointer to a table is, as far
/// as frames tell; everywhere in one that is not seen as a whole or does not stand still.
fn places(
    range: &Range<u64>,
    goroutine: Option<&Goroutine>,
    bytes: &[u8],
    frames: &mut Frames<'_>,
) -> Vec<usize> {
    match goroutine.filter(|goroutine| goroutine.stack().0 == *range) {
        Some(goroutine) => {
            let pointers = frames.pointers(goroutine.program_counter, bytes);
            pointers.iter().filter_map(|pointer| pointer.offset.checked_sub(TABLE)).collect()
        }
        None => (0..bytes.len()).step_by(WORD).collect(),
    }
}

impl std::fmt::Debug for Sought<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sought").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::blocks::BLOCK;
    use super::super::frames::Unwind;
    use super::super::goroutines::Status;
    use super::*;
    use crate::target::go::frame_map::FrameMap;
    use crate::target::memory::CapturedMemory;

    const LOW: u64 = 0x10_0000;
    const SEVEN: [u8; 8] = 7_u64.to_le_bytes();

    /// One function at 1,000, whose frame has six words, the third of which is a pointer.
    struct One;
    impl Unwind for One {
        fn frame(&self, at: Address) -> Option<FrameMap> {
            (at.0 == 1000).then(|| FrameMap { size: 48, words: Some(vec![16]), spoils_caller: false })
        }
        fn function(&self, _: Address) -> Option<String> {
            None
        }
    }

    fn found(status: Status, code: u64, words: &[(usize, u64)], len: usize) -> Vec<u64> {
        let mut bytes = vec![0; len];
        for (word, value) in words {
            bytes[8 * word..8 * word + 8].copy_from_slice(&value.to_le_bytes());
        }
        let mut memory = CapturedMemory::new();
        memory.insert(Address(LOW), bytes);
        let goroutine = Goroutine {
            at: Address(0),
            id: 1,
            status,
            low: LOW,
            high: LOW + len as u64,
            stack_pointer: LOW,
            program_counter: code,
        };
        let sought = Sought { len: 24, is_header: &|bytes| bytes[..8] == SEVEN };
        let all = find(&[goroutine], &sought, &mut Frames::new(&One), &memory);
        all.into_iter().map(|at| (at.0 - LOW) / 8).collect()
    }

    #[test]
    fn a_header_is_found_where_the_frame_has_a_pointer_to_a_table_and_not_where_it_is_a_left_over() {
        assert_eq!(found(Status::Parked, 1000, &[(0, 7), (2, 9), (3, 7)], 64), [0]);
        assert_eq!(found(Status::Parked, 1000, &[(1, 7), (3, 7)], 64), Vec::<u64>::new());
    }

    #[test]
    fn where_frames_cannot_be_followed_or_the_goroutine_runs_it_may_be_anywhere() {
        assert_eq!(found(Status::Parked, 5, &[(0, 7), (3, 7)], 64), [0, 3]);
        assert_eq!(
            found(Status::Running, 1000, &[(1, 7), (3, 7), (6, 7)], 64),
            [1, 3],
            "the last is cut off"
        );
        assert_eq!(
            found(Status::Parked, 1000, &[(3, 7)], BLOCK + 64),
            [3],
            "too large to be seen as a whole"
        );
    }

    #[test]
    fn so_many_are_found_and_not_many_more() {
        let all: Vec<(usize, u64)> = (0..3 * BLOCK / 8).map(|word| (word, 7)).collect();
        let count = found(Status::Running, 0, &all, 3 * BLOCK).len();
        assert!((MOST..MOST + BLOCK / 8).contains(&count), "{count}");
    }
}
