//! Records a second through the ring: threads of the target call a hooked function at a rate, the
//! hook sends a record a hit, and we read as the live loop does. What the reader does with a record
//! beyond decoding it is not in this figure.

use anyhow::{Context as _, Result};
use auditor_ebpf::counter;
use serde_json::{Value, json};

use crate::agent::Agent;

/// Hits a second over all threads; 0: as many as come.
const RATES: [u64; 5] = [100_000, 300_000, 600_000, 1_000_000, 0];
/// Threads that call.
const THREADS: [u64; 2] = [1, 2];

/// For each rate and number of threads: calls, seconds, records read, records lost.
pub(crate) async fn measure(milliseconds: u64) -> Result<Value> {
    let mut agent = Agent::start()?;
    let pid = agent.pid();
    let placements = agent.plan()?;
    agent.kernel.place(placements.first().context("there is a class")?, pid)?;
    let mut found = Vec::new();
    for threads in THREADS {
        for rate in RATES {
            let before = lost(&agent);
            let answer = agent.ask(&format!("flood {threads} {rate} {milliseconds}")).await?;
            let (calls, seconds) = answer.text.split_once(' ').context("calls and seconds")?;
            let (calls, seconds): (u64, f64) = (calls.parse()?, seconds.parse()?);
            found.push(json!({
                "threads": threads, "rate": rate, "calls": calls, "seconds": seconds,
                "read": answer.records, "lost": lost(&agent) - before,
            }));
        }
    }
    Ok(found.into())
}

fn lost(agent: &Agent) -> u64 {
    agent.kernel.losses()[counter::RING_FULL as usize]
}
