//! Facts that no target would tell: any order, any number, addresses that meet on purpose. The core
//! must not panic, and what it says must still add up.

use proptest::prelude::*;

use super::made::{HOOKS, began, hook, runtime};
use crate::audit::Audit;
use crate::audit::fact::{
    Allocate, Call, Charge, Counted, Crowd, Cycle, Described, Ended, Evacuate, Fact, Faults, Free, Grow,
    GrowthKind, Heap, HookState, Left, Look, Lost, Member, Memory, Next, Occasion, Pages, Part, Pressure,
    Progress, Resident, Rss, RssMember, Shape, Shares, Sight, SizeClass, Sizes, SizesId, Stack, StackId,
    Stalls, Step, Syscall, What,
};
use crate::audit::family::Family;
use crate::audit::report::Report;
use crate::audit::unit::{Address, Bytes, Nanos, Pid, Tid};

// The strategies are boxed: as plain types they nest so deep that their values overflow a stack.

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![6 => 0_u64..20, 2 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn bytes() -> impl Strategy<Value = Bytes> {
    number().prop_map(Bytes)
}

fn address() -> impl Strategy<Value = Address> {
    prop_oneof![12 => 0_u64..5, 1 => any::<u64>()].prop_map(Address)
}

fn shape() -> BoxedStrategy<Shape> {
    let counted = (number(), number(), number(), number())
        .prop_map(|(insert, delete, grow, evacuate)| Counted { insert, delete, grow, evacuate });
    let progress = (number(), number()).prop_map(|(moved, total)| Progress { moved, total });
    let sizes = (number(), number(), bytes(), bytes(), prop::option::of(bytes()));
    let tables = (prop::option::of(address()), prop::option::of(address()));
    let rest = (prop::option::of(progress), prop::option::of(counted), any::<bool>());
    let shape = (sizes, tables, rest).prop_map(|(sizes, tables, (evacuation, counted, dropped))| Shape {
        live: sizes.0,
        capacity: sizes.1,
        tombstones: Some(sizes.0),
        overflow: None,
        table: tables.0,
        old_table: tables.1,
        allocated: sizes.2,
        old_bytes: sizes.3,
        entries: sizes.4.unwrap_or_default(),
        behind: sizes.3,
        needed: sizes.4,
        evacuation,
        counted,
        dropped,
        next: sizes.4.map(|tables| Next { at_live: sizes.0, tables, slots: sizes.1 }),
        sizes: sizes.4.map(|_| SizesId(1)),
    });
    shape.boxed()
}

fn kind() -> impl Strategy<Value = GrowthKind> {
    prop::sample::select(vec![
        GrowthKind::First,
        GrowthKind::Double,
        GrowthKind::SameSize,
        GrowthKind::Shrink,
        GrowthKind::Split,
        GrowthKind::Other,
    ])
}

fn map_event() -> BoxedStrategy<What> {
    let stack = || prop::option::of((0_u32..3).prop_map(StackId));
    let part = prop::sample::select(vec![Part::Buckets, Part::Overflow]);
    let took = prop::option::of(number().prop_map(Nanos));
    let allocate = (address(), prop::option::of(address()), bytes(), part, stack(), took).prop_map(
        |(map, table, bytes, part, stack, took)| {
            What::Allocate(Allocate { map, table, bytes, part, stack, took })
        },
    );
    let grow = (address(), kind(), number(), number(), prop::option::of(number()), stack()).prop_map(
        |(map, kind, from, to, live, stack)| {
            What::Grow(Grow { map, kind, from, to, live, bytes: live.map(Bytes), stack })
        },
    );
    let evacuate = (address(), number()).prop_map(|(map, moved)| What::Evacuate(Evacuate { map, moved }));
    let free = (address(), address(), bytes(), prop::option::of(shape().prop_map(Box::new)))
        .prop_map(|(map, table, bytes, shape)| What::Free(Free { map, table, bytes, shape }));
    prop_oneof![4 => allocate, 3 => grow, 2 => evacuate, 4 => free].boxed()
}

fn reading() -> BoxedStrategy<What> {
    let occasions = vec![Occasion::AtAttach, Occasion::Poll, Occasion::AtExit, Occasion::Census];
    let occasion = prop::sample::select(occasions);
    let name = prop::option::of("[a-zé]{0,300}");
    let look =
        (address(), occasion, "[ab]", shape(), name).prop_map(|(map, occasion, runtime, shape, name)| {
            What::Look(Look { map, occasion, runtime, shape: shape.into(), name })
        });
    let memory = (bytes(), bytes(), bytes(), bytes(), prop::option::of(bytes())).prop_map(
        |(anon, file, shmem, swap, peak)| What::Memory(Memory { anon, file, shmem, swap, peak, limit: peak }),
    );
    let lost = ("[abc]", number()).prop_map(|(source, count)| What::Lost(Lost { source, count }));
    let hits = (0_u32..9, number()).prop_map(|(hook, hits)| What::Hits { hook, hits });
    let gone = address().prop_map(|map| What::Gone { map });
    let note = "[a-zé]{0,40}".prop_map(What::Note);
    let pages =
        |bytes| Pages { asked: bytes, present: bytes, huge: Some(bytes), shared: bytes, swapped: bytes };
    let resident = (address(), bytes(), bytes()).prop_map(move |(map, current, old)| {
        What::Resident(
            Resident { map, current: pages(current), old: pages(old), rest: pages(current) }.into(),
        )
    });
    let lazily = bytes().prop_map(What::LazilyFreed);
    let charge = |current, max| Charge { current, max, high: max, ..Charge::default() };
    let pressure = (prop::option::of(bytes()), prop::option::of(bytes())).prop_map(move |(current, max)| {
        let stalls = current.map(|bytes| Stalls { some: Nanos(bytes.0), ..Stalls::default() });
        What::Pressure(Pressure { group: Some(charge(current, max)), stalls, available: max }.into())
    });
    prop_oneof![
        5 => look, 2 => memory, 1 => lost, 1 => hits, 2 => gone, 1 => note, 3 => Just(What::Tick),
        3 => resident, 1 => lazily, 1 => pressure
    ]
    .boxed()
}

fn census() -> BoxedStrategy<What> {
    let text = || prop::option::of("[a-zé]{0,3}");
    let described = (address(), text(), text(), prop::option::of(any::<bool>())).prop_map(
        |(map, type_name, owner, reachable)| {
            let candidates = owner.clone().into_iter().collect();
            What::Described(Box::new(Described { map, type_name, candidates, owner, reachable }))
        },
    );
    let sizes = prop::array::uniform5(number());
    let crowd = ("[ab]", text(), sizes, prop::option::of(any::<bool>()), prop::option::of(number()))
        .prop_map(|(runtime, type_name, [maps, live, capacity, allocated, near_empty], reachable, more)| {
            Crowd {
                runtime,
                owner: type_name.clone(),
                type_name,
                reachable,
                maps: maps % 50,
                live,
                capacity,
                allocated: Bytes(allocated),
                needed: more.map(Bytes),
                near_empty,
                over_presized: more,
            }
        });
    let crowds = prop::collection::vec(crowd, 0..6).prop_map(What::Crowds);
    let heap = ("[ab]", prop::array::uniform5(prop::option::of(bytes())), number(), number()).prop_map(
        |(runtime, [in_use, allocated, free, released, stacks], cycles, pause)| {
            let class = SizeClass { objects: cycles, used: Bytes(pause), ..SizeClass::default() };
            let pause_total = Some(Nanos(pause));
            let sizes = Heap { in_use, allocated, free, released, stacks, ..Heap::default() };
            What::Heap(Box::new(Heap {
                runtime,
                cycles: Some(cycles),
                pause_total,
                classes: vec![class; 3],
                ..sizes
            }))
        },
    );
    let cycle =
        (number(), number()).prop_map(|(number, pause)| What::Cycle(Cycle { number, pause: Nanos(pause) }));
    let born = number().prop_map(What::Born);
    prop_oneof![4 => described, 1 => crowds, 2 => heap, 2 => cycle, 1 => born].boxed()
}

fn kernel_event() -> BoxedStrategy<What> {
    let members = vec![RssMember::File, RssMember::Anon, RssMember::Swap, RssMember::Shmem];
    let rss = (prop::sample::select(members), bytes(), any::<bool>())
        .prop_map(|(member, bytes, external)| What::Rss(Rss { member, bytes, external }));
    let calls = vec![Call::Mmap, Call::Munmap, Call::Mremap, Call::Brk, Call::Madvise];
    let advice = prop::option::of(0_u32..200);
    let failed = prop::option::of(Just(12));
    let syscall = (prop::sample::select(calls), address(), bytes(), advice, failed).prop_map(
        |(call, address, bytes, advice, failed)| {
            What::Syscall(Syscall { call, address, bytes, old: None, advice, failed })
        },
    );
    let task = prop::sample::select(vec![What::Exec, What::Exit, What::OomMark]);
    let faults = (number(), number()).prop_map(|(minor, major)| What::Faults(Faults { minor, major }));
    prop_oneof![4 => rss, 4 => syscall, 1 => task, 1 => faults].boxed()
}

fn of_family() -> BoxedStrategy<What> {
    let pid = || (7_u32..11).prop_map(Pid);
    let sight = prop::sample::select(vec![Sight::Asked, Sight::Found, Sight::Forked]);
    let member = (pid(), prop::option::of(pid()), sight).prop_map(|(pid, parent, sight)| {
        What::Member(Box::new(Member { pid, parent, comm: "demo".to_owned(), sight }))
    });
    let left = vec![Left::Exited, Left::Replaced, Left::Unread("no right".to_owned())];
    let left = prop::sample::select(left).prop_map(What::Left);
    let shares =
        (bytes(), bytes(), bytes(), bytes(), bytes()).prop_map(|(rss, private, anon, file, shmem)| {
            What::Shares(Shares { rss, private, anon, file, shmem })
        });
    prop_oneof![3 => member, 3 => pid().prop_map(What::Of), 1 => left, 2 => shares].boxed()
}

fn frame() -> BoxedStrategy<What> {
    let state = prop::sample::select(vec![HookState::Attached, HookState::Refused, HookState::Disabled]);
    let hook = (0_u32..9, prop::sample::select(HOOKS.to_vec()), state)
        .prop_map(|(id, name, state)| What::Hook(hook(id, name, state)));
    let runtime = prop::option::of(any::<bool>()).prop_map(|verified| What::Runtime(runtime(verified)));
    let stack =
        (0_u32..3).prop_map(|id| What::Stack(Stack { id: StackId(id), frames: vec!["main".to_owned()] }));
    let ends = vec![began(0), began(50), What::Ended(Ended::Stopped), What::Ended(Ended::OneLook)];
    let ends = prop::sample::select(ends);
    let step = (number(), number(), number(), bytes(), prop::option::of(bytes())).prop_map(
        |(live, slots, tables, bytes, beside)| Step {
            live,
            slots,
            tables,
            bytes,
            spare: slots,
            together: tables,
            beside,
        },
    );
    let sizes = (bytes(), prop::option::of(bytes()), prop::collection::vec(step, 0..5)).prop_map(
        |(header, slot, steps)| {
            What::Sizes(Box::new(Sizes {
                id: SizesId(1),
                header,
                slot,
                behind: header,
                overflow: slot,
                listed: header,
                steps,
            }))
        },
    );
    prop_oneof![3 => hook, 1 => runtime, 1 => stack, 1 => ends, 1 => sizes].boxed()
}

pub(super) fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let what =
        prop_oneof![8 => map_event(), 4 => reading(), 3 => kernel_event(), 3 => census(), 1 => frame()];
    let at = prop_oneof![10 => 0_u64..100, 3 => 0_u64..5_000_000_000, 1 => any::<u64>()];
    let fact = (at, what).prop_map(|(at, what)| Fact { at: Nanos(at), thread: Some(Tid(1)), what });
    prop::collection::vec(fact, 0..150)
}

