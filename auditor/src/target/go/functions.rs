//! The functions of a Go program, from the table that its runtime unwinds stacks with (`pclntab`). It is
//! there in stripped programs, too. Read from the file, piece by piece: reading it in memory would make
//! the target's pages resident, and it is 30 MB in a program of 100.
//!
//! Header (`pcHeader`, src/runtime/symtab.go, 1.18 to 1.27): magic u32 at 0, pointer size u8 at 7, number
//! of functions u64 at 8; from 32 on, u64 each, offsets of function names, compilation units, file names,
//! pc tables, and functions. The functions begin with one row each, `{entry u32, offset u32}`, by address.

use std::collections::BTreeMap;

use super::GoError;
use super::inline::{Calls, Ending, value_at};
use super::words::Words;
use crate::target::module::FileBytes;

/// 1.20 and later.
const MAGIC_1_20: u32 = 0xffff_fff1;
/// 1.18 and 1.19.
const MAGIC_1_18: u32 = 0xffff_fff0;
/// Bytes of the header.
const HEADER: usize = 72;
/// Most functions: a program of a gigabyte has some two million.
const MOST: u64 = 1 << 23;
/// Longest name, and longest path of a source file, in bytes.
const NAME: usize = 4096;
/// Bytes of a function's record that are read at once: its fixed part and both its lists.
const RECORD: usize = 256;
/// Bytes that are read at once of what is walked through.
const BLOCK: usize = 1 << 20;
/// `PCDATA_InlTreeIndex` and `FUNCDATA_InlTree` (src/internal/abi/symtab.go).
const INLINE_INDEX: usize = 2;
const INLINE_TREE: usize = 3;
/// Deepest inlining that is followed.
const DEPTH: usize = 64;

/// Where things are in the file.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// The table.
    pub table: u64,
    /// Bytes of it.
    pub size: u64,
    /// `runtime.text` as linked: what entries are counted from.
    pub text: u64,
    /// `moduledata.gofunc`, in the file: what function data are counted from; `None`: not known.
    pub function_data: Option<u64>,
}

/// The functions of a program. Addresses are as linked, without a load bias.
#[derive(Debug)]
pub struct Functions {
    file: FileBytes,
    places: Places,
    header: Header,
    /// Where each function begins, counted from `text`, and where its record is.
    rows: Vec<(u32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    names: u64,
    units: u64,
    files: u64,
    pc_tables: u64,
    functions: u64,
    count: u64,
    is_1_20: bool,
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Where it begins, as linked.
    pub entry: u64,
    /// Bytes up to the next one.
    pub size: u64,
    row: usize,
}

/// One frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function's whole name.
    pub function: String,
    /// Source file and line.
    pub line: Option<(String, u32)>,
}

/// The fixed part of a function's record (`_func`, src/runtime/runtime2.go).
#[derive(Clone, Copy, Debug)]
struct Record {
    name: u32,
    pc_sp: u32,
    pc_file: u32,
    pc_line: u32,
    unit: u32,
    inline_index: u32,
    inline_tree: Option<u32>,
}

