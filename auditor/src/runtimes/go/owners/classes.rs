//! Objects that are alike: reached from the same root by the same fields. 100,000 small maps in a slice are
//! one class, and get one name.
//!
//! A class is named by what leads to it, in the notation of the program's own language as far as it goes:
//! `main.cache -> (main.Cache).Inner.Idx` for a field of what a pointer or an interface leads to,
//! `main.users[...].Tags` for one of an element of a slice, an array, a map, `main.index[key]` for a key.

use super::fields::{Types, folded, leaf};
use super::nodes::WORD;
use super::scene::Content;
use crate::audit::unit::Address;
use crate::target::go::types::{Kind, MapType, Type};

/// Objects larger than this whose type is not known are not looked into word by word.
pub(super) const SMALL: u64 = 512;
/// Where `runtime.hchan` has its buffer (src/runtime/chan.go: qcount, dataqsiz, buf).
const CHANNEL_BUFFER: u64 = 16;
/// Where a header has what it holds: `hmap.buckets` and `hmap.oldbuckets` (src/runtime/map.go), or
/// `Map.dirPtr` (src/internal/runtime/maps/map.go).
const MAP_TABLES: [u64; 2] = [16, 24];

/// What the objects of a class are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Map headers, of that type; whether tables lie between them and their groups.
    Map(Option<Address>, bool),
    /// A Swiss map's list of tables.
    Directory(Option<Address>),
    /// One of these tables.
    Table(Option<Address>),
    /// A map's buckets or groups, behind so many bytes.
    Groups(Option<MapType>, u64),
    /// Values of a known type, behind so many bytes.
    Values(Content, u64),
    /// Elements of which is known that there are many of so many bytes.
    Elements(u64),
    /// Channels of that type.
    Channel(Option<Address>),
    /// Functions with what they have captured.
    Function(String),
    /// Objects of that size.
    Unknown(u64),
}

/// A class.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// Which root leads to it.
    pub(super) root: u32,
    /// The class of the objects that point to these; `None`: the root does.
    pub(super) before: Option<u32>,
    /// What they are.
    pub(super) what: What,
    /// How they are reached from the root, in words.
    pub(super) tail: String,
    /// How many classes come before.
    pub(super) depth: u32,
    /// For each word of a value, the first that means the same.
    folded: Vec<u16>,
}

/// A word of the objects of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// How one writes what it leads to, behind what led to the object.
    pub(super) text: String,
    /// The type of the pointer, where it is known that the word is one of that type.
    pub(super) pointer: Option<Type>,
}

impl Class {
    /// A class of which nothing but this is known.
    pub(super) fn new(
        what: What,
        (root, before): (u32, Option<(u32, u32)>),
        tail: String,
        types: &dyn Types,
    ) -> Self {
        let folded = match &what {
            What::Values(content, _) => folded(types, content.at),
            What::Groups(Some(map), _) => folded(types, map.bucket),
            _ => Vec::new(),
        };
        let depth = before.map_or(0, |(_, depth)| depth + 1);
        let before = before.map(|(class, _)| class);
        Self { root, before, what, tail, depth, folded }
    }

    /// The number of a word at an offset: the same for all words that mean the same.
    pub(super) fn slot(&self, offset: u64) -> u32 {
        let word = match &self.what {
            What::Values(content, begin) => {
                let within = offset.wrapping_sub(*begin);
                let within = if content.is_many { within % content.size.max(1) } else { within };
                self.fold(within / WORD)
            }
            What::Groups(Some(map), begin) => {
                self.fold(offset.wrapping_sub(*begin) % map.bucket_size.max(1) / WORD)
            }
            What::Map(..) if MAP_TABLES.contains(&offset) => 0,
            What::Unknown(size) if *size > SMALL => u64::from(u32::MAX),
            What::Map(..) | What::Channel(_) | What::Function(_) | What::Unknown(_) => offset / WORD,
            What::Groups(None, _) | What::Directory(_) | What::Table(_) | What::Elements(_) => 0,
        };
        u32::try_from(word).unwrap_or(u32::MAX)
    }

