//! What leads from a call to the function that is called, where that is not simply its address: the
//! slots that the dynamic loader fills, and where functions begin that have no name.

use std::ops::Range;

use object::elf::{
    R_X86_64_64, R_X86_64_GLOB_DAT, R_X86_64_IRELATIVE, R_X86_64_JUMP_SLOT, R_X86_64_RELATIVE, Rela64,
    SHT_DYNSYM, SHT_NOBITS, SHT_RELA, SectionHeader64, Sym64,
};
use object::read::elf::{FileHeader as _, SectionHeader as _, Sym as _};
use object::{LittleEndian, ReadRef};
use rustc_hash::FxHashMap;

use super::symbols::name_at;
use super::{Header, LE, Sections, TABLE, sections, unwind};

/// Most bytes of the loader's slots: a million of them.
const SLOTS: u64 = 8 << 20;
/// Most bytes of the table of functions: eight million of them.
const STARTS: u64 = 64 << 20;

/// What a slot of the loader's leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A function of that name, in whichever file has it.
    Named(String),
    /// A function of this file, by its address as linked.
    Here(u64),
}

/// How the functions of a file are reached.
#[derive(Debug, Default)]
pub struct Linkage {
    slots: FxHashMap<u64, Slot>,
    starts: Vec<u64>,
}

impl Linkage {
    /// Reads the relocations of the loader's slots and the table of functions; what cannot be read is missing.
    #[must_use]
    pub fn parse<'data, R: ReadRef<'data>>(data: R) -> Self {
        let sections = Header::parse(data).ok().and_then(|header| sections(header, data));
        let Some(sections) = sections else { return Self::default() };
        let mut linkage = Self { slots: FxHashMap::default(), starts: starts(&sections, data) };
        linkage.add_contents(&sections, data);
        let slots: Vec<_> = slot_sections(&sections).map(range_of).collect();
        for section in sections.iter().filter(|section| section.sh_type(LE) == SHT_RELA) {
            linkage.add_relocations(section, &slots, &sections, data);
        }
        linkage
    }

    /// What is reached through the slot at `address`, as linked.
    #[must_use]
    pub fn slot(&self, address: u64) -> Option<&Slot> {
        self.slots.get(&address)
    }

    /// Whether the file says where its functions begin.
    #[must_use]
    pub fn knows_starts(&self) -> bool {
        !self.starts.is_empty()
    }

    /// Whether a function, or the cold part of one, begins at that address.
    #[must_use]
    pub fn starts_at(&self, address: u64) -> bool {
        self.starts.binary_search(&address).is_ok()
    }

    /// Where the function begins that holds the address, and where the next one does.
    #[must_use]
    pub fn around(&self, address: u64) -> Option<(u64, u64)> {
        let behind = self.starts.partition_point(|&start| start <= address);
        Some((*self.starts.get(behind.checked_sub(1)?)?, *self.starts.get(behind)?))
    }

    /// Slots that no relocation with an address names have it in place: in programs that are not
    /// position-independent, and with relative relocations that are packed.
    fn add_contents<'data, R: ReadRef<'data>>(&mut self, sections: &Sections<'data, R>, data: R) {
        let holds = |section: &&SectionHeader64<LittleEndian>| {
            section.sh_type(LE) != SHT_NOBITS && section.sh_size(LE) <= SLOTS
        };
        for section in slot_sections(sections).filter(holds) {
            let bytes = section.data(LE, data).unwrap_or_default();
            for (word, at) in bytes.chunks_exact(8).zip((section.sh_addr(LE)..).step_by(8)) {
                let address = u64::from_le_bytes(word.first_chunk().copied().unwrap_or_default());
                if address != 0 {
                    self.slots.insert(at, Slot::Here(address));
                }
            }
        }
    }

    fn add_relocations<'data, R: ReadRef<'data>>(
        &mut self,
        table: &SectionHeader64<LittleEndian>,
        slots: &[Range<u64>],
        sections: &Sections<'data, R>,
        data: R,
    ) -> Option<()> {
        if table.sh_size(LE) > TABLE {
            return None;
        }
        let all = table.data_as_array::<Rela64<LittleEndian>, R>(LE, data).ok()?;
        let names = Names::of(table, sections, data);
        for relocation in all {
            let at = relocation.r_offset.get(LE);
            if !slots.iter().any(|slots| slots.contains(&at)) {
                continue;
            }
            let leads_to = match relocation.r_type(LE, false) {
                R_X86_64_JUMP_SLOT | R_X86_64_GLOB_DAT | R_X86_64_64 => {
                    names.as_ref().and_then(|names| names.slot(relocation.r_sym(LE, false)))
                }
                R_X86_64_RELATIVE | R_X86_64_IRELATIVE => {
                    Some(Slot::Here(relocation.r_addend.get(LE) as u64))
                }
                _ => None,
            };
            // What the file has in the slot is where lazy binding begins: no function.
            match leads_to {
                Some(slot) => self.slots.insert(at, slot),
                None => self.slots.remove(&at),
            };
        }
        Some(())
    }
}

/// The symbols that relocations speak of.
#[derive(Debug)]
struct Names<'data> {
    symbols: &'data [Sym64<LittleEndian>],
    strings: &'data [u8],
}

impl<'data> Names<'data> {
    fn of<R: ReadRef<'data>>(
        table: &SectionHeader64<LittleEndian>,
        sections: &Sections<'data, R>,
        data: R,
    ) -> Option<Self> {
        let symbols = sections.section(table.link(LE)).ok()?;
        let strings = sections.section(symbols.link(LE)).ok()?;
        let is_read = symbols.sh_type(LE) == SHT_DYNSYM;
        (is_read && symbols.sh_size(LE) <= TABLE && strings.sh_size(LE) <= TABLE).then_some(())?;
        Some(Self { symbols: symbols.data_as_array(LE, data).ok()?, strings: strings.data(LE, data).ok()? })
    }

    fn slot(&self, symbol: u32) -> Option<Slot> {
        let name = name_at(self.strings, self.symbols.get(symbol as usize)?.st_name(LE));
        (!name.is_empty()).then(|| Slot::Named(String::from_utf8_lossy(name).into_owned()))
    }
}

fn range_of(section: &SectionHeader64<LittleEndian>) -> Range<u64> {
    section.sh_addr(LE)..section.sh_addr(LE).saturating_add(section.sh_size(LE))
}

/// `.got` and `.got.plt`.
fn slot_sections<'data, R: ReadRef<'data>>(
    sections: &Sections<'data, R>,
) -> impl Iterator<Item = &'data SectionHeader64<LittleEndian>> {
    let named = |name: &'static [u8]| sections.section_by_name(LE, name).map(|(_, section)| section);
    [named(b".got"), named(b".got.plt")].into_iter().flatten()
}

fn starts<'data, R: ReadRef<'data>>(sections: &Sections<'data, R>, data: R) -> Vec<u64> {
    let section = sections.section_by_name(LE, b".eh_frame_hdr").map(|(_, section)| section);
    let section =
        section.filter(|section| section.sh_size(LE) <= STARTS && section.sh_type(LE) != SHT_NOBITS);
    section.map_or_else(Vec::new, |section| {
        unwind::starts(section.data(LE, data).unwrap_or_default(), section.sh_addr(LE))
    })
}
