//! What a hit costs the target, by the class of the instruction that the probe sits on: with an empty
//! program, and with the auditor's hook in each of its modes. And how many records a second pass
//! through the ring. Prints one JSON object; `cargo xtask bench` draws it.
//!
//! An example and not a program of the product: it needs the auditor's own kernel side and planner, so
//! it must live in this crate, and nobody who audits a process needs it.
//!
//! `hit_cost sites ROUNDS` and `hit_cost ring MILLISECONDS` need root; `target` is the probed process.

mod agent;
mod empty;
mod functions;
mod ring;
mod sites;
mod target;

use std::env::args;
use std::io::{Write as _, stdout};

use anyhow::{Result, bail};
use tokio::runtime::Builder;

fn main() -> Result<()> {
    let words: Vec<String> = args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let found = match words.as_slice() {
        ["target"] => return target::serve(),
        ["sites", rounds] => runtime.block_on(sites::measure(rounds.parse()?))?,
        ["ring", milliseconds] => runtime.block_on(ring::measure(milliseconds.parse()?))?,
        _ => bail!("hit_cost sites ROUNDS | ring MILLISECONDS"),
    };
    Ok(writeln!(stdout(), "{found}")?)
}
