//! Reports made by hand, in the shapes that matter to a face: a rich one, one that knows nothing,
//! one whose target lies. The figures of the rich one are invented but add up.

pub(crate) mod go;

use std::collections::BTreeMap;

use auditor::audit::fact::{GrowthKind, HookState, Sight, Sizes, SizesId, Step};
use auditor::audit::report::{
    Arenas, Auditor, Calls, Change, Changes, Confidence, Cost, Coverage, Episode, Evacuation, Events, Faults,
    Finding, Forecast, Gc, Growths, HeapExtended, Host, Lag, LargeObjects, Madvise, Map, MapBytes, Member,
    Memory, Misses, Moment, NextGrowth, Origin, Outlook, Part, Pauses, Population, PopulationBytes, Pressure,
    Probe, Report, Rss, Rung, Runtime, SCHEMA, Severity, SizeClass, Syscalls, Tables, Target, Timeline,
    Undecided, Upcoming, Verdict, Window, Writer, Writers,
};
use auditor::audit::unit::{Address, Bytes, Nanos, Pid};

const MIB: u64 = 1 << 20;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1000 * MILLISECOND;
const START: u64 = 4242 * SECOND;

fn mib(tenths: u64) -> Bytes {
    Bytes(tenths * MIB / 10)
}

/// A time so many milliseconds after the audit began.
fn after(milliseconds: u64) -> Nanos {
    Nanos(START + milliseconds * MILLISECOND)
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// A server and two of its children, one of which has ended. Their maps are at one address.
pub(crate) fn family() -> Report {
    let known = Member {
        pid: Pid(17),
        parent: None,
        comm: text("server"),
        sight: Sight::Asked,
        born: None,
        ended: None,
        left: None,
        rss: Some(mib(260)),
        private: Some(mib(100)),
        part: Some(mib(130)),
        shmem: Some(mib(50)),
        maps: 1,
        allocated: mib(10),
    };
    let child = Member {
        pid: Pid(18),
        parent: Some(Pid(17)),
        sight: Sight::Forked,
        born: Some(after(500)),
        allocated: mib(20),
        ..known.clone()
    };
    let gone = Member {
        pid: Pid(19),
        ended: Some(after(900)),
        left: Some(text("exited")),
        rss: None,
        private: None,
        part: None,
        shmem: None,
        maps: 0,
        allocated: Bytes(0),
        ..child.clone()
    };
    let name = Some(text("Prepared Queries"));
    let live = Some(5_000);
    let map = |pid| Map { pid: Some(Pid(pid)), name: name.clone(), live, ..unknown_map(0xa000) };
    Report { members: vec![known, child, gone], maps: vec![map(18), map(17)], ..empty() }
}

/// A target of which nothing is known.
pub(crate) fn empty() -> Report {
    Report {
        schema: text(SCHEMA),
        auditor: Auditor { version: text("0.1.0") },
        host: Host { kernel: text("6.8.0-45-generic"), arch: text("x86_64"), page_size: Bytes(4096) },
        members: Vec::new(),
        target: Target {
            allocator: None,
            pid: Pid(17),
            comm: text("idle"),
            exe: text("/usr/bin/idle"),
            build_id: None,
            runtimes: vec![],
        },
        window: Window {
            start: Nanos(START),
            end: Nanos(START),
            wall_start: text("2026-03-01T12:03:04Z"),
            ended: None,
        },
        memory: Memory {
            rss: Rss::default(),
            limit: None,
            swap: None,
            headroom: None,
            pressure: None,
            ladder: vec![],
            arenas: None,
            changes: None,
            verdict: None,
            outlook: None,
        },
        syscalls: Some(Syscalls::default()),
        events: Events::default(),
        maps: vec![],
        populations: vec![],
        sizes: vec![],
        episodes: vec![],
        lags: vec![],
        timeline: None,
        forecast: Forecast::default(),
        gc: None,
        writers: None,
        findings: vec![],
        undecided: vec![],
        coverage: Coverage {
            lost: 0,
            late: 0,
            probes: vec![],
            layout_verified: None,
            confidence: Confidence::Insufficient,
            notes: vec![],
        },
        cost: Cost::default(),
    }
}

/// A map of which nothing but its address is known.
pub(crate) fn unknown_map(address: u64) -> Map {
    Map {
        address: Address(address),
        pid: None,
        runtime: text("demo"),
        type_name: None,
        candidates: vec![],
        name: None,
        origin: Origin::BeforeAttach,
        born: None,
        died: None,
        reachable: None,
        owner: None,
        site: vec![],
        live: None,
        capacity: None,
        tombstones: None,
        overflow: None,
        bytes: MapBytes::default(),
        tables: Tables::default(),
        growths: Growths::default(),
        evacuation: None,
        next_growth: None,
        sizes: None,
        cleared: None,
        verdict: None,
        outlook: None,
    }
}

/// Tables as all hooks tell of them.
pub(crate) fn tables(allocated: u64, allocated_bytes: Bytes, freed: u64, freed_bytes: Bytes) -> Tables {
    Tables {
        allocated: Some(allocated),
        allocated_bytes: Some(allocated_bytes),
        freed: Some(freed),
        freed_bytes: Some(freed_bytes),
    }
}

/// Growths as all hooks tell of them.
pub(crate) fn growths(first: u64, double: u64, same_size: u64) -> Growths {
    let [shrink, split, other] = [Some(0); 3];
    Growths { first: Some(first), double: Some(double), same_size: Some(same_size), shrink, split, other }
}

fn pressure() -> Pressure {
    Pressure {
        charged: Some(mib(3_040)),
        reclaimable: Some(mib(100)),
        max: Some(mib(4_000)),
        peak: Some(mib(3_400)),
        max_events: Some(0),
        oom_kills: Some(0),
        some: Some(Nanos(40 * MILLISECOND)),
        full: Some(Nanos(0)),
        of_group: true,
        ..Pressure::default()
    }
}

fn forecast() -> Forecast {
    let misses =
        |growths, median_permille, worst_permille| Some(Misses { growths, median_permille, worst_permille });
    let growth = Upcoming {
        map: Address(0x7f3a_1000_0040),
        pid: None,
        eta: Some(Nanos(245 * SECOND)),
        peak_extra: mib(1528),
        fits: Some(false),
    };
    Forecast {
        growths: vec![growth],
        at_live: misses(3, 0, 0),
        new_table: misses(3, 0, 0),
        eta: misses(2, 31, 64),
    }
}

/// The map of the incident: it doubled, and its evacuation is half done.
fn sessions() -> Map {
    Map {
        name: Some(text("sessions")),
        origin: Origin::Observed,
        born: Some(after(300)),
        reachable: Some(true),
        owner: Some(text("main.cache.sessions")),
        site: ["sessions::Store::insert (src/store.rs:41)", "sessions::serve (src/serve.rs:112)", "main"]
            .map(text)
            .to_vec(),
        live: Some(1_703_937),
        capacity: Some(4_194_304),
        tombstones: Some(0),
        overflow: Some(37),
        bytes: MapBytes {
            allocated: Some(mib(1146)),
            resident: Some(mib(630)),
            needed: Some(mib(382)),
            stranded: Some(mib(248)),
            old_table: Some(mib(382)),
            peak: Some(mib(1146)),
        },
        tables: tables(20, mib(1528), 18, mib(382)),
        growths: growths(1, 18, 1),
        evacuation: Some(Evacuation {
            moved: 112_722,
            total: 262_144,
            in_progress: true,
            stalled_for: Some(Nanos(6_140 * MILLISECOND)),
        }),
        next_growth: Some(NextGrowth {
            at_live: 3_407_873,
            new_table: mib(1528),
            peak_extra: mib(1528),
            capacity: 8_388_608,
            eta_least: Some(Nanos(61_000 * MILLISECOND)),
            eta_most: None,
            eta: Some(Nanos(245 * SECOND)),
        }),
        sizes: Some(SizesId(0)),
        verdict: Some(Verdict::Stalled),
        outlook: Some(Outlook {
            mechanism: text("only writes move entries to the new table, and nothing has moved for 6.1 s"),
            expected_within: None,
            frees: Some(mib(382)),
            disproof: text("evacuation.moved rises"),
        }),
        ..unknown_map(0x7f3a_1000_0040)
    }
}

/// A Go map without a name of its own.
fn typed() -> Map {
    Map {
        runtime: text("go_swiss"),
        type_name: Some(text("map[string]*main.Session")),
        candidates: vec![],
        live: Some(98_304),
        capacity: Some(131_072),
        tombstones: Some(1_204),
        sizes: Some(SizesId(1)),
        bytes: MapBytes {
            allocated: Some(mib(96)),
            resident: Some(mib(96)),
            needed: Some(mib(90)),
            stranded: Some(mib(6)),
            old_table: Some(Bytes(0)),
            peak: Some(mib(96)),
        },
        ..unknown_map(0xc000_1234_5600)
    }
}

fn step((live, slots, tables): (u64, u64, u64), bytes: Bytes, beside: Option<Bytes>) -> Step {
    Step { live, slots, tables, bytes, spare: slots / 128, together: 1, beside }
}

/// The two kinds of the maps above, near their size.
fn sizes() -> Vec<Sizes> {
    let bytes = |shift: u32| Bytes((mib(1528).0 << 2) >> (22 - shift));
    let doubling =
        (10..=22).map(|shift| step((13 << shift >> 1, 8 << shift, 1), bytes(shift), Some(bytes(shift - 1))));
    let table = Some(Bytes(27_296));
    let splitting = vec![
        step((57_344, 65_536, 64), Bytes(1_747_456), table),
        step((57_455, 65_536, 128), Bytes(1_839_104), None),
        step((114_688, 131_072, 128), Bytes(3_494_912), table),
        step((229_376, 262_144, 256), Bytes(6_989_824), table),
    ];
    let (behind, slot) = (Bytes(0), Some(Bytes(16)));
    vec![
        Sizes {
            id: SizesId(0),
            header: Bytes(128),
            slot,
            behind,
            overflow: Some(Bytes(382)),
            listed: Bytes(0),
            steps: doubling.collect(),
        },
        Sizes {
            id: SizesId(1),
            header: Bytes(48),
            slot: None,
            behind: Bytes(8),
            overflow: None,
            listed: Bytes(0),
            steps: splitting,
        },
    ]
}

/// A map that came and went.
fn dropped() -> Map {
    Map {
        name: Some(text("startup-index")),
        origin: Origin::Observed,
        born: Some(after(100)),
        died: Some(after(9_000)),
        live: Some(0),
        capacity: Some(8),
        bytes: MapBytes { allocated: Some(Bytes(0)), peak: Some(mib(24)), ..MapBytes::default() },
        tables: tables(12, mib(48), 12, mib(48)),
        growths: growths(1, 11, 0),
        ..unknown_map(0x7f3a_2000_0040)
    }
}

fn episode(kind: GrowthKind, start: u64, end: Option<u64>, size: Bytes) -> Episode {
    Episode {
        map: Address(0x7f3a_1000_0040),
        pid: None,
        kind,
        start: after(start),
        end: end.map(after),
        allocated: size,
        mmap: size,
        rss_delta: Some(i64::try_from(size.0).expect("samples are small")),
        rss_lag: Some(Nanos(3_100_000)),
        mmap_lag: Some(Nanos(12_400)),
        evacuated: 4096,
        stall: Some(Nanos(48 * MILLISECOND)),
        cycles: Some(1),
        waited: Some(Nanos(2_300_000)),
        faults: Some(Faults {
            minor: 16_410,
            major: 2,
            within: Nanos((end.unwrap_or(start) - start + 20) * MILLISECOND),
        }),
        cause: None,
    }
}

fn changes() -> Changes {
    let size = |mebibytes: u64| i64::try_from(mib(mebibytes).0).expect("samples are small");
    let part = |name: &str, bytes: i64| Part { name: text(name), map: None, bytes, growths: None };
    let map = |bytes: i64| Part {
        map: Some(Address(0x7f3a_1000_0040)),
        growths: Some(12),
        ..part("tables of a map", bytes)
    };
    let up = Change {
        start: after(0),
        end: after(12_300),
        rss: size(1189),
        parts: vec![map(size(1146)), part("heap free and kept", size(30)), part("stacks", size(1))],
        unexplained: size(12),
        cycles: Some(9),
    };
    let down = Change {
        start: after(12_300),
        end: after(42_000),
        rss: -size(426),
        parts: vec![map(-size(426))],
        unexplained: 0,
        cycles: Some(0),
    };
    Changes {
        rose: mib(1189),
        rose_unexplained: mib(12),
        fell: mib(426),
        fell_unexplained: Bytes(0),
        omitted: 0,
        largest: vec![up, down],
    }
}

/// RSS as in `memory.rss`: at the end its rows are those of the ladder.
fn timeline() -> Timeline {
    let moment = |at, limit, ladder: [Option<u64>; 6], growths, cycles| Moment {
        at: after(at),
        rss: mib(ladder.iter().flatten().sum()),
        limit,
        ladder: ladder.map(|size| size.map(mib)).to_vec(),
        growths: Some(growths),
        cycles,
    };
    let limit = Some(mib(4_000));
    let some = |sizes: [u64; 6]| sizes.map(Some);
    let rows = ["file pages", "current tables", "old tables", "other heap in use", "stacks", "unexplained"]
        .map(text);
    let moments = vec![
        moment(0, None, [Some(41), None, None, Some(70), Some(4), Some(6)], 0, None),
        moment(3_000, limit, some([41, 60, 10, 80, 4, 6]), 14, Some(4_085)),
        moment(6_000, limit, some([41, 140, 0, 90, 4, 8]), 20, Some(4_089)),
        moment(9_000, limit, some([41, 380, 0, 98, 4, 9]), 28, Some(4_092)),
        moment(12_300, limit, some([41, 764, 382, 98, 4, 21]), 31, Some(4_094)),
        moment(18_000, limit, some([41, 630, 382, 98, 4, 11]), 31, Some(4_095)),
        moment(42_000, limit, some([41, 450, 280, 98, 4, 11]), 31, Some(4_096)),
    ];
    Timeline { rows: rows.to_vec(), moments }
}

fn lags() -> Vec<Lag> {
    let lag = |from: &str, to: &str, count, p99| Lag {
        from: text(from),
        to: text(to),
        count,
        median: Nanos(12_400),
        p99,
        max: Nanos(3_100_000),
    };
    vec![lag("growth", "mmap", 12, None), lag("growth", "RSS rises", 120, Some(Nanos(2_900_000)))]
}

fn episodes() -> Vec<Episode> {
    let doublings = (0..11_u64).map(|index| {
        let start = 400 + index * 900;
        episode(GrowthKind::Double, start, Some(start + 300 + index * 20), Bytes(37_376 << index))
    });
    let last = Episode {
        cause: Some(text("the load factor: 1,703,937 live entries in 262,144 buckets")),
        stall: Some(Nanos(3_140 * MILLISECOND)),
        ..episode(GrowthKind::Double, 12_300, None, mib(764))
    };
    doublings.chain([last]).collect()
}

fn probe(hook: &str, state: HookState, reason: Option<&str>, hits: u64) -> Probe {
    let place = format!("/usr/bin/target-demo {hook}+0x0 (nop)");
    Probe { hook: text(hook), place, state, reason: reason.map(text), hits }
}

fn coverage() -> Coverage {
    Coverage {
        lost: 0,
        late: 3,
        probes: vec![
            probe("demo_map_allocate", HookState::Attached, None, 32),
            probe("demo_map_grow", HookState::Attached, None, 20),
            probe("demo_map_free", HookState::Attached, None, 30),
            probe(
                "demo_map_evacuate",
                HookState::Disabled,
                Some("over the budget of 1 % of one CPU"),
                112_722,
            ),
            probe(
                "mm_vmscan_memcg_reclaim_begin",
                HookState::Refused,
                Some("the kernel has no such tracepoint"),
                0,
            ),
        ],
        layout_verified: Some(true),
        confidence: Confidence::AtLeast,
        notes: vec![text(
            "moves of old buckets are read from memory since +8.2 s, when the probe was taken away",
        )],
    }
}

fn findings() -> Vec<Finding> {
    let sessions = Some(Address(0x7f3a_1000_0040));
    vec![
        Finding {
            rule: text("next_growth_exceeds_headroom"),
            severity: Severity::Critical,
            map: sessions,
            pid: None,
            summary: text("the next growth of sessions needs 152.8 MiB on top, and 106.0 MiB are left"),
            evidence: vec![
                text("it grows with 3,407,873 entries and has 1,703,937: in 4m05s at the present rate"),
                text("the new table takes 152.8 MiB"),
            ],
            remedy: text(
                "build a presized map before that, raise the limit for the growth, or shard the map",
            ),
            reclaimable: None,
        },
        Finding {
            rule: text("stalled_evacuation"),
            severity: Severity::Warning,
            map: sessions,
            pid: None,
            summary: text(
                "the growth of sessions stopped at 43 % of its old buckets: 38.2 MiB are held until writes come",
            ),
            evidence: vec![
                text("no entry has moved for 6.1 s"),
                text("112,722 of 262,144 old buckets are moved"),
            ],
            remedy: text("write to it: some 74,711 writes move the rest; or rebuild it"),
            reclaimable: Some(mib(382)),
        },
    ]
}

fn arenas() -> Arenas {
    let [system, top, fast, binned] = [mib(1180), Bytes(46 << 10), mib(970), mib(120)];
    Arenas { count: 9, system, top, fast, binned, whole: true }
}

fn ladder() -> Vec<Rung> {
    [
        ("file pages", 41, "process status"),
        ("current tables", 450, "page map"),
        ("old tables", 280, "page map"),
        ("other heap in use", 98, "heap's counters"),
        ("stacks", 4, "heap's counters"),
        ("unexplained", 11, "what is left"),
    ]
    .map(|(name, tenths, evidence)| Rung { name: text(name), bytes: mib(tenths), evidence: text(evidence) })
    .to_vec()
}

fn syscalls() -> Syscalls {
    let calls = |calls, tenths| Calls { calls, bytes: mib(tenths) };
    let dontneed = calls(3, 640);
    Syscalls {
        mmap: calls(14, 1264),
        munmap: calls(12, 1_012),
        mremap: calls(0, 0),
        brk: calls(7, 21),
        madvise: Madvise {
            calls: 3,
            bytes: mib(640),
            by_advice: BTreeMap::from([(text("DONTNEED"), dontneed)]),
        },
    }
}

fn gc() -> Gc {
    Gc {
        runtime: text("go_swiss"),
        cycles: Some(12),
        cycles_per_minute: Some(17),
        cycles_in_all: Some(4_096),
        pauses: Pauses {
            count: Some(12),
            total: Some(Nanos(3_100_000)),
            max: Some(Nanos(400_000)),
            p99: Some(Nanos(390_000)),
            per_minute: Some(Nanos(4_428_000)),
            in_all: Some(Nanos(1_220 * MILLISECOND)),
        },
        heap_live: Some(mib(98)),
        heap_goal: Some(mib(196)),
        in_use: Some(mib(171)),
        allocated: Some(mib(150)),
        free: Some(mib(12)),
        waits: Some(mib(3)),
        released: Some(mib(640)),
        stacks: Some(mib(4)),
        percent: Some(100),
        limit: Some(mib(3_600)),
        gives_back_lazily: Some(false),
        size_classes: vec![SizeClass {
            object: Bytes(18_432),
            pointer_free: false,
            objects: 700,
            used: Bytes(700 * 18_432),
            spans: mib(140),
        }],
        world_stops: Some(26),
        extended: Some(HeapExtended { times: 3, bytes: mib(76) }),
        large_objects: Some(LargeObjects {
            times: 4,
            bytes: mib(96),
            largest: Some(mib(48)),
            site: vec![text("main.(*Server).snapshot (server.go:88)"), text("main.main")],
        }),
    }
}

fn writers() -> Writers {
    let writer = |goroutine, writes, threads, site: [&str; 2]| Writer {
        goroutine,
        writes,
        threads,
        site: site.map(text).into(),
    };
    Writers {
        map: Address(0xc000_1234_5600),
        start: after(2_000),
        end: after(2_640),
        cut_short: Some(text("over the budget: 30112 hits took about 21 ms of the target's time")),
        writes: 30_100,
        turns: 411,
        goroutines: Some(2),
        by: vec![
            writer(Some(71), 29_640, 5, ["runtime.mapassign_faststr", "main.(*Server).login (login.go:54)"]),
            writer(Some(18), 460, 2, ["runtime.mapdelete_faststr", "main.(*Server).expire (expire.go:31)"]),
        ],
    }
}

/// A target in the middle of an incident.
pub(crate) fn rich() -> Report {
    Report {
        target: Target {
            allocator: Some("glibc".into()),
            pid: Pid(4711),
            comm: text("target-demo"),
            exe: text("/usr/bin/target-demo"),
            build_id: Some(text("9f3c21d07a55e1b8c0d4")),
            runtimes: vec![Runtime {
                name: text("demo"),
                version: Some(text("1")),
                evidence: text("the exported symbol demo_map_registry"),
            }],
        },
        window: Window { end: after(42_000), ..empty().window },
        memory: Memory {
            rss: Rss {
                first: Some(mib(121)),
                last: Some(mib(884)),
                peak: Some(mib(1310)),
                peak_at: Some(after(12_300)),
            },
            limit: Some(mib(4_000)),
            swap: Some(Bytes(0)),
            headroom: Some(mib(1_060)),
            pressure: Some(pressure()),
            ladder: ladder(),
            arenas: Some(arenas()),
            changes: Some(changes()),
            verdict: Some(Verdict::Stalled),
            outlook: Some(Outlook {
                mechanism: text("only writes move entries to the new table, and nothing has moved for 6.1 s"),
                expected_within: None,
                frees: Some(mib(382)),
                disproof: text("evacuation.moved rises"),
            }),
        },
        syscalls: Some(syscalls()),
        events: Events {
            allocate: Some(32),
            grow: Some(31),
            evacuate: Some(636_970),
            free: Some(30),
            insert: Some(1_802_241),
            delete: None,
            clear: None,
        },
        maps: vec![sessions(), typed(), dropped(), unknown_map(0x7f3a_3000_0040)],
        populations: vec![Population {
            runtime: text("demo"),
            type_name: Some(text("map[string]int")),
            owner: Some(text("per-request scratch")),
            reachable: Some(true),
            maps: 12_004,
            alive: 1_204,
            live: 3_400,
            capacity: 19_264,
            bytes: PopulationBytes { allocated: mib(4), needed: Some(mib(1)), stranded: Some(mib(3)) },
            tables: tables(13_100, mib(40), 11_800, mib(36)),
            growths: growths(12_004, 1_096, 0),
            near_empty: Some(1_100),
            over_presized: None,
        }],
        sizes: sizes(),
        episodes: episodes(),
        lags: lags(),
        timeline: Some(timeline()),
        forecast: forecast(),
        gc: Some(gc()),
        writers: Some(writers()),
        findings: findings(),
        undecided: vec![Undecided {
            rule: text("never_shrinks"),
            reason: text("visitors has been left alone for 3.4 s only, and it takes 5.0 s to tell"),
        }],
        coverage: coverage(),
        cost: Cost {
            probe_hits: 112_804,
            target_time_estimate: Nanos(84 * MILLISECOND),
            agent_cpu: Some(Nanos(420 * MILLISECOND)),
            agent_rss: Some(mib(142)),
            bpf_memory: Some(mib(43)),
        },
        ..empty()
    }
}

/// What a target may call things: it clears the screen, sets the title, turns the line around, hides
/// what follows and does not end.
pub(crate) const HOSTILE: &str =
    "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}evil\u{200b}\u{feff}e\u{301}\0\\\u{1f600}";

fn hostile_map(address: u64) -> Map {
    let most = Some(Bytes(u64::MAX));
    let endless = HOSTILE.repeat(40);
    Map {
        runtime: endless.clone(),
        type_name: None,
        candidates: vec![endless.clone(); 50],
        name: Some(endless.clone()),
        born: Some(Nanos(u64::MAX)),
        reachable: None,
        owner: Some(endless.clone()),
        site: vec![endless.clone(); 20],
        live: Some(u64::MAX),
        capacity: Some(1),
        tombstones: Some(u64::MAX),
        overflow: Some(u64::MAX),
        bytes: MapBytes {
            allocated: most,
            resident: most,
            needed: most,
            stranded: most,
            old_table: most,
            peak: most,
        },
        tables: tables(u64::MAX, Bytes(u64::MAX), u64::MAX, Bytes(u64::MAX)),
        growths: Growths { split: Some(u64::MAX), ..growths(u64::MAX, u64::MAX, u64::MAX) },
        evacuation: Some(Evacuation {
            moved: u64::MAX,
            total: 1,
            in_progress: true,
            stalled_for: Some(Nanos(u64::MAX)),
        }),
        next_growth: Some(NextGrowth {
            at_live: u64::MAX,
            new_table: Bytes(u64::MAX),
            peak_extra: Bytes(u64::MAX),
            capacity: u64::MAX,
            eta: Some(Nanos(u64::MAX)),
            eta_least: Some(Nanos(0)),
            eta_most: Some(Nanos(u64::MAX)),
        }),
        sizes: Some(SizesId(u32::MAX)),
        verdict: Some(Verdict::Stalled),
        outlook: Some(Outlook {
            mechanism: endless.clone(),
            expected_within: Some(Nanos(u64::MAX)),
            frees: Some(Bytes(u64::MAX)),
            disproof: endless,
        }),
        ..unknown_map(address)
    }
}

/// A target that lies: names full of escapes, every number as large as it can be.
pub(crate) fn hostile() -> Report {
    let endless = HOSTILE.repeat(40);
    let calls = Calls { calls: u64::MAX, bytes: Bytes(u64::MAX) };
    let most = Some(Bytes(u64::MAX));
    let mut report = Report {
        target: Target {
            allocator: Some(endless.clone()),
            pid: Pid(u32::MAX),
            comm: endless.clone(),
            exe: endless.clone(),
            build_id: Some(endless.clone()),
            runtimes: vec![
                Runtime {
                    name: endless.clone(),
                    version: Some(endless.clone()),
                    evidence: endless.clone()
                };
                20
            ],
        },
        window: Window { start: Nanos(0), end: Nanos(u64::MAX), wall_start: endless.clone(), ended: None },
        memory: Memory {
            rss: Rss { first: most, last: most, peak: most, peak_at: Some(Nanos(u64::MAX)) },
            limit: most,
            swap: most,
            headroom: most,
            pressure: None,
            ladder: vec![
                Rung { name: endless.clone(), bytes: Bytes(u64::MAX), evidence: endless.clone() };
                50
            ],
            arenas: Some(Arenas { count: u64::MAX, system: Bytes(u64::MAX), ..arenas() }),
            changes: Some(Changes {
                rose: Bytes(u64::MAX),
                rose_unexplained: Bytes(u64::MAX),
                fell: Bytes(u64::MAX),
                fell_unexplained: Bytes(0),
                omitted: u64::MAX,
                largest: vec![
                    Change {
                        start: Nanos(0),
                        end: Nanos(u64::MAX),
                        rss: i64::MIN,
                        parts: vec![
                            Part {
                                name: endless.clone(),
                                map: Some(Address(u64::MAX)),
                                bytes: i64::MIN,
                                growths: Some(u64::MAX),
                            };
                            50
                        ],
                        unexplained: i64::MAX,
                        cycles: Some(u64::MAX),
                    };
                    50
                ],
            }),
            verdict: Some(Verdict::HeldByAllocator),
            outlook: Some(Outlook {
                mechanism: endless.clone(),
                expected_within: Some(Nanos(u64::MAX)),
                frees: most,
                disproof: endless.clone(),
            }),
        },
        syscalls: Some(Syscalls {
            mmap: calls,
            munmap: calls,
            mremap: calls,
            brk: calls,
            madvise: Madvise {
                calls: u64::MAX,
                bytes: Bytes(u64::MAX),
                by_advice: BTreeMap::from([(endless.clone(), calls)]),
            },
        }),
        sizes: vec![Sizes {
            id: SizesId(u32::MAX),
            header: Bytes(u64::MAX),
            slot: most,
            behind: Bytes(u64::MAX),
            overflow: most,
            listed: Bytes(u64::MAX),
            steps: vec![step((u64::MAX, u64::MAX, u64::MAX), Bytes(u64::MAX), most); 96],
        }],
        maps: (0..30).map(|index| hostile_map(u64::MAX - index)).collect(),
        writers: Some(Writers {
            map: Address(u64::MAX),
            start: Nanos(u64::MAX),
            end: Nanos(0),
            cut_short: Some(endless.clone()),
            writes: u64::MAX,
            turns: u64::MAX,
            goroutines: None,
            by: vec![
                Writer {
                    goroutine: Some(u64::MAX),
                    writes: u64::MAX,
                    threads: u32::MAX,
                    site: vec![endless.clone(); 64],
                };
                100
            ],
        }),
        ..rich()
    };
    report.episodes = vec![
        Episode {
            map: Address(u64::MAX),
            start: Nanos(u64::MAX),
            end: Some(Nanos(0)),
            allocated: Bytes(u64::MAX),
            rss_delta: Some(i64::MIN),
            rss_lag: Some(Nanos(u64::MAX)),
            mmap_lag: Some(Nanos(u64::MAX)),
            stall: Some(Nanos(u64::MAX)),
            faults: Some(Faults { minor: u64::MAX, major: u64::MAX, within: Nanos(u64::MAX) }),
            cause: Some(endless.clone()),
            ..episode(GrowthKind::Other, 0, None, Bytes(0))
        };
        50
    ];
    report.coverage.lost = u64::MAX;
    report.coverage.notes = vec![endless.clone(); 50];
    report.coverage.probes = vec![
        Probe {
            hook: endless.clone(),
            place: endless.clone(),
            state: HookState::Refused,
            reason: Some(endless),
            hits: u64::MAX,
        };
        50
    ];
    report
}
