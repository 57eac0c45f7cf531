//! Reports of Go programs, made of the facts that a census and hooks would tell: one look at a program
//! with Swiss maps, an attach to one with bucket maps, one look at a program that lies. The figures are
//! invented, but have the proportions of real ones.

use auditor::audit::Audit;
use auditor::audit::fact::{
    Began, Clear, Cost, Crowd, Cycle, Described, Ended, Fact, Grow, GrowthKind, Heap, Hook, HookState, Look,
    Managed, ManagedEvent, Memory, Occasion, Progress, Runtime, Shape, SizeClass, Stack, StackId, What,
};
use auditor::audit::report::Report;
use auditor::audit::unit::{Address, Bytes, Nanos, Pid};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1000 * MILLISECOND;
const START: u64 = 86_400 * SECOND;

/// A map: where, its type, who holds it, whether anything does, what it looks like.
type Row<'a> = (u64, &'a str, Option<&'a str>, Option<bool>, Shape);

fn text(text: &str) -> String {
    text.to_owned()
}

/// Facts so far, each with the milliseconds since the beginning.
struct Facts(Vec<(u64, What)>);

impl Facts {
    fn new(comm: &str, exe: &str, runtime: Runtime) -> Self {
        let began = Began {
            auditor: text("0.1.0"),
            kernel: text("6.8.0-45-generic"),
            arch: text("x86_64"),
            page_size: Bytes(4096),
            cpus: 8,
            pid: Pid(4711),
            comm: text(comm),
            exe: text(exe),
            build_id: None,
            wall: 1_772_366_584_000_000_000,
            from_start: false,
            min_bytes: Bytes(16 * KIB),
            rss_step: Bytes(MIB),
        };
        Self(vec![(0, What::Began(Box::new(began))), (0, What::Runtime(runtime))])
    }

    fn tell(&mut self, at: u64, what: What) -> &mut Self {
        self.0.push((at, what));
        self
    }

    fn maps(&mut self, at: u64, runtime: &str, rows: Vec<Row<'_>>) -> &mut Self {
        for (map, type_name, owner, reachable, shape) in rows {
            let map = Address(0xc000_0000_0000 + map);
            let occasion = Occasion::AtAttach;
            self.tell(
                at,
                What::Look(Look { map, occasion, runtime: text(runtime), shape: shape.into(), name: None }),
            );
            let types: Vec<String> = type_name.split('|').map(text).collect();
            let known = types.len() == 1;
            let described = Described {
                map,
                type_name: known.then(|| text(type_name)),
                candidates: if known { vec![] } else { types },
                owner: owner.map(text),
                reachable,
            };
            self.tell(at, What::Described(Box::new(described)));
        }
        self
    }

    fn report(&self) -> Report {
        let mut audit = Audit::new();
        for (at, what) in &self.0 {
            let at = Nanos(START + at * MILLISECOND);
            audit.apply(&Fact { at, thread: None, what: what.clone() });
        }
        audit.report()
    }
}

fn go(name: &str, version: &str) -> Runtime {
    let evidence = text(".go.buildinfo, mheap_ found by allspans");
    Runtime { name: text(name), version: Some(text(version)), evidence, verified: Some(true) }
}

fn shape(live: u64, capacity: u64, allocated: u64, needed: u64) -> Shape {
    Shape {
        live,
        capacity,
        table: Some(Address(1)),
        allocated: Bytes(allocated),
        needed: Some(Bytes(needed)),
        ..Shape::default()
    }
}

fn swiss(live: u64, capacity: u64, tombstones: u64, allocated: u64, needed: u64) -> Shape {
    Shape { tombstones: Some(tombstones), ..shape(live, capacity, allocated, needed) }
}

/// Maps, their live entries, capacity, and bytes allocated and needed; how many are near empty.
fn crowd(type_name: Option<&str>, owner: Option<&str>, reachable: Option<bool>, sums: [u64; 6]) -> Crowd {
    let [maps, live, capacity, allocated, needed, near_empty] = sums;
    Crowd {
        runtime: text("go_swiss"),
        type_name: type_name.map(text),
        owner: owner.map(text),
        reachable,
        maps,
        live,
        capacity,
        allocated: Bytes(allocated),
        needed: Some(Bytes(needed)),
        near_empty,
        over_presized: Some(near_empty / 2),
    }
}

fn class(object: u64, pointer_free: bool, objects: u64, spans: u64) -> SizeClass {
    let used = Bytes(object * objects);
    SizeClass { object: Bytes(object), pointer_free, objects, used, spans: Bytes(spans) }
}

