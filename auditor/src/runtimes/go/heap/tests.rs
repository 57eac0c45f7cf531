//! The heap, read from made-up memory.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use proptest::prelude::*;

use super::*;
use crate::runtimes::go::made::{self, GENERATION, HEAP, Made, START, put};
use crate::target::memory::{CapturedMemory, ReadError};

const MINORS: [u32; 8] = [19, 21, 22, 23, 24, 25, 26, 27];

/// Whether the object at an address is allocated, of those of which it is read.
fn is_allocated(heap: &Heap, at: u64) -> bool {
    let object = heap.object(Address(at)).unwrap();
    let span = object.span.unwrap();
    heap.is_allocated_at(span, (at - heap.spans()[span].start.0) / object.size)
}

/// Two objects of 48 bytes, one of 16 KiB of a type, a large one of another.
fn some(minor: u32) -> (Made, [u64; 4]) {
    let mut made = Made::new(minor);
    let objects = [
        made.object(48, false, 0),
        made.object(48, false, 0),
        made.object(16_000, false, 0x5000),
        made.object(100_000, false, 0x6000),
    ];
    (made, objects)
}

#[test]
fn an_address_leads_to_its_object_and_nothing_else_does_in_every_release() {
    for minor in MINORS {
        let (made, [first, second, typed, large]) = some(minor);
        let memory = made.memory();
        let heap = Heap::read(made.place(), &memory).unwrap();
        for (at, base, size) in
            [(first, first, 48), (second + 47, second, 48), (large + 99_999, large, 106_496)]
        {
            let object = heap.object(Address(at)).unwrap();
            assert_eq!((object.base, object.size), (Address(base), size), "{minor}");
            assert!(is_allocated(&heap, base));
            let live = heap.live_object(Address(at), &memory).unwrap();
            assert_eq!(Object { span: object.span, ..live }, object, "{minor}");
        }
        assert!(!is_allocated(&heap, second + 48), "{minor}");
        for outside in [0, START - 1, START + PAGE, large + 106_496, u64::MAX] {
            assert_eq!(heap.object(Address(outside)), None, "{minor} {outside:#x}");
        }
        let type_of = |at| heap.type_of(&heap.object(Address(at)).unwrap(), &memory);
        let has_types = minor >= 22;
        assert_eq!(type_of(typed), has_types.then_some(Address(0x5000)), "{minor}");
        assert_eq!(type_of(large), has_types.then_some(Address(0x6000)), "{minor}");
        assert_eq!(heap.object(Address(typed)).unwrap().data(), typed, "{minor}");
        assert_eq!(type_of(first), None);
    }
}

#[test]
fn in_a_span_that_is_not_swept_the_marks_say_what_lives() {
    for minor in MINORS {
        for generation in [GENERATION - 2, GENERATION + 1] {
            let (mut made, [first, second, ..]) = some(minor);
            made.spans[0].generation = generation;
            made.spans[0].free_index = 2;
            made.spans[0].marked[1] = true;
            let heap = Heap::read(made.place(), &made.memory()).unwrap();
            let both = [first, second].map(|at| is_allocated(&heap, at));
            assert_eq!(both, [false, true], "{minor}");
        }
    }
}

#[test]
fn objects_below_the_free_index_are_allocated_whatever_the_bits_say() {
    let (mut made, [first, ..]) = some(23);
    made.spans[0].allocated[0] = false;
    made.spans[0].free_index = 1;
    let heap = Heap::read(made.place(), &made.memory()).unwrap();
    assert!(is_allocated(&heap, first));
    assert!(heap.is_allocated_at(0, 0) && heap.is_allocated_at(0, 1) && !heap.is_allocated_at(0, 2));
    assert!(!heap.is_allocated_at(0, 170) && !heap.is_allocated_at(99, 0));
}

#[test]
fn a_heap_that_does_not_come_to_what_it_counts_is_refused() {
    let (mut made, _) = some(27);
    made.miscounted = 10;
    let error = Heap::read(made.place(), &made.memory()).unwrap_err();
    assert!(error.to_string().contains("but it counts"), "{error}");
}

#[test]
fn free_spans_and_those_of_stacks_are_left_out() {
    let (mut made, [first, ..]) = some(24);
    made.spans[0].state = 2;
    let heap = Heap::read(made.place(), &made.memory()).unwrap();
    assert_eq!(heap.spans().len(), 2);
    assert_eq!(heap.object(Address(first)), None);
    assert_eq!(heap.live_object(Address(first), &made.memory()), None);
}

#[test]
fn spans_that_make_no_sense_are_refused() {
    let breaks: [fn(&mut made::MadeSpan); 5] = [
        |span| span.start += 8,
        |span| span.element = 0,
        |span| span.element = 1 << 40,
        |span| span.free_index = 1000,
        |span| span.pages = 0,
    ];
    for (number, breaks) in breaks.into_iter().enumerate() {
        let (mut made, _) = some(22);
        breaks(&mut made.spans[0]);
        let error = Heap::read(made.place(), &made.memory()).unwrap_err();
        assert!(error.to_string().contains("make no sense"), "{number}: {error}");
    }
}

/// The array of spans is elsewhere for the first readings, as when it grows meanwhile.
struct Moving(CapturedMemory, AtomicUsize);

impl Memory for Moving {
    fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
        if at.0 == made::ARRAY && self.1.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Err(ReadError::Unmapped { at, len: into.len() });
        }
        self.0.read(at, into)
    }
}

