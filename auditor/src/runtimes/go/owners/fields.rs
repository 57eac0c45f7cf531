//! What is at an offset of a value: through structs and arrays down to a pointer, a slice, a map.

use crate::audit::unit::Address;
use crate::target::go::types::{self, Field, Kind, MapType, Type};

/// Most structs and arrays within each other.
const DEPTH: usize = 16;
/// Most words of a value that are told apart.
const WORDS: u64 = 512;
/// Most leaves of a value.
const LEAVES: usize = 1024;
/// Most structs, arrays and leaves of a value that are looked at.
const PARTS: usize = 8 * LEAVES;
/// Longest path of fields, in characters.
const PATH: usize = 200;

/// The types of a program, as far as they are asked for here.
pub(super) trait Types: Sync {
    /// The type described there.
    fn get(&self, at: Address) -> Option<Type>;
    /// How it is written, such as `main.Cache`.
    fn name(&self, at: Address) -> Option<String>;
    /// The fields of a struct, in order.
    fn fields(&self, at: Address) -> Vec<Field>;
    /// The map type described there.
    fn map(&self, at: Address) -> Option<MapType>;
    /// The map type that has buckets or groups of that type.
    fn map_of_bucket(&self, bucket: Address) -> Option<MapType>;
    /// Where struct types are described.
    fn structs(&self) -> Vec<Address>;
}

impl Types for types::Types {
    fn get(&self, at: Address) -> Option<Type> {
        self.get(at)
    }
    fn name(&self, at: Address) -> Option<String> {
        self.name(at)
    }
    fn fields(&self, at: Address) -> Vec<Field> {
        self.fields(at)
    }
    fn map(&self, at: Address) -> Option<MapType> {
        self.map(at).copied()
    }
    fn map_of_bucket(&self, bucket: Address) -> Option<MapType> {
        self.map_of_bucket(bucket).copied()
    }
    fn structs(&self) -> Vec<Address> {
        self.structs()
    }
}

/// A part of a value that has no parts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// How it is written behind the value, such as `.Inner.Idx` or `.shards[...]`.
    pub(super) path: String,
    /// Its type.
    pub(super) of: Type,
    /// Where it begins in the value.
    pub(super) begin: u64,
    /// Where the first one of its kind begins, if it is in an array: words of the elements of an array are
    /// as those of the first element.
    pub(super) alike: u64,
}

/// The leaf that holds an offset of a value of that type.
pub(super) fn leaf(types: &dyn Types, at: Address, offset: u64) -> Option<Leaf> {
    let (mut at, mut begin, mut alike, mut path) = (at, 0_u64, 0_u64, String::new());
    for _ in 0..DEPTH {
        let within = offset.checked_sub(begin)?;
        let of = types.get(at).filter(|found| within < found.size)?;
        match of.kind {
            Kind::Struct => {
                let field = holder(types.fields(at), within)?;
                path.push('.');
                path.push_str(&field.name);
                (begin, alike, at) = (begin + field.offset, alike + field.offset, field.type_at);
            }
            Kind::Array(element, _) => {
                let size = types.get(element)?.size;
                path.push_str("[...]");
                begin += within - within.checked_rem(size)?;
                at = element;
            }
            _ => return Some(Leaf { path: shortened(path), of, begin, alike }),
        }
    }
    None
}

/// The field that holds an offset: the last one that begins there or before.
fn holder(fields: Vec<Field>, offset: u64) -> Option<Field> {
    fields.into_iter().take_while(|field| field.offset <= offset).last()
}

fn shortened(path: String) -> String {
    if path.chars().count() <= PATH { path } else { path.chars().take(PATH).chain(['~']).collect() }
}

/// All leaves of a value with their offsets, those of arrays once for each element; at most [`LEAVES`].
pub(super) fn leaves(types: &dyn Types, at: Address) -> Vec<(u64, Type)> {
    let mut found = Vec::new();
    let mut open = vec![(0_u64, at, 0)];
    for _ in 0..PARTS {
        let Some((offset, at, depth)) = open.pop().filter(|_| found.len() < LEAVES) else { break };
        let Some(of) = types.get(at).filter(|_| depth < DEPTH) else { continue };
        match of.kind {
            Kind::Struct => {
                let fields = types.fields(at).into_iter().rev();
                open.extend(fields.map(|part| (offset.saturating_add(part.offset), part.type_at, depth + 1)));
            }
            Kind::Array(element, count) => {
                let size = types.get(element).map_or(0, |element| element.size);
                let offsets = (0..count.min(LEAVES as u64)).rev().map(|index| index.saturating_mul(size));
                open.extend(offsets.map(|within| (offset.saturating_add(within), element, depth + 1)));
            }
            _ => found.push((offset, of)),
        }
    }
    found
}

