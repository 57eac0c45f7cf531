//! Where Go's runtime keeps what: offsets in bytes into its own structures, one table a release.
//!
//! Read from the DWARF of programs built by 1.19.8, 1.21.13, 1.22.10, 1.23.9, 1.24.11, 1.25.5, 1.26.6 and
//! 1.27.3 for linux/amd64. Patch releases do not move these structures as a rule; whoever uses a table
//! checks it on the process first, and a release without a table is tried with the nearest one, whose
//! numbers count only if every check passes. 1.20 could not be had and gets the table of 1.19.

mod tables;

use super::Release;
use tables::{GO_1_19, GO_1_21, GO_1_22, GO_1_23, GO_1_24, GO_1_25, GO_1_26, GO_1_27};

/// The offsets of one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Which one.
    pub release: Release,
    /// `runtime.moduledata`.
    pub module: ModuleData,
    /// `runtime.mspan`.
    pub span: Span,
    /// `runtime.mheap`.
    pub heap: Heap,
    /// `runtime.g`.
    pub goroutine: Goroutine,
    /// `runtime.gcControllerState`.
    pub collector: Collector,
    /// `runtime.mstats`.
    pub statistics: Statistics,
    /// `internal/abi.SwissMapType`, where the release has Swiss maps (1.24 on).
    pub swiss: Option<SwissMapType>,
}

/// `runtime.moduledata` (src/runtime/symtab.go): the linker's table of contents of a program or plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleData {
    /// Bytes of the structure.
    pub size: usize,
    /// `funcnametab`, a slice.
    pub func_name_table: usize,
    /// `pctab`, a slice.
    pub pc_table: usize,
    /// `pclntable`, a slice.
    pub pcln_table: usize,
    /// `ftab`, a slice.
    pub function_table: usize,
    /// `minpc`.
    pub min_pc: usize,
    /// `maxpc`.
    pub max_pc: usize,
    /// `text`.
    pub text: usize,
    /// `etext`.
    pub end_of_text: usize,
    /// `noptrdata`.
    pub pointer_free_data: usize,
    /// `enoptrdata`.
    pub end_of_pointer_free_data: usize,
    /// `data`.
    pub data: usize,
    /// `edata`.
    pub end_of_data: usize,
    /// `bss`.
    pub zeroed: usize,
    /// `ebss`.
    pub end_of_zeroed: usize,
    /// `noptrbss`.
    pub pointer_free_zeroed: usize,
    /// `enoptrbss`.
    pub end_of_pointer_free_zeroed: usize,
    /// `types`.
    pub types: usize,
    /// `etypes`.
    pub end_of_types: usize,
    /// `rodata`.
    pub read_only: usize,
    /// `gofunc`.
    pub function_data: usize,
    /// `next`: the next module, or null.
    pub next: usize,
}

/// `runtime.mspan` (src/runtime/mheap.go): a run of pages with objects of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Bytes of the structure.
    pub size: usize,
    /// `startAddr`.
    pub start: usize,
    /// `npages`, of 8 KiB.
    pub pages: usize,
    /// `freeindex`: objects below it are allocated, those from it on as `allocBits` says.
    pub free_index: usize,
    /// `nelems`.
    pub elements: usize,
    /// Bytes of `freeindex` and `nelems`: 8, from 1.22 on 2.
    pub counter_width: usize,
    /// `allocBits`: points to one bit an object.
    pub alloc_bits: usize,
    /// `gcmarkBits`: points to one bit an object.
    pub mark_bits: usize,
    /// `sweepgen`, u32: two less than the heap's when the span is not swept yet.
    pub sweep_generation: usize,
    /// `allocCount`, u16.
    pub allocated: usize,
    /// `spanclass`, u8: the size class times two, plus one for objects without pointers.
    pub class: usize,
    /// `state`, u8: 1 in use.
    pub state: usize,
    /// `elemsize`.
    pub element_size: usize,
    /// `limit`: end of the objects.
    pub limit: usize,
    /// `largeType`, the type of a single large object: from 1.22 on.
    pub large_type: Option<usize>,
}

/// `runtime.mheap` (src/runtime/mheap.go), the variable `runtime.mheap_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heap {
    /// Bytes of the structure.
    pub size: usize,
    /// `sweepgen`, u32.
    pub sweep_generation: usize,
    /// `allspans`, a slice of pointers to spans.
    pub all_spans: usize,
    /// `pagesInUse`, of 8 KiB.
    pub pages_in_use: usize,
    /// `arenas`: its first word points to the array of pointers to `runtime.heapArena`, one each 64 MiB.
    pub arenas: usize,
    /// `spans` within `runtime.heapArena`: a pointer to a span for each of 8,192 pages.
    pub spans_of_arena: usize,
    /// `pages`, as far as its scavenger decides by it (1.21 on).
    pub scavenger: Option<Scavenger>,
}

