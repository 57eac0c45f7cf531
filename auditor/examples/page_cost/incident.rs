//! Ten minutes of a service with so many maps, made by hand: at each interval a tenth of the maps has changed, and
//! each grows a few times. Names are as long as those of real programs.

use std::path::Path;

use anyhow::Result;
use auditor::audit::fact::{
    Allocate, Began, Call, Described, Ended, Evacuate, Fact, Free, Grow, GrowthKind, Hook, HookState, Look,
    Memory, Occasion, Pages, Part, Resident, Runtime, Shape, Stack, StackId, Syscall, What,
};
use auditor::audit::unit::{Address, Bytes, Nanos, Pid};
use auditor::recording::Writer;

const SECOND: u64 = 1_000_000_000;
const MINUTES: u64 = 10;
/// Of the maps, one in so many has changed since the look before.
const CHANGED: u64 = 10;
/// Growths of a map.
const GROWTHS: u64 = 4;
/// Call stacks that maps grow from, and frames of each.
const STACKS: u64 = 200;
const FRAMES: u64 = 20;
const OWN_FRAMES: u64 = 5;
const PACKAGES: [&str; 8] =
    ["checkout", "inventory", "session", "pricing", "recommendation", "tenant", "ledger", "telemetry"];
const HOOKS: [&str; 5] =
    ["demo_map_allocate", "demo_map_grow", "demo_map_evacuate", "demo_map_free", "sys_exit"];

/// Writes it; says how many facts there are.
pub(crate) fn record(file: &Path, maps: u64) -> Result<u64> {
    let mut tape = Tape { writer: Writer::create(file)?, at: SECOND, facts: 0 };
    tape.begin(maps)?;
    for second in 1..=MINUTES * 60 {
        tape.second(second, maps)?;
    }
    tape.tell(What::Ended(Ended::Duration))?;
    tape.writer.finish()?;
    Ok(tape.facts)
}

struct Tape {
    writer: Writer,
    at: u64,
    facts: u64,
}

impl Tape {
    fn tell(&mut self, what: What) -> Result<()> {
        self.at += 100;
        self.facts += 1;
        Ok(self.writer.append(&Fact { at: Nanos(self.at), thread: None, what })?)
    }

    fn begin(&mut self, maps: u64) -> Result<()> {
        self.tell(began())?;
        self.tell(What::Runtime(runtime()))?;
        for (name, id) in HOOKS.iter().zip(0..) {
            self.tell(What::Hook(hook(id, name)))?;
        }
        for id in 0..STACKS {
            self.tell(What::Stack(stack(id)))?;
        }
        for number in 0..maps {
            let look = look(number, 0, Occasion::AtAttach);
            self.tell(What::Look(Look { name: Some(name(number)), ..look }))?;
            self.tell(What::Described(Box::new(described(number))))?;
            self.tell(What::Resident(resident(number, 0).into()))?;
        }
        self.tell(memory(0, maps))?;
        self.tell(What::Tick)
    }

    fn second(&mut self, second: u64, maps: u64) -> Result<()> {
        self.at = (second + 1) * SECOND;
        for number in (0..maps).filter(|number| number % CHANGED == second % CHANGED) {
            self.tell(What::Look(look(number, second, Occasion::Poll)))?;
        }
        for number in (0..maps).filter(|number| grows(*number, second)) {
            for what in growth(number, second) {
                self.tell(what)?;
            }
            self.tell(What::Resident(resident(number, second).into()))?;
        }
        self.tell(memory(second, maps))?;
        self.tell(What::Tick)
    }
}

const fn address(number: u64) -> Address {
    Address(0x7f3a_0000_0000 + number * 0x1c40)
}

const fn table(number: u64, steps: u64) -> Address {
    Address(0x7e00_0000_0000 + (number << 20) + (steps << 12))
}

/// When a map grows: at even distances, each map at its own time.
const fn grows(number: u64, second: u64) -> bool {
    const EVERY: u64 = MINUTES * 60 / GROWTHS;
    (second + number * 7919).is_multiple_of(EVERY)
}

/// How often it has grown until then.
fn steps(number: u64, second: u64) -> u64 {
    (1..=second).filter(|second| grows(number, *second)).count() as u64
}

fn buckets(number: u64, steps: u64) -> u64 {
    (4 + number * 37 % 97) << steps
}

