//! Which free pages of Go's heap its background scavenger gives back now, and which only after the next cycle of the
//! collector (src/runtime/mgcscavenge.go, 1.21 to 1.27: `scavengeIndex.find`, `shouldScavenge`).
//!
//! The heap is made of chunks of 4 MiB, 512 pages. For each the runtime keeps two bitmaps (`pallocData`) and a word:
//! ```text
//! pallocData     0 allocated, 512 bits   64 given back, 512 bits
//! scavChunkData  0 pages in use, u16   16 in use in the generation before, 10 bits   26 flags   32 generation, u32
//! ```
//! A generation is a cycle. The scavenger looks for chunks from an address downwards that only a cycle moves up, and
//! leaves those alone that are full to 31/32, or were when the generation began.

use std::ops::Range;

use crate::audit::unit::{Address, Bytes};
use crate::target::go::layouts::{Layout, Scavenger};
use crate::target::go::words::Words;
use crate::target::memory::Memory;

/// Bytes of a chunk (`pallocChunkBytes`), as a power of two, and its pages.
const CHUNK: u32 = 22;
const PAGES: u32 = 512;
const PAGE: u64 = 8192;
/// The address space begins there (`arenaBaseOffset`, amd64), so that chunks are numbered from it on.
const BASE: u64 = 0xffff_8000_0000_0000;
/// Bytes of `pallocData`, and where its second bitmap is.
const BITMAPS: u64 = 128;
const GIVEN_BACK: usize = 64;
/// Chunks of an array of bitmaps, as a power of two, and how many arrays there can be.
const ARRAY: u32 = 13;
/// Pages in use from which on a chunk is left alone (`scavChunkHiOccPages`).
const DENSE: u64 = 496;
/// The bits of a word that count pages, and that which says that something is left to give back
/// (`scavChunkHasFree`).
const COUNT: u64 = (1 << 10) - 1;
const HAS_FREE: u64 = 1 << 26;
/// Most ranges and most chunks that are looked at: 64 GiB of heap.
const RANGES: u64 = 1 << 10;
const CHUNKS: u64 = 1 << 14;

/// Free pages that are not given back, by when they can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FreePages {
    /// By the scavenger as it is.
    pub(super) now: Bytes,
    /// Only after the next cycle of the collector.
    pub(super) later: Bytes,
}

/// What its decision rests on.
#[derive(Clone, Copy, Debug)]
struct State {
    generation: u64,
    /// The chunk from which on it looks downwards.
    from: u64,
    /// Where the words of chunk 0 would be.
    index: u64,
}

/// Counts the free pages of a heap; `None`: the release has no such scavenger, the heap is too large to look at all
/// of it, or it could not be read.
pub(super) fn free_pages(heap: Address, layout: &Layout, memory: &dyn Memory) -> Option<FreePages> {
    let of = layout.heap.scavenger.as_ref()?;
    let (state, ranges) = state(heap, of, memory)?;
    let mut free = FreePages::default();
    let mut left = CHUNKS;
    for range in ranges {
        left = left.checked_sub(range.end.checked_sub(range.start)?)?;
        for part in parts(range) {
            count(part, &state, heap.plus(of.chunks as u64)?, memory, &mut free)?;
        }
    }
    Some(free)
}

/// The state, and the chunks in use.
fn state(heap: Address, of: &Scavenger, memory: &dyn Memory) -> Option<(State, Vec<Range<u64>>)> {
    let mut bytes = vec![0; of.generation + 4 - of.ranges];
    memory.read(heap.plus(of.ranges as u64)?, &mut bytes).ok()?;
    let words = Words(&bytes);
    let (at, count) = (words.u64(0)?, words.u64(8)?);
    // The address is negative while it has just been moved up (`atomicOffAddr`).
    let search = words.u64(of.search - of.ranges)?.cast_signed().unsigned_abs();
    let state = State {
        generation: u64::from(words.u32(of.generation - of.ranges)?),
        from: search >> CHUNK,
        index: words.u64(of.index - of.ranges)?,
    };
    let mut bytes = vec![0; usize::try_from(count.min(RANGES)).ok()? * 16];
    memory.read(Address(at), &mut bytes).ok()?;
    let chunk = |address: u64| address.wrapping_sub(BASE) >> CHUNK;
    let range = |pair: &[u8]| {
        let (base, limit) = (Words(pair).u64(0)?, Words(pair).u64(8)?);
        (base < limit).then(|| chunk(base)..chunk(limit - 1) + 1)
    };
    let ranges = bytes.chunks_exact(16).map(range).collect::<Option<Vec<_>>>()?;
    (count <= RANGES).then_some((state, ranges))
}

