//! The object at an address as it is now, through the runtime's own table of pages
//! (`mheap_.arenas`, src/runtime/mheap.go).

use std::collections::BTreeMap;

use super::Object;
use super::spans::{Parsed, Place, field, parse};
use crate::audit::unit::Address;
use crate::runtimes::go::gather::{Gather, Piece};
use crate::runtimes::go::sizes::PAGE;
use crate::target::memory::{Memory, read_u64};

/// Bytes of an arena and what is added to an address before it is divided by them (`heapArenaBytes`,
/// `arenaBaseOffset`, src/runtime/malloc.go, on linux/amd64).
pub(super) const ARENA: u64 = 64 << 20;
const BASE: u64 = 1 << 47;
/// Arenas there can be: 2^48 bytes.
const ARENAS: u64 = 1 << 22;
/// Pages of an arena.
const PAGES: u64 = ARENA / PAGE;

/// The objects that hold addresses; `None`: none does.
pub(super) fn objects(place: &Place, all: &[Address], memory: &dyn Memory) -> Vec<Option<Object>> {
    let mut gather = Gather::new(memory);
    let arenas = arenas(place, all, &mut gather).unwrap_or_default();
    let entry = |at: &Address| {
        let page = (at.0 / PAGE) % PAGES;
        let arena = arenas.get(&arena(*at)?)?;
        arena.checked_add(place.layout.heap.spans_of_arena as u64)?.checked_add(8 * page)
    };
    let entries: Vec<Piece> = all.iter().map(|at| Piece { at: entry(at).unwrap_or(0), len: 8 }).collect();
    let spans = words(&entries, &mut gather);
    let len = u32::try_from(place.layout.span.size).unwrap_or(0);
    let pieces: Vec<Piece> = spans.iter().map(|at| Piece { at: *at, len }).collect();
    let mut objects = vec![None; all.len()];
    gather.pieces(&pieces, &mut |number, bytes| {
        let parsed = bytes.and_then(|bytes| parse(bytes, place, 0));
        let Some((Parsed::InUse(span, _), at)) = parsed.zip(all.get(number)) else { return };
        objects.get_mut(number).into_iter().for_each(|object| *object = Object::of(&span, at.0, None));
    });
    objects
}

/// The number of an address's arena.
fn arena(at: Address) -> Option<u64> {
    let number = at.0.wrapping_add(BASE) / ARENA;
    (number < ARENAS).then_some(number)
}

/// Where the `heapArena` of each address is, by the number of the arena.
fn arenas(place: &Place, all: &[Address], gather: &mut Gather<'_>) -> Option<BTreeMap<u64, u64>> {
    let first = field(place, place.layout.heap.arenas).ok()?;
    let table = read_u64(gather.memory(), first).ok()?;
    let mut numbers: Vec<u64> = all.iter().filter_map(|at| arena(*at)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let at = |number: u64| Piece { at: table.saturating_add(8 * number), len: 8 };
    let pieces: Vec<Piece> = numbers.iter().map(|number| at(*number)).collect();
    let found = words(&pieces, gather);
    Some(numbers.into_iter().zip(found).filter(|(_, arena)| *arena != 0).collect())
}

/// The words at places, 0 where there is none to be read.
fn words(pieces: &[Piece], gather: &mut Gather<'_>) -> Vec<u64> {
    let mut words = vec![0; pieces.len()];
    gather.pieces(pieces, &mut |number, bytes| {
        let word = bytes.and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        words.get_mut(number).into_iter().for_each(|into| *into = u64::from_le_bytes(word));
    });
    words
}