impl Functions {
    /// Reads the header and the rows.
    ///
    /// # Errors
    /// [`GoError`] when they cannot be read or are not what they should be.
    pub fn read(file: FileBytes, places: Places) -> Result<Self, GoError> {
        let mut bytes = [0; HEADER];
        read(&file, places.table, &mut bytes, "the function table")?;
        let header =
            parse_header(&bytes, places.size).ok_or(GoError::Corrupt { what: "the function table" })?;
        let mut rows = vec![0; usize::try_from(header.count * 8).unwrap_or(0)];
        read(&file, places.table + header.functions, &mut rows, "the function table")?;
        let rows: Vec<(u32, u32)> =
            rows.chunks_exact(8).filter_map(|row| Some((Words(row).u32(0)?, Words(row).u32(4)?))).collect();
        if !rows.is_sorted_by_key(|row| row.0) {
            return Err(GoError::Corrupt { what: "the order of the function table" });
        }
        Ok(Self { file, places, header, rows })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// The functions of these names, in one walk over all names.
    ///
    /// # Errors
    /// [`GoError::File`].
    pub fn named(&self, wanted: &[&str]) -> Result<BTreeMap<String, Function>, GoError> {
        let names = self.name_offsets(wanted)?;
        let mut found = BTreeMap::new();
        self.each_record(|row, record| {
            if let Some(name) = names.get(&record.name)
                && let Some(function) = self.function(row)
            {
                found.entry((*name).to_owned()).or_insert(function);
            }
        })?;
        Ok(found)
    }

    /// Which of these functions are inlined anywhere in functions whose names begin so.
    ///
    /// # Errors
    /// [`GoError::File`].
    pub fn inlined(&self, wanted: &[&str], within: &[&str]) -> Result<Vec<String>, GoError> {
        let Some(data) = self.places.function_data else { return Ok(Vec::new()) };
        let names = self.name_offsets(wanted)?;
        let mut trees = Vec::new();
        self.each_record(|row, record| trees.extend(record.inline_tree.map(|tree| (row, record, tree))))?;
        let mut found = Vec::new();
        for (row, record, tree) in trees {
            if !self.name(record.name).is_some_and(|name| within.iter().any(|start| name.starts_with(start)))
            {
                continue;
            }
            let Some(function) = self.function(row) else { continue };
            let calls = Calls { file: &self.file, at: data + u64::from(tree), is_1_20: self.header.is_1_20 };
            for index in self.inline_indices(&record, function.size) {
                found.extend(
                    calls.get(index).and_then(|call| names.get(&call.name)).map(|name| (*name).to_owned()),
                );
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The function that holds an address.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<Function> {
        let offset = u32::try_from(address.checked_sub(self.places.text)?).ok()?;
        let row = self.rows.partition_point(|row| row.0 <= offset).checked_sub(1)?;
        self.function(row).filter(|function| address - function.entry < function.size)
    }

    /// The name of a function.
    #[must_use]
    pub fn name_of(&self, function: &Function) -> Option<String> {
        self.name(self.record(function.row)?.name)
    }

    /// The functions at an address, innermost first: those inlined there, then the one that holds it.
    #[must_use]
    pub fn frames(&self, address: u64) -> Vec<Frame> {
        self.frames_of(address).unwrap_or_default()
    }

    /// Bytes from the stack pointer to the return address, at an instruction.
    #[must_use]
    pub fn frame_size(&self, address: u64) -> Option<u64> {
        let function = self.at(address)?;
        let record = self.record(function.row)?;
        u64::try_from(self.value(record.pc_sp, address - function.entry)?).ok()
    }

    fn frames_of(&self, address: u64) -> Option<Vec<Frame>> {
        let function = self.at(address)?;
        let record = self.record(function.row)?;
        let calls = record.inline_tree.zip(self.places.function_data).map(|(tree, data)| Calls {
            file: &self.file,
            at: data + u64::from(tree),
            is_1_20: self.header.is_1_20,
        });
        let mut frames = Vec::new();
        let mut pc = address - function.entry;
        while frames.len() < DEPTH {
            let line = self.line(&record, pc);
            let index = self.value(record.inline_index, pc).and_then(|index| u32::try_from(index).ok());
            let call = calls.as_ref().zip(index).and_then(|(calls, index)| calls.get(index));
            let Some(call) = call else {
                frames.push(Frame { function: self.name(record.name)?, line });
                return Some(frames);
            };
            frames.push(Frame { function: self.name(call.name)?, line });
            pc = u64::from(call.parent_pc);
        }
        Some(frames)
    }

    fn line(&self, record: &Record, pc: u64) -> Option<(String, u32)> {
        let line = u32::try_from(self.value(record.pc_line, pc)?).ok()?;
        let file = u64::try_from(self.value(record.pc_file, pc)?).ok()?;
        let unit = self.places.table + self.header.units + 4 * (u64::from(record.unit) + file);
        let mut offset = [0; 4];
        self.file.read(unit, &mut offset).ok()?;
        let at = self.places.table + self.header.files + u64::from(u32::from_le_bytes(offset));
        Some((self.string(at)?, line))
    }

    /// What a table of values by address says there; `None` also where it says -1.
    fn value(&self, table: u32, pc: u64) -> Option<i64> {
        (table != 0).then(|| self.pc_table(table).and_then(|bytes| value_at(&bytes, pc, Ending::At)))?
    }

    fn inline_indices(&self, record: &Record, size: u64) -> Vec<u32> {
        let Some(bytes) = self.pc_table(record.inline_index) else { return Vec::new() };
        let last = value_at(&bytes, size, Ending::Largest).and_then(|last| u32::try_from(last).ok());
        last.map_or_else(Vec::new, |last| (0..=last.min(1 << 16)).collect())
    }

    /// From the beginning of a table of values on: more than any function needs, or what there is.
    fn pc_table(&self, table: u32) -> Option<Vec<u8>> {
        let end = self.header.functions.checked_sub(self.header.pc_tables)?;
        let len = end.checked_sub(u64::from(table))?.min(1 << 14);
        let mut bytes = vec![0; len as usize];
        self.file.read(self.places.table + self.header.pc_tables + u64::from(table), &mut bytes).ok()?;
        Some(bytes)
    }

    fn function(&self, row: usize) -> Option<Function> {
        let (start, _) = *self.rows.get(row)?;
        let end = self.rows.get(row + 1).map_or(start, |next| next.0);
        Some(Function { entry: self.places.text + u64::from(start), size: u64::from(end - start), row })
    }

    fn record(&self, row: usize) -> Option<Record> {
        let at = self.places.table + self.header.functions + u64::from(self.rows.get(row)?.1);
        let mut bytes = [0; RECORD];
        let len = (self.places.table + self.places.size).checked_sub(at)?.min(RECORD as u64) as usize;
        let bytes = bytes.get_mut(..len)?;
        self.file.read(at, bytes).ok()?;
        parse_record(bytes, self.header.is_1_20)
    }

    /// Every function's record, in their order, read in large pieces.
    fn each_record(&self, mut each: impl FnMut(usize, Record)) -> Result<(), GoError> {
        let start = self.places.table + self.header.functions;
        let end = self.places.table + self.places.size;
        let mut block = Block { file: &self.file, end, at: 0, bytes: Vec::new() };
        for (row, (_, offset)) in self.rows.iter().enumerate() {
            let bytes = block.from(start + u64::from(*offset))?;
            if let Some(record) = parse_record(bytes, self.header.is_1_20) {
                each(row, record);
            }
        }
        Ok(())
    }

    /// Where these names are among the names of functions.
    fn name_offsets<'w>(&self, wanted: &[&'w str]) -> Result<BTreeMap<u32, &'w str>, GoError> {
        let start = self.places.table + self.header.names;
        let len = self.header.units.saturating_sub(self.header.names);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        read(&self.file, start, &mut bytes, "the names of functions")?;
        let mut found = BTreeMap::new();
        let mut at = 0_u32;
        for name in bytes.split(|byte| *byte == 0) {
            if let Some(wanted) = wanted.iter().find(|wanted| wanted.as_bytes() == name) {
                found.insert(at, *wanted);
            }
            at = at.saturating_add(name.len() as u32 + 1);
        }
        Ok(found)
    }

    fn name(&self, offset: u32) -> Option<String> {
        self.string(self.places.table + self.header.names + u64::from(offset))
    }

    /// A string that ends with a zero.
    fn string(&self, at: u64) -> Option<String> {
        let room = (self.places.table + self.places.size).checked_sub(at)?;
        for most in [128, NAME] {
            let mut bytes = vec![0; room.min(most as u64) as usize];
            self.file.read(at, &mut bytes).ok()?;
            if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
                return Some(String::from_utf8_lossy(&bytes[..end]).into_owned());
            }
        }
        None
    }
}

