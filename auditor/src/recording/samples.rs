//! Facts for tests: one of each kind, and any fact there can be.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::audit::fact::{
    Allocate, Arenas, Began, Beside, Call, Charge, Clear, Cost, Counted, Crowd, Cycle, Described, Ended,
    Evacuate, Fact, Faults, Free, Grow, GrowthKind, Heap, Hook, HookState, Left, Look, Lost, Managed,
    ManagedEvent, Member, Memory, Next, Occasion, Pages, Part, Pressure, Progress, Resident, Rss, RssMember,
    Runtime, Shape, Shares, Sight, SizeClass, Sizes, SizesId, Stack, StackId, Stalls, Step, Syscall, What,
    Writer, Written,
};
use crate::audit::unit::{Address, Bytes, Nanos, Pid, Tid};

fn member(sight: Sight) -> Member {
    Member { pid: Pid(4712), parent: Some(Pid(4711)), comm: "text".to_owned(), sight }
}

fn shares([rss, private, anon, file, shmem]: [u64; 5]) -> Shares {
    let [rss, private, anon, file, shmem] = [rss, private, anon, file, shmem].map(Bytes);
    Shares { rss, private, anon, file, shmem }
}

/// One fact of each kind, every optional field filled in: what pins the encoding.
pub(super) fn one_of_each() -> Vec<Fact> {
    let text = || "text".to_owned();
    let (map, table, stack) = (Address(0xc000_1000), Address(0x7f00_0000_1000), StackId(3));
    let progress = Progress { moved: 5, total: 16 };
    let counted = Counted { insert: 900, delete: 100, grow: 7, evacuate: 60 };
    let shape = Shape {
        live: 800,
        capacity: 1024,
        tombstones: Some(12),
        overflow: Some(3),
        table: Some(table),
        old_table: Some(Address(0x7f00_0000_2000)),
        allocated: Bytes(30_000),
        old_bytes: Bytes(9_000),
        entries: Bytes(700),
        behind: Bytes(300),
        needed: Some(Bytes(20_000)),
        evacuation: Some(progress),
        counted: Some(counted),
        dropped: true,
        next: Some(Next { at_live: 900, tables: Bytes(60_000), slots: 2048 }),
        sizes: Some(SizesId(4)),
    };
    let began = Began {
        auditor: text(),
        kernel: text(),
        arch: text(),
        page_size: Bytes(4096),
        cpus: 2,
        pid: Pid(4711),
        comm: text(),
        exe: text(),
        build_id: Some(text()),
        wall: 1_763_694_000_000_000_000,
        from_start: true,
        min_bytes: Bytes(16_384),
        rss_step: Bytes(1 << 20),
    };
    let memory = Memory {
        anon: Bytes(1),
        file: Bytes(2),
        shmem: Bytes(3),
        swap: Bytes(4),
        peak: Some(Bytes(5)),
        limit: Some(Bytes(6)),
    };
    let hook = Hook {
        id: 1,
        name: text(),
        place: text(),
        state: HookState::Disabled,
        reason: Some(text()),
        cost_per_hit: Nanos(700),
    };
    let allocate = Allocate {
        map,
        table: Some(table),
        bytes: Bytes(2304),
        part: Part::Overflow,
        stack: Some(stack),
        took: Some(Nanos(90)),
    };
    let grow = Grow {
        map,
        kind: GrowthKind::Other,
        from: 128,
        to: 256,
        live: Some(833),
        bytes: Some(Bytes(9)),
        stack: Some(stack),
    };
    let syscall = Syscall {
        call: Call::Madvise,
        address: table,
        bytes: Bytes(8192),
        old: Some((map, Bytes(4096))),
        advice: Some(4),
        failed: Some(12),
    };
    let look = Look {
        map,
        occasion: Occasion::Census,
        runtime: text(),
        shape: shape.clone().into(),
        name: Some(text()),
    };
    let whats = [
        What::Began(Box::new(began)),
        What::Runtime(Runtime {
            name: text(),
            version: Some(text()),
            evidence: text(),
            verified: Some(true),
        }),
        What::Hook(hook),
        What::Allocate(allocate),
        What::Grow(grow),
        What::Evacuate(Evacuate { map, moved: 2 }),
        What::Free(Free { map, table, bytes: Bytes(1152), shape: Some(Box::new(shape)) }),
        What::Look(look),
        What::Gone { map },
        What::Stack(Stack { id: stack, frames: vec![text(), text()] }),
        What::Syscall(syscall),
        What::Rss(Rss { member: RssMember::Shmem, bytes: Bytes(77), external: true }),
        What::Fork { child: Pid(4712) },
        What::Exec,
        What::Exit,
        What::OomMark,
        What::Memory(memory),
        What::Lost(Lost { source: text(), count: 8 }),
        What::Hits { hook: 1, hits: 1_000_000 },
        What::Cost(Cost { agent_cpu: Nanos(1), agent_rss: Bytes(2), bpf_memory: Bytes(3) }),
        What::Note(text()),
        What::Tick,
        What::Ended(Ended::OneLook),
        What::Described(Box::new(described(map))),
        What::Crowds(vec![crowd()]),
        What::Heap(Box::new(heap())),
        What::Cycle(Cycle { number: 41, pause: Nanos(120_000) }),
        What::Managed(Managed {
            event: ManagedEvent::LargeObject,
            bytes: Some(Bytes(7)),
            stack: Some(stack),
        }),
        What::Clear(Clear { map, live: Some(5), stack: Some(stack) }),
        What::Born(25),
        What::Resident(Resident { map, current: pages(1), old: pages(2), rest: pages(3) }.into()),
        What::LazilyFreed(Bytes(4096)),
        What::Pressure(pressure(Some(9)).into()),
        What::Rules(text()),
        What::Beside(Beside {
            heap: Some(Bytes(9)),
            stack: None,
            data: Some(Bytes(8)),
            runtime: Some(Bytes(7)),
        }),
        What::Written(Box::new(written(Some(3)))),
        What::Sizes(Box::new(sizes(Some(9)))),
        What::Allocator(text()),
        What::Faults(Faults { minor: 1234, major: 5 }),
        What::Member(Box::new(member(Sight::Forked))),
        What::Of(Pid(4712)),
        What::Left(Left::Unread(text())),
        What::Shares(shares([1, 2, 3, 4, 5])),
        What::Arenas(arenas([6, 7, 8, 9])),
    ];
    let fact = |(n, what)| Fact { at: Nanos(1_000_000_000_000 + 1_000 * n), thread: Some(Tid(9)), what };
    (0_u64..).zip(whats).map(fact).collect()
}

