//! Which words of an object are pointers, as the runtime noted for its collector (src/runtime/mbitmap.go).
//! The types of an object's words say the same, so this tells which types an object can be of.
//!
//! | release | where | how |
//! |---|---|---|
//! | 1.19 | the arena's bitmap | a byte for four words: low four bits pointers, high four bits "go on" |
//! | 1.20, 1.21 | the arena's bitmap | a bit a word; a bit for 64 words says that nothing follows |
//! | from 1.22 on | the end of the span | a bit a word, for objects of up to 512 bytes; others have a header |

use super::nodes::{Object, WORD};
use crate::audit::unit::Address;
use crate::runtimes::go::heap::Typing;
use crate::target::memory::{Memory, read_u64};

/// Bytes of a page, of which spans of objects of up to 512 bytes have one.
const PAGE: u64 = 8192;
/// Bytes of such a span's bitmap.
const IN_SPAN: u64 = PAGE / 64;
/// Bytes behind it for the marks of objects of 16 bytes and more, where spans hold their own
/// (`spanInlineMarkBits`, src/runtime/mgcmark_greenteagc.go).
const INLINE_MARKS: u64 = 128;
/// Largest object with a bitmap in its span.
const SMALL: u64 = 512;
/// Bytes of an arena.
const ARENA: u64 = 64 << 20;
/// What the numbering of arenas begins at, below zero (`arenaBaseOffset`).
const ARENA_BASE: u64 = 1 << 47;
/// Bytes of an arena's bitmap of 1.20 and 1.21, behind which `noMorePtrs` begins.
const BITMAP: u64 = ARENA / 64;
/// Most words of an object that are looked at.
const WORDS: u64 = 512;

/// Where the bitmaps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bitmaps {
    /// Nobody knows.
    Unknown,
    /// 1.19; the array of pointers to arenas is there.
    Paired(Address),
    /// 1.20 and 1.21; likewise.
    Single(Address),
    /// From 1.22 on; whether spans hold their own mark bits.
    InSpan(bool),
}

impl Bitmaps {
    /// Which of an object's first words are pointers; `None`: that could not be told.
    pub(super) fn pointers(self, object: &Object, memory: &dyn Memory) -> Option<Vec<bool>> {
        let in_arena = ARENA - object.base % ARENA;
        let words = (object.size.min(in_arena) / WORD).min(WORDS);
        match self {
            Self::Unknown => None,
            Self::InSpan(has_marks) => in_span(object, has_marks, words, memory),
            Self::Single(arenas) => single(object, arenas, words, memory),
            Self::Paired(arenas) => paired(object, arenas, words, memory),
        }
    }
}

fn in_span(object: &Object, has_marks: bool, words: u64, memory: &dyn Memory) -> Option<Vec<bool>> {
    if object.header != Typing::None || object.size > SMALL {
        return None;
    }
    let behind = if has_marks && object.size >= 2 * WORD { INLINE_MARKS } else { 0 };
    let (page, within) = (object.base / PAGE * PAGE, object.base % PAGE / WORD);
    let map = read(page + PAGE - behind - IN_SPAN, IN_SPAN, memory)?;
    Some((within..within + words).map(|word| bit(&map, word)).collect())
}

fn single(object: &Object, arenas: Address, words: u64, memory: &dyn Memory) -> Option<Vec<bool>> {
    let arena = arena(object, arenas, memory)?;
    let (first, last) = (object.base % ARENA / WORD, object.base % ARENA / WORD + words - 1);
    let map = read(arena.checked_add(first / 64 * 8)?, (last / 64 - first / 64 + 1) * 8, memory)?;
    let ends = arena.checked_add(BITMAP + first / 512)?;
    let ends = read(ends, last / 512 - first / 512 + 1, memory)?;
    // Behind 64 words after which no pointer follows there is what was before.
    let end = (first / 64..last / 64).find(|index| bit(&ends, index - first / 512 * 8));
    let end = end.map_or(u64::MAX, |index| (index + 1) * 64);
    let is_pointer = |word| word < end && bit(&map, word - first / 64 * 64);
    Some((first..=last).map(is_pointer).collect())
}

fn paired(object: &Object, arenas: Address, words: u64, memory: &dyn Memory) -> Option<Vec<bool>> {
    let arena = arena(object, arenas, memory)?;
    let (first, last) = (object.base % ARENA / WORD, object.base % ARENA / WORD + words - 1);
    let map = read(arena.checked_add(first / 4)?, last / 4 - first / 4 + 1, memory)?;
    let place = |word: u64| (word / 4 - first / 4) * 8 + word % 4;
    // Where it does not say "go on", what follows is of another object, or was.
    let goes_on = (first..=last).map(|word| bit(&map, place(word) + 4));
    let live = goes_on.take_while(|goes_on| *goes_on).count() as u64;
    Some((first..=last).map(|word| word < first + live && bit(&map, place(word))).collect())
}

