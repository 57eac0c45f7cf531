//! Follows a spec's captures: registers, then loads from the target's memory.

use auditor_ebpf::{CAPTURES, Capture, Pending, STEPS, Spec, source};
use aya_ebpf::bindings::pt_regs;
use aya_ebpf::helpers::generated::bpf_probe_read_user;

/// CF and ZF: `jbe` is taken when either is set.
const BELOW: u64 = 0x41;

/// What a capture found. Failure is a number rather than a branch: eight captures of four loads each
/// would otherwise be more paths than the verifier can walk.
#[derive(Clone, Copy)]
struct Found {
    value: u64,
    /// 1 when any load failed, else 0; the value means nothing then.
    failed: u32,
}

/// All captures of a spec. Returns bit n set where capture n could not be read.
///
/// Slots without a capture are followed too: they have no loads. To leave the loop at the first of
/// them would give the verifier eight ways into all that comes after it: 17,909 instructions to walk
/// instead of 7,505.
#[inline(always)]
pub(crate) fn all(spec: &Spec, regs: &Registers, values: &mut [u64; CAPTURES]) -> u32 {
    let mut failed = 0;
    let mut index = 0;
    while index < CAPTURES {
        let found = one(&spec.capture[index], regs);
        values[index] = found.value;
        failed |= found.failed << index;
        index += 1;
    }
    failed
}

/// The captures that are taken at the return; the others keep their values. `failed` is about all of them.
#[inline(always)]
pub(crate) fn late(spec: &Spec, regs: &mut Registers, call: &mut Pending) {
    let mut index = 0;
    while index < CAPTURES {
        if spec.late >> index & 1 != 0 {
            let found = one(&spec.capture[index], regs);
            call.values[index] = found.value;
            call.failed = call.failed & !(1 << index) | u64::from(found.failed) << index;
        }
        regs.file[source::FIRST as usize] = call.values[0];
        index += 1;
    }
}

/// The capture with that index, where there is one and it can be read.
#[inline(always)]
pub(crate) fn at(spec: &Spec, index: u32, regs: &Registers) -> Option<u64> {
    let found = one(spec.capture.get(index as usize)?, regs);
    (found.failed == 0).then_some(found.value)
}

/// One capture.
#[inline(always)]
fn one(capture: &Capture, regs: &Registers) -> Found {
    let mut found = Found { value: regs.get(capture.source), failed: 0 };
    let mut step = 0;
    while step < STEPS {
        if step as u32 >= capture.steps {
            break;
        }
        found = load(found, capture.offsets[step], capture.widths[step]);
        step += 1;
    }
    found.value = found.value.wrapping_add(i64::from(capture.added) as u64);
    found
}

/// Reads 1, 2, 4 or 8 bytes, zero-extended. A width for each load and room for whatever it says leave
/// the verifier one way through: with a choice and a comparison it walks 5,956 instructions instead of
/// 2,028.
#[inline(always)]
fn load(from: Found, offset: i64, width: u8) -> Found {
    let mut room = [0_u64; 2];
    let at = from.value.wrapping_add(offset as u64);
    // SAFETY: `room` has 16 bytes and the width is at most 15; the helper checks the source and leaves
    // zeroes where it cannot read.
    let status =
        unsafe { bpf_probe_read_user((&raw mut room).cast(), u32::from(width & 15), at as *const _) };
    Found { value: room[0], failed: from.failed | (status as u64 >> 63) as u32 }
}

/// The general registers, by DWARF number, and what was captured first. A copy, because the verifier allows a variable index into
/// the stack but not into the context, and the compiler turns a choice of context loads into one.
pub(crate) struct Registers {
    file: [u64; source::COUNT],
    flags: u64,
}

impl Registers {
    #[inline(always)]
    pub(crate) fn of(regs: &pt_regs) -> Self {
        let file = [
            regs.rax, regs.rdx, regs.rcx, regs.rbx, regs.rsi, regs.rdi, regs.rbp, regs.rsp, regs.r8, regs.r9,
            regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15, 0,
        ];
        Self { file, flags: regs.eflags }
    }

    /// A register by its number; 0 for a number that is none.
    #[inline(always)]
    fn get(&self, number: u32) -> u64 {
        self.file.get(number as usize).copied().unwrap_or(0)
    }

    /// The stack pointer.
    #[inline(always)]
    pub(crate) fn stack_pointer(&self) -> u64 {
        self.file[source::RSP as usize]
    }

    /// Whether a stack check at the probed `jbe` sends the call to grow the stack and come again.
    #[inline(always)]
    pub(crate) fn is_below(&self) -> bool {
        self.flags & BELOW != 0
    }
}
