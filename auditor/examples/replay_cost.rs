//! What a replay takes beside reading its file: a recording of so many facts about so many maps is written, then
//! read and checksummed, decoded, and replayed, each alone. Prints one JSON object; `cargo xtask bench` draws it.
//!
//! `replay_cost FACTS MAPS ROUNDS`. An example and not a program of the product: nobody who audits needs it.

use std::env::args;
use std::fs;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use auditor::audit::Audit;
use auditor::audit::fact::{
    Allocate, Began, Call, Evacuate, Fact, Free, Grow, GrowthKind, Hook, HookState, Look, Occasion, Part,
    Rss, RssMember, Runtime, Shape, Syscall, What,
};
use auditor::audit::unit::{Address, Bytes, Nanos, Pid};
use auditor::recording;

/// Facts of one growth: what a growth of the demo map tells, and what else happens meanwhile.
const STEP: u64 = 10;
const HOOKS: [&str; 5] =
    ["demo_map_allocate", "demo_map_grow", "demo_map_evacuate", "demo_map_free", "sys_exit"];

fn main() -> Result<()> {
    let words: Vec<String> = args().skip(1).collect();
    let [facts, maps, rounds] = words.as_slice() else { bail!("replay_cost FACTS MAPS ROUNDS") };
    let (facts, maps, rounds) = (facts.parse::<u64>()?, maps.parse::<u64>()?, rounds.parse::<u32>()?);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("recording");
    record(&file, facts, maps)?;
    let before = own_peak()?;
    let (mut read, mut decode, mut replay) = (Vec::new(), Vec::new(), Vec::new());
    let mut listed = 0;
    for _ in 0..rounds {
        read.push(timed(|| checksum(&file))?);
        decode.push(timed(|| Ok(recording::open(&file)?.count() as u64))?);
        replay.push(timed(|| {
            let mut audit = Audit::new();
            for fact in recording::open(&file)? {
                audit.apply(&fact?);
            }
            let report = audit.report();
            listed = report.maps.len() as u64 + report.populations.iter().map(|row| row.alive).sum::<u64>();
            Ok(listed)
        })?);
    }
    let bytes = fs::metadata(&file)?.len();
    let found = serde_json::json!({
        "facts": facts, "maps": listed, "bytes": bytes, "memory": own_peak()?.saturating_sub(before),
        "read_ns": read, "decode_ns": decode, "replay_ns": replay,
    });
    Ok(writeln!(stdout(), "{found}")?)
}

fn timed(work: impl FnOnce() -> Result<u64>) -> Result<u64> {
    let began = Instant::now();
    std::hint::black_box(work()?);
    Ok(began.elapsed().as_nanos() as u64)
}

fn checksum(file: &Path) -> Result<u64> {
    Ok(u64::from(crc32fast::hash(&fs::read(file)?)))
}

/// The most that this process held, in bytes.
fn own_peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    Ok(line.split_whitespace().nth(1).unwrap_or("0").parse::<u64>()? * 1024)
}

fn record(file: &Path, facts: u64, maps: u64) -> Result<()> {
    let mut writer = recording::Writer::create(file)?;
    let mut at = 1_000_000_000;
    let mut append = |what| {
        at += 1000;
        writer.append(&Fact { at: Nanos(at), thread: None, what })
    };
    append(began())?;
    append(What::Runtime(runtime()))?;
    for (name, id) in HOOKS.iter().zip(0..) {
        append(What::Hook(hook(id, name)))?;
    }
    for step in 0..facts / STEP {
        // Every map grows as often as every other one.
        let (map, growth) = (step % maps, step / maps);
        for what in happenings(Address(0x7f00_0000_0000 + map * 64), growth) {
            append(what)?;
        }
    }
    writer.finish()?;
    Ok(())
}

/// A growth of a map, [`STEP`] facts.
fn happenings(map: Address, growth: u64) -> [What; STEP as usize] {
    // Beyond 2^10 buckets it grows to the same size.
    let (from, to) = (1 << growth.min(10), 1 << (growth + 1).min(10));
    let table = |number: u64| Address(map.0 ^ ((number + 1) << 28));
    let (bytes, old) = (Bytes(to * 144), Bytes(from * 144));
    let first = growth == 0;
    let shape = Shape {
        live: from * 7,
        capacity: to * 8,
        table: Some(table(growth)),
        allocated: bytes,
        needed: Some(bytes),
        ..Shape::default()
    };
    let kind = match (first, from == to) {
        (true, _) => GrowthKind::First,
        (false, true) => GrowthKind::SameSize,
        (false, false) => GrowthKind::Double,
    };
    let evacuate = || What::Evacuate(Evacuate { map, moved: from / 2 });
    let rss = || {
        let bytes = Bytes((1 << 30) + growth * 4096);
        What::Rss(Rss { member: RssMember::Anon, bytes, external: false })
    };
    let mmap =
        Syscall { call: Call::Mmap, address: table(growth), bytes, old: None, advice: None, failed: None };
    let allocate =
        Allocate { map, table: Some(table(growth)), bytes, part: Part::Buckets, stack: None, took: None };
    let grow = Grow { map, kind, from, to, live: Some(from * 7), bytes: None, stack: None };
    let look =
        Look { map, occasion: Occasion::Poll, runtime: "demo".to_owned(), shape: shape.into(), name: None };
    let last = if first {
        evacuate()
    } else {
        What::Free(Free { map, table: table(growth - 1), bytes: old, shape: None })
    };
    [
        What::Grow(grow),
        What::Syscall(mmap),
        What::Allocate(allocate),
        rss(),
        evacuate(),
        evacuate(),
        rss(),
        What::Look(look),
        last,
        rss(),
    ]
}

fn began() -> What {
    What::Began(Box::new(Began {
        auditor: "0".to_owned(),
        kernel: "6.18".to_owned(),
        arch: "x86_64".to_owned(),
        page_size: Bytes(4096),
        cpus: 2,
        pid: Pid(4711),
        comm: "made".to_owned(),
        exe: "/made".to_owned(),
        build_id: None,
        wall: 0,
        from_start: true,
        min_bytes: Bytes(16 << 10),
        rss_step: Bytes(1 << 20),
    }))
}

fn runtime() -> Runtime {
    let name = "demo".to_owned();
    Runtime { name, version: None, evidence: "made".to_owned(), verified: Some(true) }
}

fn hook(id: u32, name: &str) -> Hook {
    let place = "made".to_owned();
    let state = HookState::Attached;
    Hook { id, name: name.to_owned(), place, state, reason: None, cost_per_hit: Nanos(0) }
}
