//! Where to look at Go: rare functions of its maps and its heap, and what a hit means. Everything that
//! happens often is polled instead.
//!
//! Arguments are in the registers of Go's own ABI, in the order RAX RBX RCX RDI RSI R8 (src/cmd/compile/
//! abi-internal.md); the probe sits behind the stack check, where they all still are. The functions and
//! their arguments are the same in 1.19 and 1.21 to 1.27, where a column does not say otherwise.
//!
//! | hook | function | arguments | releases |
//! |---|---|---|---|
//! | `go_map_grow` | `runtime.hashGrow` | t, h | to 1.23, and without Swiss maps |
//! | `go_map_split` | `(*table).split` | t, typ, m | from 1.24 |
//! | | `(*Map).installTableSplit` | m, old, left, right | where the one before is inlined (PGO) |
//! | | `(*table).rehash` | t, typ, m | where that one is, too |
//! | `go_map_clear` | `runtime.mapclear` | t, h | to 1.23 |
//! | | `(*Map).Clear` | m, typ | from 1.24 |
//! | `go_gc_begin`, `go_gc_end` | `runtime.gcStart`, `runtime.gcMarkTermination` | | |
//! | `go_world_stop`, `go_world_start` | `runtime.stopTheWorldWithSema`, `runtime.startTheWorldWithSema` | | |
//! | `go_heap_extend` | `runtime.(*mheap).grow` | h, pages | |
//! | `go_large_object` | `runtime.(*mcache).allocLarge` | c, bytes | |
//!
//! How rare they are: a million inserts into one map are 18 growths of a classic map and 2,040 splits of a
//! Swiss one.

use std::fmt;

use auditor_ebpf::source::{RAX, RBX, RCX};

use super::Kind;
use crate::audit::fact::{Clear, Grow, GrowthKind, Managed, ManagedEvent, What};
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::hook::{
    Capture, Does, Filter, Header, Heat, Hit, Hook, Nulls, Spot, Stack, Watch, When,
};

const GROW: &str = "go_map_grow";
const SPLIT: &str = "go_map_split";
const CLEAR: &str = "go_map_clear";
const LARGE: &str = "go_large_object";
const EXTEND: &str = "go_heap_extend";

/// Hooks without arguments, with their functions and what they tell.
const HAPPENINGS: [(&str, &str, ManagedEvent); 4] = [
    ("go_gc_begin", "runtime.gcStart", ManagedEvent::CycleBegins),
    ("go_gc_end", "runtime.gcMarkTermination", ManagedEvent::CycleEnds),
    ("go_world_stop", "runtime.stopTheWorldWithSema", ManagedEvent::WorldStops),
    ("go_world_start", "runtime.startTheWorldWithSema", ManagedEvent::WorldGoesOn),
];

const HASH_GROW: &str = "runtime.hashGrow";
const MAP_CLEAR: &str = "runtime.mapclear";
const TABLE_SPLIT: &str = "internal/runtime/maps.(*table).split";
const INSTALL_SPLIT: &str = "internal/runtime/maps.(*Map).installTableSplit";
const REHASH: &str = "internal/runtime/maps.(*table).rehash";
const SWISS_CLEAR: &str = "internal/runtime/maps.(*Map).Clear";
const HEAP_GROW: &str = "runtime.(*mheap).grow";
const ALLOC_LARGE: &str = "runtime.(*mcache).allocLarge";

/// Every function that is hooked, or may be.
pub const SYMBOLS: [&str; 12] = [
    HASH_GROW,
    MAP_CLEAR,
    TABLE_SPLIT,
    INSTALL_SPLIT,
    REHASH,
    SWISS_CLEAR,
    HEAP_GROW,
    ALLOC_LARGE,
    HAPPENINGS[0].1,
    HAPPENINGS[1].1,
    HAPPENINGS[2].1,
    HAPPENINGS[3].1,
];

/// Which capture of a map's hook is the map, its live entries, its size (B, or tables in the directory),
/// and its type. One behind it is there to filter by.
const MAP: usize = 0;
const LIVE: usize = 1;
const SIZE: usize = 2;
const TYPE: usize = 3;

