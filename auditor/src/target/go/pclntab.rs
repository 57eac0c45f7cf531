//! The table with which a Go program's runtime unwinds stacks, `pclntab`, as bytes of the file. It is there
//! in stripped programs, too. It is read piece by piece: in memory, reading it would make the target's
//! pages resident, and it is 30 MB in a program of 100.
//!
//! Header (`pcHeader`, src/runtime/symtab.go, 1.18 to 1.27): magic u32 at 0, pointer size u8 at 7, number
//! of functions u64 at 8; from 32 on, u64 each, offsets of function names, compilation units, file names,
//! pc tables, and functions. The functions begin with one row each, `{entry u32, record u32}`, by address,
//! and the end of the last one, u32.

use super::GoError;
use super::inline::{Ending, value_at};
use super::words::Words;
use crate::target::module::FileBytes;

/// 1.20 and later.
const MAGIC_1_20: u32 = 0xffff_fff1;
/// 1.18 and 1.19.
const MAGIC_1_18: u32 = 0xffff_fff0;
/// 1.16, and 1.2 to 1.15.
const OLD_MAGICS: [u32; 2] = [0xffff_fffa, 0xffff_fffb];
/// Bytes of the header.
pub(super) const HEADER: usize = 72;
/// Most functions: a program of a gigabyte has some two million.
const MOST: u64 = 1 << 21;
/// Most bytes of the table: a program of a gigabyte has some 300 MB.
const SIZE: u64 = 1 << 30;
/// Longest name, and longest path of a source file, in bytes.
const NAME: usize = 4096;
/// Bytes of a function's record that are read at once: its fixed part and both its lists.
const RECORD: usize = 256;
/// Bytes that are read at once of what is walked through.
const BLOCK: usize = 1 << 20;
/// Bytes that are read of a table of values, one size after the other until one will do. The tables of
/// most functions have less than 100, those of the largest tens of thousands.
const VALUES: [u64; 3] = [1 << 8, 1 << 14, 1 << 20];
/// `PCDATA_InlTreeIndex` and `FUNCDATA_InlTree` (src/internal/abi/symtab.go).
const INLINE_INDEX: usize = 2;
const INLINE_TREE: usize = 3;

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    file: FileBytes,
    /// Where it is in the file.
    at: u64,
    size: u64,
    header: Header,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    names: u64,
    units: u64,
    files: u64,
    values: u64,
    functions: u64,
    count: u64,
    is_1_20: bool,
}

/// Which functions there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// Where each begins, counted from the program's first one, and where its record is. By address.
    pub(super) all: Vec<(u32, u32)>,
    /// Where the last one ends.
    pub(super) end: u32,
}

/// The fixed part of a function's record (`_func`, src/runtime/runtime2.go).
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// Where the function begins, counted from the program's first one.
    entry: u32,
    /// Where its name is among the names.
    pub(super) name: u32,
    /// Tables of values, by address: bytes from the stack pointer to the return address,
    pub(super) pc_sp: u32,
    /// the number of the source file in the function's unit,
    pub(super) pc_file: u32,
    /// the line,
    pub(super) pc_line: u32,
    /// and the number of the innermost call that was inlined.
    pub(super) inline_index: u32,
    /// Where the unit's file names begin.
    unit: u32,
    /// Where its inlined calls are among the function data.
    pub(super) inline_tree: Option<u32>,
}

impl Table {
    /// Reads the header of a table at `at` in the file, of at most `size` bytes.
    ///
    /// # Errors
    /// [`GoError`] when it cannot be read or is none.
    pub(super) fn open(file: FileBytes, at: u64, size: u64) -> Result<Self, GoError> {
        let mut bytes = [0; HEADER];
        read(&file, at, &mut bytes, "the function table")?;
        if Words(&bytes).u32(0).is_some_and(|magic| OLD_MAGICS.contains(&magic)) {
            return Err(GoError::TooOld);
        }
        let header = parse_header(&bytes, size).ok_or(GoError::Corrupt { what: "the function table" })?;
        Ok(Self { file, at, size, header })
    }

    /// Whether bytes may be those of a header, such as no others are.
    pub(super) fn begins(bytes: &[u8]) -> bool {
        parse_header(bytes, SIZE).is_some()
    }

    /// Whether it is from 1.20 or later.
    pub(super) fn is_1_20(&self) -> bool {
        self.header.is_1_20
    }

