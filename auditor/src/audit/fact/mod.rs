//! The vocabulary: everything that can be learnt about a target. Facts are the only input of the
//! audit and the only content of a recording. A fact says what was seen, never what it means.
//!
//! Variants and fields are appended, never reordered: recordings are read by position
//! (`recording/mod.rs` has the version policy).

use serde::{Deserialize, Serialize};

use super::unit::{Address, Bytes, Nanos, Pid, Tid};

mod census;
mod chains;
mod family;
mod heap;
mod pages;
mod sizes;
mod syscalls;
mod writers;

pub use census::{Crowd, Described};
pub use family::{Left, Member, Shares, Sight};
pub use heap::{Arenas, Clear, Cycle, Heap, Managed, ManagedEvent, SizeClass};
pub use pages::{Beside, Charge, Faults, Pages, Pressure, Resident, Stalls};
pub use sizes::{Sizes, SizesId, Step};
pub use syscalls::{Call, Syscall};
pub use writers::{Writer, Written};

/// One thing learnt about the target, with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// When it happened (hooks, kernel events) or was read (memory, /proc).
    pub at: Nanos,
    /// The thread that did it, where there is one.
    pub thread: Option<Tid>,
    /// What happened.
    pub what: What,
}

/// What happened. A recording is a long row of these, so what is large and not in every one is kept apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// The audit began. Always the first fact.
    Began(Box<Began>),
    /// A runtime was recognised in the target.
    Runtime(Runtime),
    /// A hook was placed, refused or taken away.
    Hook(Hook),
    /// A table was asked for.
    Allocate(Allocate),
    /// A growth started.
    Grow(Grow),
    /// Old buckets were moved.
    Evacuate(Evacuate),
    /// A table was let go.
    Free(Free),
    /// A map was read from memory.
    Look(Look),
    /// The target no longer lists the map: it died without a hook seeing it.
    Gone {
        /// Which one.
        map: Address,
    },
    /// A call stack, symbolised. May come after facts that name it: naming takes time.
    Stack(Stack),
    /// A memory syscall ended.
    Syscall(Syscall),
    /// One counter of RSS moved.
    Rss(Rss),
    /// The target forked.
    Fork {
        /// The child.
        child: Pid,
    },
    /// The target replaced its program.
    Exec,
    /// The target's last thread is going.
    Exit,
    /// The kernel chose the target as an out-of-memory victim.
    OomMark,
    /// What /proc and the cgroup say.
    Memory(Memory),
    /// What was not seen so far. Cumulative.
    Lost(Lost),
    /// Hits of one hook so far. Cumulative.
    Hits {
        /// As in [`Hook::id`].
        hook: u32,
        /// How many.
        hits: u64,
    },
    /// What the audit has cost so far. Cumulative.
    Cost(Cost),
    /// Something the reader of the report should know about what was not seen, in words.
    Note(String),
    /// An interval ended.
    Tick,
    /// The audit ended. Always the last fact of a whole recording.
    Ended(Ended),
    /// A census told who a map is.
    Described(Box<Described>),
    /// All small maps that a census found, by kind. Takes the place of those of the census before.
    Crowds(Vec<Crowd>),
    /// The managed heap's counters were read.
    Heap(Box<Heap>),
    /// A cycle of the collector ended, at the time of this fact.
    Cycle(Cycle),
    /// The managed heap or its collector did something.
    Managed(Managed),
    /// A map is emptied at once.
    Clear(Clear),
    /// So many maps were found by censuses since the first one where that had found none, and none was found
    /// since.
    Born(u64),
    /// The page map was asked which pages of a map's tables are in RAM.
    Resident(Box<Resident>),
    /// The page map was asked which pages of the target are left to the kernel to take (`MADV_FREE`), and
    /// have not been taken.
    LazilyFreed(Bytes),
    /// What the cgroup and the kernel say of the pressure on memory.
    Pressure(Box<Pressure>),
    /// The thresholds of the rules that this audit was started with, as TOML, where they are not the defaults.
    Rules(String),
    /// The page map was asked what of the memory beside the maps is in RAM.
    Beside(Beside),
    /// The writers of one map were looked at for a moment, which is over.
    Written(Box<Written>),
    /// How a runtime sizes its maps of one kind. Told before the first look at one of them.
    Sizes(Box<Sizes>),
    /// Which allocator the target's C library has: `glibc`, `jemalloc`, ...
    Allocator(String),
    /// Page faults of the target so far. Cumulative.
    Faults(Faults),
    /// A process of the family came into sight. What follows is of it.
    Member(Box<Member>),
    /// What follows is of this process of the family.
    Of(Pid),
    /// The process that facts are of is followed no more.
    Left(Left),
    /// What of the process's memory is its own and what is shared.
    Shares(Shares),
    /// The arenas of glibc's `malloc` were read.
    Arenas(Arenas),
}

