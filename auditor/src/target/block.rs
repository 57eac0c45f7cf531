//! What glibc's `malloc` says of a block in the word before it: how long it is, and so how large the elements of a
//! table are that says only how many it has.

use super::memory::{Memory, ReadError, Request};
use crate::audit::unit::Address;

/// A chunk of `malloc` (malloc/malloc.c), x86-64: its size lies in the word before the block, with three flags, and
/// the chunk begins a word before that. Sizes are multiples of 16 and 32 at least; a block may use the first word of
/// the next chunk. What would be left over of a free chunk is given along if it is too small for one of its own.
mod layout {
    pub(super) const WORD: u64 = 8;
    pub(super) const ALIGNED: u64 = 16;
    pub(super) const LEAST: u64 = 32;
    pub(super) const FLAGS: u64 = 7;
    /// `PREV_INUSE`: the chunk before is in use.
    pub(super) const BEFORE_IN_USE: u64 = 1;
    /// `IS_MMAPPED`: it is a mapping of its own.
    pub(super) const MAPPED: u64 = 2;
    pub(super) const PAGE: u64 = 4096;
}

/// Bytes of an element: all that are tried, those that are likely first.
const LIKELY: usize = 8;
const SIZES: [u16; 320] = sizes();

/// Multiples of 8 up to 64, then the other numbers up to 128, multiples of 4 up to 256, of 8 up to 1024, of 16 to 2048.
const fn sizes() -> [u16; 320] {
    let mut all = [0; 320];
    let (mut filled, mut size) = (0, 8_u16);
    while size <= 64 {
        all[filled] = size;
        (filled, size) = (filled + 1, size + 8);
    }
    size = 1;
    while size <= 2048 {
        let step = match size {
            0..=128 => 1,
            129..=256 => 4,
            257..=1024 => 8,
            _ => 16,
        };
        if size.is_multiple_of(step) && !(size <= 64 && size.is_multiple_of(8)) {
            all[filled] = size;
            filled += 1;
        }
        size += 1;
    }
    assert!(filled == all.len());
    all
}

/// A table that is a block: elements, and something else before or behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Where the one ends and the other begins, or where the block begins.
    pub at: Address,
    /// How many elements there is room for.
    pub count: u64,
    /// Bytes of what is no element.
    pub rest: u64,
}

impl Table {
    /// Bytes of an element that lies behind the rest, by the length of the block at `at`. `None`: it is none of
    /// glibc's, or too short. Where the block has more to spare than an element of each byte more would take, the
    /// largest multiple of 8 that fits.
    ///
    /// # Errors
    /// [`ReadError`] when memory is not at hand.
    pub fn element_behind(self, memory: &dyn Memory) -> Result<Option<u64>, ReadError> {
        let Some(before) = self.at.0.checked_sub(layout::WORD) else { return Ok(None) };
        let Some(word) = words(memory, [before])?.first().copied().flatten() else { return Ok(None) };
        // A mapping has no next chunk whose first word could be used, and its end is rounded up with that.
        let taken = if word & layout::MAPPED == 0 { layout::WORD } else { 3 * layout::WORD };
        let elements =
            (word & !layout::FLAGS).checked_sub(taken).and_then(|bytes| bytes.checked_sub(self.rest));
        let Some(most) = elements.and_then(|bytes| bytes.checked_div(self.count)) else { return Ok(None) };
        let fits = |size: u64| {
            let len = size.checked_mul(self.count)?.checked_add(self.rest)?;
            Block { start: self.at.0, len }.next(word)
        };
        let mut sizes = [most & !7, most].into_iter().filter(|size| *size > 0);
        let Some((size, next)) = sizes.find_map(|size| Some((size, fits(size)?))) else { return Ok(None) };
        Ok(next.is_so(memory)?.then_some(size))
    }

    /// Bytes of an element that lies before `at`, by the block that the table must lie in then. `likely` is tried
    /// first. `None`: no block of glibc's ends like this, so another allocator made it or the elements are larger
    /// than 2 KiB.
    ///
    /// # Errors
    /// [`ReadError`] when memory is not at hand.
    pub fn element_before(self, memory: &dyn Memory, likely: Option<u64>) -> Result<Option<u64>, ReadError> {
        let (first, others) = SIZES.split_at(LIKELY);
        let sizes = |sizes: &[u16]| sizes.iter().copied().map(u64::from).collect::<Vec<_>>();
        let mut first = sizes(first);
        first.extend(likely.filter(|size| (1..=u64::from(u16::MAX)).contains(size)));
        match self.among(&first, memory)? {
            Some(size) => Ok(Some(size)),
            None => self.among(&sizes(others), memory),
        }
    }

