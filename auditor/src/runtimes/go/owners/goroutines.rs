//! The goroutines and their stacks, from the runtime's own list (`runtime.allgs`, src/runtime/proc.go).

use std::ops::{ControlFlow, Range};

use super::blocks;
use crate::audit::unit::Address;
use crate::target::go::layouts::{self, Layout};
use crate::target::memory::{Memory, Request, read_u64};

/// Most goroutines that are looked at.
const MOST: usize = 1 << 20;
/// How many are read at once.
const BATCH: usize = 4096;
/// How often one that makes no sense is read.
const TRIES: usize = 4;
/// Most bytes of stacks, all together.
const MOST_BYTES: u64 = 1 << 30;
/// Largest stack (`runtime.maxstacksize` on 64-bit machines), rounded up.
const STACK: u64 = 1 << 30;
/// Set while the collector looks at the stack (`runtime._Gscan`).
const SCANNED: u32 = 0x1000;

/// Bytes of a slice.
const SLICE: usize = 24;

/// What a goroutine is doing (`runtime._Grunnable` and so on, src/runtime/runtime2.go).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It waits, or could run: its stack stands still, and where it begins is known.
    Parked,
    /// It runs: how far its stack reaches is not known.
    Running,
    /// It is in a system call: its stack stands still.
    InSystemCall,
    /// Its stack is being moved.
    Moving,
}

/// A goroutine that has a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Goroutine {
    /// Where its `runtime.g` is.
    pub(super) at: Address,
    /// Its number in stack traces.
    pub(super) id: u64,
    /// What it is doing.
    pub(super) status: Status,
    /// The lowest address of its stack.
    pub(super) low: u64,
    /// The end of its stack.
    pub(super) high: u64,
    /// Where the used part begins; of one that runs, where it began when it last did not.
    pub(super) stack_pointer: u64,
    /// Where it goes on; of one that runs, where it went on last.
    pub(super) program_counter: u64,
}

/// All goroutines that have a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Goroutines {
    /// They, as the runtime lists them.
    pub(super) all: Vec<Goroutine>,
    /// Whether there are others.
    pub(super) is_cut_short: bool,
}

/// Reads the list at `list`, which is a slice of pointers to goroutines. What does not make sense is
/// left out, which [`Goroutines::is_cut_short`] tells.
pub(super) fn read(list: Address, layout: &Layout, memory: &dyn Memory) -> Goroutines {
    let mut found = Goroutines::default();
    let Some(pointers) = pointers(list, memory) else {
        return Goroutines { is_cut_short: true, ..found };
    };
    found.is_cut_short = pointers.len() > MOST;
    for batch in pointers.chunks(BATCH).take(MOST / BATCH) {
        found.add(batch, &layout.goroutine, memory);
    }
    found.bound();
    found
}

impl Goroutines {
    /// Leaves out those with whose stacks it would be too much to read.
    fn bound(&mut self) {
        let mut left = MOST_BYTES;
        let all = self.all.len();
        self.all.retain(|one| {
            let (certain, perhaps) = one.stack();
            let bytes = (certain.end - certain.start) + (perhaps.end - perhaps.start);
            let has_room = bytes <= left;
            left -= if has_room { bytes } else { 0 };
            has_room
        });
        self.is_cut_short |= self.all.len() < all;
    }

    /// Adds those of a batch. One that changes while it is read is read again.
    fn add(&mut self, batch: &[u64], layout: &layouts::Goroutine, memory: &dyn Memory) {
        let mut left = batch.to_vec();
        for _ in 0..TRIES {
            let read = read_batch(&left, layout, memory);
            let unclear = read.iter().zip(&left).filter(|(one, _)| matches!(one, Read::Unclear));
            let unclear = unclear.map(|(_, at)| *at).collect();
            self.all.extend(read.iter().filter_map(|one| match one {
                Read::Has(goroutine) => Some(*goroutine),
                Read::Dead | Read::Unclear => None,
            }));
            left = unclear;
            if left.is_empty() {
                return;
            }
        }
        self.is_cut_short = true;
    }
}

