//! Which struct an object is that says nothing of its type: the only one of its size that has what was
//! found in the object at the place where it was found.
//!
//! An object that is allocated has a type whose description is in the program, since the allocator asks for
//! it; so where one struct fits and no other, it is that one. This holds for what a root leads to; what is
//! dead may have been half overwritten, and is not asked about.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fields::{Types, leaves};
use super::nodes::{Object, WORD};
use super::scene::{BYTES, Content, Scene, rounded};
use crate::audit::unit::Address;
use crate::target::go::types::{Kind, Type};

/// Most structs that are looked into.
const STRUCTS: usize = 1 << 15;
/// How the compiler names the struct of a function and what it has captured.
const CLOSURE: &str = "struct { F uintptr";
/// Longest slice or string that is believed.
const LONGEST: u64 = 1 << 40;
/// Addresses of a user program.
const ADDRESSES: std::ops::Range<u64> = 4096..1 << 47;
/// Most values of an array that are looked at.
const VALUES: u64 = 16;

/// What a pointer was found to lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A map of one of these types, or of any if there are none.
    Map(&'a [Address]),
    /// One value or many of a type.
    Content(Content),
    /// A function with what it has captured.
    Function,
    /// A channel of that type.
    Channel(Address),
}

/// A struct, taken apart.
#[derive(Debug)]
struct Parts {
    size: u64,
    /// Its leaves with their offsets.
    leaves: Vec<(u64, Type)>,
    /// Which of its words are pointers.
    pointers: Vec<bool>,
}

/// An object that may be one or many of a struct.
struct Unknown<'a> {
    /// Its first bytes, and those around the pointer: of an array that entries are being moved out of, the
    /// first elements are empty.
    windows: [Window; 2],
    /// Which of its first words are pointers, if that is known.
    pointers: Option<Vec<bool>>,
    /// Where a pointer is, and what it leads to.
    offset: u64,
    found: Found<'a>,
}

/// Bytes of an object, and where in it they begin.
#[derive(Debug, Default)]
struct Window {
    from: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn word(&self, offset: u64) -> Option<u64> {
        let tail = self.bytes.get(usize::try_from(offset.checked_sub(self.from)?).ok()?..)?;
        tail.first_chunk().map(|word| u64::from_le_bytes(*word))
    }

    /// The values of that size that lie in it whole, as far as they are looked at; the first one in any case.
    fn values(&self, size: u64) -> std::ops::Range<u64> {
        let size = size.max(1);
        let first = self.from.div_ceil(size);
        let end = (self.from + self.bytes.len() as u64) / size;
        let least = if self.from == 0 { 1 } else { first };
        first..end.clamp(least, first + VALUES)
    }
}

impl Unknown<'_> {
    fn word(&self, offset: u64) -> Option<u64> {
        self.windows.iter().find_map(|window| window.word(offset))
    }
}

/// How many of a struct an object is thought to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    One,
    Many,
}

/// Whether a struct has a pointer that leads to what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leads {
    No,
    /// A pointer to anything.
    Perhaps,
    Yes,
}

/// The structs of a program, by their size as it is allocated.
#[derive(Debug)]
pub(super) struct Shapes {
    by_size: BTreeMap<u64, Vec<Type>>,
    known: BTreeMap<Address, Arc<Parts>>,
}

impl Shapes {
    /// Those that hold pointers. Functions with what they have captured are told by their code.
    pub(super) fn new(structs: &[Type], types: &dyn Types) -> Self {
        let mut by_size: BTreeMap<u64, Vec<Type>> = BTreeMap::new();
        let is_function = |one: &Type| types.name(one.at).is_some_and(|name| name.starts_with(CLOSURE));
        for one in structs.iter().filter(|one| one.pointer_bytes > 0 && !is_function(one)) {
            if let Some(size) = rounded(one.size) {
                by_size.entry(size).or_default().push(*one);
            }
        }
        Self { by_size, known: BTreeMap::new() }
    }

    /// The only struct that the object can be, given what a pointer at an offset leads to: one, or an array
    /// of them.
    ///
    /// # Errors
    /// How many structs it can be.
    pub(super) fn holder(
        &mut self,
        scene: &Scene<'_>,
        object: &Object,
        offset: u64,
        found: Found<'_>,
    ) -> Result<Content, usize> {
        let first = Window { from: 0, bytes: scene.bytes(object).ok_or(0_usize)? };
        let around =
            if offset < first.bytes.len() as u64 { Window::default() } else { around(scene, object, offset) };
        let unknown = Unknown { windows: [first, around], pointers: scene.pointers(object), offset, found };
        let same = self.by_size.get(&object.size).cloned().unwrap_or_default();
        let (is_many, (one, is_generic)) = match self.only(same, scene, &unknown, Count::One) {
            Ok(one) => (false, one),
            // Without a bitmap to go by, too much would look like an array; and an array of structs of one
            // pointer looks as one of pointers.
            Err(0) if unknown.pointers.is_some() && scene.elements(object).is_none() => {
                let smaller = self.by_size.range(..=object.size / 2).flat_map(|(_, structs)| structs);
                let smaller: Vec<Type> = smaller.copied().collect();
                (true, self.only(smaller, scene, &unknown, Count::Many)?)
            }
            Err(many) => return Err(many),
        };
        Ok(Content { at: one.at, size: one.size, is_many, is_generic })
    }

