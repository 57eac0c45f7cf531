//! The report: plain sorted data, the only thing that screens, files and metrics are drawn from.
//!
//! Sizes are bytes, times are nanoseconds of CLOCK_BOOTTIME unless the name says otherwise,
//! addresses are `"0x..."` strings. What is unknown is `null` and never 0. Arrays are sorted, so
//! equal facts give equal bytes. Field names are a promise to scripts: `docs/report.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fact::{Ended, HookState, Sizes, SizesId};
use super::unit::{Address, Bytes, Nanos, Pid};

mod arenas;
mod change;
mod finding;
mod forecast;
mod gc;
mod lag;
mod member;
mod outlook;
mod pressure;
mod timeline;
mod writers;

pub use arenas::Arenas;
pub use change::{Change, Changes, Part};
pub use finding::{Finding, Severity, Undecided};
pub use forecast::{Forecast, Misses, NextGrowth, Upcoming};
pub use gc::{Gc, HeapExtended, LargeObjects, Pauses, SizeClass};
pub use lag::Lag;
pub use member::Member;
pub use outlook::{Outlook, Verdict};
pub use pressure::Pressure;
pub use timeline::{Moment, Timeline};
pub use writers::{Writer, Writers};

/// Name and version of this format.
pub const SCHEMA: &str = "auditor.report/1";

/// All that is known about one target at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Who saw it.
    pub auditor: Auditor,
    /// Where.
    pub host: Host,
    /// Whom.
    pub target: Target,
    /// The processes of the family, in the order in which they came into sight; empty: one process was audited.
    #[serde(default)]
    pub members: Vec<Member>,
    /// From when to when.
    pub window: Window,
    /// RSS and what it is made of.
    pub memory: Memory,
    /// Memory syscalls; `null`: nobody listened.
    pub syscalls: Option<Syscalls>,
    /// How many of each event were seen, over all maps.
    pub events: Events,
    /// The maps, largest first.
    pub maps: Vec<Map>,
    /// Maps that are not listed one by one.
    pub populations: Vec<Population>,
    /// How maps of the kinds that are listed are sized, by number.
    pub sizes: Vec<Sizes>,
    /// Growths, in the order in which they started.
    pub episodes: Vec<Episode>,
    /// How long after one kind of event another comes.
    pub lags: Vec<Lag>,
    /// RSS over time; `null`: it was never read, or this is the report of an interval in a stream.
    pub timeline: Option<Timeline>,
    /// How well growths were foretold.
    pub forecast: Forecast,
    /// The garbage collector; `null` where the target has none.
    pub gc: Option<Gc>,
    /// Who wrote one map for a moment; `null`: nobody asked, or it is not over.
    pub writers: Option<Writers>,
    /// What the rules found, the worst first.
    pub findings: Vec<Finding>,
    /// What the rules suspect and cannot tell yet.
    pub undecided: Vec<Undecided>,
    /// What was not seen.
    pub coverage: Coverage,
    /// What the audit cost.
    pub cost: Cost,
}

/// The auditor that saw the facts (not the one that renders them).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auditor {
    /// Its version.
    pub version: String,
}

/// The host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Kernel release.
    pub kernel: String,
    /// Machine.
    pub arch: String,
    /// Page size.
    pub page_size: Bytes,
}

/// The target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Process id.
    pub pid: Pid,
    /// Its name.
    pub comm: String,
    /// Its executable.
    pub exe: String,
    /// The executable's GNU build id.
    pub build_id: Option<String>,
    /// The runtimes recognised in it, by name.
    pub runtimes: Vec<Runtime>,
    /// Which allocator its C library has.
    pub allocator: Option<String>,
}

/// A runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// What it was recognised by.
    pub evidence: String,
}

/// From when to when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When the audit began.
    pub start: Nanos,
    /// The last fact's time.
    pub end: Nanos,
    /// The wall clock at `start`, RFC 3339 in UTC.
    pub wall_start: String,
    /// Why it ended; `null`: it goes on, or the recording breaks off.
    pub ended: Option<Ended>,
}

