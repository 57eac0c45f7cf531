//! What maps take by what they are made of: tables, and what a map would take had it just been rebuilt.

use super::Kind;
use super::hooks::LoadFactor;
use super::sizes::Sizes;
use super::types::Known;
use crate::audit::fact::Next;
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

    /// Bytes of a map that is made for so many entries and holds them. `None`: more than there can be.
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
        let extra = if shift >= SPARE_FROM { EXTRA } else { 0 };
        self.bucket_array(known, shift)?.checked_add(extra)
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
    fn what_lies_behind_pointers_counts_for_each_entry() {
        let known = Known { behind: 144, ..ints(Kind::Swiss) };
        let needed = |known| costs(27, Kind::Swiss).needed(known, 5000).unwrap().0;
        assert_eq!(needed(&known), needed(&ints(Kind::Swiss)) + 5000 * 144);
        assert_eq!(costs(27, Kind::Swiss).needed(&known, u64::MAX), None);
    }
}
