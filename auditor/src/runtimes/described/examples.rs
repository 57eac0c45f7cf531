//! Maps in captured memory, one and more for each built-in profile, with figures worked out by hand; and the same
//! maps from what the kernel side would capture of them.

use super::label::{Called, called};
use super::layout::{Figures, Seen, element_of, figures, identity, look};
use super::profile::builtin::BUILTIN;
use super::profile::{self, Metric, Profile};
use super::remarks::Remarks;
use super::sizes::{SizesKey, sizes};
use super::windows::{Overlay, Room, Snapshot, Windows};
use crate::audit::fact::{Next, Progress, Shape, SizesId};
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::LayoutError;
use crate::target::memory::{CapturedMemory, Memory, ReadError, read_u64};

const MAP: u64 = 0x7f00_0000_1000;
/// What the kernel side has: 8 captures, of which one is the map; 4 loads.
const ROOM: Room = Room { block: true, windows: 7, loads: 4 };

fn built_in(name: &str) -> Profile {
    let (_, text) = BUILTIN.iter().find(|(known, _)| *known == name).unwrap();
    profile::parse(text).unwrap_or_else(|error| panic!("{}", error.in_file(name)))
}

/// Bytes of a structure, with words put at offsets.
struct Made(Vec<u8>);

impl Made {
    fn of(len: usize) -> Self {
        Self(vec![0; len])
    }

    fn put<const N: usize>(mut self, at: usize, bytes: [u8; N]) -> Self {
        self.0[at..at + N].copy_from_slice(&bytes);
        self
    }

    fn u64(self, at: usize, value: u64) -> Self {
        self.put(at, value.to_le_bytes())
    }

    fn u32(self, at: usize, value: u32) -> Self {
        self.put(at, value.to_le_bytes())
    }

    fn at(self, address: u64) -> CapturedMemory {
        let mut memory = CapturedMemory::new();
        memory.insert(Address(address), self.0);
        memory
    }
}

/// What the kernel side captures.
fn captured(windows: &Windows, memory: &dyn Memory) -> Snapshot {
    let mut header = vec![0; windows.header];
    let header = memory.read(Address(MAP), &mut header).map(|()| header).ok();
    let value = |chain: &super::expression::Chain| {
        let mut at = MAP;
        for step in &chain.steps {
            at = read_u64(memory, Address(at.checked_add_signed(step.offset)?)).ok()?;
        }
        read_u64(memory, Address(at.checked_add_signed(chain.add)?)).ok()
    };
    let values: Vec<Option<u64>> = windows.windows.iter().map(|window| value(&window.chain)).collect();
    Snapshot::new(windows, Address(MAP), header.as_deref(), &values)
}

/// The shape, from memory; the same figures come from what the kernel side captures.
fn seen(name: &str, memory: &CapturedMemory) -> (Shape, Figures) {
    let profile = built_in(name);
    let look = look(&profile, Address(MAP), memory).unwrap();
    let windows = Windows::of(&profile, ROOM);
    assert_eq!(windows.missing, [], "{name}");
    assert!(windows.windows.len() <= ROOM.windows);
    // Blocks are not captured: what they say of elements is looked up when a hit comes.
    let element = element_of(&profile, &look.scope).unwrap_or(0);
    let map = Seen { own: Address(MAP), element: Some(element) };
    let (from_capture, _) = figures(&profile, map, &captured(&windows, memory)).unwrap();
    assert_eq!(from_capture, look.figures, "{name}");
    (look.shape, look.figures)
}

fn refused(name: &str, memory: &CapturedMemory) -> String {
    look(&built_in(name), Address(MAP), memory).unwrap_err().to_string()
}

/// A dict that moves from 131072 to 262144 buckets.
fn redis() -> Made {
    Made::of(56)
        .u64(0, 0x55_0000)
        .u64(8, 0x7f10_0000_0000)
        .u64(16, 0x7f20_0000_0000)
        .u64(24, 100_000)
        .u64(32, 31_100)
        .u64(40, 1000)
        .put(50, [17, 18])
}