/// The array is let go when it grows: if it is gone, the list says where the new one is.
fn pointers(list: Address, memory: &dyn Memory) -> Option<Vec<u64>> {
    (0..TRIES).find_map(|_try| {
        let at = read_u64(memory, list).ok()?;
        let count = usize::try_from(read_u64(memory, list.plus(8)?).ok()?).ok()?.min(MOST + 1);
        let mut bytes = vec![0; count * 8];
        memory.read(Address(at), &mut bytes).ok()?;
        Some(bytes.chunks_exact(8).map(|word| number(word, 0)).collect())
    })
}

enum Read {
    Has(Goroutine),
    Dead,
    Unclear,
}

fn read_batch(batch: &[u64], layout: &layouts::Goroutine, memory: &dyn Memory) -> Vec<Read> {
    let len = span_of(layout);
    let mut bytes = vec![0; batch.len() * len];
    let pieces = bytes.chunks_exact_mut(len).zip(batch);
    let mut requests: Vec<_> = pieces.map(|(into, &at)| Request { at: Address(at), into }).collect();
    let answers = memory.read_many(&mut requests);
    let each = requests.iter().zip(answers);
    each.map(|(request, answer)| match answer {
        Ok(()) => understand(request.at, request.into, layout),
        Err(_) => Read::Unclear,
    })
    .collect()
}

/// Bytes of a `runtime.g` up to the last field that is looked at.
fn span_of(layout: &layouts::Goroutine) -> usize {
    let fields = [
        layout.stack + 8,
        layout.stack_pointer,
        layout.program_counter,
        layout.syscall_stack_pointer,
        layout.syscall_program_counter,
        layout.status,
        layout.id,
    ];
    fields.into_iter().max().unwrap_or(0) + 8
}

fn understand(at: Address, bytes: &[u8], layout: &layouts::Goroutine) -> Read {
    let status = match number(bytes, layout.status) as u32 & !SCANNED {
        // _Grunnable, _Gwaiting, _Gpreempted, and _Gleaked of 1.26 on.
        1 | 4 | 9 | 10 => Status::Parked,
        2 => Status::Running,
        3 => Status::InSystemCall,
        8 => Status::Moving,
        // _Gidle, _Gdead, _Gdeadextra: no stack that anything could be on.
        0 | 6 | 11 => return Read::Dead,
        _ => return Read::Unclear,
    };
    let (stack, counter) = match status {
        Status::InSystemCall => (layout.syscall_stack_pointer, layout.syscall_program_counter),
        _ => (layout.stack_pointer, layout.program_counter),
    };
    let goroutine = Goroutine {
        at,
        id: number(bytes, layout.id),
        status,
        low: number(bytes, layout.stack),
        high: number(bytes, layout.stack + 8),
        stack_pointer: number(bytes, stack),
        program_counter: number(bytes, counter),
    };
    if goroutine.is_sound() { Read::Has(goroutine) } else { Read::Unclear }
}

impl Goroutine {
    /// The part of the stack that is in use for certain, and the part of which that is not known.
    pub(super) fn stack(&self) -> (Range<u64>, Range<u64>) {
        match self.status {
            Status::Parked | Status::InSystemCall => (self.stack_pointer..self.high, self.low..self.low),
            Status::Running | Status::Moving => (self.high..self.high, self.low..self.high),
        }
    }

    fn is_sound(&self) -> bool {
        let size = self.high.checked_sub(self.low);
        let has_stack =
            size.is_some_and(|size| size > 0 && size <= STACK) && (self.low | self.high).is_multiple_of(8);
        match self.status {
            Status::Parked | Status::InSystemCall => {
                let is_inside = (self.low..=self.high).contains(&self.stack_pointer);
                has_stack && is_inside && self.stack_pointer.is_multiple_of(8)
            }
            // It may have got another stack since it last stood still.
            Status::Running | Status::Moving => has_stack,
        }
    }
}