/// A piece of the file that moves forward.
struct Block<'a> {
    file: &'a FileBytes,
    end: u64,
    at: u64,
    bytes: Vec<u8>,
}

impl Block<'_> {
    /// Up to [`RECORD`] bytes from there on.
    fn from(&mut self, at: u64) -> Result<&[u8], GoError> {
        let len = self.end.saturating_sub(at).min(RECORD as u64) as usize;
        let held = at >= self.at && at + len as u64 <= self.at + self.bytes.len() as u64;
        if !held {
            self.at = at;
            self.bytes.resize(self.end.saturating_sub(at).min(BLOCK as u64) as usize, 0);
            read(self.file, at, &mut self.bytes, "the function table")?;
        }
        let start = (at - self.at) as usize;
        Ok(self.bytes.get(start..start + len).unwrap_or_default())
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
        pc_tables: words.u64(56)?,
        functions: words.u64(64)?,
        count: words.u64(8)?,
        is_1_20: magic == MAGIC_1_20,
    };
    let places = [header.names, header.units, header.files, header.pc_tables, header.functions];
    let sound = matches!(magic, MAGIC_1_18 | MAGIC_1_20)
        && words.u8(7)? == 8
        && header.count <= MOST
        && places.is_sorted()
        && header.functions.checked_add(8 * header.count)? <= size;
    sound.then_some(header)
}

/// 44 bytes and two lists; before 1.20 40, without the line where the function starts.
fn parse_record(bytes: &[u8], is_1_20: bool) -> Option<Record> {
    let words = Words(bytes);
    let fixed = if is_1_20 { 44 } else { 40 };
    let values = usize::try_from(words.u32(28)?).ok()?;
    let data = usize::from(words.u8(fixed - 1)?);
    let lists = fixed + values.checked_mul(4)?;
    let listed = |index: usize, count: usize, at: usize| {
        if index < count { words.u32(at + 4 * index) } else { None }
    };
    Some(Record {
        name: words.u32(4)?,
        pc_sp: words.u32(16)?,
        pc_file: words.u32(20)?,
        pc_line: words.u32(24)?,
        unit: words.u32(32)?,
        inline_index: listed(INLINE_INDEX, values, fixed).unwrap_or(0),
        inline_tree: listed(INLINE_TREE, data, lists).filter(|tree| *tree != u32::MAX),
    })
}
