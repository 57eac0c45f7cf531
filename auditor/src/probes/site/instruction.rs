//! What the kernel makes of one probed instruction, and what that costs.
//!
//! `arch/x86/kernel/uprobes.c`, `arch_uprobe_analyze_insn`, v5.10 to v6.18. Costs: see the constants.

use iced_x86::{Formatter as _, Instruction, IntelFormatter, Mnemonic, OpKind, Register};

use super::{Refusal, refusal};
use crate::audit::unit::Nanos;

/// What a hit costs the target beyond the unprobed call, by class, with an empty program: thread CPU
/// time, median of 9 x 40 000 hits on Linux 6.18, a two-CPU virtual machine. `nop`.
pub const NOP1: Nanos = Nanos(447);
/// `push reg`.
pub const PUSH: Nanos = Nanos(484);
/// `jcc`, near or short.
pub const JUMP_CONDITIONAL: Nanos = Nanos(448);
/// `jmp`, near or short.
pub const JUMP: Nanos = Nanos(451);
/// `call` to a fixed place: a push and a jump.
pub const CALL: Nanos = Nanos(470);
/// A long nop that the kernel emulates.
pub const LONG_NOP: Nanos = Nanos(454);
/// Executed elsewhere, with a trap behind it. Less on bare metal, where the trap does not leave the
/// virtual machine.
pub const SINGLE_STEP: Nanos = Nanos(4_580);
/// What a return probe adds.
pub const RETURN: Nanos = Nanos(250);

/// Prefixes with which the kernel refuses an instruction (`is_prefix_bad`): es, cs, ss, ds, lock.
const BAD_PREFIXES: [u8; 5] = [0x26, 0x2e, 0x36, 0x3e, 0xf0];
/// The other legacy prefixes: fs, gs, operand size, address size, repne, rep.
const PREFIXES: [u8; 6] = [0x64, 0x65, OPERAND_SIZE, 0x67, 0xf2, 0xf3];
const OPERAND_SIZE: u8 = 0x66;
/// The nops that the kernel itself writes (`x86_nops`, `arch/x86/include/asm/nops.h`), from 3 bytes
/// on: these it emulates, where it emulates long nops at all.
const KERNEL_NOPS: [&[u8]; 6] = [
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

/// What this kernel does with nops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// It turns a probed 5-byte nop into a call: after a fork the child dies there, and in a leaf
    /// function the call overwrites the red zone (6.18, until d9a48e77f6fe and 554ba38456da).
    pub nop5_is_dangerous: bool,
    /// It emulates long nops (from 6.18 on) instead of stepping over them.
    pub long_nops_are_emulated: bool,
}

/// What the kernel does at a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Emulates `nop`.
    Nop1,
    /// Emulates `push reg`.
    Push,
    /// Emulates `jcc`.
    JumpConditional,
    /// Emulates `jmp`.
    Jump,
    /// Emulates `call`.
    Call,
    /// A nop of 5 bytes, where it is not dangerous.
    Nop5,
    /// Any other nop of more than one byte.
    MultiByteNop,
    /// Executes the instruction elsewhere and traps behind it.
    SingleStep,
}

/// What the kernel makes of one instruction.
pub(super) fn judge(at: &Instruction, bytes: &[u8], host: &Host) -> Result<(Class, Nanos), Refusal> {
    let prefixes = bytes.iter().take_while(|byte| is_prefix(**byte)).count();
    let (prefixes, rest) = bytes.split_at(prefixes);
    let (rex, opcode) = match rest {
        [rex @ 0x40..=0x4f, opcode @ ..] => (Some(*rex), opcode),
        opcode => (None, opcode),
    };
    refuse_what_the_kernel_refuses(at, prefixes, opcode)?;
    if is_nop(at) {
        return judge_nop(bytes, opcode, host);
    }
    let word_sized = prefixes.contains(&OPERAND_SIZE);
    let classed = match *opcode {
        [0x90, ..] => return Err(refusal("the kernel would take `xchg` for a nop and leave it out", OTHER)),
        [0x50..=0x57, ..] if prefixes.is_empty() && matches!(rex, None | Some(0x41)) => (Class::Push, PUSH),
        [0x70..=0x7f, ..] | [0x0f, 0x80..=0x8f, ..] => (Class::JumpConditional, JUMP_CONDITIONAL),
        [0xeb | 0xe9, ..] => (Class::Jump, JUMP),
        [0xe8, ..] => (Class::Call, CALL),
        _ => return Ok((Class::SingleStep, SINGLE_STEP)),
    };
    if word_sized {
        return Err(refusal("the kernel refuses jumps and calls of 16 bits", OTHER));
    }
    Ok(classed)
}