    /// Where its rows are, counted from its beginning.
    pub(super) fn rows_at(&self) -> u64 {
        self.header.functions
    }

    /// Bytes of it.
    ///
    /// # Errors
    /// [`GoError::File`].
    pub(super) fn bytes(&self, offset: u64, into: &mut [u8]) -> Result<(), GoError> {
        read(&self.file, self.at.saturating_add(offset), into, "the function table")
    }

    /// All rows.
    ///
    /// # Errors
    /// [`GoError`] when they cannot be read, or are in no order.
    pub(super) fn rows(&self) -> Result<Rows, GoError> {
        let mut bytes = vec![0; (8 * self.header.count + 4) as usize];
        self.bytes(self.header.functions, &mut bytes)?;
        let row = |row: &[u8]| Some((Words(row).u32(0)?, Words(row).u32(4)?));
        let all: Vec<(u32, u32)> = bytes.chunks_exact(8).filter_map(row).collect();
        let end = Words(&bytes).u32(8 * all.len()).unwrap_or(0);
        let is_sound = all.is_sorted_by_key(|row| row.0)
            && all.is_sorted_by_key(|row| row.1)
            && all.last().is_none_or(|last| last.0 <= end);
        is_sound
            .then_some(Rows { all, end })
            .ok_or(GoError::Corrupt { what: "the order of the function table" })
    }

    /// Every name of a function, and where it is.
    ///
    /// # Errors
    /// [`GoError`] when they cannot be read, or do not end.
    pub(super) fn each_name(&self, mut each: impl FnMut(u32, &[u8])) -> Result<(), GoError> {
        let len = self.header.units - self.header.names;
        let (mut at, mut held) = (0, Vec::new());
        while at + (held.len() as u64) < len {
            let begun = held.len();
            let more = (len - at - begun as u64).min(BLOCK as u64);
            held.resize(begun + more as usize, 0);
            self.bytes(self.header.names + at + begun as u64, &mut held[begun..])?;
            let whole = held.iter().rposition(|byte| *byte == 0).map_or(0, |last| last + 1);
            if whole == 0 {
                return Err(GoError::Corrupt { what: "the names of functions" });
            }
            let mut offset = at as u32;
            for name in held[..whole].split_inclusive(|byte| *byte == 0) {
                if name.len() > 1 {
                    each(offset, &name[..name.len() - 1]);
                }
                offset = offset.saturating_add(name.len() as u32);
            }
            held.drain(..whole);
            at += whole as u64;
        }
        Ok(())
    }

    /// Every function's record, with the number of its row.
    ///
    /// # Errors
    /// [`GoError::File`].
    pub(super) fn each_record(
        &self,
        rows: &Rows,
        mut each: impl FnMut(usize, Record),
    ) -> Result<(), GoError> {
        let mut block = Block { table: self, at: 0, bytes: Vec::new() };
        for (row, (entry, offset)) in rows.all.iter().enumerate() {
            let bytes = block.record(self.header.functions + u64::from(*offset))?;
            let record = parse_record(bytes, self.header.is_1_20);
            if let Some(record) = record.filter(|record| record.entry == *entry) {
                each(row, record);
            }
        }
        Ok(())
    }

    /// The record that a row leads to.
    pub(super) fn record(&self, row: (u32, u32)) -> Option<Record> {
        parse_record(&self.record_bytes(row)?, self.header.is_1_20).filter(|record| record.entry == row.0)
    }

    /// Its bytes, and what comes behind.
    pub(super) fn record_bytes(&self, (_, offset): (u32, u32)) -> Option<Vec<u8>> {
        let at = self.header.functions + u64::from(offset);
        let mut bytes = vec![0; self.size.checked_sub(at)?.min(RECORD as u64) as usize];
        self.bytes(at, &mut bytes).ok()?;
        Some(bytes)
    }

    /// The name of a function.
    pub(super) fn name(&self, offset: u32) -> Option<String> {
        self.string(self.header.names + u64::from(offset))
    }

    /// The source file and line of an instruction, counted from the function's beginning.
    pub(super) fn line(&self, record: &Record, pc: u64) -> Option<(String, u32)> {
        let line = u32::try_from(self.value(record.pc_line, pc)?).ok()?;
        let file = u32::try_from(self.value(record.pc_file, pc)?).ok()?;
        let mut offset = [0; 4];
        let unit = self.header.units + 4 * (u64::from(record.unit) + u64::from(file));
        self.bytes(unit, &mut offset).ok()?;
        Some((self.string(self.header.files + u64::from(u32::from_le_bytes(offset)))?, line))
    }

