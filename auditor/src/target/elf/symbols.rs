//! The symbols of a file: 24 bytes and a name each, found by name and by address.

use std::borrow::Cow;
use std::hash::{Hash as _, Hasher as _};

use object::elf::{
    SHN_UNDEF, SHT_DYNSYM, SHT_SYMTAB, STB_GLOBAL, STB_WEAK, STT_FUNC, STT_OBJECT, SectionHeader64, Sym64,
};
use object::read::elf::{SectionHeader as _, Sym as _};
use object::{LittleEndian, ReadRef};
use rustc_hash::FxHasher;

use super::forms::{self, Form};
use super::{LE, Sections, TABLE};

/// Most symbols before an address among which the variable is that holds it: variables lie side by side.
const NEAR: usize = 64;

/// A function or variable that a file defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol<'elf> {
    /// Its name, as the linker wrote it.
    pub name: Cow<'elf, str>,
    /// Where it is, before the load bias is added.
    pub address: u64,
    /// Bytes; 0: not said.
    pub size: u64,
    /// Function or variable.
    pub kind: Kind,
    /// 0: visible to other files; 1: so, but weak; 2: local to one source file.
    pub locality: u8,
}

/// What a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Code. Not a `STT_GNU_IFUNC`: its address is that of a function that picks the function.
    Function,
    /// Data.
    Object,
}

/// All symbols of a file.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// By address.
    entries: Vec<Entry>,
    /// Hash of a name without suffixes ([`forms::base`]) and index into `entries`, by hash.
    by_name: Vec<(u32, u32)>,
    /// The file's string tables, one behind the other.
    strings: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    address: u64,
    size: u64,
    name: u32,
    kind: Kind,
    locality: u8,
}

impl Symbols {
    /// Reads `.symtab` and `.dynsym`. A table that cannot be read is as if it were stripped.
    pub(super) fn parse<'data, R: ReadRef<'data>>(sections: &Sections<'data, R>, data: R) -> Self {
        let mut symbols = Self::default();
        for wanted in [SHT_SYMTAB, SHT_DYNSYM] {
            for section in sections.iter().filter(|section| section.sh_type(LE) == wanted) {
                // One of each is what the format allows.
                if symbols.add_table(section, sections, data).is_some() {
                    break;
                }
            }
        }
        symbols.index();
        symbols
    }

    fn add_table<'data, R: ReadRef<'data>>(
        &mut self,
        table: &SectionHeader64<LittleEndian>,
        sections: &Sections<'data, R>,
        data: R,
    ) -> Option<()> {
        let names = sections.section(table.link(LE)).ok()?;
        if table.sh_size(LE) > TABLE || names.sh_size(LE) > TABLE {
            return None;
        }
        let all = table.data_as_array::<Sym64<LittleEndian>, R>(LE, data).ok()?;
        let base = u32::try_from(self.strings.len()).ok()?;
        let names = names.data(LE, data).ok()?;
        self.strings.extend_from_slice(names);
        self.strings.push(0);
        let within = |symbol: &&Sym64<LittleEndian>| (symbol.st_name(LE) as usize) < names.len();
        self.entries.extend(all.iter().filter(within).filter_map(|symbol| entry(symbol, base)));
        Some(())
    }