#[test]
fn a_list_that_moves_meanwhile_is_read_again_but_not_for_ever() {
    let (made, _) = some(27);
    assert!(Heap::read(made.place(), &Moving(made.memory(), AtomicUsize::new(3))).is_ok());
    assert!(Heap::read(made.place(), &Moving(made.memory(), AtomicUsize::new(99))).is_err());
}

#[test]
fn two_hands_read_what_one_reads() {
    for minor in MINORS {
        let (mut made, _) = some(minor);
        (0..3000).for_each(|number| _ = made.object(48 + 16 * (number % 3), number % 5 == 0, 0));
        made.spans[1].allocated[0] = false;
        let (place, memory) = (made.place(), made.memory());
        let [one, two] = [Hands::One, Hands::Two].map(|hands| Heap::read_by(hands, place, &memory).unwrap());
        assert_eq!(one.spans(), two.spans());
        assert_eq!(one.classes(), two.classes());
        let allocated = |heap: &Heap| {
            let of = |span| (0..200).map(move |index| heap.is_allocated_at(span, index));
            (0..one.spans().len()).flat_map(of).collect::<Vec<_>>()
        };
        assert_eq!(allocated(&one), allocated(&two));
    }
}

#[test]
fn the_heap_is_found_among_variables_without_a_symbol() {
    for minor in MINORS {
        let (made, _) = some(minor);
        let mut memory = made.memory();
        // A slice of words that lead nowhere, and one that leads to zeros.
        let mut decoys = vec![0; 4096];
        put(&mut decoys, 8, 0x7000_u64.to_le_bytes());
        put(&mut decoys, 16, 3_u64.to_le_bytes());
        put(&mut decoys, 24, 4_u64.to_le_bytes());
        memory.insert(Address(0x7000), [0x11; 24]).insert(Address(HEAP - 4096), decoys);
        let range = Address(HEAP - 4096)..Address(HEAP + made.layout.heap.size as u64);
        let find = |range| find(&[range], made.place(), &memory);
        assert_eq!(find(range).map(|place| place.at), Some(Address(HEAP)), "{minor}");
        assert!(find(Address(HEAP - 4096)..Address(HEAP)).is_none());
    }
}

/// Counts how often it is asked.
struct Asked(CapturedMemory, AtomicUsize);

impl Memory for Asked {
    fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
        self.1.fetch_add(1, Relaxed);
        self.0.read(at, into)
    }
}

#[test]
fn variables_full_of_what_may_be_lists_are_given_up() {
    let slice = [0x7000_u64, 3, 4].map(u64::to_le_bytes).concat();
    let mut memory = CapturedMemory::new();
    memory.insert(Address(0x10_0000), slice.repeat(1 << 16));
    let asked = Asked(memory, AtomicUsize::new(0));
    let range = Address(0x10_0000)..Address(0x10_0000 + 24 * (1 << 16));
    assert!(find(&[range], Made::new(27).place(), &asked).is_none());
    assert!(asked.1.load(Relaxed) < 5 * (1 << 12), "{} reads", asked.1.load(Relaxed));
}

#[test]
fn classes_add_up_objects_of_one_size() {
    let (made, _) = some(24);
    let heap = Heap::read(made.place(), &made.memory()).unwrap();
    let classes = heap.classes();
    let small = classes.iter().find(|class| class.object == Bytes(48)).unwrap();
    assert_eq!((small.objects, small.used, small.spans), (2, Bytes(96), Bytes(PAGE)));
    let large = classes.iter().find(|class| class.object == Bytes(0)).unwrap();
    assert_eq!((large.objects, large.used), (1, Bytes(106_496)));
    assert_eq!(heap.bytes(), Bytes(classes.iter().map(|class| class.spans.0).sum()));
}

proptest! {
    #[test]
    fn no_bytes_make_a_heap_panic(
        minor in 19_u32..28,
        noise in proptest::collection::vec((0_usize..3 * 168, any::<u8>()), 0..20),
        counts in (0_u64..6, any::<u64>()),
        asked in proptest::collection::vec(any::<u64>(), 0..20),
    ) {
        let (made, _) = some(minor);
        let mut memory = made.memory();
        let mut spans = vec![0; 3 * made.layout.span.size];
        memory.read(Address(made::SPANS), &mut spans).unwrap();
        for (at, byte) in noise {
            if let Some(into) = spans.get_mut(at) { *into = byte; }
        }
        memory.insert(Address(made::SPANS), spans);
        let mut heap = vec![0; made.layout.heap.size];
        memory.read(Address(HEAP), &mut heap).unwrap();
        put(&mut heap, made.layout.heap.all_spans + 8, if counts.0 == 5 { counts.1 } else { 3 }.to_le_bytes());
        memory.insert(Address(HEAP), heap);
        if let Ok(heap) = Heap::read(made.place(), &memory) {
            for at in asked.into_iter().chain(heap.spans().iter().map(|span| span.end() - 1)) {
                let live = heap.live_object(Address(at), &memory);
                for object in [heap.object(Address(at)), live].into_iter().flatten() {
                    prop_assert!(object.base.0 <= at && at < object.base.0 + object.size);
                    let is_allocated = object.span.map(|span| heap.is_allocated_at(span, at % 256));
                    std::hint::black_box((is_allocated, heap.type_of(&object, &memory)));
                }
            }
            prop_assert!(heap.classes().len() <= 3);
        }
    }
}
