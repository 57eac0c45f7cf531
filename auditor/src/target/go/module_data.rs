//! Where a program's parts are in memory: `runtime.moduledata` (src/runtime/symtab.go), the linker's table
//! of contents, one for the program and one for each plugin.

use std::ops::Range;

use super::GoError;
use super::layouts::Layout;
use super::words::Words;
use crate::audit::unit::Address;
use crate::target::memory::Memory;

/// Most modules that are followed.
const MODULES: usize = 256;
/// User addresses end here (`TASK_SIZE_MAX`, arch/x86/include/asm/page_64_types.h).
const ADDRESSES: u64 = 1 << 47;

/// Where one module's parts are in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleData {
    /// The table of contents itself.
    pub at: Address,
    /// The function table.
    pub functions: Address,
    /// Code.
    pub text: Range<Address>,
    /// Variables that begin with a value and may hold pointers.
    pub data: Range<Address>,
    /// Variables that begin as zeros and may hold pointers.
    pub bss: Range<Address>,
    /// Variables that begin with a value and hold no pointers to the heap.
    pub pointer_free_data: Range<Address>,
    /// Variables that begin as zeros and hold no pointers to the heap.
    pub pointer_free_bss: Range<Address>,
    /// Descriptions of types.
    pub types: Range<Address>,
    /// What function data are counted from.
    pub function_data: Address,
    /// The rows of the function table, and how many words of eight bytes they have, their end included.
    pub(super) rows: (Address, u64),
    next: Address,
}

impl ModuleData {
    /// Understands one table of contents; `None` where it makes no sense.
    #[must_use]
    pub fn parse(at: Address, bytes: &[u8], layout: &Layout) -> Option<Self> {
        let words = Words(bytes);
        let of = &layout.module;
        let range = |start, end| {
            let (start, end) = (words.u64(start)?, words.u64(end)?);
            (start <= end && end < ADDRESSES).then_some(Address(start)..Address(end))
        };
        let slice_is_full = words.u64(of.function_table + 8)? == words.u64(of.function_table + 16)?;
        let text = range(of.text, of.end_of_text)?;
        let (first, last) = (words.u64(of.min_pc)?, words.u64(of.max_pc)?);
        let sound = slice_is_full && text.start.0 <= first && first < last && last <= text.end.0;
        Some(Self {
            at,
            functions: Address(words.u64(0)?),
            data: range(of.data, of.end_of_data)?,
            bss: range(of.zeroed, of.end_of_zeroed)?,
            pointer_free_data: range(of.pointer_free_data, of.end_of_pointer_free_data)?,
            pointer_free_bss: range(of.pointer_free_zeroed, of.end_of_pointer_free_zeroed)?,
            types: range(of.types, of.end_of_types).filter(|types| !types.is_empty())?,
            function_data: Address(words.u64(of.function_data)?),
            rows: (Address(words.u64(of.function_table)?), words.u64(of.function_table + 8)?),
            next: Address(words.u64(of.next)?),
            text,
        })
        .filter(|_| sound)
    }
}

/// The program's own module and those it has loaded, in the runtime's order.
///
/// # Errors
/// [`GoError`] when one of them makes no sense or cannot be read.
pub fn chain(first: Address, layout: &Layout, memory: &dyn Memory) -> Result<Vec<ModuleData>, GoError> {
    let what = "the table of contents of the program (runtime.moduledata)";
    let mut modules: Vec<ModuleData> = Vec::new();
    let mut at = first;
    while at != Address(0) && modules.len() < MODULES && modules.iter().all(|module| module.at != at) {
        let mut bytes = vec![0; layout.module.size];
        memory.read(at, &mut bytes).map_err(|error| GoError::Memory { what, error })?;
        let module = ModuleData::parse(at, &bytes, layout).ok_or(GoError::Corrupt { what })?;
        at = module.next;
        modules.push(module);
    }
    Ok(modules)
}

/// Searches variables of a stripped program for the table of contents: its first word points to the
/// function table.
#[must_use]
pub fn search(
    functions: Address,
    variables: &Range<Address>,
    layout: &Layout,
    memory: &dyn Memory,
) -> Option<Address> {
    /// Bytes that are read at once, and how many times.
    const BLOCK: u64 = 1 << 20;
    const BLOCKS: usize = 1 << 12;
    let starts = (variables.start.0..variables.end.0).step_by(BLOCK as usize);
    let mut block = vec![0; BLOCK as usize];
    for start in starts.take(BLOCKS) {
        let len = (variables.end.0 - start).min(BLOCK) as usize;
        let Some(bytes) = block.get_mut(..len) else { break };
        if memory.read(Address(start), bytes).is_ok() {
            let places = bytes.chunks_exact(8).zip((start..).step_by(8));
            let hits = places.filter(|(word, _)| **word == functions.0.to_le_bytes());
            let found = hits.map(|(_, at)| Address(at)).find(|at| is_module(*at, layout, memory));
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

fn is_module(at: Address, layout: &Layout, memory: &dyn Memory) -> bool {
    let mut bytes = vec![0; layout.module.size];
    memory.read(at, &mut bytes).is_ok() && ModuleData::parse(at, &bytes, layout).is_some()
}