/// Classic maps of fewer buckets (2^8, 2,048 slots) are too many and too small to be told of.
const SMALLEST_CLASSIC: u64 = 8;
/// What that leaves out, and the other filters do.
const SMALL_GROWTHS: &str = "growths of maps of fewer than 2^8 buckets (2,048 slots) are not told: double and same_size count from there on";
const SMALL_CLEARS: &str = "only maps of 2^8 buckets and more are told when they are cleared";
const SMALL_SWISS_CLEARS: &str = "only maps of 1,024 entries and more are told when they are cleared";
const SMALL_OBJECTS: &str = "only objects of 256 KiB and more are told";
/// Slots of a Swiss table that splits instead of doubling (`maxTableCapacity`,
/// src/internal/runtime/maps/table.go).
const FULL_TABLE: u64 = 1024;
/// Groups of such a table.
const FULL_GROUPS: u64 = FULL_TABLE / 8;
/// The smallest large object that is told, in bytes.
const SMALLEST_OBJECT: u64 = 256 << 10;
/// Bytes of a page of Go's heap (`_PageSize`, src/runtime/sizeclasses.go).
const PAGE: u64 = 8192;

/// All hooks for a program with maps of that kind. `is_whole` says whether a function is there with a
/// body of its own and nowhere inlined, so that every call comes by.
#[must_use]
pub fn all(kind: Kind, is_whole: impl Fn(&str) -> bool) -> Vec<Hook> {
    let mut hooks = match kind {
        Kind::Bucket => vec![classic_growth(), classic_clear()],
        Kind::Swiss => vec![split(is_whole), swiss_clear()],
    };
    hooks.push(Hook {
        filter: Some(Filter::from(0, SMALLEST_OBJECT, Some(SMALL_OBJECTS))),
        ..hook(LARGE, ALLOC_LARGE, vec![Capture::register(RBX)])
    });
    hooks.push(hook(EXTEND, HEAP_GROW, vec![Capture::register(RBX)]));
    hooks.extend(
        HAPPENINGS.map(|(name, symbol, _)| Hook { stack: Stack::Leave, ..hook(name, symbol, Vec::new()) }),
    );
    hooks
}

fn hook(name: &'static str, symbol: &str, captures: Vec<Capture>) -> Hook {
    Hook {
        name: name.into(),
        spot: Spot::Function(symbol.to_owned()),
        when: When::Entry,
        heat: Heat::Rare,
        does: Does::Send,
        stack: Stack::Take,
        key: MAP,
        watch: Watch::No,
        header: Header::No,
        filter: None,
        nulls: Nulls::Lose,
        captures,
    }
}

/// `hmap` (src/runtime/map.go, 1.19 to 1.23): count, int, at 0; B, u8, at 9.
fn classic(register: u32) -> Vec<Capture> {
    vec![Capture::register(register), Capture::load(register, &[0], 8), Capture::load(register, &[9], 1)]
}

/// `Map` (src/internal/runtime/maps/map.go, 1.24 to 1.27): used, u64, at 0; dirLen, int, at 24.
fn swiss(register: u32) -> Vec<Capture> {
    vec![Capture::register(register), Capture::load(register, &[0], 8), Capture::load(register, &[24], 8)]
}

fn classic_growth() -> Hook {
    let leaves_out = Some(SMALL_GROWTHS);
    let filter = Some(Filter::from(SIZE, SMALLEST_CLASSIC, leaves_out));
    let captures = [classic(RBX), vec![Capture::register(RAX)]].concat();
    Hook { filter, ..hook(GROW, HASH_GROW, captures) }
}

fn classic_clear() -> Hook {
    let leaves_out = Some(SMALL_CLEARS);
    let filter = Some(Filter::from(SIZE, SMALLEST_CLASSIC, leaves_out));
    Hook { filter, ..hook(CLEAR, MAP_CLEAR, classic(RBX)) }
}

fn swiss_clear() -> Hook {
    let leaves_out = Some(SMALL_SWISS_CLEARS);
    let filter = Some(Filter::from(LIVE, FULL_TABLE, leaves_out));
    Hook { filter, ..hook(CLEAR, SWISS_CLEAR, swiss(RAX)) }
}

/// The first of the three that every split passes. `capacity` of `table`, u16, is at 2.
fn split(is_whole: impl Fn(&str) -> bool) -> Hook {
    let typed = || [swiss(RCX), vec![Capture::register(RBX)]].concat();
    let by_rehash = || {
        let mut captures = typed();
        // A table that is not full does not split.
        let filter = Some(Filter::from(captures.len(), FULL_TABLE, None));
        captures.push(Capture::load(RAX, &[2], 2));
        Hook { filter, ..hook(SPLIT, REHASH, captures) }
    };
    match (is_whole(TABLE_SPLIT), is_whole(INSTALL_SPLIT), is_whole(REHASH)) {
        (false, true, _) => hook(SPLIT, INSTALL_SPLIT, swiss(RAX)),
        (false, false, true) => by_rehash(),
        // None is whole: the refusal names the first.
        (true, ..) | (false, false, false) => hook(SPLIT, TABLE_SPLIT, typed()),
    }
}

