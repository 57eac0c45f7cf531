//! Overflow buckets without pointers, as the map lists them: `extra.overflow` and `extra.oldoverflow` each
//! point to a slice of pointers to buckets.

use super::super::cost::EXTRA;
use super::super::gather::Piece;
use super::super::heap::Object;
use super::super::reader::Reader;
use super::Work;
use super::overflow::Overflow;
use crate::target::go::words::Words;

/// Entries that are read at once, and in one piece.
const BATCH: u64 = 1 << 16;
const PIECE: u64 = 1 << 12;
/// Most entries of all lists of one call.
const MOST: u64 = 1 << 26;

/// A list.
#[derive(Clone, Copy)]
struct List {
    /// Whose.
    work: usize,
    is_old: bool,
    /// Where the slice is.
    at: u64,
}

/// Adds what the lists say.
pub(super) fn count(works: &[Work], reader: &mut Reader<'_>, overflows: &mut [Overflow]) {
    let lists: Vec<List> = works.iter().enumerate().flat_map(|(number, work)| lists(number, work)).collect();
    let slices: Vec<Piece> = lists.iter().map(|list| Piece { at: list.at, len: EXTRA as u32 }).collect();
    let mut arrays = vec![(0, 0); lists.len()];
    reader.gather.pieces(&slices, &mut |number, bytes| {
        let words = Words(bytes.unwrap_or_default());
        let slice = words.u64(0).zip(words.u64(8));
        arrays.get_mut(number).into_iter().for_each(|into| *into = slice.unwrap_or_default());
    });
    let holders = reader.objects_with_data_at(&lists.iter().map(|list| list.at).collect::<Vec<_>>());
    let places: Vec<u64> = arrays.iter().map(|(at, _)| *at).collect();
    let objects = reader.objects_with_data_at(&places);
    let (mut parts, mut pieces, mut entries, mut total) = (Vec::new(), Vec::new(), 0, 0);
    for (((list, (at, len)), holder), array) in lists.iter().zip(arrays).zip(holders).zip(objects) {
        let Some(overflow) = overflows.get_mut(list.work) else { continue };
        let sizes = [holder, array].map(|object| object.map_or(0, |object| object.size));
        add(overflow, list.is_old, 0, sizes[0].saturating_add(sizes[1]));
        let len = len.min(array.map_or(0, |array| array.room() / 8));
        total += len;
        if total > MOST {
            overflow.is_estimate = true;
            continue;
        }
        for first in (0..len).step_by(PIECE as usize) {
            let count = (len - first).min(PIECE);
            parts.push(*list);
            pieces.push(Piece { at: at.saturating_add(8 * first), len: (8 * count) as u32 });
            entries += count;
            if entries >= BATCH {
                read(&parts, &pieces, works, reader, overflows);
                parts.clear();
                pieces.clear();
                entries = 0;
            }
        }
    }
    read(&parts, &pieces, works, reader, overflows);
}

fn lists(number: usize, work: &Work) -> impl Iterator<Item = List> {
    let is_listed = work.extra.is_some() && work.buckets.is_some_and(|buckets| buckets.is_pointer_free);
    let lists = [(false, work.extras[0]), (true, work.extras[1])];
    let list = move |(is_old, at)| List { work: number, is_old, at };
    lists.into_iter().filter(move |(_, at)| is_listed && *at != 0).map(list)
}

fn read(
    lists: &[List],
    pieces: &[Piece],
    works: &[Work],
    reader: &mut Reader<'_>,
    overflows: &mut [Overflow],
) {
    let (mut owners, mut buckets) = (Vec::new(), Vec::new());
    reader.gather.pieces(pieces, &mut |number, bytes| {
        let Some(list) = lists.get(number) else { return };
        for word in bytes.unwrap_or_default().as_chunks().0 {
            owners.push(*list);
            buckets.push(u64::from_le_bytes(*word));
        }
    });
    let objects = reader.objects(&buckets);
    for ((list, at), object) in owners.iter().zip(buckets).zip(objects) {
        let Some((overflow, work)) = overflows.get_mut(list.work).zip(works.get(list.work)) else { continue };
        let array = if list.is_old { work.old } else { work.buckets };
        let beside = object.filter(|_| !array.is_some_and(|array| holds(&array, at)));
        let size = reader.bucket_object(work.bucket_size, true);
        add(overflow, list.is_old, 1, beside.map_or(0, |object| size.unwrap_or(object.size)));
    }
}

/// Whether an address lies in an object.
pub(super) fn holds(object: &Object, at: u64) -> bool {
    at.checked_sub(object.base.0).is_some_and(|within| within < object.size)
}

fn add(overflow: &mut Overflow, is_old: bool, buckets: u64, bytes: u64) {
    overflow.buckets = overflow.buckets.map(|known| known.saturating_add(buckets));
    let into = if is_old { &mut overflow.old_bytes } else { &mut overflow.bytes };
    *into = into.saturating_add(bytes);
}