/// What of `runtime.mheap` its scavenger decides by (src/runtime/mpagealloc.go, mgcscavenge.go); from the start of
/// `mheap` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scavenger {
    /// `pages.chunks`: pointers to arrays of 8,192 `pallocData`.
    pub chunks: usize,
    /// `pages.inUse.ranges`, a slice of `addrRange`.
    pub ranges: usize,
    /// `pages.scav.index.chunks`, a slice of `scavChunkData`.
    pub index: usize,
    /// `pages.scav.index.searchAddrBg`.
    pub search: usize,
    /// `pages.scav.index.gen`, u32.
    pub generation: usize,
}

/// `runtime.g` (src/runtime/runtime2.go).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Goroutine {
    /// Bytes of the structure.
    pub size: usize,
    /// `stack.lo`; `stack.hi` follows.
    pub stack: usize,
    /// `stackguard0`.
    pub stack_guard: usize,
    /// `m`: the thread it runs on, or null.
    pub thread: usize,
    /// `sched.sp`.
    pub stack_pointer: usize,
    /// `sched.pc`.
    pub program_counter: usize,
    /// `sched.bp`.
    pub frame_pointer: usize,
    /// `syscallsp`.
    pub syscall_stack_pointer: usize,
    /// `syscallpc`.
    pub syscall_program_counter: usize,
    /// `atomicstatus`, u32.
    pub status: usize,
    /// `goid`.
    pub id: usize,
}

/// `runtime.gcControllerState` (src/runtime/mgcpacer.go), the variable `runtime.gcController`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Bytes of the structure.
    pub size: usize,
    /// `gcPercent`, i32: `GOGC`, negative when off.
    pub percent: usize,
    /// `memoryLimit`, i64: `GOMEMLIMIT`, `i64::MAX` when there is none.
    pub memory_limit: usize,
    /// `gcPercentHeapGoal`.
    pub goal: usize,
    /// `heapLive`.
    pub live: usize,
    /// `heapMarked`.
    pub marked: usize,
    /// `heapInUse`.
    pub in_use: usize,
    /// `heapReleased`.
    pub released: usize,
    /// `heapFree`.
    pub free: usize,
    /// `totalAlloc`.
    pub total_allocated: usize,
    /// `totalFree`.
    pub total_freed: usize,
    /// `mappedReady`.
    pub mapped_ready: usize,
}

/// `runtime.mstats` (src/runtime/mstats.go), the variable `runtime.memstats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes of the structure.
    pub size: usize,
    /// `stacks_sys`.
    pub stacks_sys: usize,
    /// `pause_total_ns`.
    pub pause_total: usize,
    /// `pause_ns`: the pauses of the last 256 cycles, cycle n at (n + 255) % 256.
    pub pauses: usize,
    /// `pause_end`: when these cycles ended, in ns since the Unix epoch.
    pub pause_ends: usize,
    /// `numgc`, u32.
    pub cycles: usize,
}

/// `internal/abi.SwissMapType` (src/internal/abi/map_swiss.go), from 1.26 on `internal/abi.MapType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwissMapType {
    /// Bytes of the structure.
    pub size: usize,
    /// `Group`: the type of a group.
    pub group: usize,
    /// `GroupSize`: bytes of a group.
    pub group_size: usize,
    /// `Flags`, u32.
    pub flags: usize,
    /// The flag of keys that are stored by pointer.
    pub indirect_key: usize,
    /// The flag of elements that are stored by pointer.
    pub indirect_element: usize,
}

/// Every release with a table, oldest first.
pub const LAYOUTS: &[Layout] = &[GO_1_19, GO_1_21, GO_1_22, GO_1_23, GO_1_24, GO_1_25, GO_1_26, GO_1_27];

/// The table of a release, or the nearest one: the newest that is not newer, else the oldest.
#[must_use]
pub fn nearest(release: Release) -> &'static Layout {
    LAYOUTS.iter().rev().find(|layout| layout.release <= release).unwrap_or(&LAYOUTS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_without_a_table_gets_the_nearest_older_one() {
        let of = |major, minor| nearest(Release { major, minor }).release;
        assert_eq!(of(1, 23), Release { major: 1, minor: 23 });
        assert_eq!(of(1, 20), Release { major: 1, minor: 19 });
        assert_eq!(of(1, 99), Release { major: 1, minor: 27 });
        assert_eq!(of(1, 5), Release { major: 1, minor: 19 });
    }

    #[test]
    fn tables_are_listed_oldest_first() {
        assert!(LAYOUTS.is_sorted_by_key(|layout| layout.release));
    }
}
