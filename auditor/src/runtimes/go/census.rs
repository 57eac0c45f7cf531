//! All maps of a Go program at one moment: the heap's spans, the objects of a header's size among them, and
//! which of these are maps.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Kind;
use super::bucket::Walks;
use super::cost::Costs;
use super::gather::Gather;
use super::hands::Hands;
use super::heap::Heap;
use super::places::Places;
use super::reader::{Lookup, Reader, Seen};
use super::scan::{self, Candidate, Form, HEADER_MOST};
use super::types::{Guess, MapTypes};
use super::{bucket, swiss};
use crate::audit::fact::{Crowd, Described, Shape};
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::census::Found;
use crate::target::memory::Memory;

/// How often a header that leads to nothing sensible is read again: the map was being changed.
const TRIES: usize = 4;
/// Most such headers that are read again.
const AGAIN: usize = 1 << 16;
/// Most bytes that are read to walk chains of overflow buckets, in a census and for one map that is polled.
const WALK: u64 = 256 << 20;
const WALK_OF_ONE: u64 = 4 << 20;
/// A map is nearly empty when its entries fill less than one part in so many of its slots.
const NEARLY_EMPTY: u64 = 8;

/// A large map.
#[derive(Debug)]
pub struct Listed {
    /// As it was recognised.
    pub seen: Seen,
    /// Whether no census before found one there.
    pub is_new: bool,
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Counted {
    /// Large maps, in no order.
    pub listed: Vec<Listed>,
    /// The others, in one list for each part of the heap.
    pub small: Vec<Vec<Small>>,
    /// Maps whose overflow is what they themselves believe.
    pub estimates: u64,
    /// Spans that could not be read.
    pub unread: u64,
    /// Headers that looked like a map's and led nowhere.
    pub undecided: u64,
    /// Bytes that were read.
    pub read: u64,
}

impl Counted {
    /// What the reader of a census should know.
    pub fn notes(&self) -> Vec<String> {
        let notes = [
            (self.unread, "spans of the heap could not be read: maps in them are missing"),
            (self.undecided, "objects look like large maps that were being changed, and are missing"),
        ];
        let estimates = (self.estimates > 0).then(|| {
            format!("overflow buckets of {} maps are as the maps estimate them themselves", self.estimates)
        });
        let missing = notes.into_iter().filter(|(count, _)| *count > 0);
        missing.map(|(count, what)| format!("{count} {what}")).chain(estimates).collect()
    }
}

/// A map that is not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Small {
    /// Where its header is.
    pub at: Address,
    /// The types it may be of.
    pub guess: Guess,
    /// Whether tables lie between the header and the entries.
    pub has_tables: bool,
    /// Its entries.
    pub live: u64,
    /// Its slots.
    pub capacity: u64,
    /// What it holds.
    pub allocated: Bytes,
}

impl Small {
    fn of(seen: &Seen) -> Self {
        let Seen { at, guess, has_tables, ref shape, .. } = *seen;
        let (live, capacity) = (shape.live, shape.capacity);
        Self { at, guess, has_tables, live, capacity, allocated: shape.allocated }
    }

    /// Adds it, and what it would need, to a crowd.
    pub fn add_to(&self, needed: Option<Bytes>, crowd: &mut Crowd) {
        crowd.maps += 1;
        crowd.live = crowd.live.saturating_add(self.live);
        crowd.capacity = crowd.capacity.saturating_add(self.capacity);
        crowd.allocated += self.allocated;
        crowd.needed = crowd.needed.zip(needed).map(|(sum, needed)| sum + needed);
        let is_nearly_empty = self.live.saturating_mul(NEARLY_EMPTY) < self.capacity;
        crowd.near_empty += u64::from(self.capacity > 0 && is_nearly_empty);
    }
}

