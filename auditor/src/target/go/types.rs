//! What a Go program's data are made of: the descriptions of types (`abi.Type`, src/internal/abi/type.go;
//! the same from 1.18 to 1.27), which are there in stripped programs, too.
//!
//! | offset | field of a description |
//! |---|---|
//! | 0 | size, u64 |
//! | 8 | bytes up to the last pointer, u64 |
//! | 16 | hash, u32 |
//! | 20 | flags, u8: 1 an uncommon part follows, 2 the name begins with a `*` that is not its own |
//! | 21, 22 | alignment, u8, twice |
//! | 23 | kind, u8, in the low five bits |
//! | 40 | name, u32: counted from the beginning of all types |
//! | 48 | what the kind has: the element, the fields, the length |

use std::collections::BTreeMap;
use std::ops::Range;

use super::GoError;
use super::layouts::Layout;
use super::module_data::ModuleData;
use super::words::Words;
use crate::audit::unit::Address;

/// Most bytes of types over all modules: a program of 120 MB has 14, one of a gigabyte some 100.
const BYTES: u64 = 128 << 20;
/// Longest name, in bytes.
const NAME: usize = 4096;
/// Most fields of a struct that are looked at.
const FIELDS: u64 = 4096;
/// Most fields of all structs together: a program of 120 MB has 200,000.
const ALL_FIELDS: u64 = 1 << 22;
/// Most map types.
const MAPS: usize = 1 << 18;
/// Bytes of what all kinds have.
const COMMON: usize = 48;
/// The flag of names that begin with a star too many.
const EXTRA_STAR: u8 = 2;

/// Kinds (`abi.Kind`).
mod kind {
    pub(super) const ARRAY: u8 = 17;
    pub(super) const CHAN: u8 = 18;
    pub(super) const FUNC: u8 = 19;
    pub(super) const INTERFACE: u8 = 20;
    pub(super) const MAP: u8 = 21;
    pub(super) const POINTER: u8 = 22;
    pub(super) const SLICE: u8 = 23;
    pub(super) const STRING: u8 = 24;
    pub(super) const STRUCT: u8 = 25;
    pub(super) const UNSAFE_POINTER: u8 = 26;
    pub(super) const MASK: u8 = 31;
}

/// Which maps a program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maps {
    /// Buckets with overflow chains: up to 1.23, and 1.24 and 1.25 built without Swiss maps.
    Buckets,
    /// Swiss tables: from 1.24 on.
    Swiss,
}

/// A type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    /// Where its description is.
    pub at: Address,
    /// Bytes of a value.
    pub size: u64,
    /// Bytes up to the last pointer in a value; 0: it holds none.
    pub pointer_bytes: u64,
    /// What it is.
    pub kind: Kind,
}

/// What a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number, a bool.
    Plain,
    /// A string: address and length.
    String,
    /// An unsafe pointer.
    UnsafePointer,
    /// A pointer to a value of that type.
    Pointer(Address),
    /// A slice of values of that type.
    Slice(Address),
    /// So many values of that type.
    Array(Address, u64),
    /// A channel of values of that type.
    Chan(Address),
    /// A function.
    Func,
    /// An interface; without methods it holds a type, else a table of methods that begins with one.
    Interface {
        /// Whether it has methods.
        has_methods: bool,
    },
    /// A map.
    Map,
    /// A struct.
    Struct,
}

/// A field of a struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where its type is described.
    pub type_at: Address,
    /// Where it is in a value, in bytes.
    pub offset: u64,
}

/// A map type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapType {
    /// Where its description is.
    pub at: Address,
    /// Where the type of keys is described.
    pub key: Address,
    /// Where the type of elements is described.
    pub element: Address,
    /// Where the type of a bucket, or of a group, is described.
    pub bucket: Address,
    /// Bytes of a bucket or group.
    pub bucket_size: u64,
    /// Whether a bucket or group holds no pointers.
    pub is_pointer_free: bool,
    /// Bytes of each key that is stored behind a pointer; `None`: keys are in the bucket.
    pub indirect_key: Option<u64>,
    /// The same for elements.
    pub indirect_element: Option<u64>,
}

/// The types of a program.
#[derive(Clone, Debug, Default)]
pub struct Types {
    blocks: Vec<(u64, Vec<u8>)>,
    /// By address.
    maps: Vec<MapType>,
    /// Numbers in `maps` by the type of their buckets, which several may share; unnamed types first.
    by_bucket: BTreeMap<Address, Vec<u32>>,
}

