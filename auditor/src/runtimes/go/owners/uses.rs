//! What a program's code says of its variables: which functions use one, and as a map of which type.
//!
//! ```text
//! 48 8b 1d xx xx xx xx   mov rbx, [rip + variable]     the map
//! 48 8d 05 xx xx xx xx   lea rax, [rip + type]         its type
//! ...                                                  the key
//! e8 xx xx xx xx         call runtime.mapassign_...    (type, map, key)
//! ```
//! So every function of the runtime that does something with a map is called, from 1.17 on (ABIInternal): the
//! type in the first register, the map in the second one. The two stand close together, in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};

use super::blocks;
use crate::audit::unit::Address;
use crate::target::memory::Memory;

/// Most functions that are named as users of a variable.
const USERS: usize = 3;
/// What stands before the distance to a variable that is loaded into the second register, and before the
/// distance to a type whose address is put into the first one.
const LOAD: [u8; 3] = [0x48, 0x8b, 0x1d];
const TYPE: [u8; 3] = [0x48, 0x8d, 0x05];
/// Bytes of such a distance, and of the whole instruction.
pub(super) const DISTANCE: usize = 4;
const INSTRUCTION: usize = 7;
/// How far apart the two are at most, in bytes between them.
const APART: usize = 32;

/// What is asked of the code.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Where code is.
    pub(super) text: &'a [Range<u64>],
    /// Variables whose functions are asked for.
    pub(super) users: &'a BTreeSet<u64>,
    /// Variables whose types are asked for.
    pub(super) types: &'a BTreeSet<u64>,
    /// Whether there is a map type at an address.
    pub(super) is_map_type: &'a dyn Fn(u64) -> bool,
    /// The function that holds an instruction.
    pub(super) function: &'a dyn Fn(Address) -> Option<String>,
}

/// What the code says of a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// The first few functions that use it, in the order of the code.
    pub(super) users: Vec<String>,
    /// The types of maps that it is used as.
    pub(super) types: BTreeSet<Address>,
}

/// Goes through all code once.
pub(super) fn uses(asked: &Asked<'_>, code: &dyn Memory) -> BTreeMap<u64, Uses> {
    let mut found = BTreeMap::new();
    let all: BTreeSet<u64> = asked.users.union(asked.types).copied().collect();
    let (Some(&first), Some(&last)) = (all.first(), all.last()) else { return found };
    // What is close to a border is seen as a whole in one of the two parts.
    let around = 2 * (INSTRUCTION + APART + DISTANCE);
    let parts = asked.text.iter().flat_map(|range| blocks::overlapping(range.clone(), around));
    blocks::read(parts.map(|range| (range, ())), code, &mut |part, bytes| {
        let bytes = bytes.unwrap_or_default();
        for (at, window) in bytes.windows(DISTANCE).enumerate() {
            let named = named(part.range.start, at, window);
            let is_near = named.wrapping_sub(first) <= last - first;
            if is_near && all.contains(&named) && is_distance(bytes, at) {
                asked.add(found.entry(named).or_default(), named, (part.range.start, at), bytes);
            }
        }
        ControlFlow::Continue(())
    });
    found
}

/// What a distance leads to, that is so far from the beginning of a part of the code.
pub(super) fn named(start: u64, at: usize, distance: &[u8]) -> u64 {
    let distance = distance.first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes));
    start.wrapping_add((at + DISTANCE) as u64).wrapping_add_signed(i64::from(distance))
}

impl Asked<'_> {
    fn add(&self, uses: &mut Uses, variable: u64, (start, at): (u64, usize), bytes: &[u8]) {
        if self.users.contains(&variable)
            && uses.users.len() < USERS
            && let Some(name) = (self.function)(Address(start + at as u64))
            && !uses.users.contains(&name)
        {
            uses.users.push(name);
        }
        if self.types.contains(&variable) && before(bytes, at) == Some(LOAD) {
            uses.types.extend(self.type_near(start, at, bytes));
        }
    }

    /// The map type whose address is put into the first register nearest to a load.
    fn type_near(&self, start: u64, at: usize, bytes: &[u8]) -> Option<Address> {
        let from = at.saturating_sub(INSTRUCTION + APART);
        let to = (at + INSTRUCTION + APART).min(bytes.len());
        let places = (from..=to).filter(|place| before(bytes, *place) == Some(TYPE));
        let named = places.filter_map(|place| Some((place, named(start, place, bytes.get(place..)?))));
        let types = named.filter(|(_, to)| (self.is_map_type)(*to));
        types.min_by_key(|(place, _)| place.abs_diff(at)).map(|(_, at)| Address(at))
    }
}

/// Whether what stands before a distance makes it one from the instruction to a word of 8 bytes: REX.W, the
/// operation, and ModRM with mod 0 and r/m 5 (Intel's manual, volume 2, tables 2-4 and 2-7). Other bytes that
/// come to the same number are no use of the variable.
fn is_distance(bytes: &[u8], at: usize) -> bool {
    before(bytes, at).is_some_and(|[prefix, _, form]| prefix & 0xf8 == 0x48 && form & 0xc7 == 0x05)
}

