//! How many overflow buckets a classic map has, and what they take.
//!
//! Buckets without pointers are listed by the map itself, since nothing else keeps them from the collector.
//! Others are counted by the map (`noverflow`), exactly up to 2^15 buckets; beyond it, and while it grows,
//! they are counted by walking the chains, as long as that reads no more than was allowed.

use super::super::reader::Reader;
use super::{Work, chains, lists};

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Overflow {
    /// Overflow buckets in use, those of the old array included; `None`: not known.
    pub(super) buckets: Option<u64>,
    /// What they take beside the arrays, with the lists of them.
    pub(super) bytes: u64,
    /// The same of the old array.
    pub(super) old_bytes: u64,
    /// Whether the bytes are what the map believes.
    pub(super) is_estimate: bool,
}

/// From 2^16 buckets on, the map counts one overflow bucket in 2^(B-15) (`incrnoverflow`).
const COUNTED_BELOW: u8 = 16;

/// Counts those of all maps.
pub(super) fn count(works: &[Work], reader: &mut Reader<'_>) -> Vec<Overflow> {
    let mut overflows = vec![Overflow { buckets: Some(0), ..Overflow::default() }; works.len()];
    lists::count(works, reader, &mut overflows);
    for (work, overflow) in works.iter().zip(&mut overflows) {
        let Some(buckets) = work.buckets.filter(|buckets| !buckets.is_pointer_free) else { continue };
        let header = &work.header;
        let is_exact = header.shift < COUNTED_BELOW && header.old == 0;
        if header.overflow == 0 && is_exact {
            continue;
        }
        let old = work.old.map_or(0, |old| old.size);
        let bytes = buckets.size.saturating_add(old);
        let remembered = reader.walks.get(header).filter(|_| !is_exact);
        *overflow = match work.bucket_size {
            Some(_) if remembered.is_some() => remembered.unwrap_or_default(),
            Some(size) if !is_exact && bytes <= reader.walk => {
                reader.walk -= bytes;
                let walked = chains::count(work, size, reader);
                reader.walks.put(header, walked);
                walked
            }
            Some(size) => by_counter(work, size, is_exact, reader),
            None => Overflow { is_estimate: true, ..Overflow::default() },
        };
    }
    overflows
}

/// As the map counts them itself.
fn by_counter(work: &Work, bucket_size: u64, is_exact: bool, reader: &Reader<'_>) -> Overflow {
    let header = &work.header;
    let every = u32::from(header.shift.saturating_sub(COUNTED_BELOW - 1));
    let buckets = u64::from(header.overflow) << every.min(32);
    let beside = buckets.saturating_sub(spare_used(work, bucket_size, reader));
    let object = reader.types.costs().sizes.object(bucket_size, false).unwrap_or(bucket_size);
    Overflow {
        buckets: Some(buckets).filter(|_| is_exact),
        bytes: beside.saturating_mul(object),
        old_bytes: 0,
        is_estimate: !is_exact,
    }
}

/// How many of the spare buckets behind an array are used.
fn spare_used(work: &Work, bucket_size: u64, reader: &Reader<'_>) -> u64 {
    let header = &work.header;
    let (base, next) = (1 << header.shift, work.extras[2]);
    if work.extra.is_none() {
        return 0;
    }
    let common = reader.types.common_table(work.guess);
    let all =
        common.and_then(|known| reader.types.costs().buckets(known, header.shift.into())).unwrap_or(base);
    let spare = all.saturating_sub(base);
    if next == 0 {
        return spare;
    }
    let before = next.saturating_sub(header.buckets).checked_div(bucket_size).unwrap_or(0);
    before.saturating_sub(base).min(spare)
}
