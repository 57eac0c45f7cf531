//! Functions, variables and static probes of a mapped file, by what is known of their names: the whole of it, the
//! name in the source, what it means, or only an address. What the file does not name, its lender may
//! ([`super::super::donor`]).

use super::{Module, Symbol};
use crate::audit::unit::Address;
use crate::target::elf::{self, Elf, Form, Kind};
use crate::target::elf::{Argument, Symbol as ElfSymbol, demangled};

/// Most copies of one function that are looked at.
const COPIES: usize = 256;
/// Most variables that are listed.
const OBJECTS: usize = 1 << 17;
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
    /// Only names that have all of `words` in them before they are demangled are asked about
    /// ([`certain_words`](elf::certain_words)): without any, a browser or a JavaScript engine takes seconds.
    #[must_use]
    pub fn functions_where(&self, most: usize, words: &[&str], wanted: &dyn Fn(&str) -> bool) -> Matches {
        let mut matches = Matches { found: Vec::new(), is_complete: true };
        let mut left = DEMANGLED;
        for table in self.tables() {
            for symbol in table.symbols().filter(|symbol| symbol.kind == Kind::Function) {
                if elf::is_cold(&symbol.name) || !words.iter().all(|word| symbol.name.contains(word)) {
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

    /// All variables with a name and a size, by address: the address, the size, the name.
    #[must_use]
    pub fn objects(&self) -> Vec<(Address, u64, String)> {
        let Some(bias) = self.load_bias() else { return Vec::new() };
        let objects = self.tables().flat_map(Elf::symbols);
        let objects = objects.filter(|symbol| symbol.kind == Kind::Object && symbol.size > 0);
        let mut objects: Vec<(Address, u64, String)> = objects
            .take(OBJECTS)
            .map(|symbol| (Address(symbol.address.wrapping_add(bias)), symbol.size, symbol.name.into_owned()))
            .collect();
        objects.sort();
        objects
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::elf::made::{BIAS, Made};

    fn names(found: &[Named]) -> Vec<&str> {
        found.iter().map(|named| named.name.as_str()).collect()
    }

    fn file() -> Made {
        Made::default()
            .section(".text", 0x1000, &[0x90; 0x800])
            .function("resize.isra.0", 0x1000, 16)
            .function("resize.lto_priv.1", 0x1010, 16)
            .function("resize.cold", 0x1020, 16)
            .function("resize.part.0", 0x1030, 16)
            .function("resized", 0x1040, 16)
            .function("grow.part.0", 0x1050, 16)
            .function("shrink.cold", 0x1060, 16)
            .exported("grow_all", 0x1070, 16)
            .variable("dictType", 0x1100, 0x40)
            .variable("server", 0x1140, 0x100)
    }

    #[test]
    fn all_copies_of_a_function_are_found_and_its_pieces_only_where_there_is_nothing_else() {
        let module = file().mapped();
        let found = module.functions_like("resize");
        assert_eq!(names(&found), ["resize.isra.0", "resize.lto_priv.1"]);
        assert_eq!(found[0].symbol.address, Address(BIAS + 0x1000));
        assert_eq!((found[0].symbol.file_offset, found[0].symbol.size), (Some(0x1000), 16));
        assert_eq!(names(&module.functions_like("resize.isra.0")), ["resize.isra.0"]);
        assert_eq!(names(&module.functions_like("grow")), ["grow.part.0"]);
        assert_eq!(names(&module.functions_like("grow_all")), ["grow_all"]);
        assert!(module.functions_like("shrink").is_empty() && module.functions_like("dictType").is_empty());
        let whole = file().function("resize", 0x1200, 16).mapped();
        assert_eq!(names(&whole.functions_like("resize"))[0], "resize");
    }

    #[test]
    fn a_function_is_found_by_what_its_name_means_and_the_rest_is_said_to_be_left_out() {
        let of = |t: &str| format!("_RNvMs_NtCs1_9hashbrown3rawINtB4_8RawTable{t}E14reserve_rehash");
        let module = Made::default()
            .section(".text", 0x1000, &[0x90; 0x800])
            .function(&of("m"), 0x1000, 16)
            .function(&format!("{}.llvm.77", of("y")), 0x1010, 16)
            .function(&format!("{}.cold", of("x")), 0x1020, 16)
            .function("_ZN7unusual8RawTableEv", 0x1030, 16)
            .mapped();
        let wanted = |name: &str| name.contains("RawTable<") && name.contains("reserve_rehash");
        let all = module.functions_where(10, &[], &wanted);
        let shown: Vec<String> = all.found.iter().map(Named::shown).collect();
        assert_eq!(shown.len(), 2, "{shown:?}");
        assert!(shown[0].contains("RawTable<u32>") && shown[1].contains("RawTable<u64>"), "{shown:?}");
        assert!(all.is_complete);
        let one = module.functions_where(1, &["reserve_rehash"], &wanted);
        assert!(one.found.len() == 1 && !one.is_complete);
        assert!(module.functions_where(10, &["reserve_nothing"], &wanted).found.is_empty());
    }

    #[test]
    fn variables_are_found_by_name_and_by_any_address_within() {
        let module = file().mapped();
        let server = module.object("server").unwrap();
        assert_eq!((server.symbol.address, server.symbol.size), (Address(BIAS + 0x1140), 0x100));
        assert!(module.object("resize").is_none());
        let at = |address| module.object_at(Address(BIAS + address));
        assert_eq!(at(0x1100), Some(("dictType".to_owned(), 0)));
        assert_eq!(at(0x113f), Some(("dictType".to_owned(), 0x3f)));
        assert_eq!(at(0x1140), Some(("server".to_owned(), 0)));
        assert_eq!(at(0x1240), None);
        assert_eq!(at(0x1000), None);
    }

    #[test]
    fn a_static_probe_tells_its_place_its_arguments_and_where_listeners_are_counted() {
        let probe = |name, semaphore| ("db", name, 0x1004, semaphore, "-4@%esi 8@$7");
        let probes = [probe("grow", 0x1200), probe("shrink", 0), probe("far", 0x99999)];
        let module = Made::default().section(".text", 0x1000, &[0x90; 0x800]).static_probes(&probes).mapped();
        let one = |name| module.static_probes("db", name).pop();
        let grow = one("grow").unwrap();
        assert_eq!((grow.address, grow.file_offset), (Address(BIAS + 0x1004), 0x1004));
        assert_eq!(grow.semaphore, Semaphore::At(0x1200));
        assert_eq!(grow.arguments.len(), 2);
        assert!(grow.arguments.iter().all(Option::is_some));
        assert_eq!(one("shrink").unwrap().semaphore, Semaphore::None);
        assert_eq!(one("far").unwrap().semaphore, Semaphore::Nowhere);
        assert_eq!(one("other"), None);
    }
}
