//! The demo map's header: its bytes, what they say of the map, and when they cannot be a map's.
//! Version 1 of `docs/demo-map.md`, which draws them.

use super::sizes;
use crate::audit::fact::{Counted, Next, Progress, Shape};
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::LayoutError;
use crate::runtimes::ranges::Ranges;
use crate::target::memory::Memory;

/// Bytes of a map's header.
pub(super) const HEADER: usize = 128;
/// Where a header holds the live entries.
pub(super) const LIVE: i64 = 8;

/// `DMAP`.
const MAGIC: u32 = 0x5041_4d44;
/// The version of header and registry that is understood.
pub(super) const VERSION: u32 = 1;
const EVACUATING: u16 = 1;
const SAME_SIZE: u16 = 2;
const DROPPED: u16 = 4;
const SHRINKING: u16 = 8;

/// Slots of a bucket.
pub(super) const SLOTS: u64 = 8;
/// Bytes of a bucket: tophash, keys, values, next.
pub(super) const BUCKET: u64 = 8 + 64 + 64 + 8;
/// Most buckets that are believed: 144 TiB of them.
pub(super) const LOG2_MOST: u32 = 40;
/// From here on an array carries spare buckets, 1 for 2^4.
const SPARE_FROM: u32 = 4;
/// Fewest buckets of an overflow area.
const AREA_LEAST: u64 = 8;
/// Longest name.
const NAME: usize = 64;
/// User addresses end here, with five-level page tables.
pub(super) const ADDRESSES: u64 = 1 << 56;

/// Buckets of a table, or `None` for more than are believed.
pub(super) fn buckets(log2: u32) -> Option<u64> {
    (log2 <= LOG2_MOST).then(|| 1 << log2)
}

/// Buckets for overflow at the end of an array of 2^log2.
pub(super) fn spare(log2: u32) -> u64 {
    log2.checked_sub(SPARE_FROM).map_or(0, |log2| 1 << log2)
}

/// Bytes of a bucket array with its spare buckets; `log2` is at most [`LOG2_MOST`].
pub(super) fn array_bytes(log2: u32) -> u64 {
    ((1 << log2) + spare(log2)) * BUCKET
}

/// Buckets of one overflow area behind an array of 2^log2.
pub(super) fn area(log2: u32) -> u64 {
    spare(log2).max(AREA_LEAST)
}

/// How many overflow areas a table of so many bytes has, if it can have so many bytes at all.
fn areas(log2: u32, bytes: u64) -> Option<u64> {
    let behind = bytes.checked_sub(array_bytes(log2))?;
    let one = area(log2) * BUCKET;
    behind.is_multiple_of(one).then(|| behind / one)
}

/// Whether so many areas go with so many overflow buckets in use. One more or less will do: the two
/// numbers are not written at one moment.
fn areas_fit(log2: u32, areas: u64, overflow: u64) -> bool {
    let wanted = overflow.saturating_sub(spare(log2)).div_ceil(area(log2));
    areas.abs_diff(wanted) <= 1
}

/// The most entries that 2^`log2` buckets take without growth: 6.5 a bucket, at least 8 in all; `log2` is at
/// most [`LOG2_MOST`].
pub(super) fn most_live(log2: u32) -> u64 {
    ((13 << log2) / 2).max(SLOTS)
}

/// Little-endian fields; what is beyond the end reads as zeros, which no check passes.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn number<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
    }
    fn u8(&self, at: usize) -> u32 {
        u32::from(u8::from_le_bytes(self.number(at)))
    }
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.number(at))
    }
    pub(super) fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.number(at))
    }
    pub(super) fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.number(at))
    }
}

/// One of a map's two tables, as the header describes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Table {
    address: u64,
    log2: u32,
    overflow: u64,
    bytes: u64,
}

impl Table {
    fn exists(&self) -> bool {
        self.address != 0
    }

    /// Slots of the buckets; those of overflow buckets are not counted.
    fn slots(&self) -> u64 {
        if self.exists() { SLOTS << self.log2 } else { 0 }
    }

