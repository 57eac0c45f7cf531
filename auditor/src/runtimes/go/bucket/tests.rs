//! Classic maps in made-up heaps.

use proptest::prelude::*;

use super::*;
use crate::runtimes::go::Kind;
use crate::runtimes::go::gather::Gather;
use crate::runtimes::go::heap::Heap;
use crate::runtimes::go::made::{Made, bucket_type, map_types};
use crate::runtimes::go::reader::Lookup;
use crate::target::memory::{CapturedMemory, Memory as _};

/// `map[int]int` and `map[string]*T`: bytes of a bucket, and whether it holds no pointers.
const INTS: (u64, bool) = (144, true);
const USERS: (u64, bool) = (208, false);
const SEED: u64 = 0x89ab_cdef;

/// A header: count, flags, B, noverflow; buckets, oldbuckets, nevacuate, extra.
fn header(made: &mut Made, counts: (u64, u64, u64, u64), places: [u64; 4]) -> u64 {
    let (count, flags, shift, overflow) = counts;
    let len = if made.layout.release.minor >= 24 { 56 } else { 48 };
    let at = made.object(len, false, 0);
    let [buckets, old, moved, extra] = places;
    made.words(at, &[count, flags | shift << 8 | overflow << 16 | SEED << 32, buckets, old, moved]);
    made.words(at + len - 8, &[extra]);
    at
}

/// An array of 2^shift buckets with its spare ones.
fn array(made: &mut Made, shift: u32, bucket: (u64, bool)) -> u64 {
    let types = map_types(made.layout.release.minor, Kind::Bucket, &[bucket]);
    let known = *types.common(types.of_bucket(Address(bucket_type(0))).unwrap()).unwrap();
    let buckets = types.costs().buckets(&known, shift).unwrap();
    let number = if bucket == INTS { 0 } else { 1 };
    made.object(buckets * bucket.0, bucket.1, bucket_type(number))
}

/// A list of overflow buckets.
fn list(made: &mut Made, buckets: &[u64]) -> u64 {
    let entries = made.object(buckets.len() as u64 * 8, false, 0);
    made.words(entries, buckets);
    let slice = made.object(24, false, 0);
    made.words(slice, &[entries, buckets.len() as u64, buckets.len() as u64]);
    slice
}

fn extra(made: &mut Made, words: [u64; 3]) -> u64 {
    let at = made.object(24, false, 0);
    made.words(at, &words);
    at
}

fn look(memory: &CapturedMemory, made: &Made, at: u64, walk: u64) -> Option<Seen> {
    let heap = Heap::read(made.place(), memory).unwrap();
    let mut types = map_types(made.layout.release.minor, Kind::Bucket, &[INTS, USERS]);
    let len = types.costs().header as usize;
    let mut bytes = vec![0; len];
    memory.read(Address(at), &mut bytes).unwrap();
    let (mut found, mut walks) = (None, Walks::default());
    let candidate = Candidate::new(at, &bytes, len).unwrap();
    for lookup in [Lookup::Snapshot, Lookup::Live] {
        let mut reader = Reader {
            heap: &heap,
            types: &mut types,
            gather: Gather::new(memory),
            lookup,
            walk,
            walks: &mut walks,
        };
        let mut again = Vec::new();
        let before = found.clone();
        recognise(&[candidate], &mut reader, &mut |seen| found = Some(seen.clone()), &mut again);
        assert!(lookup == Lookup::Snapshot || before == found, "both lookups see the same");
    }
    found
}

fn found(made: &Made, at: u64) -> Option<Seen> {
    look(&made.memory(), made, at, 1 << 20)
}

#[test]
fn a_map_of_one_bucket_is_counted_by_its_marks_in_every_release() {
    for (minor, header_object) in [(19, 48), (21, 48), (23, 48), (24, 64)] {
        let mut made = Made::new(minor);
        let buckets = array(&mut made, 0, INTS);
        made.write(buckets, &[5, 9, 0, 255, 1, 0, 0, 0]);
        let at = header(&mut made, (3, 0, 0, 0), [buckets, 0, 0, 0]);
        let seen = found(&made, at).unwrap();
        assert_eq!((seen.shape.live, seen.shape.capacity), (3, 8), "{minor}");
        assert_eq!(seen.shape.allocated, Bytes(header_object + 144), "{minor}");
        let other = header(&mut made, (4, 0, 0, 0), [buckets, 0, 0, 0]);
        assert_eq!(found(&made, other), None, "{minor}");
    }
}

