//! What glibc's `malloc` has taken from the kernel and has free: read from its arenas, without any symbol.
//!
//! `main_arena` is no exported name. It is found by what no other memory looks like: the heads of its 127 lists, of
//! which the empty ones point to themselves. From it a ring leads to the other arenas. Free chunks are in lists, and
//! each is checked against what its list says of it; those that threads keep for themselves (`tcache`) count as in use,
//! as they do for `mallinfo2(3)`, which adds up the same.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::memory::{Memory, ReadError};
use crate::audit::fact::Arenas;
use crate::audit::unit::{Address, Bytes};

/// Offsets in `struct malloc_state` (malloc/malloc.c), x86-64, from glibc 2.27 on, which put `have_fastchunks` before
/// the lists; seen with 2.36 and 2.41. Another version's arena does not look like one here, and is not found.
mod layout {
    /// `fastbinsY`, a word each.
    pub(super) const FAST: usize = 16;
    /// `NFASTBINS`.
    pub(super) const FASTS: usize = 10;
    /// `top`.
    pub(super) const TOP: usize = 96;
    /// `bins`: two words each. A head is where a chunk would have them.
    pub(super) const BINS: usize = 112;
    /// `NBINS` without the first, which there is none of.
    pub(super) const LISTS: usize = 127;
    /// `next`.
    pub(super) const NEXT: usize = 2160;
    /// `system_mem`.
    pub(super) const SYSTEM: usize = 2184;
    /// All of it that is read.
    pub(super) const SIZE: usize = 2192;
    /// Of a chunk: its size with three flags (`SIZE_BITS`), then the next and the one before in its list.
    pub(super) const CHUNK_SIZE: u64 = 8;
    pub(super) const LINKS: u64 = 16;
    pub(super) const FLAGS: u64 = 7;
    /// `MALLOC_ALIGNMENT`.
    pub(super) const ALIGNED: u64 = 16;
}

/// Empty lists that an arena has at least. A program may have free chunks of many sizes, but not of all.
const EMPTY: usize = 16;
/// Most arenas: eight for each CPU is glibc's own limit.
const ARENAS: usize = 8192;
/// Most bytes of written data in which the first one is looked for.
const SEARCHED: usize = 16 << 20;
/// Chunks between two looks at the clock.
const ROUND: u32 = 512;
const PAGE: usize = 4096;

/// Where `main_arena` is, in written data of the file that has `malloc`; `None`: nothing there looks like it.
#[must_use]
pub fn main_arena(memory: &dyn Memory, data: &[Range<Address>]) -> Option<Address> {
    let mut left = SEARCHED;
    data.iter().find_map(|range| {
        let len = usize::try_from(range.end.0.checked_sub(range.start.0)?).ok().filter(|len| *len <= left)?;
        left -= len;
        let mut bytes = vec![0; len];
        memory.read(range.start, &mut bytes).ok()?;
        let found = (0..len).step_by(8).find(|at| {
            let here = bytes.get(*at..*at + layout::SIZE);
            here.is_some_and(|state| State { at: range.start.0 + *at as u64, bytes: state }.is_arena())
        });
        found.map(|at| Address(range.start.0 + at as u64))
    })
}

/// What all arenas hold. `lists`: for how long free chunks may be counted; `None`: not at all, for their pages may not
/// be in RAM.
///
/// # Errors
/// [`ReadError`], of the first arena or the ring.
pub fn read(memory: &dyn Memory, main: Address, lists: Option<Duration>) -> Result<Arenas, ReadError> {
    let mut sum = Arenas { whole: lists.is_some(), ..Arenas::default() };
    let end = lists.map(|time| Instant::now() + time);
    let mut at = main;
    loop {
        let mut bytes = [0; layout::SIZE];
        memory.read(at, &mut bytes)?;
        let state = State { at: at.0, bytes: &bytes };
        // One that is being made looks like none yet.
        if !state.is_arena() || sum.arenas as usize == ARENAS {
            sum.whole = false;
            return Ok(sum);
        }
        sum.arenas += 1;
        sum.system += Bytes(state.word(layout::SYSTEM));
        let mut chunks = Chunks::of(memory, end);
        match chunks.at(state.word(layout::TOP)) {
            Some(top) => sum.top += Bytes(top.size),
            None => sum.whole = false,
        }
        if lists.is_some() {
            let (fast, binned) = (state.fast(&mut chunks), state.binned(&mut chunks));
            sum.whole &= fast.1 && binned.1;
            (sum.fast, sum.binned) = (sum.fast + fast.0, sum.binned + binned.0);
        }
        at = Address(state.word(layout::NEXT));
        if at == main {
            return Ok(sum);
        }
    }
}

