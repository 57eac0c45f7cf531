//! The generic hook: one program for every function of every runtime. The attach cookie is the
//! index of the spec that says what to capture and what to do with it. `hook_return` is its other
//! half for specs that want the return value.

use auditor_ebpf::{
    CAPTURES, HookHeaderRecord, HookRecord, LOOK_BYTES, Pending, PendingKey, Spec, Tally, TallyKey, Watch,
    WatchKey, counter, flag, kind, mode,
};
use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::BPF_F_USER_STACK;
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::{bpf_get_attach_cookie, bpf_get_stackid, bpf_probe_read_user};
use aya_ebpf::macros::{uprobe, uretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};

use crate::capture::Registers;
use crate::maps::{HITS, PENDING, SPECS, STACKS, TALLIES, WATCHES};
use crate::{atomic, capture, emit};

/// Bit of `failed` that says that the header could not be copied.
const HEADER_FAILED: u32 = 1 << 31;

#[uprobe]
fn hook(context: ProbeContext) -> u32 {
    // SAFETY: the context of a uprobe is its registers.
    let regs = Registers::of(unsafe { &*context.regs });
    let _: Option<()> = try_hook(&context, &regs);
    0
}

#[inline(always)]
fn try_hook(context: &ProbeContext, regs: &Registers) -> Option<()> {
    let pid = emit::current_target()?;
    // SAFETY: the helper takes the context as it came.
    let index = unsafe { bpf_get_attach_cookie(context.as_ptr()) } as u32;
    let spec = SPECS.get(index)?;
    if spec.flags & flag::SKIP_IF_BELOW != 0 && regs.is_below() {
        return None;
    }
    emit::add(HITS.get_ptr_mut(index));
    if spec.filter != u32::MAX && capture::at(spec, spec.filter, regs)? < spec.at_least {
        return None;
    }
    if spec.mode == mode::COUNT {
        return tally(TallyKey { spec: index, pid, key: capture::at(spec, spec.key, regs)? });
    }
    let mut call =
        Pending { at: emit::now(), stack: -1, caller: caller(regs), failed: 0, values: [0; CAPTURES] };
    call.failed = u64::from(capture::all(spec, regs, &mut call.values));
    if call.failed != 0 {
        emit::count(counter::CAPTURE_FAILED);
    }
    if spec.flags & flag::STACK != 0 {
        call.stack = stack(context);
    }
    let key = key_of(spec, &call);
    if spec.flags & flag::WATCH != 0 {
        watch(WatchKey { map: key, pid: u64::from(pid) }, Watch { len: spec.header_len, tag: index });
    }
    if spec.flags & flag::PAIR != 0 {
        return wait(index, &call);
    }
    send(spec, index, pid, &call, None);
    Some(())
}

#[uretprobe]
fn hook_return(context: RetProbeContext) -> u32 {
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
    let call = (unsafe { PENDING.get(key) }).copied()?;
    PENDING.remove(key).ok()?;
    send(spec, index, pid, &call, Some(context.ret()));
    Some(())
}

/// Counts a hit of a (hook, map) pair.
#[inline(always)]
fn tally(key: TallyKey) -> Option<()> {
    let now = emit::now();
    if let Some(tally) = TALLIES.get_ptr_mut(key) {
        // SAFETY: the pointer came from a lookup just now; entries are removed by the agent only
        // after the process has gone.
        let count = unsafe { &raw mut (*tally).count };
        // SAFETY: as above.
        unsafe { atomic::add(count, 1) };
        // SAFETY: as above; whichever store comes last is a time at which it moved.
        unsafe { (*tally).last = now };
        return Some(());
    }
    if TALLIES.insert(key, Tally { count: 1, last: now }, 0).is_err() {
        emit::count(counter::TALLY_FULL);
    }
    Some(())
}

/// Keeps a call until it returns.
#[inline(always)]
fn wait(index: u32, call: &Pending) -> Option<()> {
    let key = PendingKey { pid_tgid: bpf_get_current_pid_tgid(), spec: u64::from(index) };
    if PENDING.insert(key, call, 0).is_err() {
        emit::count(counter::PENDING_FULL);
    }
    Some(())
}

/// Has a map's header copied when the process exits.
#[inline(always)]
fn watch(key: WatchKey, watch: Watch) {
    if WATCHES.get_ptr(key).is_none() && WATCHES.insert(key, watch, 0).is_err() {
        emit::count(counter::WATCH_FULL);
    }
}

/// Sends a hit, with the map's header where the spec asks for it.
#[inline(always)]
fn send(spec: &Spec, index: u32, pid: u32, call: &Pending, returned: Option<u64>) {
    if spec.flags & flag::HEADER == 0 {
        // SAFETY: `record` points to a reserved record of that type.
        emit::emit::<HookRecord>(|record| unsafe {
            record.write(hit(kind::HOOK, index, pid, call, returned))
        });
        return;
    }
    let key = key_of(spec, call);
    emit::emit::<HookHeaderRecord>(|record| {
        // SAFETY: `record` points to a reserved record of that type.
        let hook = unsafe { &raw mut (*record).hook };
        // SAFETY: as above.
        let bytes = unsafe { &raw mut (*record).bytes };
        let mut filled = hit(kind::HOOK_HEADER, index, pid, call, returned);
        if !copy(bytes, spec.header_len, key) {
            filled.failed |= HEADER_FAILED;
        }
        // SAFETY: `hook` points into the reserved record.
        unsafe { hook.write(filled) };
    });
}

#[inline(always)]
fn hit(kind: u32, index: u32, pid: u32, call: &Pending, returned: Option<u64>) -> HookRecord {
    let at = if returned.is_some() { emit::now() } else { call.at };
    HookRecord {
        header: emit::header(kind, pid, at),
        spec: index,
        failed: call.failed as u32,
        stack: call.stack,
        caller: call.caller,
        took: at - call.at,
        returned: returned.unwrap_or(0),
        values: call.values,
    }
}

/// Copies `len` bytes of the target's memory; the rest is zero.
#[inline(always)]
pub(crate) fn copy(into: *mut [u8; LOOK_BYTES], len: u32, from: u64) -> bool {
    // SAFETY: `into` points to that many bytes of a reserved record.
    unsafe { into.write([0; LOOK_BYTES]) };
    let len = if len > LOOK_BYTES as u32 { LOOK_BYTES as u32 } else { len };
    // SAFETY: the length is at most the size of `into`; the helper checks the source.
    unsafe { bpf_probe_read_user(into.cast(), len, from as *const _) == 0 }
}

#[inline(always)]
fn key_of(spec: &Spec, call: &Pending) -> u64 {
    call.values.get(spec.key as usize).copied().unwrap_or(0)
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

/// The user stack's id, or the negative errno.
#[inline(always)]
fn stack(context: &ProbeContext) -> i64 {
    // SAFETY: the context as it came, and a map of the type that the helper takes.
    let id = unsafe {
        bpf_get_stackid(context.as_ptr(), (&raw const STACKS).cast_mut().cast(), u64::from(BPF_F_USER_STACK))
    };
    if id < 0 {
        emit::count(counter::STACK_FAILED);
    }
    id
}
