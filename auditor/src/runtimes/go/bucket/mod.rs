//! Classic maps (to 1.23; 1.24 and 1.25 built without Swiss maps; src/runtime/map.go): the header, and what
//! leads to the bytes that a map holds.
//!
//! ```text
//! hmap, 48 bytes     count · flags u8 · B u8 · noverflow u16 · hash0 u32 · buckets · oldbuckets · nevacuate ·
//!                    extra (1.24 and 1.25: clearSeq before it, 56 bytes)
//! buckets            ──► 2^B buckets, and from 2^4 on spare ones for overflow behind them
//! extra, 24 bytes    overflow · oldoverflow: lists of the overflow buckets, if these hold no pointers ·
//!                    nextOverflow: the first spare bucket that is not used; null: all are
//! bucket             tophash u8 x 8: 0, 1 empty, 2 to 4 moved, from 5 on full · keys · elements · next bucket
//! ```

mod chains;
mod lists;
mod overflow;
#[cfg(test)]
mod tests;
mod walks;

use super::cost::{EXTRA, LARGEST_SHIFT, SLOTS};
use super::gather::Piece;
use super::heap::{Object, Typing};
use super::reader::{Reader, Seen};
use super::scan::Candidate;
use super::types::{Guess, Known};
use crate::audit::fact::{Progress, Shape};
use crate::audit::unit::{Address, Bytes};
use crate::target::go::words::Words;
use overflow::Overflow;

pub use walks::Walks;

/// `hashWriting`, `sameSizeGrow`, and all flags together.
const WRITING: u8 = 4;
const SAME_SIZE: u8 = 8;
const FLAGS: u8 = 15;
/// A seed is random: one below this comes up once in 65,536 maps. It is asked for where there is little
/// else to go by.
const SEED_LEAST: u32 = 1 << 16;
/// The lowest tophash of a full slot (`minTopHash`).
const FULL: u8 = 5;
/// User addresses end here.
const ADDRESSES: u64 = 1 << 47;
/// From here on a header that passes is told from garbage without doubt.
const LARGE_FROM: u8 = 4;

/// A header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    at: u64,
    count: u64,
    flags: u8,
    /// B.
    shift: u8,
    /// noverflow.
    overflow: u16,
    seed: u32,
    buckets: u64,
    old: u64,
    /// nevacuate.
    moved: u64,
    extra: u64,
}

impl Header {
    /// Of as many bytes as the release's header has. `None`: they cannot be a header.
    #[inline]
    pub(super) fn parse(at: u64, bytes: &[u8], len: u64) -> Option<Self> {
        let words = Words(bytes);
        let header = Self {
            at,
            count: words.u64(0)?,
            flags: words.u8(8)?,
            shift: words.u8(9)?,
            overflow: words.u16(10)?,
            seed: words.u32(12)?,
            buckets: words.u64(16)?,
            old: words.u64(24)?,
            moved: words.u64(32)?,
            extra: words.u64((len as usize).checked_sub(8)?)?,
        };
        header.is_sound().then_some(header)
    }

    #[inline]
    fn is_sound(&self) -> bool {
        let is_place = |at: u64| at < ADDRESSES && at.is_multiple_of(8);
        let basic = self.flags <= FLAGS
            && u32::from(self.shift) < LARGEST_SHIFT
            && self.seed != 0
            && is_place(self.buckets)
            && is_place(self.old)
            && is_place(self.extra);
        if !basic {
            return false;
        }
        if self.buckets == 0 {
            let zeros = [self.count, self.old, self.moved, self.extra].iter().all(|word| *word == 0);
            return zeros && self.shift == 0 && self.overflow == 0 && self.seed >= SEED_LEAST;
        }
        let buckets = 1_u64 << self.shift;
        let fits = self.count <= SLOTS * buckets + SLOTS;
        let evacuates = if self.old == 0 {
            // It stays at what it was when the last growth ended. A map that is about to be rebuilt says so
            // before it has asked for the array, and that may take long (`hashGrow`).
            let fits_flags = self.flags & SAME_SIZE == 0 || self.flags & WRITING != 0;
            [0, buckets, buckets / 2].contains(&self.moved) && fits_flags
        } else {
            self.old_shift().is_some_and(|shift| self.moved <= 1 << shift)
        };
        fits && evacuates
    }