#[test]
fn a_redis_dict_that_moves_to_twice_the_buckets_holds_both_tables() {
    let (shape, figures) = seen("redis-dict-7", &redis().at(MAP));
    let entries = 24 * 131_100;
    let wanted = Shape {
        live: 131_100,
        capacity: 262_144,
        table: Some(Address(0x7f20_0000_0000)),
        old_table: Some(Address(0x7f10_0000_0000)),
        allocated: Bytes(56 + 2_097_152 + 1_048_576 + entries),
        old_bytes: Bytes(1_048_576),
        entries: Bytes(entries),
        needed: Some(Bytes(56 + 2_097_152 + entries)),
        evacuation: Some(Progress { moved: 1000, total: 131_072 }),
        next: Some(Next { at_live: 262_144, tables: Bytes(4_194_304), slots: 524_288 }),
        sizes: Some(SizesId(0)),
        ..Shape::default()
    };
    assert_eq!(shape, wanted);
    assert_eq!(figures.buckets, Some(262_144));
    assert_eq!(figures.table_bytes, Some(Bytes(2_097_152)));
}

#[test]
fn a_redis_dict_at_rest_is_what_memory_stats_says_and_an_empty_one_holds_nothing() {
    // 5000 entries after the shrink to 8192 buckets: 24*5000 + 8*8192 of tables and entries.
    let rest = redis().u64(16, 0).u64(24, 5000).u64(32, 0).put(40, (-1_i64).to_le_bytes()).put(50, [13, 255]);
    let (shape, _) = seen("redis-dict-7", &rest.at(MAP));
    assert_eq!(shape.allocated, Bytes(56 + 8 * 8192 + 24 * 5000));
    assert_eq!((shape.capacity, shape.old_table, shape.evacuation), (8192, None, None));
    let empty = Made::of(56).u64(0, 0x55_0000).put(40, (-1_i64).to_le_bytes()).put(50, [255, 255]);
    let (shape, figures) = seen("redis-dict-7", &empty.at(MAP));
    assert_eq!((shape.live, shape.capacity, shape.table, shape.allocated), (0, 0, None, Bytes(56)));
    assert_eq!(shape.needed, Some(Bytes(56)));
    assert_eq!(figures.table, Some(Address(0)), "that there is none is known");
    assert_eq!(shape.next, Some(Next { at_live: 0, tables: Bytes(32), slots: 4 }));
}

#[test]
fn a_redis_dict_that_is_none_is_refused_with_the_values() {
    let text = refused("redis-dict-7", &redis().put(50, [17, 99]).at(MAP));
    let wanted = "the described map at 0x7f0000001000: redis-dict-7: not so: sizes are believable (exp0 >= -1 && \
                  exp0 <= 40 && exp1 >= -1 && exp1 <= 40), with exp0 = 17, exp1 = 99";
    assert_eq!(text, wanted);
    // The same struct with one word more in front.
    let mut shifted = redis().0;
    shifted.splice(0..0, [0; 8]);
    assert!(refused("redis-dict-7", &Made(shifted).at(MAP)).contains("not so"));
    let unreadable = look(&built_in("redis-dict-7"), Address(MAP), &CapturedMemory::new());
    assert!(matches!(unreadable, Err(LayoutError::Unreadable { error: ReadError::Unmapped { .. }, .. })));
}

#[test]
fn the_label_of_a_redis_dict_is_the_object_that_its_type_points_to() {
    let profile = built_in("redis-dict-7");
    let memory = redis().at(MAP);
    let look = look(&profile, Address(MAP), &memory).unwrap();
    assert_eq!(called(&profile, &look.scope, &memory), Some(Called::Object(Address(0x55_0000))));
    assert_eq!(identity(&profile, &look.scope, &memory), Some(Address(MAP)));
}

/// A dict with its keys elsewhere: log2 of the size, of the index, kind, usable, taken.
fn python(used: u64, keys: [u8; 3], usable: u64, taken: u64) -> CapturedMemory {
    python_with((used, 0), keys, usable, taken)
}