/// Searches variables for the list, in a program without symbols: a slice of pointers, the first of which
/// leads to the goroutine with the number 1, which never ends.
#[must_use]
pub(super) fn find(ranges: &[Range<u64>], layout: &Layout, memory: &dyn Memory) -> Option<Address> {
    let mut found = None;
    let parts = ranges.iter().flat_map(|range| blocks::overlapping(range.clone(), SLICE - 8));
    blocks::read(parts.map(|range| (range, ())), memory, &mut |part, bytes| {
        let slices = bytes.unwrap_or_default().windows(SLICE).step_by(8);
        let mut places = (part.range.start..).step_by(8).zip(slices);
        found = places.find(|(_, slice)| is_list(slice, layout, memory)).map(|(at, _)| Address(at));
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// The address, length and capacity of a list of goroutines.
fn is_list(slice: &[u8], layout: &Layout, memory: &dyn Memory) -> bool {
    let [at, len, capacity] = [0, 8, 16].map(|place| number(slice, place));
    if at == 0 || at % 8 != 0 || len == 0 || len > capacity || capacity > 2 * MOST as u64 {
        return false;
    }
    let Ok(first) = read_u64(memory, Address(at)) else { return false };
    let main = read_batch(&[first], &layout.goroutine, memory);
    matches!(main.as_slice(), [Read::Has(goroutine)] if goroutine.id == 1)
}

fn number(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..).and_then(|tail| tail.first_chunk());
    u64::from_le_bytes(word.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::go::Release;
    use crate::target::memory::{CapturedMemory, ReadError};
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    const LIST: u64 = 0x9000;
    const ARRAY: u64 = 0xa000;
    const FIRST: u64 = 0x1_0000;

    fn layout() -> &'static Layout {
        layouts::nearest(Release { major: 1, minor: 23 })
    }

    /// Bytes of a goroutine: status, number, stack and where its used part begins, in system calls and else.
    fn made(status: u32, id: u64, [low, high, pointer, in_call]: [u64; 4]) -> Vec<u8> {
        let of = layout().goroutine;
        let mut bytes = vec![0; of.size];
        let fields = [
            (of.stack, low),
            (of.stack + 8, high),
            (of.stack_pointer, pointer),
            (of.program_counter, 0x40_0001),
            (of.syscall_stack_pointer, in_call),
            (of.syscall_program_counter, 0x40_0002),
            (of.status, u64::from(status)),
            (of.id, id),
        ];
        for (field, value) in fields {
            bytes[field..field + 8].copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    fn memory(all: &[Vec<u8>]) -> CapturedMemory {
        let mut memory = CapturedMemory::new();
        let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        memory.insert(Address(LIST), words(&[ARRAY, all.len() as u64, 64]));
        let pointers: Vec<u64> = (0..all.len() as u64).map(|number| FIRST + number * 0x1000).collect();
        memory.insert(Address(ARRAY), words(&pointers));
        for (at, bytes) in pointers.iter().zip(all) {
            memory.insert(Address(*at), bytes.clone());
        }
        memory
    }

    const STACK: [u64; 4] = [0x10_0000, 0x10_2000, 0x10_1000, 0x10_1800];

    #[test]
    fn each_goroutine_is_told_with_the_part_of_its_stack_that_is_in_use() {
        let all = [made(4, 1, STACK), made(0x1003, 7, STACK), made(2, 8, STACK), made(6, 9, [0; 4])];
        let found = read(Address(LIST), layout(), &memory(&all));
        assert!(!found.is_cut_short);
        let told: Vec<_> = found.all.iter().map(|one| (one.id, one.status, one.stack())).collect();
        let nothing = |at: u64| at..at;
        assert_eq!(told[0], (1, Status::Parked, (0x10_1000..0x10_2000, nothing(0x10_0000))));
        assert_eq!(told[1], (7, Status::InSystemCall, (0x10_1800..0x10_2000, nothing(0x10_0000))));
        assert_eq!(told[2], (8, Status::Running, (nothing(0x10_2000), 0x10_0000..0x10_2000)));
        assert_eq!(told.len(), 3, "the dead have no stack");
        assert_eq!((found.all[0].program_counter, found.all[1].program_counter), (0x40_0001, 0x40_0002));
    }

    #[test]
    fn a_goroutine_that_runs_may_have_left_its_old_stack_behind() {
        let all = [made(2, 8, [0x10_0000, 0x10_2000, 0x55_0000, 0])];
        let found = read(Address(LIST), layout(), &memory(&all));
        assert_eq!((found.all.len(), found.is_cut_short), (1, false));
    }

    #[test]
    fn what_makes_no_sense_is_left_out_and_told() {
        for bad in [
            made(4, 2, [0x10_2000, 0x10_0000, 0x10_1000, 0]),
            made(4, 2, [0x10_0000, 0x10_2000, 0x10_3000, 0]),
            made(4, 2, [0x10_0000, 0x10_2000, 0x10_1004, 0]),
            made(4, 2, [8, u64::MAX - 7, 16, 0]),
            made(77, 2, STACK),
        ] {
            let found = read(Address(LIST), layout(), &memory(&[made(4, 1, STACK), bad]));
            assert_eq!((found.all.len(), found.is_cut_short), (1, true));
        }
        assert!(read(Address(0), layout(), &CapturedMemory::new()).is_cut_short);
    }

    #[test]
    fn stacks_of_so_many_bytes_are_read_and_no_more() {
        let huge = made(4, 2, [0x1000_0000, 0x1000_0000 + super::STACK, 0x1000_0000, 0]);
        let all = [made(4, 1, STACK), huge, made(4, 3, STACK)];
        let found = read(Address(LIST), layout(), &memory(&all));
        let ids: Vec<u64> = found.all.iter().map(|one| one.id).collect();
        assert_eq!((ids, found.is_cut_short), (vec![1, 3], true));
    }

    /// Nothing makes sense for the first readings.
    struct Changing(CapturedMemory, AtomicUsize);
    impl Memory for Changing {
        fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
            self.0.read(at, into)?;
            if at.0 >= FIRST && self.1.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                into.fill(0xff);
            }
            Ok(())
        }
    }

    #[test]
    fn a_goroutine_that_changes_meanwhile_is_read_again_but_not_for_ever() {
        let all = [made(4, 1, STACK), made(4, 2, STACK)];
        let found = read(Address(LIST), layout(), &Changing(memory(&all), AtomicUsize::new(3)));
        assert_eq!((found.all.len(), found.is_cut_short), (2, false));
        let found = read(Address(LIST), layout(), &Changing(memory(&all), AtomicUsize::new(1000)));
        assert_eq!((found.all.len(), found.is_cut_short), (0, true));
    }

    #[test]
    fn a_list_without_a_name_is_found_by_its_first_goroutine() {
        let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
        let mut memory = memory(&[made(4, 1, STACK), made(4, 2, STACK)]);
        memory.insert(Address(0xb000), words(&[0, FIRST, 1, 1, ARRAY, 2, 64, 0]));
        let range = 0xb000..0xb040;
        assert_eq!(find(std::slice::from_ref(&range), layout(), &memory), Some(Address(0xb020)));
        assert_eq!(find(&[], layout(), &memory), None);
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_goroutine_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let found = read(Address(LIST), layout(), &memory(&[bytes]));
            for one in found.all {
                let (certain, perhaps) = one.stack();
                prop_assert!(certain.end <= one.high && perhaps.end <= one.high);
            }
        }
    }
}
