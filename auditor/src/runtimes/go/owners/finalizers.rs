//! What finalizers and cleanups hold: records that the runtime keeps outside the heap, in a list at each
//! span (`mspan.specials`, src/runtime/mheap.go). They are roots for the collector, and so is everything
//! that an object with a finalizer leads to, though not the object itself.
//!
//! | offset | in a record | |
//! |---|---|---|
//! | 0 | `next` | the next one of the span |
//! | 8 | `offset` | of the object in its span; u16, from 1.25 on u64 |
//! | 16 or 24 | | what the kind has; a finalizer: function, number, type of its argument, type of the object |

use std::collections::BTreeSet;
use std::ops::Range;

use super::nodes::WORD;
use crate::audit::unit::Address;
use crate::target::go::layouts::Layout;
use crate::target::memory::{Memory, Request, read_u64};

/// Bytes of a page of the heap, and of an arena.
const PAGE: u64 = 8192;
const ARENA: u64 = 64 << 20;
/// What the numbering of arenas begins at, below zero (`arenaBaseOffset`).
const ARENA_BASE: u64 = 1 << 47;
/// Behind `heapArena.spans` come three bitmaps of a bit a page: `pageInUse`, `pageMarks`, `pageSpecials`.
const SPANS: u64 = ARENA / PAGE * WORD;
const BITMAP: u64 = ARENA / PAGE / 8;
/// From `mspan.limit` to `mspan.specials`, with `speciallock` between them.
const LIMIT_TO_LIST: u64 = 16;
/// Bytes of a record that are looked at, and where what the kind has begins at the earliest.
const RECORD: usize = 56;
const CONTENT: usize = 16;
/// Most spans with records, most records, and most records of one span that are looked at.
const MOST_SPANS: usize = 1 << 20;
const MOST: usize = 1 << 20;
const LONGEST: usize = 1 << 14;
/// How many are read at once.
const BATCH: usize = 4096;

/// Where the runtime keeps what it notes of the heap (`mheap_.arenas[0]`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Arenas<'a> {
    /// The array of pointers to arenas.
    pub(super) table: Address,
    pub(super) layout: &'a Layout,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    /// Words that may be pointers, with where they are.
    pub(super) words: Vec<(u64, u64)>,
    /// Objects that have a finalizer.
    pub(super) finalized: Vec<u64>,
    /// Whether there are others.
    pub(super) is_cut_short: bool,
}

/// A span that has records: where it begins, and where the next record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct List {
    start: u64,
    next: u64,
}

/// The number of the arena that holds an address.
pub(super) fn arena_of(address: u64) -> u64 {
    address.wrapping_add(ARENA_BASE) / ARENA
}

/// Reads the records of all spans of these arenas; `types` is where the program's types are.
pub(super) fn read(
    arenas: &Arenas<'_>,
    numbers: &BTreeSet<u64>,
    types: &Range<u64>,
    memory: &dyn Memory,
) -> Records {
    let mut records = Records::default();
    let mut lists: Vec<List> = Vec::new();
    for number in numbers {
        match lists_of(arenas, *number, memory) {
            Some(more) if lists.len() + more.len() <= MOST_SPANS => lists.extend(more),
            _ => records.is_cut_short = true,
        }
    }
    for _ in 0..LONGEST {
        if lists.is_empty() || records.words.len() > MOST {
            break;
        }
        lists = lists.chunks(BATCH).flat_map(|batch| records.advance(batch, types, memory)).collect();
    }
    records.is_cut_short |= !lists.is_empty();
    records
}

