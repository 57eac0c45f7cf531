//! Overflow buckets with pointers, by walking: the last word of each bucket is the next one of its chain.

use super::super::gather::{BLOCK, Piece};
use super::super::heap::Object;
use super::super::reader::Reader;
use super::Work;
use super::lists::holds;
use super::overflow::Overflow;
use crate::target::go::words::Words;

/// Longest chain that is followed.
const LENGTH: usize = 1 << 10;
/// Most overflow buckets of a map.
const MOST: u64 = 1 << 24;
/// Chains that are followed at once.
const WAVE: usize = 1 << 16;
/// Bytes of the pointer to the next bucket.
const POINTER: u64 = 8;

/// Walks all chains of a map.
pub(super) fn count(work: &Work, bucket_size: u64, reader: &mut Reader<'_>) -> Overflow {
    let header = &work.header;
    let mut counted = Overflow { buckets: Some(0), ..Overflow::default() };
    let arrays = [(false, work.buckets, Some(u32::from(header.shift))), (true, work.old, header.old_shift())];
    for (is_old, array, shift) in arrays {
        let Some((array, shift)) = array.zip(shift) else { continue };
        let Some((buckets, bytes)) = walk(&array, 1 << shift, bucket_size, reader) else {
            return Overflow { buckets: None, is_estimate: true, ..counted };
        };
        counted.buckets = counted.buckets.map(|known| known + buckets);
        *(if is_old { &mut counted.old_bytes } else { &mut counted.bytes }) = bytes;
    }
    counted
}

/// The overflow buckets of an array and what those beside it take; `None`: there are too many.
fn walk(array: &Object, count: u64, bucket_size: u64, reader: &mut Reader<'_>) -> Option<(u64, u64)> {
    let (mut buckets, mut bytes) = (0_u64, 0_u64);
    let last = bucket_size.checked_sub(POINTER)?;
    let count = count.min(array.room() / bucket_size);
    let at_once = (BLOCK as u64 / bucket_size).max(1);
    for first in (0..count).step_by(usize::try_from(at_once).ok()?) {
        let (at, many) = (array.data() + first * bucket_size, (count - first).min(at_once));
        let mut next = first_links(at, many, bucket_size, reader);
        for _ in 0..LENGTH {
            if next.is_empty() {
                break;
            }
            buckets += next.len() as u64;
            if buckets > MOST {
                return None;
            }
            for (at, object) in next.iter().zip(reader.objects(&next)) {
                let beside = object.filter(|_| !holds(array, *at));
                let size = reader.bucket_object(Some(bucket_size), false);
                bytes = bytes.saturating_add(beside.map_or(0, |object| size.unwrap_or(object.size)));
            }
            next = links(&next, last, reader);
        }
    }
    Some((buckets, bytes))
}

/// The buckets behind those that lie in a row.
fn first_links(at: u64, count: u64, bucket_size: u64, reader: &mut Reader<'_>) -> Vec<u64> {
    let mut next = Vec::new();
    let len = u32::try_from(count * bucket_size).unwrap_or(u32::MAX);
    reader.gather.pieces(&[Piece { at, len }], &mut |_, bytes| {
        let buckets = bytes.unwrap_or_default().chunks_exact(bucket_size as usize);
        let link = |bucket: &[u8]| Words(bucket).u64(bucket.len().checked_sub(POINTER as usize)?);
        next.extend(buckets.filter_map(link).filter(|next| *next != 0));
    });
    next
}

/// The buckets behind others.
fn links(buckets: &[u64], last: u64, reader: &mut Reader<'_>) -> Vec<u64> {
    let mut next = Vec::new();
    for wave in buckets.chunks(WAVE) {
        let piece = |at: &u64| Piece { at: at.saturating_add(last), len: POINTER as u32 };
        let pieces: Vec<Piece> = wave.iter().map(piece).collect();
        reader.gather.pieces(&pieces, &mut |_, bytes| {
            let link = bytes.and_then(|bytes| Words(bytes).u64(0));
            next.extend(link.filter(|next| *next != 0));
        });
    }
    next
}
