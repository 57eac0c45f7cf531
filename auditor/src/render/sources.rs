//! What feeds each number that is not a column: said once, for the screen's help and for
//! `auditor explain`.

/// One number, or a few of one source.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// What it is called on the screen.
    pub name: &'static str,
    /// The topic of `auditor explain` that it belongs to.
    pub topic: &'static str,
    /// What it says and where it comes from.
    pub text: &'static str,
}

/// All of them, in the order of the screen.
pub const SOURCES: &[Source] = &[
    Source {
        name: "RSS",
        topic: "memory",
        text: "kernel rss_stat events where they can be had, else /proc/PID/status; swap likewise",
    },
    Source {
        name: "limit",
        topic: "memory",
        text: "memory.max of the target's cgroup and of those above it, or the same of version 1",
    },
    Source {
        name: "PSI",
        topic: "memory",
        text: "share of the audit's time in which some task (full: every task) waited for memory; memory.pressure of the target's cgroup, else /proc/pressure/memory of the host",
    },
    Source {
        name: "headroom",
        topic: "memory",
        text: "memory.max, memory.current and memory.stat of the cgroup that binds, and /proc/meminfo",
    },
    Source {
        name: "next growth",
        topic: "forecast",
        text: "what is held on top while both tables are there, from the layout of the map; when, from the rate of its last looks",
    },
    Source {
        name: "growths",
        topic: "growth",
        text: "▲ one growth started in that slice of time, a digit for several, + for ten and more; growth hooks",
    },
    Source {
        name: "GC",
        topic: "gc",
        text: "o one cycle of the collector ended in that slice, a digit for several; the runtime's own counter, read between two reports",
    },
    Source {
        name: "gives back",
        topic: "syscalls",
        text: "▼ memory went back to the kernel in that slice: munmap, or madvise DONTNEED, FREE or REMOVE; kernel syscall events",
    },
    Source {
        name: "events",
        topic: "events",
        text: "how many of each the hooks saw, over all maps; - is not counted",
    },
    Source {
        name: "mmap ...",
        topic: "syscalls",
        text: "calls that ended, and the bytes of those that succeeded; kernel syscall events",
    },
    Source {
        name: "probes",
        topic: "coverage",
        text: "hooks that are in the target, of those that were wanted; the text report says why one is not",
    },
    Source {
        name: "lost late",
        topic: "coverage",
        text: "events that did not arrive, or arrived after later ones had been counted; counted in the kernel and here",
    },
    Source {
        name: "exact",
        topic: "confidence",
        text: "everything was seen; 'at least': totals are lower bounds; 'insufficient': too little was seen",
    },
    Source {
        name: "cost",
        topic: "cost",
        text: "what the probes took from the target, and which share of one CPU that is: hits x an estimate by class of site",
    },
    Source {
        name: "agent",
        topic: "cost",
        text: "CPU of one core and RSS of the auditor itself; /proc/self",
    },
];
