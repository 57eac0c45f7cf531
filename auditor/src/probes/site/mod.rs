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
//! A place amid a function ([`choose_at`]) is chosen by whoever knows the function; here it is asked whether
//! an instruction begins there at all, and whether that one may be touched.

mod instruction;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

use crate::audit::unit::Nanos;
use crate::runtimes::hook::When;
pub use instruction::{CALL, Class, Host, JUMP, JUMP_CONDITIONAL, LONG_NOP, NOP1, PUSH, RETURN, SINGLE_STEP};
use instruction::{is_nop, judge, text};

/// Bytes kept of a site, to compare with memory: more than any instruction has.
const KEPT: usize = 16;
/// Most instructions of a prologue that are looked at.
const PROLOGUE: usize = 16;
/// Most bytes of a function whose jumps are looked at.
const BODY: usize = 64 << 10;
/// Most bytes of a function that are decoded to reach a place amid it.
const REACH: usize = 1 << 20;
/// A function as its file has it.
#[derive(Clone, Copy, Debug)]
pub struct Function<'a> {
    /// Its bytes, from the symbol's address on; all of them, for the jumps among them.
    pub bytes: &'a [u8],
    /// What the symbol says of its length; 0: nothing.
    pub size: u64,
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
    let bytes = code(function, BODY)?;
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

/// Judges the instruction at a place amid a function, `offset` bytes from its symbol: a call of interest, say. A
/// hit is one run of that instruction, in loops, too; registers are as the function has them just before it.
///
/// # Errors
/// [`Refusal`]: no instruction begins there, as decoded from the symbol on; the kernel must not touch the one
/// that does; or the return is wanted, while a return address is where the stack pointer points only in
/// front of the function's first change.
pub fn choose_at(function: &Function<'_>, offset: u64, when: When, host: &Host) -> Result<Site, Refusal> {
    let bytes = code(function, REACH)?;
    let at = instruction_at(bytes, offset)?;
    if when == When::EntryAndReturn {
        let (candidates, is_go) = candidates(bytes)?;
        if is_go || candidates.iter().all(|candidate| candidate.at.ip() != offset) {
            return Err(refusal(
                "amid a function its return cannot be probed: the return address is no longer on top of the stack",
                "probe this place alone, or the function from its entry",
            ));
        }
    }
    site(&Candidate { at, skip_if_below: false }, bytes, &[], when, host)
}

/// The instruction that begins `offset` bytes from the first one.
fn instruction_at(bytes: &[u8], offset: u64) -> Result<Instruction, Refusal> {
    let last = decode(bytes).take_while(|at| at.ip() <= offset).last().ok_or_else(not_code)?;
    if last.ip() == offset {
        return Ok(last);
    }
    let reason = if offset < last.next_ip() {
        format!("no instruction begins at +{offset:#x}: it is within `{}` at +{:#x}", text(&last), last.ip())
    } else {
        format!("no instruction begins at +{offset:#x}: the function, as far as it is code, ends before")
    };
    Err(Refusal { reason, remedy: "check that the description is of this very file (build id)" })
}

/// The bytes that belong to the function, at most so many.
fn code<'a>(function: &Function<'a>, most: usize) -> Result<&'a [u8], Refusal> {
    let size =
        if function.size == 0 { usize::MAX } else { usize::try_from(function.size).unwrap_or(usize::MAX) };
    let bytes = &function.bytes[..function.bytes.len().min(size).min(most)];
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

/// Leaves every register, the flags and the stack as they are.
fn is_transparent(at: &Instruction) -> bool {
    at.mnemonic() == Mnemonic::Endbr64 || is_nop(at)
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

    fn at(bytes: &[u8], offset: u64, when: When) -> Result<Site, Refusal> {
        choose_at(&Function { bytes, size: bytes.len() as u64 }, offset, when, &NEW)
    }

    /// push rbp; mov rbp, rsp; mov rdi, [rbx+8]; call; test eax, eax; je to the call; nop5; leave; ret
    const CALLING: [u8; 25] = [
        0x55, 0x48, 0x89, 0xe5, 0x48, 0x8b, 0x7b, 0x08, 0xe8, 0, 1, 0, 0, 0x85, 0xc0, 0x74, 0xf7, 0x0f, 0x1f,
        0x44, 0x00, 0x00, 0xc9, 0xc3, 0x90,
    ];

    #[test]
    fn a_call_amid_a_function_is_probed_where_it_is_though_the_function_jumps_to_it() {
        let site = at(&CALLING, 8, When::Entry).unwrap();
        assert_eq!((site.offset, site.class, site.cost), (8, Class::Call, CALL));
        assert!(site.instruction.starts_with("call"));
        assert_eq!(site.bytes[..5], CALLING[8..13]);
        assert_eq!(at(&CALLING, 1, When::Entry).unwrap().class, Class::SingleStep);
        assert_eq!(at(&CALLING, 24, When::Entry).unwrap().class, Class::Nop1);
    }

    #[test]
    fn a_place_within_an_instruction_or_behind_the_function_is_none() {
        let reason = |bytes: &[u8], offset| at(bytes, offset, When::Entry).unwrap_err().reason;
        assert!(reason(&CALLING, 9).contains("within `call"), "{}", reason(&CALLING, 9));
        assert!(reason(&CALLING, 9).contains("at +0x8"));
        assert!(reason(&CALLING, 25).contains("ends before"));
        assert!(reason(&CALLING, u64::MAX).contains("ends before"));
        // Behind what is no code nothing is known.
        assert!(reason(&[0x55, 0x06, 0x55], 2).contains("ends before"));
        assert!(reason(&[], 0).contains("no whole instruction"));
    }

    #[test]
    fn what_must_not_be_touched_is_not_amid_a_function_either() {
        assert!(at(&CALLING, 17, When::Entry).unwrap_err().reason.contains("5-byte nop"));
    }

    #[test]
    fn a_return_is_probed_only_where_its_address_is_on_top_of_the_stack() {
        assert!(at(&CALLING, 0, When::EntryAndReturn).is_ok());
        assert!(at(&[0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0xc3], 4, When::EntryAndReturn).is_ok());
        for offset in [1, 8] {
            assert!(
                at(&CALLING, offset, When::EntryAndReturn).unwrap_err().reason.contains("top of the stack")
            );
        }
        assert!(at(&GO_1_23, 10, When::EntryAndReturn).is_err());
    }

    proptest! {
        #[test]
        fn a_place_amid_a_function_is_a_whole_instruction_or_refused(
            bytes in proptest::collection::vec(any::<u8>(), 0..64), offset in 0..70_u64, paired in any::<bool>(),
        ) {
            let when = if paired { When::EntryAndReturn } else { When::Entry };
            let function = Function { bytes: &bytes, size: 0 };
            let starts: Vec<u64> = decode(&bytes).map(|at| at.ip()).collect();
            if let Ok(site) = choose_at(&function, offset, when, &NEW) {
                prop_assert!(site.offset == offset && starts.contains(&offset));
            } else {
                prop_assert!(paired || !starts.contains(&offset) || choose_at(&function, offset, when, &OLD).is_err()
                    || decode(&bytes).any(|at| at.ip() == offset && at.len() == 5 && is_nop(&at)));
            }
        }

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
