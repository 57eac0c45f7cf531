//! The generic hook: one program for every function of every runtime. The attach cookie is the
//! index of the spec that says what to capture and what to do with it. `hook_return` is its other
//! half for specs that want the return value.

use auditor_ebpf::{CAPTURES, Pending, PendingKey, Spec, TallyKey, Watch, WatchKey, counter, flag, mode};
use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::{bpf_get_attach_cookie, bpf_probe_read_user};
use aya_ebpf::macros::{uprobe, uretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};

use crate::capture::Registers;
use crate::maps::{HITS, PENDING, SPECS};
use crate::send::{key_of, send};
use crate::{capture, emit, keep, stack, thread};

#[uprobe]
fn hook(context: ProbeContext) -> u32 {
    thread::stay_on_its_stack(&context);
    // SAFETY: the context of a uprobe is its registers.
    let regs = Registers::of(unsafe { &*context.regs });
    let _: Option<()> = try_hook(&context, &regs);
    0
}

#[inline(always)]
fn try_hook(context: &ProbeContext, regs: &Registers) -> Option<()> {
    // SAFETY: the helper takes the context as it came.
    let index = unsafe { bpf_get_attach_cookie(context.as_ptr()) } as u32;
    let Some(pid) = emit::current_target() else { return keep::strange(index) };
    let spec = SPECS.get(index)?;
    if spec.flags & flag::SKIP_IF_BELOW != 0 && regs.is_below() {
        return None;
    }
    emit::add(HITS.get_ptr_mut(index));
    if spec.filter != u32::MAX {
        let value = needed(spec, spec.filter, regs)?;
        if value < spec.at_least || value > spec.at_most {
            return None;
        }
    }
    if spec.mode == mode::COUNT {
        return keep::tally(TallyKey { spec: index, pid, key: needed(spec, spec.key, regs)? });
    }
    let mut call =
        Pending { at: emit::now(), stack: -1, caller: caller(regs), failed: 0, values: [0; CAPTURES] };
    call.failed = u64::from(capture::all(spec, regs, &mut call.values)) & !spec.late;
    count_failed(spec, &call);
    if spec.flags & flag::STACK != 0 {
        call.stack = stack::of(context);
    }
    let key = key_of(spec, &call);
    if spec.flags & flag::WATCH != 0 {
        keep::watch(WatchKey { map: key, pid: u64::from(pid) }, Watch { len: spec.header_len, tag: index });
    }
    if spec.flags & flag::PAIR != 0 {
        return keep::call(index, &call);
    }
    send(spec, index, pid, &call, None);
    Some(())
}

/// Counts a hit with captures that could not be read, unless that is nothing to wonder at.
#[inline(always)]
fn count_failed(spec: &Spec, call: &Pending) {
    if call.failed != 0 && spec.flags & flag::LENIENT == 0 {
        emit::count(counter::CAPTURE_FAILED);
    }
}

/// A capture without which nothing can be done with the hit: where it cannot be read, the hit is lost.
#[inline(always)]
fn needed(spec: &Spec, index: u32, regs: &Registers) -> Option<u64> {
    let value = capture::at(spec, index, regs);
    if value.is_none() {
        emit::count(counter::CAPTURE_FAILED);
    }
    value
}

#[uretprobe]
fn hook_return(context: RetProbeContext) -> u32 {
    thread::stay_on_its_stack(&context);
    let _: Option<()> = try_return(&context);
    0
}

#[inline(always)]
fn try_return(context: &RetProbeContext) -> Option<()> {
    let pid = emit::current_target()?;
    // SAFETY: the helper takes the context as it came.
    let index = unsafe { bpf_get_attach_cookie(context.as_ptr()) } as u32;
    let spec = SPECS.get(index)?;
    let key = PendingKey { pid_tgid: bpf_get_current_pid_tgid(), spec: u64::from(index) };
    // SAFETY: the entry is this thread's own; it is copied before it is removed.
    // Without one the call began before the audit did, or its loss was counted at its entry.
    let mut call = (unsafe { PENDING.get(key) }).copied()?;
    PENDING.remove(key).ok()?;
    if spec.late != 0 {
        // SAFETY: the context of a uretprobe is its registers.
        let mut regs = Registers::of(unsafe { &*context.regs });
        capture::late(spec, &mut regs, &mut call);
        count_failed(spec, &call);
    }
    send(spec, index, pid, &call, Some(context.ret()));
    Some(())
}

/// The word at the stack pointer: at an entry the return address, which a walk by frame pointers
/// misses because the frame is not set up yet.
#[inline(always)]
fn caller(regs: &Registers) -> u64 {
    let mut word = 0_u64;
    // SAFETY: `word` has room for 8 bytes; the helper checks the source.
    unsafe { bpf_probe_read_user((&raw mut word).cast(), 8, regs.stack_pointer() as *const _) };
    word
}
