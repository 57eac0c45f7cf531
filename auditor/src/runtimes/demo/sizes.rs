//! What demo maps of other sizes would take (docs/demo-map.md): one array of buckets, twice as large at each
//! growth. There is one kind of them.

use super::layout::{BUCKET, HEADER, LOG2_MOST, SLOTS, area, array_bytes, most_live, spare};
use crate::audit::fact::{Sizes, SizesId, Step};
use crate::audit::unit::Bytes;

/// The number of the one kind.
pub(super) const ID: SizesId = SizesId(0);
/// Bytes of a key with its value.
const SLOT: u64 = 8 + 8;

/// All sizes.
pub(super) fn sizes() -> Sizes {
    Sizes {
        id: ID,
        header: Bytes(HEADER as u64),
        slot: Some(Bytes(SLOT)),
        behind: Bytes(0),
        overflow: Some(Bytes(BUCKET)),
        listed: Bytes(0),
        steps: (0..=LOG2_MOST).map(step).collect(),
    }
}

/// An array of 2^`log2` buckets; `log2` is at most [`LOG2_MOST`].
fn step(log2: u32) -> Step {
    Step {
        live: most_live(log2),
        slots: SLOTS << log2,
        tables: 1,
        bytes: Bytes(array_bytes(log2)),
        spare: spare(log2),
        together: area(log2),
        beside: Some(Bytes(log2.checked_sub(1).map_or(0, array_bytes))),
    }
}

/// Bytes that `live` entries would need in a map just rebuilt with that many: the fewest buckets at a load factor
/// of 6.5, the overflow areas that chance gives them, no old table.
pub(super) fn needed(live: u64) -> Option<Bytes> {
    let header = Bytes(HEADER as u64);
    if live == 0 {
        return Some(header);
    }
    let step = step((0..=LOG2_MOST).find(|log2| live <= most_live(*log2))?);
    Some(header + step.bytes + step.chained(live, (Bytes(BUCKET), Bytes(0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_table_is_an_array_of_buckets_of_144_bytes_with_its_spare_ones() {
        let sizes = sizes();
        let step = |live, slots: u64, buckets: u64, old: u64| Step {
            live,
            slots,
            tables: 1,
            bytes: Bytes(buckets * 144),
            spare: buckets - slots / 8,
            together: (buckets - slots / 8).max(8),
            beside: Some(Bytes(old * 144)),
        };
        let first = [step(8, 8, 1, 0), step(13, 16, 2, 1), step(26, 32, 4, 2), step(52, 64, 8, 4)];
        assert_eq!(sizes.steps[..4], first);
        assert_eq!(sizes.steps[4], step(104, 128, 16 + 1, 8));
        assert_eq!(sizes.steps[17], step(851_968, 1 << 20, (1 << 17) + (1 << 13), (1 << 16) + (1 << 12)));
    }

    #[test]
    fn what_is_needed_follows_the_load_factor_with_spare_buckets_and_the_areas_of_chance() {
        let table = |live| needed(live).unwrap().0 - 128;
        assert_eq!((table(1), table(8)), (144, 144));
        assert_eq!((table(9), table(13), table(14)), (288, 288, 4 * 144));
        // Eight buckets and no spare one; with all 52 entries one of them is followed by an area of 8.
        assert_eq!((table(40), table(52), table(53)), (8 * 144, 16 * 144, 17 * 144));
        assert_eq!((table(60), table(104), table(105)), (17 * 144, (17 + 8) * 144, 34 * 144));
        // Of 8192 buckets with 6.4 entries 1559 have one behind them: 512 are spare, the others come by 512.
        assert_eq!(table(52_400), (8192 + 512 + 3 * 512) * 144);
        assert_eq!(needed(u64::MAX), None);
    }

    proptest! {
        #[test]
        fn the_step_for_so_many_entries_is_what_a_map_of_them_needs(live in 1_u64..1 << 42) {
            let sizes = sizes();
            let step = sizes.steps.iter().find(|step| step.live >= live);
            let overflow = |step: &Step| step.chained(live, (Bytes(144), Bytes(0)));
            let bytes = step.map(|step| sizes.header + step.bytes + overflow(step));
            prop_assert_eq!(bytes, needed(live));
        }
    }
}