#[test]
fn overflow_without_pointers_is_what_the_lists_hold_beside_the_arrays() {
    let mut made = Made::new(23);
    let (buckets, old) = (array(&mut made, 5, INTS), array(&mut made, 4, INTS));
    let apart: Vec<u64> = (0..3).map(|_| made.object(144, true, 0)).collect();
    let new = list(&mut made, &[buckets + 32 * 144, apart[0]]);
    let before = list(&mut made, &[old + 16 * 144, old + 17 * 144, apart[1], apart[2]]);
    let extra = extra(&mut made, [new, before, 0]);
    let at = header(&mut made, (105, 0, 5, 2), [buckets, old, 7, extra]);
    let shape = found(&made, at).unwrap().shape;
    // 34 buckets of 144 bytes are 4,896, in the class of 5,376; 17 are in that of 2,688.
    assert_eq!(shape.old_bytes, Bytes(2688 + 24 + 32 + 2 * 144));
    assert_eq!(shape.allocated, Bytes(48 + 5376 + 24 + 24 + 16 + 144) + shape.old_bytes);
    assert_eq!((shape.overflow, shape.evacuation), (Some(6), Some(Progress { moved: 7, total: 16 })));
}

#[test]
fn chains_with_pointers_are_walked_while_a_map_grows_and_counted_else() {
    let mut made = Made::new(23);
    let (buckets, old) = (array(&mut made, 3, USERS), array(&mut made, 2, USERS));
    let apart: Vec<u64> = (0..3).map(|_| made.object(208, false, 0)).collect();
    made.words(buckets + 200, &[apart[0]]);
    made.words(apart[0] + 200, &[apart[1]]);
    made.words(old + 3 * 208 + 200, &[apart[2]]);
    let growing = header(&mut made, (27, 0, 3, 2), [buckets, old, 1, 0]);
    let shape = found(&made, growing).unwrap().shape;
    assert_eq!((shape.overflow, shape.old_bytes), (Some(3), Bytes(896 + 208)));
    assert_eq!(shape.allocated, Bytes(48 + 1792 + 2 * 208) + shape.old_bytes);
    let settled = header(&mut made, (27, 0, 3, 2), [buckets, 0, 4, 0]);
    let shape = found(&made, settled).unwrap().shape;
    assert_eq!((shape.overflow, shape.allocated), (Some(2), Bytes(48 + 1792 + 2 * 208)));
}

#[test]
fn what_may_not_be_walked_is_said_to_be_an_estimate() {
    let mut made = Made::new(23);
    let (buckets, old) = (array(&mut made, 3, USERS), array(&mut made, 2, USERS));
    let at = header(&mut made, (27, 0, 3, 2), [buckets, old, 1, 0]);
    let seen = look(&made.memory(), &made, at, 8).unwrap();
    assert!(seen.is_estimate && seen.shape.overflow.is_none());
}

/// Polling reads a large map's header, and not its array at every interval.
#[test]
fn what_a_census_walked_is_remembered_while_the_map_is_as_it_was() {
    let mut made = Made::new(23);
    let (buckets, old) = (array(&mut made, 3, USERS), array(&mut made, 2, USERS));
    let apart = made.object(208, false, 0);
    made.words(buckets + 200, &[apart]);
    let at = header(&mut made, (27, 0, 3, 2), [buckets, old, 1, 0]);
    let (memory, mut walks) = (made.memory(), Walks::default());
    let heap = Heap::read(made.place(), &memory).unwrap();
    let mut types = map_types(23, Kind::Bucket, &[INTS, USERS]);
    let mut polled = |walk, count: u64, walks: &mut Walks| {
        let mut bytes = [0; 48];
        memory.read(Address(at), &mut bytes).unwrap();
        bytes[..8].copy_from_slice(&count.to_le_bytes());
        let candidate = Candidate::new(at, &bytes, 48).unwrap();
        let (lookup, gather) = (Lookup::Snapshot, Gather::new(&memory));
        let mut reader = Reader { heap: &heap, types: &mut types, gather, lookup, walk, walks };
        let mut found = None;
        recognise(&[candidate], &mut reader, &mut |seen| found = Some(seen.clone()), &mut Vec::new());
        let seen = found.unwrap();
        (seen.shape.overflow, seen.is_estimate)
    };
    assert_eq!(polled(1 << 20, 27, &mut walks), (Some(1), false));
    assert_eq!(polled(0, 27, &mut walks), (Some(1), false), "nothing may be walked any more");
    assert_eq!(polled(0, 28, &mut walks), (None, true), "an entry more, and perhaps a bucket");
}