fn look(number: u64, second: u64, occasion: Occasion) -> Look {
    let steps = steps(number, second);
    let buckets = buckets(number, steps);
    let shape = Shape {
        live: buckets * 4 + (second + number) % buckets,
        capacity: buckets * 8,
        table: Some(table(number, steps)),
        allocated: Bytes(buckets * 144),
        needed: Some(Bytes(buckets * 100)),
        ..Shape::default()
    };
    Look { map: address(number), occasion, runtime: "demo".to_owned(), shape: shape.into(), name: None }
}

/// What a growth tells, and the call it takes its memory with.
fn growth(number: u64, second: u64) -> [What; 5] {
    let (map, after) = (address(number), steps(number, second));
    let (from, to) = (buckets(number, after.saturating_sub(1)), buckets(number, after));
    let (new, old) = (table(number, after), table(number, after.saturating_sub(1)));
    let bytes = Bytes(to * 144);
    let stack = Some(StackId((number % STACKS) as u32));
    [
        What::Grow(Grow {
            map,
            kind: GrowthKind::Double,
            from,
            to,
            live: Some(from * 6),
            bytes: Some(bytes),
            stack,
        }),
        What::Syscall(Syscall {
            call: Call::Mmap,
            address: new,
            bytes,
            old: None,
            advice: None,
            failed: None,
        }),
        What::Allocate(Allocate { map, table: Some(new), bytes, part: Part::Buckets, stack, took: None }),
        What::Evacuate(Evacuate { map, moved: from }),
        What::Free(Free { map, table: old, bytes: Bytes(from * 144), shape: None }),
    ]
}

fn name(number: u64) -> String {
    let package = PACKAGES[(number % 8) as usize];
    format!("example.com/platform/{package}/internal/cache.(*Store).byTenant[{number}]")
}

fn described(number: u64) -> Described {
    let package = PACKAGES[(number * 5 % 8) as usize];
    Described {
        map: address(number),
        type_name: Some(format!(
            "map[string]*example.com/platform/{package}/internal/model.Entry{}",
            number % 40
        )),
        candidates: Vec::new(),
        owner: Some(format!("example.com/platform/{package}/internal/cache.global.shards[{number}].entries")),
        reachable: Some(true),
    }
}

/// What they are called from is the same for all of a package; what calls the map is not.
fn stack(id: u64) -> Stack {
    let package = PACKAGES[(id % 8) as usize];
    let frame = |depth: u64| {
        let own = if depth < OWN_FRAMES { id % 50 } else { 0 };
        let line = depth * 31 + own;
        format!(
            "example.com/platform/{package}/internal/layer{depth}.(*Handler).Handle{own} (handler.go:{line})"
        )
    };
    Stack { id: StackId(id as u32), frames: (0..FRAMES).map(frame).collect() }
}

fn resident(number: u64, second: u64) -> Resident {
    let bytes = Bytes(buckets(number, steps(number, second)) * 144 / 4096 * 4096);
    let current = Pages { asked: bytes, present: bytes, ..Pages::default() };
    Resident { map: address(number), current, old: Pages::default(), rest: Pages::default() }
}

fn memory(second: u64, maps: u64) -> What {
    let anon = Bytes((200 << 20) + maps * 60_000 * second / (MINUTES * 60));
    What::Memory(Memory { anon, file: Bytes(20 << 20), limit: Some(Bytes(2 << 30)), ..Memory::default() })
}

fn began() -> What {
    What::Began(Box::new(Began {
        auditor: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: "6.18".to_owned(),
        arch: "x86_64".to_owned(),
        page_size: Bytes(4096),
        cpus: 2,
        pid: Pid(4711),
        comm: "checkout-server".to_owned(),
        exe: "/usr/bin/checkout-server".to_owned(),
        build_id: None,
        wall: 1_764_295_200_000_000_000,
        from_start: false,
        min_bytes: Bytes(0),
        rss_step: Bytes(1 << 20),
    }))
}

fn runtime() -> Runtime {
    let name = "demo".to_owned();
    Runtime { name, version: None, evidence: "made by hand".to_owned(), verified: Some(true) }
}

fn hook(id: u32, name: &str) -> Hook {
    let place = "made by hand".to_owned();
    Hook {
        id,
        name: name.to_owned(),
        place,
        state: HookState::Attached,
        reason: None,
        cost_per_hit: Nanos(450),
    }
}
