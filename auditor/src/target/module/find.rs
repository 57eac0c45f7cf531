//! Functions, variables and static probes of a mapped file, by what is known of their names: the whole of it, the
//! name in the source, what it means, or only an address. What the file does not name, its lender may
//! ([`super::super::donor`]).

use super::{Module, Symbol};
use crate::audit::unit::Address;
use crate::target::elf::{self, Elf, Form, Kind};
use crate::target::elf::{Argument, Symbol as ElfSymbol, demangled};

/// Most copies of one function that are looked at.
const COPIES: usize = 256;
/// Most bytes of names that are demangled in one search: those of the largest C++ programs.
const DEMANGLED: usize = 1 << 30;

/// A function or variable, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// As the linker has it.
    pub name: String,
    /// What it is of what was asked for.
    pub form: Form,
    /// Where it is.
    pub symbol: Symbol,
}

impl Named {
    /// Its name as the source has it.
    #[must_use]
    pub fn shown(&self) -> String {
        demangled(&self.name)
    }
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// By address, each once.
    pub found: Vec<Named>,
    /// Whether that is all there is.
    pub is_complete: bool,
}

/// A static probe in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticProbe {
    /// Its instruction.
    pub address: Address,
    /// Where that is in the file.
    pub file_offset: u64,
    /// Who listens is counted there, if anywhere.
    pub semaphore: Semaphore,
    /// What it tells, in its order; `None`: in a way that is not understood (floating point).
    pub arguments: Vec<Option<Argument>>,
}

/// A u16 that says how many listen to a static probe: the program leaves it out while that is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semaphore {
    /// It is never left out.
    None,
    /// At this offset of the file, for the kernel to count there.
    At(u64),
    /// Not in the file, where the kernel cannot count: the probe may never be reached.
    Nowhere,
}

impl Module {
    /// The functions that a compiler made of the one that the source calls `name`: the function itself and its
    /// copies (`.lto_priv`, `.isra`, `.constprop`, `.llvm`), whole functions first; a piece (`.part`) only
    /// where there is nothing else, for the rest calls it; never what is hardly ever run (`.cold`). Several of
    /// them are all to be probed: which one is called depends on the caller. Functions of one name in
    /// several source files are told apart by nothing.
    #[must_use]
    pub fn functions_like(&self, name: &str) -> Vec<Named> {
        let of_kind = |(_, symbol): &(Form, ElfSymbol<'_>)| symbol.kind == Kind::Function;
        let mut found: Vec<Named> = Vec::new();
        for table in self.tables() {
            let like = table.symbols_like(name).filter(of_kind).take(COPIES);
            found.extend(like.filter_map(|(form, symbol)| self.named(form, &symbol)));
        }
        found.sort_by_key(|named| (named.form, named.symbol.address));
        found.dedup_by_key(|named| named.symbol.address);
        let has_whole = found.iter().any(|named| named.form != Form::Part);
        found.retain(|named| !has_whole || named.form != Form::Part);
        found
    }

    /// The functions whose name as the source has it, types and all ([`demangled`]), is `wanted`; at most `most`.
    #[must_use]
    pub fn functions_where(&self, most: usize, wanted: &dyn Fn(&str) -> bool) -> Matches {
        let mut matches = Matches { found: Vec::new(), is_complete: true };
        let mut left = DEMANGLED;
        for table in self.tables() {
            for symbol in table.symbols().filter(|symbol| symbol.kind == Kind::Function) {
                if elf::is_cold(&symbol.name) {
                    continue;
                }
                let meaning = demangled(&symbol.name);
                let Some(rest) = left.checked_sub(meaning.len()) else {
                    matches.is_complete = false;
                    break;
                };
                left = rest;
                if wanted(&meaning) {
                    matches.found.extend(self.named(Form::Whole, &symbol));
                }
            }
        }
        matches.found.sort_by_key(|named| named.symbol.address);
        matches.found.dedup_by_key(|named| named.symbol.address);
        matches.is_complete &= matches.found.len() <= most;
        matches.found.truncate(most);
        matches
    }

    /// The variable that the source calls so, the most visible one where there are several.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<Named> {
        self.tables().find_map(|table| {
            let like = table.symbols_like(name).filter(|(_, symbol)| symbol.kind == Kind::Object);
            let (form, symbol) =
                like.min_by_key(|(form, symbol)| (*form, symbol.locality, symbol.address))?;
            self.named(form, &symbol)
        })
    }

    /// The variable that holds an address of the process, and how far within it the address is.
    #[must_use]
    pub fn object_at(&self, address: Address) -> Option<(String, u64)> {
        let at = address.0.wrapping_sub(self.load_bias()?);
        let symbol = self.tables().find_map(|table| table.object_at(at))?;
        Some((symbol.name.into_owned(), at - symbol.address))
    }

    /// The places of a static probe: a probe in an inlined function has several.
    #[must_use]
    pub fn static_probes(&self, provider: &str, name: &str) -> Vec<StaticProbe> {
        let Ok(elf) = self.elf() else { return Vec::new() };
        let Some(bias) = self.load_bias() else { return Vec::new() };
        let wanted = elf.probes().iter().filter(|probe| probe.provider == provider && probe.name == name);
        let placed = wanted.filter_map(|probe| {
            let semaphore = probe.semaphore.map_or(Semaphore::None, |semaphore| {
                elf.offset_of(semaphore).map_or(Semaphore::Nowhere, Semaphore::At)
            });
            Some(StaticProbe {
                address: Address(probe.address.wrapping_add(bias)),
                file_offset: elf.offset_of(probe.address)?,
                semaphore,
                arguments: Argument::parse_all(&probe.arguments),
            })
        });
        placed.collect()
    }

    /// The tables of names: the file's own, then that of its lender.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Elf> {
        self.elf().ok().into_iter().chain(self.lender().map(|lender| lender.elf()))
    }

    /// A symbol of one of the tables, as it is in the process. The bytes are always those of the file itself: one
    /// with debug information alone has none.
    pub(super) fn named(&self, form: Form, symbol: &ElfSymbol<'_>) -> Option<Named> {
        let placed = self.place(self.elf().ok()?, symbol)?;
        Some(Named { name: symbol.name.clone().into_owned(), form, symbol: placed })
    }
}
