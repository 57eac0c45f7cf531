//! What was read of the target, and small questions to it.

use std::ops::Range;

use super::bits::Ranked;
use super::fields::Types;
use super::graph::Graph;
use super::masks::Bitmaps;
use super::nodes::{Node, Nodes, Object, WORD};
use super::reach::Reached;
use crate::audit::unit::Address;
use crate::runtimes::go::census::Small;
use crate::runtimes::go::heap::Typing;
use crate::runtimes::go::sizes::Sizes;
use crate::runtimes::go::types::MapTypes;
use crate::target::go::types::Kind;
use crate::target::memory::{Memory, read_u64};

/// Most bytes of an object that are looked at.
pub(super) const BYTES: u64 = 4096;
/// Objects at least so large may be told to be arrays by which of their words are pointers.
const ARRAY: u64 = 48;
/// Where `runtime.itab` has the type (src/internal/abi/iface.go: Inter, Type).
const ITAB_TYPE: u64 = 8;

/// A map whose owner is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Its header.
    pub at: Address,
    /// What it holds, in bytes: the larger, the more is done for a name.
    pub bytes: u64,
    /// The types it may be of; one: it is of that type; none: nothing is known.
    pub types: &'a [Address],
    /// Whether tables lie between the header and the groups (Swiss maps of more than eight entries).
    pub has_tables: bool,
}

/// All maps whose owners are asked for, by number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// Any maps.
    pub first: &'a [Wanted<'a>],
    /// Small ones behind these, as they were counted: there are too many to write them down twice.
    pub small: &'a [Vec<Small>],
    /// The types that the small ones may be of.
    pub types: Option<&'a MapTypes>,
}

impl<'a> Asked<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first.len() + self.small.iter().map(Vec::len).sum::<usize>()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The map of that number.
    #[inline]
    pub(super) fn get(&self, number: usize) -> Option<Wanted<'a>> {
        let Some(mut behind) = number.checked_sub(self.first.len()) else {
            return self.first.get(number).copied();
        };
        for part in self.small {
            match part.get(behind) {
                Some(small) => return Some(self.of_small(small)),
                None => behind -= part.len(),
            }
        }
        None
    }

    /// The maps, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = Wanted<'a>> {
        let asked = *self;
        self.first.iter().copied().chain(self.small.iter().flatten().map(move |small| asked.of_small(small)))
    }

    #[inline]
    fn of_small(&self, small: &Small) -> Wanted<'a> {
        let Small { at, guess, has_tables, allocated, .. } = *small;
        let types = self.types.map_or(&[][..], |types| types.places(guess));
        Wanted { at, bytes: allocated.0, types, has_tables }
    }
}

/// What was read.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) nodes: &'a Nodes,
    pub(super) graph: &'a Graph,
    pub(super) reached: &'a Reached,
    /// The maps that were asked for.
    pub(super) wanted: Asked<'a>,
    /// Where among them those are that are nodes, in the order of their nodes.
    pub(super) maps: &'a [u32],
    /// These nodes.
    pub(super) ranks: &'a Ranked,
    pub(super) types: &'a dyn Types,
    pub(super) memory: &'a dyn Memory,
    /// Where code is.
    pub(super) text: &'a [Range<u64>],
    /// Where the runtime notes which words are pointers.
    pub(super) bitmaps: Bitmaps,
    /// The function that holds an address.
    pub(super) function: &'a (dyn Fn(Address) -> Option<String> + Sync),
}

/// A type, and whether an object holds many values of it, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// The type of a value.
    pub(super) at: Address,
    /// Bytes of a value.
    pub(super) size: u64,
    /// Whether there is room for more than one.
    pub(super) is_many: bool,
    /// Whether it may as well be of another type that differs in type arguments alone.
    pub(super) is_generic: bool,
}

/// Bytes of the object that is handed out for so many, header and all; `None`: for nothing.
pub(super) fn rounded(bytes: u64) -> Option<u64> {
    Sizes { has_headers: false }.object(bytes, false).filter(|object| *object > 0)
}