fn heap(runtime: &str) -> Heap {
    Heap {
        runtime: text(runtime),
        in_use: Some(Bytes(603 * MIB)),
        allocated: Some(Bytes(518 * MIB)),
        free: Some(Bytes(9 * MIB)),
        released: Some(Bytes(112 * MIB)),
        live: Some(Bytes(261 * MIB)),
        goal: Some(Bytes(530 * MIB)),
        stacks: Some(Bytes(3 * MIB)),
        percent: Some(100),
        limit: None,
        cycles: Some(1_024),
        pause_total: Some(Nanos(187 * MILLISECOND)),
        gives_back_lazily: Some(false),
        waits: Some(Bytes(2 * MIB)),
        classes: vec![
            class(18_432, true, 17_200, 352 * MIB),
            class(48, false, 1_400_000, 71 * MIB),
            class(27_264, false, 3_100, 88 * MIB),
            class(16, true, 1_100_000, 17 * MIB),
            SizeClass { object: Bytes(0), used: Bytes(12 * MIB), objects: 4, ..class(0, false, 0, 12 * MIB) },
            class(64, false, 90_000, 6 * MIB),
        ],
    }
}

/// The same program with half of everything.
fn half_of(heap: Heap) -> Heap {
    let half = |size: Option<Bytes>| size.map(|size| Bytes(size.0 / 2));
    let [in_use, allocated] = [half(heap.in_use), half(heap.allocated)];
    let [live, goal] = [half(heap.live), half(heap.goal)];
    Heap { in_use, allocated, live, goal, classes: vec![], ..heap }
}

fn memory(anon: u64, limit: Option<u64>) -> What {
    let (anon, file) = (Bytes(anon * MIB), Bytes(11 * MIB));
    What::Memory(Memory { anon, file, limit: limit.map(|limit| Bytes(limit * MIB)), ..Memory::default() })
}

fn swiss_maps() -> Vec<Row<'static>> {
    let product = "map[string]*github.com/acme/shop/internal/catalog.Product";
    vec![
        (
            0x1_2340,
            "map[int64]*main.Session",
            Some("main.sessions"),
            Some(true),
            swiss(50_000, 8_388_608, 1_025_400, 310 * MIB, 2 * MIB),
        ),
        (
            0x2_5580,
            product,
            Some("main.server -> (*http.Server).Handler.(*main.api).catalog.(main.Cache).Inner.ByName"),
            Some(true),
            swiss(1_100_000, 1_310_720, 0, 88 * MIB, 72 * MIB),
        ),
        (
            0x3_0000,
            "map[int]int",
            Some("main.shards[]"),
            Some(true),
            swiss(900, 1_024, 7, 27 * KIB, 27 * KIB),
        ),
        (0x3_0030, "map[int]int", Some("main.shards[]"), Some(true), swiss(12, 1_024, 90, 27 * KIB, 300)),
        (
            0x4_4400,
            "map[int]int|map[int64]uint64|map[uint64]float64",
            Some("goroutine 71: main.aggregate"),
            Some(true),
            swiss(9_000, 14_336, 0, 240 * KIB, 200 * KIB),
        ),
        (
            0x5_0000,
            "map[int64]*main.Session",
            None,
            Some(false),
            swiss(400_000, 1_048_576, 0, 39 * MIB, 16 * MIB),
        ),
        (0x5_0030, "map[int64]*main.Session", None, Some(false), swiss(1, 524_288, 0, 19 * MIB, 48)),
        (0x5_0060, product, None, Some(false), swiss(30_000, 65_536, 0, 5 * MIB, 2 * MIB)),
    ]
}

fn crowds() -> Vec<Crowd> {
    let inner = Some("main.server -> (main.Cart).Items[]");
    vec![
        crowd(
            Some("map[string]string"),
            inner,
            Some(true),
            [41_200, 88_000, 329_600, 14 * MIB, 9 * MIB, 30_100],
        ),
        crowd(
            Some("map[uint32]struct {}"),
            Some("main.seen[]"),
            Some(true),
            [6_300, 0, 50_400, MIB, 300 * KIB, 6_300],
        ),
        crowd(Some("map[string]int"), Some("runtime.modinfo"), Some(true), [9, 40, 72, 4 * KIB, 4 * KIB, 0]),
        crowd(None, None, None, [3, 4, 24, KIB, KIB, 0]),
        crowd(Some("map[string]string"), None, Some(false), [9_400, 21_000, 75_200, 3 * MIB, 2 * MIB, 5_000]),
    ]
}