/// A range in parts of one array of bitmaps each.
fn parts(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let end = range.end;
    std::iter::successors(Some(range.start), |start| Some(((start >> ARRAY) + 1) << ARRAY))
        .take_while(move |start| *start < end)
        .map(move |start| start..(((start >> ARRAY) + 1) << ARRAY).min(end))
}

fn count(
    part: Range<u64>,
    state: &State,
    arrays: Address,
    memory: &dyn Memory,
    free: &mut FreePages,
) -> Option<()> {
    let many = usize::try_from(part.end - part.start).ok()?;
    let mut pointer = [0; 8];
    memory.read(arrays.plus(8 * (part.start >> ARRAY))?, &mut pointer).ok()?;
    let within = part.start & ((1 << ARRAY) - 1);
    let at = u64::from_le_bytes(pointer).checked_add(within * BITMAPS)?;
    let mut bitmaps = vec![0; many * BITMAPS as usize];
    memory.read(Address(at), &mut bitmaps).ok()?;
    let mut words = vec![0; many * 8];
    memory.read(Address(state.index.checked_add(8 * part.start)?), &mut words).ok()?;
    let chunks = bitmaps.chunks_exact(BITMAPS as usize).zip(words.chunks_exact(8));
    for (chunk, (bitmaps, word)) in (part.start..).zip(chunks) {
        let bytes = Bytes(u64::from(idle(bitmaps)) * PAGE);
        let is_looked_at = chunk <= state.from && gives_back(Words(word).u64(0)?, state.generation);
        *(if is_looked_at { &mut free.now } else { &mut free.later }) += bytes;
    }
    Some(())
}

/// Pages that are neither allocated nor given back.
fn idle(bitmaps: &[u8]) -> u32 {
    let (allocated, given_back) = bitmaps.split_at(GIVEN_BACK);
    let busy = allocated.iter().zip(given_back).map(|(one, other)| (one | other).count_ones());
    PAGES.saturating_sub(busy.sum())
}