    /// The growth that follows on this table, of a map with so many live entries: to twice as many buckets, or
    /// to as many where it has too many overflow buckets.
    fn next(&self, live: u64) -> Option<Next> {
        let fewer = buckets(self.log2).filter(|_| self.exists())?;
        let is_full = live >= most_live(self.log2);
        let (at_live, log2) = match self.overflow >= fewer && !is_full {
            true => (live, self.log2),
            false => (most_live(self.log2).max(live), self.log2 + 1),
        };
        (log2 <= LOG2_MOST).then(|| Next { at_live, tables: Bytes(array_bytes(log2)), slots: SLOTS << log2 })
    }

    /// Places for an entry, overflow buckets included.
    fn room(&self) -> u64 {
        self.slots().saturating_add(SLOTS * self.overflow)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    magic: u32,
    version: u16,
    flags: u16,
    live: u64,
    zero: u16,
    bucket: u64,
    table: Table,
    old: Table,
    moved: u64,
    tombstones: u64,
    counted: Counted,
    name_len: usize,
    name: u64,
}

impl Header {
    fn parse(bytes: &[u8]) -> Self {
        let f = Fields(bytes);
        Self {
            magic: f.u32(0),
            version: f.u16(4),
            flags: f.u16(6),
            live: f.u64(8),
            zero: f.u16(18),
            bucket: f.u32(20).into(),
            table: Table { address: f.u64(24), log2: f.u8(16), overflow: f.u32(48).into(), bytes: f.u64(64) },
            old: Table { address: f.u64(32), log2: f.u8(17), overflow: f.u32(52).into(), bytes: f.u64(72) },
            moved: f.u64(40),
            tombstones: f.u64(56),
            counted: Counted {
                insert: f.u64(80),
                delete: f.u64(88),
                grow: [104, 108, 112].map(|at| u64::from(f.u32(at))).iter().sum(),
                evacuate: f.u64(96),
            },
            name_len: f.u32(116) as usize,
            name: f.u64(120),
        }
    }

    fn dropped(&self) -> bool {
        self.flags & DROPPED != 0
    }

    /// All old buckets are moved: the old table, or a part of it, may have been let go.
    fn evacuated(&self) -> bool {
        buckets(self.old.log2) == Some(self.moved)
    }

    /// The first check that fails, in words.
    fn fault(&self) -> Option<String> {
        self.fault_of_itself()
            .or_else(|| table_fault("table", &self.table, self.dropped()))
            .or_else(|| table_fault("old table", &self.old, self.dropped() || self.evacuated()))
            .or_else(|| self.fault_between())
    }

    /// What no moment of a map's life changes.
    fn fault_of_itself(&self) -> Option<String> {
        let known = EVACUATING | SAME_SIZE | DROPPED | SHRINKING;
        first_fault([
            (self.magic == MAGIC, "magic", self.magic.into()),
            (u32::from(self.version) == VERSION, "version", self.version.into()),
            (self.flags & !known == 0, "flags", self.flags.into()),
            (self.zero == 0, "reserved bytes", self.zero.into()),
            (self.bucket == BUCKET, "bytes of one bucket", self.bucket),
            (self.name_len <= NAME, "length of the name", self.name_len as u64),
        ])
    }

