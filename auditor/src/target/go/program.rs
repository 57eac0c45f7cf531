//! A Go program as its file and its table of contents show it.

use std::collections::BTreeMap;
use std::ops::Range;

use super::build_info::{self, BuildInfo};
use super::functions::{Function, Functions, Places};
use super::layouts::{Layout, nearest};
use super::module_data::{self, ModuleData};
use super::types::{Maps, Types};
use super::{GoError, words::Words};
use crate::audit::unit::Address;
use crate::target::elf::Elf;
use crate::target::memory::Memory;
use crate::target::module::{FileBytes, Module, Symbol};
use crate::target::symbolise;

/// Most bytes of build information that are read.
const BUILD_INFO: u64 = 1 << 20;
/// Most bytes of a program's beginning that are searched for build information, and on what boundary it is.
const SEARCHED: usize = 1 << 20;
const ALIGNED: usize = 16;

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
    located: BTreeMap<String, Function>,
    inlined: Vec<String>,
}

impl Program {
    /// Looks at a mapped file. `None`: it is no Go program.
    pub fn recognise(module: &Module, memory: &dyn Memory) -> Option<Result<Self, GoError>> {
        let elf = module.elf().ok()?;
        if let Some(compiler) = other_compiler(elf) {
            return Some(Err(GoError::OtherCompiler { compiler }));
        }
        let file = module.bytes().ok()?;
        let blob = build_blob(elf, &file)?;
        Some(BuildInfo::parse(&blob).and_then(|build| Self::open(build, module, elf, file, memory)))
    }

    fn open(
        build: BuildInfo,
        module: &Module,
        elf: &Elf,
        file: FileBytes,
        memory: &dyn Memory,
    ) -> Result<Self, GoError> {
        let release = build.release.ok_or_else(|| GoError::NoRelease { version: build.version.clone() })?;
        let layout = nearest(release);
        let bias = module.load_bias().ok_or(GoError::Missing { what: "where the program is loaded" })?;
        let table =
            elf.section("gopclntab").ok_or(GoError::Missing { what: "the function table (.gopclntab)" })?;
        let offset = table.offset.ok_or(GoError::Corrupt { what: "the function table" })?;
        let at = Address(table.address.wrapping_add(bias));
        let first = first_module(module, elf, at, bias, layout, memory)?;
        let modules = module_data::chain(first, layout, memory)?;
        let main = modules.first().ok_or(GoError::Missing { what: "runtime.moduledata" })?;
        if main.functions != at {
            return Err(GoError::Corrupt {
                what: "the table of contents of the program (runtime.moduledata)",
            });
        }
        let linked = |address: Address| address.0.wrapping_sub(bias);
        let places = Places {
            table: offset,
            size: table.size,
            text: linked(main.text.start),
            function_data: elf.offset_of(linked(main.function_data)),
        };
        let functions = Functions::read(file.clone(), places)?;
        let loaded = elf.segments().iter().map(|segment| {
            let start = segment.address.wrapping_add(bias);
            (start..start.saturating_add(segment.file_size), segment.offset)
        });
        let loaded = loaded.collect();
        let (located, inlined) = (BTreeMap::new(), Vec::new());
        Ok(Self { build, layout, bias, functions, modules, file, loaded, located, inlined })
    }

    /// Finds functions, and which of them are inlined into functions whose names begin so. Once for all
    /// names, for it walks through all functions there are.
    ///
    /// # Errors
    /// [`GoError::File`].
    pub fn locate(&mut self, names: &[&str], within: &[&str]) -> Result<(), GoError> {
        self.located = self.functions.named(names)?;
        self.inlined = self.functions.inlined(names, within)?;
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
        let function = self.located.get(name)?;
        let address = function.entry.wrapping_add(self.bias);
        Some(Symbol { address: Address(address), file_offset: self.offset_of(address), size: function.size })
    }

    /// Whether a function that was located is inlined where [`Self::locate`] looked.
    #[must_use]
    pub fn is_inlined(&self, name: &str) -> bool {
        self.inlined.iter().any(|inlined| inlined == name)
    }

    /// The frames at an address of code, innermost first, as call stacks name them. `None`: it is none of
    /// this program's functions.
    #[must_use]
    pub fn frames(&self, at: Address) -> Option<Vec<String>> {
        let frames = self.functions.frames(at.0.wrapping_sub(self.bias));
        let named = frames.into_iter().map(|frame| symbolise::frame(&frame.function, frame.line));
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
    /// memory where the loader has moved addresses in it.
    fn read_constant(&self, at: Address, into: &mut [u8], memory: &dyn Memory) -> Result<(), GoError> {
        let what = "the descriptions of types";
        match self.offset_of(at.0).filter(|_| self.bias == 0) {
            Some(offset) => {
                self.file.read(offset, into).map_err(|error| GoError::File { what, error: error.to_string() })
            }
            None => memory.read(at, into).map_err(|error| GoError::Memory { what, error }),
        }
    }

    fn offset_of(&self, address: u64) -> Option<u64> {
        let (range, offset) = self.loaded.iter().find(|(range, _)| range.contains(&address))?;
        offset.checked_add(address - range.start)
    }
}

/// Compilers whose programs look like Go's own, by what only they put there.
fn other_compiler(elf: &Elf) -> Option<&'static str> {
    if elf.section(".go_export").is_some() || elf.symbol("__go_init_main").is_some() {
        return Some("gccgo");
    }
    elf.symbol("tinygo_getCurrentStackPointer").or(elf.symbol("tinygo_scanCurrentStack")).map(|_| "TinyGo")
}

/// The build information by its section, or by its magic where there are no sections.
fn build_blob(elf: &Elf, file: &FileBytes) -> Option<Vec<u8>> {
    if let Some(section) = elf.section(".go.buildinfo") {
        let mut bytes = vec![0; section.size.min(BUILD_INFO) as usize];
        file.read(section.offset?, &mut bytes).ok()?;
        return Some(bytes);
    }
    let segments = elf.segments().iter().filter(|segment| segment.writable && !segment.executable);
    segments.into_iter().find_map(|segment| {
        let mut bytes = vec![0; segment.file_size.min(SEARCHED as u64) as usize];
        file.read(segment.offset, &mut bytes).ok()?;
        let is_magic = |at: &usize| Words(&bytes).slice(*at, 14) == Some(&build_info::MAGIC[..]);
        let start = (0..bytes.len()).step_by(ALIGNED).find(is_magic)?;
        Some(bytes.split_off(start))
    })
}

/// `runtime.firstmoduledata`, by its symbol, else by a search of the variables.
fn first_module(
    module: &Module,
    elf: &Elf,
    functions: Address,
    bias: u64,
    layout: &Layout,
    memory: &dyn Memory,
) -> Result<Address, GoError> {
    if let Some(symbol) = module.symbol("runtime.firstmoduledata") {
        return Ok(symbol.address);
    }
    let writable = elf.segments().iter().filter(|segment| segment.writable);
    let found = writable.into_iter().find_map(|segment| {
        let start = segment.address.wrapping_add(bias).next_multiple_of(8);
        let end = segment.address.wrapping_add(bias).saturating_add(segment.file_size);
        module_data::search(functions, &(Address(start)..Address(end)), layout, memory)
    });
    found.ok_or(GoError::Missing { what: "the table of contents of the program (runtime.moduledata)" })
}
