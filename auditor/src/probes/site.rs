//! On which instruction of a function a probe sits. Pure: bytes of the function in, a site or a
//! refusal out.
//!
//! The instruction matters more than anything else about a probe: one that the kernel emulates costs
//! half a microsecond a hit, one that it must execute elsewhere and step over costs ten times that.
//! And some must never be touched, though the kernel would let us.
//!
//! **The rule.** A hook wants the arguments in their registers, the return address at the stack
//! pointer, and one hit a call. All three hold
//! - at the first instruction;
//! - behind any run of instructions there that change nothing (`endbr64`, nops);
//! - behind Go's stack check, `[lea r12, [rsp-N]] ; cmp {rsp|r12}, [r14+{0x10|0x18}] ; jbe`, which
//!   writes r12 and the flags alone. In front of it they do not: when the stack must grow, the
//!   function starts again from its first instruction. On its `jbe` they do if the kernel side drops
//!   the hits that jump ([`Site::skip_if_below`]).
//!
//! and nowhere else, by this rule; a place that code of the function itself jumps to is no site
//! either, unless it is the first instruction. Among the sites the cheapest is chosen, then the first;
//! the `jbe` only where the instruction behind it is not emulated.
//!
//! What the kernel does with an instruction: `arch/x86/kernel/uprobes.c`,
//! `arch_uprobe_analyze_insn`, v5.10 to v6.18. Costs: see the constants.

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Formatter as _, Instruction, IntelFormatter, Mnemonic, OpKind,
    Register,
};

use crate::audit::unit::Nanos;
use crate::runtimes::hook::When;

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

/// Bytes kept of a site, to compare with memory: more than any instruction has.
const KEPT: usize = 16;
/// Most instructions of a prologue that are looked at.
const PROLOGUE: usize = 16;
/// Most bytes of a function whose jumps are looked at.
const BODY: usize = 64 << 10;
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

/// A function as its file has it.
#[derive(Clone, Copy, Debug)]
pub struct Function<'a> {
    /// Its bytes, from the symbol's address on; all of them, for the jumps among them.
    pub bytes: &'a [u8],
    /// What the symbol says of its length; 0: nothing.
    pub size: u64,
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

/// Where a probe goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Bytes from the symbol.
    pub offset: u64,
    /// The instruction, for people.
    pub instruction: String,
    /// What the kernel does with it.
    pub class: Class,
    /// The site is the `jbe` of a stack check: a hit that jumps is not a call
    /// ([`auditor_ebpf::flag::SKIP_IF_BELOW`]).
    pub skip_if_below: bool,
    /// What a hit costs the target, with that of the return where it is wanted.
    pub cost: Nanos,
    /// Bytes of the file from the site on, at most 16, to compare with memory before attaching.
    pub bytes: Vec<u8>,
}

impl Site {
    /// Smaller is better. Among emulated instructions the one behind Go's stack check goes before the
    /// check's own branch, which costs as much but is also hit when the stack must grow.
    fn rank(&self) -> (bool, bool, Nanos, u64) {
        (self.cost >= SINGLE_STEP, self.skip_if_below, self.cost, self.offset)
    }
}

/// Why there is no site, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {remedy}")]
pub struct Refusal {
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub remedy: &'static str,
}

/// An instruction where a probe would see what it wants.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    at: Instruction,
    skip_if_below: bool,
}

/// Chooses the cheapest safe site of a function.
///
/// # Errors
/// [`Refusal`]: no instruction will do, or the return is wanted of a function whose stack can move.
pub fn choose(function: &Function<'_>, when: When, host: &Host) -> Result<Site, Refusal> {
    let bytes = code(function)?;
    let (candidates, is_go) = candidates(bytes)?;
    if is_go && when == When::EntryAndReturn {
        return Err(refusal(
            "a Go function's return cannot be probed: its stack moves, and the return address with it",
            "probe its entry alone",
        ));
    }
    let targets = jump_targets(bytes);
    let judged = candidates.iter().map(|candidate| site(candidate, bytes, &targets, when, host));
    let (sites, refusals): (Vec<_>, Vec<_>) = judged.partition(Result::is_ok);
    let cheapest = sites.into_iter().flatten().min_by_key(Site::rank);
    let first_refusal = refusals.into_iter().find_map(Result::err);
    cheapest.ok_or_else(|| first_refusal.unwrap_or_else(not_code))
}