/// What a hit means depends on.
pub struct Rules<'a> {
    /// When a classic map doubles.
    pub load: LoadFactor,
    /// The bytes of a table of so many buckets or groups, of a map of the type at that address.
    pub table_bytes: &'a dyn Fn(Address, u64) -> Option<Bytes>,
}

/// By hand: a function has none.
impl fmt::Debug for Rules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load.fmt(f)
    }
}

/// What a hit of the hook of that name means.
#[must_use]
pub fn decode(hook: &str, hit: &Hit, rules: &Rules<'_>) -> Option<What> {
    match hook {
        GROW => classic_grew(hit, rules).map(What::Grow),
        SPLIT => swiss_split(hit, rules).map(What::Grow),
        CLEAR => Some(What::Clear(Clear {
            map: Address(hit.value(MAP)?),
            live: hit.value(LIVE),
            stack: hit.stack,
        })),
        LARGE => Some(managed(ManagedEvent::LargeObject, hit.value(0), hit)),
        EXTEND => {
            let bytes = hit.value(0).map(|pages| pages.saturating_mul(PAGE));
            Some(managed(ManagedEvent::HeapExtends, bytes, hit))
        }
        _ => HAPPENINGS.iter().find(|(name, ..)| *name == hook).map(|(.., event)| managed(*event, None, hit)),
    }
}

fn managed(event: ManagedEvent, bytes: Option<u64>, hit: &Hit) -> What {
    What::Managed(Managed { event, bytes: bytes.map(Bytes), stack: hit.stack })
}

/// A full table makes way for two (`split`, src/internal/runtime/maps/table.go).
fn swiss_split(hit: &Hit, rules: &Rules<'_>) -> Option<Grow> {
    let table = hit.value(TYPE).and_then(|at| (rules.table_bytes)(Address(at), FULL_GROUPS));
    Some(Grow {
        map: Address(hit.value(MAP)?),
        kind: GrowthKind::Split,
        from: FULL_GROUPS,
        to: 2 * FULL_GROUPS,
        live: hit.value(LIVE),
        bytes: table.map(|bytes| bytes + bytes),
        stack: hit.stack,
    })
}

/// `hashGrow` doubles a map that is over its load factor, and rebuilds one of the same size else
/// (src/runtime/map.go).
fn classic_grew(hit: &Hit, rules: &Rules<'_>) -> Option<Grow> {
    let (count, shift) = (hit.value(LIVE)?, hit.value(SIZE)?);
    let from = 1_u64.checked_shl(u32::try_from(shift).ok()?).filter(|_| shift < 48)?;
    let doubles = rules.load.is_exceeded_by(count.saturating_add(1), from);
    let to = if doubles { 2 * from } else { from };
    Some(Grow {
        map: Address(hit.value(MAP)?),
        kind: if doubles { GrowthKind::Double } else { GrowthKind::SameSize },
        from,
        to,
        live: Some(count),
        bytes: hit.value(TYPE).and_then(|at| (rules.table_bytes)(Address(at), to)),
        stack: hit.stack,
    })
}

/// Entries per two buckets of a classic map beyond which it doubles (`loadFactorNum`, src/runtime/map.go):
/// 13, but 12 in 1.20 and 1.21, where `8 * 13 / 16` is divided before it is doubled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadFactor(pub u64);

impl LoadFactor {
    /// `overLoadFactor`.
    #[must_use]
    pub const fn is_exceeded_by(self, count: u64, buckets: u64) -> bool {
        count > 8 && count > self.0.saturating_mul(buckets / 2)
    }