/// Bytes of an arena's state.
struct State<'a> {
    at: u64,
    bytes: &'a [u8],
}

impl State<'_> {
    fn word(&self, at: usize) -> u64 {
        let word = self.bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
        word.map_or(0, u64::from_le_bytes)
    }

    /// The head of a list, its first chunk and its last.
    fn list(&self, list: usize) -> (u64, [u64; 2]) {
        let at = layout::BINS + 16 * list;
        (self.at + (at as u64 - layout::LINKS), [self.word(at), self.word(at + 8)])
    }

    fn is_arena(&self) -> bool {
        let mut empty = 0;
        for list in 0..layout::LISTS {
            let (head, ends) = self.list(list);
            match ends.map(|end| end == head) {
                [true, true] => empty += 1,
                [false, false] if ends.iter().all(|end| is_chunk(*end)) => {}
                _ => return false,
            }
            // Nothing else gets far.
            if list > 2 * EMPTY && empty == 0 {
                return false;
            }
        }
        empty >= EMPTY
            && is_chunk(self.word(layout::TOP))
            && self.word(layout::SYSTEM).is_multiple_of(PAGE as u64)
    }

    /// Chunks of one size each, which are not merged with their neighbours, and whether these are all.
    fn fast(&self, chunks: &mut Chunks<'_>) -> (Bytes, bool) {
        let mut sum = 0_u64;
        for list in 0..layout::FASTS {
            let size = 16 * (list as u64 + 2);
            let mut of_size =
                |at: u64| chunks.at(at).filter(|chunk| chunk.size == size).map(|chunk| (at, chunk));
            let first = self.word(layout::FAST + 8 * list);
            let mut here = of_size(first);
            if first != 0 && here.is_none() {
                return (Bytes(sum), false);
            }
            while let Some((at, chunk)) = here {
                sum = sum.saturating_add(size);
                let link = chunk.links[0];
                // From glibc 2.32 on it is mixed with its own place (`PROTECT_PTR`).
                let mixed = link ^ ((at + layout::LINKS) >> 12);
                here = if mixed == 0 { None } else { of_size(mixed).or_else(|| of_size(link)) };
                if here.is_none() && mixed != 0 && link != 0 {
                    return (Bytes(sum), false);
                }
            }
        }
        (Bytes(sum), true)
    }

    /// Chunks in lists that are linked both ways, and whether these are all.
    fn binned(&self, chunks: &mut Chunks<'_>) -> (Bytes, bool) {
        let mut sum = 0_u64;
        for list in 0..layout::LISTS {
            let (head, [mut at, _]) = self.list(list);
            let mut before = head;
            while at != head {
                let Some(chunk) = chunks.at(at).filter(|chunk| chunk.links[1] == before) else {
                    return (Bytes(sum), false);
                };
                sum = sum.saturating_add(chunk.size);
                (before, at) = (at, chunk.links[0]);
            }
        }
        (Bytes(sum), true)
    }
}

/// Whether a chunk could be there.
const fn is_chunk(at: u64) -> bool {
    at != 0 && at.is_multiple_of(layout::ALIGNED) && at < 1 << 56
}

/// What is read of a chunk.
struct Chunk {
    size: u64,
    links: [u64; 2],
}

/// Reads chunks, a page at a time: neighbours in a list are neighbours in memory, often.
struct Chunks<'a> {
    memory: &'a dyn Memory,
    page: u64,
    bytes: Vec<u8>,
    read: u32,
    end: Option<Instant>,
    is_over: bool,
}

impl<'a> Chunks<'a> {
    fn of(memory: &'a dyn Memory, end: Option<Instant>) -> Self {
        Self { memory, page: u64::MAX, bytes: vec![0; PAGE], read: 0, end, is_over: false }
    }