fn arena(object: &Object, arenas: Address, memory: &dyn Memory) -> Option<u64> {
    let number = object.base.wrapping_add(ARENA_BASE) / ARENA;
    read_u64(memory, arenas.plus(number.checked_mul(8)?)?).ok().filter(|arena| *arena != 0)
}

fn read(at: u64, len: u64, memory: &dyn Memory) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    memory.read(Address(at), &mut bytes).ok()?;
    Some(bytes)
}

fn bit(bytes: &[u8], number: u64) -> bool {
    let byte = usize::try_from(number / 8).ok().and_then(|place| bytes.get(place));
    byte.is_some_and(|byte| byte >> (number % 8) & 1 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::memory::CapturedMemory;

    const BASE: u64 = 0xc0_0000_0000;
    const TABLE: u64 = 0x6000_0000_0000;
    const NOTES: u64 = 0x6100_0000_0000;

    fn object(base: u64, size: u64) -> Object {
        Object { base, size, header: Typing::None, first_word: 0 }
    }

    fn set(bytes: &mut [u8], bit: usize) {
        bytes[bit / 8] |= 1 << (bit % 8);
    }

    /// Memory with an arena whose notes begin with these bytes, and end with some behind the bitmap.
    fn arena(notes: &[u8], behind: &[u8]) -> CapturedMemory {
        let mut memory = CapturedMemory::new();
        let number = (BASE + ARENA_BASE) / ARENA;
        memory.insert(Address(TABLE + 8 * number), NOTES.to_le_bytes());
        memory.insert(Address(NOTES), notes).insert(Address(NOTES + BITMAP), behind);
        memory
    }

    fn places(pointers: Option<Vec<bool>>) -> Vec<usize> {
        let all = pointers.unwrap().into_iter().enumerate();
        all.filter(|(_, is_pointer)| *is_pointer).map(|(place, _)| place).collect()
    }

    #[test]
    fn small_objects_have_their_bits_at_the_end_of_the_page_or_before_the_marks() {
        for (has_marks, from_end) in [(false, 128), (true, 256)] {
            let mut page = vec![0; PAGE as usize];
            let map = page.len() - from_end;
            // The object at 96 is of words 12 to 17; its second and its last word are pointers.
            [13, 17, 18].into_iter().for_each(|bit| set(&mut page[map..], bit));
            let mut memory = CapturedMemory::new();
            memory.insert(Address(BASE), page);
            let of = |base, size| Bitmaps::InSpan(has_marks).pointers(&object(base, size), &memory);
            assert_eq!(places(of(BASE + 96, 48)), [1, 5], "{has_marks}");
            assert_eq!(of(BASE, 576), None, "it has a header");
            assert_eq!(of(BASE + PAGE, 48), None, "it cannot be read");
        }
    }

    #[test]
    fn in_1_21_nothing_counts_behind_words_after_which_no_pointer_follows() {
        let (mut map, mut ends) = (vec![0; 64], vec![0; 8]);
        [66, 127, 129, 200].into_iter().for_each(|bit| set(&mut map, bit));
        let of = |ends: &[u8]| {
            let memory = arena(&map, ends);
            Bitmaps::Single(Address(TABLE)).pointers(&object(BASE + 512, 1024), &memory)
        };
        assert_eq!(places(of(&ends)), [2, 63, 65]);
        set(&mut ends, 1);
        assert_eq!(places(of(&ends)), [2, 63]);
    }

    #[test]
    fn in_1_19_nothing_counts_where_it_does_not_go_on() {
        let mut map = vec![0; 64];
        // Words 6 to 9: a pointer, a number, a pointer, the end; the low half of a byte is pointers.
        map[1] = 0b1100_0100;
        map[2] = 0b0001_0001;
        let memory = arena(&map, &[]);
        let of = |size| Bitmaps::Paired(Address(TABLE)).pointers(&object(BASE + 48, size), &memory);
        assert_eq!(places(of(48)), [0, 2]);
        assert_eq!(places(of(16)), [0]);
    }

    #[test]
    fn where_there_are_no_notes_nothing_is_known() {
        let memory = CapturedMemory::new();
        for bitmaps in [Bitmaps::Unknown, Bitmaps::Single(Address(8)), Bitmaps::Paired(Address(u64::MAX))] {
            assert_eq!(bitmaps.pointers(&object(BASE, 48), &memory), None);
        }
    }
}
