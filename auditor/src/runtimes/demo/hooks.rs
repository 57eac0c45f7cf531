//! Where to look at the demo map, and what a hit means. Arguments are in the registers of the System
//! V ABI; of an argument narrower than 64 bits only the low 32 bits are defined.

use auditor_ebpf::source::{RCX, RDI, RDX, RSI};

use super::layout;
use crate::audit::fact::{Allocate, Free, Grow, GrowthKind, Part, What};
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::hook::{Capture, Does, Header, Heat, Hit, Hook, Nulls, Spot, Stack, Watch, When};

/// A table is asked for.
pub(super) const ALLOCATE: &str = "demo_map_allocate";
/// A growth starts.
pub(super) const GROW: &str = "demo_map_grow";
/// An old bucket is moved.
pub(super) const EVACUATE: &str = "demo_map_evacuate";
/// A table is let go.
pub(super) const FREE: &str = "demo_map_free";
/// Every function; hooks are called as their functions are.
pub(super) const SYMBOLS: [&str; 4] = [ALLOCATE, GROW, EVACUATE, FREE];

/// Which capture of each hook is the map.
const MAP: usize = 0;

pub(super) fn all() -> Vec<Hook> {
    let map = Capture::register(RDI);
    let rare = |name: &'static str, captures| Hook {
        name: name.into(),
        spot: Spot::Function(name.to_owned()),
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
    };
    let registers = [RSI, RDX, RCX].map(Capture::register);
    let live = Capture::load(RDI, &[layout::LIVE], 8);
    vec![
        Hook {
            when: When::EntryAndReturn,
            watch: Watch::AtExit,
            ..rare(ALLOCATE, vec![map, registers[0], registers[1]])
        },
        rare(GROW, vec![map, registers[0], registers[1], registers[2], live]),
        Hook { heat: Heat::Hot, does: Does::Count, stack: Stack::Leave, ..rare(EVACUATE, vec![map]) },
        Hook {
            stack: Stack::Leave,
            header: Header::Copy,
            ..rare(FREE, vec![map, registers[0], registers[1]])
        },
    ]
}

pub(super) fn decode(hook: &str, hit: &Hit) -> Option<What> {
    match hook {
        ALLOCATE => allocate(hit).map(What::Allocate),
        GROW => grow(hit).map(What::Grow),
        FREE => free(hit).map(What::Free),
        _ => None,
    }
}

fn allocate(hit: &Hit) -> Option<Allocate> {
    let table = hit.returned.filter(|&table| table != 0).map(Address);
    Some(Allocate {
        map: Address(hit.value(MAP)?),
        table,
        bytes: Bytes(hit.value(1)?),
        part: part(hit.value(2)?)?,
        stack: hit.stack,
        took: hit.took,
    })
}

fn grow(hit: &Hit) -> Option<Grow> {
    Some(Grow {
        map: Address(hit.value(MAP)?),
        kind: kind(hit.value(1)?)?,
        from: layout::buckets(low(hit.value(2)?))?,
        to: layout::buckets(low(hit.value(3)?))?,
        live: hit.value(4),
        bytes: None,
        stack: hit.stack,
    })
}

fn free(hit: &Hit) -> Option<Free> {
    let map = Address(hit.value(MAP)?);
    // A header that is no map's is no reason to lose the event.
    let shape = hit.header.and_then(|header| layout::look(map, &header).ok()).map(Box::new);
    Some(Free { map, table: Address(hit.value(1)?), bytes: Bytes(hit.value(2)?), shape })
}

fn part(argument: u64) -> Option<Part> {
    match low(argument) {
        0 => Some(Part::Buckets),
        1 => Some(Part::Overflow),
        _ => None,
    }
}

fn kind(argument: u64) -> Option<GrowthKind> {
    match low(argument) {
        1 => Some(GrowthKind::Double),
        2 => Some(GrowthKind::SameSize),
        3 => Some(GrowthKind::Shrink),
        _ => None,
    }
}