/// A dict with values apart from its keys, or 0.
fn python_with(
    (used, values): (u64, u64),
    [log2, index, kind]: [u8; 3],
    usable: u64,
    taken: u64,
) -> CapturedMemory {
    let mut memory = Made::of(48).u64(16, used).u64(32, 0x7f30_0000_0000).u64(40, values).at(MAP);
    let keys = Made::of(32).put(8, [log2, index, kind]).u64(16, usable).u64(24, taken);
    memory.insert(Address(0x7f30_0000_0000), keys.0);
    memory
}

#[test]
fn python_dicts_take_what_getsizeof_says() {
    // A million numbers put in, all but ten deleted: 10 live in 41.9 MB.
    let (shape, figures) = seen("cpython-dict-3.11", &python(10, [21, 23, 0], 398_101, 1_000_000));
    assert_eq!(shape.allocated, Bytes(41_943_128));
    assert_eq!((shape.live, shape.capacity, shape.tombstones), (10, 2_097_152, Some(999_990)));
    // It rebuilds at 398,111 entries, for three times as many: at the same size.
    assert_eq!(shape.next, Some(Next { at_live: 398_111, tables: Bytes(41_943_064), slots: 2_097_152 }));
    // dict(d) of ten: 16 slots, one byte each in the index, ten entries of 24 bytes.
    assert_eq!(shape.needed, Some(Bytes(64 + 32 + 16 + 240)));
    assert_eq!((shape.sizes, figures.kind), (None, Some(SizesKey(vec![24]))));
    // Of texts alone the entries take 16 bytes.
    let (shape, figures) = seen("cpython-dict-3.11", &python(100_000, [18, 20, 1], 74_762, 100_000));
    assert_eq!(shape.allocated, Bytes(3_844_864));
    assert_eq!(figures.kind, Some(SizesKey(vec![16])));
}

#[test]
fn python_dicts_of_two_kinds_have_sizes_of_two_kinds() {
    let profile = built_in("cpython-dict-3.11");
    let steps = |entry| sizes(&profile, SizesId(7), &SizesKey(vec![entry])).unwrap();
    let (any, text) = (steps(24), steps(16));
    assert_eq!((any.id, any.header, any.slot), (SizesId(7), Bytes(64), Some(Bytes(24))));
    assert_eq!((any.steps[0].slots, any.steps[0].live, any.steps[0].bytes), (8, 5, Bytes(32 + 8 + 120)));
    assert_eq!(
        (text.steps[1].slots, text.steps[1].live, text.steps[1].bytes),
        (16, 10, Bytes(32 + 16 + 160))
    );
    assert_eq!(text.steps[1].beside, Some(text.steps[0].bytes));
    assert_eq!(any.steps.last().unwrap().slots, 1 << 40);
    assert_eq!(sizes(&profile, SizesId(7), &SizesKey::default()), None, "of no kind");
}

#[test]
fn a_python_dict_that_shares_its_keys_or_has_none_holds_no_table() {
    let memory = python_with((3, 0x7f31_0000_0000), [3, 3, 2], 2, 3);
    let (shape, _) = seen("cpython-dict-3.11", &memory);
    assert_eq!((shape.table, shape.allocated), (None, Bytes(64)));
    let (shape, _) = seen("cpython-dict-3.11", &python(0, [0, 0, 1], 0, 0));
    assert_eq!((shape.capacity, shape.table, shape.allocated), (0, None, Bytes(64)));
}

#[test]
fn a_cpp_map_keeps_its_buckets_when_its_elements_are_erased() {
    let map = |count: u64, elements: u64, at: u64| {
        let first = if elements == 0 { 0 } else { 0x7f41_0000_0000 };
        let made = Made::of(56).u64(0, at).u64(8, count).u64(16, first).u64(24, elements);
        made.put(32, 1.0_f32.to_le_bytes()).at(MAP)
    };
    let (shape, _) = seen("cpp-unordered", &map(1_447_153, 0, 0x7f40_0000_0000));
    assert_eq!((shape.live, shape.capacity, shape.allocated), (0, 1_447_153, Bytes(11_577_224 + 56)));
    assert_eq!(shape.needed, Some(Bytes(56)));
    let next = Next { at_live: 1_447_153, tables: Bytes(8 * 2_938_679), slots: 2_938_679 };
    assert_eq!(shape.next, Some(next));
    let (shape, _) = seen("cpp-unordered", &map(1, 0, MAP + 48));
    assert_eq!((shape.capacity, shape.table, shape.allocated), (1, None, Bytes(56)));
    let lone = refused("cpp-unordered", &map(1, 0, 0x7f40_0000_0000));
    assert!(lone.contains("a lone bucket is within the header"), "{lone}");
}

