//! Whether two files come from one link, so that what is at an address of one is there in the other.

use crate::target::elf::{Elf, Section};
use crate::target::module::{FileBytes, Module};

/// Bytes that are compared at once.
const CHUNK: usize = 64 << 10;
/// Most bytes of code that are compared, and of a file whose checksum is taken: browsers have 200 MB.
const MOST: u64 = 2 << 30;

/// What shows that a file's symbols are those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Both have one build id.
    BuildId,
    /// Both have the same code (`.text`) at the same addresses. Code holds the distances to the data that
    /// it uses, so the data are where they are, too.
    Code,
    /// The file has the other's checksum.
    Checksum,
    /// It is inside.
    Embedded,
}

impl Proof {
    /// In words, behind "by".
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::BuildId => "its build id",
            Self::Code => "its code, which is equal",
            Self::Checksum => "its checksum, which the file has",
            Self::Embedded => "being inside the file",
        }
    }
}

/// What differs between two files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{build_ids}, and {code}{}", if *is_of_other_checksum { ", and its checksum is not the one that the file has" } else { "" })]
pub struct Difference {
    build_ids: String,
    code: Code,
    is_of_other_checksum: bool,
}

/// How the code of one file differs from that of the other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Code {
    #[error("it has no code (.text) to compare")]
    NotThere,
    #[error("the running file has no code (.text) to compare")]
    NothingToCompare,
    #[error("its code is at {theirs:#x}, not at {own:#x}")]
    Elsewhere { own: u64, theirs: u64 },
    #[error("its code has {theirs} bytes, not {own}")]
    OtherSize { own: u64, theirs: u64 },
    #[error("its code cannot be read")]
    Unreadable,
    #[error("its code differs from {at:#x} on")]
    Differs { at: u64 },
}

impl Difference {
    /// More, the less alike.
    pub(super) fn distance(&self) -> u64 {
        match self.code {
            Code::Differs { .. } => 1,
            Code::NotThere => 2,
            Code::OtherSize { own, theirs } => 3 + own.abs_diff(theirs),
            Code::Elsewhere { .. } | Code::Unreadable | Code::NothingToCompare => u64::MAX,
        }
    }
}

/// Shows that `theirs` is of one link with the module.
pub(super) fn same_link(module: &Module, theirs: &Elf, bytes: &FileBytes) -> Result<Proof, Difference> {
    let own_id = module.elf().ok().and_then(Elf::build_id);
    if own_id.is_some() && own_id == theirs.build_id() {
        return Ok(Proof::BuildId);
    }
    let differs = |code| Difference {
        build_ids: build_ids(own_id, theirs.build_id()),
        code,
        is_of_other_checksum: false,
    };
    let own = module.elf().ok().and_then(text).ok_or_else(|| differs(Code::NothingToCompare))?;
    let theirs = text(theirs).ok_or_else(|| differs(Code::NotThere))?;
    let own_bytes = module.bytes().map_err(|_unreadable| differs(Code::Unreadable))?;
    same_code((own, &own_bytes), (theirs, bytes)).map_err(differs)?;
    Ok(Proof::Code)
}

/// Shows that the file is the one of which the module has that checksum; `otherwise` is what else there is to say.
pub(super) fn same_checksum(
    otherwise: Difference,
    bytes: &FileBytes,
    checksum: u32,
) -> Result<Proof, Difference> {
    let mut hasher = crc32fast::Hasher::new();
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    while at < MOST {
        let Ok(len) = bytes.read_some(at, &mut chunk) else { break };
        if len == 0 {
            break;
        }
        hasher.update(&chunk[..len]);
        at += len as u64;
    }
    if at < MOST && hasher.finalize() == checksum {
        return Ok(Proof::Checksum);
    }
    Err(Difference { is_of_other_checksum: true, ..otherwise })
}

fn text(elf: &Elf) -> Option<&Section> {
    elf.section_named(".text").filter(|section| section.offset.is_some() && section.size != 0)
}

fn build_ids(own: Option<&str>, theirs: Option<&str>) -> String {
    let words = |id: Option<&str>| id.map_or_else(|| "none".to_owned(), str::to_owned);
    format!("its build id is {}, not {}", words(theirs), words(own))
}

fn same_code(own: (&Section, &FileBytes), theirs: (&Section, &FileBytes)) -> Result<(), Code> {
    if own.0.address != theirs.0.address {
        return Err(Code::Elsewhere { own: own.0.address, theirs: theirs.0.address });
    }
    let size = own.0.size;
    if size != theirs.0.size {
        return Err(Code::OtherSize { own: size, theirs: theirs.0.size });
    }
    if size > MOST {
        return Err(Code::Unreadable);
    }
    let (mut one, mut other) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut done = 0;
    while done < size {
        let len = CHUNK.min((size - done) as usize);
        read((own.0, own.1), done, &mut one[..len])?;
        read((theirs.0, theirs.1), done, &mut other[..len])?;
        if let Some(within) = one[..len].iter().zip(&other[..len]).position(|(one, other)| one != other) {
            return Err(Code::Differs { at: own.0.address.wrapping_add(done + within as u64) });
        }
        done += len as u64;
    }
    Ok(())
}

fn read((section, bytes): (&Section, &FileBytes), done: u64, into: &mut [u8]) -> Result<(), Code> {
    let at = section.offset.and_then(|offset| offset.checked_add(done)).ok_or(Code::Unreadable)?;
    bytes.read(at, into).map_err(|_short| Code::Unreadable)
}
