//! The kernel events that an audit listens to, one row each.

use super::host::{Host, KernelTypes};
use auditor_ebpf::program;

/// A kernel event.
#[derive(Debug)]
pub struct KernelEvent {
    /// Program in the object.
    pub program: &'static str,
    /// Raw tracepoint.
    pub tracepoint: &'static str,
    /// What is not known without it.
    pub tells: &'static str,
    /// Whether the kernel's types allow it.
    needs: fn(&KernelTypes) -> Result<(), &'static str>,
}

/// All of them, in the order in which they are attached.
pub const EVENTS: &[KernelEvent] = &[
    KernelEvent {
        program: program::SYSCALL,
        tracepoint: "sys_exit",
        tells: "mmap, munmap, mremap, brk and madvise",
        needs: |_| Ok(()),
    },
    KernelEvent {
        program: program::RSS,
        tracepoint: "rss_stat",
        tells: "RSS between two readings of /proc",
        needs: |_| Ok(()),
    },
    KernelEvent {
        program: program::FORK,
        tracepoint: "sched_process_fork",
        tells: "children",
        needs: |_| Ok(()),
    },
    KernelEvent {
        program: program::EXEC,
        tracepoint: "sched_process_exec",
        tells: "that the program is replaced",
        needs: |_| Ok(()),
    },
    KernelEvent {
        program: program::EXIT,
        tracepoint: "sched_process_exit",
        tells: "the maps as they were at the exit",
        needs: |types| {
            if types.exit_before_mm {
                Ok(())
            } else {
                Err("before Linux 6.16 it comes after the memory has gone")
            }
        },
    },
    KernelEvent {
        program: program::OOM,
        tracepoint: "mark_victim",
        tells: "that the kernel chose the target as out-of-memory victim",
        needs: |types| types.oom_gives_task.map(|_| ()).ok_or("this kernel has no such tracepoint"),
    },
];

impl KernelEvent {
    /// Whether this host has it, and it is not among those to do without.
    ///
    /// # Errors
    /// Why not.
    pub fn offered(&self, host: &Host, without: &[String]) -> Result<(), String> {
        if without.iter().any(|name| name == self.tracepoint) {
            return Err("left out by --no-feature".to_owned());
        }
        if self.program == program::SYSCALL {
            return Ok(());
        }
        let types = host.types.as_ref().map_err(Clone::clone)?;
        (self.needs)(types).map_err(str::to_owned)
    }
}
