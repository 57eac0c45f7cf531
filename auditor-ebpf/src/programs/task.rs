//! What becomes of the process: fork, exec, exit, chosen by the OOM killer.

use auditor_ebpf::{TaskRecord, counter, kind, target, task};
use aya_ebpf::helpers::bpf_probe_read_kernel;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use aya_log_ebpf::debug;

use super::{look, rss};
use crate::config::{EXIT_BEFORE_MM, FOLLOW, OOM_GIVES_TASK, TASK_TGID};
use crate::emit;
use crate::maps::TARGETS;

/// match-proto:v2.6:include/trace/events/sched.h:sched_process_fork(struct task_struct *parent, struct task_struct *child)
#[raw_tracepoint(tracepoint = "sched_process_fork")]
fn fork(context: RawTracePointContext) -> i32 {
    let Some(parent) = emit::current_target() else { return 0 };
    let Some(child) = tgid_of(context.arg(1)) else { return 0 };
    if child != parent {
        adopt(child);
        send(task::FORK, parent, child);
    }
    0
}

/// Makes a child a target before it runs.
#[inline(always)]
fn adopt(child: u32) {
    if FOLLOW.load() == 1 && TARGETS.insert(child, target::KIN, 0).is_err() {
        emit::count(counter::TARGETS_FULL);
    }
}

/// match-proto:v3.4:include/trace/events/sched.h:sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
#[raw_tracepoint(tracepoint = "sched_process_exec")]
fn exec(_context: RawTracePointContext) -> i32 {
    if let Some(pid) = emit::current_target() {
        send(task::EXEC, pid, 0);
        disown(pid);
    }
    0
}

/// A child that runs another program is none of the family any more.
#[inline(always)]
fn disown(pid: u32) {
    // SAFETY: read at once.
    if unsafe { TARGETS.get(pid) }.copied() == Some(target::KIN) {
        let _: Option<()> = TARGETS.remove(pid).ok();
    }
}

/// Before 6.16 this comes after the memory has gone and does not tell which thread is the last; the
/// agent then knows of the end by the pidfd alone.
///
/// match-proto:v6.16:include/trace/events/sched.h:sched_process_exit(struct task_struct *p, bool group_dead)
#[raw_tracepoint(tracepoint = "sched_process_exit")]
fn exit(context: RawTracePointContext) -> i32 {
    let Some(pid) = emit::current_target() else { return 0 };
    let last_thread: u8 = if EXIT_BEFORE_MM.load() == 1 { context.arg(1) } else { 0 };
    if last_thread != 0 {
        debug!(&context, "{} exits", pid);
        look::at_exit(pid);
        send(task::EXIT, pid, 0);
        rss::forget_owner();
        // The number may be given to another process before the agent has seen the end of this one.
        let _: Option<()> = TARGETS.remove(pid).ok();
    }
    0
}

/// match-proto:v4.13:include/trace/events/oom.h:mark_victim(int pid)
/// match-proto:v6.8:include/trace/events/oom.h:mark_victim(struct task_struct *task, uid_t uid)
#[raw_tracepoint(tracepoint = "mark_victim")]
fn oom(context: RawTracePointContext) -> i32 {
    let victim = if OOM_GIVES_TASK.load() == 1 { tgid_of(context.arg(0)) } else { Some(context.arg(0)) };
    if let Some(pid) = victim
        && emit::is_target(pid)
    {
        send(task::OOM_MARK, pid, 0);
    }
    0
}

#[inline(always)]
fn tgid_of(task: u64) -> Option<u32> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_kernel((task + u64::from(TASK_TGID.load())) as *const u32) }.ok()
}

#[inline(always)]
fn send(event: u32, pid: u32, other: u32) {
    emit::emit::<TaskRecord>(|record| {
        // SAFETY: `record` points to a reserved record of that type.
        unsafe {
            record.write(TaskRecord { header: emit::header(kind::TASK, pid, emit::now()), event, other });
        }
    });
}