    /// The only one of these map types that has pointers in its buckets or groups where the object has them.
    pub(super) fn map_with(
        &mut self,
        scene: &Scene<'_>,
        object: &Object,
        among: &[Address],
    ) -> Option<Address> {
        let noted = scene.pointers(object)?;
        let mut fitting = among.iter().filter(|at| {
            let bucket = scene.types.map(**at).and_then(|map| scene.types.get(map.bucket));
            let parts = bucket.and_then(|bucket| self.parts(scene.types, &bucket));
            parts.is_some_and(|parts| noted.starts_with(&parts.pointers))
        });
        let one = fitting.next().copied();
        one.filter(|_| fitting.next().is_none())
    }

    /// The only one of these that fits, or how many do. Where those that fit are one generic struct with
    /// different type arguments it is the first of them, and `true`.
    fn only(
        &mut self,
        among: Vec<Type>,
        scene: &Scene<'_>,
        unknown: &Unknown<'_>,
        count: Count,
    ) -> Result<(Type, bool), usize> {
        let (mut fitting, mut perhaps) = (Vec::new(), Vec::new());
        for one in among {
            let Some(parts) = self.parts(scene.types, &one) else { continue };
            match parts.leads(scene, unknown, count) {
                Leads::No => {}
                Leads::Perhaps if parts.fit(scene, unknown, count) => perhaps.push(one),
                Leads::Yes if parts.fit(scene, unknown, count) => fitting.push(one),
                Leads::Perhaps | Leads::Yes => {}
            }
        }
        if fitting.is_empty() {
            fitting = perhaps;
        }
        match fitting.as_slice() {
            [one] => Ok((*one, false)),
            [first, rest @ ..] if are_one_generic(scene.types, *first, rest) => Ok((*first, true)),
            many => Err(many.len()),
        }
    }

    fn parts(&mut self, types: &dyn Types, of: &Type) -> Option<Arc<Parts>> {
        if let Some(parts) = self.known.get(&of.at) {
            return Some(Arc::clone(parts));
        }
        (self.known.len() < STRUCTS).then(|| {
            let parts = Arc::new(Parts::of(types, of));
            self.known.insert(of.at, Arc::clone(&parts));
            parts
        })
    }
}

impl Parts {
    fn of(types: &dyn Types, of: &Type) -> Self {
        let leaves = leaves(types, of.at);
        let mut pointers = vec![false; (of.size.min(BYTES) / WORD) as usize];
        for (offset, leaf) in &leaves {
            let at = match leaf.kind {
                Kind::Plain | Kind::Array(..) | Kind::Struct => continue,
                // A pointer to what is never in the heap (`go:notinheap`).
                _ if leaf.pointer_bytes == 0 => continue,
                // The collector leaves out the type: it is not in the heap.
                Kind::Interface { .. } => offset + WORD,
                _ => *offset,
            };
            if let Some(place) = pointers.get_mut((at / WORD) as usize) {
                *place = true;
            }
        }
        Self { size: of.size, leaves, pointers }
    }

    /// Whether the object can be one or many of these. A struct of one part looks as that part alone.
    fn fit(&self, scene: &Scene<'_>, unknown: &Unknown<'_>, count: Count) -> bool {
        self.leaves.len() > 1 && self.points(unknown, count) && self.is_sound(scene, unknown)
    }

    /// Whether there is what leads to what was found, where it was found.
    fn leads(&self, scene: &Scene<'_>, unknown: &Unknown<'_>, count: Count) -> Leads {
        let offset = unknown.offset;
        let within = if count == Count::Many { offset.checked_rem(self.size).unwrap_or(0) } else { offset };
        let begun = self.leaves.partition_point(|(begin, _)| *begin <= within);
        let leaf = begun.checked_sub(1).and_then(|last| self.leaves.get(last));
        let Some((begin, leaf)) = leaf else { return Leads::No };
        let does = match (leaf.kind, within - begin) {
            (Kind::UnsafePointer, 0) => return Leads::Perhaps,
            (Kind::Interface { has_methods }, WORD) => {
                let of = unknown.word(offset - WORD);
                let of = of.and_then(|word| scene.dynamic_type(word, has_methods));
                let kind = of.and_then(|at| Some((at, scene.pointed(at)?)));
                kind.is_some_and(|(at, kind)| leads_to(kind, at, unknown.found))
            }
            (kind, 0) => leads_to(kind, leaf.at, unknown.found),
            _ => false,
        };
        if does { Leads::Yes } else { Leads::No }
    }

