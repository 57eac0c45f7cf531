//! Which words of a stack are pointers that are still needed: what the compiler notes for the collector, for
//! each instruction at which a function may stand still (`getStackMap`, src/runtime/stkframe.go; before 1.21
//! src/runtime/stack.go). A word that is not among them is a number or a left-over.
//!
//! ```text
//!  sp                                    sp + size                  sp + size + 8
//!  | arguments of calls | ... locals | bp |   return address   | own arguments, room for registers |
//!                        └─ LocalsPointerMaps ┘                 └─ ArgsPointerMaps ─┘
//! ```
//! Variables whose address is taken are listed apart (`StackObjects`). The collector finds out which of them
//! are still needed; here all of them are.

use super::functions::{Function, Functions};
use super::words::Words;
use crate::target::module::FileBytes;

/// `PCDATA_StackMapIndex` (src/internal/abi/symtab.go).
const MAP_INDEX: usize = 1;
/// `FUNCDATA_ArgsPointerMaps`, `FUNCDATA_LocalsPointerMaps`, `FUNCDATA_StackObjects`.
const ARGUMENTS: usize = 0;
const LOCALS: usize = 1;
const OBJECTS: usize = 2;
/// Largest frame that is described.
const FRAME: u64 = 1 << 20;
/// Most objects of a frame.
const MOST_OBJECTS: u64 = 4096;
/// Bytes of an object's record: offset i32, size i32, bytes with pointers i32, where its own map is u32.
const OBJECT: usize = 16;
/// Functions that stand where anything could be in use, of themselves and of who called them: where a
/// goroutine was interrupted, or called by a debugger.
const INTERRUPTIONS: &[&str] = &["runtime.asyncPreempt", "runtime.debugCallV1", "runtime.debugCallV2"];
/// Functions whose arguments depend on what they call.
const STUBS: &[&str] = &["reflect.makeFuncStub", "reflect.methodValueCall"];

/// What a frame holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameMap {
    /// Bytes from the stack pointer to the return address.
    pub size: u64,
    /// Words that hold pointers, in bytes from the stack pointer, ascending; those beyond the return address
    /// are arguments. `None`: any word may.
    pub words: Option<Vec<u32>>,
    /// Whether any word of the caller's frame may hold pointers, too.
    pub spoils_caller: bool,
}

/// A function's record, and where its data are.
#[derive(Debug)]
pub(super) struct Described<'a> {
    pub(super) file: &'a FileBytes,
    /// `_func` and both its lists.
    pub(super) record: Vec<u8>,
    /// What places of data are counted from, in the file.
    pub(super) data: u64,
    pub(super) is_1_20: bool,
}

impl Functions {
    /// What a frame holds at an instruction, as linked.
    #[must_use]
    pub fn frame_map(&self, address: u64) -> Option<FrameMap> {
        let function = self.at(address)?;
        let size = self.frame_size(address).filter(|size| *size <= FRAME && size.is_multiple_of(8))?;
        let name = self.name_of(&function)?;
        let is_one_of = |names: &[&str]| names.contains(&name.as_str());
        let spoils_caller = is_one_of(INTERRUPTIONS) || is_one_of(STUBS);
        let words = (!spoils_caller).then(|| self.pointers(&function, address, size)).flatten();
        Some(FrameMap { size, words, spoils_caller })
    }

    fn pointers(&self, function: &Function, address: u64, size: u64) -> Option<Vec<u32>> {
        let described = self.described(function)?;
        // The map is that of the call, which ends where it returns to. Before the first one that is said,
        // it is the first.
        let table = described.value_table(MAP_INDEX).unwrap_or(0);
        let call = address.checked_sub(1).filter(|call| *call >= function.entry);
        let index = call.and_then(|call| self.table().value(table, call - function.entry)).unwrap_or(0);
        let index = u32::try_from(index).ok()?;
        let mut words = Vec::new();
        // Below the return address there is the frame pointer of the caller, if there is a frame at all.
        let end = size.saturating_sub(8);
        if end > 0 {
            let locals = described.bits(described.place(LOCALS)?, index)?;
            words.extend(placed(&locals, end.checked_sub(8 * locals.len() as u64)?));
        }
        if described.argument_bytes() > 0 {
            let arguments = described.bits(described.place(ARGUMENTS)?, index)?;
            words.extend(placed(&arguments, size + 8));
        }
        if let Some(place) = described.place(OBJECTS) {
            words.extend(described.objects(place, end, size + 8)?);
        }
        words.sort_unstable();
        words.dedup();
        Some(words)
    }
}