impl Types {
    /// Takes the types of all modules; `read` reads them, from file or memory.
    ///
    /// # Errors
    /// [`GoError`] when they are too large or cannot be read.
    pub fn read(
        modules: &[ModuleData],
        layout: &Layout,
        maps: Maps,
        read: impl Fn(Address, &mut [u8]) -> Result<(), GoError>,
    ) -> Result<Self, GoError> {
        let len = |types: &Range<Address>| types.end.0.saturating_sub(types.start.0);
        if modules.iter().map(|module| len(&module.types)).sum::<u64>() > BYTES {
            return Err(GoError::Corrupt { what: "the range of type descriptions" });
        }
        let mut blocks = Vec::new();
        for module in modules {
            let mut bytes = vec![0; len(&module.types) as usize];
            read(module.types.start, &mut bytes)?;
            blocks.push((module.types.start.0, bytes));
        }
        Ok(Self::of(blocks, layout, maps))
    }

    fn of(mut blocks: Vec<(u64, Vec<u8>)>, layout: &Layout, maps: Maps) -> Self {
        blocks.sort_unstable_by_key(|block| block.0);
        let mut types = Self { blocks, ..Self::default() };
        types.find_maps(layout, maps);
        types
    }

    /// The type described at an address.
    #[must_use]
    pub fn get(&self, at: Address) -> Option<Type> {
        let words = self.words(at)?;
        let (size, pointer_bytes) = (words.u64(0)?, words.u64(8)?);
        let element = words.u64(COMMON).map(Address);
        let kind = match words.u8(23)? & kind::MASK {
            kind::ARRAY => Kind::Array(element?, words.u64(64)?),
            kind::CHAN => Kind::Chan(element?),
            kind::FUNC => Kind::Func,
            kind::INTERFACE => Kind::Interface { has_methods: words.u64(64)? > 0 },
            kind::MAP => Kind::Map,
            kind::POINTER => Kind::Pointer(element?),
            kind::SLICE => Kind::Slice(element?),
            kind::STRING => Kind::String,
            kind::STRUCT => Kind::Struct,
            kind::UNSAFE_POINTER => Kind::UnsafePointer,
            1..=16 => Kind::Plain,
            _ => return None,
        };
        (pointer_bytes <= size).then_some(Type { at, size, pointer_bytes, kind })
    }

    /// The name of a type as the program's own reflection writes it, such as `map[string]*main.User`.
    #[must_use]
    pub fn name(&self, at: Address) -> Option<String> {
        let words = self.words(at)?;
        let flags = words.u8(20)?;
        let (start, _) = self.block(at)?;
        let name = self.text(Address(start.checked_add(u64::from(words.u32(40)?))?))?;
        Some(match name.strip_prefix('*') {
            Some(rest) if flags & EXTRA_STAR != 0 => rest.to_owned(),
            _ => name,
        })
    }

    /// The fields of a struct, in their order.
    #[must_use]
    pub fn fields(&self, at: Address) -> Vec<Field> {
        self.fields_of(at).unwrap_or_default()
    }

    /// All map types, by address.
    #[must_use]
    pub fn maps(&self) -> &[MapType] {
        &self.maps
    }

    /// The map type described at an address.
    #[must_use]
    pub fn map(&self, at: Address) -> Option<&MapType> {
        self.maps.binary_search_by_key(&at, |map| map.at).ok().and_then(|index| self.maps.get(index))
    }

    /// The map type whose buckets or groups are of the type described at an address. Where a program has
    /// given such maps a name, it is the type without one: true of all of them.
    #[must_use]
    pub fn map_of_bucket(&self, bucket: Address) -> Option<&MapType> {
        self.maps_of_bucket(bucket).next()
    }

    /// All map types whose buckets or groups are of the type described at an address, those without a name
    /// of their own first.
    pub fn maps_of_bucket(&self, bucket: Address) -> impl Iterator<Item = &MapType> {
        let indices = self.by_bucket.get(&bucket).into_iter().flatten();
        indices.filter_map(|index| self.maps.get(*index as usize))
    }

    /// Where all struct types with fields are described.
    #[must_use]
    pub fn structs(&self) -> Vec<Address> {
        let mut left = ALL_FIELDS;
        let candidates = self.places(kind::STRUCT).map_while(|at| {
            let count = self.words(at).and_then(|words| words.u64(64)).filter(|count| *count <= FIELDS);
            left = left.checked_sub(count.unwrap_or(0))?;
            Some(at)
        });
        candidates.filter(|at| self.is_sound_struct(*at)).collect()
    }

    /// Whether an address may be that of a description.
    #[must_use]
    pub fn contain(&self, at: Address) -> bool {
        self.block(at).is_some()
    }

    fn is_sound_struct(&self, at: Address) -> bool {
        self.get(at).is_some_and(|found| found.kind == Kind::Struct && found.size > 0)
            && self.fields_of(at).is_some_and(|fields| !fields.is_empty())
            && self.name(at).is_some()
    }