fn arenas(numbers: [u64; 4]) -> Arenas {
    let [system, top, fast, binned] = numbers.map(Bytes);
    Arenas { arenas: 2, system, top, fast, binned, whole: top > fast }
}

fn pages(n: u64) -> Pages {
    let [asked, present, huge, shared, swapped] = [5, 4, 3, 2, 1].map(|more| Bytes(n.saturating_add(more)));
    Pages { asked, present, huge: n.is_multiple_of(2).then_some(huge), shared, swapped }
}

fn pressure(n: Option<u64>) -> Pressure {
    let bytes = n.map(Bytes);
    let charge = Charge {
        current: bytes,
        reclaimable: bytes,
        high: bytes,
        max: bytes,
        peak: bytes,
        high_events: n,
        max_events: n,
        oom_kills: n,
    };
    let stalls = n.map(|n| Stalls { some: Nanos(n), full: Nanos(n), of_group: n.is_multiple_of(2) });
    Pressure { group: n.map(|_| charge), stalls, available: bytes }
}

fn sizes(n: Option<u64>) -> Sizes {
    let bytes = n.map(Bytes);
    let step = Step {
        live: 7,
        slots: 8,
        tables: n.unwrap_or(1),
        bytes: Bytes(144),
        spare: 2,
        together: 1,
        beside: bytes,
    };
    Sizes {
        id: SizesId(4),
        header: Bytes(48),
        slot: bytes,
        behind: Bytes(16),
        overflow: bytes,
        listed: Bytes(9),
        steps: vec![step; 2],
    }
}

fn written(n: Option<u64>) -> Written {
    let writer = Writer { goroutine: n, writes: 2, threads: 1, site: n.map(|_| StackId(2)) };
    Written {
        map: Address(0xc000),
        from: Nanos(1),
        to: Nanos(2),
        cut_short: n.map(|n| n.to_string()),
        writes: n.unwrap_or(0),
        turns: 1,
        goroutines: n,
        writers: vec![writer; 2],
    }
}

fn described(map: Address) -> Described {
    let text = || "text".to_owned();
    Described {
        map,
        type_name: Some(text()),
        candidates: vec![text(), text()],
        owner: Some(text()),
        reachable: Some(true),
    }
}

fn crowd() -> Crowd {
    let text = || "text".to_owned();
    Crowd {
        runtime: text(),
        type_name: Some(text()),
        owner: Some(text()),
        reachable: Some(false),
        maps: 1000,
        live: 3000,
        capacity: 8000,
        allocated: Bytes(272_000),
        needed: Some(Bytes(90_000)),
        near_empty: 800,
        over_presized: Some(700),
    }
}

