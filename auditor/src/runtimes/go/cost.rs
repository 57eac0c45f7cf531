//! What maps take by what they are made of: tables, and what a map would take had it just been rebuilt.

use super::Kind;
use super::hooks::LoadFactor;
use super::sizes::Sizes;
use super::types::Known;
use crate::audit::fact::{self, Next, SizesId, Step};
use crate::audit::unit::Bytes;
use crate::target::go::Release;

/// Slots of a bucket or group.
pub const SLOTS: u64 = 8;
/// Slots of a Swiss table that splits instead of doubling (`maxTableCapacity`,
/// src/internal/runtime/maps/table.go).
pub const FULL_TABLE: u64 = 1024;
/// Bytes of `table` (src/internal/runtime/maps/table.go).
pub const TABLE: u64 = 32;
/// Bytes of `mapextra`, and of a slice (src/runtime/map.go).
pub const EXTRA: u64 = 24;
/// Arrays of 2^4 buckets and more come with spare ones for overflow (`makeBucketArray`).
const SPARE_FROM: u32 = 4;
/// Largest array that is believed, as a power of two.
pub const LARGEST_SHIFT: u32 = 40;
/// Most tables of a directory that are believed, as a power of two.
const LARGEST_DEPTH: u32 = 27;

/// How a release makes its maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Which maps.
    pub kind: Kind,
    /// How memory is handed out.
    pub sizes: Sizes,
    /// When a classic map doubles.
    pub load: LoadFactor,
    /// Bytes of a map's header: `hmap` or `Map`.
    pub header: u64,
}

impl Costs {
    /// Those of a release.
    #[must_use]
    pub fn of(release: Release, kind: Kind) -> Self {
        let is_between = |from, to| (from..=to).contains(&release.minor);
        // `clearSeq` made `hmap` longer in 1.24 and 1.25 (src/runtime/map_noswiss.go).
        let header = if kind == Kind::Bucket && release.minor >= 24 { 56 } else { 48 };
        Self {
            kind,
            sizes: Sizes { has_headers: release.minor >= 22 },
            load: LoadFactor(if is_between(20, 21) { 12 } else { 13 }),
            header,
        }
    }

    /// Bytes of the object that a header is.
    #[must_use]
    pub fn header_object(&self) -> u64 {
        self.sizes.object(self.header, false).unwrap_or(self.header)
    }

    /// Buckets of an array of 2^`shift` with its spare ones (`makeBucketArray`, src/runtime/map.go).
    #[must_use]
    pub fn buckets(&self, known: &Known, shift: u32) -> Option<u64> {
        let base = 1_u64.checked_shl(shift).filter(|_| shift <= LARGEST_SHIFT)?;
        let Some(spare) = shift.checked_sub(SPARE_FROM) else { return Some(base) };
        let bytes = known.bucket_size.checked_mul(base + (1 << spare))?;
        self.sizes.usable(bytes, known.is_pointer_free)?.checked_div(known.bucket_size)
    }

    /// Bytes of the object that holds such an array.
    #[must_use]
    pub fn bucket_array(&self, known: &Known, shift: u32) -> Option<u64> {
        let bytes = self.buckets(known, shift)?.checked_mul(known.bucket_size)?;
        self.sizes.object(bytes, known.is_pointer_free)
    }

    /// Bytes of the object that holds so many groups.
    #[must_use]
    pub fn groups(&self, known: &Known, groups: u64) -> Option<u64> {
        self.sizes.object(groups.checked_mul(known.bucket_size)?, known.is_pointer_free)
    }

    /// Bytes of a table of so many buckets (2^n) or groups.
    #[must_use]
    pub fn table(&self, known: &Known, count: u64) -> Option<Bytes> {
        let bytes = match self.kind {
            Kind::Bucket if count.is_power_of_two() => self.bucket_array(known, count.trailing_zeros())?,
            Kind::Bucket => return None,
            Kind::Swiss => self.groups(known, count)?.checked_add(TABLE)?,
        };
        Some(Bytes(bytes))
    }

    /// Bytes of a map that is made for so many entries and holds them, with the overflow buckets of a classic one
    /// that chance gives it. `None`: more than there can be.
    #[must_use]
    pub fn needed(&self, known: &Known, live: u64) -> Option<Bytes> {
        let tables = match self.kind {
            _ if live == 0 => 0,
            Kind::Bucket => self.classic(known, live)?,
            Kind::Swiss => self.swiss(known, live)?,
        };
        let behind = live.checked_mul(known.behind)?;
        Some(Bytes(self.header_object().checked_add(tables)?.checked_add(behind)?))
    }

