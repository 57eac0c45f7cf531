//! PURE. Of what a process has mapped, what lies beside its maps: stacks, the memory of a C library's allocator,
//! written data of programs, what a managed runtime has mapped for itself. Only what its mapping says is told
//! apart; all else stays unexplained.

use std::ops::Range;
use std::path::Path;

use crate::audit::fact::{Beside, Pages};
use crate::audit::unit::{Address, Bytes};
use crate::target::maps::{Mapping, Maps};

/// Most ranges that are asked for; beyond it nothing is told of their kind.
const MOST: usize = 1 << 20;

/// What a place is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `[heap]`.
    Heap,
    /// `[stack]`.
    Stack,
    /// Private pages of files, and zeroed memory behind the program's.
    Data,
    /// A managed runtime's own.
    Runtime,
}

/// Memory to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What it is there for.
    pub(super) kind: Kind,
    /// Where it is.
    pub(super) range: (Address, Bytes),
}

/// The memory beside maps. `program`: its path. `heap`: where the managed heap is, if there is one. `claimed`: the
/// maps' memory; `None`: not all of it is known, and then what lies in `[heap]` beside it is not either.
pub(super) fn places(
    maps: &Maps,
    program: &Path,
    heap: Option<&[(Address, Bytes)]>,
    claimed: Option<&[(Address, Bytes)]>,
) -> Vec<Place> {
    let claimed = claimed.map(merged);
    let is_alone = heap.is_some() && maps.mappings.iter().all(|mapping| is_of_pure(mapping, program));
    let mut places = Vec::new();
    let mut before: Option<(&Mapping, bool)> = None;
    for mapping in &maps.mappings {
        let behind = before.filter(|(before, _)| before.end == mapping.start);
        // All that is mapped for the heap lies together.
        let is_heap =
            heap.is_some_and(|heap| overlaps(mapping, heap)) || behind.is_some_and(|(_, is_heap)| is_heap);
        let follows_program = behind.is_some_and(|(before, _)| before.path.as_deref() == Some(program));
        let kind = if is_heap { None } else { kind(mapping, follows_program, is_alone) };
        before = Some((mapping, is_heap));
        let whole = mapping.start.0..mapping.end.0;
        match (kind, &claimed) {
            (None, _) | (Some(Kind::Heap), None) => {}
            (Some(Kind::Heap), Some(claimed)) => {
                places.extend(without(whole, claimed).map(|free| place(Kind::Heap, free)))
            }
            (Some(kind), _) => places.push(place(kind, whole)),
        }
    }
    places.truncate(MOST);
    places
}

/// `is_alone`: nobody but a runtime maps anything.
fn kind(mapping: &Mapping, follows_program: bool, is_alone: bool) -> Option<Kind> {
    match name(mapping) {
        Some("[heap]") => Some(Kind::Heap),
        Some("[stack]") => Some(Kind::Stack),
        None if follows_program => Some(Kind::Data),
        None => is_alone.then_some(Kind::Runtime),
        Some(name) if name.starts_with("[anon:") => is_alone.then_some(Kind::Runtime),
        Some(_) => (mapping.file.1 != 0).then_some(Kind::Data),
    }
}

/// What was found in these places, in their order. Pages of files and shared memory have rows of their own.
pub(super) fn found(places: &[Place], pages: &[Pages]) -> Beside {
    let of = |kind: Kind| {
        let own = places.iter().zip(pages).filter(|(place, _)| place.kind == kind);
        own.map(|(_, pages)| pages.present.less(pages.shared)).reduce(|sum, bytes| sum + bytes)
    };
    Beside { heap: of(Kind::Heap), stack: of(Kind::Stack), data: of(Kind::Data), runtime: of(Kind::Runtime) }
}

fn place(kind: Kind, range: Range<u64>) -> Place {
    Place { kind, range: (Address(range.start), Bytes(range.end.saturating_sub(range.start))) }
}

fn name(mapping: &Mapping) -> Option<&str> {
    mapping.path.as_deref().map(|path| path.to_str().unwrap_or("a file"))
}

/// Whether a program without a C library may have this mapping: no other code, and no break. Then what is mapped
/// beside the heap was mapped by the runtime.
fn is_of_pure(mapping: &Mapping, program: &Path) -> bool {
    let is_code_of_another =
        mapping.executable && mapping.file.1 != 0 && mapping.path.as_deref() != Some(program);
    name(mapping) != Some("[heap]") && !is_code_of_another
}

/// `ranges`: by address.
fn overlaps(mapping: &Mapping, ranges: &[(Address, Bytes)]) -> bool {
    let first = ranges.partition_point(|(at, len)| at.0.saturating_add(len.0) <= mapping.start.0);
    ranges.get(first).is_some_and(|(at, _)| at.0 < mapping.end.0)
}

/// Ranges by address, none of which touches another.
fn merged(ranges: &[(Address, Bytes)]) -> Vec<Range<u64>> {
    let mut all: Vec<Range<u64>> = ranges.iter().map(|(at, len)| at.0..at.0.saturating_add(len.0)).collect();
    all.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in all {
        match merged.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => merged.push(range),
        }
    }
    merged
}

