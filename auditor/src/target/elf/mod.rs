//! What is in an ELF file: where its bytes go in memory, what is called how, its build id, its
//! static probes. Pure: sees bytes through [`ReadRef`], reads only the tables it needs, and is
//! bounded whatever the file says of itself.

mod forms;
mod linkage;
#[cfg(test)]
pub(crate) mod made;
mod operands;
mod symbols;
mod unwind;
mod usdt;

use object::elf::{
    EM_X86_64, FileHeader64, NT_GNU_BUILD_ID, PF_W, PF_X, PT_INTERP, PT_LOAD, SHT_NOBITS, SHT_NOTE,
    SHT_SYMTAB,
};
use object::read::elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _, SectionTable};
use object::{LittleEndian, ReadRef};

pub(super) use forms::is_cold;
pub use forms::{Form, certain_words, demangled, form};
pub use linkage::{Linkage, Slot};
pub use operands::{Argument, Place};
use symbols::Symbols;
pub use symbols::{Kind, Symbol};
pub use usdt::Usdt;

/// Byte order of every file that is accepted.
const LE: LittleEndian = LittleEndian;
/// Most program headers or sections of a file that is not a mistake or an attack.
const HEADERS: usize = 1 << 17;
/// Most bytes of one symbol or string table: 22 million symbols.
const TABLE: u64 = 512 << 20;
/// Most bytes of one note section.
const NOTES: u64 = 8 << 20;
/// Most bytes of a build id: twice a SHA-256.
const BUILD_ID: usize = 64;
/// Most sections that are remembered by name: a linked program has some forty.
const NAMED: usize = 1024;

type Header = FileHeader64<LittleEndian>;
type Sections<'data, R> = SectionTable<'data, Header, R>;

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// Not an ELF file of 64-bit little-endian.
    #[error("not a 64-bit ELF file")]
    NotElf,
    /// For another machine.
    #[error("ELF file for machine {machine}, not for x86-64")]
    OtherMachine {
        /// `e_machine`.
        machine: u16,
    },
    /// Its headers lead nowhere.
    #[error("broken ELF file: {what}")]
    Broken {
        /// Which header.
        what: &'static str,
    },
}

/// A part of the file that is loaded into memory (`PT_LOAD`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins in the file.
    pub offset: u64,
    /// Bytes of the file that are loaded.
    pub file_size: u64,
    /// Where it goes, before the load bias is added.
    pub address: u64,
    /// Bytes in memory; those beyond `file_size` are zero.
    pub memory_size: u64,
    /// Whether it is code.
    pub executable: bool,
    /// Whether it may be written.
    pub writable: bool,
}

/// A named part of the file, as its section headers tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is called.
    pub name: String,
    /// Where it goes, before the load bias is added; 0: it is not loaded.
    pub address: u64,
    /// Where it is in the file; `None`: it begins as zeros.
    pub offset: Option<u64>,
    /// Bytes.
    pub size: u64,
}

impl Segment {
    /// Whether the file has a byte for that address.
    fn holds(&self, address: u64) -> bool {
        address.checked_sub(self.address).is_some_and(|within| within < self.file_size)
    }
}

/// An x86-64 ELF file.
#[derive(Debug)]
pub struct Elf {
    segments: Vec<Segment>,
    sections: Vec<Section>,
    symbols: Symbols,
    build_id: Option<String>,
    probes: Vec<Usdt>,
    has_interpreter: bool,
    is_stripped: bool,
}

impl Elf {
    /// Understands a file. What its section headers hide (all of them may be stripped) is missing,
    /// not an error.
    ///
    /// # Errors
    /// [`ElfError`].
    pub fn parse<'data, R: ReadRef<'data>>(data: R) -> Result<Self, ElfError> {
        let header = Header::parse(data).map_err(|_not_elf| ElfError::NotElf)?;
        if !header.is_little_endian() {
            return Err(ElfError::NotElf);
        }
        let machine = header.e_machine(LE);
        if machine != EM_X86_64 {
            return Err(ElfError::OtherMachine { machine });
        }
        let (segments, has_interpreter) = segments(header, data)?;
        let sections = sections(header, data).unwrap_or_default();
        let mut probes = usdt::parse(&sections, data);
        probes.retain(|probe| {
            segments.iter().any(|segment| segment.executable && segment.holds(probe.address))
        });
        Ok(Self {
            segments,
            sections: named(&sections),
            symbols: Symbols::parse(&sections, data),
            build_id: build_id(&sections, data),
            probes,
            has_interpreter,
            is_stripped: !sections.iter().any(|section| section.sh_type(LE) == SHT_SYMTAB),
        })
    }

