//! The memory of a program whose loader has not run yet. A position-independent program that is held at its
//! first instruction has addresses in it that say where things were linked; the loader would turn them into
//! where they are. This does so while reading.

use object::elf::R_X86_64_RELATIVE;

use super::words::Words;
use crate::audit::unit::Address;
use crate::target::elf::Elf;
use crate::target::memory::{Memory, ReadError};
use crate::target::module::FileBytes;

/// Most bytes of relocations: programs of 100 MB have some 10.
const BYTES: u64 = 64 << 20;
/// Bytes of one: where u64, which symbol u32 and which kind u32 (the low half comes first), addend i64.
const RELOCATION: usize = 24;

/// What the loader is going to write.
#[derive(Debug, Default)]
pub(super) struct Relocations {
    /// Where in the process, and what. By address.
    words: Vec<(u64, u64)>,
}

impl Relocations {
    /// Takes those that add the load bias from the file; other kinds concern other files. `None`: there are
    /// none, or they cannot be read.
    pub(super) fn read(elf: &Elf, file: &FileBytes, bias: u64) -> Option<Self> {
        let section = elf.section(".rela.dyn").or_else(|| elf.section(".rela"))?;
        let mut bytes = vec![0; usize::try_from(section.size.min(BYTES)).ok()?];
        file.read(section.offset?, &mut bytes).ok()?;
        Some(Self::parse(&bytes, bias))
    }

    fn parse(bytes: &[u8], bias: u64) -> Self {
        let one = |bytes: &[u8]| {
            let words = Words(bytes);
            let [at, addend] = [words.u64(0)?, words.u64(16)?];
            (words.u32(8)? == R_X86_64_RELATIVE).then_some((at.wrapping_add(bias), addend.wrapping_add(bias)))
        };
        let mut words: Vec<(u64, u64)> = bytes.chunks_exact(RELOCATION).filter_map(one).collect();
        words.sort_unstable();
        Self { words }
    }

    /// Writes into bytes from `at` on what the loader would write there.
    fn apply(&self, at: u64, bytes: &mut [u8]) {
        let first = self.words.partition_point(|(place, _)| *place < at);
        for (place, word) in self.words.get(first..).unwrap_or_default() {
            let Ok(start) = usize::try_from(place - at) else { break };
            if start >= bytes.len() {
                break;
            }
            if let Some(into) = bytes.get_mut(start..start.saturating_add(8)) {
                into.copy_from_slice(&word.to_le_bytes());
            }
        }
    }
}

/// Memory as it will be.
pub(super) struct Relocated<'a> {
    /// As it is.
    pub(super) memory: &'a dyn Memory,
    /// What is going to change.
    pub(super) relocations: &'a Relocations,
}

impl Memory for Relocated<'_> {
    fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
        self.memory.read(at, into)?;
        self.relocations.apply(at.0, into);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::memory::CapturedMemory;
    use proptest::prelude::*;

    fn relocation(at: u64, kind: u64, addend: u64) -> Vec<u8> {
        [at, kind, addend].iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn words_are_what_the_loader_would_make_them() {
        let bytes =
            [relocation(0x118, 8, 0x40), relocation(0x108, 8, 0x20), relocation(0x110, 6, 0x30)].concat();
        let relocations = Relocations::parse(&bytes, 0x1000);
        let mut memory = CapturedMemory::new();
        memory.insert(Address(0x1100), [0xee; 32]);
        let memory = Relocated { memory: &memory, relocations: &relocations };
        let mut read = [0; 32];
        memory.read(Address(0x1100), &mut read).unwrap();
        let words = [0, 8, 16, 24].map(|at| Words(&read).u64(at).unwrap());
        assert_eq!(words, [0xeeee_eeee_eeee_eeee, 0x1020, 0xeeee_eeee_eeee_eeee, 0x1040]);
    }

    proptest! {
        #[test]
        fn hostile_relocations_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            near in any::<[u8; 4]>(),
            at in any::<u64>(),
        ) {
            let close = near.map(|step| relocation(at.wrapping_add(u64::from(step) / 8), 8, 1)).concat();
            let relocations = Relocations::parse(&[close, bytes].concat(), 0);
            relocations.apply(at, &mut [0; 24]);
        }
    }
}