/// `scavChunkData.shouldScavenge`.
const fn gives_back(word: u64, generation: u64) -> bool {
    let (in_use, before) = (word & 0xffff, (word >> 16) & COUNT);
    let was_dense = word >> 32 == generation && before >= DENSE;
    word & HAS_FREE != 0 && in_use < DENSE && !was_dense
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::go::Release;
    use crate::target::go::layouts::nearest;
    use crate::target::memory::CapturedMemory;
    use proptest::prelude::*;

    const HEAP: u64 = 0x10_0000;
    const RANGES_AT: u64 = 0x30_0000;
    const INDEX: u64 = 0x40_0000;
    const ARRAY_AT: u64 = 0x80_0000;
    const GENERATION: u32 = 7;

    fn layout() -> &'static Layout {
        nearest(Release { major: 1, minor: 27 })
    }

    fn word(in_use: u64, before: u64, generation: u32) -> u64 {
        in_use | before << 16 | HAS_FREE | u64::from(generation) << 32
    }

    /// A heap from the first chunk on, whose words are these; in each 12 pages are allocated and 100 given back. It
    /// is looked for from the chunk `from` on.
    fn made(words: &[u64], from: u64, is_marked: bool) -> CapturedMemory {
        let of = layout().heap.scavenger.unwrap();
        let mut heap = vec![0; layout().heap.size];
        let mut put = |at: usize, word: u64| heap[at..at + 8].copy_from_slice(&word.to_le_bytes());
        let search = from << CHUNK | 0x2000;
        put(of.chunks, ARRAY_AT);
        put(of.ranges, RANGES_AT);
        put(of.ranges + 8, 1);
        put(of.index, INDEX);
        put(of.search, if is_marked { search.wrapping_neg() } else { search });
        put(of.generation, u64::from(GENERATION));
        let limit = BASE.wrapping_add((words.len() as u64) << CHUNK);
        let ranges = [BASE.to_le_bytes(), limit.to_le_bytes()].concat();
        let mut bitmaps = vec![0_u8; words.len() * BITMAPS as usize];
        for chunk in bitmaps.chunks_exact_mut(BITMAPS as usize) {
            (chunk[0], chunk[1]) = (0xff, 0x0f);
            chunk[GIVEN_BACK + 40..GIVEN_BACK + 52].fill(0xff);
            chunk[GIVEN_BACK + 52] = 0x0f;
        }
        let index: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut memory = CapturedMemory::new();
        memory.insert(Address(HEAP), heap).insert(Address(RANGES_AT), ranges);
        memory.insert(Address(INDEX), index).insert(Address(ARRAY_AT), bitmaps);
        memory
    }

    fn chunks(words: &[u64], from: u64) -> (u64, u64) {
        let counted = [false, true]
            .map(|marked| free_pages(Address(HEAP), layout(), &made(words, from, marked)).unwrap());
        assert_eq!(counted[0], counted[1], "marked or not, it is the same address");
        (counted[0].now.0 / (400 * PAGE), counted[0].later.0 / (400 * PAGE))
    }

    #[test]
    fn chunks_that_were_nearly_full_before_this_cycle_wait_for_the_next() {
        assert_eq!(chunks(&[word(12, 495, GENERATION), word(12, 496, GENERATION)], 9), (1, 1));
        assert_eq!(chunks(&[word(12, 512, GENERATION - 1)], 9), (1, 0), "a generation later");
        assert_eq!(chunks(&[word(496, 0, GENERATION), word(500, 0, 1)], 9), (0, 2), "still nearly full");
    }

    #[test]
    fn what_lies_above_the_address_that_is_searched_from_waits_too_and_what_is_said_to_be_empty() {
        assert_eq!(chunks(&[word(12, 12, 1); 5], 2), (3, 2));
        assert_eq!(chunks(&[word(12, 12, 1) & !HAS_FREE], 9), (0, 1));
    }

    #[test]
    fn ranges_are_cut_where_an_array_of_bitmaps_ends() {
        let cut: Vec<_> = parts(8190..16385).collect();
        assert_eq!(cut, [8190..8192, 8192..16384, 16384..16385]);
    }

    #[test]
    fn a_release_without_it_and_memory_that_is_not_there_tell_nothing() {
        let old = nearest(Release { major: 1, minor: 19 });
        let memory = made(&[word(12, 0, 1)], 9, false);
        assert_eq!(free_pages(Address(HEAP), old, &memory), None);
        assert_eq!(free_pages(Address(INDEX + 0x1_0000), layout(), &memory), None);
    }

    proptest! {
        #[test]
        fn a_hostile_heap_takes_bounded_work_and_never_panics(
            words in proptest::collection::vec(any::<u64>(), 6), base in any::<u64>(), limit in any::<u64>(),
        ) {
            let of = layout().heap.scavenger.unwrap();
            let mut heap = vec![0xff; layout().heap.size];
            for (slot, word) in [of.ranges, of.ranges + 8, of.index, of.search, of.generation, of.chunks].iter().zip(&words) {
                heap[*slot..*slot + 8].copy_from_slice(&word.to_le_bytes());
            }
            heap[of.ranges..of.ranges + 8].copy_from_slice(&RANGES_AT.to_le_bytes());
            heap[of.ranges + 8..of.ranges + 16].copy_from_slice(&1_u64.to_le_bytes());
            let mut memory = CapturedMemory::new();
            memory.insert(Address(HEAP), heap);
            memory.insert(Address(RANGES_AT), [base.to_le_bytes(), limit.to_le_bytes()].concat());
            let _free = free_pages(Address(HEAP), layout(), &memory);
        }
    }
}
