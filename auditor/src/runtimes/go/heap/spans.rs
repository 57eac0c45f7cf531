//! All spans of the heap that hold objects, from the runtime's own list (`mheap_.allspans`,
//! src/runtime/mheap.go), and which of the objects that may be headers of maps are allocated.

use crate::audit::unit::Address;
use crate::runtimes::LayoutError;
use crate::runtimes::go::gather::{Gather, Piece};
use crate::runtimes::go::hands::Hands;
use crate::runtimes::go::sizes::{LARGEST_WITHOUT_HEADER, PAGE};
use crate::target::go::layouts::{self, Layout};
use crate::target::go::words::Words;
use crate::target::memory::{Memory, read_u64};

/// Most spans that are read: a heap of 64 GiB in the smallest ones.
const MOST: usize = 1 << 23;
/// The state of a span that holds objects (`mSpanInUse`).
const IN_USE: u8 = 1;
/// One span in so many may make no sense: it is being changed while it is read.
const TOLERATED: usize = 16;
/// User addresses end here (`heapAddrBits` on linux/amd64).
const ADDRESSES: u64 = 1 << 47;
/// Where a span keeps the mark bits of its objects within its last 128 bytes, and the sizes of objects for
/// which it does (`spanInlineMarkBits`, `gcUsesSpanInlineMarkBits`, src/runtime/mgcmark_greenteagc.go).
const INLINE_MARKS: u64 = PAGE - 128 + 64;
const INLINE_MARKED: std::ops::RangeInclusive<u64> = 16..=LARGEST_WITHOUT_HEADER;

/// Where an object says of what type it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// Nowhere.
    None,
    /// Its first word points to the type; the values begin behind it.
    FirstWord,
    /// Its span says it: the type's address, 0 while it is being allocated.
    Span(Address),
}

/// A run of pages with objects of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where the first object is: a multiple of 8,192.
    pub start: Address,
    /// Bytes of an object.
    pub element_size: u64,
    /// How many objects there is room for.
    pub elements: u32,
    /// Its pages, of 8,192 bytes.
    pub pages: u32,
    /// How many objects are allocated, as it counts itself.
    pub allocated: u16,
    /// Whether its objects hold no pointers.
    pub is_pointer_free: bool,
    /// Whether it is of no size class: it holds one object.
    pub is_large: bool,
    /// Where its objects say of what type they are.
    pub typing: Typing,
    freshness: Freshness,
    free_index: u32,
    /// Where its bits begin in [`Bits`], if it is one of headers.
    bits: u32,
}

impl Span {
    /// The first address behind its objects.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.0.saturating_add(u64::from(self.elements).saturating_mul(self.element_size))
    }

    /// Whether its objects may be headers of maps, which take so many bytes.
    #[must_use]
    pub fn may_hold_headers(&self, bytes: u64) -> bool {
        self.element_size == bytes && !self.is_pointer_free && !self.is_large
    }
}

/// Which bits tell which objects are allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    /// Objects below the free index are, others as the allocation bits say.
    Swept,
    /// The collector's marks say which objects live on: it is not swept since the last cycle.
    Unswept,
}

/// The bits of the spans of headers.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits(Vec<u8>);

impl Bits {
    /// Whether an object of a span of headers is allocated, by its number in the span. Where the bits could not
    /// be read it counts as allocated.
    #[inline]
    pub(super) fn is_allocated(&self, span: &Span, index: u64) -> bool {
        if span.freshness == Freshness::Swept && index < u64::from(span.free_index) {
            return true;
        }
        let byte = self.0.get(span.bits as usize + (index / 8) as usize);
        index < u64::from(span.elements) && byte.is_none_or(|byte| byte >> (index % 8) & 1 == 1)
    }
}

/// How a program's heap is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// `runtime.mheap_`.
    pub at: Address,
    /// The offsets of its release.
    pub layout: &'static Layout,
    /// Whether spans of small objects hold their own mark bits (the collector called Green Tea: from 1.26
    /// on, and in 1.25 where it was asked for).
    pub has_inline_marks: bool,
    /// Bytes of the objects that maps' headers are: of these it is read which are allocated.
    pub header: u64,
}

/// What was read of the list.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Spans that hold objects, by address; none overlaps another.
    pub(super) spans: Vec<Span>,
    pub(super) bits: Bits,
    /// Their pages all together.
    pub(super) pages: u64,
}

