//! Memory syscalls, when they have ended: at the return of the five functions of the kernel that do
//! them, or where it does not allow that, on one raw tracepoint that every syscall of every process
//! goes through. Both give the same two words, and the registers still hold the arguments.
//!
//! match-proto:v4.17:arch/x86/include/asm/syscall_wrapper.h:long __x64_sys_mmap(const struct pt_regs *regs)
//! match-proto:v4.17:include/trace/events/syscalls.h:sys_exit(struct pt_regs *regs, long ret)

use auditor_ebpf::{SYSCALL_HITS, SyscallRecord, kind};
use aya_ebpf::bindings::pt_regs;
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::emit;
use crate::maps::HITS;

/// arch/x86/entry/syscalls/syscall_64.tbl; the numbers are part of the kernel's ABI.
const MMAP: u64 = 9;
const MUNMAP: u64 = 11;
const BRK: u64 = 12;
const MREMAP: u64 = 25;
const MADVISE: u64 = 28;

#[raw_tracepoint(tracepoint = "sys_exit")]
fn syscall(context: RawTracePointContext) -> i32 {
    let _: Option<()> = try_syscall(&context);
    0
}

#[inline(always)]
fn try_syscall(context: &RawTracePointContext) -> Option<()> {
    let pid = emit::current_target()?;
    emit::add(HITS.get_ptr_mut(SYSCALL_HITS));
    let regs: *const pt_regs = context.arg(0);
    // SAFETY: only the address is computed.
    let number = unsafe { &raw const (*regs).orig_rax };
    // SAFETY: the helper checks the address.
    let number = unsafe { bpf_probe_read_kernel(number) }.ok()?;
    if !matches!(number, MMAP | MUNMAP | BRK | MREMAP | MADVISE) {
        return None;
    }
    // SAFETY: the helper checks the address.
    let regs = unsafe { bpf_probe_read_kernel(regs) }.ok()?;
    let result: i64 = context.arg(1);
    emit::emit::<SyscallRecord>(|record| {
        // SAFETY: `record` points to a reserved record of that type.
        unsafe {
            record.write(SyscallRecord {
                header: emit::header(kind::SYSCALL, pid, emit::now()),
                number,
                args: [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8],
                result,
            });
        }
    });
    Some(())
}