#[test]
fn a_chain_that_bites_its_tail_ends() {
    let mut made = Made::new(23);
    let (buckets, old) = (array(&mut made, 3, USERS), array(&mut made, 2, USERS));
    let apart = made.object(208, false, 0);
    made.words(buckets + 200, &[apart]);
    made.words(apart + 200, &[apart]);
    let at = header(&mut made, (27, 0, 3, 2), [buckets, old, 1, 0]);
    assert!(found(&made, at).is_some());
}

#[test]
fn a_map_never_filled_is_its_seed_alone() {
    let mut made = Made::new(19);
    let at = header(&mut made, (0, 0, 0, 0), [0; 4]);
    let shape = found(&made, at).unwrap().shape;
    assert_eq!((shape.capacity, shape.allocated, shape.needed), (0, Bytes(48), Some(Bytes(48))));
    let other = header(&mut made, (1, 0, 0, 0), [0; 4]);
    assert_eq!(found(&made, other), None);
}

/// `hashGrow` sets the flag, then asks for the array, for which it may have to help the collector.
#[test]
fn a_map_that_is_about_to_be_rebuilt_is_one() {
    let mut made = Made::new(23);
    let buckets = array(&mut made, 5, INTS);
    let mut is_found = |flags| {
        let at = header(&mut made, (105, flags, 5, 0), [buckets, 0, 32, 0]);
        found(&made, at).is_some()
    };
    assert_eq!([12, 8, 4, 0].map(&mut is_found), [true, false, true, true]);
}

#[test]
fn arrays_of_another_size_make_no_map() {
    let mut made = Made::new(23);
    let buckets = array(&mut made, 3, INTS);
    for shift in [2, 4, 30] {
        let at = header(&mut made, (3, 0, shift, 0), [buckets, 0, 0, 0]);
        assert_eq!(found(&made, at), None, "{shift}");
    }
}

proptest! {
    #[test]
    fn no_bytes_behind_a_header_panic_or_make_up_more_than_the_heap_holds(
        noise in proptest::collection::vec((0_usize..8, 0_u64..208, any::<u8>()), 0..8),
        header_noise in proptest::collection::vec((0_u64..48, any::<u8>()), 0..4),
        bucket in prop_oneof![Just(INTS), Just(USERS)],
    ) {
        let mut made = Made::new(23);
        let (buckets, old) = (array(&mut made, 5, bucket), array(&mut made, 4, bucket));
        let apart = made.object(bucket.0, bucket.1, 0);
        let lists = list(&mut made, &[buckets + 32 * bucket.0, apart]);
        let extra = extra(&mut made, [lists, lists, 0]);
        let at = header(&mut made, (105, 0, 5, 2), [buckets, old, 7, extra]);
        let objects: Vec<u64> = made.spans.iter().map(|span| span.start).collect();
        for (object, offset, byte) in noise {
            made.write(objects[object % objects.len()] + offset, &[byte]);
        }
        for (offset, byte) in header_noise {
            made.write(at + offset, &[byte]);
        }
        if let Some(seen) = look(&made.memory(), &made, at, 1 << 16) {
            prop_assert!(seen.shape.allocated >= seen.shape.old_bytes);
            prop_assert!(seen.shape.live <= 2 * seen.shape.capacity);
            prop_assert!(seen.shape.evacuation.is_none_or(|progress| progress.moved <= progress.total));
        }
    }
}
