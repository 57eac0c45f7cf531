//! The four symbols a probe may sit on, and the USDT notes that name them.
//!
//! Each begins with a 1-byte `nop`, which the kernel emulates (about 0.45 us a hit) and never
//! single-steps (about 4.5 us), on every kernel that has uprobes. The usual prologue of a compiled function
//! would not be so sure a thing, hence naked functions. Only `calls.rs` may call them: the truth
//! counts there.

use std::arch::naked_asm;
use std::ptr::NonNull;

use super::bucket::Bucket;
use super::memory;

/// A probe site: the nop, and its note in the format of systemtap's `sys/sdt.h`, version 3, without
/// a semaphore. `$arguments` are `SIZE@OPERAND`, space-separated, AT&T names.
///
/// `.stapsdt.base` is what tools correct prelinked addresses by. `R` keeps the linker from
/// collecting it: nothing that is loaded refers to it.
macro_rules! site {
    ($event:literal, $arguments:literal) => {
        concat!(
            "990: nop\n",
            ".pushsection .note.stapsdt,\"\",\"note\"\n",
            ".balign 4\n",
            ".4byte 992f-991f, 994f-993f, 3\n",
            "991: .asciz \"stapsdt\"\n",
            "992: .balign 4\n",
            "993: .8byte 990b\n",
            ".8byte _.stapsdt.base\n",
            ".8byte 0\n",
            ".asciz \"demo_map\"\n",
            ".asciz \"",
            $event,
            "\"\n",
            ".asciz \"",
            $arguments,
            "\"\n",
            "994: .balign 4\n",
            ".popsection\n",
            ".ifndef _.stapsdt.base\n",
            ".pushsection .stapsdt.base,\"aGR\",\"progbits\",.stapsdt.base,comdat\n",
            ".weak _.stapsdt.base\n",
            ".hidden _.stapsdt.base\n",
            "_.stapsdt.base: .space 1\n",
            ".size _.stapsdt.base, 1\n",
            ".popsection\n",
            ".endif\n",
        )
    };
}

/// A table is asked for; returns it.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub(super) extern "C" fn demo_map_allocate(map: u64, bytes: u64, part: u32, log2: u32) -> NonNull<Bucket> {
    naked_asm!(site!("allocate", "8@%rdi 8@%rsi 4@%edx 4@%ecx"), "jmp {}", sym allocate)
}

/// A growth starts.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub(super) extern "C" fn demo_map_grow(map: u64, kind: u32, log2_before: u32, log2_after: u32) {
    naked_asm!(site!("grow", "8@%rdi 4@%esi 4@%edx 4@%ecx"), "ret")
}

/// An old bucket is moved.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub(super) extern "C" fn demo_map_evacuate(map: u64, index: u64) {
    naked_asm!(site!("evacuate", "8@%rdi 8@%rsi"), "ret")
}

/// A table is let go.
///
/// # Safety
/// That of [`memory::give_back`].
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn demo_map_free(map: u64, table: NonNull<Bucket>, bytes: u64, part: u32) {
    naked_asm!(site!("free", "8@%rdi 8@%rsi 8@%rdx 4@%ecx"), "jmp {}", sym free)
}

extern "C" fn allocate(_map: u64, bytes: u64, _part: u32, _log2: u32) -> NonNull<Bucket> {
    memory::obtain(bytes)
}

unsafe extern "C" fn free(_map: u64, table: NonNull<Bucket>, bytes: u64, _part: u32) {
    // SAFETY: the caller of `demo_map_free` promises it.
    unsafe { memory::give_back(table, bytes) }
}