/// What of a range is in none of the others, which are by address.
fn without(whole: Range<u64>, others: &[Range<u64>]) -> impl Iterator<Item = Range<u64>> {
    let first = others.partition_point(|other| other.end <= whole.start);
    let within = others.iter().skip(first).take_while(|other| other.start < whole.end);
    let mut free = Vec::new();
    let mut at = whole.start;
    for other in within {
        free.push(at..other.start.max(at));
        at = other.end.max(at);
    }
    free.push(at..whole.end.max(at));
    free.into_iter().filter(|free| !free.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::maps::parse_maps;

    const DEMO: &str = "\
1000-2000 r-xp 0 0:1 5 /bin/demo
2000-3000 rw-p 0 0:1 5 /bin/demo
3000-5000 rw-p 0 0:0 0
9000-d000 rw-p 0 0:0 0 [heap]
10000-14000 rw-p 0 0:0 0
14000-15000 rw-p 0 0:1 6 /lib/libc.so
15000-16000 rw-p 0 0:0 0
20000-21000 rw-p 0 0:0 0 [stack]
30000-31000 r-xp 0 0:0 0 [vdso]
";
    const GO: &str = "\
400000-500000 r-xp 0 0:1 5 /bin/go
500000-510000 rw-p 0 0:1 5 /bin/go
510000-540000 rw-p 0 0:0 0
c000000000-c000400000 rw-p 0 0:0 0
c000400000-c004000000 ---p 0 0:0 0
c004000000-c008000000 rw-p 0 0:0 0
7f0000000000-7f0000100000 rw-p 0 0:0 0
7f0000200000-7f0000300000 rw-p 0 0:0 0 [anon: Go: gc bits]
7ffe00000000-7ffe00020000 rw-p 0 0:0 0 [stack]
";

    fn found(
        text: &str,
        heap: Option<&[(Address, Bytes)]>,
        claimed: Option<&[(u64, u64)]>,
    ) -> Vec<(Kind, u64, u64)> {
        let maps = parse_maps(text.as_bytes()).unwrap();
        let claimed =
            claimed.map(|all| all.iter().map(|(at, len)| (Address(*at), Bytes(*len))).collect::<Vec<_>>());
        let program = if heap.is_some() { "/bin/go" } else { "/bin/demo" };
        let places = places(&maps, Path::new(program), heap, claimed.as_deref());
        places.iter().map(|place| (place.kind, place.range.0.0, place.range.1.0)).collect()
    }

    #[test]
    fn the_break_without_the_maps_in_it_the_stack_and_written_data_are_told_apart() {
        let claimed = [(0xa000, 0x10), (0xa008, 0x100), (0xcff0, 0x100), (0x8000, 0x1000), (0x10000, 0x4000)];
        let expected = [
            (Kind::Data, 0x1000, 0x1000),
            (Kind::Data, 0x2000, 0x1000),
            (Kind::Data, 0x3000, 0x2000),
            (Kind::Heap, 0x9000, 0x1000),
            (Kind::Heap, 0xa108, 0xcff0 - 0xa108),
            (Kind::Data, 0x14000, 0x1000),
            (Kind::Stack, 0x20000, 0x1000),
        ];
        assert_eq!(found(DEMO, None, Some(&claimed)), expected);
        let unknown = found(DEMO, None, None);
        assert!(unknown.iter().all(|(kind, ..)| *kind != Kind::Heap), "{unknown:?}");
    }

    #[test]
    fn what_a_program_of_go_alone_maps_beside_its_heap_is_the_runtimes() {
        let heap = [(Address(0xc0_0000_0000), Bytes(64 << 20))];
        let runtimes: Vec<u64> = found(GO, Some(&heap), Some(&[]))
            .into_iter()
            .filter(|(kind, ..)| *kind == Kind::Runtime)
            .map(|(_, at, _)| at)
            .collect();
        assert_eq!(runtimes, [0x7f00_0000_0000, 0x7f00_0020_0000], "and no arena, whatever lies in it");
        for more in ["600000-700000 rw-p 0 0:0 0 [heap]\n", "600000-700000 r-xp 0 0:1 9 /lib/libc.so\n"] {
            let text = format!("{GO}{more}");
            let found = found(&text, Some(&heap), Some(&[]));
            assert!(found.iter().all(|(kind, ..)| *kind != Kind::Runtime), "{more}");
        }
    }

    #[test]
    fn pages_of_files_and_shared_memory_do_not_count_and_no_place_is_not_known() {
        let places = [place(Kind::Data, 0..10), place(Kind::Data, 20..30), place(Kind::Stack, 40..50)];
        let pages =
            |present, shared| Pages { present: Bytes(present), shared: Bytes(shared), ..Pages::default() };
        let found = super::found(&places, &[pages(9, 4), pages(3, 0), pages(0, 0)]);
        let expected = Beside { data: Some(Bytes(8)), stack: Some(Bytes(0)), heap: None, runtime: None };
        assert_eq!(found, expected);
    }
}
