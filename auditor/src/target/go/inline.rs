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

impl Calls<'_> {
    /// The one with that number.
    pub(super) fn get(&self, index: u32) -> Option<Call> {
        let (size, name, parent) = if self.is_1_20 { (16, 4, 8) } else { (20, 12, 16) };
        let mut bytes = [0; 20];
        let bytes = bytes.get_mut(..size)?;
        self.file.read(self.at.checked_add(u64::from(index) * size as u64)?, bytes).ok()?;
        Some(Call { name: Words(bytes).u32(name)?, parent_pc: Words(bytes).u32(parent)? })
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

/// A table of values: pairs of varints, how much the value changes (zigzag) and for how many bytes it
/// stays so; a change of 0 that is not the first one ends it (`step`, src/runtime/symtab.go). The value
/// before the first change is -1, which also stands for none.
pub(super) fn value_at(table: &[u8], pc: u64, ending: Ending) -> Option<i64> {
    let words = Words(table);
    let (mut at, mut value, mut end, mut largest) = (0, -1_i64, 0_u64, -1_i64);
    loop {
        let (change, width) = words.varint(at)?;
        if change == 0 && at > 0 {
            break;
        }
        let change = (change >> 1).cast_signed() ^ -((change & 1).cast_signed());
        value = value.wrapping_add(change);
        let (bytes, second) = words.varint(at + width)?;
        at += width + second;
        end = end.saturating_add(bytes);
        largest = largest.max(value);
        if pc < end {
            break;
        }
    }
    let answer = if ending == Ending::Largest { largest } else { value };
    (answer >= 0 && (pc < end || ending == Ending::Largest)).then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 0 for 4 bytes, 24 for 10, then 0 again.
    const TABLE: [u8; 7] = [2, 4, 48, 10, 47, 3, 0];

    #[test]
    fn a_value_holds_until_the_next_one_begins() {
        let at = |pc| value_at(&TABLE, pc, Ending::At);
        assert_eq!([at(0), at(3), at(4), at(13), at(14), at(16)], [0, 0, 24, 24, 0, 0].map(Some));
        assert_eq!(at(17), None, "the table has ended");
        assert_eq!(value_at(&TABLE, 17, Ending::Largest), Some(24));
    }

    #[test]
    fn minus_one_is_no_value() {
        assert_eq!(value_at(&[0, 9, 0], 3, Ending::At), None);
    }

    proptest! {
        #[test]
        fn hostile_tables_never_panic(table in proptest::collection::vec(any::<u8>(), 0..100), pc in any::<u64>()) {
            let _value = value_at(&table, pc, Ending::At);
            let _largest = value_at(&table, pc, Ending::Largest);
        }
    }
}
