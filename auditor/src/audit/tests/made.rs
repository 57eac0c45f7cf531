//! Facts made by hand, and audits that are under way.

use crate::audit::Audit;
use crate::audit::fact::{
    Allocate, Began, Call, Evacuate, Fact, Free, Grow, GrowthKind, Hook, HookState, Look, Memory, Occasion,
    Part, Rss, RssMember, Runtime, Shape, Syscall, What,
};
use crate::audit::report::{Map, Report};
use crate::audit::unit::{Address, Bytes, Nanos, Pid};

/// A map.
pub(super) const MAP: u64 = 0xa000;
/// A second, in nanoseconds.
pub(super) const SECOND: u64 = 1_000_000_000;

/// The hooks of the demo map and the syscall tracepoint.
pub(super) const HOOKS: [&str; 5] =
    ["demo_map_allocate", "demo_map_grow", "demo_map_evacuate", "demo_map_free", "sys_exit"];

/// An audit that saw the target's first instruction, with every hook in place.
pub(in crate::audit) fn under_way() -> Audit {
    with_hooks(&HOOKS)
}

/// The same, but maps that never held `min_bytes` are folded.
pub(in crate::audit) fn folding(min_bytes: u64) -> Audit {
    let mut audit = Audit::new();
    audit.apply(&fact(0, began(min_bytes)));
    audit.apply(&fact(0, What::Runtime(runtime(Some(true)))));
    for (name, id) in HOOKS.iter().zip(0..) {
        audit.apply(&fact(0, What::Hook(hook(id, name, HookState::Attached))));
    }
    audit
}

/// An audit with these hooks in place.
pub(in crate::audit) fn with_hooks(names: &[&str]) -> Audit {
    let mut audit = Audit::new();
    audit.apply(&fact(0, began(0)));
    audit.apply(&fact(0, What::Runtime(runtime(Some(true)))));
    for (name, id) in names.iter().zip(0..) {
        audit.apply(&fact(0, What::Hook(hook(id, name, HookState::Attached))));
    }
    audit
}

/// Applies facts at their times and draws the report.
pub(in crate::audit) fn told(mut audit: Audit, facts: impl IntoIterator<Item = (u64, What)>) -> Report {
    for (at, what) in facts {
        audit.apply(&fact(at, what));
    }
    audit.report()
}

/// The only map listed.
pub(in crate::audit) fn only_map(report: &Report) -> &Map {
    assert_eq!(report.maps.len(), 1, "one map is listed");
    &report.maps[0]
}

pub(in crate::audit) fn fact(at: u64, what: What) -> Fact {
    Fact { at: Nanos(at), thread: None, what }
}

pub(in crate::audit) fn began(min_bytes: u64) -> What {
    What::Began(Box::new(Began {
        auditor: "1.2.3".to_owned(),
        kernel: "6.18.0".to_owned(),
        arch: "x86_64".to_owned(),
        page_size: Bytes(4096),
        cpus: 2,
        pid: Pid(7),
        comm: "demo".to_owned(),
        exe: "/bin/demo".to_owned(),
        build_id: None,
        wall: 0,
        from_start: true,
        min_bytes: Bytes(min_bytes),
        rss_step: Bytes(4096),
    }))
}

pub(in crate::audit) fn runtime(verified: Option<bool>) -> Runtime {
    Runtime { name: "demo".to_owned(), version: None, evidence: "a symbol".to_owned(), verified }
}

pub(in crate::audit) fn hook(id: u32, name: &str, state: HookState) -> Hook {
    Hook { id, name: name.to_owned(), place: name.to_owned(), state, reason: None, cost_per_hit: Nanos(100) }
}

pub(in crate::audit) fn allocate(table: u64, bytes: u64) -> What {
    What::Allocate(asked_for(table, bytes))
}

pub(in crate::audit) fn overflow(table: u64, bytes: u64) -> What {
    What::Allocate(Allocate { part: Part::Overflow, ..asked_for(table, bytes) })
}

pub(in crate::audit) fn asked_for(table: u64, bytes: u64) -> Allocate {
    Allocate {
        map: Address(MAP),
        table: Some(Address(table)),
        bytes: Bytes(bytes),
        part: Part::Buckets,
        stack: None,
        took: None,
    }
}

pub(in crate::audit) fn grow(kind: GrowthKind, from: u64, to: u64) -> What {
    What::Grow(Grow { map: Address(MAP), kind, from, to, live: None, bytes: None, stack: None })
}

pub(in crate::audit) fn evacuate(moved: u64) -> What {
    What::Evacuate(Evacuate { map: Address(MAP), moved })
}

pub(in crate::audit) fn free(table: u64, bytes: u64, shape: Option<Shape>) -> What {
    What::Free(Free {
        map: Address(MAP),
        table: Address(table),
        bytes: Bytes(bytes),
        shape: shape.map(Box::new),
    })
}

/// The last free of a map: it says that it is dropped.
pub(in crate::audit) fn last_free(table: u64, bytes: u64) -> What {
    free(table, bytes, Some(Shape { dropped: true, ..shape(table, bytes + 128, 0) }))
}

pub(in crate::audit) fn look(occasion: Occasion, shape: Shape) -> What {
    What::Look(Look {
        map: Address(MAP),
        occasion,
        runtime: "demo".to_owned(),
        shape: shape.into(),
        name: None,
    })
}

pub(in crate::audit) fn shape(table: u64, allocated: u64, live: u64) -> Shape {
    Shape { live, table: Some(Address(table)), allocated: Bytes(allocated), ..Shape::default() }
}

pub(in crate::audit) fn gone() -> What {
    What::Gone { map: Address(MAP) }
}

pub(in crate::audit) fn mmap(address: u64, bytes: u64) -> What {
    What::Syscall(Syscall {
        call: Call::Mmap,
        address: Address(address),
        bytes: Bytes(bytes),
        old: None,
        advice: None,
        failed: None,
    })
}

pub(in crate::audit) fn anon(bytes: u64) -> What {
    What::Rss(Rss { member: RssMember::Anon, bytes: Bytes(bytes), external: false })
}

pub(in crate::audit) fn memory(anon: u64) -> What {
    What::Memory(Memory { anon: Bytes(anon), ..Memory::default() })
}

/// A map as the report lists it.
pub(crate) fn listed(address: u64) -> Map {
    let what = What::Look(Look {
        map: Address(address),
        occasion: Occasion::AtAttach,
        runtime: "demo".to_owned(),
        shape: shape(0x10, 1000, 3).into(),
        name: None,
    });
    only_map(&told(under_way(), [(1, what)])).clone()
}