    /// Of the old array, how many buckets it has, as a power of two; `None`: there cannot be one.
    fn old_shift(&self) -> Option<u32> {
        if self.flags & SAME_SIZE != 0 {
            return Some(self.shift.into());
        }
        u32::from(self.shift).checked_sub(1)
    }
}

/// Whether bytes may be a header.
#[inline]
pub fn passes(bytes: &[u8], len: u64) -> bool {
    Header::parse(0, bytes, len).is_some()
}

/// Where a header leads to: its array, its old one, its lists of overflow buckets; 0: there is none. `None`: the
/// bytes cannot be a header.
#[must_use]
pub fn places(bytes: &[u8], len: u64) -> Option<[u64; 3]> {
    Header::parse(0, bytes, len).map(|header| [header.buckets, header.old, header.extra])
}

/// Whether bytes may be the header of a large map, about which little doubt is left.
#[must_use]
pub fn is_large(bytes: &[u8], len: u64) -> bool {
    Header::parse(0, bytes, len).is_some_and(|header| header.shift >= LARGE_FROM && header.buckets != 0)
}

/// A map that is being recognised.
#[derive(Clone, Copy, Debug, Default)]
struct Work {
    header: Header,
    buckets: Option<Object>,
    old: Option<Object>,
    extra: Option<Object>,
    /// The first word of the array's object.
    word: Option<u64>,
    /// The first bucket's tophashes.
    top: Option<u64>,
    /// `mapextra`: overflow, oldoverflow, nextOverflow.
    extras: [u64; 3],
    guess: Guess,
    /// Bytes of a bucket, where they are known.
    bucket_size: Option<u64>,
}

/// Tells which candidates are maps, and which of the others should be looked at again.
pub fn recognise(
    wave: &[Candidate],
    reader: &mut Reader<'_>,
    sink: &mut dyn FnMut(&Seen),
    again: &mut Vec<u64>,
) {
    let len = reader.types.costs().header;
    let headers = wave.iter().filter_map(|candidate| Header::parse(candidate.at, &candidate.bytes, len));
    let mut works: Vec<Work> = headers.map(|header| Work { header, ..Work::default() }).collect();
    follow(&mut works, reader);
    works.retain_mut(|work| {
        let is_map = work.header.buckets == 0 || is_map(work, reader);
        if !is_map {
            again.push(work.header.at);
        }
        is_map
    });
    let overflows = overflow::count(&works, reader);
    for (work, overflow) in works.iter().zip(overflows) {
        sink(&seen(work, &overflow, reader));
    }
}

/// Reads what the headers lead to.
fn follow(works: &mut [Work], reader: &mut Reader<'_>) {
    let at = |place: fn(&Header) -> u64| works.iter().map(|work| place(&work.header)).collect::<Vec<u64>>();
    let buckets = reader.objects_with_data_at(&at(|header| header.buckets));
    let old = reader.objects_with_data_at(&at(|header| header.old));
    let extra = reader.objects_with_data_at(&at(|header| header.extra));
    let (mut pieces, mut fields) = (Vec::new(), Vec::new());
    for (number, work) in works.iter_mut().enumerate() {
        (work.buckets, work.old, work.extra) =
            (copied(&buckets, number), copied(&old, number), copied(&extra, number));
        let Some(buckets) = work.buckets else { continue };
        let mut want = |field, at, len| {
            pieces.push(Piece { at, len });
            fields.push((number, field));
        };
        if buckets.typing == Typing::FirstWord {
            want(Field::Word, buckets.base.0, 8);
        }
        if work.header.shift == 0 {
            want(Field::Top, buckets.data(), 8);
        }
        if let Some(extra) = work.extra {
            want(Field::Extra, extra.base.0, EXTRA as u32);
        }
    }
    reader.gather.pieces(&pieces, &mut |piece, bytes| {
        let Some((number, field)) = fields.get(piece).copied() else { return };
        let Some((work, words)) = works.get_mut(number).zip(bytes.map(Words)) else { return };
        match field {
            Field::Word => work.word = words.u64(0),
            Field::Top => work.top = words.u64(0),
            Field::Extra => work.extras = [0, 8, 16].map(|at| words.u64(at).unwrap_or(0)),
        }
    });
}

