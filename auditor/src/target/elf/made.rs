//! ELF files made by hand, for tests: every byte of the file lies where it is loaded, so offsets and addresses
//! are the same numbers.

use object::elf::{
    SHT_DYNSYM, SHT_NOBITS, SHT_NOTE, SHT_PROGBITS, SHT_RELA, SHT_STRTAB, SHT_SYMTAB, STT_FUNC, STT_OBJECT,
};

use super::Kind;
use crate::audit::unit::Address;
use crate::target::maps::{MappedFile, MappedRange};
use crate::target::module::Module;

/// Where the file is loaded.
pub(crate) const BIAS: u64 = 0x7000_0000_0000;
/// Where loaded sections may begin, and where all that is loaded ends.
const LOADED: std::ops::Range<u64> = 0x1000..0x10000;

#[derive(Clone, Debug)]
struct Section {
    name: &'static str,
    kind: u32,
    address: u64,
    bytes: Vec<u8>,
    link: u32,
    entry_size: u64,
}

/// A file in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    sections: Vec<Section>,
    symbols: Table,
    dynamic: Table,
    relocations: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Table {
    entries: Vec<u8>,
    names: Vec<u8>,
}

impl Table {
    fn add(&mut self, name: &str, address: u64, size: u64, kind: Kind, section: u16) {
        if self.entries.is_empty() {
            self.entries.extend([0; 24]);
            self.names.push(0);
        }
        let kind = if kind == Kind::Function { STT_FUNC } else { STT_OBJECT };
        self.entries.extend((self.names.len() as u32).to_le_bytes());
        self.entries.extend([0x10 | kind, 0]);
        self.entries.extend(section.to_le_bytes());
        self.entries.extend(address.to_le_bytes());
        self.entries.extend(size.to_le_bytes());
        self.names.extend(name.bytes().chain([0]));
    }
}

impl Made {
    /// A part of the file that is loaded to `address`, or, with 0, is not.
    pub(crate) fn section(mut self, name: &'static str, address: u64, bytes: &[u8]) -> Self {
        self.add(name, SHT_PROGBITS, address, bytes.to_vec());
        self
    }

    /// A section of notes.
    pub(crate) fn notes(mut self, name: &'static str, bytes: &[u8]) -> Self {
        self.add(name, SHT_NOTE, 0, bytes.to_vec());
        self
    }

    /// Static probes: provider, name, address, address of the semaphore or 0, arguments.
    pub(crate) fn static_probes(self, probes: &[(&str, &str, u64, u64, &str)]) -> Self {
        let note = |&(provider, name, address, semaphore, arguments): &(&str, &str, u64, u64, &str)| {
            let mut description = [address, 0, semaphore].map(u64::to_le_bytes).concat();
            description.extend(format!("{provider}\0{name}\0{arguments}\0").bytes());
            description.resize(description.len().next_multiple_of(4), 0);
            let head = [8, description.len() as u32, 3].map(u32::to_le_bytes).concat();
            [&head, &b"stapsdt\0"[..], &description].concat()
        };
        let notes: Vec<Vec<u8>> = probes.iter().map(note).collect();
        self.notes(".note.stapsdt", &notes.concat())
    }

    /// The same file, as `objcopy --only-keep-debug` leaves it: loaded sections are there in name only.
    pub(crate) fn debug_information_alone(mut self) -> Self {
        let loaded = self.sections.iter_mut().filter(|section| section.address != 0);
        loaded.for_each(|section| section.kind = SHT_NOBITS);
        self
    }

    /// The same file as `strip` leaves it.
    pub(crate) fn stripped(mut self) -> Self {
        self.symbols = Table::default();
        self
    }

    pub(crate) fn function(mut self, name: &str, address: u64, size: u64) -> Self {
        self.symbols.add(name, address, size, Kind::Function, 1);
        self
    }

    pub(crate) fn variable(mut self, name: &str, address: u64, size: u64) -> Self {
        self.symbols.add(name, address, size, Kind::Object, 1);
        self
    }

    /// A function that other files may use.
    pub(crate) fn exported(mut self, name: &str, address: u64, size: u64) -> Self {
        self.dynamic.add(name, address, size, Kind::Function, 1);
        self
    }

    /// A function of another file, whose address the loader writes to `slot`.
    pub(crate) fn imported(mut self, name: &str, slot: u64) -> Self {
        self.dynamic.add(name, 0, 0, Kind::Function, 0);
        let symbol = self.dynamic.entries.len() as u64 / 24 - 1;
        self.relocation(slot, symbol << 32 | 7, 0)
    }

    /// A function of this file, whose address the loader writes to `slot`.
    pub(crate) fn relative(self, slot: u64, address: u64) -> Self {
        self.relocation(slot, 8, address)
    }

    fn relocation(mut self, slot: u64, info: u64, addend: u64) -> Self {
        self.relocations.extend([slot, info, addend].map(u64::to_le_bytes).concat());
        self
    }