/// RSS and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// RSS over time.
    pub rss: Rss,
    /// The smallest memory limit of the target's cgroups.
    pub limit: Option<Bytes>,
    /// Swapped out.
    pub swap: Option<Bytes>,
    /// How much more it can hold before it is killed or the host swaps; of one that has ended, before it did.
    pub headroom: Option<Bytes>,
    /// How scarce memory is; `null`: not read.
    pub pressure: Option<Pressure>,
    /// Adds up to `rss.last`; the last row is `unexplained`.
    pub ladder: Vec<Rung>,
    /// What glibc's `malloc` has taken and has free; `null`: it is another one, or its arenas were not found.
    pub arenas: Option<Arenas>,
    /// Why RSS moved; `null`: it was known at one tick at most.
    pub changes: Option<Changes>,
    /// What will become of RSS: of the largest part of it that may come back.
    pub verdict: Option<Verdict>,
    /// How, how soon, and what would show that it is not so.
    pub outlook: Option<Outlook>,
}

/// RSS over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rss {
    /// At the first reading.
    pub first: Option<Bytes>,
    /// At the last reading.
    pub last: Option<Bytes>,
    /// The highest seen.
    pub peak: Option<Bytes>,
    /// When that was.
    pub peak_at: Option<Nanos>,
}

/// One row of the ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// What.
    pub name: String,
    /// How much.
    pub bytes: Bytes,
    /// How that is known.
    pub evidence: String,
}

/// Memory syscalls that were seen to end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Syscalls {
    /// `mmap(2)`.
    pub mmap: Calls,
    /// `munmap(2)`.
    pub munmap: Calls,
    /// `mremap(2)`; bytes are the new size.
    pub mremap: Calls,
    /// `brk(2)`; bytes are what the break moved up in all.
    pub brk: Calls,
    /// `madvise(2)`.
    pub madvise: Madvise,
}

/// Calls of one kind. Failed ones count, their bytes do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// How many.
    pub calls: u64,
    /// How much, over those that succeeded.
    pub bytes: Bytes,
}

/// Calls of `madvise(2)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Madvise {
    /// How many.
    pub calls: u64,
    /// How much, over those that succeeded.
    pub bytes: Bytes,
    /// By advice, such as `DONTNEED`.
    pub by_advice: BTreeMap<String, Calls>,
}

/// How many of each event were seen, over all maps; `null`: not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// Tables asked for.
    pub allocate: Option<u64>,
    /// Growths started.
    pub grow: Option<u64>,
    /// Old buckets moved.
    pub evacuate: Option<u64>,
    /// Tables let go.
    pub free: Option<u64>,
    /// New keys put in.
    pub insert: Option<u64>,
    /// Keys taken out.
    pub delete: Option<u64>,
    /// Maps emptied at once.
    pub clear: Option<u64>,
}

/// Whether a map was born after the audit began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Origin {
    /// It was: its first table was seen, or a census found none there before.
    #[serde(rename = "observed")]
    Observed,
    /// It was there, or nothing shows that it was not.
    #[serde(rename = "before-attach")]
    BeforeAttach,
}