fn heap() -> Heap {
    let class =
        SizeClass { object: Bytes(48), pointer_free: true, objects: 5, used: Bytes(240), spans: Bytes(8192) };
    Heap {
        runtime: "text".to_owned(),
        in_use: Some(Bytes(1)),
        allocated: Some(Bytes(2)),
        free: Some(Bytes(3)),
        released: Some(Bytes(4)),
        live: Some(Bytes(5)),
        goal: Some(Bytes(6)),
        stacks: Some(Bytes(7)),
        percent: Some(100),
        limit: Some(Bytes(8)),
        cycles: Some(40),
        pause_total: Some(Nanos(9)),
        gives_back_lazily: Some(true),
        waits: Some(Bytes(9)),
        classes: vec![class],
    }
}

/// A million facts as a busy target gives them: growths with their tables, moves, RSS and looks, a
/// microsecond to a millisecond apart, over a thousand maps.
pub(super) fn busy(count: u64) -> impl Iterator<Item = Fact> {
    let mut at = 86_400_000_000_000_u64;
    (0..count).map(move |n| {
        let dice = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
        at += 1_000 + dice % 1_000_000;
        let map = Address(0xc000_0000_0000 + (dice >> 20) % 1_000 * 0x240);
        let table = Address(0x7f00_0000_0000 + (dice >> 32) % 100_000 * 0x2000);
        let stack = Some(StackId((dice >> 16) as u32 % 40));
        let buckets = 1 << (dice % 12);
        let bytes = Bytes(buckets * 144);
        let what = match n % 10 {
            0 => What::Grow(Grow {
                map,
                kind: GrowthKind::Double,
                from: buckets,
                to: buckets * 2,
                live: Some(buckets * 7),
                bytes: None,
                stack,
            }),
            1 | 2 => What::Allocate(Allocate {
                map,
                table: Some(table),
                bytes,
                part: Part::Buckets,
                stack,
                took: Some(Nanos(300 + dice % 5_000)),
            }),
            3 => What::Free(Free { map, table, bytes, shape: None }),
            4 => What::Rss(Rss { member: RssMember::Anon, bytes: Bytes(n * 4096), external: false }),
            5 => What::Look(Look {
                map,
                occasion: Occasion::Poll,
                runtime: "demo".to_owned(),
                shape: Box::new(Shape {
                    live: buckets * 6,
                    capacity: buckets * 8,
                    table: Some(table),
                    allocated: bytes,
                    needed: Some(bytes),
                    ..Shape::default()
                }),
                name: None,
            }),
            _ => What::Evacuate(Evacuate { map, moved: 1 + dice % 64 }),
        };
        Fact { at: Nanos(at), thread: Some(Tid(4711 + dice as u32 % 8)), what }
    })
}

/// Any fact there can be.
pub(super) fn any_fact() -> impl Strategy<Value = Fact> {
    (any::<u64>(), option::of(any::<u32>()), any_what()).prop_map(|(at, thread, what)| Fact {
        at: Nanos(at),
        thread: thread.map(Tid),
        what,
    })
}

