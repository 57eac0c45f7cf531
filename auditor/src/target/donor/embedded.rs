//! `.gnu_debugdata`: a small ELF file with the names of functions inside the file itself, packed by xz.
//! Fedora's programs have it.

use std::io::Read as _;

use lzma_rust2::XzReader;

use super::{Lender, Proof};
use crate::target::elf::Elf;
use crate::target::module::Module;

/// Most bytes of the section: `bytes_at_file_offset` gives no more.
const PACKED: u64 = 1 << 20;
/// Most bytes unpacked. 1 MiB of xz could be gigabytes of zeros.
const UNPACKED: u64 = 32 << 20;

/// The symbols that a file has inside, if it has.
pub(super) fn lender(module: &Module, elf: &Elf) -> Option<Lender> {
    let section = elf.section_named(".gnu_debugdata").filter(|section| section.size <= PACKED)?;
    let packed = module.bytes_at_file_offset(section.offset?, section.size as usize).ok()?;
    let elf = Elf::parse(unpack(&packed)?.as_slice()).ok()?;
    Some(Lender { path: module.path().to_owned(), proof: Proof::Embedded, elf })
}

fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut reader = XzReader::new(packed, false).take(UNPACKED);
    reader.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
