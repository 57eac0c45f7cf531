//! The wire: every type that crosses between the BPF programs and the agent, and the names both
//! sides use for maps and programs.
//!
//! Rules: no dependencies, no padding, no enums, bools or `Option`. An unknown kind is a value that
//! the reader may not know, never undefined behaviour. [`wire!`] refuses a type that breaks them at
//! compile time, for the host and for BPF alike.
//!
//! The programs are in `src/programs/` (binary, feature `programs`); the reader is the agent's
//! `probes/decode.rs`.
#![no_std]

/// A type that may cross the wire: plain integers, no padding, every bit pattern valid.
///
/// # Safety
/// Implement it through [`wire!`] only, which proves the absence of padding.
pub unsafe trait Wire: Copy + 'static {}

macro_rules! plain {
    ($($t:ty),*) => { $(
        // SAFETY: primitive integers have no padding and no invalid bit patterns.
        unsafe impl Wire for $t {}
    )* };
}
plain!(u8, u16, u32, u64, i8, i16, i32, i64);

// SAFETY: an array has the padding of its element, which has none.
unsafe impl<T: Wire, const N: usize> Wire for [T; N] {}

/// Declares `#[repr(C)]` wire types. A field that is not [`Wire`], or padding between fields, is a
/// compile error.
#[macro_export]
macro_rules! wire {
    ($( $(#[$doc:meta])* pub struct $name:ident { $( $(#[$fdoc:meta])* pub $field:ident : $ty:ty ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $( $(#[$fdoc])* pub $field: $ty ),* }
        const _: () = {
            const fn is_wire<T: $crate::Wire>() {}
            $( is_wire::<$ty>(); )*
            assert!(
                0 $( + core::mem::size_of::<$ty>() )* == core::mem::size_of::<$name>(),
                "a wire type has padding"
            );
        };
        // SAFETY: repr(C), each field is Wire, and the sizes of the fields add up to the size of the
        // struct, so there is no padding.
        unsafe impl $crate::Wire for $name {}
    )* };
}

/// How many values one hook can capture.
pub const CAPTURES: usize = 12;
/// How many loads one capture can follow.
pub const STEPS: usize = 4;
/// How many specs (placed hooks) one session can have.
pub const SPECS: u32 = 256;
/// Where the hits of the syscall program are, behind those of the specs.
pub const SYSCALL_HITS: u32 = SPECS;
/// Where the hits of processes that are no targets begin, by spec: a hook that sees forked children sees
/// whoever runs the file.
pub const STRANGE_HITS: u32 = SYSCALL_HITS + 1;
/// All of them.
pub const ALL_HITS: u32 = STRANGE_HITS + SPECS;
/// Ring buffer size in bytes; a power of two and a multiple of the page size.
pub const RING_BYTES: u32 = 4 << 20;
/// The consumer is woken when this many bytes wait in the ring; stragglers wait for its timer.
pub const WAKE_BYTES: u64 = (RING_BYTES / 8) as u64;
/// Most distinct (hook, map) pairs counted in the kernel.
pub const TALLIES: u32 = 1 << 18;
/// Most maps whose header is copied when the target exits.
pub const WATCHES: u32 = 1 << 16;
/// Most calls between an entry and its return at one time.
pub const PENDING: u32 = 1 << 14;
/// Most distinct call stacks. Each has the one place that its hash gives it.
pub const STACKS: u32 = 1 << 12;
/// Places for stacks whose place is taken.
pub const SPARE_STACKS: u32 = 1 << 9;
/// Most target processes of one session.
pub const TARGETS: u32 = 1 << 12;
/// Bytes of a map's header that a last look copies.
pub const LOOK_BYTES: usize = 128;

/// [`Header::kind`]: which record follows.
pub mod kind {
    /// [`super::HookRecord`].
    pub const HOOK: u32 = 1;
    /// [`super::SyscallRecord`].
    pub const SYSCALL: u32 = 2;
    /// [`super::RssRecord`].
    pub const RSS: u32 = 3;
    /// [`super::TaskRecord`].
    pub const TASK: u32 = 4;
    /// [`super::LookRecord`].
    pub const LOOK: u32 = 5;
    /// [`super::HookHeaderRecord`].
    pub const HOOK_HEADER: u32 = 6;
}

/// [`Spec::mode`]: what a hit does.
pub mod mode {
    /// Send a [`super::HookRecord`].
    pub const SEND: u32 = 0;
    /// Add one to the [`super::Tally`] of (hook, key).
    pub const COUNT: u32 = 1;
}

/// [`Spec::flags`], or'ed.
pub mod flag {
    /// Take the user stack.
    pub const STACK: u32 = 1;
    /// The record is sent on return and carries the return value and the time taken.
    pub const PAIR: u32 = 2;
    /// Put the key's address on the watch list: its header is copied when the process exits.
    pub const WATCH: u32 = 4;
    /// Ignore the hit when `eflags & (CF | ZF)`: the probe sits on a stack check's `jbe` and the
    /// branch to the stack growth is taken, so the call will come again.
    pub const SKIP_IF_BELOW: u32 = 8;
    /// Copy the bytes at the key's address into the record ([`super::HookHeaderRecord`]).
    pub const HEADER: u32 = 16;
    /// A capture that cannot be read is no loss: pointers of this hook's may be null. The record says which.
    pub const LENIENT: u32 = 32;
}

/// [`Capture::source`]: where a capture starts. The values are the x86-64 register numbers of the
/// DWARF ABI (System V ABI, figure 3.36), so symbol files and probe notes need no translation.
pub mod source {
    /// `%rax`.
    pub const RAX: u32 = 0;
    /// `%rdx`.
    pub const RDX: u32 = 1;
    /// `%rcx`.
    pub const RCX: u32 = 2;
    /// `%rbx`.
    pub const RBX: u32 = 3;
    /// `%rsi`.
    pub const RSI: u32 = 4;
    /// `%rdi`.
    pub const RDI: u32 = 5;
    /// `%rbp`.
    pub const RBP: u32 = 6;
    /// `%rsp`.
    pub const RSP: u32 = 7;
    /// `%r8` to `%r15` are 8 to 15.
    pub const R8: u32 = 8;
    /// `%r9`.
    pub const R9: u32 = 9;
    /// `%r10`.
    pub const R10: u32 = 10;
    /// `%r11`.
    pub const R11: u32 = 11;
    /// `%r12`.
    pub const R12: u32 = 12;
    /// `%r13`.
    pub const R13: u32 = 13;
    /// `%r14`.
    pub const R14: u32 = 14;
    /// `%r15`.
    pub const R15: u32 = 15;
    /// The value of capture 0; for captures that are taken at the return ([`super::Spec::late`]).
    pub const FIRST: u32 = 16;
    /// How many there are, with that.
    pub const COUNT: usize = 17;
    /// No capture in this slot.
    pub const NONE: u32 = u32::MAX;
}

/// Values of [`map::TARGETS`].
pub mod target {
    /// The process was asked for.
    pub const ASKED: u32 = 1;
    /// It came of one by fork, and is a target until it runs another program.
    pub const KIN: u32 = 2;
}

/// [`TaskRecord::event`].
pub mod task {
    /// `other` is the child's pid.
    pub const FORK: u32 = 1;
    /// The process replaced its program.
    pub const EXEC: u32 = 2;
    /// The last thread of the process is going.
    pub const EXIT: u32 = 3;
    /// The kernel chose the process as an out-of-memory victim.
    pub const OOM_MARK: u32 = 4;
}

/// Indices of the per-CPU counters in [`map::COUNTERS`].
pub mod counter {
    /// Records that found the ring full.
    pub const RING_FULL: u32 = 0;
    /// Hits that found no room in the tallies.
    pub const TALLY_FULL: u32 = 1;
    /// Entries that found no room to wait for their return.
    pub const PENDING_FULL: u32 = 2;
    /// Stacks that could not be taken.
    pub const STACK_FAILED: u32 = 3;
    /// Maps that found no room on the watch list.
    pub const WATCH_FULL: u32 = 4;
    /// Headers that could not be read at exit.
    pub const LOOK_FAILED: u32 = 5;
    /// Hits with a capture that could not be read.
    pub const CAPTURE_FAILED: u32 = 6;
    /// Children that found no room among the targets.
    pub const TARGETS_FULL: u32 = 7;
    /// How many there are.
    pub const COUNT: u32 = 8;
    /// What each one counts, for reports, in index order.
    pub const NAMES: [&str; COUNT as usize] = [
        "ring_full",
        "tally_full",
        "pending_full",
        "stack_failed",
        "watch_full",
        "look_failed",
        "capture_failed",
        "targets_full",
    ];
}

/// Names of the BPF maps.
pub mod map {
    /// Ring buffer of records.
    pub const RING: &str = "RING";
    /// Array of [`super::Spec`] by cookie.
    pub const SPECS: &str = "SPECS";
    /// Hash of pid (in the root pid namespace) to a [`super::target`].
    pub const TARGETS: &str = "TARGETS";
    /// Hash of [`super::TallyKey`] to [`super::Tally`].
    pub const TALLIES: &str = "TALLIES";
    /// Per-CPU array of hits by spec, of the syscall program, and of others than the targets by spec.
    pub const HITS: &str = "HITS";
    /// Per-CPU array of [`super::counter`].
    pub const COUNTERS: &str = "COUNTERS";
    /// Hash of [`super::PendingKey`] to [`super::Pending`].
    pub const PENDING: &str = "PENDING";
    /// Stack traces.
    pub const STACKS: &str = "STACKS";
    /// Those whose place in [`STACKS`] is another's.
    pub const SPARE_STACKS: &str = "SPARE_STACKS";
    /// Hash of [`super::WatchKey`] to the [`super::Watch`] that says how many bytes to copy.
    pub const WATCHES: &str = "WATCHES";
    /// Hash of mm pointers to pids.
    pub const SPACES: &str = "SPACES";
    /// Hash of [`super::RssKey`] to the bytes sent last.
    pub const RSS: &str = "RSS";
}

/// Names of the BPF programs, which are also the names of their entry functions.
pub mod program {
    /// Generic hook, at a function's entry or any instruction.
    pub const HOOK: &str = "hook";
    /// Its other half, at the return of a function whose spec has [`super::flag::PAIR`].
    pub const HOOK_RETURN: &str = "hook_return";
    /// Raw tracepoint `sys_exit`.
    pub const SYSCALL: &str = "syscall";
    /// Raw tracepoint `rss_stat`.
    pub const RSS: &str = "rss";
    /// Raw tracepoint `sched_process_fork`.
    pub const FORK: &str = "fork";
    /// Raw tracepoint `sched_process_exec`.
    pub const EXEC: &str = "exec";
    /// Raw tracepoint `sched_process_exit`.
    pub const EXIT: &str = "exit";
    /// Raw tracepoint `mark_victim`.
    pub const OOM: &str = "oom";
}

/// Names of the read-only globals that the loader sets before loading.
pub mod global {
    /// u32: RSS changes smaller than this many bytes are not sent.
    pub const RSS_STEP: &str = "RSS_STEP";
    /// u32: `offsetof(struct mm_struct, rss_stat)`, from BTF.
    pub const MM_RSS_STAT: &str = "MM_RSS_STAT";
    /// u32: distance between two counters of `rss_stat`.
    pub const RSS_STRIDE: &str = "RSS_STRIDE";
    /// u32: where the value is in one counter.
    pub const RSS_VALUE: &str = "RSS_VALUE";
    /// u32: `offsetof(struct task_struct, mm)`, from BTF.
    pub const TASK_MM: &str = "TASK_MM";
    /// u32: `offsetof(struct task_struct, tgid)`, from BTF.
    pub const TASK_TGID: &str = "TASK_TGID";
    /// u32: `offsetof(struct task_struct, flags)`, from BTF.
    pub const TASK_FLAGS: &str = "TASK_FLAGS";
    /// u32: log2 of the page size.
    pub const PAGE_SHIFT: &str = "PAGE_SHIFT";
    /// u32: 1 where `sched_process_exit` tells that the last thread goes, before the memory does.
    pub const EXIT_BEFORE_MM: &str = "EXIT_BEFORE_MM";
    /// u32: 1 where `mark_victim` is given a task, 0 where it is given a pid.
    pub const OOM_GIVES_TASK: &str = "OOM_GIVES_TASK";
    /// u32: 1 where what a target forks is a target, too.
    pub const FOLLOW: &str = "FOLLOW";
}

wire! {
    /// Starts every record in the ring.
    pub struct Header {
        /// One of [`kind`].
        pub kind: u32,
        /// Process (tgid in the root pid namespace).
        pub pid: u32,
        /// Thread (in the root pid namespace).
        pub tid: u32,
        /// CPU it happened on.
        pub cpu: u32,
        /// CLOCK_BOOTTIME, ns.
        pub at: u64,
    }

    /// One hit of a hook.
    pub struct HookRecord {
        /// Kind [`kind::HOOK`].
        pub header: Header,
        /// Index of the spec.
        pub spec: u32,
        /// Bit n: capture n could not be read, its value is 0 and means nothing.
        pub failed: u32,
        /// Stack id, or negative: none was asked for or the walk failed.
        pub stack: i64,
        /// The word at the stack pointer: the return address when the probe is at an entry.
        pub caller: u64,
        /// ns between entry and return with [`flag::PAIR`], else 0.
        pub took: u64,
        /// Return value with [`flag::PAIR`], else 0.
        pub returned: u64,
        /// The captures, in the spec's order.
        pub values: [u64; CAPTURES],
    }

    /// One hit of a hook with [`flag::HEADER`].
    pub struct HookHeaderRecord {
        /// The hit; kind [`kind::HOOK_HEADER`]. Bit 31 of `failed`: `bytes` could not be read.
        pub hook: HookRecord,
        /// The first `header_len` bytes at the key's address.
        pub bytes: [u8; LOOK_BYTES],
    }

    /// One memory syscall that ended. Arguments are those at its entry.
    pub struct SyscallRecord {
        /// Kind [`kind::SYSCALL`].
        pub header: Header,
        /// x86-64 syscall number.
        pub number: u64,
        /// The first five arguments.
        pub args: [u64; 5],
        /// Result, or minus the errno.
        pub result: i64,
    }

    /// One counter of a target's RSS moved by at least the step.
    pub struct RssRecord {
        /// Kind [`kind::RSS`]; pid is the owner of the memory, tid who moved it.
        pub header: Header,
        /// 0 file, 1 anonymous, 2 swap, 3 shared memory (`include/linux/mm_types_task.h`).
        pub member: u32,
        /// 1 when another process moved it (reclaim, a debugger), else 0.
        pub external: u32,
        /// Bytes now, off by at most 2 x CPUs x 32 pages from 6.2 on (per-CPU counters).
        pub bytes: u64,
    }

    /// A process event.
    pub struct TaskRecord {
        /// Kind [`kind::TASK`].
        pub header: Header,
        /// One of [`task`].
        pub event: u32,
        /// The child's pid for [`task::FORK`], else 0.
        pub other: u32,
    }

    /// A map's header as it was when the process exited.
    pub struct LookRecord {
        /// Kind [`kind::LOOK`].
        pub header: Header,
        /// The map's address.
        pub map: u64,
        /// What [`Watch::tag`] said.
        pub tag: u32,
        /// How many of the bytes are valid.
        pub len: u32,
        /// The header.
        pub bytes: [u8; LOOK_BYTES],
    }

    /// Follows pointers: start at `source`, then `steps` times add an offset and load that many bytes:
    /// 8, but for the last load; then add `added`. Without steps the register is where that is added to.
    pub struct Capture {
        /// One of [`source`].
        pub source: u32,
        /// How many loads, 0 to [`STEPS`].
        pub steps: u32,
        /// Bytes of each load: 1, 2, 4 or 8, zero-extended.
        pub widths: [u8; STEPS],
        /// Added to what was loaded last.
        pub added: i32,
        /// Added before each load.
        pub offsets: [i64; STEPS],
    }

    /// What a hook does at a hit. Found by the attach cookie.
    pub struct Spec {
        /// One of [`mode`].
        pub mode: u32,
        /// [`flag`]s.
        pub flags: u32,
        /// How many captures are used.
        pub captures: u32,
        /// Which capture is the key of [`mode::COUNT`] and [`flag::WATCH`].
        pub key: u32,
        /// Which capture is compared with `at_least` and `at_most`; `u32::MAX`: none, all hits count. A hit
        /// whose filter value cannot be read is lost and counted ([`counter::CAPTURE_FAILED`]).
        pub filter: u32,
        /// Bytes that [`flag::HEADER`] and [`flag::WATCH`] copy from the key's address; at most
        /// [`LOOK_BYTES`].
        pub header_len: u32,
        /// Hits whose filter value is smaller are dropped in the kernel (and still counted as hits).
        pub at_least: u64,
        /// Likewise those whose filter value is larger.
        pub at_most: u64,
        /// Bit n: capture n is taken at the return, with [`flag::PAIR`]; its registers are those of the
        /// return, of which only the return value means anything, and [`source::FIRST`].
        pub late: u64,
        /// Where to look.
        pub capture: [Capture; CAPTURES],
    }

    /// Key of a tally.
    pub struct TallyKey {
        /// Index of the spec.
        pub spec: u32,
        /// Process.
        pub pid: u32,
        /// The key capture's value.
        pub key: u64,
    }

    /// What has been counted.
    pub struct Tally {
        /// Hits.
        pub count: u64,
        /// CLOCK_BOOTTIME of the last one, ns.
        pub last: u64,
    }

    /// Key of a call that has not returned.
    pub struct PendingKey {
        /// `bpf_get_current_pid_tgid`.
        pub pid_tgid: u64,
        /// Index of the spec.
        pub spec: u64,
    }

    /// A call that has not returned.
    pub struct Pending {
        /// CLOCK_BOOTTIME of the entry, ns.
        pub at: u64,
        /// As in [`HookRecord`].
        pub stack: i64,
        /// As in [`HookRecord`].
        pub caller: u64,
        /// [`HookRecord::failed`].
        pub failed: u64,
        /// As in [`HookRecord`].
        pub values: [u64; CAPTURES],
    }

    /// Key of a watched map.
    pub struct WatchKey {
        /// The map's address.
        pub map: u64,
        /// Process.
        pub pid: u64,
    }

    /// A watched map.
    pub struct Watch {
        /// Bytes to copy, at most [`LOOK_BYTES`].
        pub len: u32,
        /// Comes back in [`LookRecord::tag`]: index of the runtime.
        pub tag: u32,
    }

    /// Key of the RSS sent last.
    pub struct RssKey {
        /// mm pointer.
        pub mm: u64,
        /// As in [`RssRecord`].
        pub member: u64,
    }
}
