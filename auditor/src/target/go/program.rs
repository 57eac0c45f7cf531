//! A Go program as its file and its table of contents show it.

use std::ops::Range;

use super::build_info::BuildInfo;
use super::functions::{Frame, Functions, Located, Places};
use super::layouts::{Layout, nearest};
use super::module_data::{self, ModuleData};
use super::parts::{self, TablePlace};
use super::relocated::{Relocated, Relocations};
use super::types::{Maps, Types};
use super::{GoError, Release, checks};
use crate::audit::unit::Address;
use crate::target::elf::Elf;
use crate::target::memory::Memory;
use crate::target::module::{FileBytes, Module, Symbol};
use crate::target::symbolise;

/// The first release whose tables are laid out as they are now.
const OLDEST: Release = Release { major: 1, minor: 18 };
/// What `runtime.moduledata` is called in errors.
const CONTENTS: &str = "the table of contents of the program (runtime.moduledata)";

/// A Go program.
#[derive(Debug)]
pub struct Program {
    build: BuildInfo,
    layout: &'static Layout,
    bias: u64,
    functions: Functions,
    modules: Vec<ModuleData>,
    file: FileBytes,
    /// Loaded parts of the file: where in memory, and where in the file.
    loaded: Vec<(Range<u64>, u64)>,
    /// What its loader had not done yet.
    relocations: Option<Relocations>,
    located: Located,
}

/// What has been found out about a program before its functions are read.
struct Found {
    table: TablePlace,
    modules: Vec<ModuleData>,
}

impl Program {
    /// Looks at a mapped file. `None`: it is no Go program.
    pub fn recognise(module: &Module, memory: &dyn Memory) -> Option<Result<Self, GoError>> {
        let elf = module.elf().ok()?;
        if let Some(compiler) = parts::other_compiler(elf) {
            return Some(Err(GoError::OtherCompiler { compiler }));
        }
        let file = module.bytes().ok()?;
        let build = parts::build_info(elf, &file)?;
        Some(build.and_then(|build| Self::open(build, module, elf, file, memory)))
    }

    fn open(
        build: BuildInfo,
        module: &Module,
        elf: &Elf,
        file: FileBytes,
        memory: &dyn Memory,
    ) -> Result<Self, GoError> {
        let release = build.release.ok_or_else(|| GoError::NoRelease { version: build.version.clone() })?;
        if release < OLDEST {
            return Err(GoError::TooOld);
        }
        let layout = nearest(release);
        let bias = module.load_bias().ok_or(GoError::Missing { what: "where the program is loaded" })?;
        let tables = parts::tables(elf, &file);
        let mut relocations = None;
        let found = find(elf, &tables, bias, layout, memory).or_else(|error| {
            let read = (bias != 0).then(|| Relocations::read(elf, &file, bias)).flatten();
            let to_come = relocations.insert(read.ok_or_else(|| error.clone())?);
            find(elf, &tables, bias, layout, &Relocated { memory, relocations: to_come })
                .map_err(|_also| error)
        });
        let Found { table, modules } = found?;
        let main = modules.first().ok_or(GoError::Missing { what: CONTENTS })?;
        let functions = Functions::read(file.clone(), places(&table, main, elf, bias))?;
        checks::file_with_memory(&functions, main, memory)?;
        checks::functions_with_symbols(&functions, elf)?;
        let loaded = elf.segments().iter().map(|segment| {
            let start = segment.address.wrapping_add(bias);
            (start..start.saturating_add(segment.file_size), segment.offset)
        });
        let loaded = loaded.collect();
        let located = Located::default();
        Ok(Self { build, layout, bias, functions, modules, file, loaded, relocations, located })
    }

    /// Finds functions, and which of them are inlined into functions whose names begin so. Once for all
    /// names, for it walks through all functions there are.
    ///
    /// # Errors
    /// [`GoError`] when the tables cannot be read.
    pub fn locate(&mut self, names: &[&str], within: &[&str]) -> Result<(), GoError> {
        self.located = self.functions.locate(names, within)?;
        Ok(())
    }

    /// How it was built.
    #[must_use]
    pub fn build(&self) -> &BuildInfo {
        &self.build
    }

    /// The offsets of its release, or of the nearest one.
    #[must_use]
    pub fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// Whether the offsets are those of its release.
    #[must_use]
    pub fn layout_is_exact(&self) -> bool {
        self.build.release == Some(self.layout.release)
    }

    /// Which maps it has.
    #[must_use]
    pub fn maps(&self) -> Maps {
        if self.layout.swiss.is_some() && !self.build.has_experiment("noswissmap") {
            Maps::Swiss
        } else {
            Maps::Buckets
        }
    }

    /// Its modules: itself first, then plugins.
    #[must_use]
    pub fn modules(&self) -> &[ModuleData] {
        &self.modules
    }

    /// How many functions it has.
    #[must_use]
    pub fn function_count(&self) -> usize {
        self.functions.count()
    }

