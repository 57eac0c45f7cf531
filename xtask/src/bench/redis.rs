//! What watching costs a server: redis-server under redis-benchmark, with a watcher and without. Its own
//! CPU time for a number of orders is what is divided, since what else runs on the machine does not
//! change it; beside it the time that the orders took.
//!
//! Two loads: one key set again and again, so that the kernel's events are all there is, and random
//! keys, so that tables grow and the hooks are hit.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread::{available_parallelism, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::child::{Listen, Running};
use super::slowdown::{self, Run, Took};
use super::watcher::{self, Watcher};
use super::{Scope, Show};
use crate::toolchain::suites;
use crate::{process, say};

/// The name of this part.
pub(crate) const PART: &str = "redis";
const PORT: &str = "7391";
const LIMIT: Duration = Duration::from_secs(30);
/// Two seconds of orders or so, 16 at once as a busy client sends them.
const ORDERS: &str = "2000000";
/// Throughput may fall by two per cent.
const AIM: f64 = 1.02;
/// What is called, and what redis-benchmark is told besides.
const LOADS: [(&str, &[&str]); 2] = [("one key", &[]), ("a million keys", &["-r", "1000000"])];
/// The functions that the auditor's profile has hooks in.
const FUNCTIONS: [&str; 6] =
    ["_dictExpand", "dictExpand", "dictResize", "dictRehash", "dictEmpty", "dictRelease"];
const WATCHERS: [Watcher; 2] = [Watcher::Default, Watcher::Bpftrace];

/// Both loads.
pub(crate) fn measure(scope: &Scope, show: Show<'_>) -> Result<()> {
    suites::ensure()?;
    let server = start()?;
    for (name, flags) in LOADS {
        let mut step = say::step(format!("Redis: {name}"));
        play(&server, flags, None)?;
        let mut runs = Vec::new();
        for pair in 1..=scope.pairs {
            step.progress(&format!("round {pair} of {}", scope.pairs));
            for watcher in slowdown::turned(&WATCHERS, pair as usize).filter(|watcher| is_there(*watcher)) {
                runs.push((None, play(&server, flags, None)?));
                runs.push((Some(watcher), play(&server, flags, Some(watcher))?));
            }
        }
        runs.push((None, play(&server, flags, None)?));
        step.done(format!("{} runs", runs.len()));
        show(draw(name, &runs));
    }
    Ok(())
}

fn draw(name: &str, runs: &[Run]) -> Vec<super::figure::Figure> {
    slowdown::draw(PART, name, runs, |watcher| (watcher == Watcher::Default).then_some(AIM))
}

fn is_there(watcher: Watcher) -> bool {
    watcher != Watcher::Bpftrace || watcher::has_bpftrace()
}

/// A program of Debian 12, which sees nothing but that release, on one CPU.
fn command(cpu: usize, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &cpu.to_string(), "chroot"]).arg(root()).arg(program).args(["-p", PORT]);
    command
}

fn root() -> PathBuf {
    suites::folder().join("bookworm")
}

/// The server has one CPU, and who gives it orders another.
fn start() -> Result<Running> {
    let mut command = Command::new("taskset");
    command.args(["-c", "0", "chroot"]).arg(root()).args(["/usr/bin/redis-server", "--port", PORT]);
    let mut server = Running::start(command.args(["--save", "", "--appendonly", "no"]), Listen::Stdout)?;
    server.wait_for("Ready to accept connections", LIMIT)?;
    Ok(server)
}

/// One run on an empty database.
fn play(server: &Running, flags: &[&str], watcher: Option<Watcher>) -> Result<Took> {
    empty()?;
    let watching = watcher.map(|watcher| watch(watcher, server.pid())).transpose()?;
    let other = available_parallelism()?.get() - 1;
    let (cpu, began) = (server.cpu_seconds()?, Instant::now());
    let mut client = command(other, "/usr/bin/redis-benchmark");
    process::output(client.args(["-t", "set", "-P", "16", "-q", "-n", ORDERS]).args(flags))?;
    let elapsed = began.elapsed();
    let cpu = Duration::try_from_secs_f64(server.cpu_seconds()? - cpu).context("CPU time goes on")?;
    watching.map_or(Ok(()), |watching| watching.interrupt(LIMIT))?;
    Ok(Took { cpu_ns: cpu.as_nanos() as u64, elapsed_ns: elapsed.as_nanos() as u64 })
}

fn watch(watcher: Watcher, pid: u32) -> Result<Running> {
    match watcher {
        Watcher::Bpftrace => watcher::bpftrace_on(&root().join("usr/bin/redis-check-rdb"), &FUNCTIONS, pid),
        auditor => auditor.attach(pid),
    }
}

/// Empties the database and waits until its memory is given back.
fn empty() -> Result<()> {
    let mut server = TcpStream::connect(format!("127.0.0.1:{PORT}")).context("connecting to Redis")?;
    server.write_all(b"FLUSHALL SYNC\r\n")?;
    let mut answer = [0; 5];
    server.read_exact(&mut answer)?;
    ensure!(&answer == b"+OK\r\n", "Redis answers {answer:?}");
    sleep(Duration::from_millis(100));
    Ok(())
}