    /// Sorts, and drops what both tables say.
    fn index(&mut self) {
        let name_of = |entry: &Entry| name_at(&self.strings, entry.name);
        self.entries.sort_by(|one, other| {
            (one.address, one.locality)
                .cmp(&(other.address, other.locality))
                .then_with(|| name_of(one).cmp(name_of(other)))
        });
        self.entries.dedup_by(|one, other| {
            one.address == other.address && one.kind == other.kind && name_of(one) == name_of(other)
        });
        let hashed = |(index, entry): (usize, &Entry)| (hash(base(name_of(entry))), index as u32);
        self.by_name = self.entries.iter().enumerate().map(hashed).collect();
        self.by_name.sort_unstable();
    }

    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = Symbol<'_>> {
        let name = name.to_owned();
        self.of_base(&name).filter(move |symbol| symbol.name == name)
    }

    /// Those that a compiler made of a function or variable of that name.
    pub(super) fn like(&self, name: &str) -> impl Iterator<Item = (Form, Symbol<'_>)> {
        let name = name.to_owned();
        self.of_base(&name).filter_map(move |symbol| Some((forms::form(&symbol.name, &name)?, symbol)))
    }

    /// Those whose name begins alike, and maybe some others.
    fn of_base(&self, name: &str) -> impl Iterator<Item = Symbol<'_>> + use<'_> {
        let wanted = hash(base(name.as_bytes()));
        let first = self.by_name.partition_point(|&(hash, _)| hash < wanted);
        let same_hash = self.by_name[first..].iter().take_while(move |&&(hash, _)| hash == wanted);
        same_hash.map(|&(_, index)| self.symbol(&self.entries[index as usize]))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.entries.iter().map(|entry| self.symbol(entry))
    }

    pub(super) fn function_at(&self, address: u64) -> Option<Symbol<'_>> {
        let behind = self.entries.partition_point(|entry| entry.address <= address);
        let nearest = self.entries[..behind].iter().rev().find(|entry| entry.kind == Kind::Function)?;
        let holds = nearest.size == 0 || address - nearest.address < nearest.size;
        holds.then(|| self.symbol(nearest))
    }

    /// The variable that holds an address.
    pub(super) fn object_at(&self, address: u64) -> Option<Symbol<'_>> {
        let behind = self.entries.partition_point(|entry| entry.address <= address);
        let mut near =
            self.entries[..behind].iter().rev().take(NEAR).filter(|entry| entry.kind == Kind::Object);
        let holds = |entry: &&Entry| address - entry.address < entry.size.max(1);
        near.find(holds).map(|entry| self.symbol(entry))
    }

    /// Those that begin at an address, the most visible first.
    pub(super) fn starting_at(&self, address: u64) -> impl Iterator<Item = Symbol<'_>> {
        let first = self.entries.partition_point(|entry| entry.address < address);
        let here = self.entries[first..].iter().take_while(move |entry| entry.address == address);
        here.map(|entry| self.symbol(entry))
    }

    fn symbol(&self, entry: &Entry) -> Symbol<'_> {
        let Entry { address, size, name, kind, locality } = *entry;
        Symbol { name: String::from_utf8_lossy(name_at(&self.strings, name)), address, size, kind, locality }
    }
}

fn entry(symbol: &Sym64<LittleEndian>, base: u32) -> Option<Entry> {
    let kind = match symbol.st_type() {
        STT_FUNC => Kind::Function,
        STT_OBJECT => Kind::Object,
        _ => return None,
    };
    let locality = match symbol.st_bind() {
        STB_GLOBAL => 0,
        STB_WEAK => 1,
        _ => 2,
    };
    let (address, size) = (symbol.st_value(LE), symbol.st_size(LE));
    let defined = symbol.st_shndx(LE) != SHN_UNDEF && address != 0 && symbol.st_name(LE) != 0;
    defined.then_some(Entry { address, size, name: base.checked_add(symbol.st_name(LE))?, kind, locality })
}

pub(super) fn name_at(strings: &[u8], at: u32) -> &[u8] {
    let tail = strings.get(at as usize..).unwrap_or_default();
    let end = tail.iter().position(|&byte| byte == 0).unwrap_or(tail.len());
    &tail[..end]
}

/// [`forms::base`] of bytes; what is no text has no suffixes.
fn base(name: &[u8]) -> &[u8] {
    std::str::from_utf8(name).map_or(name, |name| forms::base(name).as_bytes())
}

/// 32 bits are enough: equal hashes are told apart by the name itself.
fn hash(name: &[u8]) -> u32 {
    let mut hasher = FxHasher::default();
    name.hash(&mut hasher);
    (hasher.finish() >> 32) as u32
}
