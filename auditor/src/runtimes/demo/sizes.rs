//! What demo maps of other sizes would take (docs/demo-map.md): one array of buckets, twice as large at each
//! growth. There is one kind of them.

use super::layout::{BUCKET, HEADER, LOG2_MOST, SLOTS, array_bytes, most_live, spare};
use crate::audit::fact::{Sizes, SizesId, Step};
use crate::audit::unit::Bytes;

/// The number of the one kind.
pub(super) const ID: SizesId = SizesId(0);
/// Bytes of a key with its value.
const SLOT: u64 = 8 + 8;

/// All sizes, without overflow areas.
pub(super) fn sizes() -> Sizes {
    let old = |log2: u32| log2.checked_sub(1).map_or(0, array_bytes);
    let step = |log2| Step {
        live: most_live(log2),
        slots: SLOTS << log2,
        tables: 1,
        bytes: Bytes(array_bytes(log2)),
        spare: spare(log2),
        beside: Some(Bytes(old(log2))),
    };
    Sizes {
        id: ID,
        header: Bytes(HEADER as u64),
        slot: Some(Bytes(SLOT)),
        behind: Bytes(0),
        overflow: Some(Bytes(BUCKET)),
        steps: (0..=LOG2_MOST).map(step).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::needed;
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
            beside: Some(Bytes(old * 144)),
        };
        let first = [step(8, 8, 1, 0), step(13, 16, 2, 1), step(26, 32, 4, 2), step(52, 64, 8, 4)];
        assert_eq!(sizes.steps[..4], first);
        assert_eq!(sizes.steps[4], step(104, 128, 16 + 1, 8));
        assert_eq!(sizes.steps[17], step(851_968, 1 << 20, (1 << 17) + (1 << 13), (1 << 16) + (1 << 12)));
    }

    proptest! {
        #[test]
        fn the_step_for_so_many_entries_is_what_a_map_of_them_needs(live in 1_u64..1 << 42) {
            let sizes = sizes();
            let step = sizes.steps.iter().find(|step| step.live >= live);
            let bytes = step.map(|step| Bytes(sizes.header.0 + step.bytes.0));
            prop_assert_eq!(bytes, needed(live));
        }
    }
}