/// The places of the words whose bits are set, the first of which is at an offset.
fn placed(bits: &[bool], first: u64) -> impl Iterator<Item = u32> {
    let set = (0..).zip(bits).filter(|(_, is_set)| **is_set);
    set.filter_map(move |(number, _): (u64, _)| u32::try_from(first + 8 * number).ok())
}

impl Described<'_> {
    /// Bytes of the fixed part of the record.
    fn fixed(&self) -> usize {
        if self.is_1_20 { 44 } else { 40 }
    }

    fn values(&self) -> Option<usize> {
        usize::try_from(Words(&self.record).u32(28)?).ok()
    }

    /// Where a table of values is.
    fn value_table(&self, number: usize) -> Option<u32> {
        let listed = number < self.values()?;
        Words(&self.record).u32(self.fixed() + 4 * number).filter(|_| listed)
    }

    /// Where data of a kind are, in the file.
    fn place(&self, number: usize) -> Option<u64> {
        let words = Words(&self.record);
        let listed = number < usize::from(words.u8(self.fixed() - 1)?);
        let list = self.values()?.checked_mul(4)?.checked_add(self.fixed())?;
        let offset = words.u32(list + 4 * number).filter(|offset| listed && *offset != u32::MAX)?;
        self.data.checked_add(u64::from(offset))
    }

    /// Bytes of arguments, as far as they are in memory. Negative: not known, as of assembly.
    fn argument_bytes(&self) -> i32 {
        Words(&self.record).u32(8).map_or(0, u32::cast_signed)
    }

    /// One of the maps at a place: their number i32, the bits of each i32, the bits.
    fn bits(&self, place: u64, index: u32) -> Option<Vec<bool>> {
        let mut head = [0; 8];
        self.file.read(place, &mut head).ok()?;
        let (count, bits) = (Words(&head).u32(0)?, Words(&head).u32(4)?);
        if bits == 0 {
            return Some(Vec::new());
        }
        if index >= count || u64::from(bits) * 8 > FRAME {
            return None;
        }
        let mut bytes = vec![0; bits.div_ceil(8) as usize];
        let skipped = u64::from(index) * bytes.len() as u64;
        self.file.read(place.checked_add(8 + skipped)?, &mut bytes).ok()?;
        let bit =
            |number: u32| bytes.get(number as usize / 8).is_some_and(|byte| byte >> (number % 8) & 1 == 1);
        Some((0..bits).map(bit).collect())
    }

    /// The words of all objects that may hold pointers: u64 how many, and their records. Objects below 0 are
    /// counted from the end of the locals, others from the beginning of the arguments.
    fn objects(&self, place: u64, locals_end: u64, arguments: u64) -> Option<Vec<u32>> {
        let mut count = [0; 8];
        self.file.read(place, &mut count).ok()?;
        let count = u64::from_le_bytes(count);
        if count > MOST_OBJECTS {
            return None;
        }
        let mut bytes = vec![0; count as usize * OBJECT];
        self.file.read(place.checked_add(8)?, &mut bytes).ok()?;
        let mut words = Vec::new();
        for record in bytes.chunks_exact(OBJECT) {
            let field = |at| Words(record).u32(at).map(u32::cast_signed);
            // Negative where the object's own map is a program that makes it.
            let (offset, pointers) = (i64::from(field(0)?), u64::from(field(8)?.unsigned_abs()));
            let base = if offset < 0 { locals_end } else { arguments };
            // What would be below the stack pointer is not there yet.
            let Some(begin) = base.checked_add_signed(offset) else { continue };
            let end = begin.checked_add(pointers).filter(|end| *end <= 2 * FRAME)?;
            words.extend((begin..end).step_by(8).filter_map(|word| u32::try_from(word).ok()));
        }
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::go::functions::Places;
    use proptest::prelude::*;

    /// Where code begins, as linked.
    const TEXT: u64 = 0x1000;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// A file with one function of 100 bytes, `name`, whose frames are of 40 bytes.
    ///
    /// | bytes of the file | |
    /// |---|---|
    /// | 0 | header of the function table |
    /// | 72 | the function's name |
    /// | 104 | tables of values: frames of 40 bytes; map 0 for 10 bytes, then map 1 |
    /// | 112 | the function's row, and where it ends |
    /// | 124 | its record |
    /// | 192 | maps of arguments and of locals, objects |
    fn file(name: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = [words(&[0xffff_fff1, 0x0801_0000]), 1_u64.to_le_bytes().to_vec()].concat();
        bytes.extend([0, 0, 72, 104, 104, 104, 112_u64].iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(name.bytes().chain(std::iter::repeat(0)).take(32));
        bytes.extend([0, 82, 100, 0, 2, 10, 2, 90]);
        bytes.extend(words(&[0, 12, 100]));
        bytes.extend(words(&[0, 0, 16, 0, 1, 0, 0, 2, 0, 0, 3 << 24, 0, 4, 0, 16, 32, 0]));
        bytes.extend(data);
        bytes
    }

    /// Bits of two arguments and three locals, each for two places; a variable in the locals and one in the
    /// arguments.
    fn data() -> Vec<u8> {
        let arguments = [words(&[2, 2]), vec![0b01, 0b10, 0, 0, 0, 0, 0, 0]].concat();
        let locals = [words(&[2, 3]), vec![0b001, 0b110, 0, 0, 0, 0, 0, 0]].concat();
        let objects = [2, 0, -32_i32 as u32, 16, 8, 0, 8, 8, -8_i32 as u32, 0];
        [arguments, locals, words(&objects)].concat()
    }

    fn functions(bytes: Vec<u8>) -> Option<Functions> {
        let size = bytes.len().min(192) as u64;
        let places = Places { table: 0, size, text: TEXT, function_data: Some(192) };
        Functions::read(FileBytes::captured(bytes), places).ok()
    }

    fn map(name: &str, data: &[u8], pc: u64) -> FrameMap {
        functions(file(name, data)).unwrap().frame_map(TEXT + pc).unwrap()
    }

    #[test]
    fn the_pointers_of_a_frame_are_those_of_the_call_that_it_waits_for() {
        let expected =
            |words: &[u32]| FrameMap { size: 40, words: Some(words.to_vec()), spoils_caller: false };
        // The variables at 0 and 56; the first local and the first argument.
        assert_eq!(map("main.f", &data(), 0), expected(&[0, 8, 48, 56]));
        assert_eq!(map("main.f", &data(), 10), expected(&[0, 8, 48, 56]));
        // The other two locals, the second argument.
        assert_eq!(map("main.f", &data(), 11), expected(&[0, 16, 24, 56]));
    }

    #[test]
    fn where_a_function_is_interrupted_anything_may_be_in_use() {
        for (name, spoils) in [("runtime.asyncPreempt", true), ("runtime.asyncPreempt2", false)] {
            let found = map(name, &data(), 50);
            assert_eq!((found.words.is_none(), found.spoils_caller), (spoils, spoils), "{name}");
        }
    }

    #[test]
    fn a_frame_without_its_maps_may_hold_pointers_everywhere() {
        let mut bytes = file("main.f", &data());
        // There is no map of locals.
        let at = 124 + 44 + 2 * 4 + 4;
        bytes[at..at + 4].fill(0xff);
        let found = functions(bytes).unwrap().frame_map(TEXT + 50).unwrap();
        assert_eq!(found, FrameMap { size: 40, words: None, spoils_caller: false });
        assert_eq!(map("main.f", &[], 50).words, None);
        assert!(functions(file("main.f", &data())).unwrap().frame_map(TEXT + 100).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_of_maps_panic_or_take_much(
            data in proptest::collection::vec(any::<u8>(), 0..200),
            changed in proptest::collection::vec((124_usize..192, any::<u8>()), 0..20),
            pc in 0_u64..120,
        ) {
            let mut bytes = file("main.f", &data);
            for (at, byte) in changed {
                bytes[at] = byte;
            }
            let found = functions(bytes).and_then(|functions| functions.frame_map(TEXT + pc));
            let words = found.and_then(|found| found.words).unwrap_or_default();
            prop_assert!(words.is_sorted() && words.len() as u64 <= 2 * FRAME);
        }
    }
}