fn place_all_hooks(audit: &mut Audit) {
    for (name, id) in HOOKS.iter().zip(100..) {
        let what = What::Hook(hook(id, name, HookState::Attached));
        audit.apply(&Fact { at: Nanos(0), thread: None, what });
    }
}

fn assert_adds_up(audit: &Audit, report: &Report) {
    let rungs: u128 = report.memory.ladder.iter().map(|rung| u128::from(rung.bytes.0)).sum();
    assert_eq!(rungs, u128::from(report.memory.rss.last.unwrap_or_default().0));
    assert!(report.memory.rss.peak >= report.memory.rss.last);
    assert!(audit.lives.are_balanced());
    let listed = report.maps.iter().map(|map| map.tables);
    let folded = report.populations.iter().map(|row| row.tables);
    let (allocated, freed) = listed.chain(folded).fold((0, 0), |(allocated, freed), tables| {
        (allocated + tables.allocated.unwrap_or(0), freed + tables.freed.unwrap_or(0))
    });
    assert_eq!(Some(allocated), report.events.allocate);
    assert_eq!(Some(freed + audit.lives.oddities().stray_frees), report.events.free);
    let alive = report.maps.iter().filter(|map| map.died.is_none()).count() as u64
        + report.populations.iter().map(|row| row.alive).sum::<u64>();
    // What a census added up is no life that is followed.
    if audit.crowds.is_none() {
        assert_eq!(alive, audit.live_maps().count() as u64);
    }
    let fates = report.maps.iter().map(|map| (map.died.is_some(), map.reachable == Some(false)));
    assert!(fates.is_sorted(), "those that wait for the collector, then the dropped");
    assert!(report.maps.iter().all(|map| map.died.is_none() || map.reachable.is_none()));
    assert!(report.episodes.is_sorted_by_key(|episode| episode.start));
    assert!(serde_json::to_vec(report).is_ok());
}

