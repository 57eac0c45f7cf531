//! RSS of the targets, at each change of at least the step. A target's memory is known by its mm,
//! not by who is running: reclaim and other processes move it too.
//!
//! The classic tracepoint sums the counters of all CPUs at each event; the raw one lets us read the
//! shared part of the counter, which is off by at most 2 x CPUs x 32 pages.
//!
//! match-proto:v5.5:include/trace/events/kmem.h:rss_stat(struct mm_struct *mm, int member, ...)

use auditor_ebpf::{RssKey, RssRecord, kind};
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::helpers::generated::bpf_get_current_task;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;

use crate::config::{MM_RSS_STAT, PAGE_SHIFT, RSS_STEP, RSS_STRIDE, RSS_VALUE, TASK_FLAGS, TASK_MM};
use crate::emit;
use crate::maps::{RSS, SPACES};

/// NR_MM_COUNTERS of include/linux/mm_types_task.h.
const MEMBERS: u32 = 4;

#[raw_tracepoint(tracepoint = "rss_stat")]
fn rss(context: RawTracePointContext) -> i32 {
    let _: Option<()> = try_rss(&context);
    0
}

#[inline(always)]
fn try_rss(context: &RawTracePointContext) -> Option<()> {
    let mm: u64 = context.arg(0);
    let member: u32 = context.arg(1);
    if member >= MEMBERS {
        return None;
    }
    let current = emit::current_target();
    let pid = owner(mm, current)?;
    let bytes = value(mm, member)?;
    let key = RssKey { mm, member: u64::from(member) };
    // SAFETY: read at once; another CPU may replace it, which costs one record more or less.
    let sent = unsafe { RSS.get(key) }.copied();
    if sent.is_some_and(|sent| sent.abs_diff(bytes) < u64::from(RSS_STEP.load())) {
        return None;
    }
    if current == Some(pid) && is_exiting() {
        return None;
    }
    RSS.insert(key, bytes, 0).ok()?;
    emit::emit::<RssRecord>(|record| {
        // SAFETY: `record` points to a reserved record of that type.
        unsafe {
            record.write(RssRecord {
                header: emit::header(kind::RSS, pid, emit::now()),
                member,
                external: u32::from(current != Some(pid)),
                bytes,
            });
        }
    });
    Some(())
}

/// Whether the current task is on its way out: what it gives back then says nothing about what it
/// held. `PF_EXITING` of include/linux/sched.h.
#[inline(always)]
fn is_exiting() -> bool {
    const EXITING: u64 = 4;
    // SAFETY: the helper takes nothing.
    let task = unsafe { bpf_get_current_task() };
    read(task + u64::from(TASK_FLAGS.load())).is_some_and(|flags| flags & EXITING != 0)
}

/// Whose memory it is. Learnt when a target first moves its own; a process's mm changes at exec.
#[inline(always)]
fn owner(mm: u64, current: Option<u32>) -> Option<u32> {
    // SAFETY: read at once.
    if let Some(pid) = unsafe { SPACES.get(mm) } {
        return Some(*pid);
    }
    let pid = current?;
    // SAFETY: the helper takes nothing.
    let task = unsafe { bpf_get_current_task() };
    if read(task + u64::from(TASK_MM.load()))? != mm {
        return None;
    }
    SPACES.insert(mm, pid, 0).ok()?;
    Some(pid)
}

/// Forgets whose the current task's memory is: its last thread goes, and what is given back from here on,
/// by whoever holds the memory last, says nothing about what it held.
#[inline(always)]
pub(crate) fn forget_owner() {
    // SAFETY: the helper takes nothing.
    let task = unsafe { bpf_get_current_task() };
    if let Some(mm) = read(task + u64::from(TASK_MM.load())) {
        let _: Option<()> = SPACES.remove(mm).ok();
    }
}

/// A counter in bytes; the shared part may be negative for a moment.
#[inline(always)]
fn value(mm: u64, member: u32) -> Option<u64> {
    let offset = MM_RSS_STAT.load() + member * RSS_STRIDE.load() + RSS_VALUE.load();
    let pages = read(mm + u64::from(offset))? as i64;
    let pages = if pages < 0 { 0 } else { pages as u64 };
    Some(pages << (PAGE_SHIFT.load() & 63))
}

#[inline(always)]
fn read(at: u64) -> Option<u64> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel(at as *const u64) }.ok()
}