    /// All fields or none: each has a name and a type, and lies within the struct. So a release in which
    /// offsets mean something else has none (1.18 counts them twice).
    fn fields_of(&self, at: Address) -> Option<Vec<Field>> {
        let whole = self.get(at).filter(|found| found.kind == Kind::Struct)?;
        let words = self.words(at)?;
        let (start, count) = (words.u64(56)?, words.u64(64)?);
        if count > FIELDS || words.u64(72)? != count {
            return None;
        }
        let fields = (0..count).map(|index| {
            let words = self.words(Address(start.checked_add(24 * index)?))?;
            let (type_at, offset) = (Address(words.u64(8)?), words.u64(16)?);
            let end = offset.checked_add(self.get(type_at)?.size)?;
            let name = self.text(Address(words.u64(0)?))?;
            (end <= whole.size).then_some(Field { name, type_at, offset })
        });
        fields.collect()
    }

    /// A name: flags u8, length as a varint, and so many bytes.
    fn text(&self, at: Address) -> Option<String> {
        let words = self.words(at)?;
        let (len, width) = words.varint(1)?;
        let len = usize::try_from(len).ok().filter(|len| *len <= NAME)?;
        Some(String::from_utf8_lossy(words.slice(1 + width, len)?).into_owned())
    }

    /// The bytes from an address on to the end of its module's types.
    fn words(&self, at: Address) -> Option<Words<'_>> {
        let (start, bytes) = self.block(at)?;
        Some(Words(bytes.get(usize::try_from(at.0 - start).ok()?..)?))
    }

    fn block(&self, at: Address) -> Option<(u64, &[u8])> {
        let index = self.blocks.partition_point(|block| block.0 <= at.0).checked_sub(1)?;
        let (start, bytes) = self.blocks.get(index)?;
        (at.0 - start < bytes.len() as u64).then_some((*start, bytes))
    }

    /// Every place where a description of that kind may begin.
    fn places(&self, kind: u8) -> impl Iterator<Item = Address> {
        self.blocks.iter().flat_map(move |(start, bytes)| {
            let first = start.wrapping_neg() % 8;
            let places = (first..bytes.len() as u64).step_by(8);
            let of_kind =
                move |at: &u64| Words(bytes).u8(*at as usize + 23).is_some_and(|k| k & kind::MASK == kind);
            places.filter(of_kind).map(move |at| Address(start + at))
        })
    }

    /// There is no list of all map types, but little else looks like one: kind, size and alignment of a
    /// pointer, and a bucket type whose size is that which the map says.
    fn find_maps(&mut self, layout: &Layout, maps: Maps) {
        let found = self.places(kind::MAP).filter_map(|at| self.map_at(at, layout, maps)).take(MAPS);
        let found: Vec<MapType> = found.collect();
        let is_named = |map: &MapType| !self.name(map.at).is_some_and(|name| name.starts_with("map["));
        let mut order: Vec<(bool, u32)> = found.iter().map(is_named).zip(0..).collect();
        order.sort_unstable();
        for (_, index) in order {
            if let Some(map) = found.get(index as usize) {
                self.by_bucket.entry(map.bucket).or_default().push(index);
            }
        }
        self.maps = found;
    }

    fn map_at(&self, at: Address, layout: &Layout, maps: Maps) -> Option<MapType> {
        let words = self.words(at)?;
        let is_pointer = words.u64(0)? == 8 && words.u64(8)? == 8 && words.slice(21, 2)? == [8, 8];
        if words.u8(23)? & kind::MASK != kind::MAP || !is_pointer {
            return None;
        }
        let [key, element, bucket] = [48, 56, 64].map(|offset| words.u64(offset).map(Address));
        let (key, element, bucket) = (key?, element?, bucket?);
        let (size, flags, indirect) = match (maps, layout.swiss) {
            // GroupSize and Flags (src/internal/abi/map_swiss.go).
            (Maps::Swiss, Some(swiss)) => (
                words.u64(swiss.group_size)?,
                words.u32(swiss.flags)?,
                (swiss.indirect_key as u32, swiss.indirect_element as u32),
            ),
            // BucketSize u16 and Flags u32 (src/runtime/type.go, src/internal/abi/type.go).
            _ => (u64::from(words.u16(82)?), words.u32(84)?, (1, 2)),
        };
        let (of_key, of_element, of_bucket) = (self.get(key)?, self.get(element)?, self.get(bucket)?);
        (of_bucket.size == size && size > 8).then_some(MapType {
            at,
            key,
            element,
            bucket,
            bucket_size: size,
            is_pointer_free: of_bucket.pointer_bytes == 0,
            indirect_key: (flags & indirect.0 != 0).then_some(of_key.size),
            indirect_element: (flags & indirect.1 != 0).then_some(of_element.size),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::go::{Release, layouts::nearest};
    use proptest::prelude::*;

    const BASE: u64 = 0x10_0000;

    /// Descriptions, written one behind the other.
    struct Written(Vec<u8>);

    impl Written {
        fn name(&mut self, text: &str) -> u64 {
            let at = self.0.len() as u64;
            self.0.extend([0, text.len() as u8]);
            self.0.extend(text.as_bytes());
            at
        }

        fn kind(&mut self, name: &str, size: u64, kind: u8, tail: &[u64]) -> Address {
            let (name, flags) = (self.name(name), if name.starts_with('*') { EXTRA_STAR } else { 0 });
            self.0.resize(self.0.len().next_multiple_of(8), 0);
            let at = self.0.len() as u64;
            self.0.extend(
                [size, size, 0x8_0800_0000_0000 | u64::from(kind) << 56 | u64::from(flags) << 32]
                    .map(u64::to_le_bytes)
                    .concat(),
            );
            self.0.extend([0, 0, name].map(u64::to_le_bytes).concat());
            self.0.extend(tail.iter().flat_map(|word| word.to_le_bytes()));
            Address(BASE + at)
        }

        fn types(self) -> Types {
            let layout = nearest(Release { major: 1, minor: 23 });
            Types::of(vec![(BASE, self.0)], layout, Maps::Buckets)
        }
    }

    /// A struct of two words at these offsets.
    fn pair(offsets: [u64; 2]) -> (Types, Address) {
        let mut written = Written(Vec::new());
        let word = written.kind("int", 8, 2, &[]);
        let names = [written.name("first"), written.name("second")].map(|name| BASE + name);
        written.0.resize(written.0.len().next_multiple_of(8), 0);
        let fields = BASE + written.0.len() as u64;
        for (name, offset) in names.into_iter().zip(offsets) {
            written.0.extend([name, word.0, offset].map(u64::to_le_bytes).concat());
        }
        let at = written.kind("*main.Pair", 16, kind::STRUCT, &[0, fields, 2, 2]);
        (written.types(), at)
    }

    #[test]
    fn a_struct_has_its_fields_and_its_name_without_the_extra_star() {
        let (types, at) = pair([0, 8]);
        let fields: Vec<_> = types.fields(at).into_iter().map(|field| (field.name, field.offset)).collect();
        assert_eq!(fields, [("first".to_owned(), 0), ("second".to_owned(), 8)]);
        assert_eq!(types.name(at).as_deref(), Some("main.Pair"));
        assert_eq!(types.structs(), [at]);
    }

    #[test]
    fn a_field_outside_its_struct_discredits_them_all() {
        let (types, at) = pair([0, 16]);
        assert_eq!((types.fields(at), types.structs()), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_named_map_type_does_not_hide_the_type_it_is_made_of() {
        let mut written = Written(Vec::new());
        let word = written.kind("int", 8, 2, &[]);
        let bucket = written.kind("map.bucket[int]int", 144, kind::STRUCT, &[0, 0, 0, 0]);
        let tail = [word.0, word.0, bucket.0, 0, 144 << 16 | 0x0808];
        let [named, unnamed, other] =
            ["main.Index", "map[int]int", "main.Other"].map(|name| written.kind(name, 8, kind::MAP, &tail));
        let types = written.types();
        assert_eq!(types.maps().iter().map(|map| map.at).collect::<Vec<_>>(), [named, unnamed, other]);
        assert_eq!(types.map_of_bucket(bucket), types.map(unnamed));
        let same: Vec<_> = types.maps_of_bucket(bucket).map(|map| map.at).collect();
        assert_eq!(same, [unnamed, named, other]);
        assert_eq!(types.maps_of_bucket(word).count(), 0);
    }

    proptest! {
        #[test]
        fn hostile_descriptions_never_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..400),
            pointers in proptest::collection::vec((0_usize..50, 0_u64..400), 0..20),
            base in prop_oneof![Just(BASE), 0..(1_u64 << 47)],
        ) {
            for (at, to) in pointers {
                if let Some(word) = bytes.get_mut(8 * at..8 * at + 8) {
                    word.copy_from_slice(&base.wrapping_add(to).to_le_bytes());
                }
            }
            for release in [19, 24, 27] {
                let layout = nearest(Release { major: 1, minor: release });
                let types = Types::of(vec![(base, bytes.clone())], layout, Maps::Swiss);
                for at in (0..bytes.len() as u64).map(|at| Address(base + at)) {
                    let _seen = (types.get(at), types.name(at), types.fields(at), types.map(at));
                }
                let _structs = types.structs();
            }
        }
    }
}