    /// The most entries that 2^`shift` buckets take without growth; `None`: more than there can be.
    #[must_use]
    pub fn most(self, shift: u32) -> Option<u64> {
        let buckets = 1_u64.checked_shl(shift)?;
        Some(self.0.checked_mul(buckets / 2)?.max(8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact::StackId;
    use crate::audit::unit::Nanos;

    fn hit(values: &[u64]) -> Hit {
        let mut all = [0; auditor_ebpf::CAPTURES];
        all[..values.len()].copy_from_slice(values);
        Hit {
            at: Nanos(9),
            values: all,
            failed: 0,
            returned: None,
            took: None,
            stack: Some(StackId(4)),
            header: None,
        }
    }

    fn hooks(kind: Kind, inlined: &[&str]) -> Vec<Hook> {
        all(kind, |name| !inlined.contains(&name))
    }

    fn rules(load: u64) -> Rules<'static> {
        Rules { load: LoadFactor(load), table_bytes: &|_, groups| Some(Bytes(100 * groups)) }
    }

    fn symbol_of(name: &str, hooks: &[Hook]) -> String {
        hooks.iter().find(|hook| hook.name == name).unwrap().spot.shown().to_owned()
    }

    #[test]
    fn a_split_that_is_inlined_is_seen_where_it_is_not() {
        let at = |inlined: &[&str]| symbol_of(SPLIT, &hooks(Kind::Swiss, inlined));
        assert_eq!(at(&[]), TABLE_SPLIT);
        assert_eq!(at(&[TABLE_SPLIT]), INSTALL_SPLIT);
        assert_eq!(at(&[TABLE_SPLIT, INSTALL_SPLIT]), REHASH);
        assert_eq!(at(&[TABLE_SPLIT, INSTALL_SPLIT, REHASH]), TABLE_SPLIT);
    }

    #[test]
    fn a_rehash_counts_only_where_the_table_is_full_and_so_splits() {
        let hooks = hooks(Kind::Swiss, &[TABLE_SPLIT, INSTALL_SPLIT]);
        let rehash = hooks.iter().find(|hook| hook.name == SPLIT).unwrap();
        let filter = rehash.filter.clone().unwrap();
        assert_eq!(rehash.captures[filter.capture], Capture::load(RAX, &[2], 2));
        assert_eq!(filter.at_least, 1024);
    }

    #[test]
    fn a_filter_that_leaves_growths_out_says_so() {
        let said = |kind, name| {
            let hooks = hooks(kind, &[TABLE_SPLIT, INSTALL_SPLIT]);
            hooks.iter().find(|hook| hook.name == name).unwrap().filter.clone().unwrap().leaves_out
        };
        assert!(said(Kind::Bucket, GROW).unwrap().contains("fewer than 2^8 buckets (2,048 slots)"));
        assert_eq!(said(Kind::Swiss, SPLIT), None, "a table that is not full does not split");
    }

    #[test]
    fn every_hook_is_rare_of_its_own_name_and_at_the_entry_alone() {
        for kind in [Kind::Bucket, Kind::Swiss] {
            let hooks = hooks(kind, &[]);
            let names: std::collections::BTreeSet<_> = hooks.iter().map(|hook| hook.name.clone()).collect();
            assert_eq!(names.len(), hooks.len());
            assert!(hooks.iter().all(|hook| hook.heat == Heat::Rare && hook.when == When::Entry));
            assert!(hooks.iter().all(|hook| decode(&hook.name, &hit(&[1, 2, 8]), &rules(13)).is_some()));
        }
    }

    #[test]
    fn a_classic_map_over_its_load_factor_doubles_and_another_is_rebuilt() {
        let grew = |count, shift, load| {
            let Some(What::Grow(grow)) = decode(GROW, &hit(&[0x100, count, shift]), &rules(load)) else {
                panic!()
            };
            (grow.kind, grow.from, grow.to)
        };
        assert_eq!(grew(1664, 8, 13), (GrowthKind::Double, 256, 512));
        assert_eq!(grew(1663, 8, 13), (GrowthKind::SameSize, 256, 256));
        assert_eq!(grew(1536, 8, 12), (GrowthKind::Double, 256, 512), "as 1.21 counts");
    }

    #[test]
    fn new_tables_are_as_large_as_the_maps_type_says() {
        let bytes = |hook, values: &[u64]| match decode(hook, &hit(values), &rules(13)) {
            Some(What::Grow(grow)) => grow.bytes,
            other => panic!("{other:?}"),
        };
        assert_eq!(bytes(GROW, &[0x100, 1664, 8, 0x7000]), Some(Bytes(51_200)));
        assert_eq!(bytes(SPLIT, &[0x100, 896, 1, 0x7000]), Some(Bytes(25_600)));
    }

    #[test]
    fn what_a_register_cannot_mean_is_no_growth() {
        assert_eq!(decode(GROW, &hit(&[0x100, 5, 63]), &rules(13)), None);
        assert_eq!(decode(GROW, &hit(&[0x100, 5, u64::MAX]), &rules(13)), None);
        assert_eq!(decode("go_unknown", &hit(&[1]), &rules(13)), None);
    }

    #[test]
    fn the_heap_extends_by_pages() {
        let Some(What::Managed(managed)) = decode(EXTEND, &hit(&[512]), &rules(13)) else { panic!() };
        assert_eq!((managed.event, managed.bytes), (ManagedEvent::HeapExtends, Some(Bytes(4 << 20))));
    }
}