fn end(facts: &mut Facts, at: u64, ended: Ended) -> Report {
    let cost = Cost { agent_cpu: Nanos(170 * MILLISECOND), agent_rss: Bytes(61 * MIB), bpf_memory: Bytes(0) };
    facts.tell(at, What::Cost(cost)).tell(at, What::Ended(ended)).report()
}

/// One look at a program with Swiss maps: one that was emptied, one that is full, many small ones, and
/// garbage that is larger than all but the first.
pub(crate) fn look() -> Report {
    let mut facts = Facts::new("orders", "/srv/orders/bin/orders", go("go_swiss", "go1.26.5"));
    facts.maps(190, "go_swiss", swiss_maps());
    facts.tell(190, What::Crowds(crowds()));
    facts.tell(190, What::Heap(Box::new(heap("go_swiss"))));
    facts.tell(200, memory(607, Some(900)));
    end(&mut facts, 212, Ended::OneLook)
}

/// One look at a program that has next to nothing.
pub(crate) fn small_look() -> Report {
    let mut facts = Facts::new("tiny", "/srv/tiny", go("go_bucket", "go1.19.8"));
    let only = (
        0x1_0000,
        "map[string]bool",
        Some("main.flags"),
        Some(true),
        shape(3_000, 4_096, 90 * KIB, 80 * KIB),
    );
    facts.maps(3, "go_bucket", vec![only]).tell(4, memory(6, None));
    end(&mut facts, 5, Ended::OneLook)
}

/// Hooks of the attach below.
const HOOKED: [(u32, &str); 7] = [
    (1, "go_map_grow"),
    (2, "go_gc_end"),
    (3, "sys_exit"),
    (4, "go_map_clear"),
    (5, "go_world_stop"),
    (6, "go_heap_extend"),
    (7, "go_large_object"),
];

/// What they tell of the heap, and of the map at that address.
fn told_of_heap(facts: &mut Facts, cleared: u64) {
    let managed = |event, bytes: Option<u64>, stack| {
        What::Managed(Managed { event, bytes: bytes.map(Bytes), stack: Some(StackId(stack)) })
    };
    for stop in 0..14 {
        facts.tell(1_100 + stop, managed(ManagedEvent::WorldStops, None, 2));
    }
    facts.tell(1_200, managed(ManagedEvent::HeapExtends, Some(4 * MIB), 2));
    let frames = vec![text("runtime.mallocgc"), text("bytes.growSlice (buffer.go:251)")];
    facts.tell(1_300, What::Stack(Stack { id: StackId(2), frames }));
    for mebibytes in [2, 5, 3] {
        facts.tell(1_300, managed(ManagedEvent::LargeObject, Some(mebibytes * MIB), 2));
    }
    facts.tell(1_400, What::Clear(Clear { map: Address(cleared), live: Some(440_718), stack: None }));
}

/// An attach to a program with bucket maps, one of which has stopped in the middle of a growth.
pub(crate) fn attached() -> Report {
    let mut facts = Facts::new("compile", "/usr/lib/go-1.23/pkg/tool/compile", go("go_bucket", "go1.23.9"));
    for (id, name) in HOOKED {
        let hook = Hook {
            id,
            name: text(name),
            place: format!("{name}+0x6 (push rbp)"),
            state: HookState::Attached,
            reason: None,
            cost_per_hit: Nanos(577),
        };
        facts.tell(0, What::Hook(hook));
    }
    let moved = |moved| Shape {
        overflow: Some(2_677),
        old_table: Some(Address(2)),
        old_bytes: Bytes(14 * MIB),
        evacuation: Some(Progress { moved, total: 65_536 }),
        ..shape(440_718, 1_048_576, 41 * MIB, 28 * MIB)
    };
    let uses = Some("types2.Checker -> (types2.Info).Uses");
    facts.maps(
        20,
        "go_bucket",
        vec![(0x8_0000, "map[*syntax.Name]types2.Object", uses, Some(true), moved(900))],
    );
    facts.tell(20, What::Heap(Box::new(half_of(heap("go_bucket")))));
    facts.tell(30, memory(340, None));
    let grow = Grow {
        map: Address(0xc000_0009_0000),
        kind: GrowthKind::Double,
        from: 512,
        to: 1024,
        live: Some(3_329),
        bytes: Some(Bytes(300 * KIB)),
        stack: Some(StackId(1)),
    };
    let frames = vec![text("runtime.hashGrow"), text("types2.(*Checker).recordUse (api.go:412)")];
    facts.tell(900, What::Stack(Stack { id: StackId(1), frames })).tell(900, What::Grow(grow));
    for number in 1_025..1_031 {
        let pause = Nanos(90_000 + 1_000 * (number - 1_025));
        facts.tell(number, What::Cycle(Cycle { number, pause }));
    }
    told_of_heap(&mut facts, 0xc000_0008_0000);
    let look = |map, occasion, shape| Look {
        map: Address(map),
        occasion,
        runtime: text("go_bucket"),
        shape: Box::new(shape),
        name: None,
    };
    facts.tell(2_000, What::Look(look(0xc000_0008_0000, Occasion::Poll, moved(16_787))));
    let born = shape(5_000, 8_192, 330 * KIB, 300 * KIB);
    facts.tell(4_000, What::Look(look(0xc000_0009_0000, Occasion::Census, born)));
    let later = Heap {
        cycles: Some(1_030),
        pause_total: Some(Nanos(188 * MILLISECOND)),
        classes: vec![],
        ..heap("go_bucket")
    };
    let lazily = Heap { gives_back_lazily: Some(true), ..later };
    facts.tell(15_000, What::Heap(Box::new(lazily))).tell(15_000, memory(361, None)).tell(15_000, What::Tick);
    end(&mut facts, 15_000, Ended::Stopped)
}

