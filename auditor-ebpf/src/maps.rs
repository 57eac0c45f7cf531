//! The BPF maps; names as in `auditor_ebpf::map`.

use auditor_ebpf::{
    Pending, PendingKey, RssKey, SPECS as SPEC_COUNT, Spec, Tally, TallyKey, Watch, WatchKey, counter,
};
use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LruHashMap, PerCpuArray, ProgramArray, RingBuf, StackTrace};

#[map]
pub(crate) static RING: RingBuf = RingBuf::with_byte_size(auditor_ebpf::RING_BYTES, 0);

#[map]
pub(crate) static SPECS: Array<Spec> = Array::with_max_entries(SPEC_COUNT, 0);

#[map]
pub(crate) static TARGETS: HashMap<u32, u32> = HashMap::with_max_entries(auditor_ebpf::TARGETS, 0);

#[map]
pub(crate) static TALLIES: HashMap<TallyKey, Tally> =
    HashMap::with_max_entries(auditor_ebpf::TALLIES, BPF_F_NO_PREALLOC);

#[map]
pub(crate) static HITS: PerCpuArray<u64> = PerCpuArray::with_max_entries(auditor_ebpf::ALL_HITS, 0);

#[map]
pub(crate) static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(counter::COUNT, 0);

#[map]
pub(crate) static PENDING: HashMap<PendingKey, Pending> =
    HashMap::with_max_entries(auditor_ebpf::PENDING, BPF_F_NO_PREALLOC);

#[map]
pub(crate) static STACKS: StackTrace = StackTrace::with_max_entries(auditor_ebpf::STACKS, 0);

#[map]
pub(crate) static SPARE_STACKS: StackTrace = StackTrace::with_max_entries(auditor_ebpf::SPARE_STACKS, 0);

#[map]
pub(crate) static WATCHES: HashMap<WatchKey, Watch> =
    HashMap::with_max_entries(auditor_ebpf::WATCHES, BPF_F_NO_PREALLOC);

/// Least recently used goes first: an mm that exited is never removed by hand, and its address may
/// be used again.
#[map]
pub(crate) static SPACES: LruHashMap<u64, u32> = LruHashMap::with_max_entries(auditor_ebpf::TARGETS, 0);

#[map]
pub(crate) static RSS: LruHashMap<RssKey, u64> = LruHashMap::with_max_entries(4 * auditor_ebpf::TARGETS, 0);

/// Stays empty: `thread.rs` has a tail call that is never made.
#[map]
pub(crate) static NOWHERE: ProgramArray = ProgramArray::with_max_entries(1, 0);