impl What {
    /// The map that an event or a look is of.
    #[must_use]
    pub fn map(&self) -> Option<Address> {
        match self {
            Self::Allocate(Allocate { map, .. })
            | Self::Grow(Grow { map, .. })
            | Self::Evacuate(Evacuate { map, .. })
            | Self::Free(Free { map, .. })
            | Self::Look(Look { map, .. })
            | Self::Clear(Clear { map, .. })
            | Self::Gone { map } => Some(*map),
            _ => None,
        }
    }
}

/// How the audit began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// Version of the auditor that saw it.
    pub auditor: String,
    /// Kernel release, `uname -r`.
    pub kernel: String,
    /// Machine, `uname -m`.
    pub arch: String,
    /// Page size of the host.
    pub page_size: Bytes,
    /// CPUs of the host.
    pub cpus: u32,
    /// The target.
    pub pid: Pid,
    /// Its name in `/proc/PID/comm`.
    pub comm: String,
    /// Its executable.
    pub exe: String,
    /// The executable's GNU build id in hex, where it has one.
    pub build_id: Option<String>,
    /// Nanoseconds since the Unix epoch at the time of this fact.
    pub wall: u64,
    /// Whether the target was started by the audit, so that nothing came before.
    pub from_start: bool,
    /// Maps whose tables never reached this many bytes are folded into populations.
    pub min_bytes: Bytes,
    /// Smallest change of RSS that was asked for.
    pub rss_step: Bytes,
}

/// A runtime that was recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// `demo`, `go_swiss`, ...
    pub name: String,
    /// Its version, as it says itself.
    pub version: Option<String>,
    /// What it was recognised by.
    pub evidence: String,
    /// Whether the layout passed its self-check on this target; `None`: not checked yet.
    pub verified: Option<bool>,
}

/// A hook's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Number within this audit.
    pub id: u32,
    /// What it is called in the runtime, such as `demo_map_grow`, or the kernel event's name.
    pub name: String,
    /// Where it sits: file, symbol, offset and instruction; or the tracepoint.
    pub place: String,
    /// Placed or not.
    pub state: HookState,
    /// Why, where it is not attached; where it is, what it leaves out.
    pub reason: Option<String>,
    /// What one hit costs the target, estimated from the class of its site, in ns.
    pub cost_per_hit: Nanos,
}

/// Whether a hook is in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookState {
    /// In place.
    Attached,
    /// Never placed.
    Refused,
    /// Placed, then taken away while the target ran.
    Disabled,
}

/// Number of a [`Stack`] within one audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StackId(pub u32);

/// What a table is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The buckets (or groups) themselves.
    Buckets,
    /// Buckets chained behind them.
    Overflow,
}

/// A table was asked for. The time is that of the return, where the return was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocate {
    /// Whose.
    pub map: Address,
    /// Where it is; `None` when the return was not seen.
    pub table: Option<Address>,
    /// How large.
    pub bytes: Bytes,
    /// What for.
    pub part: Part,
    /// From where.
    pub stack: Option<StackId>,
    /// How long the call took, where the return was seen.
    pub took: Option<Nanos>,
}

/// Why a new table is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrowthKind {
    /// The first table of a map.
    First,
    /// Twice the buckets.
    Double,
    /// As many buckets, to get rid of overflow or tombstones.
    SameSize,
    /// Fewer buckets.
    Shrink,
    /// One of several tables splits.
    Split,
    /// None of these.
    Other,
}

/// A growth started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grow {
    /// Whose.
    pub map: Address,
    /// Which kind.
    pub kind: GrowthKind,
    /// Buckets before.
    pub from: u64,
    /// Buckets after.
    pub to: u64,
    /// Live entries at that moment, where they could be read.
    pub live: Option<u64>,
    /// Bytes of the new tables, where no [`Allocate`] tells them and they are known all the same.
    pub bytes: Option<Bytes>,
    /// From where.
    pub stack: Option<StackId>,
}

/// Old buckets were moved since the last such fact of this map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evacuate {
    /// Whose.
    pub map: Address,
    /// How many.
    pub moved: u64,
}

/// A table was let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Free {
    /// Whose.
    pub map: Address,
    /// Where it was.
    pub table: Address,
    /// How large.
    pub bytes: Bytes,
    /// The map as it was just before, where the hook could read it.
    pub shape: Option<Box<Shape>>,
}

/// How a map came to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// It existed when the audit attached.
    AtAttach,
    /// By polling.
    Poll,
    /// Copied by the kernel while the process exited.
    AtExit,
    /// By a census that was not the first one, at a place where that one had found no map at all: none that
    /// it listed, and none that it folded.
    Census,
}