proptest! {
    #[test]
    fn any_facts_give_a_report_that_adds_up(facts in facts()) {
        let mut audit = Audit::new();
        place_all_hooks(&mut audit);
        facts.iter().for_each(|fact| audit.apply(fact));
        assert_adds_up(&audit, &audit.report());
    }

    #[test]
    fn any_facts_of_a_family_give_a_report_that_adds_up(
        facts in facts(),
        more in prop::collection::vec((any::<prop::sample::Index>(), of_family()), 0..30),
    ) {
        let mut facts = facts;
        for (place, what) in more {
            let place = place.index(facts.len() + 1);
            let at = facts.get(place).map_or(Nanos(0), |fact| fact.at);
            facts.insert(place, Fact { at, thread: None, what });
        }
        let mut family = Family::new();
        facts.iter().for_each(|fact| family.apply(fact));
        let report = family.report();
        let rungs: u128 = report.memory.ladder.iter().map(|rung| u128::from(rung.bytes.0)).sum();
        prop_assert_eq!(rungs, u128::from(report.memory.rss.last.unwrap_or_default().0));
        prop_assert!(report.maps.iter().all(|map| map.pid.is_some() != report.members.is_empty()));
        prop_assert!(serde_json::to_vec(&report).is_ok());
    }

    #[test]
    fn a_report_drawn_at_any_point_changes_nothing_that_follows(
        facts in facts(),
        split in any::<prop::sample::Index>(),
    ) {
        let split = split.index(facts.len() + 1);
        let mut straight = Audit::new();
        facts.iter().for_each(|fact| straight.apply(fact));
        let mut broken = Audit::new();
        facts[..split].iter().for_each(|fact| broken.apply(fact));
        let _drawn = broken.report();
        let mut resumed = broken.clone();
        facts[split..].iter().for_each(|fact| resumed.apply(fact));
        let text = |audit: &Audit| serde_json::to_string(&audit.report()).unwrap();
        prop_assert_eq!(text(&resumed), text(&straight));
    }
}