/// Counts all maps. Those of `fold_below` bytes and more are listed, and those that were when `places` saw them
/// last. `on_stacks`: where headers may be beside those on the heap. With two hands, which a first census may have,
/// each counts one half of the heap, and what comes out is the same.
pub fn count(
    heap: &Heap,
    types: &mut MapTypes,
    (fold_below, on_stacks): (Bytes, &[Address]),
    (places, walks): (&mut Places, &mut Walks),
    (memory, hands): (&dyn Memory, Hands),
) -> Counted {
    let costs = *types.costs();
    let form =
        Form { object: costs.header_object(), len: usize::try_from(costs.header).unwrap_or(HEADER_MOST) };
    walks.clear();
    places.expect(heap.objects(form.object));
    let look = Look { heap, form, fold_below, memory };
    let (all, known) = (0..heap.spans().len(), (&mut *types, &mut *places, &mut *walks));
    let part = if hands == Hands::One { look.part(all, known) } else { look.halves(all, known) };
    let Part { mut counted, again, walk } = part;
    let gather = Gather::new(memory);
    let mut reader = Reader { heap, types, gather, lookup: Lookup::Live, walk, walks };
    let sink = &mut |seen: &Seen| counted.add(seen, fold_below, places);
    let undecided = look_again(again, form, &mut reader, sink);
    count_on_stacks(on_stacks, form, &mut reader, sink);
    places.end();
    counted.undecided = undecided;
    counted.read = counted.read.saturating_add(reader.gather.read);
    counted
}

/// A look at the headers on the heap.
#[derive(Clone, Copy)]
struct Look<'a> {
    heap: &'a Heap,
    form: Form,
    fold_below: Bytes,
    memory: &'a dyn Memory,
}

/// What was counted of a part of the heap.
struct Part {
    counted: Counted,
    /// Headers to be looked at again.
    again: Vec<u64>,
    /// Bytes that may still be read to count overflow buckets.
    walk: u64,
}

/// What is known of maps, and learnt on the way.
type Learnt<'a> = (&'a mut MapTypes, &'a mut Places, &'a mut Walks);

impl Look<'_> {
    /// Counts the maps in a range of spans.
    fn part(&self, spans: Range<usize>, (types, places, walks): Learnt<'_>) -> Part {
        let Self { heap, form, fold_below, memory } = *self;
        let (kind, header) = (types.costs().kind, types.costs().header);
        // Untouched room costs nothing, and moving what was counted does.
        let small = Vec::with_capacity(heap.objects(form.object));
        let mut counted = Counted { small: vec![small], ..Counted::default() };
        let mut again = Vec::new();
        let (mut gather, lookup) = (Gather::new(memory), Lookup::Snapshot);
        let mut reader = Reader { heap, types, gather: Gather::new(memory), lookup, walk: WALK, walks };
        let passes = |bytes: &[u8]| passes(kind, bytes, header);
        let scanned = scan::scan((heap, spans), form, passes, &mut gather, &mut |wave| {
            let sink = &mut |seen: &Seen| counted.add(seen, fold_below, places);
            recognise(kind, wave, &mut reader, sink, &mut again);
        });
        counted.unread = scanned.unread;
        counted.read = gather.read.saturating_add(reader.gather.read);
        Part { counted, again, walk: reader.walk }
    }

    /// Counts both halves side by side. No census was before: what the second half learns is added to the first's.
    fn halves(&self, spans: Range<usize>, (types, places, walks): Learnt<'_>) -> Part {
        let middle = scan::middle(self.heap, self.form);
        let mut other = types.clone();
        let (first, second) = Hands::Two.both(
            || self.part(spans.start..middle, (&mut *types, &mut *places, &mut *walks)),
            || {
                let (mut places, mut walks) = (Places::default(), Walks::default());
                let part = self.part(middle..spans.end, (&mut other, &mut places, &mut walks));
                (part, other, places, walks)
            },
        );
        let (second, other, more_places, more_walks) = second;
        let numbers = types.take_over(other);
        places.take_over(more_places);
        walks.take_over(more_walks);
        first.and(second, &numbers)
    }
}

impl Part {
    /// Both together. `numbers`: the sets of types of the other one by the numbers that it has for them.
    fn and(mut self, other: Self, numbers: &[Guess]) -> Self {
        let here = |guess: Guess| guess.renumbered(numbers);
        let Counted { listed, mut small, estimates, unread, undecided, read } = other.counted;
        small.iter_mut().flatten().for_each(|one| one.guess = here(one.guess));
        let counted = &mut self.counted;
        counted.listed.extend(listed.into_iter().map(|mut one| {
            one.seen.guess = here(one.seen.guess);
            one
        }));
        // The lists stay two: moving what was counted costs more than going through both.
        counted.small.append(&mut small);
        counted.estimates += estimates;
        counted.unread += unread;
        counted.undecided += undecided;
        counted.read = counted.read.saturating_add(read);
        self.again.extend(other.again);
        self
    }
}

