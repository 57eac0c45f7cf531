//! The process that is probed. It does as it is told, a line at a time, and answers each with a line:
//!
//! - `calls CLASS`: calls the class's function; answers with the ns of CPU time that a call took;
//! - `flood THREADS RATE MILLISECONDS`: calls the first class's function from several threads, at a
//!   rate over all of them (0: unlimited); answers with the calls and the seconds that they took.

use std::hint::black_box;
use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::time::{ClockId, clock_gettime};

use crate::functions::{CLASSES, Class};

/// What stands for a map's address: one map, as in the hottest case.
const KEY: u64 = 0x1000;
/// Calls between two looks at the clock.
const BATCH: u64 = 64;

/// Serves until its input ends.
pub(crate) fn serve() -> Result<()> {
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words.as_slice() {
            ["calls", class] => calls(&CLASSES[class.parse::<usize>()?])?.to_string(),
            ["flood", threads, rate, time] => flood(threads.parse()?, rate.parse()?, time.parse()?)?,
            _ => bail!("what does {line:?} mean?"),
        };
        writeln!(stdout(), "{answer}")?;
    }
    Ok(())
}

/// ns of this thread's CPU time a call.
fn calls(class: &Class) -> Result<f64> {
    let function = black_box(class.function);
    let before = cpu_time()?;
    (0..class.calls).for_each(|_| function(KEY));
    Ok((cpu_time()? - before).as_nanos() as f64 / class.calls as f64)
}

fn cpu_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

fn flood(threads: u64, rate: u64, milliseconds: u64) -> Result<String> {
    let began = Instant::now();
    let end = began + Duration::from_millis(milliseconds);
    let running: Vec<_> =
        (0..threads).map(|_| thread::spawn(move || call_until(end, rate as f64 / threads as f64))).collect();
    let mut calls = 0;
    for thread in running {
        calls += thread.join().ok().context("a thread panicked")?;
    }
    Ok(format!("{calls} {}", began.elapsed().as_secs_f64()))
}

/// Calls at a rate by spinning: sleep would make bursts of what should be a stream.
fn call_until(end: Instant, rate: f64) -> u64 {
    let function = black_box(CLASSES[0].function);
    let began = Instant::now();
    let mut calls = 0;
    loop {
        let now = Instant::now();
        if now >= end {
            return calls;
        }
        if rate == 0.0 || (calls as f64) < (now - began).as_secs_f64() * rate {
            (0..BATCH).for_each(|_| function(KEY));
            calls += BATCH;
        }
    }
}
