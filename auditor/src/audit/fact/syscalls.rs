//! Memory that a process asks the kernel for, and gives back.

use serde::{Deserialize, Serialize};

use super::super::unit::{Address, Bytes};

/// Which memory syscall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// `mmap(2)`.
    Mmap,
    /// `munmap(2)`.
    Munmap,
    /// `mremap(2)`.
    Mremap,
    /// `brk(2)`.
    Brk,
    /// `madvise(2)`.
    Madvise,
}

/// A memory syscall that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Syscall {
    /// Which one.
    pub call: Call,
    /// Where: the result of mmap and mremap, the new break of brk, the argument of the others.
    pub address: Address,
    /// How much was asked for. For brk the change is the audit's to compute: 0.
    pub bytes: Bytes,
    /// mremap: where it was.
    pub old: Option<(Address, Bytes)>,
    /// madvise: the advice, as in `<asm-generic/mman-common.h>`.
    pub advice: Option<u32>,
    /// The errno, where it failed.
    pub failed: Option<u32>,
}