/// The three bytes before a place.
pub(super) fn before(bytes: &[u8], at: usize) -> Option<[u8; 3]> {
    bytes.get(at.checked_sub(3)?..at)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtimes::go::owners::blocks::BLOCK;
    use crate::target::memory::CapturedMemory;

    const TEXT: u64 = 0x40_0000;
    const VARIABLE: u64 = 0x90_0008;
    const MAP: u64 = 0x50_0040;
    const OTHER: u64 = 0x50_0080;

    /// Code of nops with these at their places: bytes before a distance, and where that leads.
    fn code(len: usize, at: &[(usize, &[u8], u64)]) -> CapturedMemory {
        let mut bytes = vec![0x90; len];
        for (place, before, to) in at {
            let distance = to.wrapping_sub(TEXT + (place + DISTANCE) as u64) as u32;
            bytes[place - before.len()..*place].copy_from_slice(before);
            bytes[*place..place + DISTANCE].copy_from_slice(&distance.to_le_bytes());
        }
        let mut memory = CapturedMemory::new();
        memory.insert(Address(TEXT), bytes);
        memory
    }

    fn found(code: &CapturedMemory, len: usize, function: &dyn Fn(Address) -> Option<String>) -> Uses {
        let range = TEXT..TEXT + len as u64;
        let (wanted, is_map_type) = (BTreeSet::from([VARIABLE]), |at| at == MAP || at == OTHER);
        let asked = Asked {
            text: std::slice::from_ref(&range),
            users: &wanted,
            types: &wanted,
            is_map_type: &is_map_type,
            function,
        };
        uses(&asked, code).remove(&VARIABLE).unwrap_or_default()
    }

    #[test]
    fn bytes_that_are_no_distance_of_an_instruction_are_no_use() {
        let all = |_: Address| Some("main.f".to_owned());
        for (bytes, is_use) in [(LOAD, true), (TYPE, true), ([0x48, 0x8b, 0x5d], false), ([0x90; 3], false)] {
            let code = code(64, &[(20, &bytes, VARIABLE)]);
            assert_eq!(found(&code, 64, &all).users.is_empty(), !is_use, "{bytes:x?}");
        }
    }

    #[test]
    fn the_users_of_a_variable_are_found_across_the_borders_of_blocks_and_only_a_few() {
        let places = [5, BLOCK - 10, BLOCK - 3, BLOCK + 100, 2 * BLOCK - 4];
        let at: Vec<(usize, &[u8], u64)> = places.iter().map(|place| (*place, &LOAD[..], VARIABLE)).collect();
        let code = code(2 * BLOCK, &at);
        let block = |at: Address| Some(format!("main.f{}", (at.0 - TEXT) / BLOCK as u64));
        assert_eq!(found(&code, 2 * BLOCK, &block).users, ["main.f0", "main.f1"]);
        let each = |at: Address| Some(format!("{at}"));
        let expected: Vec<_> =
            places[..3].iter().map(|place| format!("{:#x}", TEXT + *place as u64)).collect();
        assert_eq!(found(&code, 2 * BLOCK, &each).users, expected);
    }

    #[test]
    fn a_variable_is_of_the_map_type_that_it_is_passed_with() {
        let (none, nothing) = (|_| None, Vec::<u64>::new());
        let types = |at: &[(usize, &[u8], u64)]| {
            let code = code(BLOCK + 4096, at);
            found(&code, BLOCK + 4096, &none).types.into_iter().map(|at| at.0).collect::<Vec<_>>()
        };
        assert_eq!(types(&[(100, &LOAD, VARIABLE), (107, &TYPE, MAP)]), [MAP]);
        assert_eq!(types(&[(100, &TYPE, MAP), (107, &LOAD, VARIABLE)]), [MAP]);
        assert_eq!(types(&[(100, &LOAD, VARIABLE), (200, &TYPE, MAP)]), nothing, "too far");
        assert_eq!(
            types(&[(100, &[0x48, 0x8b, 0x0d], VARIABLE), (107, &TYPE, MAP)]),
            nothing,
            "another register"
        );
        assert_eq!(types(&[(100, &LOAD, VARIABLE), (107, &TYPE, MAP + 8)]), nothing, "no map type");
        assert_eq!(
            types(&[(100, &LOAD, VARIABLE), (107, &TYPE, MAP), (121, &TYPE, OTHER)]),
            [MAP],
            "nearest"
        );
        let two =
            [(100, &LOAD[..], VARIABLE), (107, &TYPE, MAP), (300, &LOAD, VARIABLE), (307, &TYPE, OTHER)];
        assert_eq!(types(&two), [MAP, OTHER]);
        for border in BLOCK - 60..BLOCK + 60 {
            assert_eq!(types(&[(border, &LOAD, VARIABLE), (border + 20, &TYPE, MAP)]), [MAP], "{border}");
        }
    }
}