/// One map, from the bytes at its address; `None`: they are none's.
pub fn look(
    heap: &Heap,
    types: &mut MapTypes,
    walks: &mut Walks,
    (at, header): (Address, &[u8]),
    memory: &dyn Memory,
) -> Option<Shape> {
    let costs = *types.costs();
    let candidate = Candidate::new(at.0, header, usize::try_from(costs.header).ok()?)?;
    let mut reader = Reader {
        heap,
        types,
        gather: Gather::new(memory),
        lookup: Lookup::Snapshot,
        walk: WALK_OF_ONE,
        walks,
    };
    let mut found = None;
    for lookup in [Lookup::Snapshot, Lookup::Live] {
        reader.lookup = lookup;
        let mut sink = |seen: &Seen| found = Some(seen.shape.clone());
        recognise(costs.kind, &[candidate], &mut reader, &mut sink, &mut Vec::new());
        if found.is_some() {
            break;
        }
    }
    found
}

fn passes(kind: Kind, bytes: &[u8], header: u64) -> bool {
    match kind {
        Kind::Bucket => bucket::passes(bytes, header),
        Kind::Swiss => swiss::passes(bytes),
    }
}

/// Whether bytes may be the header of a large map, about which little doubt is left.
pub fn is_large(costs: &Costs, bytes: &[u8]) -> bool {
    match costs.kind {
        Kind::Bucket => bucket::is_large(bytes, costs.header),
        Kind::Swiss => swiss::is_large(bytes),
    }
}

fn recognise(
    kind: Kind,
    wave: &[Candidate],
    reader: &mut Reader<'_>,
    sink: &mut dyn FnMut(&Seen),
    again: &mut Vec<u64>,
) {
    match kind {
        Kind::Bucket => bucket::recognise(wave, reader, sink, again),
        Kind::Swiss => swiss::recognise(wave, reader, sink, again),
    }
}

/// Reads headers once more, with what they lead to looked up as it is now. Only those of large maps: there
/// is little else that looks like one. Answers how many of them stay undecided.
fn look_again(
    mut undecided: Vec<u64>,
    form: Form,
    reader: &mut Reader<'_>,
    sink: &mut dyn FnMut(&Seen),
) -> u64 {
    let mut left = 0;
    for _ in 0..TRIES {
        // What looks a little like a map must not crowd out what looks very much like one.
        let mut wave = headers(&undecided, form, reader);
        left += wave.len().saturating_sub(AGAIN) as u64;
        wave.truncate(AGAIN);
        undecided.clear();
        if wave.is_empty() {
            break;
        }
        recognise(reader.types.costs().kind, &wave, reader, sink, &mut undecided);
    }
    left + undecided.len() as u64
}

/// Counts those of the headers on stacks that lead to a table. No two maps have the same: the second is a copy.
fn count_on_stacks(at: &[Address], form: Form, reader: &mut Reader<'_>, sink: &mut dyn FnMut(&Seen)) {
    let mut tables = BTreeSet::new();
    let places = at.iter().map(|at| at.0).collect();
    look_again(places, form, reader, &mut |seen: &Seen| {
        if seen.shape.table.is_some_and(|table| tables.insert(table)) {
            sink(seen);
        }
    });
}

fn headers(at: &[u64], form: Form, reader: &mut Reader<'_>) -> Vec<Candidate> {
    let costs = *reader.types.costs();
    let piece = |at: &u64| super::gather::Piece { at: *at, len: form.len as u32 };
    let pieces: Vec<_> = at.iter().map(piece).collect();
    let mut wave = Vec::new();
    reader.gather.pieces(&pieces, &mut |number, bytes| {
        let Some((at, bytes)) = at.get(number).zip(bytes) else { return };
        if is_large(&costs, bytes) {
            wave.extend(Candidate::new(*at, bytes, form.len));
        }
    });
    wave
}

impl Counted {
    fn add(&mut self, seen: &Seen, fold_below: Bytes, places: &mut Places) {
        self.estimates += u64::from(seen.is_estimate);
        let known = places.found(seen.at, seen.shape.allocated >= fold_below);
        if known.is_listed {
            self.listed.push(Listed { seen: seen.clone(), is_new: known.is_new });
        } else {
            let part = self.small.last_mut();
            part.into_iter().for_each(|part| part.push(Small::of(seen)));
        }
    }