    /// The one of these sizes for which the words around the block fit.
    fn among(self, sizes: &[u64], memory: &dyn Memory) -> Result<Option<u64>, ReadError> {
        let blocks: Vec<(u64, Block)> =
            sizes.iter().filter_map(|size| Some((*size, self.block(*size)?))).collect();
        let said = words(memory, blocks.iter().map(|(_, block)| block.start - layout::WORD))?;
        let fits = |((size, block), word): (&(u64, Block), Option<u64>)| {
            let next = block.next(word?)?;
            Some((*size, next))
        };
        for (size, next) in blocks.iter().zip(said).filter_map(fits) {
            if next.is_so(memory)? {
                return Ok(Some(size));
            }
        }
        Ok(None)
    }

    /// The block, were its elements of that size. `None`: they would begin where nothing can.
    fn block(self, size: u64) -> Option<Block> {
        let elements = size.checked_mul(self.count)?.checked_next_multiple_of(layout::ALIGNED)?;
        let start = self.at.0.checked_sub(elements)?;
        let len = elements.checked_add(self.rest)?;
        let fits = self.count > 0 && start >= layout::PAGE && start.is_multiple_of(layout::ALIGNED);
        fits.then_some(Block { start, len })
    }
}

/// What was asked of `malloc`, and where it lies.
#[derive(Clone, Copy)]
struct Block {
    start: u64,
    len: u64,
}

/// What must lie behind a chunk.
enum Next {
    /// Nothing: it is a mapping of its own.
    None,
    /// A chunk, with its size there.
    Chunk(u64),
}

impl Next {
    fn is_so(&self, memory: &dyn Memory) -> Result<bool, ReadError> {
        let Self::Chunk(at) = self else { return Ok(true) };
        let word = words(memory, [*at])?.first().copied().flatten();
        Ok(word.is_some_and(|word| {
            word & layout::BEFORE_IN_USE != 0 && word & !layout::FLAGS >= layout::ALIGNED
        }))
    }
}

impl Block {
    /// Where the size of the next chunk is, if the word before the block is that of a chunk that was made for it.
    fn next(self, word: u64) -> Option<Next> {
        let asked = self.len.checked_add(layout::WORD)?.checked_next_multiple_of(layout::ALIGNED)?;
        let (least, size) = (asked.max(layout::LEAST), word & !layout::FLAGS);
        let chunk = self.start - 2 * layout::WORD;
        if word & layout::MAPPED != 0 {
            let mapped = least.checked_add(layout::WORD)?.checked_next_multiple_of(layout::PAGE)?;
            return (size == mapped && chunk.is_multiple_of(layout::PAGE)).then_some(Next::None);
        }
        let spare = size.checked_sub(least)?;
        (spare < layout::LEAST).then_some(Next::Chunk(chunk.checked_add(size)?.checked_add(layout::WORD)?))
    }
}