    /// How the numbers must fit each other.
    fn fault_between(&self) -> Option<String> {
        let room = self.table.room().saturating_add(self.old.room());
        let moved = !self.old.exists() || buckets(self.old.log2).is_some_and(|total| self.moved <= total);
        let one = !self.table.exists() || self.table.address != self.old.address;
        first_fault([
            (self.dropped() || self.live <= room, "live entries beyond the slots", self.live),
            (self.dropped() || self.tombstones <= self.table.room(), "tombstones", self.tombstones),
            (moved, "old buckets moved beyond the old buckets", self.moved),
            (one, "old table that is the current one", self.old.address),
            (
                self.table.exists() || !self.old.exists() || self.dropped(),
                "old table alone",
                self.old.address,
            ),
        ])
    }
}

/// `going`: the table is being let go piece by piece, so its bytes may be fewer than it had.
fn table_fault(which: &str, table: &Table, going: bool) -> Option<String> {
    let Table { address, log2, overflow, bytes } = *table;
    let fault = if !table.exists() {
        first_fault([
            (going || bytes == 0, "bytes without a table", bytes),
            (going || overflow == 0, "overflow buckets without a table", overflow),
        ])
    } else if log2 > LOG2_MOST {
        Some(format!("log2 of the buckets is {log2}"))
    } else {
        let areas = areas(log2, bytes);
        let fits = areas.is_some_and(|areas| areas_fit(log2, areas, overflow));
        let most = array_bytes(log2) + (overflow + area(log2)) * BUCKET;
        first_fault([
            (address.is_multiple_of(8) && address < ADDRESSES, "address", address),
            (going || areas.is_some(), "bytes that do not fit the buckets", bytes),
            (going || fits, "overflow buckets that do not fit the bytes", overflow),
            (bytes <= most.saturating_add(area(log2) * BUCKET), "bytes too many", bytes),
        ])
    };
    fault.map(|fault| format!("{which}: {fault}"))
}

pub(super) fn first_fault<const N: usize>(checks: [(bool, &str, u64); N]) -> Option<String> {
    let (_, what, value) = checks.into_iter().find(|(passes, _, _)| !passes)?;
    Some(format!("{what} is {value:#x}"))
}

/// What a map looks like. `capacity` is 8 x 2^log2: slots of overflow buckets are not counted, and
/// there is none before the first table.
pub(super) fn look(map: Address, bytes: &[u8]) -> Result<Shape, LayoutError> {
    let fails = |check| LayoutError::Check { what: "the map header", at: map, check };
    if bytes.len() < HEADER {
        return Err(fails(format!("{} of {HEADER} bytes", bytes.len())));
    }
    let header = Header::parse(bytes);
    match header.fault() {
        Some(fault) => Err(fails(fault)),
        None => Ok(shape(&header)),
    }
}

/// Where a map's memory is. Of overflow areas the header does not tell where they are. A map that is being let
/// go has none that could be relied on.
pub(super) fn ranges(map: Address, bytes: &[u8]) -> Option<Ranges> {
    let header = (bytes.len() >= HEADER).then(|| Header::parse(bytes))?;
    if header.fault().is_some() || header.dropped() {
        return None;
    }
    let array = |table: &Table| {
        let range = table.exists().then(|| (Address(table.address), Bytes(array_bytes(table.log2))));
        range.into_iter().collect()
    };
    let rest = vec![(map, Bytes(HEADER as u64))];
    Some(Ranges { current: array(&header.table), old: array(&header.old), rest })
}

fn shape(header: &Header) -> Shape {
    let Header { table, old, .. } = header;
    let address = |table: &Table| table.exists().then_some(Address(table.address));
    let progress = |total| Progress { moved: header.moved, total };
    Shape {
        live: header.live,
        capacity: table.slots(),
        tombstones: Some(header.tombstones),
        overflow: Some(table.overflow + old.overflow),
        table: address(table),
        old_table: address(old),
        allocated: Bytes(HEADER as u64) + Bytes(table.bytes) + Bytes(old.bytes),
        old_bytes: Bytes(old.bytes),
        entries: Bytes(0),
        behind: Bytes(0),
        needed: sizes::needed(header.live),
        evacuation: old.exists().then(|| buckets(old.log2).map(progress)).flatten(),
        counted: Some(header.counted),
        dropped: header.dropped(),
        next: table.next(header.live),
        sizes: Some(sizes::ID),
    }
}

/// The map's name. Hostile like everything else: bounded, and nothing in it steers a terminal.
pub(super) fn name_of(bytes: &[u8], memory: &dyn Memory) -> Option<String> {
    let header = Header::parse(bytes);
    if header.magic != MAGIC || header.name == 0 || header.name_len > NAME {
        return None;
    }
    let mut name = vec![0; header.name_len];
    memory.read(Address(header.name), &mut name).ok()?;
    let name = String::from_utf8(name).ok()?;
    Some(name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::audit::fact::SizesId;
    use proptest::prelude::*;

    pub(crate) const MAP: Address = Address(0x10_0000);

    pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
        bytes[at..at + N].copy_from_slice(&value);
    }

    /// A map of 2^5 buckets that evacuates from 2^4, as docs/demo-map.md lays it out.
    pub(crate) fn header() -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        put(&mut bytes, 0, MAGIC.to_le_bytes());
        put(&mut bytes, 4, 1_u16.to_le_bytes());
        put(&mut bytes, 6, EVACUATING.to_le_bytes());
        put(&mut bytes, 8, 110_u64.to_le_bytes());
        put(&mut bytes, 16, [5, 4]);
        put(&mut bytes, 20, 144_u32.to_le_bytes());
        put(&mut bytes, 24, 0x7000_0000_u64.to_le_bytes());
        put(&mut bytes, 32, 0x6000_0000_u64.to_le_bytes());
        put(&mut bytes, 40, 7_u64.to_le_bytes());
        put(&mut bytes, 48, 3_u32.to_le_bytes());
        put(&mut bytes, 52, 2_u32.to_le_bytes());
        put(&mut bytes, 56, 4_u64.to_le_bytes());
        put(&mut bytes, 64, ((32 + 2 + 8) * 144_u64).to_le_bytes());
        put(&mut bytes, 72, ((16 + 1 + 8) * 144_u64).to_le_bytes());
        put(&mut bytes, 80, 120_u64.to_le_bytes());
        put(&mut bytes, 88, 10_u64.to_le_bytes());
        put(&mut bytes, 96, 22_u64.to_le_bytes());
        put(&mut bytes, 104, 5_u32.to_le_bytes());
        put(&mut bytes, 108, 2_u32.to_le_bytes());
        put(&mut bytes, 112, 1_u32.to_le_bytes());
        put(&mut bytes, 116, 4_u32.to_le_bytes());
        put(&mut bytes, 120, 0x30_0000_u64.to_le_bytes());
        bytes
    }

