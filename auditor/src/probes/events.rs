//! The kernel events that an audit listens to, one row each.

use super::host::{Host, KernelTypes};
use super::plan;
use crate::audit::unit::Nanos;
use auditor_ebpf::{SYSCALL_HITS, program};

/// The feature of [`Way::Returns`], for those who do without.
pub const RETURNS: &str = "fexit";

/// A kernel event.
#[derive(Debug)]
pub struct KernelEvent {
    /// Program in the object.
    pub program: &'static str,
    /// Raw tracepoint.
    pub tracepoint: &'static str,
    /// What is not known without it.
    pub tells: &'static str,
    /// Where its hits are counted. Such an event may come so often that the budget does not allow it.
    pub(super) counted_at: Option<u32>,
    /// Whether the kernel's types allow it.
    needs: fn(&KernelTypes) -> Result<(), &'static str>,
}

/// How an event reaches its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a raw tracepoint.
    Tracepoint,
    /// By the returns of the functions of the kernel that tell of it, which nobody else pays for.
    Returns,
}

/// What a syscall of the target takes longer with the raw tracepoint `sys_exit`: the kernel's slow way into
/// and out of syscalls, and our program. In a loop of one syscall 140 ns, of which 80 without any program;
/// in a server, whose caches have other things to hold, 350 (docs/bench.md).
const SYSCALL_COST: Nanos = Nanos(350);
/// What a memory syscall takes longer with a program at its return.
const RETURN_COST: Nanos = Nanos(100);

/// All of them, in the order in which they are attached.
pub const EVENTS: &[KernelEvent] = &[
    KernelEvent {
        program: program::SYSCALL,
        tracepoint: "sys_exit",
        tells: "mmap, munmap, mremap, brk and madvise",
        counted_at: Some(SYSCALL_HITS),
        needs: |_| Ok(()),
    },
    KernelEvent {
        program: program::RSS,
        tracepoint: "rss_stat",
        tells: "RSS between two readings of /proc",
        counted_at: None,
        needs: |_| Ok(()),
    },
    KernelEvent {
        program: program::FORK,
        tracepoint: "sched_process_fork",
        tells: "children",
        counted_at: None,
        needs: |_| Ok(()),
    },
    KernelEvent {
        program: program::EXEC,
        tracepoint: "sched_process_exec",
        tells: "that the program is replaced",
        counted_at: None,
        needs: |_| Ok(()),
    },
    KernelEvent {
        program: program::EXIT,
        tracepoint: "sched_process_exit",
        tells: "the maps as they were at the exit",
        counted_at: None,
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
        counted_at: None,
        needs: |types| types.oom_gives_task.map(|_| ()).ok_or("this kernel has no such tracepoint"),
    },
];

/// The event of a hook's number.
pub(super) fn of(hook: u32) -> Option<&'static KernelEvent> {
    EVENTS.get(hook.checked_sub(plan::EVENT_IDS)? as usize)
}

impl KernelEvent {
    /// Whether it is governed as hooks are.
    #[must_use]
    pub const fn is_governed(&self) -> bool {
        self.counted_at.is_some()
    }

    /// What a hit takes from the target; 0 where hits are not counted.
    #[must_use]
    pub const fn cost(&self, way: Way) -> Nanos {
        match way {
            _ if self.counted_at.is_none() => Nanos(0),
            Way::Tracepoint => SYSCALL_COST,
            Way::Returns => RETURN_COST,
        }
    }

    /// Where it is heard, for reports.
    #[must_use]
    pub fn place(&self, way: Way) -> String {
        match way {
            Way::Tracepoint => format!("raw tracepoint {}", self.tracepoint),
            Way::Returns => format!("returns of {} in the kernel", self.tells),
        }
    }

    /// The functions whose returns tell of it, by their numbers; none where its tracepoint has to do: the
    /// kernel does not describe them, or somebody does without. A filter of seccomp may answer a syscall
    /// before its function is called, so a process that has one is heard at the tracepoint.
    #[must_use]
    pub fn functions<'a>(&self, host: &'a Host, without: &[String], filtered: bool) -> &'a [u32] {
        let left_out = filtered || without.iter().any(|name| name == RETURNS);
        match &host.types {
            Ok(types) if self.program == program::SYSCALL && !left_out => {
                types.memory_syscalls.as_ref().map_or(&[], |functions| functions)
            }
            _ => &[],
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn syscalls() -> &'static KernelEvent {
        EVENTS.iter().find(|event| event.program == program::SYSCALL).unwrap()
    }

    #[test]
    fn functions_are_asked_unless_a_filter_may_answer_before_them_or_somebody_does_without() {
        let host = Host::ask();
        let all = host.types.clone().unwrap().memory_syscalls.unwrap();
        assert!(all.iter().all(|function| *function > 0), "{all:?}");
        assert_eq!(syscalls().functions(&host, &[], false), all);
        assert!(syscalls().functions(&host, &[], true).is_empty());
        assert!(syscalls().functions(&host, &[RETURNS.to_owned()], false).is_empty());
        let others = EVENTS.iter().filter(|event| event.program != program::SYSCALL);
        assert!(others.into_iter().all(|event| event.functions(&host, &[], false).is_empty()));
    }

    #[test]
    fn what_comes_at_the_rate_of_syscalls_is_governed_and_costs_what_its_way_does() {
        assert!(syscalls().is_governed() && syscalls().cost(Way::Tracepoint) > syscalls().cost(Way::Returns));
        let others = EVENTS.iter().filter(|event| event.program != program::SYSCALL);
        assert!(others.into_iter().all(|event| event.cost(Way::Tracepoint) == Nanos(0)));
    }

    #[test]
    fn an_event_is_found_by_the_number_of_its_hook() {
        assert_eq!(of(plan::EVENT_IDS).map(|event| event.program), Some(program::SYSCALL));
        assert!(of(plan::EVENT_IDS + EVENTS.len() as u32).is_none() && of(0).is_none());
    }
}
