//! Swiss maps (from 1.24 on; src/internal/runtime/maps): the header, which bytes cannot be one, and maps
//! of up to eight entries, whose one group needs no table.
//!
//! ```text
//! Map, 48 bytes      used u64 · seed u64 · dirPtr · dirLen · globalDepth u8 · globalShift u8 · writing u8 ·
//!                    tombstonePossible u8 (1.25 on) · 4 unused · clearSeq u64
//! dirLen 0           dirPtr ──► group: 8 control bytes, 8 slots      control: < 0x80 full, 0x80 empty,
//! dirLen 2^depth     dirPtr ──► *table, *table, ...                            0xfe deleted
//! ```

mod tables;
#[cfg(test)]
mod tests;

use super::cost::SLOTS;
use super::gather::Piece;
use super::heap::Object;
use super::reader::{Lookup, Reader, Seen};
use super::scan::Candidate;
use crate::audit::fact::Shape;
use crate::audit::unit::{Address, Bytes};
use crate::target::go::words::Words;

/// Bytes of a header.
pub const HEADER: usize = 48;
/// Most tables of a directory, as a power of two: of a map of 2^37 entries.
const DEPTH_MOST: u8 = 27;
/// A seed is random: one below this comes up once in 65,536 maps. It is asked for where there is little
/// else to go by.
const SEED_LEAST: u64 = 1 << 48;
/// One below this comes up once in four thousand million maps, but is a common number in other objects.
const SEED_SMALL: u64 = 1 << 32;
/// Most clears that are believed of a map without a group.
const CLEARS_MOST: u64 = 1 << 32;
/// User addresses end here.
const ADDRESSES: u64 = 1 << 47;
/// A control byte of a slot that was never used, or can be used again.
const EMPTY: u8 = 0x80;

/// A header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) at: u64,
    pub(super) used: u64,
    pub(super) seed: u64,
    pub(super) directory: u64,
    pub(super) tables: u64,
    pub(super) depth: u8,
}

impl Header {
    /// `None`: the bytes cannot be a header.
    #[inline]
    pub(super) fn parse(at: u64, bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        let word = |at: usize| {
            u64::from_le_bytes(bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default())
        };
        let [depth, shift, writing, tombstone] = [bytes[32], bytes[33], bytes[34], bytes[35]];
        let header = Self { at, used: word(0), seed: word(8), directory: word(16), tables: word(24), depth };
        let flags = writing <= 1 && tombstone <= 1 && bytes[36..40] == [0; 4];
        let has_place = header.directory < ADDRESSES && header.directory.is_multiple_of(8);
        let sound = flags && header.seed >= SEED_SMALL && has_place;
        let fits = match header.tables {
            0 if header.directory == 0 => {
                header.used == 0
                    && depth == 0
                    && shift == 0
                    && header.seed >= SEED_LEAST
                    && word(40) < CLEARS_MOST
            }
            0 => header.used <= SLOTS && depth == 0 && shift == 0,
            _ => {
                depth <= DEPTH_MOST
                    && header.tables == 1 << depth
                    && shift == 64 - depth
                    && header.directory != 0
                    && header.used <= header.tables.saturating_mul(super::cost::FULL_TABLE)
            }
        };
        (sound && fits).then_some(header)
    }
}

/// Whether bytes may be a header.
#[inline]
pub fn passes(bytes: &[u8]) -> bool {
    Header::parse(0, bytes).is_some()
}

/// Where a header leads to, its one group or its directory, and how many tables the directory lists. `None`: the
/// bytes cannot be a header.
#[must_use]
pub fn place(bytes: &[u8]) -> Option<(u64, u64)> {
    Header::parse(0, bytes).map(|header| (header.directory, header.tables))
}

/// Where the groups of a table are; `None`: the bytes cannot be a table.
#[must_use]
pub fn groups(table: &[u8]) -> Option<u64> {
    tables::groups(table, DEPTH_MOST)
}

/// Whether bytes may be the header of a map with tables, about which little doubt is left.
#[must_use]
pub fn is_large(bytes: &[u8]) -> bool {
    Header::parse(0, bytes).is_some_and(|header| header.tables > 0)
}