/// Words of memory; `None` where one cannot be read.
fn words(memory: &dyn Memory, at: impl IntoIterator<Item = u64>) -> Result<Vec<Option<u64>>, ReadError> {
    let at: Vec<u64> = at.into_iter().collect();
    let mut words = vec![[0; 8]; at.len()];
    let mut requests: Vec<Request<'_>> =
        at.iter().zip(&mut words).map(|(at, into)| Request { at: Address(*at), into }).collect();
    let answers = memory.read_many(&mut requests);
    let word = |(answer, word): (Result<(), ReadError>, [u8; 8])| match answer {
        Ok(()) => Ok(Some(u64::from_le_bytes(word))),
        Err(ReadError::Unmapped { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    answers.into_iter().zip(words).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::memory::CapturedMemory;
    use proptest::prelude::*;

    const START: u64 = 0x7f00_0000_1010;

    /// Memory with a block for elements of that size, as `malloc` makes it.
    fn made(size: u64, count: u64, rest: u64, mapped: bool, spare: u64) -> (Table, Vec<(u64, u64)>) {
        let elements = (size * count).next_multiple_of(16);
        let table = Table { at: Address(START + elements), count, rest };
        (table, laid(elements + rest, mapped, spare))
    }

    /// The words around a block of so many bytes.
    fn laid(len: u64, mapped: bool, spare: u64) -> Vec<(u64, u64)> {
        let asked = (len + 8).next_multiple_of(16).max(32);
        if mapped {
            return vec![(START - 8, (asked + 8).next_multiple_of(4096) | 2)];
        }
        vec![(START - 8, (asked + spare) | 1), (START - 16 + asked + spare + 8, 0x21)]
    }

    fn memory(words: &[(u64, u64)]) -> impl Memory {
        struct Words(Vec<(u64, u64)>);
        impl Memory for Words {
            fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
                let found = self.0.iter().find(|(start, _)| *start == at.0);
                let (_, word) = found.ok_or(ReadError::Unmapped { at, len: into.len() })?;
                into.copy_from_slice(&word.to_le_bytes());
                Ok(())
            }
        }
        Words(words.to_vec())
    }

    #[test]
    fn every_size_is_tried_once() {
        let mut sizes = SIZES.to_vec();
        sizes.sort_unstable();
        sizes.dedup();
        assert_eq!((sizes.len(), sizes.first(), sizes.last()), (320, Some(&1), Some(&2048)));
        assert_eq!(SIZES[..LIKELY], [8, 16, 24, 32, 40, 48, 56, 64]);
    }

    #[test]
    fn a_word_that_is_no_chunks_size_says_nothing() {
        let (table, mut words) = made(48, 4096, 4112, false, 0);
        words[0].1 += 64;
        assert_eq!(table.element_before(&memory(&words), None), Ok(None));
        let (table, mut words) = made(48, 4096, 4112, false, 0);
        words[1].1 &= !1;
        assert_eq!(
            table.element_before(&memory(&words), None),
            Ok(None),
            "the next chunk says that it is free"
        );
    }

    #[test]
    fn what_is_not_at_hand_is_no_answer() {
        struct Nothing;
        impl Memory for Nothing {
            fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
                Err(ReadError::NotCaptured { at, len: into.len() })
            }
        }
        let (table, _) = made(48, 4096, 4112, false, 0);
        assert!(matches!(table.element_before(&Nothing, None), Err(ReadError::NotCaptured { .. })));
        assert_eq!(table.element_before(&CapturedMemory::new(), None), Ok(None));
    }

    proptest! {
        #[test]
        fn an_element_is_as_large_as_its_block_says(
            size in proptest::sample::select(SIZES.to_vec()), bits in 2_u32..24, kind in 0_u8..3,
        ) {
            let count = 1 << bits;
            let (mapped, spare) = (kind == 2, if kind == 1 { 16 } else { 0 });
            // A mapping begins with a page.
            let (table, words) = made(size.into(), count, count + 16, mapped, spare);
            let found = table.element_before(&memory(&words), None).unwrap().unwrap();
            // Of a small table several sizes fit, all of which make it as long.
            prop_assert_eq!((found * count).next_multiple_of(16), (u64::from(size) * count).next_multiple_of(16));
            prop_assert!(bits < 4 || found == u64::from(size));
        }

        #[test]
        fn an_element_behind_the_rest_is_as_large_as_its_block_says(size in 1_u64..500, bits in 6_u32..24, kind in 0_u8..3) {
            let count = (1_u64 << bits) - 1;
            let rest = (count + 16).next_multiple_of(8);
            let (mapped, spare) = (kind == 2, if kind == 1 { 16 } else { 0 });
            // What malloc is asked for is the same, whichever side the elements are on.
            let size = if mapped { size.next_multiple_of(8) } else { size };
            let words = laid(size * count + rest, mapped, spare);
            let table = Table { at: Address(START), count, rest };
            let found = table.element_behind(&memory(&words)).unwrap().unwrap();
            // A mapping ends with its page, whatever was asked for.
            prop_assert!(found.abs_diff(size) * count < if mapped { 4096 } else { 1 }, "{} {}", found, size);
        }

        /// Also where a larger element would almost have had room on the last page.
        #[test]
        fn a_mapping_is_understood_wherever_it_ends(size in 1_u64..64, bits in 6_u32..10, rest in 80_u64..9000) {
            let table = Table { at: Address(START), count: (1 << bits) - 1, rest };
            let words = laid(size * table.count + rest, true, 0);
            let found = table.element_behind(&memory(&words)).unwrap();
            prop_assert!(found.is_some_and(|found| found.abs_diff(size) * table.count < 4096), "{:?} {}", found, size);
        }

        #[test]
        fn hostile_numbers_do_no_harm(at: u64, count: u64, rest: u64, word: u64, likely: Option<u64>) {
            struct All(u64);
            impl Memory for All {
                fn read(&self, _: Address, into: &mut [u8]) -> Result<(), ReadError> {
                    into.copy_from_slice(&self.0.to_le_bytes());
                    Ok(())
                }
            }
            let table = Table { at: Address(at), count, rest };
            prop_assert!(table.element_before(&All(word), likely).is_ok());
            prop_assert!(table.element_behind(&All(word)).is_ok());
        }
    }
}