/// The bytes that belong to the function.
fn code<'a>(function: &Function<'a>) -> Result<&'a [u8], Refusal> {
    let size =
        if function.size == 0 { usize::MAX } else { usize::try_from(function.size).unwrap_or(usize::MAX) };
    let bytes = &function.bytes[..function.bytes.len().min(size).min(BODY)];
    if bytes.is_empty() { Err(not_code()) } else { Ok(bytes) }
}

fn candidates(bytes: &[u8]) -> Result<(Vec<Candidate>, bool), Refusal> {
    let prologue: Vec<Instruction> = decode(bytes).take(PROLOGUE).collect();
    let start = prologue.iter().position(|at| !is_transparent(at)).unwrap_or(prologue.len());
    if let Some(branch) = stack_check(&prologue[start..]).map(|len| start + len - 1) {
        let here = Candidate { at: prologue[branch], skip_if_below: true };
        let behind = undisturbed(&prologue[branch + 1..]);
        return Ok(([here].into_iter().chain(behind).collect(), true));
    }
    let candidates: Vec<Candidate> = undisturbed(&prologue).collect();
    if candidates.is_empty() { Err(not_code()) } else { Ok((candidates, false)) }
}

/// The first instruction and those behind it for as long as nothing has changed.
fn undisturbed(instructions: &[Instruction]) -> impl Iterator<Item = Candidate> {
    let unchanged = instructions.iter().take_while(|at| is_transparent(at)).count();
    instructions[..instructions.len().min(unchanged + 1)]
        .iter()
        .map(|&at| Candidate { at, skip_if_below: false })
}

/// How many instructions Go's stack check has, if it is here.
fn stack_check(instructions: &[Instruction]) -> Option<usize> {
    let is_large = instructions.first().is_some_and(|at| {
        at.mnemonic() == Mnemonic::Lea
            && at.op0_register() == Register::R12
            && at.memory_base() == Register::RSP
    });
    let pointer = if is_large { Register::R12 } else { Register::RSP };
    let (compare, branch) =
        (instructions.get(usize::from(is_large))?, instructions.get(usize::from(is_large) + 1)?);
    let compares = compare.mnemonic() == Mnemonic::Cmp
        && compare.op0_kind() == OpKind::Register
        && compare.op0_register() == pointer
        && compare.op1_kind() == OpKind::Memory
        && compare.memory_base() == Register::R14
        && compare.memory_index() == Register::None
        && matches!(compare.memory_displacement64(), 0x10 | 0x18);
    (compares && branch.mnemonic() == Mnemonic::Jbe).then_some(usize::from(is_large) + 2)
}

fn site(
    candidate: &Candidate,
    bytes: &[u8],
    targets: &[u64],
    when: When,
    host: &Host,
) -> Result<Site, Refusal> {
    let at = &candidate.at;
    let start = at.ip() as usize;
    let (class, cost) = judge(at, &bytes[start..start + at.len()], host)?;
    if start != 0 && targets.contains(&at.ip()) {
        let reason = format!("the function jumps to its own `{}`: hits would not be calls", text(at));
        return Err(Refusal { reason, remedy: "probe another function" });
    }
    let returning = if when == When::EntryAndReturn { RETURN } else { Nanos(0) };
    Ok(Site {
        offset: at.ip(),
        instruction: text(at),
        class,
        skip_if_below: candidate.skip_if_below,
        cost: cost.plus(returning),
        bytes: bytes[start..].iter().copied().take(KEPT).collect(),
    })
}

