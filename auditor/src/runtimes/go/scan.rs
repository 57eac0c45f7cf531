//! Goes through all objects of a map header's size and picks those that may be one, by cheap tests alone.

use std::ops::Range;

use super::gather::{Gather, Piece};
use super::heap::{Heap, Span};

/// Bytes of the longest header.
pub const HEADER_MOST: usize = 56;

/// Bytes of spans that are looked at together: what is known of the headers in them on the way fits a processor's
/// cache.
const WAVE: usize = 128 << 10;

/// What may be a map's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Where.
    pub at: u64,
    /// Its bytes; beyond a shorter header there is anything.
    pub bytes: [u8; HEADER_MOST],
}

impl Candidate {
    /// From the bytes at an address; `None`: they are too few.
    #[must_use]
    #[inline]
    pub fn new(at: u64, from: &[u8], len: usize) -> Option<Self> {
        let mut bytes = [0; HEADER_MOST];
        bytes.get_mut(..len)?.copy_from_slice(from.get(..len)?);
        Some(Self { at, bytes })
    }
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Objects that passed.
    pub candidates: u64,
    /// Spans that could not be read.
    pub unread: u64,
}

/// Which objects are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Bytes of the object that a header is.
    pub object: u64,
    /// Bytes of a header: at most [`HEADER_MOST`].
    pub len: usize,
}

/// The span at which the second half of the objects of that size begins.
#[must_use]
pub fn middle(heap: &Heap, form: Form) -> usize {
    let mut left = heap.objects(form.object) / 2;
    let is_past = |span: &Span| {
        let objects = if span.may_hold_headers(form.object) { span.elements as usize } else { 0 };
        let is_past = objects > left;
        left = left.saturating_sub(objects);
        is_past
    };
    heap.spans().iter().position(is_past).unwrap_or(0)
}

/// Hands on the allocated objects of that size in a range of spans that hold pointers and pass the test, some
/// thousands at a time, by address.
pub fn scan(
    (heap, range): (&Heap, Range<usize>),
    form: Form,
    passes: impl Fn(&[u8]) -> bool,
    gather: &mut Gather<'_>,
    each: &mut dyn FnMut(&[Candidate]),
) -> Scanned {
    let mut scanned = Scanned::default();
    let mut pieces = Vec::new();
    let mut numbers = Vec::new();
    let mut wave = Vec::new();
    let mut bytes = 0;
    let (first, spans) = (range.start, heap.spans().get(range).unwrap_or_default());
    let mut spans = (first..).zip(spans).filter(|(_, span)| span.may_hold_headers(form.object));
    loop {
        let next = spans.next();
        if let Some((number, span)) = next {
            let len = span.end().saturating_sub(span.start.0);
            bytes += len as usize;
            pieces.push(Piece { at: span.start.0, len: u32::try_from(len).unwrap_or(u32::MAX) });
            numbers.push(number);
        }
        if bytes < WAVE && next.is_some() {
            continue;
        }
        gather.pieces(&pieces, &mut |piece, bytes| {
            let (Some(bytes), Some(number)) = (bytes, numbers.get(piece)) else {
                scanned.unread += 1;
                return;
            };
            pick(heap, *number, form, bytes, &passes, &mut wave);
        });
        scanned.candidates += wave.len() as u64;
        each(&wave);
        wave.clear();
        pieces.clear();
        numbers.clear();
        bytes = 0;
        if next.is_none() {
            return scanned;
        }
    }
}

/// The objects of one span.
fn pick(
    heap: &Heap,
    number: usize,
    form: Form,
    bytes: &[u8],
    passes: &impl Fn(&[u8]) -> bool,
    wave: &mut Vec<Candidate>,
) {
    let Some(start) = heap.spans().get(number).map(|span| span.start.0) else { return };
    let objects = bytes.chunks_exact((form.object as usize).max(1));
    for ((index, at), object) in (0..).zip((start..).step_by(form.object as usize)).zip(objects) {
        if passes(object) && heap.is_allocated_at(number, index) {
            wave.extend(Candidate::new(at, object, form.len));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtimes::go::made::Made;
    use proptest::prelude::*;

    const FORM: Form = Form { object: 48, len: 48 };

    fn found(made: &Made) -> (Vec<u64>, Scanned) {
        let memory = made.memory();
        let heap = Heap::read(made.place(), &memory).unwrap();
        let mut gather = Gather::new(&memory);
        let mut all = Vec::new();
        let passes = |bytes: &[u8]| bytes[0] == 7;
        let mut each = |wave: &[Candidate]| all.extend(wave.iter().map(|candidate| candidate.at));
        let (middle, end) = (middle(&heap, FORM), heap.spans().len());
        let first = scan((&heap, 0..middle), FORM, passes, &mut gather, &mut each);
        let second = scan((&heap, middle..end), FORM, passes, &mut gather, &mut each);
        let [candidates, unread] = [first.candidates + second.candidates, first.unread + second.unread];
        (all, Scanned { candidates, unread })
    }

    #[test]
    fn only_objects_that_pass_hold_pointers_and_are_allocated_come_through() {
        let mut made = Made::new(27);
        let objects: Vec<u64> = (0..400).map(|_| made.object(48, false, 0)).collect();
        let others = [made.object(48, true, 0), made.object(64, false, 0)];
        for at in objects.iter().step_by(3).chain(&others) {
            made.write(*at, &[7]);
        }
        let last = made.spans.iter().rposition(|span| span.class == 10 && span.element == 48).unwrap();
        let free = made.spans[last].allocated.len() - 1;
        let at = made.spans[last].start + free as u64 * 48;
        made.write(at, &[7]);
        let (all, scanned) = found(&made);
        assert_eq!(all, objects.iter().step_by(3).copied().collect::<Vec<_>>());
        assert_eq!(scanned, Scanned { candidates: 134, unread: 0 });
    }

    #[test]
    fn a_heap_without_such_objects_has_none() {
        let mut made = Made::new(27);
        made.object(64, false, 0);
        assert_eq!(found(&made), (Vec::new(), Scanned::default()));
    }

    #[test]
    fn each_half_has_half_of_the_objects_to_a_span() {
        let mut made = Made::new(27);
        (0..170 * 10).for_each(|_| _ = made.object(48, false, 0));
        (0..170 * 10).for_each(|_| _ = made.object(64, false, 0));
        let heap = Heap::read(made.place(), &made.memory()).unwrap();
        let middle = middle(&heap, FORM);
        let of = |spans: &[Span]| spans.iter().filter(|span| span.may_hold_headers(48)).count();
        assert_eq!((of(&heap.spans()[..middle]), of(&heap.spans()[middle..])), (5, 5));
    }

    proptest! {
        #[test]
        fn a_candidate_needs_all_of_its_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80), len in 0_usize..70) {
            let candidate = Candidate::new(8, &bytes, len);
            prop_assert_eq!(candidate.is_some(), len <= bytes.len() && len <= HEADER_MOST);
        }
    }
}