/// Reads the list once. The array it is in may be let go meanwhile.
pub(super) fn read(place: &Place, gather: &mut Gather<'_>, hands: Hands) -> Result<List, LayoutError> {
    let what = "the list of the heap's spans";
    let memory = gather.memory();
    let unreadable = |error| LayoutError::Unreadable { what, error };
    let fails = |check| LayoutError::Check { what, at: place.at, check };
    let at = field(place, place.layout.heap.all_spans)?;
    let array = read_u64(memory, at).map_err(unreadable)?;
    let count = read_u64(memory, Address(at.0.wrapping_add(8))).map_err(unreadable)?;
    let count = usize::try_from(count).ok().filter(|count| (1..=MOST).contains(count));
    let count = count.ok_or_else(|| fails(format!("none, or more than {MOST}")))?;
    let mut bytes = vec![0; count * 8];
    memory.read(Address(array), &mut bytes).map_err(unreadable)?;
    gather.read += bytes.len() as u64;
    let mut pointers: Vec<u64> = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    // By runs, here and below: the runtime takes spans and pages mostly in order.
    pointers.sort();
    pointers.dedup();
    let generation = generation(place, memory)?;
    let half = if hands == Hands::One { pointers.len() } else { pointers.len() / 2 };
    let (one, other) = pointers.split_at(half);
    let (found, (behind, read)) = hands.both(
        || Found::read(one, place, generation, gather),
        || {
            let mut gather = Gather::new(memory);
            let found = Found::read(other, place, generation, &mut gather);
            (found, gather.read)
        },
    );
    gather.read += read;
    let bad = found.bad + behind.bad;
    if bad > pointers.len() / TOLERATED {
        let check = format!("{bad} of {} spans make no sense", pointers.len());
        return Err(fails(check));
    }
    Ok(into_list([found, behind], place.header, gather))
}

/// `mheap_.sweepgen`.
fn generation(place: &Place, memory: &dyn Memory) -> Result<u32, LayoutError> {
    let mut bytes = [0; 4];
    let at = field(place, place.layout.heap.sweep_generation)?;
    let what = "the heap's sweep generation";
    memory.read(at, &mut bytes).map_err(|error| LayoutError::Unreadable { what, error })?;
    Ok(u32::from_le_bytes(bytes))
}

/// The address of a field of `mheap_`.
pub(super) fn field(place: &Place, offset: usize) -> Result<Address, LayoutError> {
    place.at.plus(offset as u64).ok_or_else(|| LayoutError::Check {
        what: "the heap",
        at: place.at,
        check: "it lies at the end of all addresses".to_owned(),
    })
}

/// Spans and where their bits are.
struct Found {
    spans: Vec<Span>,
    bits: Vec<u64>,
    /// The spans by address: the number of the first page, and below it that of the span.
    order: Vec<u64>,
    bad: usize,
}

/// The number of a span is below [`MOST`].
const NUMBER: u64 = MOST as u64 - 1;

impl Found {
    fn read(pointers: &[u64], place: &Place, generation: u32, gather: &mut Gather<'_>) -> Self {
        /// Spans that are asked for at once.
        const BATCH: usize = 1 << 14;
        let len = u32::try_from(place.layout.span.size).unwrap_or(0);
        let room = pointers.len();
        let (mut spans, mut bits, mut bad) = (Vec::with_capacity(room), Vec::with_capacity(room), 0);
        for batch in pointers.chunks(BATCH) {
            let pieces: Vec<Piece> = batch.iter().map(|at| Piece { at: *at, len }).collect();
            gather.pieces(&pieces, &mut |_, bytes| match bytes
                .and_then(|bytes| parse(bytes, place, generation))
            {
                Some(Parsed::InUse(span, at)) => {
                    spans.push(span);
                    bits.push(at);
                }
                Some(Parsed::Other) => {}
                None => bad += 1,
            });
        }
        let pages = spans.iter().map(|span| span.start.0 / PAGE * (NUMBER + 1));
        let mut order: Vec<u64> = pages.zip(0..=NUMBER).map(|(page, number)| page | number).collect();
        order.sort();
        Self { spans, bits, order, bad }
    }
}

/// Puts two parts together by address and reads the bits of those that may hold headers. One that reaches into the
/// next one is left out.
fn into_list(parts: [Found; 2], header: u64, gather: &mut Gather<'_>) -> List {
    let [first, second] = &parts;
    let mut list =
        List { spans: Vec::with_capacity(first.spans.len() + second.spans.len()), ..List::default() };
    let mut pieces = Vec::new();
    let mut end = 0;
    let mut bytes = 0_u32;
    for (part, number) in merged(first, second) {
        let Some((mut span, at)) = part.spans.get(number).copied().zip(part.bits.get(number)) else {
            continue;
        };
        list.pages += u64::from(span.pages);
        if span.start.0 < end {
            continue;
        }
        end = span.start.0 + u64::from(span.pages) * PAGE;
        if span.may_hold_headers(header) {
            let len = span.elements.div_ceil(8);
            span.bits = bytes;
            bytes = bytes.saturating_add(len);
            pieces.push((list.spans.len(), Piece { at: *at, len }));
        }
        list.spans.push(span);
    }
    list.bits = read_bits(&list.spans, &pieces, gather);
    list
}