/// One map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// Its header's address.
    pub address: Address,
    /// In which member of a family; `null`: one process was audited.
    pub pid: Option<Pid>,
    /// Which runtime's.
    pub runtime: String,
    /// Its type, as the runtime writes it.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// The types that it may be of, where `type` is not known.
    pub candidates: Vec<String>,
    /// The name it bears in the target.
    pub name: Option<String>,
    /// Born before or after.
    pub origin: Origin,
    /// When its first table was seen asked for; of one that a census found, when that began, or when something
    /// of it was heard first; `null` for one that was there.
    pub born: Option<Nanos>,
    /// When it was dropped; `null`: it lives.
    pub died: Option<Nanos>,
    /// Whether any root leads to it; `null` where nobody looked, and of one that was dropped.
    pub reachable: Option<bool>,
    /// The path from a root to it.
    pub owner: Option<String>,
    /// Call stack of its largest growth, innermost first.
    pub site: Vec<String>,
    /// Entries that a lookup could find.
    pub live: Option<u64>,
    /// Slots in the current table.
    pub capacity: Option<u64>,
    /// Slots that are empty but may not be reused freely.
    pub tombstones: Option<u64>,
    /// Overflow buckets in use.
    pub overflow: Option<u64>,
    /// What it holds.
    pub bytes: MapBytes,
    /// Its tables, as seen.
    pub tables: Tables,
    /// Its growths, as seen.
    pub growths: Growths,
    /// How often it was emptied at once; `null`: no hook tells.
    pub cleared: Option<u64>,
    /// The evacuation under way, or the last one; `null`: none was seen.
    pub evacuation: Option<Evacuation>,
    /// What the next growth needs.
    pub next_growth: Option<NextGrowth>,
    /// Which of the report's `sizes` it has.
    pub sizes: Option<SizesId>,
    /// What will become of its memory.
    pub verdict: Option<Verdict>,
    /// How, how soon, and what would show that it is not so.
    pub outlook: Option<Outlook>,
}

/// What a map holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapBytes {
    /// Header, tables, overflow, old table.
    pub allocated: Option<Bytes>,
    /// The part that is in RAM.
    pub resident: Option<Bytes>,
    /// What the live entries would need after a rebuild.
    pub needed: Option<Bytes>,
    /// max(0, resident - needed).
    pub stranded: Option<Bytes>,
    /// The old table.
    pub old_table: Option<Bytes>,
    /// The most `allocated` that was seen.
    pub peak: Option<Bytes>,
}

/// Tables of one map; `null`: no hook tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tables {
    /// Asked for.
    pub allocated: Option<u64>,
    /// How much, in all.
    pub allocated_bytes: Option<Bytes>,
    /// Let go.
    pub freed: Option<u64>,
    /// How much, in all.
    pub freed_bytes: Option<Bytes>,
}

/// Growths of one map by kind; `null`: no hook tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growths {
    /// First tables.
    pub first: Option<u64>,
    /// Doublings.
    pub double: Option<u64>,
    /// To the same size.
    pub same_size: Option<u64>,
    /// To a smaller size.
    pub shrink: Option<u64>,
    /// Splits.
    pub split: Option<u64>,
    /// Others.
    pub other: Option<u64>,
}

/// Where a map is: in which member of a family, and its address there. Both are used again.
pub type Place = (Option<Pid>, Address);

impl Map {
    /// Where it is.
    #[must_use]
    pub const fn place(&self) -> Place {
        (self.pid, self.address)
    }

    /// Whether it lived at a time, as far as is known: addresses are used again.
    #[must_use]
    pub fn lived_at(&self, time: Nanos) -> bool {
        self.born.is_none_or(|born| born <= time) && self.died.is_none_or(|died| time <= died)
    }
}

impl Growths {
    /// Of all kinds that were told; `None`: no hook tells of any.
    #[must_use]
    pub fn in_all(&self) -> Option<u64> {
        let Self { first, double, same_size, shrink, split, other } = *self;
        let told = [first, double, same_size, shrink, split, other].into_iter().flatten();
        told.reduce(u64::saturating_add)
    }
}

/// An evacuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evacuation {
    /// Old buckets moved.
    pub moved: u64,
    /// Old buckets in all.
    pub total: u64,
    /// Whether the old table is still held.
    pub in_progress: bool,
    /// How long nothing has moved; `null` when it is not in progress.
    pub stalled_for: Option<Nanos>,
}

