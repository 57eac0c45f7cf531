//! Go's heap as it was at one moment: its spans, which object an address is in, whether that object is
//! allocated, and of what type it is.
//!
//! ```text
//! mheap_.allspans ──► mspan, mspan, ...      a span: pages with objects of one size, one behind the other
//! address ──► index ──► span ──► (address - start) / size of an object
//! ```
//! What was allocated since then is looked up live, through the runtime's own table of pages.

mod find;
mod index;
mod live;
mod spans;
#[cfg(test)]
mod tests;

use crate::audit::fact::SizeClass;
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::LayoutError;
use crate::runtimes::go::gather::Gather;
use crate::runtimes::go::hands::Hands;
use crate::runtimes::go::sizes::{HEADER, PAGE};
use crate::target::memory::{Memory, read_u64};

use index::Index;
use live::ARENA;
use spans::{Bits, field};

pub use find::find;
pub use spans::{Place, Span, Typing};

/// How often the list of spans is read until it is of one piece.
const TRIES: usize = 5;
/// At last, a list is taken whose pages differ from what the heap counts by at most one in so many.
const SLACK: u64 = 16;

/// The heap at one moment.
#[derive(Debug)]
pub struct Heap {
    place: Place,
    spans: Vec<Span>,
    bits: Bits,
    index: Index,
    /// Bytes that were read for it.
    pub read: u64,
}

/// An object of the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Where it begins.
    pub base: Address,
    /// Its bytes, as its size class rounds them.
    pub size: u64,
    /// Whether it holds no pointers.
    pub is_pointer_free: bool,
    /// Where it says of what type it is.
    pub typing: Typing,
    /// Which one of [`Heap::spans`] it is in; `None`: it was looked up live.
    pub span: Option<usize>,
}

impl Object {
    /// The object of a span that holds an address.
    fn of(span: &Span, at: u64, number: Option<usize>) -> Option<Self> {
        let index = at.checked_sub(span.start.0)?.checked_div(span.element_size)?;
        (index < u64::from(span.elements)).then(|| Self {
            base: Address(span.start.0 + index * span.element_size),
            size: span.element_size,
            is_pointer_free: span.is_pointer_free,
            typing: span.typing,
            span: number,
        })
    }

    /// Where the values in it begin.
    #[must_use]
    pub fn data(&self) -> u64 {
        match self.typing {
            Typing::FirstWord => self.base.0.saturating_add(HEADER),
            Typing::None | Typing::Span(_) => self.base.0,
        }
    }

    /// Bytes of the values in it, at most.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.size.saturating_sub(self.data() - self.base.0)
    }
}

impl Heap {
    /// Reads all spans. Tries again when they change meanwhile: what the spans come to has to be what the
    /// heap counts itself.
    ///
    /// # Errors
    /// [`LayoutError`] when the list makes no sense, whenever it is read.
    pub fn read(place: Place, memory: &dyn Memory) -> Result<Self, LayoutError> {
        Self::read_by(Hands::One, place, memory)
    }