#[test]
fn a_glib_table_has_three_arrays_with_words_of_4_or_8_bytes() {
    let table = |bits: u32, vals: u64| {
        let made = Made::of(96).u64(0, 1 << 21).u32(16, 1_000_000).u32(20, 1_200_000).u32(24, bits);
        made.u64(32, 0x7f50_0000_0000).u64(40, 0x7f51_0000_0000).u64(48, vals).at(MAP)
    };
    let (shape, _) = seen("glib-hashtable", &table(3, 0x7f52_0000_0000));
    assert_eq!(shape.allocated, Bytes((4 + 8 + 8) * (1 << 21) + 96));
    assert_eq!((shape.live, shape.capacity, shape.tombstones), (1_000_000, 1 << 21, Some(200_000)));
    // 15/16 and some: n + n/16 < 2^21.
    let next = shape.next.unwrap();
    assert_eq!((next.at_live, next.slots, next.tables), (1_973_790 - 200_000, 1 << 22, Bytes(20 << 22)));
    assert_eq!(shape.needed, Some(Bytes((20 << 21) + 96)), "2^20 would hold 986,895");
    let (set_of_small, _) = seen("glib-hashtable", &table(0, 0x7f50_0000_0000));
    assert_eq!(set_of_small.allocated, Bytes(8 * (1 << 21) + 96));
    let odd = table(7, 0x7f52_0000_0000);
    assert!(refused("glib-hashtable", &odd).contains("with bits = 7"));
}

#[test]
fn a_rust_map_is_as_large_as_its_block_and_at_least_as_its_control_bytes() {
    let table = |mask: u64, left: u64, items: u64| {
        Made::of(32).u64(0, 0x7f60_0000_0010).u64(8, mask).u64(16, left).u64(24, items).at(MAP)
    };
    // 7/8 of 2^21 is 1,835,008.
    let memory = table((1 << 21) - 1, 800_000, 1_000_000);
    let (shape, _) = seen("rust-hashbrown", &memory);
    assert_eq!((shape.live, shape.capacity, shape.tombstones), (1_000_000, 1 << 21, Some(35_008)));
    assert_eq!(shape.allocated, Bytes(32 + (1 << 21) + 16));
    let next = shape.next.unwrap();
    assert_eq!((next.slots, next.tables), (1 << 22, Bytes((1 << 22) + 16)));
    // With 48 bytes of each element before, in a mapping of malloc's own.
    let mut with_block = table((1 << 21) - 1, 800_000, 1_000_000);
    let size: u64 = (49 << 21) + 16 + 16 + 8;
    let start = 0x7f60_0000_0010 - (48 << 21);
    with_block.insert(Address(start - 8), (size.next_multiple_of(4096) | 2).to_le_bytes());
    let (shape, figures) = seen("rust-hashbrown", &with_block);
    assert_eq!(shape.allocated, Bytes(32 + (49 << 21) + 16));
    assert_eq!((figures.table, figures.table_bytes), (Some(Address(start)), Some(Bytes((49 << 21) + 16))));
    assert_eq!(shape.next.unwrap().tables, Bytes((49 << 22) + 16));
    let profile = built_in("rust-hashbrown");
    let at = |memory: &CapturedMemory| {
        let look = look(&profile, Address(MAP), memory).unwrap();
        assert_eq!(called(&profile, &look.scope, memory), Some(Called::Type));
        identity(&profile, &look.scope, memory)
    };
    assert_eq!(at(&memory), Some(Address(0x7f60_0000_0010)));
    assert_eq!(at(&table(0, 0, 0)), None, "all empty maps share one table");
    // Few entries among many tombstones: purged in place.
    let (purged, _) = seen("rust-hashbrown", &table((1 << 21) - 1, 0, 1000));
    assert_eq!(purged.next.unwrap().slots, 1 << 21);
    assert!(refused("rust-hashbrown", &table(1000, 0, 1)).contains("mask = 1000"));
}