fn any_what() -> impl Strategy<Value = What> {
    let address = || any::<u64>().prop_map(Address);
    let bytes = || any::<u64>().prop_map(Bytes);
    let text = || ".{0,20}";
    let table = (address(), bytes(), option::of(any_shape().prop_map(Box::new)));
    prop_oneof![
        any_began().prop_map(|began| What::Began(Box::new(began))),
        (text(), option::of(text()), text(), option::of(any::<bool>())).prop_map(
            |(name, version, evidence, verified)| What::Runtime(Runtime {
                name,
                version,
                evidence,
                verified
            })
        ),
        (any::<u32>(), text(), text(), option::of(text()), any::<u64>()).prop_map(
            |(id, name, place, reason, cost)| What::Hook(Hook {
                id,
                name,
                place,
                state: if reason.is_some() { HookState::Refused } else { HookState::Attached },
                reason,
                cost_per_hit: Nanos(cost),
            })
        ),
        (address(), option::of(address()), bytes(), any::<bool>(), option::of(any::<u64>())).prop_map(
            |(map, table, bytes, overflow, took)| What::Allocate(Allocate {
                map,
                table,
                bytes,
                part: if overflow { Part::Overflow } else { Part::Buckets },
                stack: table.map(|_| StackId(1)),
                took: took.map(Nanos),
            })
        ),
        (address(), any_growth(), any::<(u64, u64)>(), option::of(any::<u64>()), option::of(any::<u32>()))
            .prop_map(|(map, kind, (from, to), live, stack)| What::Grow(Grow {
                map,
                kind,
                from,
                to,
                live,
                bytes: live.map(Bytes),
                stack: stack.map(StackId)
            })),
        (address(), any::<u64>()).prop_map(|(map, moved)| What::Evacuate(Evacuate { map, moved })),
        (address(), table).prop_map(|(map, (table, bytes, shape))| What::Free(Free {
            map,
            table,
            bytes,
            shape
        })),
        (address(), text(), any_shape(), option::of(text())).prop_map(|(map, runtime, shape, name)| {
            What::Look(Look { map, occasion: Occasion::Poll, runtime, shape: shape.into(), name })
        }),
        address().prop_map(|map| What::Gone { map }),
        (any::<u32>(), vec(text(), 0..20))
            .prop_map(|(id, frames)| What::Stack(Stack { id: StackId(id), frames })),
        (address(), bytes(), option::of((address(), bytes())), option::of(any::<u32>())).prop_map(
            |(address, bytes, old, advice)| What::Syscall(Syscall {
                call: if old.is_some() { Call::Mremap } else { Call::Brk },
                address,
                bytes,
                old,
                advice,
                failed: advice,
            })
        ),
        (bytes(), any::<bool>()).prop_map(|(bytes, external)| What::Rss(Rss {
            member: RssMember::Anon,
            bytes,
            external
        })),
        any::<u32>().prop_map(|child| What::Fork { child: Pid(child) }),
        Just(What::Exec),
        Just(What::Exit),
        Just(What::OomMark),
        (bytes(), bytes(), bytes(), option::of(bytes())).prop_map(|(anon, file, swap, limit)| {
            What::Memory(Memory { anon, file, shmem: file, swap, peak: limit, limit })
        }),
        (text(), any::<u64>()).prop_map(|(source, count)| What::Lost(Lost { source, count })),
        any::<(u32, u64)>().prop_map(|(hook, hits)| What::Hits { hook, hits }),
        (bytes(), any::<u64>()).prop_map(|(agent_rss, cpu)| What::Cost(Cost {
            agent_cpu: Nanos(cpu),
            agent_rss,
            bpf_memory: agent_rss
        })),
        ".{0,200}".prop_map(What::Note),
        Just(What::Tick),
        Just(What::Ended(Ended::Stopped)),
        any_described().prop_map(|described| What::Described(Box::new(described))),
        vec(any_crowd(), 0..20).prop_map(What::Crowds),
        any_heap().prop_map(|heap| What::Heap(Box::new(heap))),
        any::<(u64, u64)>().prop_map(|(number, pause)| What::Cycle(Cycle { number, pause: Nanos(pause) })),
        option::of(any::<u64>()).prop_map(|bytes| What::Managed(Managed {
            event: if bytes.is_some() { ManagedEvent::HeapExtends } else { ManagedEvent::WorldStops },
            bytes: bytes.map(Bytes),
            stack: bytes.map(|_| StackId(2)),
        })),
        (address(), option::of(any::<u64>())).prop_map(|(map, live)| What::Clear(Clear {
            map,
            live,
            stack: live.map(|_| StackId(3)),
        })),
        any::<u64>().prop_map(What::Born),
        (address(), any::<u64>()).prop_map(|(map, n)| What::Resident(Box::new(Resident {
            map,
            current: pages(n),
            old: pages(0),
            rest: pages(n / 2),
        }))),
        bytes().prop_map(What::LazilyFreed),
        option::of(any::<u64>()).prop_map(|n| What::Pressure(pressure(n).into())),
        ".{0,200}".prop_map(What::Rules),
        ".{0,200}".prop_map(What::Allocator),
        any::<[u64; 2]>().prop_map(|[minor, major]| What::Faults(Faults { minor, major })),
        any::<u32>().prop_map(|pid| What::Of(Pid(pid))),
        prop_oneof![Just(Sight::Asked), Just(Sight::Found), Just(Sight::Forked)]
            .prop_map(|sight| What::Member(Box::new(member(sight)))),
        prop_oneof![Just(Left::Exited), Just(Left::Replaced), any::<String>().prop_map(Left::Unread)]
            .prop_map(What::Left),
        any::<[u64; 5]>().prop_map(|numbers| What::Shares(shares(numbers))),
        any::<[u64; 4]>().prop_map(|numbers| What::Arenas(arenas(numbers))),
        option::of(bytes()).prop_map(|n| What::Beside(Beside { heap: n, runtime: n, ..Beside::default() })),
        option::of(any::<u64>()).prop_map(|n| What::Written(Box::new(written(n)))),
        option::of(any::<u64>()).prop_map(|n| What::Sizes(Box::new(sizes(n)))),
    ]
}

