//! What a census takes beside the copying of as many bytes: rounds of a census of a process and of reading its
//! heap in pieces of a megabyte, in turns. Prints one JSON object; `cargo xtask bench` draws it.
//!
//! An example and not a program of the product: it needs the auditor's own runtimes, so it must live in this
//! crate, and nobody who audits a process needs it.
//!
//! `census_cost PID ROUNDS` needs the right to read the process.

use std::env::args;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use auditor::audit::unit::{Address, Bytes, Pid};
use auditor::runtimes::census::{Owners, Scope};
use auditor::session::inspect;
use auditor::target::maps::open_maps;
use auditor::target::memory::{LiveMemory, Memory as _};
use auditor::target::proc;

/// Bytes of a piece.
const PIECE: usize = 1 << 20;
/// How kernels that show names call Go's heap (`setVMAName`, src/runtime/set_vma_name_linux.go).
const NAMED: &str = "[anon: Go: heap";
/// Most pieces of one mapping: more of it is only reserved.
const MOST: usize = 4096;
/// As `auditor census` folds.
const FOLD_BELOW: Bytes = Bytes(16 << 10);

fn main() -> Result<()> {
    let words: Vec<String> = args().skip(1).collect();
    let [pid, rounds] = words.as_slice() else { bail!("census_cost PID ROUNDS") };
    let (pid, rounds) = (Pid(pid.parse()?), rounds.parse::<u32>()?);
    let mut opened = inspect::open(pid, None)?;
    let memory = LiveMemory::of(&opened.process);
    opened.instance.check(&memory)?;
    let heap = heap(pid, &memory)?;
    let scope = Scope { fold_below: FOLD_BELOW, owners: Owners::Find };
    let (mut maps, mut bytes, mut census, mut copies) = (0, 0, Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        let found = opened.instance.census(&scope, &memory)?;
        census.push(began.elapsed().as_nanos() as u64);
        let small: u64 = found.crowds.iter().flatten().map(|crowd| crowd.maps).sum();
        (maps, bytes) = (small + found.maps.len() as u64, found.read.0);
        let began = Instant::now();
        copy(&heap, bytes, &memory)?;
        copies.push(began.elapsed().as_nanos() as u64);
    }
    let found = serde_json::json!({ "maps": maps, "bytes": bytes, "census_ns": census, "copy_ns": copies });
    Ok(writeln!(stdout(), "{found}")?)
}

/// The pieces of what is mapped without a file. Not all of it can be read.
fn heap(pid: Pid, memory: &LiveMemory) -> Result<Vec<Address>> {
    let maps = open_maps(Path::new(proc::ROOT), pid).context("its mappings")?;
    let is_heap = |path: &Path| path.to_str().is_some_and(|path| path.starts_with(NAMED));
    let ranges = maps.mappings.iter().filter(|mapping| mapping.path.as_deref().is_none_or(is_heap));
    let mut pieces = Vec::new();
    let mut into = vec![0; PIECE];
    for range in ranges {
        let places = (range.start.0..range.end.0).step_by(PIECE).take(MOST).map(Address);
        pieces.extend(places.filter(|at| memory.read(*at, &mut into).is_ok()));
    }
    Ok(pieces)
}

/// Copies so many bytes of it, again from the start where it has fewer.
fn copy(heap: &[Address], bytes: u64, memory: &LiveMemory) -> Result<()> {
    let mut into = vec![0; PIECE];
    let mut copied = 0;
    for at in heap.iter().cycle().take(2 * (bytes as usize / PIECE + heap.len())) {
        if copied >= bytes {
            return Ok(());
        }
        copied += memory.read(*at, &mut into).map_or(0, |()| PIECE as u64);
    }
    ensure!(copied >= bytes, "only {copied} of {bytes} bytes could be read");
    Ok(())
}