    /// Whether the words that are pointers are those that the runtime noted.
    fn points(&self, unknown: &Unknown<'_>, count: Count) -> bool {
        let Some(noted) = &unknown.pointers else { return true };
        let mut rest = noted.as_slice();
        let mut times = 0;
        while let Some(behind) = rest.strip_prefix(self.pointers.as_slice()) {
            (rest, times) = (behind, times + 1);
            if count == Count::One || self.pointers.is_empty() {
                break;
            }
        }
        let enough = times > usize::from(count == Count::Many);
        // Of a value beyond what is looked at, the end is not seen.
        let is_cut = self.size > BYTES || noted.len() as u64 * WORD >= BYTES;
        enough && (is_cut || !rest.contains(&true))
    }

    /// Whether the bytes can be one or more of these.
    fn is_sound(&self, scene: &Scene<'_>, unknown: &Unknown<'_>) -> bool {
        let mut values = unknown.windows.iter().flat_map(|window| window.values(self.size));
        values.all(|value| {
            let begin = value * self.size;
            self.leaves.iter().all(|(offset, leaf)| can_be(scene, leaf, unknown, begin + offset))
        })
    }
}

/// Whether structs are one generic struct with different type arguments.
fn are_one_generic(types: &dyn Types, first: Type, rest: &[Type]) -> bool {
    let name = |of: &Type| types.name(of.at).and_then(|name| Some(name.split_once('[')?.0.to_owned()));
    let Some(first) = name(&first).filter(|name| !name.is_empty()) else { return false };
    rest.iter().all(|one| name(one).is_some_and(|name| name == first))
}

/// Whether a pointer of that kind can lead to what was found.
fn leads_to(kind: Kind, at: Address, found: Found<'_>) -> bool {
    match (kind, found) {
        (Kind::Map, Found::Map(types)) => types.is_empty() || types.contains(&at),
        (Kind::Func, Found::Function) => true,
        (Kind::Chan(element), Found::Channel(found)) => element == found,
        (Kind::Slice(element), Found::Content(content)) => element == content.at,
        (Kind::Pointer(element), Found::Content(content)) => element == content.at && !content.is_many,
        _ => false,
    }
}

/// Whether the bytes at an offset can be such a leaf. Where there are no bytes, it can.
fn can_be(scene: &Scene<'_>, leaf: &Type, unknown: &Unknown<'_>, offset: u64) -> bool {
    let Some(first) = unknown.word(offset) else { return true };
    let second = unknown.word(offset + 8).unwrap_or(0);
    match leaf.kind {
        Kind::Pointer(_) | Kind::Chan(_) | Kind::Func | Kind::UnsafePointer => is_pointer(first),
        Kind::Map => first == 0 || scene.nodes.at(first).is_some(),
        Kind::String => is_pointer(first) && second < LONGEST && (second == 0 || first != 0),
        Kind::Slice(_) => {
            let room = unknown.word(offset + 16).unwrap_or(second);
            is_pointer(first) && second <= room && room < LONGEST && (room == 0 || first != 0)
        }
        Kind::Interface { has_methods } => {
            let typed = first == 0 || scene.dynamic_type(first, has_methods).is_some();
            typed && is_pointer(second)
        }
        // A number that happens to be the address of an object or of a type is none.
        Kind::Plain => {
            leaf.size != WORD || scene.nodes.at(first).is_none() && scene.types.get(Address(first)).is_none()
        }
        Kind::Array(..) | Kind::Struct => true,
    }
}

fn is_pointer(word: u64) -> bool {
    word == 0 || ADDRESSES.contains(&word)
}

/// The bytes of an object around an offset.
fn around(scene: &Scene<'_>, object: &Object, offset: u64) -> Window {
    let from = offset.saturating_sub(BYTES / 2) / WORD * WORD;
    let part = Object { base: object.base + from, size: object.size.saturating_sub(from), ..*object };
    Window { from, bytes: scene.bytes(&part).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_array_the_values_are_looked_at_that_lie_whole_in_what_was_read() {
        let window = |from, len: usize| Window { from, bytes: vec![7; len] };
        assert_eq!(window(0, 4096).values(208), 0..16);
        assert_eq!(window(0, 500).values(208), 0..2);
        assert_eq!(window(0, 100).values(208), 0..1, "the beginning of one");
        assert_eq!(window(1000, 1000).values(208), 5..9);
        assert_eq!(window(1000, 100).values(208), 5..5);
        assert_eq!(window(1000, 0).values(0), 1000..1000);
    }

    #[test]
    fn a_word_is_found_by_its_place_in_the_object() {
        let window = Window { from: 16, bytes: (0..16).collect() };
        assert_eq!(window.word(24), Some(0x0f0e_0d0c_0b0a_0908));
        assert_eq!((window.word(8), window.word(25), window.word(u64::MAX)), (None, None, None));
    }
}