/// A map was read from memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Which one.
    pub map: Address,
    /// Why now.
    pub occasion: Occasion,
    /// Which runtime's.
    pub runtime: String,
    /// What it looked like.
    pub shape: Box<Shape>,
    /// The name it bears in the target, on the first look only.
    pub name: Option<String>,
}

/// What a map looked like at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Entries that a lookup could find.
    pub live: u64,
    /// Slots in the current table.
    pub capacity: u64,
    /// Slots that are empty but may not be reused freely.
    pub tombstones: Option<u64>,
    /// Overflow buckets in use.
    pub overflow: Option<u64>,
    /// The current table's address; `None`: it has none yet.
    pub table: Option<Address>,
    /// The old table's address while it evacuates.
    pub old_table: Option<Address>,
    /// All bytes the map holds: header, tables, overflow, old table.
    pub allocated: Bytes,
    /// Of these, the old table with its overflow.
    pub old_bytes: Bytes,
    /// Of these, entries that are behind the tables, each allocated by itself (nodes of a chain). What a map does
    /// not count of itself is not among them.
    pub entries: Bytes,
    /// Beyond these, what the map counts of its entries and does not hold itself: items with keys and values.
    pub behind: Bytes,
    /// Bytes the runtime would hold for `live` entries had the map just been rebuilt, with as many overflow
    /// buckets as chance gives.
    pub needed: Option<Bytes>,
    /// Old buckets moved and old buckets in all, while it evacuates.
    pub evacuation: Option<Progress>,
    /// What the map has counted itself since its birth, where it does.
    pub counted: Option<Counted>,
    /// Whether the map says of itself that it has been dropped.
    pub dropped: bool,
    /// When it asks for its next tables, as its shape has it; `None`: not known.
    pub next: Option<Next>,
    /// Which [`Sizes`] it has; `None`: not known.
    pub sizes: Option<SizesId>,
}

/// The tables that a map asks for when it grows next, if nothing is taken out of it until then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// With how many live entries.
    pub at_live: u64,
    /// How large they are.
    pub tables: Bytes,
    /// Slots of all its tables once it has grown.
    pub slots: u64,
}

/// How far an evacuation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Old buckets moved.
    pub moved: u64,
    /// Old buckets in all.
    pub total: u64,
}

/// A map's own counters, since its birth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// New keys put in.
    pub insert: u64,
    /// Keys taken out.
    pub delete: u64,
    /// Growths started.
    pub grow: u64,
    /// Old buckets moved.
    pub evacuate: u64,
}

/// A call stack, innermost frame first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// Its number.
    pub id: StackId,
    /// `function` or `function (file:line)`; `0x...` where no symbol is known.
    pub frames: Vec<String>,
}

/// Which counter of RSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RssMember {
    /// Pages of files.
    File,
    /// Anonymous pages.
    Anon,
    /// Swapped out pages (not part of RSS).
    Swap,
    /// Pages of shared memory.
    Shmem,
}

/// One counter of RSS moved by at least the step that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rss {
    /// Which counter.
    pub member: RssMember,
    /// Its value now.
    pub bytes: Bytes,
    /// Whether another process moved it.
    pub external: bool,
}

/// What /proc/PID and the cgroup say at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// RssAnon.
    pub anon: Bytes,
    /// RssFile.
    pub file: Bytes,
    /// RssShmem.
    pub shmem: Bytes,
    /// VmSwap.
    pub swap: Bytes,
    /// VmHWM: the highest RSS since the process began its program.
    pub peak: Option<Bytes>,
    /// The smallest memory limit of its cgroups.
    pub limit: Option<Bytes>,
}

impl Memory {
    /// RSS as /proc reports it.
    #[must_use]
    pub fn rss(&self) -> Bytes {
        self.anon + self.file + self.shmem
    }
}

/// What was not seen so far: one counter. Cumulative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Where: `ring_full`, `read_failed`, ...
    pub source: String,
    /// How many.
    pub count: u64,
}

/// What the audit has cost so far. Cumulative.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// CPU time of the agent.
    pub agent_cpu: Nanos,
    /// Its RSS now.
    pub agent_rss: Bytes,
    /// Memory of its BPF maps and programs.
    pub bpf_memory: Bytes,
}

/// Why the audit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The time that was asked for is over.
    Duration,
    /// The user stopped it.
    Stopped,
    /// The target exited.
    TargetExited,
    /// The target replaced its program: the maps that were audited are gone.
    TargetReplaced,
    /// It was one look, and nothing was to follow it.
    OneLook,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_small_enough_to_be_handed_on_cheaply() {
        let size = size_of::<Fact>();
        assert!(size <= 104, "a fact takes {size} bytes");
    }
}