/// The spans of an arena that have records.
fn lists_of(arenas: &Arenas<'_>, number: u64, memory: &dyn Memory) -> Option<Vec<List>> {
    let (arena, pages) = pages(arenas, number, memory)?;
    let first = (number * ARENA).wrapping_sub(ARENA_BASE);
    let of_arena = arena.wrapping_add(arenas.layout.heap.spans_of_arena as u64);
    let starts: Vec<u64> = pages.iter().map(|page| first.wrapping_add(page * PAGE)).collect();
    let spans = words(pages.iter().map(|page| of_arena.wrapping_add(page * WORD)), memory);
    let list = arenas.layout.span.limit as u64 + LIMIT_TO_LIST;
    let heads = words(spans.into_iter().map(|span| span.map_or(0, |span| span.wrapping_add(list))), memory);
    let lists = starts.into_iter().zip(heads);
    Some(
        lists
            .filter_map(|(start, next)| Some(List { start, next: next.filter(|next| *next != 0)? }))
            .collect(),
    )
}

/// Where an arena's notes are, and the first pages of spans with records.
fn pages(arenas: &Arenas<'_>, number: u64, memory: &dyn Memory) -> Option<(u64, Vec<u64>)> {
    let arena = read_u64(memory, arenas.table.plus(number.checked_mul(WORD)?)?).ok()?;
    let bitmap = arena.checked_add(arenas.layout.heap.spans_of_arena as u64 + SPANS + 2 * BITMAP)?;
    let mut bits = vec![0; BITMAP as usize];
    memory.read(Address(bitmap), &mut bits).ok()?;
    let is_set = |page: &u64| bits.get((page / 8) as usize).is_some_and(|byte| byte >> (page % 8) & 1 == 1);
    Some((arena, (0..ARENA / PAGE).filter(is_set).collect()))
}

fn words(places: impl Iterator<Item = u64>, memory: &dyn Memory) -> Vec<Option<u64>> {
    let places: Vec<u64> = places.collect();
    let mut bytes = vec![[0; WORD as usize]; places.len()];
    let pairs = bytes.iter_mut().zip(&places);
    let mut requests: Vec<_> = pairs.map(|(into, at)| Request { at: Address(*at), into }).collect();
    let answers = memory.read_many(&mut requests);
    bytes.iter().zip(answers).map(|(word, answer)| answer.ok().map(|()| u64::from_le_bytes(*word))).collect()
}

impl Records {
    /// Reads the next record of each list, and says how the lists go on.
    fn advance(&mut self, batch: &[List], types: &Range<u64>, memory: &dyn Memory) -> Vec<List> {
        let mut bytes = vec![[0; RECORD]; batch.len()];
        let pairs = bytes.iter_mut().zip(batch);
        let mut requests: Vec<_> =
            pairs.map(|(into, list)| Request { at: Address(list.next), into }).collect();
        let answers = memory.read_many(&mut requests);
        let mut rest = Vec::new();
        for ((list, record), answer) in batch.iter().zip(&bytes).zip(answers) {
            if answer.is_err() {
                self.is_cut_short = true;
                continue;
            }
            self.add(list, record, types);
            let next = word(record, 0);
            rest.extend((next != 0).then_some(List { next, ..*list }));
        }
        rest
    }

    fn add(&mut self, list: &List, record: &[u8; RECORD], types: &Range<u64>) {
        let places = (CONTENT..RECORD).step_by(WORD as usize);
        self.words.extend(places.map(|place| (list.next.wrapping_add(place as u64), word(record, place))));
        // A finalizer is what has two types behind its function and a number.
        let is_finalizer = |begin: usize| {
            types.contains(&word(record, begin + 16)) && types.contains(&word(record, begin + 24))
        };
        let offset = if is_finalizer(CONTENT) {
            Some(word(record, 8) & 0xffff)
        } else {
            is_finalizer(CONTENT + 8).then(|| word(record, 8))
        };
        self.finalized.extend(offset.and_then(|offset| list.start.checked_add(offset)));
    }
}

fn word(record: &[u8; RECORD], at: usize) -> u64 {
    let tail = record.get(at..).and_then(|tail| tail.first_chunk());
    u64::from_le_bytes(tail.copied().unwrap_or_default())
}