    pub(crate) fn build_id(mut self, id: &[u8]) -> Self {
        let mut note = [4, id.len() as u32, 3].map(u32::to_le_bytes).concat();
        note.extend(b"GNU\0");
        note.extend(id);
        self.add(".note.gnu.build-id", SHT_NOTE, 0, note);
        self
    }

    /// Where functions begin, as the table of a section at `address` has it.
    pub(crate) fn starts(self, address: u64, starts: &[u64]) -> Self {
        let mut table =
            [[1, 0x1b, 3, 0x3b], 0_u32.to_le_bytes(), (starts.len() as u32).to_le_bytes()].concat();
        for start in starts {
            table.extend((start.wrapping_sub(address) as i32).to_le_bytes());
            table.extend([0; 4]);
        }
        self.section(".eh_frame_hdr", address, &table)
    }

    fn add(&mut self, name: &'static str, kind: u32, address: u64, bytes: Vec<u8>) {
        self.sections.push(Section { name, kind, address, bytes, link: 0, entry_size: 0 });
    }

    /// The file.
    pub(crate) fn file(mut self) -> Vec<u8> {
        let (symbols, dynamic) = (std::mem::take(&mut self.symbols), std::mem::take(&mut self.dynamic));
        self.add_table(SHT_SYMTAB, symbols);
        let with_dynamic = self.add_table(SHT_DYNSYM, dynamic);
        let relocations = std::mem::take(&mut self.relocations);
        if let (Some(link), false) = (with_dynamic, relocations.is_empty()) {
            let (kind, entry_size) = (SHT_RELA, 24);
            let section =
                Section { name: ".rela.plt", kind, address: 0, bytes: relocations, link, entry_size };
            self.sections.push(section);
        }
        self.write()
    }

    /// The number of the table's section, if it is not empty.
    fn add_table(&mut self, kind: u32, table: Table) -> Option<u32> {
        let names = self.sections.len() as u32 + 1;
        if table.entries.is_empty() {
            return None;
        }
        self.add(".strtab", SHT_STRTAB, 0, table.names);
        let name = if kind == SHT_SYMTAB { ".symtab" } else { ".dynsym" };
        let bytes = table.entries;
        self.sections.push(Section { name, kind, address: 0, bytes, link: names, entry_size: 24 });
        Some(names + 1)
    }

    fn write(mut self) -> Vec<u8> {
        let mut names = vec![0];
        self.add(".shstrtab", SHT_STRTAB, 0, Vec::new());
        let name_at: Vec<u32> = self
            .sections
            .iter()
            .map(|section| {
                let at = names.len() as u32;
                names.extend(section.name.bytes().chain([0]));
                at
            })
            .collect();
        let count = self.sections.len();
        self.sections[count - 1].bytes = names;
        let mut file = vec![0; LOADED.end as usize];
        let mut headers = vec![0; 64];
        for (section, name) in self.sections.iter().zip(name_at) {
            let offset = if section.address == 0 { file.len() as u64 } else { section.address };
            if section.address == 0 {
                file.extend(&section.bytes);
            } else if section.kind != SHT_NOBITS {
                let (start, end) = (offset as usize, offset as usize + section.bytes.len());
                file[start..end].copy_from_slice(&section.bytes);
            }
            headers.extend([name, section.kind].map(u32::to_le_bytes).concat());
            headers.extend(
                [2, section.address, offset, section.bytes.len() as u64].map(u64::to_le_bytes).concat(),
            );
            headers.extend([section.link, 0].map(u32::to_le_bytes).concat());
            headers.extend([1, section.entry_size].map(u64::to_le_bytes).concat());
        }
        write_start(&mut file, count as u16 + 1);
        file.extend(headers);
        file
    }

    /// The file, as it is mapped into a process at [`BIAS`].
    pub(crate) fn mapped(self) -> Module {
        Module::captured(mapped("/usr/bin/made"), self.file())
    }
}

/// A file that is mapped whole at [`BIAS`].
pub(crate) fn mapped(path: &str) -> MappedFile {
    let (start, end) = (Address(BIAS), Address(BIAS + LOADED.end));
    let range = MappedRange { start, end, offset: 0, executable: true };
    MappedFile { path: path.into(), ranges: vec![range], is_main: true, ..MappedFile::default() }
}

/// The file's header, and one for all that is loaded.
fn write_start(file: &mut [u8], sections: u16) {
    let len = file.len() as u64;
    let mut start = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    start.extend([3_u16, 62].map(u16::to_le_bytes).concat());
    start.extend(1_u32.to_le_bytes());
    start.extend([0, 64, len].map(u64::to_le_bytes).concat());
    start.extend(0_u32.to_le_bytes());
    start.extend([64, 56, 1, 64, sections, sections - 1].map(u16::to_le_bytes).concat());
    start.extend([1_u32, 5].map(u32::to_le_bytes).concat());
    start.extend([0, 0, 0, LOADED.end, LOADED.end, 0x1000].map(u64::to_le_bytes).concat());
    file[..start.len()].copy_from_slice(&start);
}
