//! The one way out: reserve, fill, submit, or count the loss. Also who is running, and whether that
//! is a target.

use auditor_ebpf::{Header, RING_BYTES, WAKE_BYTES, Wire, counter};
use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_boot_ns};

use crate::atomic;
use crate::maps::{COUNTERS, RING, TARGETS};

const _: () = assert!(WAKE_BYTES < RING_BYTES as u64);

/// CLOCK_BOOTTIME in ns.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the helper takes nothing and is allowed in every program type used here (since 5.8).
    unsafe { bpf_ktime_get_boot_ns() }
}

/// The current process (tgid) where it is a target.
#[inline(always)]
pub(crate) fn current_target() -> Option<u32> {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    is_target(pid).then_some(pid)
}

/// Whether a process is a target.
#[inline(always)]
pub(crate) fn is_target(pid: u32) -> bool {
    TARGETS.get_ptr(pid).is_some()
}

/// A header for the current thread, in the name of `pid`.
#[inline(always)]
pub(crate) fn header(kind: u32, pid: u32, at: u64) -> Header {
    Header {
        kind,
        pid,
        tid: bpf_get_current_pid_tgid() as u32,
        // SAFETY: the helper takes nothing.
        cpu: unsafe { bpf_get_smp_processor_id() },
        at,
    }
}

/// Counts a loss on this CPU.
#[inline(always)]
pub(crate) fn count(counter: u32) {
    add(COUNTERS.get_ptr_mut(counter));
}

/// Adds one to a per-CPU value.
#[inline(always)]
pub(crate) fn add(value: Option<*mut u64>) {
    if let Some(value) = value {
        // SAFETY: the pointer came from a lookup just now. Atomic even on one CPU, because a probe in
        // user code can be preempted here, and another thread's hit would be lost.
        unsafe { atomic::add(value, 1) };
    }
}

/// Reserves a record, lets `fill` write every field of it, and submits it.
#[inline(always)]
pub(crate) fn emit<T: Wire>(fill: impl FnOnce(*mut T)) {
    let Some(mut entry) = RING.reserve::<T>(0) else {
        count(counter::RING_FULL);
        return;
    };
    fill(entry.as_mut_ptr());
    entry.submit(wakeup());
}

/// Wakes the consumer only when much waits: a wake-up costs the target more than the record does.
/// The consumer's timer sees to stragglers.
#[inline(always)]
fn wakeup() -> u64 {
    if RING.query(u64::from(BPF_RB_AVAIL_DATA)) >= WAKE_BYTES {
        u64::from(BPF_RB_FORCE_WAKEUP)
    } else {
        u64::from(BPF_RB_NO_WAKEUP)
    }
}