/// `90` with any prefixes is emulated by every kernel; of the others those that the kernel writes.
fn judge_nop(bytes: &[u8], opcode: &[u8], host: &Host) -> Result<(Class, Nanos), Refusal> {
    let short = opcode == [0x90];
    let emulated = short || (host.long_nops_are_emulated && KERNEL_NOPS.contains(&bytes));
    let cost = if emulated { LONG_NOP } else { SINGLE_STEP };
    match bytes.len() {
        1 => Ok((Class::Nop1, NOP1)),
        5 if host.nop5_is_dangerous => Err(refusal(
            "this kernel turns a probed 5-byte nop into a call, which kills forked children and corrupts leaf \
             functions",
            "use a kernel in which commits d9a48e77f6fe and 554ba38456da are (7.2), or probe another function",
        )),
        5 => Ok((Class::Nop5, cost)),
        _ => Ok((Class::MultiByteNop, cost)),
    }
}

/// `good_insns_64`: what raises a signal anyway, and EVEX. The kernel has the last word.
fn refuse_what_the_kernel_refuses(at: &Instruction, prefixes: &[u8], opcode: &[u8]) -> Result<(), Refusal> {
    if let Some(prefix) = prefixes.iter().find(|prefix| BAD_PREFIXES.contains(prefix)) {
        let reason = format!("the kernel refuses `{}`: it has the prefix {prefix:#04x}", text(at));
        return Err(Refusal { reason, remedy: OTHER });
    }
    match opcode.first() {
        Some(0xcc) => Err(refusal(
            "a breakpoint is here in the file itself, so this is padding or a patched file",
            "compare the file with what was built",
        )),
        Some(0x62 | 0x6c..=0x6f | 0xcd | 0xcf | 0xe4..=0xe7 | 0xec..=0xef | 0xf1 | 0xf4 | 0xfa | 0xfb) => {
            Err(Refusal { reason: format!("the kernel refuses `{}`", text(at)), remedy: OTHER })
        }
        _ => Ok(()),
    }
}

const OTHER: &str = "probe another function, or another instruction by its offset";

fn is_prefix(byte: u8) -> bool {
    PREFIXES.contains(&byte) || BAD_PREFIXES.contains(&byte)
}

/// What the kernel may hold for a nop: also an instruction that moves a register to itself
/// (`insn_is_nop`).
pub(super) fn is_nop(at: &Instruction) -> bool {
    let (to, is_wide) = (at.op0_register(), at.op0_register().is_gpr64());
    match at.mnemonic() {
        Mnemonic::Nop | Mnemonic::Reservednop | Mnemonic::Pause => true,
        Mnemonic::Lea => {
            is_wide
                && to == at.memory_base()
                && at.memory_index() == Register::None
                && at.memory_displacement64() == 0
        }
        Mnemonic::Mov => is_wide && at.op1_kind() == OpKind::Register && to == at.op1_register(),
        _ => false,
    }
}

/// For people.
pub(super) fn text(at: &Instruction) -> String {
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_branch_leading_zeros(false);
    options.set_space_after_operand_separator(true);
    let mut text = String::new();
    formatter.format(at, &mut text);
    text
}
