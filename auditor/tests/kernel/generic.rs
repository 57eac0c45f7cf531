//! The engine behind all hooks, by itself: what a spec asks to be captured, counted, filtered, watched,
//! copied and paired is what comes back from a program whose every value is known.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use auditor::audit::unit::{Address, Nanos, Pid};
use auditor::probes::decode::Event;
use auditor::probes::events::EVENTS;
use auditor::probes::host::Host;
use auditor::probes::kernel::{Kernel, Multi};
use auditor::probes::object::{Log, Reach, Settings};
use auditor::probes::plan::{self, Placement};
use auditor::runtimes::hook::{Capture, Does, Filter, Header, Heat, Hook, Nulls, Spot, Stack, Watch, When};
use auditor::target::module::{Module, Symbol, modules};
use auditor_ebpf::source::{FIRST, R8, R9, RAX, RCX, RDI, RDX, RSI, RSP};
use auditor_ebpf::{HookRecord, LOOK_BYTES, LookRecord, counter};

use crate::harness::{Process, Scene, fixture, links};

/// A program that waits to call what was probed, and the kernel side.
struct Bench {
    /// Kept: what the program says goes there.
    _scene: Scene,
    target: Option<Process>,
    module: Module,
    kernel: Kernel,
    pid: Pid,
}

/// What came back.
struct Outcome {
    hits: Vec<(HookRecord, Option<Box<[u8; LOOK_BYTES]>>)>,
    looks: Vec<LookRecord>,
    kernel: Kernel,
}

fn hook(captures: Vec<Capture>) -> Hook {
    Hook {
        name: "hit".into(),
        spot: Spot::Function(String::new()),
        when: When::Entry,
        heat: Heat::Rare,
        does: Does::Send,
        stack: Stack::Leave,
        key: 0,
        watch: Watch::No,
        header: Header::No,
        filter: None,
        nulls: Nulls::Lose,
        captures,
    }
}

impl Bench {
    fn new(multi: Multi) -> Self {
        let scene = Scene::new();
        let mut command = Command::new(scene.fixture(&fixture::CAPTURES));
        let mut target = scene.start("captures", command.stdin(Stdio::piped()));
        target.wait_to_say("ready");
        let pid = Pid(target.pid());
        let module = modules(pid).unwrap().into_iter().find(Module::is_main).unwrap();
        let host = Host::ask();
        let types = host.types.clone().ok();
        let settings =
            Settings { rss_step: 1 << 30, types, page_shift: 12, log: Log::Off, reach: Reach::One };
        let mut kernel = Kernel::load(&settings, multi).unwrap();
        let numbered = (plan::EVENT_IDS..).zip(EVENTS);
        for (hook, event) in numbered.filter(|(_, event)| event.offered(&host, &[]).is_ok()) {
            kernel.attach_event(hook, event, &[]).unwrap();
        }
        Self { _scene: scene, target: Some(target), module, kernel, pid }
    }

    fn symbol(&self, name: &str) -> Symbol {
        self.module.symbol(name).unwrap()
    }

    fn address(&self, name: &str) -> u64 {
        self.symbol(name).address.0
    }

    fn place(&mut self, id: u32, symbol: &str, hook: Hook) {
        self.place_with(id, symbol, hook, false);
    }

    fn place_with(&mut self, id: u32, symbol: &str, hook: Hook, skip_if_below: bool) {
        let found = self.symbol(symbol);
        let placement = Placement {
            id,
            hook,
            file: PathBuf::from(self.module.open_path()),
            offset: found.file_offset.unwrap(),
            address: Address(found.address.0),
            bytes: Vec::new(),
            skip_if_below,
            place: symbol.to_owned(),
            cost: Nanos(500),
            header_len: LOOK_BYTES as u32,
        };
        self.kernel.place(&placement, self.pid).unwrap();
    }