    /// The large maps, by address.
    #[must_use]
    pub fn found(self, types: &MapTypes) -> Vec<Found> {
        let mut listed = self.listed;
        listed.sort_unstable_by_key(|listed| listed.seen.at);
        listed.dedup_by_key(|listed| listed.seen.at);
        let found = |Listed { seen, is_new }: Listed| {
            let (type_name, candidates) = types.names(seen.guess);
            let described = Described { map: seen.at, type_name, candidates, owner: None, reachable: None };
            Found { map: seen.at, shape: Some(seen.shape), described: Some(described), is_new }
        };
        listed.into_iter().map(found).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::made::{Made, bucket_type, map_types};
    use super::*;
    use proptest::prelude::*;

    /// Pointer-free entries, and entries with pointers: bytes of a bucket or group.
    const TYPES: [(u64, bool); 2] = [(144, true), (208, false)];

    /// A heap of so many headers, and of the objects that they may lead to, all of zeros.
    fn heap(minor: u32) -> (Made, Vec<u64>) {
        let mut made = Made::new(minor);
        let sizes =
            [(48, false), (64, false), (24, false), (32, false), (144, true), (208, false), (18_000, true)];
        let of = |(size, is_free): (u64, bool)| [(); 6].map(|()| (size, is_free));
        let objects = sizes.into_iter().flat_map(of);
        let objects = objects.map(|(size, is_free)| made.object(size, is_free, bucket_type(1))).collect();
        (made, objects)
    }

    proptest! {
        /// Words that lead from objects to objects, and others, wherever they may be.
        #[test]
        fn whatever_the_objects_hold_censuses_end_and_count_no_more_maps_than_there_are_headers(
            kind in prop_oneof![Just((23, Kind::Bucket)), Just((19, Kind::Bucket)), Just((27, Kind::Swiss))],
            words in proptest::collection::vec((0_usize..42, 0_u64..6, any::<u64>(), 0_u8..4), 0..120),
            fold_below in prop_oneof![Just(0), Just(100), Just(1_u64 << 20)],
        ) {
            let (mut made, objects) = heap(kind.0);
            for (object, word, value, sort) in words {
                let value = match sort {
                    0 => value,
                    1 => value % 16,
                    2 => ((value % 64) << 8) | (0x1234_5678 << 32),
                    _ => objects[value as usize % objects.len()],
                };
                // The smallest objects have three words.
                made.words(objects[object] + 8 * (word % 3 + 3 * u64::from(object < 12) * (word / 3)), &[value]);
            }
            let memory = made.memory();
            let heap = Heap::read(made.place(), &memory).unwrap();
            let mut types = map_types(kind.0, kind.1, &TYPES);
            let (mut places, mut walks) = Default::default();
            let in_two = {
                let mut types = map_types(kind.0, kind.1, &TYPES);
                let (mut places, mut walks) = Default::default();
                let before = (&mut places, &mut walks);
                count(&heap, &mut types, (Bytes(fold_below), &[]), before, (&memory, Hands::Two))
            };
            for round in 0..2 {
                let before = (&mut places, &mut walks);
                let counted = count(&heap, &mut types, (Bytes(fold_below), &[]), before, (&memory, Hands::One));
                if round == 0 {
                    prop_assert_eq!(in_two.small.concat(), counted.small.concat());
                    let seen = |counted: &Counted| counted.listed.iter().map(|one| one.seen.clone()).collect::<Vec<_>>();
                    prop_assert_eq!(seen(&in_two), seen(&counted));
                    prop_assert_eq!((in_two.undecided, in_two.estimates), (counted.undecided, counted.estimates));
                }
                let folded = counted.small.concat().len();
                let listed = counted.found(&types);
                prop_assert!(listed.len() + folded <= 12, "{listed:?} and {folded} others");
                prop_assert!(listed.iter().all(|found| !found.is_new), "both censuses saw the same");
                for found in listed {
                    let shape = found.shape.unwrap();
                    prop_assert!(shape.allocated >= Bytes(fold_below));
                    let mut header = [0; 64];
                    let len = types.costs().header as usize;
                    memory.read(found.map, &mut header[..len]).unwrap();
                    let polled = look(&heap, &mut types, &mut walks, (found.map, &header[..len]), &memory);
                    prop_assert!(polled.is_some());
                }
            }
        }
    }
}
