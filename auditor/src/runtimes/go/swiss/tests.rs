//! Swiss maps in made-up heaps.

use proptest::prelude::*;

use super::*;
use crate::runtimes::go::Kind;
use crate::runtimes::go::bucket::Walks;
use crate::runtimes::go::gather::Gather;
use crate::runtimes::go::heap::Heap;
use crate::runtimes::go::made::{Made, bucket_type, map_types};
use crate::runtimes::go::reader::Lookup;
use crate::target::memory::CapturedMemory;

/// `map[int]int` and `map[string]int`: bytes of a group, and whether it holds no pointers.
const INTS: (u64, bool) = (136, true);
const STRINGS: (u64, bool) = (200, false);
const SEED: u64 = 0x9876_5432_10ab_cdef;
/// Three full slots.
const THREE: u64 = 0x8080_8080_8001_7f05;

fn header(made: &mut Made, used: u64, directory: u64, depth: Option<u8>) -> u64 {
    let at = made.object(48, false, 0);
    let (tables, shape) =
        depth.map_or((0, 0), |depth| (1 << depth, u64::from(64 - depth) << 8 | u64::from(depth)));
    made.words(at, &[used, SEED, directory, tables, shape, 0]);
    at
}

/// A table of so many slots with groups of that size.
fn table(made: &mut Made, (used, capacity, left): (u64, u64, u64), depth: u64, group: (u64, bool)) -> u64 {
    let groups = made.object(capacity / 8 * group.0, group.1, bucket_type(1));
    let at = made.object(32, false, 0);
    made.words(at, &[used | capacity << 16 | left << 32 | depth << 48, 0, groups, capacity / 8 - 1]);
    at
}

/// A map of `used` entries and 3 tables, one of which is listed twice; the tables hold 300, 200 and 100.
fn three_tables(used: u64) -> (Made, u64) {
    let mut made = Made::new(27);
    let shapes = [(300, 1024, 500), (200, 1024, 696), (100, 1024, 796)];
    let tables: Vec<u64> = shapes.map(|shape| table(&mut made, shape, 1, INTS)).into();
    let directory = made.object(32, false, 0);
    made.words(directory, &[tables[0], tables[0], tables[1], tables[2]]);
    let at = header(&mut made, used, directory, Some(2));
    (made, at)
}

fn look(memory: &CapturedMemory, made: &Made, at: u64, lookup: Lookup) -> Result<Seen, Vec<u64>> {
    let heap = Heap::read(made.place(), memory).unwrap();
    let mut types = map_types(27, Kind::Swiss, &[INTS, STRINGS]);
    let mut reader = Reader {
        heap: &heap,
        types: &mut types,
        gather: Gather::new(memory),
        lookup,
        walk: 0,
        walks: &mut Walks::default(),
    };
    let mut bytes = [0; HEADER];
    crate::target::memory::Memory::read(memory, Address(at), &mut bytes).unwrap();
    let (mut found, mut again) = (None, Vec::new());
    let candidate = Candidate::new(at, &bytes, HEADER).unwrap();
    recognise(&[candidate], &mut reader, &mut |seen| found = Some(seen.clone()), &mut again);
    found.ok_or(again)
}

fn found(made: &Made, at: u64) -> Result<Seen, Vec<u64>> {
    look(&made.memory(), made, at, Lookup::Snapshot)
}

#[test]
fn a_map_of_one_group_is_its_header_and_that_group() {
    let mut made = Made::new(27);
    let group = made.object(136, true, 0);
    made.words(group, &[THREE]);
    let at = header(&mut made, 3, group, None);
    let seen = found(&made, at).unwrap();
    assert_eq!((seen.shape.live, seen.shape.capacity, seen.shape.allocated), (3, 8, Bytes(48 + 144)));
    assert_eq!((seen.shape.needed, seen.has_tables), (Some(Bytes(48 + 144)), false));
}

#[test]
fn a_group_whose_control_bytes_do_not_go_with_the_entries_is_none() {
    for (control, used) in [(THREE, 4), (THREE | 0xff << 56, 3), (0, 8), (0x0707_0707_0707_0707, 8)] {
        let mut made = Made::new(27);
        let group = made.object(136, true, 0);
        made.words(group, &[control]);
        let at = header(&mut made, used, group, None);
        assert_eq!(found(&made, at), Err(vec![at]), "{control:#x}");
    }
}

#[test]
fn an_object_of_a_size_that_no_type_of_the_program_has_is_no_group() {
    let mut made = Made::new(27);
    let group = made.object(320, true, 0);
    made.words(group, &[THREE]);
    let at = header(&mut made, 3, group, None);
    assert!(found(&made, at).is_err());
}

#[test]
fn small_numbers_are_no_seed() {
    let words = |seed: u64| [3, seed, 0xc0_0000_0000, 0, 0, 0].map(u64::to_le_bytes).concat();
    assert!(passes(&words(SEED)));
    assert!(!passes(&words(16)) && !passes(&words(0)));
}