fn any_described() -> impl Strategy<Value = Described> {
    let texts = (option::of(".{0,20}"), vec(".{0,20}", 0..5), option::of(".{0,40}"));
    (any::<u64>(), texts, option::of(any::<bool>())).prop_map(
        |(map, (type_name, candidates, owner), reachable)| Described {
            map: Address(map),
            type_name,
            candidates,
            owner,
            reachable,
        },
    )
}

fn any_crowd() -> impl Strategy<Value = Crowd> {
    let who = (".{0,10}", option::of(".{0,20}"), option::of(any::<bool>()));
    (who, any::<[u64; 5]>(), option::of(any::<u64>())).prop_map(
        |((runtime, type_name, reachable), [maps, live, capacity, allocated, near_empty], more)| Crowd {
            runtime,
            owner: type_name.clone(),
            type_name,
            reachable,
            maps,
            live,
            capacity,
            allocated: Bytes(allocated),
            needed: more.map(Bytes),
            near_empty,
            over_presized: more,
        },
    )
}

fn any_heap() -> impl Strategy<Value = Heap> {
    let sizes = prop::array::uniform8(option::of(any::<u64>().prop_map(Bytes)));
    let class = any::<(u64, bool, u64)>().prop_map(|(object, pointer_free, objects)| SizeClass {
        object: Bytes(object),
        pointer_free,
        objects,
        used: Bytes(objects),
        spans: Bytes(object),
    });
    let counts = (option::of(any::<u32>()), any::<(u64, u64)>(), option::of(any::<bool>()));
    (".{0,10}", sizes, counts, vec(class, 0..70)).prop_map(
        |(runtime, sizes, (percent, (cycles, pause), gives_back_lazily), classes)| {
            let [in_use, allocated, free, released, live, goal, stacks, limit] = sizes;
            Heap {
                runtime,
                in_use,
                allocated,
                free,
                released,
                live,
                goal,
                stacks,
                percent,
                limit,
                cycles: Some(cycles),
                pause_total: Some(Nanos(pause)),
                gives_back_lazily,
                classes,
                waits: free,
            }
        },
    )
}

fn any_began() -> impl Strategy<Value = Began> {
    (".{0,20}", option::of(".{0,40}"), any::<(u32, u32, u64, bool)>()).prop_map(
        |(text, build_id, (cpus, pid, number, from_start))| Began {
            auditor: text.clone(),
            kernel: text.clone(),
            arch: text.clone(),
            page_size: Bytes(number),
            cpus,
            pid: Pid(pid),
            comm: text.clone(),
            exe: text,
            build_id,
            wall: number,
            from_start,
            min_bytes: Bytes(number),
            rss_step: Bytes(number),
        },
    )
}

fn any_growth() -> impl Strategy<Value = GrowthKind> {
    prop_oneof![
        Just(GrowthKind::First),
        Just(GrowthKind::Double),
        Just(GrowthKind::SameSize),
        Just(GrowthKind::Shrink),
        Just(GrowthKind::Split),
        Just(GrowthKind::Other),
    ]
}

fn any_shape() -> impl Strategy<Value = Shape> {
    let counts = (any::<u64>(), any::<u64>(), option::of(any::<u64>()), option::of(any::<u64>()));
    let sizes = (any::<u64>(), any::<u64>(), option::of(any::<u64>()));
    let inside = (option::of(any::<(u64, u64)>()), option::of(any::<(u64, u64, u64, u64)>()), any::<bool>());
    (counts, sizes, option::of(any::<u64>()), inside).prop_map(
        |(
            (live, capacity, tombstones, overflow),
            (allocated, old, needed),
            table,
            (progress, counted, dropped),
        )| Shape {
            live,
            capacity,
            tombstones,
            overflow,
            table: table.map(Address),
            old_table: needed.map(Address),
            allocated: Bytes(allocated),
            old_bytes: Bytes(old),
            entries: Bytes(live.min(allocated)),
            behind: Bytes(old),
            needed: needed.map(Bytes),
            evacuation: progress.map(|(moved, total)| Progress { moved, total }),
            counted: counted.map(|(insert, delete, grow, evacuate)| Counted {
                insert,
                delete,
                grow,
                evacuate,
            }),
            dropped,
            next: needed.map(|tables| Next { at_live: live, tables: Bytes(tables), slots: capacity }),
            sizes: table.map(|id| SizesId(id as u32)),
        },
    )
}
