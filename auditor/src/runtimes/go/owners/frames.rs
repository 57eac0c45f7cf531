//! Stacks, frame by frame, from where a goroutine stands still outwards, by the program's own unwinding
//! tables: which words are pointers that are still needed, and in whose frame a word is.
//!
//! ```text
//! sp ──► | frame of the innermost function |  return address | frame of its caller |  return address | ...
//! ```

use std::collections::BTreeMap;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::goroutines::Goroutine;
use crate::audit::unit::Address;
use crate::target::go::frame_map::FrameMap;
use crate::target::memory::{Memory, read_u64};

/// Most frames of a stack that are walked to name one.
const FRAMES: usize = 256;
/// Most words that frames are walked for to name one.
const MOST: usize = 1 << 12;
/// Most instructions whose frames are remembered. What is beyond is taken word by word.
const MAPS: usize = 1 << 16;
/// Functions that the runtime puts on top of those of the program.
const RUNTIME: &str = "runtime.";
/// Bytes of a word.
const WORD: usize = 8;

/// What a program's unwinding tables tell.
pub(super) trait Unwind: Sync {
    /// What a frame holds at an instruction.
    fn frame(&self, at: Address) -> Option<FrameMap>;
    /// The function that holds an instruction.
    fn function(&self, at: Address) -> Option<String>;
}

/// A word of a stack that is a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    /// Where it is, in bytes from the stack pointer.
    pub(super) offset: usize,
    /// An instruction of the function whose frame it is in; 0: not known.
    pub(super) code: u64,
}

/// Follows frames, and remembers what it was told of them.
pub(super) struct Frames<'a> {
    unwind: &'a dyn Unwind,
    maps: FxHashMap<u64, Option<Rc<FrameMap>>>,
    names: BTreeMap<u64, Option<String>>,
    walks: usize,
}

impl<'a> Frames<'a> {
    /// By the tables of a program.
    pub(super) fn new(unwind: &'a dyn Unwind) -> Self {
        Self { unwind, maps: FxHashMap::default(), names: BTreeMap::new(), walks: 0 }
    }

    /// The pointers in the bytes of a stack, from the stack pointer on. Where the frames cannot be followed,
    /// every word may be one.
    pub(super) fn pointers(&mut self, code: u64, bytes: &[u8]) -> Vec<Pointer> {
        let mut found = Vec::new();
        let (mut begin, mut code, mut is_spoiled) = (0, code, false);
        while code != 0 && begin < bytes.len() {
            let frame = self.map(code);
            let end = frame.as_ref().and_then(|frame| begin.checked_add(usize::try_from(frame.size).ok()?));
            let returns = end.and_then(|end| word(bytes, end));
            let (Some(frame), Some(end), Some(returns)) = (frame, end, returns) else {
                found.extend((begin..bytes.len()).step_by(WORD).map(|offset| Pointer { offset, code: 0 }));
                break;
            };
            let pointer = |offset| Pointer { offset, code };
            match frame.words.as_ref().filter(|_| !is_spoiled) {
                Some(words) => found.extend(words.iter().map(|word| pointer(begin + *word as usize))),
                None => found.extend((begin..end).step_by(WORD).map(pointer)),
            }
            is_spoiled = frame.spoils_caller;
            (begin, code) = (end + WORD, returns);
        }
        found
    }

    /// The function in whose frame a word is: where that is one of the runtime's, the nearest one around it
    /// that is not. `code`: an instruction of that frame's function, if it is known.
    pub(super) fn function(
        &mut self,
        goroutine: &Goroutine,
        at: u64,
        code: u64,
        memory: &dyn Memory,
    ) -> Option<String> {
        let of_frame = (code != 0).then(|| self.name(code)).flatten();
        if of_frame.as_ref().is_some_and(|name| !name.starts_with(RUNTIME)) {
            return of_frame;
        }
        self.walks += 1;
        let found = (self.walks <= MOST).then(|| self.walk(goroutine, at, memory)).flatten();
        found.or(of_frame)
    }