#[test]
fn a_table_that_is_listed_twice_counts_once() {
    let (made, at) = three_tables(600);
    let shape = found(&made, at).unwrap().shape;
    assert_eq!((shape.live, shape.capacity, shape.tombstones), (600, 3 * 1024, Some(96)));
    assert_eq!(shape.allocated, Bytes(48 + 32 + 3 * (32 + 18_432)));
}

#[test]
fn tables_that_do_not_come_to_what_the_map_counts_are_looked_at_again() {
    let (made, at) = three_tables(900);
    assert_eq!(found(&made, at), Err(vec![at]));
    assert_eq!(look(&made.memory(), &made, at, Lookup::Live), Err(vec![at]));
}

#[test]
fn groups_with_pointers_say_of_which_type_they_are() {
    let mut made = Made::new(27);
    let one = table(&mut made, (20, 32, 8), 0, STRINGS);
    let directory = made.object(8, false, 0);
    made.words(directory, &[one]);
    let at = header(&mut made, 20, directory, Some(0));
    let seen = found(&made, at).unwrap();
    let types = map_types(27, Kind::Swiss, &[INTS, STRINGS]);
    assert_eq!(types.common(seen.guess).map(|known| known.bucket_size), Some(200));
    assert_eq!(seen.shape.allocated, Bytes(48 + 8 + 32 + 896));
}

#[test]
fn what_was_allocated_after_the_heap_was_read_is_found_live() {
    let (mut made, _) = three_tables(600);
    let memory = made.memory();
    let heap = Heap::read(made.place(), &memory).unwrap();
    let group = made.object(200, false, 0);
    made.words(group, &[THREE]);
    let at = header(&mut made, 3, group, None);
    let later = made.memory();
    let mut types = map_types(27, Kind::Swiss, &[INTS, STRINGS]);
    let mut bytes = [0; HEADER];
    crate::target::memory::Memory::read(&later, Address(at), &mut bytes).unwrap();
    let candidate = Candidate::new(at, &bytes, HEADER).unwrap();
    let mut live = 0;
    for (lookup, expected) in [(Lookup::Snapshot, 0), (Lookup::Live, 3)] {
        let mut reader = Reader {
            heap: &heap,
            types: &mut types,
            gather: Gather::new(&later),
            lookup,
            walk: 0,
            walks: &mut Walks::default(),
        };
        recognise(&[candidate], &mut reader, &mut |seen| live = seen.shape.live, &mut Vec::new());
        assert_eq!(live, expected);
    }
}

/// The span of a table's groups held objects of another size when the heap was read.
#[test]
fn an_object_of_another_size_than_the_types_tables_have_is_looked_up_as_it_is_now() {
    let mut made = Made::new(27);
    let one = table(&mut made, (300, 1024, 500), 0, INTS);
    let directory = made.object(8, false, 0);
    made.words(directory, &[one]);
    let at = header(&mut made, 300, directory, Some(0));
    let largest = (0..made.spans.len()).max_by_key(|span| made.spans[*span].element).unwrap();
    let mut before = made.clone();
    let span = &mut before.spans[largest];
    span.element *= 2;
    span.allocated.truncate(span.allocated.len() / 2);
    span.marked.truncate(span.marked.len() / 2);
    let memory = before.memory();
    let heap = Heap::read(before.place(), &memory).unwrap();
    let later = made.memory();
    let mut types = map_types(27, Kind::Swiss, &[INTS, STRINGS]);
    let mut bytes = [0; HEADER];
    crate::target::memory::Memory::read(&later, Address(at), &mut bytes).unwrap();
    let candidate = Candidate::new(at, &bytes, HEADER).unwrap();
    let mut polled = |lookup| {
        let (gather, walks) = (Gather::new(&later), &mut Walks::default());
        let mut reader = Reader { heap: &heap, types: &mut types, gather, lookup, walk: 0, walks };
        let mut found = None;
        recognise(&[candidate], &mut reader, &mut |seen| found = Some(seen.shape.allocated), &mut Vec::new());
        found
    };
    assert_eq!(polled(Lookup::Snapshot), None);
    assert_eq!(polled(Lookup::Live), Some(found(&made, at).unwrap().shape.allocated));
}

proptest! {
    #[test]
    fn no_bytes_behind_a_header_panic_or_make_up_more_than_their_tables_can_hold(
        noise in proptest::collection::vec((0_usize..4, 0_u64..48, any::<u8>()), 0..8),
        header in proptest::collection::vec((0_u64..48, any::<u8>()), 0..4),
    ) {
        let (mut made, at) = three_tables(600);
        let objects: Vec<u64> = made.spans.iter().map(|span| span.start).collect();
        for (object, offset, byte) in noise {
            made.write(objects[object % objects.len()] + offset, &[byte]);
        }
        for (offset, byte) in header {
            made.write(at + offset, &[byte]);
        }
        let memory = made.memory();
        for lookup in [Lookup::Snapshot, Lookup::Live] {
            if let Ok(seen) = look(&memory, &made, at, lookup) {
                prop_assert!(seen.shape.live <= seen.shape.capacity + seen.shape.capacity / 16 + 8);
                prop_assert!(seen.shape.allocated.0 < 1 << 20);
            }
        }
    }
}