    #[test]
    fn the_next_table_is_for_twice_the_buckets_or_for_as_many_when_overflow_is_too_much() {
        let table = Table { address: 8, log2: 5, overflow: 31, bytes: 0 };
        let next = |at_live, buckets: u64, spare| {
            let tables = Bytes((buckets + spare) * BUCKET);
            Some(Next { at_live, tables, slots: 8 * buckets })
        };
        assert_eq!(table.next(7), next(208, 64, 4));
        assert_eq!(table.next(210), next(210, 64, 4), "it waits for the end of an evacuation");
        let chained = Table { overflow: 32, ..table };
        assert_eq!(chained.next(7), next(7, 32, 2));
        assert_eq!(chained.next(208), next(208, 64, 4));
        assert_eq!(Table { log2: 0, ..table }.next(0), next(0, 1, 0), "as many overflow buckets as buckets");
        assert_eq!(Table { log2: 0, overflow: 0, ..table }.next(3), next(8, 2, 0));
        assert_eq!(Table { log2: LOG2_MOST, ..table }.next(3), None);
        assert_eq!(Table::default().next(0), None);
    }

    #[test]
    fn a_map_in_evacuation_has_every_number_of_its_header() {
        let shape = look(MAP, &header()).unwrap();
        let expected = Shape {
            live: 110,
            capacity: 256,
            tombstones: Some(4),
            overflow: Some(5),
            table: Some(Address(0x7000_0000)),
            old_table: Some(Address(0x6000_0000)),
            allocated: Bytes(128 + 42 * 144 + 25 * 144),
            old_bytes: Bytes(25 * 144),
            entries: Bytes(0),
            behind: Bytes(0),
            needed: Some(Bytes(128 + (32 + 2) * 144)),
            evacuation: Some(Progress { moved: 7, total: 16 }),
            counted: Some(Counted { insert: 120, delete: 10, grow: 8, evacuate: 22 }),
            dropped: false,
            next: Some(Next { at_live: 208, tables: Bytes((64 + 4) * 144), slots: 512 }),
            sizes: Some(SizesId(0)),
        };
        assert_eq!(shape, expected);
    }