/// A dynahash table with 79 segments of 256 buckets.
fn dynahash(shared: u8, partitions: u64) -> CapturedMemory {
    let map = Made::of(88).u64(0, 0x7f70_0000_0000).u64(8, 0x7f71_0000_0000).u64(48, 0x7f72_0000_0000);
    let map = map.u64(56, 0x7f73_0000_0003).put(64, [shared]).u64(80, 256);
    let head = (0..32)
        .fold(Made::of(848), |head, list| head.u64(8 + 24 * list, if list == 0 { 20_000 } else { 10 }));
    let head = head.u64(768, 256).u64(776, 79).u32(784, 20_199).u32(788, 32_767).u32(792, 16_383);
    let head = head.u64(808, 184).u64(816, partitions);
    let mut memory = map.at(MAP);
    memory.insert(Address(0x7f70_0000_0000), head.0);
    memory.insert(Address(0x7f72_0000_0000), Made::of(16).u64(8, 4_194_304).0);
    memory.insert(Address(0x7f73_0000_0003), *b"Prepared Queries\0\0\0\0\0\0\0\0");
    memory
}

#[test]
fn a_dynahash_table_holds_what_its_memory_context_says() {
    let profile = built_in("postgres-dynahash-15");
    let memory = dynahash(0, 0);
    let look = look(&profile, Address(MAP), &memory).unwrap();
    assert_eq!((look.shape.live, look.shape.capacity), (20_000, 20_200));
    assert_eq!(look.shape.allocated, Bytes(4_194_304));
    assert_eq!(look.figures.table_bytes, Some(Bytes(8 * 256 + 8 * 256 * 79)));
    // 20,224 buckets and 20,000 elements of 16 + 184 bytes, in blocks that double.
    assert_eq!(look.shape.needed, Some(Bytes(4_194_304)));
    let name = Called::Text("Prepared Queries".to_owned());
    assert_eq!(called(&profile, &look.scope, &memory), Some(name));
}

#[test]
fn a_shared_dynahash_table_has_a_count_in_each_of_its_partitions() {
    let profile = built_in("postgres-dynahash-15");
    let look = look(&profile, Address(MAP), &dynahash(1, 16)).unwrap();
    assert_eq!(look.shape.live, 20_310);
    assert_eq!(look.shape.allocated, Bytes(8 * 256 + 8 * 256 * 79 + 200 * 20_310));
}

/// A table in shared memory whose entry in the index is at [`MAP`], and what was made next, so far behind its header.
fn shared(behind: u64) -> CapturedMemory {
    const HEAD: u64 = 0x7f70_0000_0000;
    let entry = Made::of(176).u64(88 + 64, HEAD).u64(88 + 72, 848 + 8 * 256).put(88 + 16, *b"LOCK hash");
    let next = if behind == 0 { entry } else { entry.u64(64, HEAD + behind).u64(72, 100).u64(80, 128) };
    let head = (0..32).fold(Made::of(856), |head, list| head.u64(8 + 24 * list, 10));
    let head = head.u64(768, 256).u64(776, 64).u32(784, 16_383).u32(788, 32_767).u32(792, 16_383);
    let head = head.u64(800, 16).u64(808, 152).u64(816, 16).u64(824, 256).u64(832, 256).u32(840, 8);
    let mut memory = next.at(MAP - 88);
    memory.insert(Address(HEAD), head.u64(848, HEAD + 2944).0);
    memory
}

#[test]
fn a_table_in_shared_memory_ends_where_the_next_thing_begins() {
    let profile = built_in("postgres-shared-15");
    let see = |behind: u64| look(&profile, Address(MAP), &shared(behind)).unwrap();
    // As a server laid it out: 2944 bytes of header and directory, 64 segments, 15,618 elements of 168 bytes.
    let (shape, figures) = (see(2_759_552).shape, see(2_759_552).figures);
    assert_eq!((shape.live, shape.capacity, shape.allocated), (320, 16_384, Bytes(2_759_552)));
    assert_eq!((figures.table_bytes, figures.needed), (Some(shape.allocated), Some(shape.allocated)));
    assert_eq!(figures.table, Some(Address(0x7f70_0000_0000)));
    let name = Some(Called::Text("LOCK hash".to_owned()));
    assert_eq!(called(&profile, &see(0).scope, &shared(0)), name);
}

