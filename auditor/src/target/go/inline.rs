//! Functions inlined into others, and the tables that give a value for each address of a function.

use super::words::Words;
use crate::target::module::FileBytes;

/// The calls that were inlined into one function (`inlinedCall`, src/runtime/symtabinl.go; in 1.18 and
/// 1.19 src/runtime/symtab.go).
#[derive(Debug)]
pub(super) struct Calls<'a> {
    pub(super) file: &'a FileBytes,
    /// Where they are in the file.
    pub(super) at: u64,
    pub(super) is_1_20: bool,
}

/// A call that was inlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Where the name of the called function is among the names.
    pub(super) name: u32,
    /// An instruction of the function that belongs to the place of the call, counted from its entry.
    pub(super) parent_pc: u32,
}

/// Most calls of one function that are looked at: those of generated code run into thousands.
const MOST: u32 = 1 << 16;

impl Calls<'_> {
    /// The one with that number.
    pub(super) fn get(&self, index: u32) -> Option<Call> {
        let mut bytes = [0; 20];
        let bytes = bytes.get_mut(..self.size())?;
        self.file.read(self.at.checked_add(u64::from(index) * self.size() as u64)?, bytes).ok()?;
        self.parse(bytes)
    }

    /// The first ones.
    pub(super) fn first(&self, count: u32) -> Vec<Call> {
        let mut bytes = vec![0; count.min(MOST) as usize * self.size()];
        if self.file.read(self.at, &mut bytes).is_err() {
            return Vec::new();
        }
        bytes.chunks_exact(self.size()).filter_map(|bytes| self.parse(bytes)).collect()
    }

    fn size(&self) -> usize {
        if self.is_1_20 { 16 } else { 20 }
    }

    fn parse(&self, bytes: &[u8]) -> Option<Call> {
        let (name, parent_pc) = if self.is_1_20 { (4, 8) } else { (12, 16) };
        Some(Call { name: Words(bytes).u32(name)?, parent_pc: Words(bytes).u32(parent_pc)? })
    }
}

/// What is asked of a table of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The value at the address.
    At,
    /// The largest value up to the address.
    Largest,
}

/// The bytes end before the answer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short;

/// A table of values: pairs of varints, how much the value changes (zigzag) and for how many bytes it
/// stays so; a change of 0 that is not the first one ends it (`step`, src/runtime/symtab.go). The value
/// before the first change is -1, which also stands for none.
pub(super) fn value_at(table: &[u8], pc: u64, ending: Ending) -> Result<Option<i64>, Short> {
    let mut numbers = Numbers { table, at: 0 };
    let (mut value, mut end, mut largest) = (-1_i64, 0_u64, -1_i64);
    while pc >= end {
        let is_first = numbers.at == 0;
        let Some(change) = numbers.next()? else { return Ok(None) };
        if change == 0 && !is_first {
            break;
        }
        value = value.wrapping_add((change >> 1).cast_signed() ^ -((change & 1).cast_signed()));
        let Some(bytes) = numbers.next()? else { return Ok(None) };
        end = end.saturating_add(bytes);
        largest = largest.max(value);
    }
    let answer = match ending {
        Ending::Largest => largest,
        Ending::At if pc < end => value,
        Ending::At => -1,
    };
    Ok((answer >= 0).then_some(answer))
}

struct Numbers<'a> {
    table: &'a [u8],
    at: usize,
}

impl Numbers<'_> {
    /// The next number; `None` where no number is so long.
    fn next(&mut self) -> Result<Option<u64>, Short> {
        /// Most bytes of a number of 64 bits.
        const LONGEST: usize = 10;
        let Some((number, width)) = Words(self.table).varint(self.at) else {
            let left = self.table.len() - self.at.min(self.table.len());
            return if left < LONGEST { Err(Short) } else { Ok(None) };
        };
        self.at += width;
        Ok(Some(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 0 for 4 bytes, 24 for 10, then 0 again.
    const TABLE: [u8; 7] = [2, 4, 48, 10, 47, 3, 0];

    #[test]
    fn a_value_holds_until_the_next_one_begins() {
        let at = |pc| value_at(&TABLE, pc, Ending::At).unwrap();
        assert_eq!([at(0), at(3), at(4), at(13), at(14), at(16)], [0, 0, 24, 24, 0, 0].map(Some));
        assert_eq!(at(17), None, "the table has ended");
        assert_eq!(value_at(&TABLE, 17, Ending::Largest), Ok(Some(24)));
    }

    #[test]
    fn minus_one_is_no_value() {
        assert_eq!(value_at(&[0, 9, 0], 3, Ending::At), Ok(None));
    }

    #[test]
    fn a_table_that_is_cut_off_says_so_unless_the_answer_came_before() {
        assert_eq!(value_at(&TABLE[..4], 13, Ending::At), Ok(Some(24)));
        assert_eq!(value_at(&TABLE[..4], 14, Ending::At), Err(Short));
        assert_eq!(value_at(&TABLE[..3], 13, Ending::At), Err(Short));
        assert_eq!(value_at(&[0xff; 12], 13, Ending::At), Ok(None), "no number is so long");
    }

    #[test]
    fn calls_are_read_in_the_layout_of_their_release() {
        let call = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        // parent u16 and funcID u8, file, line, name, parent pc; from 1.20 on funcID, name, parent pc, start line.
        let old = [call(&[0x16_ffff, 3, 40, 700, 12]), call(&[0x16_0000, 3, 41, 800, 16])].concat();
        let new = [call(&[0x16, 700, 12, 39]), call(&[0x16, 800, 16, 40])].concat();
        let expected = [Call { name: 700, parent_pc: 12 }, Call { name: 800, parent_pc: 16 }];
        for (bytes, is_1_20) in [(old, false), (new, true)] {
            let file = FileBytes::captured(bytes);
            let calls = Calls { file: &file, at: 0, is_1_20 };
            assert_eq!(calls.first(2), expected);
            assert_eq!(
                [calls.get(0), calls.get(1), calls.get(2)],
                [Some(expected[0]), Some(expected[1]), None]
            );
        }
    }

    proptest! {
        #[test]
        fn hostile_tables_never_panic(table in proptest::collection::vec(any::<u8>(), 0..100), pc in any::<u64>()) {
            let _value = value_at(&table, pc, Ending::At);
            let _largest = value_at(&table, pc, Ending::Largest);
        }
    }
}