    /// Parts that are loaded, as the file lists them.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The first section whose name ends so.
    #[must_use]
    pub fn section(&self, ending: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name.ends_with(ending))
    }

    /// The first section of that name.
    #[must_use]
    pub fn section_named(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The GNU build id in hex.
    #[must_use]
    pub fn build_id(&self) -> Option<&str> {
        self.build_id.as_deref()
    }

    /// The static probes (`.note.stapsdt`), as the file lists them.
    #[must_use]
    pub fn probes(&self) -> &[Usdt] {
        &self.probes
    }

    /// Whether it names a dynamic loader, as programs do (and few libraries).
    #[must_use]
    pub fn has_interpreter(&self) -> bool {
        self.has_interpreter
    }

    /// The function or variable of that name. Where there are several, the most visible one, then
    /// the one at the lowest address.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<Symbol<'_>> {
        self.symbols.named(name).min_by_key(|symbol| (symbol.locality, symbol.address))
    }

    /// Whether it names only what other files may use, if that: it has no `.symtab`.
    #[must_use]
    pub fn is_stripped(&self) -> bool {
        self.is_stripped
    }

    /// What a compiler made of a function or variable of that name, by address: `resize`, `resize.isra.0`.
    pub fn symbols_like(&self, name: &str) -> impl Iterator<Item = (Form, Symbol<'_>)> {
        self.symbols.like(name)
    }

    /// The variable that holds an address of the file.
    #[must_use]
    pub fn object_at(&self, address: u64) -> Option<Symbol<'_>> {
        self.symbols.object_at(address)
    }

    /// What begins at an address of the file, the most visible first.
    pub fn symbols_at(&self, address: u64) -> impl Iterator<Item = Symbol<'_>> {
        self.symbols.starting_at(address)
    }

    /// Every function or variable of that name: local ones may share it.
    pub fn symbols_named(&self, name: &str) -> impl Iterator<Item = Symbol<'_>> {
        self.symbols.named(name)
    }

    /// All functions and variables that the file defines, by address.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.symbols.iter()
    }

    /// The function that holds an address of the file, or the nearest one before it where that one's
    /// size is not known.
    #[must_use]
    pub fn function_at(&self, address: u64) -> Option<Symbol<'_>> {
        self.symbols.function_at(address)
    }

    /// Where in the file the byte is that is loaded to `address`; `None` for memory that begins as
    /// zeros.
    #[must_use]
    pub fn offset_of(&self, address: u64) -> Option<u64> {
        let segment = self.segments.iter().find(|segment| segment.holds(address))?;
        segment.offset.checked_add(address - segment.address)
    }

    /// Where the byte at `offset` of the file is loaded to.
    #[must_use]
    pub fn address_of(&self, offset: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let within = offset.checked_sub(segment.offset)?;
            (within < segment.file_size).then(|| segment.address.checked_add(within))?
        })
    }
}

fn segments<'data, R: ReadRef<'data>>(header: &Header, data: R) -> Result<(Vec<Segment>, bool), ElfError> {
    let broken = |what| ElfError::Broken { what };
    let count = header.phnum(LE, data).map_err(|_unreadable| broken("program header count"))?;
    if count > HEADERS {
        return Err(broken("too many program headers"));
    }
    let all = header.program_headers(LE, data).map_err(|_unreadable| broken("program headers"))?;
    let loads = all.iter().filter(|header| header.p_type(LE) == PT_LOAD).map(|header| Segment {
        offset: header.p_offset(LE),
        file_size: header.p_filesz(LE),
        address: header.p_vaddr(LE),
        memory_size: header.p_memsz(LE),
        executable: header.p_flags(LE) & PF_X != 0,
        writable: header.p_flags(LE) & PF_W != 0,
    });
    Ok((loads.collect(), all.iter().any(|header| header.p_type(LE) == PT_INTERP)))
}