impl<'a> Scene<'a> {
    /// A map, by its rank among those that are nodes.
    #[inline]
    pub(super) fn wanted(&self, map: usize) -> Option<Wanted<'a>> {
        self.wanted.get(*self.maps.get(map)? as usize)
    }

    /// Bytes of an object before the value or values in it.
    pub(super) fn begin(object: &Object) -> u64 {
        if object.header == Typing::FirstWord { 8 } else { 0 }
    }

    /// What the runtime itself says of an object.
    pub(super) fn content(&self, object: &Object) -> Option<Content> {
        let at = match object.header {
            Typing::None => return None,
            Typing::FirstWord => self.graph.type_of(object)?,
            Typing::Span(at) => at,
        };
        let size = self.types.get(at)?.size;
        let room = object.size - Self::begin(object);
        (0 < size && size <= room).then_some(Content {
            at,
            size,
            is_many: size <= room / 2,
            is_generic: false,
        })
    }

    /// Which map a node is the header of, by its rank among those that are nodes.
    pub(super) fn map(&self, node: Node) -> Option<usize> {
        self.ranks.rank(u64::from(node))
    }

    /// The function that an object is, with what it has captured: its first word points to code.
    pub(super) fn function_of(&self, object: &Object) -> Option<String> {
        let code = self.word(object.base)?;
        self.text.iter().any(|range| range.contains(&code)).then(|| (self.function)(Address(code)))?
    }

    /// Which of an object's first words are pointers, as the runtime noted.
    pub(super) fn pointers(&self, object: &Object) -> Option<Vec<bool>> {
        self.bitmaps.pointers(object, self.memory)
    }

    /// Bytes of an element, if the object is an array by all that its words show: of pointers, interfaces or
    /// slices.
    pub(super) fn elements(&self, object: &Object) -> Option<u64> {
        let noted = self.pointers(object).filter(|_| object.size >= ARRAY)?;
        let last = noted.iter().rposition(|is_pointer| *is_pointer)?;
        let is = |element: &[bool]| {
            let mut elements = noted.get(..=last).unwrap_or_default().chunks(element.len());
            elements.all(|one| element.starts_with(one))
        };
        let kinds: [&[bool]; 3] = [&[true], &[false, true], &[true, false, false]];
        kinds.into_iter().find(|element| is(element)).map(|element| element.len() as u64 * WORD)
    }

    /// The word at an address, as it is now.
    pub(super) fn word(&self, at: u64) -> Option<u64> {
        read_u64(self.memory, Address(at)).ok()
    }

    /// The first bytes of an object, as they are now.
    pub(super) fn bytes(&self, object: &Object) -> Option<Vec<u8>> {
        let mut bytes = vec![0; object.size.min(BYTES) as usize];
        self.memory.read(Address(object.base), &mut bytes).ok()?;
        Some(bytes)
    }

    /// The type that the word before the pointer of an interface means.
    pub(super) fn dynamic_type(&self, word: u64, has_methods: bool) -> Option<Address> {
        let at = if has_methods { self.word(word.checked_add(ITAB_TYPE)?)? } else { word };
        self.types.get(Address(at)).map(|found| found.at)
    }

    /// The type of the value beside a table of methods (`runtime.itab`): it begins with the interface's type
    /// and the value's. `None`: the word points to no such table.
    pub(super) fn type_of_methods(&self, word: u64) -> Option<Address> {
        let interface = self.types.get(Address(self.word(word)?))?;
        matches!(interface.kind, Kind::Interface { .. }).then(|| self.dynamic_type(word, true))?
    }

    /// The type of a map that the type beside a pointer to it tells.
    pub(super) fn boxed(&self, map: usize) -> Option<Address> {
        self.graph.boxed_as(map).filter(|at| self.types.map(*at).is_some())
    }

    /// The kind of what an interface's pointer is, if its value is of that type: the value itself if it is
    /// a pointer, else a pointer to it.
    pub(super) fn pointed(&self, at: Address) -> Option<Kind> {
        let of = self.types.get(at)?;
        let is_pointer = matches!(
            of.kind,
            Kind::Pointer(_) | Kind::Map | Kind::Chan(_) | Kind::Func | Kind::UnsafePointer
        );
        Some(if is_pointer { of.kind } else { Kind::Pointer(at) })
    }
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("maps", &self.maps.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::unit::Bytes;
    use crate::runtimes::go::types::Guess;

    #[test]
    fn maps_in_several_lists_have_numbers_one_behind_the_other() {
        let guess = Guess::default();
        let small = |at| {
            let (live, capacity, allocated) = (1, 8, Bytes(at));
            Small { at: Address(at), guess, has_tables: at == 5, live, capacity, allocated }
        };
        let first = [1, 2].map(|at| Wanted { at: Address(at), bytes: 0, types: &[], has_tables: true });
        let small = [vec![small(3), small(4)], Vec::new(), vec![small(5)]];
        let asked = Asked { first: &first, small: &small, types: None };
        assert_eq!(asked.iter().map(|one| one.at.0).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(
            (0..6).map_while(|number| asked.get(number)).collect::<Vec<_>>(),
            asked.iter().collect::<Vec<_>>()
        );
        assert_eq!(asked.get(4), Some(Wanted { at: Address(5), bytes: 5, types: &[], has_tables: true }));
        assert_eq!((asked.len(), asked.get(5), asked.is_empty()), (5, None, false));
        assert!(Asked::default().is_empty());
    }
}