    /// How maps of a type are sized: all the tables one can have, up to those that are believed.
    #[must_use]
    pub fn all_sizes(&self, known: &Known, id: SizesId) -> fact::Sizes {
        // Tophash and, of a bucket, the place of the next one.
        let beside_slots = if self.kind == Kind::Bucket { 16 } else { 8 };
        let steps: Vec<Step> = match self.kind {
            Kind::Bucket => (0..=LARGEST_SHIFT).map_while(|shift| self.classic_step(known, shift)).collect(),
            Kind::Swiss => self.swiss_steps(known),
        };
        fact::Sizes {
            id,
            header: Bytes(self.header_object()),
            slot: known.bucket_size.checked_sub(beside_slots).map(|bytes| Bytes(bytes / SLOTS)),
            behind: Bytes(known.behind),
            overflow: self.overflow_bucket(known).map(Bytes),
            listed: self.listed(known),
            steps,
        }
    }

    /// Beyond the spare ones they are made one by one (`newoverflow`, src/runtime/map.go).
    fn overflow_bucket(&self, known: &Known) -> Option<u64> {
        let is_chained = self.kind == Kind::Bucket;
        self.sizes.object(known.bucket_size, known.is_pointer_free).filter(|_| is_chained)
    }

    /// What an overflow bucket takes in the list of them that keeps those without pointers: a pointer, and the
    /// eighth that is left free on average in a list that grows by a quarter (`createOverflow`, src/runtime/map.go).
    fn listed(&self, known: &Known) -> Bytes {
        Bytes(if self.kind == Kind::Bucket && known.is_pointer_free { 9 } else { 0 })
    }

    fn classic_step(&self, known: &Known, shift: u32) -> Option<Step> {
        let old = shift.checked_sub(1).map_or(Some(0), |shift| self.bucket_array(known, shift))?;
        let extra = if shift >= SPARE_FROM { EXTRA } else { 0 };
        Some(Step {
            live: self.load.most(shift)?,
            slots: SLOTS << shift,
            tables: 1,
            bytes: Bytes(self.bucket_array(known, shift)?.checked_add(extra)?),
            spare: self.buckets(known, shift)?.checked_sub(1 << shift)?,
            together: 1,
            beside: Some(Bytes(old)),
        })
    }

    /// A group, then one table that doubles until it is full, then twice as many at each step. A map that is
    /// made for a few entries more than fill 2^n full tables gets 2^(n + 1) half ones (`NewMap`).
    fn swiss_steps(&self, known: &Known) -> Vec<Step> {
        let group = self.groups(known, 1);
        let first = group.map(|bytes| Step {
            live: SLOTS,
            slots: SLOTS,
            tables: 1,
            bytes: Bytes(bytes),
            spare: 0,
            together: 1,
            beside: Some(Bytes(0)),
        });
        let of_one = (1..=FULL_TABLE.ilog2() - SLOTS.ilog2()).map(|shift| {
            let old = if shift == 1 { group } else { self.swiss_table(known, SLOTS << (shift - 1)) };
            self.swiss_step(known, (1, SLOTS << shift), old)
        });
        let of_many = (1..=LARGEST_DEPTH).flat_map(|depth| {
            let full = self.swiss_table(known, FULL_TABLE);
            let made = self.swiss_step(known, (1 << depth, FULL_TABLE / 2), None);
            // Slots that are asked for are told by halves: so many more make no difference.
            let made = made.map(|step| Step {
                live: (7 * (step.slots + step.tables) - 1) / 8,
                beside: None,
                ..step
            });
            [made, self.swiss_step(known, (1 << depth, FULL_TABLE), full)]
        });
        [first].into_iter().chain(of_one).chain(of_many).map_while(|step| step).collect()
    }

    /// So many tables of so many slots. `old`: what is still held of those before while the last one grows.
    fn swiss_step(&self, known: &Known, (tables, slots): (u64, u64), old: Option<u64>) -> Option<Step> {
        let directory = self.sizes.object(tables.checked_mul(8)?, false)?;
        let bytes = tables.checked_mul(self.swiss_table(known, slots)?)?.checked_add(directory)?;
        let all = tables.checked_mul(slots)?;
        Some(Step {
            live: all / 8 * 7,
            slots: all,
            tables,
            bytes: Bytes(bytes),
            spare: 0,
            together: 1,
            beside: old.map(Bytes),
        })
    }

    fn swiss_table(&self, known: &Known, slots: u64) -> Option<u64> {
        self.groups(known, slots / SLOTS)?.checked_add(TABLE)
    }