    /// Lets the program run to its end and reads what came.
    fn run(mut self) -> Outcome {
        self.kernel.follow(self.pid).unwrap();
        let mut target = self.target.take().unwrap();
        target.tell("go");
        target.end_by_itself().well();
        let (mut hits, mut looks) = (Vec::new(), Vec::new());
        self.kernel.ring.drain(usize::MAX, |event| match event {
            Event::Hook(record, header) => hits.push((record, header)),
            Event::Look(look) => looks.push(*look),
            _ => {}
        });
        Outcome { hits, looks, kernel: self.kernel }
    }
}

impl Outcome {
    fn values(&self, capture: usize) -> Vec<u64> {
        self.hits.iter().map(|(hit, _)| hit.values[capture]).collect()
    }
}

const HIT: &str = "captures_hit";

#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn registers_loads_and_widths_are_captured_as_they_are() {
    for multi in links::multi() {
        let mut bench = Bench::new(multi);
        let chain = bench.address("captures_chain");
        // Steps as fixtures/captures.c has them: *rsi, then at 8, at -8, at 16.
        const CHAIN: &[i64] = &[0, 8, -8, 16];
        bench.place(
            3,
            HIT,
            hook(vec![
                Capture::register(RDI),
                Capture::register(RSI),
                Capture::load(RSI, CHAIN, 8),
                Capture::load(RSI, CHAIN, 4),
                Capture::load(RSI, CHAIN, 2),
                Capture::load(RSI, CHAIN, 1),
                Capture::register(R8),
                Capture::register(R9),
            ]),
        );
        let outcome = bench.run();
        assert_eq!(outcome.values(0), (0..10).collect::<Vec<_>>());
        assert_eq!(outcome.values(1), [chain; 10]);
        for (capture, value) in [(2, 0x1122_3344_5566_7788), (3, 0x5566_7788), (4, 0x7788), (5, 0x88), (6, 5)]
        {
            assert_eq!(outcome.values(capture), [value; 10], "capture {capture}");
        }
        assert_eq!(outcome.values(7), (0..10).map(|n| 8 * n).collect::<Vec<_>>());
        assert!(
            outcome.hits.iter().all(|(hit, header)| hit.failed == 0 && hit.spec == 3 && header.is_none())
        );
        assert_eq!(outcome.kernel.hits(3), 10);
        assert_eq!(outcome.kernel.losses(), [0; counter::COUNT as usize]);
    }
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn a_load_that_fails_is_marked_and_the_others_stand() {
    let mut bench = Bench::new(links::multi()[0]);
    let bad = Capture::load(RDI, &[0], 8);
    let later = Capture::load(RSI, &[0, 1 << 40, 0], 8);
    bench.place(0, HIT, hook(vec![Capture::register(RDI), bad, Capture::register(R8), later]));
    let outcome = bench.run();
    assert_eq!(outcome.values(0), (0..10).collect::<Vec<_>>());
    assert_eq!(outcome.values(2), [5; 10]);
    assert!(outcome.hits.iter().all(|(hit, _)| hit.failed == 0b1010));
    assert_eq!(outcome.kernel.losses()[counter::CAPTURE_FAILED as usize], 10);
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn a_filter_drops_what_is_smaller_or_larger_and_hits_count_all_the_same() {
    for (filter, passed) in [(Filter::from(1, 56, None), 7..10), (Filter::only(1, 48), 6..7)] {
        let mut bench = Bench::new(links::multi()[0]);
        let captures = vec![Capture::register(RDI), Capture::register(R9)];
        bench.place(0, HIT, Hook { filter: Some(filter), ..hook(captures) });
        let outcome = bench.run();
        assert_eq!(outcome.values(0), passed.collect::<Vec<_>>());
        assert_eq!(outcome.kernel.hits(0), 10);
        assert_eq!(outcome.kernel.losses(), [0; counter::COUNT as usize]);
    }
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn a_hit_whose_filter_or_key_cannot_be_read_is_lost_and_counted() {
    let unreadable = || vec![Capture::register(RDI), Capture::load(RDI, &[0], 8)];
    let filtered = Hook { filter: Some(Filter::from(1, 0, None)), ..hook(unreadable()) };
    let counting = Hook { does: Does::Count, key: 1, ..hook(unreadable()) };
    for asked in [filtered, counting] {
        let mut bench = Bench::new(links::multi()[0]);
        bench.place(0, HIT, asked);
        let mut outcome = bench.run();
        assert!(outcome.hits.is_empty() && outcome.kernel.counted().is_empty());
        assert_eq!(outcome.kernel.hits(0), 10);
        assert_eq!(outcome.kernel.losses()[counter::CAPTURE_FAILED as usize], 10);
    }
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn counting_keeps_one_count_a_key_and_sends_nothing() {
    let mut bench = Bench::new(links::multi()[0]);
    let counting =
        Hook { does: Does::Count, key: 1, ..hook(vec![Capture::register(RDI), Capture::register(RDX)]) };
    bench.place(9, HIT, counting);
    let mut outcome = bench.run();
    assert!(outcome.hits.is_empty());
    let mut counted = outcome.kernel.counted();
    counted.sort_by_key(|counted| counted.key);
    let counts: Vec<_> = counted.iter().map(|counted| (counted.hook, counted.key, counted.count)).collect();
    // n % 3 of 0 to 9.
    assert_eq!(counts, [(9, 0, 4), (9, 1, 3), (9, 2, 3)]);
    assert!(counted.iter().all(|counted| counted.last > 0));
    assert!(outcome.kernel.counted().is_empty(), "each is told once");
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn a_header_comes_with_the_hit_and_a_watched_one_again_at_the_exit() {
    let mut bench = Bench::new(links::multi()[0]);
    let header = bench.address("captures_header");
    let copied = Hook { header: Header::Copy, watch: Watch::AtExit, ..hook(vec![Capture::register(RCX)]) };
    bench.place(4, HIT, copied);
    let outcome = bench.run();
    let word =
        |bytes: &[u8], index: usize| u64::from_le_bytes(bytes[8 * index..8 * index + 8].try_into().unwrap());
    assert_eq!(outcome.hits.len(), 10);
    for (hit, bytes) in &outcome.hits {
        let bytes = bytes.as_ref().unwrap();
        assert_eq!((hit.values[0], word(&**bytes, 0), word(&**bytes, 15)), (header, 0, 15));
    }
    let [look] = &outcome.looks[..] else { panic!("{} looks", outcome.looks.len()) };
    assert_eq!((look.map, look.tag, look.len), (header, 4, LOOK_BYTES as u32));
    assert_eq!((word(&look.bytes, 0), word(&look.bytes, 15)), (77, 15), "as it was at the exit");
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn a_header_that_cannot_be_read_does_not_cost_the_hit() {
    let mut bench = Bench::new(links::multi()[0]);
    bench.place(0, HIT, Hook { header: Header::Copy, ..hook(vec![Capture::register(RDI)]) });
    let outcome = bench.run();
    assert_eq!(outcome.values(0), (0..10).collect::<Vec<_>>());
    assert!(outcome.hits.iter().all(|(_, header)| header.is_none()));
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn a_pair_has_the_values_of_the_entry_and_the_result_and_time_of_the_return() {
    for multi in links::multi() {
        let mut bench = Bench::new(multi);
        let header = bench.address("captures_header");
        let paired = Hook {
            when: When::EntryAndReturn,
            header: Header::Copy,
            key: 1,
            ..hook(vec![Capture::register(RDI), Capture::load(RSP, &[0], 8)])
        };
        assert!(header > 0);
        bench.place(1, "captures_slow", paired);
        let outcome = bench.run();
        let paired: Vec<_> = outcome.hits.iter().map(|(hit, _)| (hit.values[0], hit.returned)).collect();
        assert_eq!(paired, [(1, 3), (2, 6), (3, 9)]);
        for (hit, _) in &outcome.hits {
            assert!((20_000_000..2_000_000_000).contains(&hit.took), "{} ns", hit.took);
            assert_eq!(hit.values[1], hit.caller, "the word at the stack pointer is the return address");
        }
        let at: Vec<u64> = outcome.hits.iter().map(|(hit, _)| hit.header.at).collect();
        assert!(at.is_sorted());
    }
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn a_pair_captures_at_the_entry_what_was_and_at_the_return_what_is() {
    for multi in links::multi() {
        let mut bench = Bench::new(multi);
        let header = bench.address("captures_header");
        let word = |source| Capture::load(source, &[0], 8);
        let captures = vec![
            Capture::register(RSI).plus(-8),
            word(RSI),
            Capture::load(FIRST, &[8], 8).at_return(),
            Capture::register(RAX).at_return().plus(1),
            Capture::load(RDI, &[0], 8),
        ];
        let paired = Hook { when: When::EntryAndReturn, nulls: Nulls::Expect, ..hook(captures) };
        bench.place(1, "captures_slow", paired);
        let outcome = bench.run();
        assert_eq!(outcome.values(0), [header - 8; 3], "the key, with what is added to it");
        assert_eq!(outcome.values(1), [0, 1001, 1002]);
        assert_eq!(outcome.values(2), [1001, 1002, 1003]);
        assert_eq!(outcome.values(3), [4, 7, 10]);
        assert!(outcome.hits.iter().all(|(hit, _)| hit.failed == 0b10000));
        assert_eq!(outcome.kernel.losses(), [0; counter::COUNT as usize], "it was expected");
    }
}

/// As with a constructor: what it gives is the map.
#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn the_key_may_be_what_is_returned() {
    let mut bench = Bench::new(links::multi()[0]);
    let captures = vec![
        Capture::register(RAX).at_return().plus(-3),
        Capture::register(FIRST).at_return(),
        Capture::register(RDI),
    ];
    bench.place(1, "captures_slow", Hook { when: When::EntryAndReturn, ..hook(captures) });
    let outcome = bench.run();
    assert_eq!(outcome.values(0), [0, 3, 6]);
    assert_eq!(outcome.values(1), outcome.values(0));
    assert_eq!(outcome.values(2), [1, 2, 3]);
}

#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn a_call_that_goes_to_grow_its_stack_is_counted_when_it_comes_again() {
    for (skip, seen) in [(true, vec![500, 450]), (false, vec![500, 350, 450])] {
        let mut bench = Bench::new(links::multi()[0]);
        let captured = hook(vec![Capture::register(RDI), Capture::register(RAX)]);
        bench.place_with(0, "captures_branch", captured, skip);
        let outcome = bench.run();
        assert_eq!(outcome.values(0), seen, "skip_if_below {skip}");
        assert_eq!(outcome.kernel.hits(0), seen.len() as u64);
    }
}

/// A stack's place is given by its hash: of 256 stacks some 8 meet another one there.
#[tokio::test]
#[ignore = "needs root: cargo xtask test"]
async fn stacks_whose_place_is_taken_are_told_all_the_same() {
    let mut bench = Bench::new(links::multi()[0]);
    bench.place(0, "captures_end", Hook { stack: Stack::Take, ..hook(vec![]) });
    let outcome = bench.run();
    assert_eq!(outcome.hits.len(), 256);
    let walks =
        outcome.hits.iter().filter_map(|(hit, _)| outcome.kernel.stack(u32::try_from(hit.stack).ok()?));
    let walks: BTreeSet<Vec<u64>> = walks.collect();
    let failed = outcome.kernel.losses()[counter::STACK_FAILED as usize];
    // In the spare places they rarely meet again: one of fifteen times.
    assert!(failed <= 1 && walks.len() as u64 + failed == 256, "{} stacks, {failed} failed", walks.len());
}