/// The defined half of a register.
const fn low(argument: u64) -> u32 {
    (argument & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact::StackId;
    use crate::audit::unit::Nanos;

    const GARBAGE: u64 = 0xdead_0000_0000;

    fn hit(values: &[u64]) -> Hit {
        let mut all = [0; auditor_ebpf::CAPTURES];
        all[..values.len()].copy_from_slice(values);
        let (stack, took, returned) = (Some(StackId(4)), Some(Nanos(900)), Some(0x9000));
        Hit { at: Nanos(9), values: all, failed: 0, returned, took, stack, header: None }
    }

    #[test]
    fn each_hook_is_named_as_its_symbol_and_its_key_is_captured() {
        let hooks = all();
        assert_eq!(hooks.iter().map(|hook| hook.name.clone()).collect::<Vec<_>>(), SYMBOLS);
        for hook in hooks {
            assert_eq!(hook.spot.shown(), hook.name);
            assert!(hook.key < hook.captures.len() && hook.captures.len() <= auditor_ebpf::CAPTURES);
            assert!(hook.captures.iter().all(|capture| capture.loads <= auditor_ebpf::STEPS));
        }
    }

    #[test]
    fn an_allocation_carries_the_table_that_was_returned() {
        let Some(What::Allocate(fact)) = decode(ALLOCATE, &hit(&[0x100, 1152, GARBAGE | 1])) else {
            panic!()
        };
        assert_eq!((fact.map, fact.table), (Address(0x100), Some(Address(0x9000))));
        assert_eq!((fact.bytes, fact.part, fact.took), (Bytes(1152), Part::Overflow, Some(Nanos(900))));
        let failed = Hit { returned: Some(0), ..hit(&[0x100, 1152, 0]) };
        let Some(What::Allocate(fact)) = decode(ALLOCATE, &failed) else { panic!() };
        assert_eq!(fact.table, None);
    }

    #[test]
    fn a_growth_counts_buckets_and_says_when_live_could_not_be_read() {
        let Some(What::Grow(fact)) = decode(GROW, &hit(&[0x100, GARBAGE | 1, 3, 4, 53])) else { panic!() };
        assert_eq!((fact.kind, fact.from, fact.to, fact.live), (GrowthKind::Double, 8, 16, Some(53)));
        let unread = Hit { failed: 1 << 4, ..hit(&[0x100, 3, 4, 3, 0]) };
        let Some(What::Grow(fact)) = decode(GROW, &unread) else { panic!() };
        assert_eq!((fact.kind, fact.live), (GrowthKind::Shrink, None));
    }

    #[test]
    fn arguments_that_cannot_be_are_no_fact() {
        assert_eq!(decode(ALLOCATE, &hit(&[0x100, 1152, 2])), None);
        assert_eq!(decode(GROW, &hit(&[0x100, 4, 3, 4])), None);
        assert_eq!(decode(GROW, &hit(&[0x100, 1, 3, 41])), None);
        assert_eq!(decode("demo_map_other", &hit(&[0x100])), None);
        let unread = Hit { failed: 1, ..hit(&[0x100, 1, 0]) };
        assert!(SYMBOLS.iter().all(|name| decode(name, &unread).is_none()));
    }

    #[test]
    fn a_freed_table_brings_the_whole_shape_when_the_header_could_be_copied() {
        let header = layout::tests::header();
        let with = Hit { header: Some(header), ..hit(&[0x100, 0x7000, 144 * 8]) };
        let Some(What::Free(fact)) = decode(FREE, &with) else { panic!() };
        assert_eq!(fact.shape.as_deref(), Some(&layout::look(Address(0x100), &header).unwrap()));
        let Some(What::Free(fact)) = decode(FREE, &hit(&[0x100, 0x7000, 144 * 8])) else { panic!() };
        assert_eq!((fact.table, fact.bytes, fact.shape), (Address(0x7000), Bytes(1152), None));
        let garbage = Hit { header: Some([0xff; 128]), ..with };
        assert!(matches!(decode(FREE, &garbage), Some(What::Free(Free { shape: None, .. }))));
    }
}