    /// The same, with one hand or two.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_by(hands: Hands, place: Place, memory: &dyn Memory) -> Result<Self, LayoutError> {
        let mut gather = Gather::new(memory);
        let mut last = Err(unsettled(&place, 0, 0));
        for attempt in 1..=TRIES {
            let before = pages_in_use(&place, memory)?;
            let list = spans::read(&place, &mut gather, hands);
            let after = pages_in_use(&place, memory)?;
            let slack = if attempt == TRIES { before / SLACK } else { 0 };
            let counted = before.min(after).saturating_sub(slack)..=before.max(after).saturating_add(slack);
            last = list.and_then(|list| match counted.contains(&list.pages) {
                true => Ok(list),
                false => Err(unsettled(&place, list.pages, after)),
            });
            if last.is_ok() {
                break;
            }
        }
        let list = last?;
        let index = Index::new(&list.spans);
        Ok(Self { place, spans: list.spans, bits: list.bits, index, read: gather.read })
    }

    /// Where it is and how it is laid out.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The spans that hold objects, by address.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The object that holds an address, allocated or not.
    #[must_use]
    #[inline]
    pub fn object(&self, at: Address) -> Option<Object> {
        let number = self.index.find(&self.spans, at.0)?;
        Object::of(self.spans.get(number)?, at.0, Some(number))
    }

    /// How many objects of so many bytes there is room for that may be headers of maps.
    #[must_use]
    pub fn objects(&self, bytes: u64) -> usize {
        let spans = self.spans.iter().filter(|span| span.may_hold_headers(bytes));
        spans.map(|span| span.elements as usize).sum()
    }

    /// Whether an object of a span of headers is allocated, by the numbers of both.
    #[must_use]
    #[inline]
    pub fn is_allocated_at(&self, span: usize, index: u64) -> bool {
        self.spans.get(span).is_some_and(|span| self.bits.is_allocated(span, index))
    }

    /// The object that holds an address, as it is now.
    #[must_use]
    pub fn live_object(&self, at: Address, memory: &dyn Memory) -> Option<Object> {
        self.live_objects(&[at], memory).into_iter().next().flatten()
    }

    /// The objects that hold addresses, as they are now.
    #[must_use]
    pub fn live_objects(&self, all: &[Address], memory: &dyn Memory) -> Vec<Option<Object>> {
        live::objects(&self.place, all, memory)
    }

    /// The type of what is in an object, of an element where it is an array: from 1.22 on, of objects that
    /// hold pointers and are of more than 512 bytes.
    #[must_use]
    pub fn type_of(&self, object: &Object, memory: &dyn Memory) -> Option<Address> {
        let at = match object.typing {
            Typing::None => return None,
            Typing::Span(at) => at.0,
            Typing::FirstWord => read_u64(memory, object.base).ok()?,
        };
        (at != 0).then_some(Address(at))
    }

    /// All pages of spans that hold objects, in bytes.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        Bytes(self.spans.iter().map(|span| u64::from(span.pages) * PAGE).sum())
    }

    /// The arenas that these pages are in. They are mapped whole.
    #[must_use]
    pub fn arenas(&self) -> Vec<(Address, Bytes)> {
        let mut starts: Vec<u64> = self.spans.iter().map(|span| span.start.0 / ARENA * ARENA).collect();
        starts.dedup();
        starts.into_iter().map(|start| (Address(start), Bytes(ARENA))).collect()
    }

    /// What the objects come to, by their size, those that take most first.
    #[must_use]
    pub fn classes(&self) -> Vec<SizeClass> {
        let mut classes = std::collections::BTreeMap::<_, SizeClass>::new();
        for span in &self.spans {
            let object = Bytes(if span.is_large { 0 } else { span.element_size });
            let class = classes.entry((object, span.is_pointer_free)).or_default();
            let objects = u64::from(span.allocated);
            class.objects = class.objects.saturating_add(objects);
            class.used += Bytes(objects.saturating_mul(span.element_size));
            class.spans += Bytes(u64::from(span.pages) * PAGE);
            (class.object, class.pointer_free) = (object, span.is_pointer_free);
        }
        let mut classes: Vec<SizeClass> = classes.into_values().collect();
        classes.sort_by_key(|class| std::cmp::Reverse(class.used));
        classes
    }
}

fn pages_in_use(place: &Place, memory: &dyn Memory) -> Result<u64, LayoutError> {
    let what = "the heap's count of pages";
    let at = field(place, place.layout.heap.pages_in_use)?;
    read_u64(memory, at).map_err(|error| LayoutError::Unreadable { what, error })
}

fn unsettled(place: &Place, listed: u64, counted: u64) -> LayoutError {
    let check = format!("its spans come to {listed} pages, but it counts {counted}");
    LayoutError::Check { what: "the heap", at: place.at, check }
}
