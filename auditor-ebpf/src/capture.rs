//! Follows a spec's captures: registers, then loads from the target's memory.

use auditor_ebpf::{CAPTURES, Capture, STEPS, Spec, counter, source};
use aya_ebpf::bindings::pt_regs;
use aya_ebpf::helpers::generated::bpf_probe_read_user;

use crate::emit;

/// CF and ZF: `jbe` is taken when either is set.
const BELOW: u64 = 0x41;

/// All captures of a spec. Returns bit n set where capture n could not be read.
#[inline(always)]
pub(crate) fn all(spec: &Spec, regs: &pt_regs, values: &mut [u64; CAPTURES]) -> u32 {
    let mut failed = 0;
    let mut index = 0;
    while index < CAPTURES {
        if (index as u32) < spec.captures {
            match one(&spec.capture[index], regs) {
                Some(value) => values[index] = value,
                None => failed |= 1 << index,
            }
        }
        index += 1;
    }
    failed
}

/// The capture with that index, where there is one and it can be read.
#[inline(always)]
pub(crate) fn at(spec: &Spec, index: u32, regs: &pt_regs) -> Option<u64> {
    let capture = spec.capture.get(index as usize)?;
    one(capture, regs)
}

/// One capture.
#[inline(always)]
fn one(capture: &Capture, regs: &pt_regs) -> Option<u64> {
    let mut value = register(capture.source, regs)?;
    let mut step = 0;
    while step < STEPS {
        if (step as u32) < capture.steps {
            let last = step as u32 + 1 == capture.steps;
            let width = if last { capture.width } else { 8 };
            value = load(value.wrapping_add(capture.offsets[step] as u64), width)?;
        }
        step += 1;
    }
    Some(value)
}

/// Reads 1, 2, 4 or 8 bytes, zero-extended.
#[inline(always)]
fn load(at: u64, width: u32) -> Option<u64> {
    let mut value = 0_u64;
    let into = (&raw mut value).cast();
    let width = if width > 8 { 8 } else { width };
    // SAFETY: `into` has room for 8 bytes and the width is at most 8; the helper checks the source.
    let status = unsafe { bpf_probe_read_user(into, width, at as *const _) };
    if status == 0 {
        return Some(value);
    }
    emit::count(counter::CAPTURE_FAILED);
    None
}

/// Whether a stack check at the probed `jbe` sends the call to grow the stack and come again.
#[inline(always)]
pub(crate) fn is_below(regs: &pt_regs) -> bool {
    regs.eflags & BELOW != 0
}

/// A register by its DWARF number. Each arm is a load at a constant offset, as the verifier asks of
/// a context.
#[inline(always)]
fn register(number: u32, regs: &pt_regs) -> Option<u64> {
    Some(match number {
        source::RAX => regs.rax,
        source::RDX => regs.rdx,
        source::RCX => regs.rcx,
        source::RBX => regs.rbx,
        source::RSI => regs.rsi,
        source::RDI => regs.rdi,
        source::RBP => regs.rbp,
        source::RSP => regs.rsp,
        source::R8 => regs.r8,
        source::R9 => regs.r9,
        source::R10 => regs.r10,
        source::R11 => regs.r11,
        source::R12 => regs.r12,
        source::R13 => regs.r13,
        source::R14 => regs.r14,
        source::R15 => regs.r15,
        _ => return None,
    })
}