    /// What a table of values says about an instruction, counted from the function's beginning; `None`
    /// also where it says -1.
    pub(super) fn value(&self, table: u32, pc: u64) -> Option<i64> {
        self.walk(table, pc, Ending::At).0
    }

    /// The largest value in a table that ends at `pc`, and how many bytes had to be read.
    pub(super) fn largest(&self, table: u32, pc: u64) -> (Option<i64>, u64) {
        self.walk(table, pc, Ending::Largest)
    }

    fn walk(&self, table: u32, pc: u64, ending: Ending) -> (Option<i64>, u64) {
        let room = self.header.functions - self.header.values;
        let Some(room) = room.checked_sub(u64::from(table)).filter(|_| table != 0) else { return (None, 0) };
        let mut bytes = Vec::new();
        for len in VALUES.map(|len| len.min(room)) {
            bytes.resize(len as usize, 0);
            if self.bytes(self.header.values + u64::from(table), &mut bytes).is_err() {
                break;
            }
            if let Ok(value) = value_at(&bytes, pc, ending) {
                return (value, len);
            }
        }
        (None, bytes.len() as u64)
    }

    /// A string that ends with a zero.
    fn string(&self, at: u64) -> Option<String> {
        let room = self.size.checked_sub(at)?;
        for most in [128, NAME] {
            let mut bytes = vec![0; room.min(most as u64) as usize];
            self.bytes(at, &mut bytes).ok()?;
            if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
                return Some(String::from_utf8_lossy(&bytes[..end]).into_owned());
            }
        }
        None
    }
}

/// A piece of the table that moves forward.
struct Block<'a> {
    table: &'a Table,
    at: u64,
    bytes: Vec<u8>,
}

impl Block<'_> {
    /// Up to [`RECORD`] bytes from there on.
    fn record(&mut self, at: u64) -> Result<&[u8], GoError> {
        let left = self.table.size.saturating_sub(at);
        let len = left.min(RECORD as u64);
        if at < self.at || at + len > self.at + self.bytes.len() as u64 {
            self.at = at;
            self.bytes.resize(left.min(BLOCK as u64) as usize, 0);
            self.table.bytes(at, &mut self.bytes)?;
        }
        let start = (at - self.at) as usize;
        Ok(self.bytes.get(start..start + len as usize).unwrap_or_default())
    }
}

fn read(file: &FileBytes, at: u64, into: &mut [u8], what: &'static str) -> Result<(), GoError> {
    file.read(at, into).map_err(|error| GoError::File { what, error: error.to_string() })
}

fn parse_header(bytes: &[u8], size: u64) -> Option<Header> {
    let words = Words(bytes);
    let magic = words.u32(0)?;
    let header = Header {
        names: words.u64(32)?,
        units: words.u64(40)?,
        files: words.u64(48)?,
        values: words.u64(56)?,
        functions: words.u64(64)?,
        count: words.u64(8)?,
        is_1_20: magic == MAGIC_1_20,
    };
    let places = [HEADER as u64, header.names, header.units, header.files, header.values, header.functions];
    let sound = matches!(magic, MAGIC_1_18 | MAGIC_1_20)
        && words.u32(4)? == 0x0801_0000
        && (1..=MOST).contains(&header.count)
        && places.is_sorted()
        && header.functions.checked_add(8 * header.count + 4)? <= size.min(SIZE);
    sound.then_some(header)
}