/// What is read for a map.
#[derive(Clone, Copy)]
enum Field {
    Word,
    Top,
    Extra,
}

fn copied(objects: &[Option<Object>], number: usize) -> Option<Object> {
    objects.get(number).copied().flatten()
}

/// Whether what a header leads to is what a map has; finds its type.
fn is_map(work: &mut Work, reader: &mut Reader<'_>) -> bool {
    let (header, shift) = (work.header, u32::from(work.header.shift));
    let Some(buckets) = work.buckets else { return false };
    work.guess = reader.guess(&buckets, work.word, shift.into());
    // A type that was made while the program ran is not known, and then there is too little to go by.
    if !reader.types.is_possible(work.guess) {
        return false;
    }
    let known = reader.types.common_table(work.guess);
    work.bucket_size = known.map(|known| known.bucket_size);
    let has_array = |known: Option<&Known>, object: &Object, shift| {
        let size = known.and_then(|known| reader.types.costs().bucket_array(known, shift));
        size.is_none_or(|size| size == object.size)
    };
    let old_fits = header.old == 0
        || work.old.zip(header.old_shift()).is_some_and(|(old, shift)| has_array(known, &old, shift));
    let extra_fits = header.extra == 0 || work.extra.is_some_and(|extra| extra.size == EXTRA);
    has_array(known, &buckets, shift) && old_fits && extra_fits && is_counted(work)
}

/// A single bucket without overflow shows how many of its slots are full.
fn is_counted(work: &Work) -> bool {
    if work.header.shift > 0 || work.header.overflow > 0 {
        return true;
    }
    let Some(top) = work.top else { return false };
    let full = top.to_le_bytes().iter().filter(|byte| **byte >= FULL).count() as u64;
    full == work.header.count
}

fn seen(work: &Work, overflow: &Overflow, reader: &Reader<'_>) -> Seen {
    let (header, types) = (&work.header, &*reader.types);
    let common = types.common(work.guess);
    let size = |object: Option<Object>| object.map_or(0, |object| object.size);
    let behind = common.map_or(0, |known| known.behind).saturating_mul(header.count);
    let old_bytes = size(work.old).saturating_add(overflow.old_bytes);
    let parts = [
        types.costs().header_object(),
        size(work.buckets),
        old_bytes,
        size(work.extra),
        overflow.bytes,
        behind,
    ];
    let total = parts.into_iter().fold(0, u64::saturating_add);
    let evacuation = header.old_shift().filter(|_| header.old != 0);
    let shape = Shape {
        live: header.count,
        capacity: if work.buckets.is_some() { SLOTS << header.shift } else { 0 },
        tombstones: None,
        overflow: overflow.buckets,
        table: Some(Address(header.buckets)).filter(|_| header.buckets != 0),
        old_table: Some(Address(header.old)).filter(|_| header.old != 0),
        allocated: Bytes(total),
        old_bytes: Bytes(old_bytes),
        needed: types.needed(work.guess, header.count),
        sizes: types.sizes_id(work.guess),
        evacuation: evacuation.map(|shift| Progress { moved: header.moved, total: 1 << shift }),
        next: work.buckets.and_then(|_| {
            let counts = (header.count, header.overflow.into());
            types.next(work.guess, |costs, known| costs.next_classic(known, header.shift.into(), counts))
        }),
        ..Shape::default()
    };
    Seen {
        at: Address(header.at),
        seed: header.seed.into(),
        shape,
        guess: work.guess,
        has_tables: false,
        is_estimate: overflow.is_estimate,
    }
}