/// For each word of a value, the first word that means the same. Empty: the value is too large to tell.
pub(super) fn folded(types: &dyn Types, at: Address) -> Vec<u16> {
    let Some(whole) = types.get(at).filter(|whole| whole.size <= WORDS * 8) else { return Vec::new() };
    let alike = |word: u64| {
        let leaf = leaf(types, at, word * 8)?;
        u16::try_from((leaf.alike + word * 8 - leaf.begin) / 8).ok()
    };
    (0..whole.size.div_ceil(8)).map(|word| alike(word).unwrap_or(word as u16)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::made::{MadeTypes, TYPES};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_leaf_is_found_through_structs_and_arrays() {
        let mut types = MadeTypes::default();
        let number = types.number();
        let pointer = types.pointer(number);
        let shard = types.structure("main.Shard", &[("Hits", number), ("P", pointer)]);
        let shards = types.add("[4]main.Shard", 64, Kind::Array(shard, 4));
        let cache = types.structure("main.Cache", &[("N", number), ("Shards", shards), ("Last", pointer)]);
        let of = |offset| leaf(&types, cache, offset).map(|leaf| (leaf.path, leaf.begin, leaf.alike));
        assert_eq!(of(4), Some((".N".to_owned(), 0, 0)));
        assert_eq!(of(8 + 16 * 3 + 8), Some((".Shards[...].P".to_owned(), 64, 16)));
        assert_eq!(of(72), Some((".Last".to_owned(), 72, 72)));
        assert_eq!(of(80), None);
        assert_eq!(folded(&types, cache), [0, 1, 2, 1, 2, 1, 2, 1, 2, 9]);
        let all: Vec<u64> = leaves(&types, cache).into_iter().map(|(offset, _)| offset).collect();
        assert_eq!(all, [0, 8, 16, 24, 32, 40, 48, 56, 64, 72]);
    }

    #[test]
    fn types_that_hold_themselves_or_too_much_come_to_an_end() {
        let mut types = MadeTypes::default();
        let number = types.number();
        let endless = types.structure("main.Endless", &[("A", number)]);
        let many = types.add("[]", 1 << 50, Kind::Array(endless, u64::MAX));
        types.fields_become(endless, &[("A", endless), ("B", many), ("C", many)]);
        assert_eq!(leaf(&types, endless, 0), None);
        assert!(leaves(&types, many).len() <= LEAVES);
        assert!(folded(&types, many).is_empty());
    }

    proptest! {
        #[test]
        fn whatever_types_say_looking_into_them_ends(
            made in proptest::collection::vec((0_u64..200, 0_u8..5, 0_u64..12, any::<u64>()), 1..12),
            offset in any::<u64>(),
        ) {
            let mut types = MadeTypes::default();
            let at = |number: u64| Address(TYPES.start + 64 * (1 + number));
            for (size, kind, to, count) in &made {
                let kind = match kind {
                    0 => Kind::Struct,
                    1 => Kind::Array(at(*to), *count),
                    2 => Kind::Pointer(at(*to)),
                    3 => Kind::Slice(at(*to)),
                    _ => Kind::Plain,
                };
                let one = types.add("x", *size, kind);
                types.fields_become(one, &[("A", at(*to)), ("B", at(*count % 12))]);
            }
            for number in 0..made.len() as u64 {
                let found = leaf(&types, at(number), offset % 256);
                prop_assert!(found.is_none_or(|leaf| leaf.begin <= offset % 256 && leaf.alike <= leaf.begin));
                prop_assert!(leaves(&types, at(number)).len() <= LEAVES);
                prop_assert!(folded(&types, at(number)).len() <= WORDS as usize);
            }
        }
    }
}