/// One look at a program that calls everything as `hostile` does.
pub(crate) fn hostile(hostile: &str) -> Report {
    let endless = hostile.repeat(40);
    let runtime = Runtime { name: endless.clone(), version: Some(endless.clone()), ..go("", "") };
    let mut facts = Facts::new(&endless, &endless, runtime);
    let most = swiss(u64::MAX, 1, u64::MAX, u64::MAX, u64::MAX);
    let either = format!("{endless}|{endless}");
    let rows = (0..60_u64).map(|n| {
        let type_name = if n % 3 == 0 { either.as_str() } else { endless.as_str() };
        let reachable = [None, Some(true), Some(false)][n as usize % 3];
        (n << 20, type_name, Some(endless.as_str()), reachable, most.clone())
    });
    facts.maps(1, &endless, rows.collect());
    let crowds = (0..60).map(|n| {
        let kind = format!("{n}{endless}");
        let reachable = [None, Some(true), Some(false)][n % 3];
        Crowd { runtime: endless.clone(), ..crowd(Some(&kind), Some(&endless), reachable, [u64::MAX; 6]) }
    });
    facts.tell(1, What::Crowds(crowds.collect()));
    let sizes = [Some(Bytes(u64::MAX)); 7];
    let [in_use, allocated, free, released, live, goal, stacks] = sizes;
    let class = SizeClass { objects: u64::MAX, used: Bytes(u64::MAX), ..class(1 << 40, true, 0, u64::MAX) };
    let heap = Heap {
        runtime: endless,
        percent: Some(u32::MAX),
        limit: live,
        cycles: Some(u64::MAX),
        pause_total: Some(Nanos(u64::MAX)),
        gives_back_lazily: Some(true),
        waits: live,
        classes: vec![class; 300],
        in_use,
        allocated,
        free,
        released,
        live,
        goal,
        stacks,
    };
    facts.tell(1, What::Heap(Box::new(heap))).tell(2, memory(1 << 40, Some(1)));
    end(&mut facts, u64::from(u32::MAX), Ended::OneLook)
}

/// One look at a large program: twenty thousand maps that are listed, four thousand kinds of small ones.
pub(crate) fn large() -> Vec<Fact> {
    let owner = |n: u64| format!("main.(*Server).shards[{n}] -> (main.Cache).Inner.Idx");
    let mut facts = Facts::new("large", "/srv/large", go("go_swiss", "go1.26.5"));
    for n in 0..20_000 {
        let shape = swiss(n, 2 * n, 0, 20 * KIB + n, 10 * KIB);
        facts.maps(1, "go_swiss", vec![(48 * n, "map[string]int", Some(&owner(n)), Some(n % 7 > 0), shape)]);
    }
    let crowds = (0..4096).map(|n| crowd(Some("map[int]int"), Some(&owner(n)), Some(true), [100; 6]));
    facts.tell(2, What::Crowds(crowds.collect())).tell(3, What::Ended(Ended::OneLook));
    let dated = |(at, what)| Fact { at: Nanos(START + at * MILLISECOND), thread: None, what };
    facts.0.into_iter().map(dated).collect()
}