#[test]
fn a_table_in_shared_memory_whose_end_is_not_known_holds_at_least_its_entries_and_that_is_said() {
    let profile = built_in("postgres-shared-15");
    let known = 2944 + 64 * 2048;
    // Nothing was made behind it; too near, too far to be its own, not where things begin.
    for behind in [0, 4096, 2_999_936, 2_759_560] {
        let memory = shared(behind);
        let seen = look(&profile, Address(MAP), &memory).unwrap();
        assert_eq!(seen.shape.allocated, Bytes(known + 168 * 320), "{behind}");
        assert_eq!(seen.figures.table_bytes, Some(Bytes(known)), "{behind}");
        let mut remarks = Remarks::of(&profile);
        remarks.take(&seen.scope, Address(MAP), &memory);
        let told: Vec<String> = remarks.told().collect();
        assert!(
            told.len() == 1 && told[0].starts_with("postgres-shared-15: LOCK hash: elements"),
            "{told:?}"
        );
    }
}

#[test]
fn a_table_in_shared_memory_of_another_layout_is_refused() {
    let mut moved = CapturedMemory::new();
    moved.insert(Address(MAP - 88), Made::of(176).u64(152, 0x7f70_0000_0000).u64(160, 856 + 8 * 256).0);
    moved.insert(Address(0x7f70_0000_0000), vec![0; 1024]);
    assert!(refused("postgres-shared-15", &moved).contains("the index says how long"));
}

#[test]
fn what_does_not_fit_into_a_capture_is_missing_and_said() {
    let profile = built_in("postgres-dynahash-15");
    let windows = Windows::of(&profile, ROOM);
    let missing: Vec<_> = windows.missing.iter().map(|(what, why)| format!("{what}: {why}")).collect();
    // The counts of all 32 lists are not captured.
    assert!(missing.contains(&"live: there is no room for another window".to_owned()), "{missing:?}");
    assert!(!windows.metrics.contains(&Metric::Live));
    assert!(windows.metrics.contains(&Metric::Buckets) && windows.metrics.contains(&Metric::TableBytes));
    let of = |memory| figures(&profile, Address(MAP), &captured(&windows, &memory)).unwrap().0;
    let (shared, own) = (of(dynahash(1, 16)), of(dynahash(0, 0)));
    assert_eq!((shared.live, shared.buckets), (None, Some(20_200)), "unknown, not 0");
    assert_eq!(own.live, Some(20_000), "that of a table without partitions is at hand all the same");
}

#[test]
fn a_tuplehash_is_one_array_of_24_bytes_a_slot() {
    let made = Made::of(48).u64(0, 1 << 20).u32(8, 900_000).u32(12, (1 << 20) - 1).u32(16, 943_718);
    let made = made.u64(24, 0x7f80_0000_0000).u64(32, 0x7f81_0000_0000);
    let (shape, _) = seen("postgres-tuplehash-15", &made.at(MAP));
    assert_eq!((shape.live, shape.capacity, shape.allocated), (900_000, 1 << 20, Bytes(25_165_824 + 48)));
    assert_eq!(shape.next, Some(Next { at_live: 943_718, tables: Bytes(50_331_648), slots: 1 << 21 }));
}

#[test]
fn memcached_that_expands_has_both_tables_and_another_version_is_refused() {
    let state = |power: u32, bytes: u64, expanding: u8| {
        Made::of(56).u64(0, 196_609).u64(24, bytes).u32(40, power).put(48, [expanding]).at(MAP)
    };
    let (shape, _) = seen("memcached", &state(18, 2_097_152 + 1_048_576, 1));
    assert_eq!((shape.live, shape.capacity), (196_609, 262_144));
    assert_eq!((shape.allocated, shape.old_bytes), (Bytes(3_145_728), Bytes(1_048_576)));
    assert_eq!(shape.next, Some(Next { at_live: 393_216, tables: Bytes(4_194_304), slots: 524_288 }));
    let (after, figures) = seen("memcached", &state(18, 2_097_152, 0));
    assert_eq!((after.allocated, after.old_bytes), (Bytes(2_097_152), Bytes(0)));
    assert_eq!(figures.old_table, None, "where it is, nobody tells");
    // 1.6.38 has something else at 40: 20, where the power is 18.
    let newer = refused("memcached", &state(20, 2_097_152, 0));
    assert!(newer.contains("its own figure is ours"), "{newer}");
}