/// The spans of two parts by address, each as its part and its number there; of two at one place, the first part's is
/// the first.
fn merged<'a>(first: &'a Found, second: &'a Found) -> impl Iterator<Item = (&'a Found, usize)> {
    let mut left = [first, second].map(|part| (part, part.order.as_slice()));
    std::iter::from_fn(move || {
        let [(_, of_first), (_, of_second)] = &left;
        let page = |order: &[u64]| order.first().map(|next| next / (NUMBER + 1));
        let is_first = match (page(of_first), page(of_second)) {
            (Some(one), Some(other)) => one <= other,
            (one, _) => one.is_some(),
        };
        let (part, order) = left.get_mut(usize::from(!is_first))?;
        let (next, rest) = order.split_first()?;
        *order = rest;
        Some((*part, (next & NUMBER) as usize))
    })
}

/// The bits of spans, each with its number.
fn read_bits(spans: &[Span], of: &[(usize, Piece)], gather: &mut Gather<'_>) -> Bits {
    let pieces: Vec<Piece> = of.iter().map(|(_, piece)| *piece).collect();
    let mut bits = vec![0xff; pieces.iter().map(|piece| piece.len as usize).sum()];
    gather.pieces(&pieces, &mut |piece, bytes| {
        let span = of.get(piece).and_then(|(number, _)| spans.get(*number));
        let Some((span, bytes)) = span.zip(bytes) else { return };
        let into = bits.get_mut(span.bits as usize..).and_then(|tail| tail.get_mut(..bytes.len()));
        into.into_iter().for_each(|into| into.copy_from_slice(bytes));
    });
    Bits(bits)
}

/// A span as it was read.
pub(super) enum Parsed {
    /// It holds objects; where its bits are.
    InUse(Span, u64),
    /// It is free, or holds a stack.
    Other,
}

/// Understands `runtime.mspan`; `None`: it makes no sense.
pub(super) fn parse(bytes: &[u8], place: &Place, generation: u32) -> Option<Parsed> {
    let (words, of) = (Words(bytes), &place.layout.span);
    if words.u8(of.state)? != IN_USE {
        return Some(Parsed::Other);
    }
    let (start, pages) = (words.u64(of.start)?, u32::try_from(words.u64(of.pages)?).ok()?);
    let (element_size, limit) = (words.u64(of.element_size)?, words.u64(of.limit)?);
    let counter = |at| match of.counter_width {
        2 => words.u16(at).map(u64::from),
        _ => words.u64(at),
    };
    let (elements, free_index) = (counter(of.elements)?, counter(of.free_index)?);
    let class = words.u8(of.class)?;
    let end = start.checked_add(u64::from(pages).checked_mul(PAGE)?)?;
    let objects = element_size.checked_mul(elements)?;
    let is_sound = start.is_multiple_of(PAGE)
        && start > 0
        && end <= ADDRESSES
        && (start..=end).contains(&limit)
        && element_size > 0
        && element_size.is_multiple_of(8)
        && (1..=end - start).contains(&objects)
        && (class >= 2 || elements == 1)
        && free_index <= elements;
    let mut span = Span {
        start: Address(start),
        element_size,
        elements: u32::try_from(elements).ok()?,
        pages,
        allocated: words.u16(of.allocated)?,
        is_pointer_free: class & 1 == 1,
        is_large: class < 2,
        typing: Typing::None,
        freshness: freshness(words.u32(of.sweep_generation)?, generation),
        free_index: u32::try_from(free_index).ok()?,
        bits: 0,
    };
    span.typing = typing(&span, words, of);
    let bits = words.u64(of.alloc_bits)?;
    let marks = words.u64(of.mark_bits)?;
    let bits = match span.freshness {
        Freshness::Swept => bits,
        Freshness::Unswept if place.has_inline_marks && INLINE_MARKED.contains(&element_size) => {
            start + INLINE_MARKS
        }
        Freshness::Unswept => marks,
    };
    is_sound.then_some(Parsed::InUse(span, bits))
}

/// `mspan.sweepgen`: two less than the heap's when the span needs sweeping, one more when a thread keeps it
/// and it needs sweeping.
fn freshness(of_span: u32, of_heap: u32) -> Freshness {
    match of_span.wrapping_sub(of_heap).cast_signed() {
        -2 | 1 => Freshness::Unswept,
        _ => Freshness::Swept,
    }
}

/// `heapSetTypeNoHeader` and its siblings (src/runtime/mbitmap.go, from 1.22 on).
fn typing(span: &Span, words: Words<'_>, of: &layouts::Span) -> Typing {
    let Some(large) = of.large_type.filter(|_| !span.is_pointer_free) else { return Typing::None };
    if span.is_large {
        Typing::Span(Address(words.u64(large).unwrap_or(0)))
    } else if span.element_size > LARGEST_WITHOUT_HEADER {
        Typing::FirstWord
    } else {
        Typing::None
    }
}