    fn walk(&mut self, goroutine: &Goroutine, at: u64, memory: &dyn Memory) -> Option<String> {
        let (mut stack, mut code) = (goroutine.stack_pointer, goroutine.program_counter);
        let mut holder = None;
        for _ in 0..FRAMES {
            let Some(frame) = self.map(code) else { break };
            let end = stack.checked_add(frame.size)?;
            if end >= goroutine.high {
                break;
            }
            if at < end + 8 {
                let name = self.name(code)?;
                if !name.starts_with(RUNTIME) {
                    return Some(name);
                }
                holder = holder.or(Some(name));
            }
            code = read_u64(memory, Address(end)).ok()?;
            stack = end + 8;
        }
        holder
    }

    fn map(&mut self, code: u64) -> Option<Rc<FrameMap>> {
        if let Some(known) = self.maps.get(&code) {
            return known.clone();
        }
        let found = self.unwind.frame(Address(code)).map(Rc::new);
        if self.maps.len() < MAPS {
            self.maps.insert(code, found.clone());
        }
        found
    }

    fn name(&mut self, code: u64) -> Option<String> {
        if let Some(known) = self.names.get(&code) {
            return known.clone();
        }
        let found = self.unwind.function(Address(code));
        if self.names.len() < MAPS {
            self.names.insert(code, found.clone());
        }
        found
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

impl std::fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frames").field("maps", &self.maps.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Functions at 1,000, 2,000 and so on: the size of a frame, the words in it, whether it spoils.
    struct Tables(Vec<(u64, Option<Vec<u32>>, bool)>);

    impl Unwind for Tables {
        fn frame(&self, at: Address) -> Option<FrameMap> {
            let number = usize::try_from(at.0 / 1000).ok()?.checked_sub(1)?;
            let (size, words, spoils_caller) = self.0.get(number)?.clone();
            Some(FrameMap { size, words, spoils_caller })
        }
        fn function(&self, at: Address) -> Option<String> {
            let names = ["runtime.gopark", "runtime.chanrecv", "main.worker", "main.main"];
            names.get((at.0 / 1000) as usize - 1).map(|name| (*name).to_owned())
        }
    }

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn pointers(tables: &Tables, code: u64, words: &[u64]) -> Vec<(usize, u64)> {
        let found = Frames::new(tables).pointers(code, &bytes(words));
        found.into_iter().map(|pointer| (pointer.offset / 8, pointer.code)).collect()
    }

    #[test]
    fn each_frame_tells_its_own_pointers_and_its_arguments() {
        let tables = Tables(vec![(8, Some(vec![]), false), (16, Some(vec![8, 24]), false), (8, None, false)]);
        // gopark: 1 word; chanrecv: 2 words, and an argument behind its return address; worker: 1 word.
        let words = [0, 2000, 0, 0, 3000, 0, 0];
        assert_eq!(pointers(&tables, 1000, &words), [(3, 2000), (5, 2000), (5, 3000)]);
    }

    #[test]
    fn behind_an_interruption_every_word_of_the_caller_may_be_a_pointer() {
        let tables = Tables(vec![(8, None, true), (16, Some(vec![]), false), (16, Some(vec![0]), false)]);
        let words = [0, 2000, 0, 0, 3000, 0, 0, 0];
        assert_eq!(pointers(&tables, 1000, &words), [(0, 1000), (2, 2000), (3, 2000), (5, 3000)]);
    }

    #[test]
    fn where_frames_cannot_be_followed_every_word_may_be_a_pointer() {
        let tables = Tables(vec![(8, Some(vec![]), false)]);
        assert_eq!(pointers(&tables, 1000, &[0, 77, 0, 0]), [(2, 0), (3, 0)]);
        assert_eq!(pointers(&tables, 99, &[0, 0]), [(0, 0), (1, 0)]);
        let large = Tables(vec![(1 << 40, Some(vec![]), false)]);
        assert_eq!(pointers(&large, 1000, &[0, 0]), [(0, 0), (1, 0)]);
    }

    proptest! {
        #[test]
        fn no_stack_and_no_tables_panic(
            words in proptest::collection::vec(prop_oneof![any::<u64>(), (0_u64..5).prop_map(|n| n * 1000)], 0..60),
            frames in proptest::collection::vec((any::<u64>(), proptest::option::of(proptest::collection::vec(any::<u32>(), 0..9)), any::<bool>()), 0..5),
            code in any::<u64>(),
        ) {
            let tables = Tables(frames.into_iter().map(|(size, words, spoils)| (size & 0xff, words, spoils)).collect());
            let found = pointers(&tables, code % 5000, &words);
            prop_assert!(found.len() <= 9 * words.len() + words.len());
        }
    }
}