#[test]
fn windows_are_few_since_fields_beside_each_other_share_one() {
    let of = |name| Windows::of(&built_in(name), ROOM);
    for (name, header) in
        [("redis-dict-7", 56), ("cpp-unordered", 40), ("glib-hashtable", 56), ("memcached", 56)]
    {
        let windows = of(name);
        assert_eq!((windows.header, windows.windows.len()), (header, 0), "{name}");
    }
    // log2 of size and index and the kind are one word, usable and taken one each.
    let python = of("cpython-dict-3.11");
    let offsets: Vec<_> = python.windows.iter().map(super::windows::Window::offsets).collect();
    assert_eq!((python.header, offsets), (48, vec![vec![32, 8], vec![32, 24], vec![32, 16]]));
}

#[test]
fn nothing_is_read_beyond_what_was_captured() {
    let profile = built_in("cpython-dict-3.11");
    let memory = python(10, [21, 23, 0], 398_101, 1_000_000);
    let windows = Windows::of(&profile, ROOM);
    let whole = captured(&windows, &memory);
    let mut word = [0; 8];
    for at in [MAP - 1, MAP + 41, MAP + 48, 0, u64::MAX, 0x7f30_0000_0001, 0x7f30_0000_0020] {
        let error = whole.read(Address(at), &mut word).unwrap_err();
        assert_eq!(error, ReadError::NotCaptured { at: Address(at), len: 8 });
    }
    // The keys could not be read: what is in them is unknown, what is in the header is not.
    let header = Made::of(48).u64(16, 10).u64(32, 0x7f30_0000_0000).0;
    let partly = Snapshot::new(&windows, Address(MAP), Some(&header), &[None, None, None]);
    let (figures, _) = figures(&profile, Address(MAP), &partly).unwrap();
    assert_eq!((figures.live, figures.buckets, figures.allocated), (Some(10), None, None));
    assert_eq!(figures.unchecked.len(), 4);
    assert!(look(&profile, Address(MAP), &partly).unwrap_err().to_string().contains("were not captured"));
}

#[test]
fn bytes_at_hand_spare_reading_and_suffice_where_they_do() {
    let profile = built_in("redis-dict-7");
    let header = redis().0;
    let alone = Overlay { at: Address(MAP), bytes: &header, beneath: None };
    assert_eq!(look(&profile, Address(MAP), &alone).unwrap().shape.live, 131_100);
    let short = Overlay { bytes: &header[..48], ..alone };
    assert!(look(&profile, Address(MAP), &short).unwrap_err().to_string().contains("were not captured"));
    let memory = redis().at(MAP);
    let both = Overlay { beneath: Some(&memory), ..short };
    assert_eq!(look(&profile, Address(MAP), &both).unwrap().shape.live, 131_100);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn no_memory_makes_a_look_fail(bytes: Vec<u8>, words in proptest::collection::vec(0_u64..64, 16)) {
        // Any bytes at the map, and pointers that lead back into them.
        let mut memory = CapturedMemory::new();
        let mut all: Vec<u8> = words.iter().flat_map(|word| (MAP + word).to_le_bytes()).collect();
        let len = bytes.len().min(all.len());
        all[..len].copy_from_slice(&bytes[..len]);
        memory.insert(Address(MAP), all);
        for (name, _) in BUILTIN {
            let profile = built_in(name);
            if let Ok(look) = look(&profile, Address(MAP), &memory) {
                proptest::prop_assert!(look.shape.old_bytes <= look.shape.allocated);
            }
            let windows = Windows::of(&profile, ROOM);
            let _either_way = figures(&profile, Address(MAP), &captured(&windows, &memory));
        }
    }
}