    #[test]
    fn a_map_in_evacuation_is_in_two_arrays_and_its_header() {
        let array = |at, buckets: u64| vec![(Address(at), Bytes(buckets * 144))];
        let expected = Ranges {
            current: array(0x7000_0000, 32 + 2),
            old: array(0x6000_0000, 16 + 1),
            rest: vec![(MAP, Bytes(128))],
        };
        assert_eq!(ranges(MAP, &header()), Some(expected));
        let mut dropped = header();
        put(&mut dropped, 6, (EVACUATING | DROPPED).to_le_bytes());
        assert_eq!((ranges(MAP, &dropped), ranges(MAP, &header()[1..])), (None, None));
    }

    #[test]
    fn a_new_map_has_no_table_and_needs_its_header_alone() {
        let mut bytes = header();
        bytes[6..20].fill(0);
        bytes[24..80].fill(0);
        let shape = look(MAP, &bytes).unwrap();
        assert_eq!((shape.capacity, shape.table, shape.evacuation), (0, None, None));
        assert_eq!((shape.allocated, shape.needed), (Bytes(128), Some(Bytes(128))));
    }

    #[test]
    fn each_field_that_cannot_be_is_named() {
        let broken = |at: usize, value: &[u8], word: &str| {
            let mut bytes = header();
            bytes[at..at + value.len()].copy_from_slice(value);
            let error = look(MAP, &bytes).unwrap_err().to_string();
            assert!(error.contains(word), "{word}: {error}");
        };
        broken(0, &[0], "magic");
        broken(4, &[2], "version");
        broken(6, &[16], "flags");
        broken(8, &[0xff, 0xff], "live");
        broken(16, &[41], "log2");
        broken(16, &[30], "do not fit the buckets");
        broken(17, &[200], "old table: log2");
        broken(18, &[1], "reserved");
        broken(20, &[143], "one bucket");
        broken(24, &[1], "table: address");
        broken(31, &[1], "table: address");
        broken(24, &[0; 8], "without a table");
        broken(27, &[0x60], "current one");
        broken(40, &[17], "moved");
        broken(57, &[9], "tombstones");
        broken(64, &[0; 8], "do not fit the buckets");
        broken(64, &[1], "do not fit the buckets");
        broken(48, &[30], "do not fit the bytes");
        broken(16, &[3], "do not fit");
        broken(32, &[0; 8], "old table: bytes without");
        broken(116, &[65], "name");
        assert!(look(MAP, &header()[..127]).is_err());
    }

    #[test]
    fn a_table_that_is_being_let_go_may_have_lost_bytes() {
        let mut bytes = header();
        put(&mut bytes, 40, 16_u64.to_le_bytes());
        put(&mut bytes, 72, 144_u64.to_le_bytes());
        assert_eq!(look(MAP, &bytes).unwrap().old_bytes, Bytes(144));
        put(&mut bytes, 6, DROPPED.to_le_bytes());
        put(&mut bytes, 64, 0_u64.to_le_bytes());
        assert!(look(MAP, &bytes).unwrap().dropped);
        put(&mut bytes, 64, (1_u64 << 40).to_le_bytes());
        assert!(look(MAP, &bytes).unwrap_err().to_string().contains("too many"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_look_panic_or_exceed_its_own_bounds(
            noise in proptest::collection::vec((0..HEADER, any::<u8>()), 0..12),
        ) {
            let mut bytes = header();
            for (at, byte) in noise {
                bytes[at] = byte;
            }
            if let Ok(shape) = look(MAP, &bytes) {
                prop_assert!(shape.allocated >= shape.old_bytes);
                prop_assert!(shape.evacuation.is_none_or(|progress| progress.moved <= progress.total));
            }
        }
    }
}
