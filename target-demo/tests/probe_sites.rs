//! What a prober finds in the built program, read from its bytes: exported symbols that begin with a
//! 1-byte nop, and USDT notes that point at the same nops.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};

const EVENTS: [&str; 4] = ["allocate", "evacuate", "free", "grow"];
const NOP: u8 = 0x90;

/// An ELF64 little-endian file, as far as this test needs it.
struct Elf {
    bytes: Vec<u8>,
}

struct Section {
    kind: u32,
    address: u64,
    offset: usize,
    size: usize,
    link: usize,
    name: usize,
}

struct Note {
    event: String,
    arguments: String,
    site: u64,
    base: u64,
    semaphore: u64,
}

fn number<const BYTES: usize>(bytes: &[u8], at: usize) -> Result<u64> {
    let field = bytes.get(at..at + BYTES).context("the file ends in the middle of a field")?;
    Ok(field.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
}

fn text(bytes: &[u8], at: usize) -> Result<&str> {
    let rest = bytes.get(at..).context("a string begins behind the end")?;
    let end = rest.iter().position(|&byte| byte == 0).context("a string without an end")?;
    Ok(std::str::from_utf8(&rest[..end])?)
}

impl Elf {
    fn of_the_program() -> Result<Self> {
        let bytes = std::fs::read(env!("CARGO_BIN_EXE_target-demo"))?;
        ensure!(bytes.starts_with(b"\x7fELF\x02\x01"), "not an ELF64 little-endian file");
        Ok(Self { bytes })
    }

    fn section(&self, index: usize) -> Result<Section> {
        let at = number::<8>(&self.bytes, 0x28)? as usize + index * 64;
        Ok(Section {
            name: number::<4>(&self.bytes, at)? as usize,
            kind: number::<4>(&self.bytes, at + 4)? as u32,
            address: number::<8>(&self.bytes, at + 16)?,
            offset: number::<8>(&self.bytes, at + 24)? as usize,
            size: number::<8>(&self.bytes, at + 32)? as usize,
            link: number::<4>(&self.bytes, at + 40)? as usize,
        })
    }

    fn sections(&self) -> Result<Vec<Section>> {
        (0..number::<2>(&self.bytes, 0x3c)? as usize).map(|index| self.section(index)).collect()
    }

    fn named(&self, name: &str) -> Result<Section> {
        let names = self.section(number::<2>(&self.bytes, 0x3e)? as usize)?.offset;
        let mut sections = self.sections()?.into_iter();
        let found =
            sections.find(|section| text(&self.bytes, names + section.name).is_ok_and(|found| found == name));
        found.with_context(|| format!("no section {name}"))
    }

    fn content(&self, section: &Section) -> &[u8] {
        &self.bytes[section.offset..section.offset + section.size]
    }

    /// The bytes at a virtual address.
    fn at(&self, address: u64) -> Result<&[u8]> {
        const NO_BITS: u32 = 8;
        let holds = |section: &Section| {
            section.kind != NO_BITS
                && (section.address..section.address + section.size as u64).contains(&address)
        };
        let section = self.sections()?.into_iter().find(holds).context("an address outside all sections")?;
        Ok(&self.content(&section)[(address - section.address) as usize..])
    }

    /// The symbols of the demo map in `.symtab` or `.dynsym`: name and address.
    fn symbols(&self, table: &str) -> Result<BTreeMap<String, u64>> {
        let table = self.named(table)?;
        let names = self.section(table.link)?.offset;
        let mut symbols = BTreeMap::new();
        for symbol in self.content(&table).chunks_exact(24) {
            let name = text(&self.bytes, names + number::<4>(symbol, 0)? as usize)?;
            if name.starts_with("demo_map_") {
                symbols.insert(name.to_owned(), number::<8>(symbol, 8)?);
            }
        }
        Ok(symbols)
    }

    fn notes(&self) -> Result<Vec<Note>> {
        let section = self.named(".note.stapsdt")?;
        let mut rest = self.content(&section);
        let mut notes = Vec::new();
        while !rest.is_empty() {
            let (owner, content) = (number::<4>(rest, 0)? as usize, number::<4>(rest, 4)? as usize);
            ensure!(number::<4>(rest, 8)? == 3 && text(rest, 12)? == "stapsdt", "a note of another kind");
            let begin = 12 + owner.next_multiple_of(4);
            notes.push(Self::note(&rest[begin..begin + content])?);
            rest = &rest[begin + content.next_multiple_of(4)..];
        }
        Ok(notes)
    }

    fn note(content: &[u8]) -> Result<Note> {
        let provider = text(content, 24)?;
        ensure!(provider == "demo_map", "a probe of {provider}");
        let event = text(content, 24 + provider.len() + 1)?;
        let arguments = text(content, 24 + provider.len() + 1 + event.len() + 1)?;
        Ok(Note {
            event: event.to_owned(),
            arguments: arguments.to_owned(),
            site: number::<8>(content, 0)?,
            base: number::<8>(content, 8)?,
            semaphore: number::<8>(content, 16)?,
        })
    }
}

#[test]
fn every_symbol_is_exported_and_begins_with_a_one_byte_nop() -> Result<()> {
    let elf = Elf::of_the_program()?;
    let exported = elf.symbols(".dynsym")?;
    let static_ones = elf.symbols(".symtab")?;
    for event in EVENTS {
        let name = format!("demo_map_{event}");
        let address = *exported.get(&name).with_context(|| format!("{name} is not exported"))?;
        assert_eq!(static_ones.get(&name), Some(&address));
        assert_eq!(elf.at(address)?.first(), Some(&NOP), "{name}");
    }
    assert!(exported.contains_key("demo_map_registry"));
    Ok(())
}

#[test]
fn the_registry_can_be_recognised_in_the_file() -> Result<()> {
    let elf = Elf::of_the_program()?;
    let registry = elf.at(elf.symbols(".dynsym")?["demo_map_registry"])?;
    assert_eq!(&registry[..8], b"REGISTRY");
    assert_eq!((number::<4>(registry, 8)?, number::<4>(registry, 12)?), (1, 128));
    Ok(())
}

#[test]
fn there_is_one_note_an_event_and_it_points_at_the_nop_of_the_symbol() -> Result<()> {
    let elf = Elf::of_the_program()?;
    let symbols = elf.symbols(".dynsym")?;
    let base = elf.named(".stapsdt.base")?.address;
    let mut notes = elf.notes()?;
    notes.sort_by(|one, other| one.event.cmp(&other.event));
    assert_eq!(notes.iter().map(|note| note.event.as_str()).collect::<Vec<_>>(), EVENTS);
    for note in notes {
        assert_eq!(note.site, symbols[&format!("demo_map_{}", note.event)], "{}", note.event);
        assert_eq!((note.base, note.semaphore), (base, 0), "{}", note.event);
    }
    Ok(())
}

#[test]
fn the_notes_name_the_registers_and_sizes_of_the_arguments() -> Result<()> {
    let notes = Elf::of_the_program()?.notes()?;
    let arguments: BTreeMap<_, _> =
        notes.iter().map(|note| (note.event.as_str(), note.arguments.as_str())).collect();
    assert_eq!(arguments["allocate"], "8@%rdi 8@%rsi 4@%edx 4@%ecx");
    assert_eq!(arguments["grow"], "8@%rdi 4@%esi 4@%edx 4@%ecx");
    assert_eq!(arguments["evacuate"], "8@%rdi 8@%rsi");
    assert_eq!(arguments["free"], "8@%rdi 8@%rsi 8@%rdx 4@%ecx");
    Ok(())
}