    fn fold(&self, word: u64) -> u64 {
        let place = usize::try_from(word).ok().and_then(|word| self.folded.get(word));
        place.map_or(word, |first| u64::from(*first))
    }

    /// Whether pointers whose type is not known may be those of interfaces.
    pub(super) fn may_hold_interfaces(&self) -> bool {
        matches!(self.what, What::Unknown(_) | What::Elements(_) | What::Groups(None, _))
    }

    /// What the word at an offset is.
    pub(super) fn describe(&self, offset: u64, types: &dyn Types) -> Slot {
        match &self.what {
            What::Values(content, begin) => of_value(content, offset.wrapping_sub(*begin), types),
            What::Groups(Some(map), begin) => of_entry(map, offset.wrapping_sub(*begin), types),
            What::Groups(None, _) | What::Elements(_) => Slot::untyped("[...]".to_owned()),
            What::Map(..) | What::Directory(_) | What::Table(_) => Slot::untyped(String::new()),
            What::Channel(element) => {
                let is_buffer = offset == CHANNEL_BUFFER;
                let pointer = element.filter(|_| is_buffer).map(slice_of);
                Slot { text: " -> (chan)".to_owned(), pointer }
            }
            What::Function(name) => Slot::untyped(format!(" -> {name} (closure)")),
            What::Unknown(WORD) => Slot::untyped(" -> (pointer)".to_owned()),
            What::Unknown(size) if *size > SMALL || offset == 0 => {
                Slot::untyped(format!(" -> ({size} bytes)"))
            }
            What::Unknown(size) => Slot::untyped(format!(" -> ({size} bytes)+{offset}")),
        }
    }
}

impl Slot {
    /// A word of which the type is not known.
    pub(super) fn untyped(text: String) -> Self {
        Self { text, pointer: None }
    }
}

/// A slice of elements of that type.
fn slice_of(element: Address) -> Type {
    Type { at: Address(0), size: 24, pointer_bytes: 8, kind: Kind::Slice(element) }
}

fn of_value(content: &Content, offset: u64, types: &dyn Types) -> Slot {
    let name = types.name(content.at).unwrap_or_else(|| "?".to_owned());
    let name = match name.split_once('[') {
        Some((name, _)) if content.is_generic => format!("{name}[...]"),
        _ => name,
    };
    let within = if content.is_many { offset % content.size.max(1) } else { offset };
    let before = if content.is_many { "[...]".to_owned() } else { format!(" -> ({name})") };
    let (path, pointer) = at(types, content.at, within);
    Slot { text: before + &path, pointer }
}

/// What is at an offset of a value: how it is written, and the type of the pointer, if one is there.
fn at(types: &dyn Types, of: Address, offset: u64) -> (String, Option<Type>) {
    let Some(leaf) = leaf(types, of, offset) else { return (format!("+{offset}"), None) };
    let pointer_at = if matches!(leaf.of.kind, Kind::Interface { .. }) { WORD } else { 0 };
    let pointer = (offset - leaf.begin == pointer_at).then_some(leaf.of);
    (leaf.path, pointer)
}

/// An entry of a map, by its place in a bucket (`tophash`, `keys`, `elems`: cmd/compile's reflectdata) or in
/// a group (`ctrl`, `slots` of `key` and `elem`, or `keys` and `elems`).
fn of_entry(map: &MapType, offset: u64, types: &dyn Types) -> Slot {
    let (path, pointer) = at(types, map.bucket, offset % map.bucket_size.max(1));
    let parts = [(".slots[...].key", "[key]"), (".keys[...]", "[key]"), (".slots[...].elem", "[...]")];
    let parts = parts.iter().chain(&[(".elems[...]", "[...]")]);
    let written = parts.clone().find_map(|(part, text)| Some(format!("{text}{}", path.strip_prefix(part)?)));
    Slot { text: written.unwrap_or_else(|| "[...]".to_owned()), pointer }
}