    /// The growth that follows on 2^`shift` buckets, of a map with so many live entries and so many overflow
    /// buckets by its own count (`mapassign`, `overLoadFactor`, `tooManyOverflowBuckets`, src/runtime/map.go).
    #[must_use]
    pub fn next_classic(&self, known: &Known, shift: u32, (live, overflow): (u64, u64)) -> Option<Next> {
        let most = self.load.most(shift)?;
        let is_chained = overflow >= 1 << shift.min(15);
        let (at_live, shift) = match is_chained && live < most {
            true => (live, shift),
            false => (most.max(live), shift + 1),
        };
        Some(Next { at_live, tables: Bytes(self.bucket_array(known, shift)?), slots: SLOTS << shift })
    }

    /// The growth that follows on the tables of a map: a lone group becomes a table of two, a lone table
    /// doubles until it is full, and full ones split in two (`growToTable`, src/internal/runtime/maps/map.go;
    /// `rehash`, table.go). Of several that is not one moment, as each splits when it is full itself, and some
    /// are before others: they are taken to be on the way from 2^n to 2^(n + 1), whichever n is nearest, and
    /// the moment is that in which 2^n would all be full. `most`: entries that fit before all are.
    #[must_use]
    pub fn next_swiss(&self, known: &Known, tables: u64, (capacity, most): (u64, u64)) -> Option<Next> {
        if capacity < FULL_TABLE {
            let slots = capacity.checked_mul(2)?;
            return Some(Next { at_live: most, tables: self.table(known, slots / SLOTS)?, slots });
        }
        let before = nearest_power(tables)?;
        let after = before.checked_mul(2)?;
        let new = after.checked_sub(tables)?.checked_mul(2)?;
        let at_live = u128::from(most) * u128::from(before) / u128::from(tables);
        Some(Next {
            at_live: u64::try_from(at_live).ok()?,
            tables: Bytes(self.table(known, FULL_TABLE / SLOTS)?.0.checked_mul(new)?),
            slots: after.checked_mul(FULL_TABLE)?,
        })
    }

    /// `makemap` (src/runtime/map.go).
    fn classic(&self, known: &Known, live: u64) -> Option<u64> {
        let shift = (0..=LARGEST_SHIFT).find(|shift| !self.load.is_exceeded_by(live, 1 << shift))?;
        let step = self.classic_step(known, shift)?;
        let bucket = Bytes(self.overflow_bucket(known)?);
        step.bytes.0.checked_add(step.chained(live, (bucket, self.listed(known))).0)
    }

    /// `NewMap` (src/internal/runtime/maps/map.go): tables that are full to 7/8 on average, as many as a
    /// power of two, all of one size that is a power of two.
    fn swiss(&self, known: &Known, live: u64) -> Option<u64> {
        if live <= SLOTS {
            return self.groups(known, 1);
        }
        let slots = live.checked_mul(8)? / 7;
        let tables = slots.div_ceil(FULL_TABLE).checked_next_power_of_two()?;
        let capacity = (slots / tables).max(SLOTS).checked_next_power_of_two()?;
        let table = self.groups(known, capacity / SLOTS)?.checked_add(TABLE)?;
        let directory = self.sizes.object(tables.checked_mul(8)?, false)?;
        tables.checked_mul(table)?.checked_add(directory)
    }
}