/// Maps that are not listed one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Population {
    /// Which runtime's.
    pub runtime: String,
    /// Their type.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// Who holds them.
    pub owner: Option<String>,
    /// As for one map.
    pub reachable: Option<bool>,
    /// How many there were.
    pub maps: u64,
    /// How many of them live.
    pub alive: u64,
    /// Their live entries.
    pub live: u64,
    /// Their slots.
    pub capacity: u64,
    /// What they hold.
    pub bytes: PopulationBytes,
    /// Their tables, as seen.
    pub tables: Tables,
    /// Their growths, as seen.
    pub growths: Growths,
    /// How many of the living have a table that is less than an eighth full.
    pub near_empty: Option<u64>,
    /// How many of these never grew: they were made that large.
    pub over_presized: Option<u64>,
}

/// What a population holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PopulationBytes {
    /// Header, tables, overflow, old table.
    pub allocated: Bytes,
    /// What the live entries would need, each map rebuilt.
    pub needed: Option<Bytes>,
    /// As for one map.
    pub stranded: Option<Bytes>,
}

/// One growth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// Whose.
    pub map: Address,
    /// In which member of a family; `null`: one process was audited.
    pub pid: Option<Pid>,
    /// Which kind.
    pub kind: super::fact::GrowthKind,
    /// When the new table was asked for.
    pub start: Nanos,
    /// When the old one was let go; `null`: it is still held.
    pub end: Option<Nanos>,
    /// The new tables.
    pub allocated: Bytes,
    /// What mmap gave inside it for its tables.
    pub mmap: Bytes,
    /// How RSS moved from its start to its end.
    pub rss_delta: Option<i64>,
    /// From its start to the first step of RSS.
    pub rss_lag: Option<Nanos>,
    /// From its start to the first mmap for its tables.
    pub mmap_lag: Option<Nanos>,
    /// Old buckets moved.
    pub evacuated: u64,
    /// Longest time without a move.
    pub stall: Option<Nanos>,
    /// Cycles of the collector that ended meanwhile; `null`: no collector tells.
    pub cycles: Option<u64>,
    /// How long threads waited for its tables; `null`: no hook tells.
    pub waited: Option<Nanos>,
    /// Page faults of the whole target meanwhile; `null`: not read before its start and after its end.
    pub faults: Option<Faults>,
    /// What started it.
    pub cause: Option<String>,
}

impl Episode {
    /// Where its map is.
    #[must_use]
    pub const fn place(&self) -> Place {
        (self.pid, self.map)
    }
}

/// Page faults from one reading to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// For which nothing had to be read.
    pub minor: u64,
    /// For which a page was read from disk or swap.
    pub major: u64,
    /// How far apart the readings are: the last before the growth, and the first after it or the last so far.
    pub within: Nanos,
}

/// How far the numbers can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Everything was seen.
    Exact,
    /// Something was lost: totals are lower bounds.
    AtLeast,
    /// Too little was seen to say.
    Insufficient,
}

/// What was not seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Events lost.
    pub lost: u64,
    /// Events that came after later ones had been counted.
    pub late: u64,
    /// The hooks.
    pub probes: Vec<Probe>,
    /// Whether the layouts passed their self-checks; `null`: no layout was needed.
    pub layout_verified: Option<bool>,
    /// What follows from it.
    pub confidence: Confidence,
    /// In words.
    pub notes: Vec<String>,
}

/// One hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Its name.
    pub hook: String,
    /// Where it sits.
    #[serde(rename = "where")]
    pub place: String,
    /// Attached, refused or disabled.
    pub state: HookState,
    /// Why not attached; of one that is, what it leaves out.
    pub reason: Option<String>,
    /// How often it was hit.
    pub hits: u64,
}

/// What the audit cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Hits of all hooks.
    pub probe_hits: u64,
    /// What they took from the target: hits x cost by class of site.
    pub target_time_estimate: Nanos,
    /// CPU time of the agent.
    pub agent_cpu: Option<Nanos>,
    /// RSS of the agent.
    pub agent_rss: Option<Bytes>,
    /// Memory of the BPF maps and programs.
    pub bpf_memory: Option<Bytes>,
}
