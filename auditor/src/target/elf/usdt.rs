//! Static probes: places that the authors of a program marked for tools like this one.
//!
//! ```text
//! .note.stapsdt   note "stapsdt", type 3
//!   0  u64  address of the probe's instruction, as linked
//!   8  u64  address of .stapsdt.base, as linked: prelink may have moved both by the same distance
//!  16  u64  address of a u16 that counts who listens, 0: none
//!  24       provider \0 name \0 arguments \0
//! ```
//! <https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation>

use object::ReadRef;
use object::elf::SHT_NOTE;
use object::read::elf::SectionHeader as _;

use super::{LE, NOTES, Sections};

/// Type of a probe's note.
const STAPSDT: u32 = 3;
/// Most probes of one file.
const PROBES: usize = 1 << 16;

/// A static probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usdt {
    /// Who offers it.
    pub provider: String,
    /// What happened.
    pub name: String,
    /// Where the arguments are, such as `8@%rdi -4@$1`.
    pub arguments: String,
    /// The instruction, before the load bias is added.
    pub address: u64,
    /// Address of the u16 that must not be 0 for the probe to be reached.
    pub semaphore: Option<u64>,
}

/// Every probe of a file, as it lists them. A probe whose code the linker threw away is still
/// listed, with an address outside of all code.
pub(super) fn parse<'data, R: ReadRef<'data>>(sections: &Sections<'data, R>, data: R) -> Vec<Usdt> {
    let base = sections.section_by_name(LE, b".stapsdt.base").map(|(_, section)| section.sh_addr(LE));
    let mut probes = Vec::new();
    let Some((_, section)) = sections.section_by_name(LE, b".note.stapsdt") else { return probes };
    if section.sh_type(LE) != SHT_NOTE || section.sh_size(LE) > NOTES {
        return probes;
    }
    let Ok(Some(mut notes)) = section.notes(LE, data) else { return probes };
    while let Ok(Some(note)) = notes.next() {
        if note.name() == b"stapsdt" && note.n_type(LE) == STAPSDT {
            probes.extend(parse_note(note.desc(), base));
        }
        if probes.len() == PROBES {
            break;
        }
    }
    probes
}

fn parse_note(description: &[u8], base: Option<u64>) -> Option<Usdt> {
    let (numbers, texts) = description.split_at_checked(24)?;
    let number = |at: usize| Some(u64::from_le_bytes(numbers.get(at..at + 8)?.try_into().ok()?));
    let mut texts = texts.split(|&byte| byte == 0).map(|text| String::from_utf8_lossy(text).into_owned());
    let linked_base = number(8)?;
    // By how much the file was moved after it was linked; 0 where it does not say.
    let moved = base.filter(|_| linked_base != 0).map_or(0, |base| base.wrapping_sub(linked_base));
    let place = |address: u64| address.wrapping_add(moved);
    Some(Usdt {
        address: place(number(0)?),
        semaphore: Some(number(16)?).filter(|&semaphore| semaphore != 0).map(place),
        provider: texts.next()?,
        name: texts.next()?,
        arguments: texts.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::elf::Elf;

    fn note(address: u64, base: u64, semaphore: u64) -> Vec<u8> {
        let mut bytes = [address, base, semaphore].map(u64::to_le_bytes).concat();
        bytes.extend(b"demo_map\0grow\08@%rdi -4@$1\0");
        bytes
    }

    #[test]
    fn a_probe_of_a_file_that_was_moved_moves_with_it() {
        let probe = parse_note(&note(0x1000, 0x5000, 0x9000), Some(0x5100)).unwrap();
        assert_eq!((probe.address, probe.semaphore), (0x1100, Some(0x9100)));
        assert_eq!((&*probe.provider, &*probe.name, &*probe.arguments), ("demo_map", "grow", "8@%rdi -4@$1"));
        let probe = parse_note(&note(0x1000, 0x5000, 0), None).unwrap();
        assert_eq!((probe.address, probe.semaphore), (0x1000, None));
    }

    #[test]
    fn a_note_that_breaks_off_is_no_probe() {
        let whole = note(1, 2, 3);
        for end in 0..24 {
            assert_eq!(parse_note(&whole[..end], None), None);
        }
    }

    // A probe in this very program, as <sys/sdt.h> writes it.
    std::arch::global_asm!(
        ".pushsection .text.auditor_test_probe, \"axR\"",
        "990: nop",
        "ret",
        ".popsection",
        ".pushsection .note.stapsdt, \"\", @note",
        ".balign 4",
        ".4byte 992f-991f, 994f-993f, 3",
        "991: .asciz \"stapsdt\"",
        "992: .balign 4",
        "993: .8byte 990b",
        ".8byte _.stapsdt.base",
        ".8byte 0",
        ".asciz \"auditor_test\"",
        ".asciz \"here\"",
        ".asciz \"8@%rdi\"",
        "994: .balign 4",
        ".popsection",
        ".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat",
        ".weak _.stapsdt.base",
        ".hidden _.stapsdt.base",
        "_.stapsdt.base: .space 1",
        ".size _.stapsdt.base, 1",
        ".popsection",
    );

    #[test]
    fn a_probe_of_our_own_sits_on_its_nop() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = Elf::parse(&file[..]).unwrap();
        let probe = elf.probes().iter().find(|probe| probe.provider == "auditor_test").unwrap();
        assert_eq!((&*probe.name, &*probe.arguments, probe.semaphore), ("here", "8@%rdi", None));
        let at = usize::try_from(elf.offset_of(probe.address).unwrap()).unwrap();
        assert_eq!(file[at], 0x90);
    }
}