/// The power of two that a number is nearest to, by their ratio; `None`: there is none.
fn nearest_power(number: u64) -> Option<u64> {
    let below = 1_u64.checked_shl(number.checked_ilog2()?)?;
    // More than the square root of two times the one below.
    let is_past = u128::from(number).pow(2) > 2 * u128::from(below).pow(2);
    if is_past { below.checked_mul(2) } else { Some(below) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn costs(minor: u32, kind: Kind) -> Costs {
        Costs::of(Release { major: 1, minor }, kind)
    }

    /// `map[int]int`.
    fn ints(kind: Kind) -> Known {
        let bucket_size = match kind {
            Kind::Bucket => 8 + 64 + 64 + 8,
            Kind::Swiss => 8 + 128,
        };
        Known { bucket_size, is_pointer_free: true, ..Known::default() }
    }

    #[test]
    fn a_swiss_table_of_numbers_takes_what_the_runtime_allocates() {
        let costs = costs(27, Kind::Swiss);
        assert_eq!(costs.table(&ints(Kind::Swiss), 128), Some(Bytes(18_432 + 32)));
        let pointers = Known { bucket_size: 8 + 24 * 8, ..Known::default() };
        assert_eq!(costs.table(&pointers, 8), Some(Bytes(1792 + 32)), "1600 and a header");
    }

    #[test]
    fn a_classic_array_uses_the_rest_of_its_object_for_spare_buckets() {
        let costs = costs(23, Kind::Bucket);
        let known = ints(Kind::Bucket);
        assert_eq!((costs.buckets(&known, 3), costs.bucket_array(&known, 3)), (Some(8), Some(1152)));
        // 17 buckets of 144 bytes are 2448, for which there are 2688: room for 18.
        assert_eq!((costs.buckets(&known, 4), costs.bucket_array(&known, 4)), (Some(18), Some(2688)));
        assert_eq!(costs.table(&known, 1 << 17), Some(Bytes(20_054_016)));
        assert_eq!((costs.table(&known, 3), costs.table(&known, 1 << 50)), (None, None));
    }

    #[test]
    fn a_map_of_few_entries_needs_a_bucket_and_an_empty_one_its_header() {
        for (minor, kind, header, bucket) in
            [(19, Kind::Bucket, 48, 144), (24, Kind::Bucket, 64, 144), (24, Kind::Swiss, 48, 144)]
        {
            let (costs, known) = (costs(minor, kind), ints(kind));
            assert_eq!(costs.needed(&known, 0), Some(Bytes(header)), "{minor}");
            assert_eq!(costs.needed(&known, 8), Some(Bytes(header + bucket)), "{minor}");
        }
    }

    #[test]
    fn the_load_factor_of_1_21_is_smaller() {
        let known = ints(Kind::Bucket);
        let array = |minor| costs(minor, Kind::Bucket).needed(&known, 100_000);
        assert!(array(21).unwrap().0 > array(19).unwrap().0 * 3 / 2);
        assert_eq!(array(19), array(23));
    }

    #[test]
    fn a_classic_map_doubles_past_its_load_or_is_rebuilt_when_overflow_is_too_much() {
        let (known, costs) = (ints(Kind::Bucket), costs(23, Kind::Bucket));
        let next = |shift, counts| costs.next_classic(&known, shift, counts).unwrap();
        let array = |shift| Bytes(costs.bucket_array(&known, shift).unwrap());
        assert_eq!(next(0, (3, 0)), Next { at_live: 8, tables: array(1), slots: 16 });
        assert_eq!(next(10, (3, 0)), Next { at_live: 6656, tables: array(11), slots: 1 << 14 });
        assert_eq!(
            next(10, (7000, 0)),
            Next { at_live: 7000, tables: array(11), slots: 1 << 14 },
            "it evacuates"
        );
        assert_eq!(next(10, (3, 1024)), Next { at_live: 3, tables: array(10), slots: 1 << 13 });
        assert_eq!(
            next(20, (3, 1 << 15)),
            Next { at_live: 3, tables: array(20), slots: 1 << 23 },
            "a count of 16 bits"
        );
        let older = Costs::of(Release { major: 1, minor: 21 }, Kind::Bucket);
        assert_eq!(older.next_classic(&known, 10, (3, 0)).unwrap().at_live, 6144);
        assert_eq!(costs.next_classic(&known, LARGEST_SHIFT, (3, 0)), None);
    }

    #[test]
    fn a_swiss_map_becomes_a_table_doubles_and_splits() {
        let (known, costs) = (ints(Kind::Swiss), costs(27, Kind::Swiss));
        let next = |tables, counts| costs.next_swiss(&known, tables, counts).unwrap();
        let of_groups = |groups| costs.table(&known, groups).unwrap();
        assert_eq!(next(0, (8, 8)), Next { at_live: 8, tables: of_groups(2), slots: 16 });
        assert_eq!(next(1, (16, 14)), Next { at_live: 14, tables: of_groups(4), slots: 32 });
        let splits = |count: u64| Bytes(count * 2 * of_groups(128).0);
        assert_eq!(next(1, (1024, 896)), Next { at_live: 896, tables: splits(1), slots: 2048 });
        assert_eq!(next(4, (4096, 3584)), Next { at_live: 3584, tables: splits(4), slots: 8192 });
        assert_eq!(next(5, (5120, 4480)), Next { at_live: 3584, tables: splits(3), slots: 8192 });
        assert_eq!(next(6, (6144, 5376)), Next { at_live: 7168, tables: splits(10), slots: 16_384 });
        assert_eq!(costs.next_swiss(&known, u64::MAX, (1 << 20, 5)), None);
        assert_eq!(costs.next_swiss(&known, 0, (1 << 20, 5)), None);
    }

    #[test]
    fn a_classic_map_has_an_array_at_each_size_and_the_one_before_while_it_grows() {
        let costs = costs(23, Kind::Bucket);
        let sizes = costs.all_sizes(&ints(Kind::Bucket), SizesId(3));
        assert_eq!((sizes.id, sizes.header, sizes.slot), (SizesId(3), Bytes(48), Some(Bytes(16))));
        assert_eq!(sizes.overflow, Some(Bytes(144)));
        let step = |live, slots, bytes, spare, old| Step {
            live,
            slots,
            tables: 1,
            bytes: Bytes(bytes),
            spare,
            together: 1,
            beside: Some(Bytes(old)),
        };
        // 8 buckets are 1152 bytes; 16 and a spare one 2448, for which there are 2688, and mapextra has 24.
        assert_eq!(sizes.steps[0], step(8, 8, 144, 0, 0));
        assert_eq!(sizes.steps[3], step(52, 64, 1152, 0, 576));
        assert_eq!(sizes.steps[4], step(104, 128, 2688 + 24, 2, 1152));
        // (2^17 + 2^13) buckets are 20,054,016 bytes, 2448 pages; the array before has half of them.
        assert_eq!(sizes.steps[17], step(851_968, 1 << 20, 20_054_016 + 24, 8192, 10_027_008));
        assert_eq!(sizes.steps.len(), 41);
    }

    #[test]
    fn a_swiss_map_has_one_table_up_to_1024_slots_and_then_many() {
        let costs = costs(27, Kind::Swiss);
        let sizes = costs.all_sizes(&ints(Kind::Swiss), SizesId(0));
        assert_eq!((sizes.header, sizes.slot), (Bytes(48), Some(Bytes(16))));
        let step = |(live, slots, tables), bytes, beside: Option<u64>| Step {
            live,
            slots,
            tables,
            bytes: Bytes(bytes),
            spare: 0,
            together: 1,
            beside: beside.map(Bytes),
        };
        // A group of 8 + 8 * 16 = 136 bytes takes 144, two take 288; a table 32, a directory 8 for each.
        assert_eq!(sizes.steps[0], step((8, 8, 1), 144, Some(0)));
        assert_eq!(sizes.steps[1], step((14, 16, 1), 288 + 32 + 8, Some(144)));
        assert_eq!(sizes.steps[2], step((28, 32, 1), 576 + 32 + 8, Some(288 + 32)));
        // 128 groups are 17,408 bytes, for which there are 18,432; 64 are 8704, for which there are 9472.
        assert_eq!(sizes.steps[7], step((896, 1024, 1), 18_432 + 32 + 8, Some(9472 + 32)));
        assert_eq!(sizes.steps[8], step((897, 1024, 2), 2 * (9472 + 32) + 16, None));
        assert_eq!(sizes.steps[9], step((1792, 2048, 2), 2 * (18_432 + 32) + 16, Some(18_432 + 32)));
        assert_eq!(sizes.steps.len(), 8 + 2 * 27);
    }

    proptest! {
        #[test]
        fn the_step_for_so_many_entries_is_what_a_map_of_them_needs(
            (live, near) in (1_u64..1 << 36, 0_u32..27), minor in 19_u32..28, behind in 0_u64..300,
        ) {
            let kind = if minor < 24 { Kind::Bucket } else { Kind::Swiss };
            let (costs, known) = (costs(minor, kind), Known { behind, ..ints(kind) });
            let sizes = costs.all_sizes(&known, SizesId(0));
            // Also around the numbers at which the steps end.
            for live in [live, (896 << near) + live % 64, (896_u64 << near) - live % 64] {
                let step = sizes.steps.iter().find(|step| step.live >= live);
                let overflow = |step: &Step| match sizes.overflow {
                    Some(bucket) => step.chained(live, (bucket, sizes.listed)).0,
                    None => 0,
                };
                let bytes = |step: &Step| sizes.header.0 + step.bytes.0 + overflow(step) + behind * live;
                let bytes = step.map(|step| Bytes(bytes(step)));
                prop_assert_eq!(bytes, costs.needed(&known, live), "{}", live);
            }
        }
    }

    #[test]
    fn what_lies_behind_pointers_counts_for_each_entry() {
        let known = Known { behind: 144, ..ints(Kind::Swiss) };
        let needed = |known| costs(27, Kind::Swiss).needed(known, 5000).unwrap().0;
        assert_eq!(needed(&known), needed(&ints(Kind::Swiss)) + 5000 * 144);
        assert_eq!(costs(27, Kind::Swiss).needed(&known, u64::MAX), None);
    }
}