/// What the kernel makes of one instruction.
fn judge(at: &Instruction, bytes: &[u8], host: &Host) -> Result<(Class, Nanos), Refusal> {
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

/// Leaves every register, the flags and the stack as they are.
fn is_transparent(at: &Instruction) -> bool {
    at.mnemonic() == Mnemonic::Endbr64 || is_nop(at)
}

/// What the kernel may hold for a nop: also an instruction that moves a register to itself
/// (`insn_is_nop`).
fn is_nop(at: &Instruction) -> bool {
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

/// Where the function's own direct jumps lead, as offsets.
fn jump_targets(bytes: &[u8]) -> Vec<u64> {
    let jumps = decode(bytes).filter(|at| {
        matches!(at.flow_control(), FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch)
            && at.op0_kind() == OpKind::NearBranch64
    });
    jumps.map(|at| at.near_branch_target()).collect()
}

/// Instructions from the first byte to the first one that is none, or that is not whole. The
/// instruction pointer is the offset.
fn decode(bytes: &[u8]) -> impl Iterator<Item = Instruction> {
    let mut decoder = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE);
    std::iter::from_fn(move || decoder.can_decode().then(|| decoder.decode()))
        .take_while(|at| !at.is_invalid())
}

fn text(at: &Instruction) -> String {
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

fn refusal(reason: &str, remedy: &'static str) -> Refusal {
    Refusal { reason: reason.to_owned(), remedy }
}

fn not_code() -> Refusal {
    refusal("there is no whole instruction at the symbol", "check that the file is the one that runs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Linux 6.18.
    const NEW: Host = Host { nop5_is_dangerous: true, long_nops_are_emulated: true };
    /// Linux 6.1 and 6.12.
    const OLD: Host = Host { nop5_is_dangerous: false, long_nops_are_emulated: false };

    fn entry(bytes: &[u8], host: &Host) -> Result<Site, Refusal> {
        choose(&Function { bytes, size: bytes.len() as u64 }, When::Entry, host)
    }

    /// Offset, class and cost of the chosen site.
    fn chosen(bytes: &[u8], host: &Host) -> (u64, Class, u64) {
        let site = entry(bytes, host).unwrap();
        (site.offset, site.class, site.cost.0)
    }

    #[test]
    fn gcc_with_frame_pointer_is_probed_on_its_push() {
        // gcc -O2 -fno-omit-frame-pointer: push rbp; mov rbp, rsp; sub rsp, 0x10
        let code = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10, 0xc9, 0xc3];
        let site = entry(&code, &NEW).unwrap();
        assert_eq!((site.offset, site.class, site.cost), (0, Class::Push, PUSH));
        assert_eq!((&*site.instruction, site.bytes.as_slice()), ("push rbp", &code[..]));
    }

    #[test]
    fn gcc_with_cet_is_probed_behind_endbr64() {
        // endbr64; push rbp; mov rbp, rsp
        assert_eq!(chosen(&[0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5], &NEW), (4, Class::Push, 484));
        // endbr64; push r15 (41 57)
        assert_eq!(chosen(&[0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x57, 0x41, 0x56], &OLD), (4, Class::Push, 484));
        // endbr64; sub rsp, 8: both are stepped over, so the first
        assert_eq!(
            chosen(&[0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x83, 0xec, 0x08], &NEW),
            (0, Class::SingleStep, 4580)
        );
    }

    #[test]
    fn rustc_without_frame_pointer_is_stepped_over_at_its_entry() {
        // sub rsp, 0x18; mov rax, rdi: the next instruction is no site, the stack has moved
        assert_eq!(chosen(&[0x48, 0x83, 0xec, 0x18, 0x48, 0x89, 0xf8], &NEW), (0, Class::SingleStep, 4580));
        // mov rax, rdi; push rbx: rax is no argument, but the rule is to stay in front of any change
        assert_eq!(chosen(&[0x48, 0x89, 0xf8, 0x53], &NEW), (0, Class::SingleStep, 4580));
        // rip-relative, which the kernel rewrites: mov rax, [rip+0x10]; ret
        assert_eq!(chosen(&[0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0xc3], &NEW), (0, Class::SingleStep, 4580));
    }

    #[test]
    fn a_one_byte_nop_is_the_cheapest() {
        // nop; push rbp; mov rbp, rsp (-Z patchable-function-entry=1, clang -fpatchable-function-entry=1)
        assert_eq!(chosen(&[0x90, 0x55, 0x48, 0x89, 0xe5], &NEW), (0, Class::Nop1, 447));
        // endbr64; nop; push rbp
        assert_eq!(chosen(&[0xf3, 0x0f, 0x1e, 0xfa, 0x90, 0x55], &NEW), (4, Class::Nop1, 447));
    }

    #[test]
    fn five_byte_nops_are_never_sites_where_they_are_dangerous() {
        let nops: [&[u8]; 5] = [
            &[0x0f, 0x1f, 0x44, 0x00, 0x00],
            &[0x0f, 0x1f, 0x44, 0x00, 0x08],
            &[0x66, 0x66, 0x66, 0x66, 0x90],
            &[0x48, 0x8d, 0x64, 0x24, 0x00],
            &[0x48, 0x8d, 0x74, 0x26, 0x00],
        ];
        for nop in nops {
            let alone = [nop, &[0xc3]].concat();
            // The ret behind it is a site, if a dear one.
            assert_eq!(chosen(&alone, &NEW), (5, Class::SingleStep, 4580), "{nop:x?}");
            assert_eq!(chosen(&[nop, &[0x55, 0xc3]].concat(), &NEW), (5, Class::Push, 484), "{nop:x?}");
            let refused = entry(nop, &NEW).unwrap_err();
            assert!(refused.reason.contains("5-byte nop") && refused.remedy.contains("7.2"), "{refused}");
            assert_eq!(entry(nop, &OLD).unwrap().class, Class::Nop5);
        }
    }

    #[test]
    fn long_nops_cost_what_the_kernel_makes_of_them() {
        let nop8 = [0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0];
        assert_eq!(chosen(&nop8, &NEW), (0, Class::MultiByteNop, 454));
        assert_eq!(chosen(&nop8, &OLD), (0, Class::MultiByteNop, 4580));
        // nop4 as no assembler writes it, which the kernel does not know; xchg ax, ax, which it does
        assert_eq!(chosen(&[0x0f, 0x1f, 0x40, 0x08], &NEW), (0, Class::MultiByteNop, 4580));
        assert_eq!(chosen(&[0x66, 0x90], &OLD), (0, Class::MultiByteNop, 454));
    }

    #[test]
    fn what_the_kernel_refuses_is_refused_with_its_reason() {
        let refused = |bytes: &[u8], word: &str| {
            let refusal = entry(bytes, &NEW).unwrap_err();
            assert!(refusal.reason.contains(word), "{bytes:x?}: {refusal}");
            assert!(!refusal.remedy.is_empty());
        };
        // nop10 of compilers and assemblers: cs prefix
        refused(&[0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0], "prefix 0x2e");
        refused(&[0x3e, 0xff, 0xe0], "prefix 0x3e");
        refused(&[0xf0, 0x48, 0x0f, 0xb1, 0x37], "prefix 0xf0");
        refused(&[0xcc, 0x55], "breakpoint");
        refused(&[0xf4], "hlt");
        refused(&[0x66, 0xe9, 0, 0, 0, 0], "16 bits");
        refused(&[0x49, 0x90], "xchg");
        refused(&[0x62, 0xf1, 0x7c, 0x48, 0x28, 0xc1], "vmovaps");
        refused(&[], "no whole instruction");
        refused(&[0x48], "no whole instruction");
        // invalid in 64-bit mode
        refused(&[0x06], "no whole instruction");
    }

    #[test]
    fn an_instruction_that_crosses_the_end_of_its_symbol_is_no_site() {
        let bytes = [0x48, 0x89, 0xe5, 0xc3];
        assert!(choose(&Function { bytes: &bytes, size: 2 }, When::Entry, &NEW).is_err());
        assert!(choose(&Function { bytes: &bytes, size: 0 }, When::Entry, &NEW).is_ok());
    }

    /// Go 1.23 runtime.hashGrow: cmp rsp, [r14+0x10]; jbe near; push rbp; mov rbp, rsp; sub rsp, 0x28;
    /// ...; the way to the stack's growth, which jumps back to the start.
    const GO_1_23: [u8; 29] = [
        0x49, 0x3b, 0x66, 0x10, 0x0f, 0x86, 0x0a, 0, 0, 0, 0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x28,
        0x5d, 0xc3, 0xe8, 0, 0, 0, 0, 0xeb, 0xe5, 0xcc, 0xcc,
    ];

    #[test]
    fn go_since_1_21_is_probed_on_the_push_behind_its_stack_check() {
        let site = entry(&GO_1_23, &NEW).unwrap();
        assert_eq!((site.offset, site.class, site.skip_if_below), (10, Class::Push, false));
        // Large frame: lea r12, [rsp-0xf8]; cmp r12, [r14+0x10]; jbe near; push rbp; mov rbp, rsp
        let large = [
            0x4c, 0x8d, 0xa4, 0x24, 0x08, 0xff, 0xff, 0xff, 0x4d, 0x3b, 0x66, 0x10, 0x0f, 0x86, 0x40, 0, 0,
            0, 0x55, 0x48, 0x89, 0xe5,
        ];
        assert_eq!(chosen(&large, &NEW), (0x12, Class::Push, 484));
        // System stack: cmp rsp, [r14+0x18]; jbe short; push rbp
        assert_eq!(chosen(&[0x49, 0x3b, 0x66, 0x18, 0x76, 0x20, 0x55, 0x48], &NEW).0, 6);
    }

    #[test]
    fn go_until_1_20_is_probed_on_the_branch_of_its_stack_check() {
        // Go 1.19: cmp rsp, [r14+0x10]; jbe near; sub rsp, 0x30; mov [rsp+0x28], rbp
        let code = [
            0x49, 0x3b, 0x66, 0x10, 0x0f, 0x86, 0x80, 0, 0, 0, 0x48, 0x83, 0xec, 0x30, 0x48, 0x89, 0x6c,
            0x24, 0x28,
        ];
        let site = entry(&code, &NEW).unwrap();
        assert_eq!((site.offset, site.class, site.skip_if_below), (4, Class::JumpConditional, true));
        // Medium frame: lea r12, [rsp-0x58]; cmp r12, [r14+0x10]; jbe near; sub rsp, 0xd8
        let medium = [
            0x4c, 0x8d, 0x64, 0x24, 0xa8, 0x4d, 0x3b, 0x66, 0x10, 0x0f, 0x86, 0, 2, 0, 0, 0x48, 0x81, 0xec,
            0xd8, 0, 0, 0,
        ];
        assert_eq!(chosen(&medium, &NEW).0, 9);
    }

    #[test]
    fn a_go_function_without_stack_check_is_probed_at_its_entry() {
        // nosplit leaf: push rbp; mov rbp, rsp
        assert_eq!(chosen(&[0x55, 0x48, 0x89, 0xe5, 0x5d, 0xc3], &NEW).0, 0);
        // A compare with something else in r14 is no stack check.
        assert_eq!(chosen(&[0x49, 0x3b, 0x66, 0x20, 0x76, 0x20, 0x55], &NEW), (0, Class::SingleStep, 4580));
    }

    #[test]
    fn a_return_costs_its_own_and_is_refused_where_the_stack_moves() {
        let function = Function { bytes: &[0x90, 0x55, 0x5d, 0xc3], size: 4 };
        assert_eq!(choose(&function, When::EntryAndReturn, &NEW).unwrap().cost, Nanos(447 + 250));
        let go = Function { bytes: &GO_1_23, size: 0 };
        assert!(choose(&go, When::EntryAndReturn, &NEW).unwrap_err().reason.contains("stack moves"));
    }

    #[test]
    fn a_place_that_the_function_jumps_to_is_no_site_unless_it_is_the_first() {
        // endbr64; push rbp; jmp -3: the push is hit again and again
        assert_eq!(chosen(&[0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0xeb, 0xfd], &NEW), (0, Class::SingleStep, 4580));
        // push rbp; jmp -3
        assert_eq!(chosen(&[0x55, 0xeb, 0xfd], &NEW), (0, Class::Push, 484));
    }

    #[test]
    fn jumps_and_calls_are_emulated() {
        assert_eq!(chosen(&[0xe9, 0, 1, 0, 0], &OLD), (0, Class::Jump, 451));
        assert_eq!(chosen(&[0xeb, 0x10], &OLD), (0, Class::Jump, 451));
        assert_eq!(chosen(&[0xe8, 0, 1, 0, 0], &OLD), (0, Class::Call, 470));
        assert_eq!(chosen(&[0x74, 0x10], &OLD), (0, Class::JumpConditional, 448));
        // jmp rax is not
        assert_eq!(chosen(&[0xff, 0xe0], &OLD), (0, Class::SingleStep, 4580));
    }

    proptest! {
        #[test]
        fn a_site_is_always_a_whole_instruction_of_the_function(
            bytes in proptest::collection::vec(any::<u8>(), 0..64), size in 0..80_u64,
        ) {
            let function = Function { bytes: &bytes, size };
            for host in [NEW, OLD] {
                if let Ok(site) = choose(&function, When::Entry, &host) {
                    let at = usize::try_from(site.offset).unwrap();
                    prop_assert!(bytes[at..].starts_with(&site.bytes) && !site.bytes.is_empty());
                    prop_assert!(decode(&bytes).any(|instruction| instruction.ip() == site.offset));
                    prop_assert!(!(host.nop5_is_dangerous && site.class == Class::Nop5));
                }
            }
        }
    }
}