    /// `None`: it cannot be read or cannot be one, or the time is over.
    fn at(&mut self, at: u64) -> Option<Chunk> {
        self.read = self.read.wrapping_add(1);
        if self.read.is_multiple_of(ROUND) {
            self.is_over |= self.end.is_some_and(|end| Instant::now() > end);
        }
        if self.is_over || !is_chunk(at) {
            return None;
        }
        let mut words = [0; 24];
        let from = at + layout::CHUNK_SIZE;
        let (page, within) = (from & !(PAGE as u64 - 1), from as usize % PAGE);
        if within + words.len() > PAGE {
            self.memory.read(Address(from), &mut words).ok()?;
        } else {
            if page != self.page {
                self.page = u64::MAX;
                self.memory.read(Address(page), &mut self.bytes).ok()?;
                self.page = page;
            }
            words.copy_from_slice(&self.bytes[within..within + 24]);
        }
        let word = |at: usize| words[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        let size = word(0) & !layout::FLAGS;
        let is_size = size >= 2 * layout::ALIGNED && size.is_multiple_of(layout::ALIGNED) && size < 1 << 47;
        is_size.then(|| Chunk { size, links: [word(8), word(16)] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::unit::Pid;
    use crate::target::allocator::data_of_glibc;
    use crate::target::memory::{CapturedMemory, LiveMemory};
    use crate::target::module::modules;
    use crate::target::process::Process;

    const AT: u64 = 0x7f00_0000_1000;
    const HEAP: u64 = 0x5500_0000_0000;
    const SECOND: Duration = Duration::from_secs(1);

    /// An arena and its heap, word by word.
    struct Made {
        state: Vec<u8>,
        heap: Vec<u8>,
    }

    impl Made {
        /// With nothing free but the end.
        fn new() -> Self {
            let mut made = Self { state: vec![0; layout::SIZE], heap: vec![0; 1 << 16] };
            for list in 0..layout::LISTS {
                made.link(list, made.head(list), made.head(list));
            }
            made.set(layout::TOP, HEAP + 0xf000);
            made.chunk(HEAP + 0xf000, 0x1000 | 1, [0, 0]);
            made.set(layout::NEXT, AT);
            made.set(layout::SYSTEM, 1 << 16);
            made
        }

        fn head(&self, list: usize) -> u64 {
            State { at: AT, bytes: &self.state }.list(list).0
        }

        fn set(&mut self, at: usize, word: u64) {
            self.state[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }

        fn link(&mut self, list: usize, first: u64, last: u64) {
            self.set(layout::BINS + 16 * list, first);
            self.set(layout::BINS + 16 * list + 8, last);
        }

        fn chunk(&mut self, at: u64, size: u64, links: [u64; 2]) {
            let within = (at - HEAP) as usize + 8;
            for (number, word) in [size, links[0], links[1]].into_iter().enumerate() {
                self.heap[within + 8 * number..within + 8 * number + 8].copy_from_slice(&word.to_le_bytes());
            }
        }

        /// Chunks of one small size, linked as glibc does from 2.32 on, or before.
        fn fast(&mut self, size: u64, chunks: &[u64], is_mixed: bool) {
            let mut next = 0;
            for at in chunks {
                let link = if is_mixed { next ^ (at + layout::LINKS) >> 12 } else { next };
                self.chunk(*at, size | 1, [link, 0]);
                next = *at;
            }
            self.set(layout::FAST + 8 * (size as usize / 16 - 2), next);
        }

        /// Chunks of one list, linked both ways.
        fn binned(&mut self, list: usize, chunks: &[(u64, u64)]) {
            let head = self.head(list);
            for (place, (at, size)) in chunks.iter().enumerate() {
                let before = place.checked_sub(1).map_or(head, |before| chunks[before].0);
                let after = chunks.get(place + 1).map_or(head, |(at, _)| *at);
                self.chunk(*at, size | 1, [after, before]);
            }
            self.link(list, chunks[0].0, chunks[chunks.len() - 1].0);
        }

        fn memory(&self) -> CapturedMemory {
            let mut memory = CapturedMemory::new();
            let data = [&[0; 64][..], &self.state, &[0; 64]].concat();
            memory.insert(Address(AT - 64), data).insert(Address(HEAP), self.heap.clone());
            memory
        }

        fn read(&self) -> Arenas {
            let memory = self.memory();
            let data = Address(AT - 64)..Address(AT + layout::SIZE as u64 + 64);
            let main = main_arena(&memory, &[data]).unwrap();
            assert_eq!(main, Address(AT));
            read(&memory, main, Some(SECOND)).unwrap()
        }
    }

    #[test]
    fn free_chunks_are_added_up_by_the_kind_of_their_list() {
        for is_mixed in [true, false] {
            let mut made = Made::new();
            made.fast(32, &[HEAP + 0x100, HEAP + 0x200, HEAP + 0xff0], is_mixed);
            made.fast(128, &[HEAP + 0x400], is_mixed);
            made.binned(0, &[(HEAP + 0x800, 0x200), (HEAP + 0xb00, 0x100)]);
            made.binned(90, &[(HEAP + 0x2000, 0x4000)]);
            let [system, top, fast, binned] = [1 << 16, 0x1000, 3 * 32 + 128, 0x4300].map(Bytes);
            assert_eq!(made.read(), Arenas { arenas: 1, system, top, fast, binned, whole: true });
        }
    }

    #[test]
    fn a_list_that_is_changed_meanwhile_is_a_lower_bound() {
        let mut made = Made::new();
        made.binned(3, &[(HEAP + 0x800, 0x60), (HEAP + 0xb00, 0x60)]);
        made.chunk(HEAP + 0xb00, 0x61, [HEAP + 0x800, HEAP + 0x900]);
        let read = made.read();
        assert_eq!((read.binned, read.whole), (Bytes(0x60), false));
        let mut made = Made::new();
        made.fast(48, &[HEAP + 0x100, HEAP + 0x200], true);
        made.chunk(HEAP + 0x100, 0x41, [0, 0]);
        assert_eq!((made.read().fast, made.read().whole), (Bytes(48), false));
    }

    #[test]
    fn a_list_without_end_is_left_when_the_time_is_over() {
        let mut made = Made::new();
        let at = HEAP + 0x100;
        made.fast(32, &[at], true);
        made.chunk(at, 0x21, [at ^ (at + layout::LINKS) >> 12, 0]);
        let memory = made.memory();
        let read = read(&memory, Address(AT), Some(Duration::from_millis(5))).unwrap();
        assert!(!read.whole && read.fast >= Bytes(32));
    }

    #[test]
    fn a_ring_that_leads_nowhere_and_lists_that_are_not_asked_for_are_not_the_whole() {
        let mut made = Made::new();
        made.fast(32, &[HEAP + 0x100], true);
        let memory = made.memory();
        let unasked = read(&memory, Address(AT), None).unwrap();
        assert_eq!((unasked.top, unasked.fast, unasked.whole), (Bytes(0x1000), Bytes(0), false));
        made.set(layout::NEXT, HEAP);
        assert!(!made.read().whole);
        made.set(layout::NEXT, 0x1234_5678);
        assert!(read(&made.memory(), Address(AT), None).is_err());
    }

    #[test]
    fn what_only_looks_a_little_like_an_arena_is_none() {
        let data = |state: &[u8]| {
            let mut memory = CapturedMemory::new();
            memory.insert(Address(AT), state.to_vec());
            main_arena(&memory, &[Address(AT)..Address(AT + state.len() as u64)])
        };
        assert_eq!(data(&Made::new().state), Some(Address(AT)));
        assert_eq!(data(&vec![0; 1 << 16]), None);
        let mut made = Made::new();
        made.set(layout::BINS + 8, 0x5000);
        assert_eq!(data(&made.state), None, "an end that is a head is both ends");
        let mut made = Made::new();
        (0..layout::LISTS).for_each(|list| made.link(list, HEAP, HEAP));
        assert_eq!(data(&made.state), None, "no list is empty");
    }

    #[test]
    fn our_own_is_found() {
        let pid = Pid(std::process::id());
        let memory = LiveMemory::of(&Process::open(pid).unwrap());
        let main = main_arena(&memory, &data_of_glibc(&modules(pid).unwrap())).unwrap();
        let arenas = read(&memory, main, Some(SECOND)).unwrap();
        assert!(arenas.arenas > 0 && arenas.top <= arenas.system, "{arenas:?}");
    }
}