/// 44 bytes and two lists; before 1.20 40, without the line where the function starts.
fn parse_record(bytes: &[u8], is_1_20: bool) -> Option<Record> {
    let words = Words(bytes);
    let fixed = if is_1_20 { 44 } else { 40 };
    let values = usize::try_from(words.u32(28)?).ok()?;
    let data = usize::from(words.u8(fixed - 1)?);
    let lists = values.checked_mul(4)?.checked_add(fixed)?;
    let listed = |index: usize, count: usize, at: usize| {
        if index < count { words.u32(at.checked_add(4 * index)?) } else { None }
    };
    Some(Record {
        entry: words.u32(0)?,
        name: words.u32(4)?,
        pc_sp: words.u32(16)?,
        pc_file: words.u32(20)?,
        pc_line: words.u32(24)?,
        unit: words.u32(32)?,
        inline_index: listed(INLINE_INDEX, values, fixed).unwrap_or(0),
        inline_tree: listed(INLINE_TREE, data, lists).filter(|tree| *tree != u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A header, and `rest` behind it.
    fn table(magic: u32, count: u64, places: [u64; 5], rest: &[u8]) -> Result<Table, GoError> {
        let bytes = [header(magic, count, places), rest.to_vec()].concat();
        let size = bytes.len() as u64;
        Table::open(FileBytes::captured(bytes), 0, size)
    }

    fn header(magic: u32, count: u64, places: [u64; 5]) -> Vec<u8> {
        let words = [u64::from(magic) | 0x0801_0000 << 32, count, 0, 0];
        words.iter().chain(&places).flat_map(|word| word.to_le_bytes()).collect()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn older_tables_are_told_from_damaged_ones() {
        let places = [72, 72, 72, 72, 72];
        for magic in OLD_MAGICS {
            assert_eq!(table(magic, 1, places, &[0; 12]).unwrap_err(), GoError::TooOld);
        }
        assert!(table(MAGIC_1_18, 1, places, &[0; 12]).is_ok());
        let damaged = GoError::Corrupt { what: "the function table" };
        assert_eq!(table(0, 1, places, &[0; 12]).unwrap_err(), damaged);
        assert_eq!(table(MAGIC_1_20, 2, places, &[0; 12]).unwrap_err(), damaged, "rows behind its end");
        assert_eq!(table(MAGIC_1_20, 1, [80, 72, 72, 72, 72], &[0; 12]).unwrap_err(), damaged);
        assert_eq!(table(MAGIC_1_20, u64::MAX / 4, places, &[0; 12]).unwrap_err(), damaged);
        assert!(matches!(Table::open(FileBytes::captured(vec![0; 9]), 0, 9), Err(GoError::File { .. })));
    }

    #[test]
    fn functions_are_in_order_and_end() {
        let rows = |all: &[u32]| table(MAGIC_1_20, 2, [72; 5], &words(all)).unwrap().rows();
        let sound = rows(&[16, 100, 32, 200, 64]).unwrap();
        assert_eq!((sound.all, sound.end), (vec![(16, 100), (32, 200)], 64));
        for unsound in [[32, 100, 16, 200, 64], [16, 200, 32, 100, 64], [16, 100, 32, 200, 31]] {
            assert!(rows(&unsound).is_err(), "{unsound:?}");
        }
    }

    #[test]
    fn names_are_found_across_the_blocks_that_are_read() {
        let long = "x".repeat(BLOCK - 10);
        let names = format!("first\0{long}\0last\0\0");
        let end = 72 + names.len() as u64;
        let table =
            table(MAGIC_1_20, 1, [72, end, end, end, end], &[names.as_bytes(), &[0; 12]].concat()).unwrap();
        let mut found = Vec::new();
        table.each_name(|at, name| found.push((at, name.len()))).unwrap();
        assert_eq!(found, [(0, 5), (6, BLOCK - 10), (BLOCK as u32 - 3, 4)]);
        assert_eq!(table.name(BLOCK as u32 - 3).as_deref(), Some("last"));
        assert_eq!(table.name(6), None, "a name of a megabyte");
    }

    proptest! {
        #[test]
        fn hostile_tables_are_read_to_their_end(
            rest in proptest::collection::vec(any::<u8>(), 0..600),
            count in 1_u64..20,
            mut places in any::<[u16; 5]>(),
            is_1_20 in any::<bool>(),
        ) {
            places.sort_unstable();
            let places = places.map(|place| 72 + u64::from(place) % 500);
            let magic = if is_1_20 { MAGIC_1_20 } else { MAGIC_1_18 };
            if let Ok(table) = table(magic, count, places, &rest) {
                let _names = table.each_name(|_, _| {});
                let rows = table.rows().unwrap_or(Rows { all: vec![(0, 0), (1, 40), (1, 90)], end: 2 });
                let _records = table.each_record(&rows, |_, record| {
                    let _seen = (table.line(&record, 3), table.value(record.pc_sp, 3), table.largest(record.inline_index, 9));
                });
                for row in &rows.all {
                    let _record = table.record(*row);
                }
            }
        }
    }
}