/// Tells which candidates are maps, and which of the others should be looked at again.
pub fn recognise(
    wave: &[Candidate],
    reader: &mut Reader<'_>,
    sink: &mut dyn FnMut(&Seen),
    again: &mut Vec<u64>,
) {
    let headers = wave.iter().filter_map(|candidate| Header::parse(candidate.at, &candidate.bytes));
    let (large, small): (Vec<Header>, Vec<Header>) = headers.partition(|header| header.tables > 0);
    small_ones(&small, reader, sink, again);
    tables::recognise(&large, reader, sink, again);
}

/// Maps of at most eight entries.
fn small_ones(
    headers: &[Header],
    reader: &mut Reader<'_>,
    sink: &mut dyn FnMut(&Seen),
    again: &mut Vec<u64>,
) {
    let places: Vec<u64> = headers.iter().map(|header| header.directory).collect();
    let objects = reader.objects_with_data_at(&places);
    let piece = |object: &Option<Object>| {
        let (at, end) = object.map_or((0, 0), |object| (object.base.0, object.data() + SLOTS));
        Piece { at, len: u32::try_from(end - at).unwrap_or(0) }
    };
    let pieces: Vec<Piece> = objects.iter().map(piece).collect();
    // The control word, and the word before it where it is the type.
    let mut words = vec![(0, None); headers.len()];
    reader.gather.pieces(&pieces, &mut |number, bytes| {
        let Some((into, bytes)) = words.get_mut(number).zip(bytes) else { return };
        let control = bytes.len().checked_sub(8).and_then(|at| Words(bytes).u64(at));
        *into = (control.unwrap_or(0), Words(bytes).u64(0));
    });
    for ((header, object), (control, word)) in headers.iter().zip(objects).zip(words) {
        match small(header, object.as_ref(), control, word, reader) {
            Some(seen) => sink(&seen),
            None => again.push(header.at),
        }
    }
}

fn small(
    header: &Header,
    object: Option<&Object>,
    control: u64,
    word: Option<u64>,
    reader: &mut Reader<'_>,
) -> Option<Seen> {
    let mut seen = Seen {
        at: Address(header.at),
        seed: header.seed,
        shape: Shape { live: header.used, tombstones: Some(0), ..Shape::default() },
        guess: super::types::Guess::default(),
        has_tables: false,
        is_estimate: false,
    };
    let mut bytes = reader.types.costs().header_object();
    if header.directory != 0 {
        let object = object.filter(|_| is_group(control, header.used))?;
        seen.guess = reader.guess(object, word, 1);
        // Every group is of one of the program's sizes, if it does not say of what type it is.
        let is_possible = object.typing != super::heap::Typing::None || reader.types.is_possible(seen.guess);
        let made =
            reader.types.common_table(seen.guess).and_then(|known| reader.types.costs().groups(known, 1));
        let is_old = reader.lookup == Lookup::Snapshot && made.is_some_and(|bytes| bytes != object.size);
        if !is_possible || is_old {
            return None;
        }
        (seen.shape.table, seen.shape.capacity) = (Some(Address(header.directory)), SLOTS);
        seen.shape.next =
            reader.types.next(seen.guess, |costs, known| costs.next_swiss(known, 0, (SLOTS, SLOTS)));
        bytes = bytes.saturating_add(object.size);
    }
    finish(&mut seen, bytes, reader.types);
    Some(seen)
}

/// Whether a control word has that many full slots and no deleted ones, of which a lone group has none. Eight
/// full ones are not all alike, since they are parts of hashes; eight zeros would be.
fn is_group(control: u64, used: u64) -> bool {
    let bytes = control.to_le_bytes();
    let full = bytes.iter().filter(|byte| **byte < EMPTY).count() as u64;
    let are_hashes = used < SLOTS || control.rotate_left(8) != control;
    full == used && are_hashes && bytes.iter().all(|byte| *byte <= EMPTY)
}

/// What comes of the type: what entries have behind pointers, and what the map would need.
fn finish(seen: &mut Seen, bytes: u64, types: &super::types::MapTypes) {
    let common = types.common(seen.guess);
    let behind = common.map_or(0, |known| known.behind).saturating_mul(seen.shape.live);
    seen.shape.allocated = Bytes(bytes.saturating_add(behind));
    seen.shape.needed = types.needed(seen.guess, seen.shape.live);
    seen.shape.sizes = types.sizes_id(seen.guess);
}
