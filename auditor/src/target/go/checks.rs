//! Whether what was found belongs together: the file that is read is the one that runs, and its two lists
//! of functions say the same. A probe in the wrong place would break the target.

use super::GoError;
use super::functions::Functions;
use super::module_data::ModuleData;
use super::pclntab::HEADER;
use crate::target::elf::Elf;
use crate::target::memory::{Memory, Request};

/// `textStart` in the header: before 1.26 an address, so it is not in the file what it is in memory.
const TEXT_START: std::ops::Range<usize> = 24..32;
/// Bytes of the rows that are compared, at both ends.
const SAMPLE: u64 = 64;
/// Functions of every program that no build leaves out.
const LANDMARKS: [&str; 5] =
    ["main.main", "runtime.main", "runtime.mallocgc", "runtime.gcStart", "runtime.newproc"];

/// Compares the function table of the file with that in memory, at its beginning and at both ends of its
/// rows.
///
/// # Errors
/// [`GoError::Disagree`], or what reading says.
pub(super) fn file_with_memory(
    functions: &Functions,
    main: &ModuleData,
    memory: &dyn Memory,
) -> Result<(), GoError> {
    let table = functions.table();
    let (rows, count) = main.rows;
    let expected = main.functions.plus(table.rows_at());
    let disagree = GoError::Disagree { one: "the program's file", other: "its memory", about: "functions" };
    if expected != Some(rows) || count != functions.count() as u64 + 1 {
        return Err(disagree);
    }
    let len = 8 * functions.count() as u64;
    let sample = len.min(SAMPLE);
    let places = [(0, HEADER as u64), (table.rows_at(), sample), (table.rows_at() + len - sample, sample)];
    let mut in_memory = places.map(|(_, len)| vec![0; len as usize]);
    let requests = places
        .iter()
        .zip(&mut in_memory)
        .map(|((at, _), into)| Request { at: main.functions.plus(*at).unwrap_or(main.functions), into });
    let mut requests: Vec<Request<'_>> = requests.collect();
    for answer in memory.read_many(&mut requests) {
        answer.map_err(|error| GoError::Memory { what: "the function table", error })?;
    }
    let mut in_file = places.map(|(_, len)| vec![0; len as usize]);
    for ((at, _), into) in places.iter().zip(&mut in_file) {
        table.bytes(*at, into)?;
    }
    for header in [&mut in_file[0], &mut in_memory[0]] {
        header.drain(TEXT_START);
    }
    if in_file == in_memory { Ok(()) } else { Err(disagree) }
}

/// Compares the function table with the symbol table, if there is one, by functions that every program has.
///
/// # Errors
/// [`GoError::Disagree`].
pub(super) fn functions_with_symbols(functions: &Functions, elf: &Elf) -> Result<(), GoError> {
    for about in LANDMARKS {
        let Some(symbol) = elf.symbol(about) else { continue };
        let function = functions.at(symbol.address).filter(|function| function.entry == symbol.address);
        let name = function.and_then(|function| functions.name_of(&function));
        if name.as_deref() != Some(about) {
            return Err(GoError::Disagree { one: "the function table", other: "the symbol table", about });
        }
    }
    Ok(())
}
