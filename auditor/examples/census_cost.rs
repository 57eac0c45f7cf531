//! What a census takes beside the copying of the bytes that it reads: rounds of a census of a process and of the
//! same reads with nothing done about them, in turns. Prints one JSON object; `cargo xtask bench` draws it.
//!
//! An example and not a program of the product: it needs the auditor's own runtimes, so it must live in this
//! crate, and nobody who audits a process needs it.
//!
//! `census_cost PID ROUNDS` needs the right to read the process.

use std::env::args;
use std::fs::read_to_string;
use std::io::{Write as _, stdout};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use auditor::audit::unit::{Address, Bytes, Pid};
use auditor::runtimes::Instance as _;
use auditor::session::inspect;
use auditor::session::recognise::Choice;
use auditor::target::memory::{LiveMemory, Memory, ReadError, Request};

/// What was read together.
struct Call {
    pieces: Vec<(Address, usize)>,
    /// By `read_many`.
    together: bool,
}

/// As `auditor census` folds.
const FOLD_BELOW: Bytes = Bytes(16 << 10);

fn main() -> Result<()> {
    let words: Vec<String> = args().skip(1).collect();
    let [pid, rounds] = words.as_slice() else { bail!("census_cost PID ROUNDS") };
    let (pid, rounds) = (Pid(pid.parse()?), rounds.parse::<u32>()?);
    let (mut maps, mut bytes, mut peak, mut census, mut copies) = (0, 0, 0, Vec::new(), Vec::new());
    let mut buffer = Vec::new();
    for _ in 0..rounds {
        // Each a first one, as the command's is: nothing is at hand from before.
        let inspect::Opened { process, mut runtimes, .. } = inspect::open(pid, &Choice::default())?;
        let memory = LiveMemory::of(&process);
        runtimes.check(&memory)?;
        let logged = Logged { memory: &memory, calls: Mutex::default() };
        let began = Instant::now();
        let found = runtimes.census(FOLD_BELOW, &logged)?;
        census.push(began.elapsed().as_nanos() as u64);
        peak = peak_memory()?;
        let small: u64 = found.crowds.iter().flatten().map(|crowd| crowd.maps).sum();
        (maps, bytes) = (small + found.maps.len() as u64, found.read.0);
        let calls = logged.calls.into_inner().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        copy(&calls, &memory, &mut buffer);
        copies.push(began.elapsed().as_nanos() as u64);
    }
    let found = serde_json::json!({
        "maps": maps, "bytes": bytes, "peak": peak, "census_ns": census, "copy_ns": copies,
    });
    Ok(writeln!(stdout(), "{found}")?)
}

/// Reads as another memory does, and remembers what in which calls.
struct Logged<'a> {
    memory: &'a LiveMemory,
    calls: Mutex<Vec<Call>>,
}

impl Logged<'_> {
    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory for Logged<'_> {
    fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
        self.calls().push(Call { pieces: vec![(at, into.len())], together: false });
        self.memory.read(at, into)
    }

    fn read_many(&self, requests: &mut [Request<'_>]) -> Vec<Result<(), ReadError>> {
        let pieces = requests.iter().map(|request| (request.at, request.into.len())).collect();
        self.calls().push(Call { pieces, together: true });
        self.memory.read_many(requests)
    }
}

/// The most memory that this process ever had resident, in bytes: what is remembered of the calls included.
fn peak_memory() -> Result<u64> {
    let status = read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}

/// The same bytes in the same calls, and nothing done with them.
fn copy(calls: &[Call], memory: &LiveMemory, buffer: &mut Vec<u8>) {
    for call in calls {
        let total = call.pieces.iter().map(|(_, len)| len).sum();
        if buffer.len() < total {
            buffer.resize(total, 0);
        }
        let mut rest = &mut **buffer;
        let mut requests = Vec::with_capacity(call.pieces.len());
        for (at, len) in &call.pieces {
            let (into, behind) = rest.split_at_mut(*len);
            requests.push(Request { at: *at, into });
            rest = behind;
        }
        // What cannot be read now could not be read by the census either, or has gone since.
        if call.together {
            let _answers = memory.read_many(&mut requests);
        } else {
            for request in requests {
                let _answer = memory.read(request.at, request.into);
            }
        }
    }
}
