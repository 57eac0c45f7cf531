//! The functions of a Go program: where they are, what they are called, which of them are inlined where,
//! and what a call stack through them means.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::GoError;
use super::frame_map::Described;
use super::inline::Calls;
use super::pclntab::{Record, Rows, Table};
use crate::target::module::FileBytes;

/// Deepest inlining that is followed.
const DEPTH: usize = 64;
/// Most names that are remembered while functions are looked for.
const NAMES: usize = 1 << 20;
/// Most functions that are remembered as having another one inlined.
const HOSTS: usize = 64;
/// Most bytes of inlined calls that are looked through. Those of the runtime have one or two million.
const INLINED: u64 = 64 << 20;

/// Where things are in the file.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// The function table.
    pub table: u64,
    /// Bytes of it, or up to the end of what it is in.
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
    text: u64,
    function_data: Option<u64>,
    table: Table,
    rows: Rows,
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

/// What was asked for by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// Functions that have a body of their own.
    pub functions: BTreeMap<String, Function>,
    /// Functions that are inlined, and into which: at most 64 each.
    pub inlined: BTreeMap<String, Vec<String>>,
}

impl Functions {
    /// Reads the header and the rows.
    ///
    /// # Errors
    /// [`GoError`] when they cannot be read or are not what they should be.
    pub fn read(file: FileBytes, places: Places) -> Result<Self, GoError> {
        let table = Table::open(file.clone(), places.table, places.size)?;
        let rows = table.rows()?;
        let Places { text, function_data, .. } = places;
        Ok(Self { file, text, function_data, table, rows })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.all.len()
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// The functions of these names, and which functions whose names begin as `within` says have them
    /// inlined. One walk over all names and one over all functions, for there is no index. Of two functions
    /// of one name (a wrapper and what it wraps) the first one counts.
    ///
    /// # Errors
    /// [`GoError`] when the tables cannot be read.
    pub fn locate(&self, wanted: &[&str], within: &[&str]) -> Result<Located, GoError> {
        let by_name: FxHashMap<&[u8], &str> = wanted.iter().map(|name| (name.as_bytes(), *name)).collect();
        let (mut names, mut hosts) = (FxHashMap::default(), FxHashSet::default());
        self.table.each_name(|offset, name| {
            if names.len() + hosts.len() > NAMES {
                return;
            }
            if let Some(wanted) = by_name.get(name) {
                names.insert(offset, *wanted);
            }
            if within.iter().any(|start| name.starts_with(start.as_bytes())) {
                hosts.insert(offset);
            }
        })?;
        if names.len() + hosts.len() > NAMES {
            return Err(GoError::Corrupt { what: "the names of functions" });
        }
        let (mut located, mut with_calls) = (Located::default(), Vec::new());
        self.table.each_record(&self.rows, |row, record| {
            if let (Some(name), Some(function)) = (names.get(&record.name), self.function(row)) {
                located.functions.entry((*name).to_owned()).or_insert(function);
            }
            if record.inline_tree.is_some() && hosts.contains(&record.name) {
                with_calls.push((row, record));
            }
        })?;
        let mut left = INLINED;
        for (row, record) in with_calls {
            let read = self.add_inlined(row, &record, &names, &mut located.inlined);
            let too_much = GoError::Corrupt { what: "the list of inlined calls" };
            left = left.checked_sub(read).ok_or(too_much)?;
        }
        Ok(located)
    }

    /// The function that holds an address.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<Function> {
        let offset = u32::try_from(address.checked_sub(self.text)?).ok()?;
        let row = self.rows.all.partition_point(|row| row.0 <= offset).checked_sub(1)?;
        self.function(row).filter(|function| address - function.entry < function.size)
    }

    /// The name of a function.
    #[must_use]
    pub fn name_of(&self, function: &Function) -> Option<String> {
        self.table.name(self.record(function)?.name)
    }

    /// The functions at an address, innermost first: those inlined there, then the one that holds it. The
    /// address is that of an instruction, so for a caller it is just before the return address.
    #[must_use]
    pub fn frames(&self, address: u64) -> Vec<Frame> {
        self.frames_of(address).unwrap_or_default()
    }

    /// Bytes from the stack pointer to the return address, at an instruction.
    #[must_use]
    pub fn frame_size(&self, address: u64) -> Option<u64> {
        let function = self.at(address)?;
        let record = self.record(&function)?;
        u64::try_from(self.table.value(record.pc_sp, address - function.entry)?).ok()
    }

    fn frames_of(&self, address: u64) -> Option<Vec<Frame>> {
        let function = self.at(address)?;
        let record = self.record(&function)?;
        let calls = self.calls(&record);
        let mut frames = Vec::new();
        let mut pc = address - function.entry;
        while frames.len() < DEPTH {
            let line = self.table.line(&record, pc);
            let index = self.table.value(record.inline_index, pc);
            let index = index.and_then(|index| u32::try_from(index).ok());
            let call = calls.as_ref().zip(index).and_then(|(calls, index)| calls.get(index));
            let Some(call) = call else {
                frames.push(Frame { function: self.table.name(record.name)?, line });
                return Some(frames);
            };
            frames.push(Frame { function: self.table.name(call.name)?, line });
            pc = u64::from(call.parent_pc);
        }
        Some(frames)
    }

    /// Adds what of `names` is inlined into one function, and says how many bytes that took.
    fn add_inlined(
        &self,
        row: usize,
        record: &Record,
        names: &FxHashMap<u32, &str>,
        inlined: &mut BTreeMap<String, Vec<String>>,
    ) -> u64 {
        let Some((calls, function)) = self.calls(record).zip(self.function(row)) else { return 0 };
        let (last, read) = self.table.largest(record.inline_index, function.size);
        let Some(last) = last.and_then(|last| u32::try_from(last).ok()) else { return read };
        let calls = calls.first(last.saturating_add(1));
        for name in calls.iter().filter_map(|call| names.get(&call.name)) {
            let hosts = inlined.entry((*name).to_owned()).or_default();
            let host = self.table.name(record.name);
            hosts.extend(host.filter(|host| hosts.len() < HOSTS && !hosts.contains(host)));
        }
        read + size_of_val(calls.as_slice()) as u64
    }

    fn calls(&self, record: &Record) -> Option<Calls<'_>> {
        let at = self.function_data?.checked_add(u64::from(record.inline_tree?))?;
        Some(Calls { file: &self.file, at, is_1_20: self.table.is_1_20() })
    }

    /// What a function's frames are described with.
    pub(super) fn described(&self, function: &Function) -> Option<Described<'_>> {
        let record = self.table.record_bytes(*self.rows.all.get(function.row)?)?;
        let (data, is_1_20) = (self.function_data?, self.table.is_1_20());
        Some(Described { file: &self.file, record, data, is_1_20 })
    }

    fn record(&self, function: &Function) -> Option<Record> {
        self.table.record(*self.rows.all.get(function.row)?)
    }

    fn function(&self, row: usize) -> Option<Function> {
        let (start, _) = *self.rows.all.get(row)?;
        let end = self.rows.all.get(row + 1).map_or(self.rows.end, |next| next.0);
        let entry = self.text.checked_add(u64::from(start))?;
        Some(Function { entry, size: u64::from(end.checked_sub(start)?), row })
    }
}