fn sections<'data, R: ReadRef<'data>>(header: &'data Header, data: R) -> Option<Sections<'data, R>> {
    let count = header.shnum(LE, data).ok()?;
    (count <= HEADERS).then(|| header.sections(LE, data).ok())?
}

fn named<'data, R: ReadRef<'data>>(sections: &Sections<'data, R>) -> Vec<Section> {
    let sections = sections.enumerate().take(NAMED).filter_map(|(_, section)| {
        let name = sections.section_name(LE, section).ok()?;
        Some(Section {
            name: String::from_utf8_lossy(name).into_owned(),
            address: section.sh_addr(LE),
            offset: (section.sh_type(LE) != SHT_NOBITS).then(|| section.sh_offset(LE)),
            size: section.sh_size(LE),
        })
    });
    sections.collect()
}

fn build_id<'data, R: ReadRef<'data>>(sections: &Sections<'data, R>, data: R) -> Option<String> {
    let notes = sections.iter().filter(|section| section.sh_size(LE) <= NOTES);
    let mut notes = notes.filter(|section| section.sh_type(LE) == SHT_NOTE);
    notes.find_map(|section| {
        let mut notes = section.notes(LE, data).ok()??;
        while let Ok(Some(note)) = notes.next() {
            if note.name() == b"GNU" && note.n_type(LE) == NT_GNU_BUILD_ID && note.desc().len() <= BUILD_ID {
                return Some(note.desc().iter().map(|byte| format!("{byte:02x}")).collect());
            }
        }
        None
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    /// The C library: small, real, with thousands of dynamic symbols.
    pub(crate) static LIBC: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let files = crate::target::maps::open_files(
            std::path::Path::new(crate::target::proc::ROOT),
            crate::audit::unit::Pid(std::process::id()),
        );
        let libc = files.unwrap().into_iter().find(|file| file.path.to_string_lossy().contains("libc.so"));
        std::fs::read(libc.unwrap().path).unwrap()
    });

    #[test]
    fn the_c_library_has_its_symbols_and_build_id() {
        let elf = Elf::parse(&LIBC[..]).unwrap();
        let malloc = elf.symbol("malloc").unwrap();
        assert_eq!(malloc.kind, Kind::Function);
        assert!(malloc.size > 16);
        assert_eq!(elf.function_at(malloc.address + 3).unwrap().address, malloc.address);
        assert_eq!(elf.symbol("environ").unwrap().kind, Kind::Object);
        assert!(elf.symbol("no such function").is_none());
        assert!(elf.build_id().unwrap().len() >= 32);
        assert!(elf.has_interpreter());
        assert!(elf.symbols().count() > 1000);
    }

    #[test]
    fn addresses_and_offsets_are_each_others_inverse() {
        let elf = Elf::parse(&LIBC[..]).unwrap();
        let text = elf.symbol("malloc").unwrap().address;
        assert_eq!(elf.address_of(elf.offset_of(text).unwrap()), Some(text));
        assert_eq!(elf.offset_of(u64::MAX), None);
        let zeros = elf.segments().iter().find(|segment| segment.memory_size > segment.file_size).unwrap();
        assert_eq!(elf.offset_of(zeros.address + zeros.file_size), None);
    }

    #[test]
    fn other_files_are_refused_by_name() {
        assert_eq!(Elf::parse(&b"#!/bin/sh\n"[..]).unwrap_err(), ElfError::NotElf);
        let mut arm = LIBC[..64 * 1024].to_vec();
        arm[18] = 183;
        assert_eq!(Elf::parse(&arm[..]).unwrap_err(), ElfError::OtherMachine { machine: 183 });
        let mut small = LIBC.clone();
        small[4] = 1;
        assert_eq!(Elf::parse(&small[..]).unwrap_err(), ElfError::NotElf);
    }

    #[test]
    fn a_file_without_its_sections_is_usable_but_nameless() {
        let mut cut = LIBC[..64 * 1024].to_vec();
        cut[0x28..0x30].fill(0);
        cut[0x3c..0x40].fill(0);
        let elf = Elf::parse(&cut[..]).unwrap();
        assert!(!elf.segments().is_empty() && elf.symbol("malloc").is_none());
    }

    /// The first kilobytes of a small program, its section headers and string tables: what decides
    /// where a parser goes.
    static SMALL: LazyLock<Vec<u8>> = LazyLock::new(|| std::fs::read("/bin/true").unwrap());

    fn mutated() -> impl Strategy<Value = Vec<u8>> {
        let len = SMALL.len();
        let tables = len - len.min(4096);
        let place = prop_oneof![0..64_usize, 0..1024_usize, tables..len, 0..len];
        let bytes = prop_oneof![Just(0_u8), Just(0xff), Just(0x7f), any::<u8>()];
        let changes = proptest::collection::vec((place, bytes), 1..24);
        (changes, 0..=len, any::<bool>()).prop_map(move |(changes, end, cut)| {
            let mut file = SMALL.clone();
            for (place, byte) in changes {
                file[place] = byte;
            }
            file.truncate(if cut { end } else { len });
            file
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn no_mutation_of_a_file_makes_parsing_panic(file in mutated()) {
            if let Ok(elf) = Elf::parse(&file[..]) {
                for segment in elf.segments().to_vec() {
                    let _offset = elf.offset_of(segment.address.wrapping_add(1));
                    let _function = elf.function_at(segment.address);
                }
                prop_assert!(elf.symbols().all(|symbol| symbol.name.len() <= file.len()));
            }
        }
    }
}