    /// A function that [`Self::locate`] has found.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<Symbol> {
        let function = self.located.functions.get(name)?;
        let address = function.entry.wrapping_add(self.bias);
        Some(Symbol { address: Address(address), file_offset: self.offset_of(address), size: function.size })
    }

    /// Whether a function that was located is inlined where [`Self::locate`] looked.
    #[must_use]
    pub fn is_inlined(&self, name: &str) -> bool {
        self.located.inlined.contains_key(name)
    }

    /// The functions into which a function that was located is inlined, of those where [`Self::locate`] has
    /// looked; the first ones, where there are many.
    #[must_use]
    pub fn inlined_into(&self, name: &str) -> &[String] {
        self.located.inlined.get(name).map_or(&[], Vec::as_slice)
    }

    /// The frames at an address of code, innermost first, as call stacks name them: with the name of the
    /// source file alone. `None`: it is none of this program's functions.
    #[must_use]
    pub fn frames(&self, at: Address) -> Option<Vec<String>> {
        let frames = self.functions.frames(at.0.wrapping_sub(self.bias));
        let named = frames.into_iter().map(|Frame { function, line }| {
            let line =
                line.map(|(path, line)| (path.rsplit('/').next().unwrap_or_default().to_owned(), line));
            symbolise::frame(&function, line)
        });
        Some(named.collect::<Vec<_>>()).filter(|frames| !frames.is_empty())
    }

    /// The name of the function that holds an address, those inlined there aside.
    #[must_use]
    pub fn function_at(&self, at: Address) -> Option<String> {
        let function = self.functions.at(at.0.wrapping_sub(self.bias))?;
        self.functions.name_of(&function)
    }

    /// Bytes from the stack pointer to the return address, at an instruction.
    #[must_use]
    pub fn frame_size(&self, at: Address) -> Option<u64> {
        self.functions.frame_size(at.0.wrapping_sub(self.bias))
    }

    /// Its types.
    ///
    /// # Errors
    /// [`GoError`] when they cannot be read.
    pub fn types(&self, memory: &dyn Memory) -> Result<Types, GoError> {
        Types::read(&self.modules, self.layout, self.maps(), |at, into| self.read_constant(at, into, memory))
    }

    /// Reads what never changes: from the file, so that no page of the target becomes resident for it; from
    /// memory where the loader has moved addresses in it, or is going to.
    fn read_constant(&self, at: Address, into: &mut [u8], memory: &dyn Memory) -> Result<(), GoError> {
        let what = "the descriptions of types";
        if let Some(offset) = self.offset_of(at.0).filter(|_| self.bias == 0) {
            let read = self.file.read(offset, into);
            return read.map_err(|error| GoError::File { what, error: error.to_string() });
        }
        let read = match &self.relocations {
            None => memory.read(at, into),
            Some(relocations) => Relocated { memory, relocations }.read(at, into),
        };
        read.map_err(|error| GoError::Memory { what, error })
    }

    fn offset_of(&self, address: u64) -> Option<u64> {
        let (range, offset) = self.loaded.iter().find(|(range, _)| range.contains(&address))?;
        offset.checked_add(address - range.start)
    }
}

/// The function table and the modules, of which the first one must point to that table.
fn find(
    elf: &Elf,
    tables: &[TablePlace],
    bias: u64,
    layout: &Layout,
    memory: &dyn Memory,
) -> Result<Found, GoError> {
    let mut failed = GoError::Missing { what: "the function table (.gopclntab)" };
    for table in tables {
        let at = Address(table.address.wrapping_add(bias));
        let modules = first_module(elf, at, bias, layout, memory)
            .and_then(|first| module_data::chain(first, layout, memory));
        match modules {
            Ok(modules) if modules.first().is_some_and(|main| main.functions == at) => {
                return Ok(Found { table: *table, modules });
            }
            Ok(_) => failed = GoError::Corrupt { what: CONTENTS },
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// `runtime.firstmoduledata`, by its symbol, else by a search of the variables.
fn first_module(
    elf: &Elf,
    functions: Address,
    bias: u64,
    layout: &Layout,
    memory: &dyn Memory,
) -> Result<Address, GoError> {
    if let Some(symbol) = elf.symbol("runtime.firstmoduledata") {
        return Ok(Address(symbol.address.wrapping_add(bias)));
    }
    let mut writable = elf.segments().iter().filter(|segment| segment.writable);
    let found = writable.find_map(|segment| {
        let start = segment.address.wrapping_add(bias).checked_next_multiple_of(8)?;
        let end = segment.address.wrapping_add(bias).saturating_add(segment.file_size);
        module_data::search(functions, &(Address(start)..Address(end)), layout, memory)
    });
    found.ok_or(GoError::Missing { what: CONTENTS })
}

fn places(table: &TablePlace, main: &ModuleData, elf: &Elf, bias: u64) -> Places {
    let linked = |address: Address| address.0.wrapping_sub(bias);
    Places {
        table: table.offset,
        size: table.size,
        text: linked(main.text.start),
        function_data: elf.offset_of(linked(main.function_data)),
    }
}
