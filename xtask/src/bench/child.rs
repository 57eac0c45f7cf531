//! A child that does not outlive us, and what it says line by line. Every wait has an end.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::process;

/// How often a child is asked whether it has ended.
const GLANCE: Duration = Duration::from_millis(1);

/// After this time a signal that did not help is sent again.
const AGAIN: Duration = Duration::from_secs(3);

/// A running child.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

/// Which of its streams is listened to; the other goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    Stdout,
    Stderr,
}

impl Running {
    /// Starts it with a pipe for its input.
    pub(crate) fn start(command: &mut Command, listen: Listen) -> Result<Self> {
        let name = process::shown(command);
        let of = |stream| if stream == listen { Stdio::piped() } else { Stdio::null() };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(of(Listen::Stdout))
            .stderr(of(Listen::Stderr))
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let lines = match (child.stdout.take(), child.stderr.take()) {
            (Some(stdout), _) => read(stdout),
            (_, Some(stderr)) => read(stderr),
            _ => bail!("{name} has no stream to listen to"),
        };
        Ok(Self { name, child, lines, said: Vec::new() })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line with these words in it.
    pub(crate) fn wait_for(&mut self, words: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                bail!("{} did not say {words:?}, but: {}", self.name, self.said.join(" | "));
            };
            if line.contains(words) {
                return Ok(());
            }
            self.said.push(line);
        }
    }

    /// Waits for its next line.
    pub(crate) fn answer(&mut self, limit: Duration) -> Result<String> {
        self.lines.recv_timeout(limit).with_context(|| format!("{} did not answer", self.name))
    }

    /// Its next line, where it has said one by now.
    pub(crate) fn said_by_now(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    /// Sends it a line.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("its stdin is a pipe")?;
        writeln!(stdin, "{line}").with_context(|| format!("telling {} to begin", self.name))
    }

    /// Waits for its end, which must be a success.
    pub(crate) fn end(mut self, limit: Duration) -> Result<()> {
        let status = self.ended(limit)?;
        let said = self.rest();
        ensure!(status.success(), "{} ended with {status}: {said}", self.name);
        Ok(())
    }

    /// Sends it the signal of Ctrl-C until it ends: bpftrace 0.17 now and then overlooks the first.
    pub(crate) fn interrupt(mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            process::output(Command::new("kill").args(["-INT", &self.pid().to_string()]))?;
            let ended = self.ended(AGAIN);
            if ended.is_ok() || Instant::now() >= deadline {
                return ended.map(drop);
            }
        }
    }

    /// User and system time so far, in seconds (proc_pid_stat(5), fields 14 and 15).
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        cpu_ticks(&stat).map(|ticks| ticks as f64 / TICKS_PER_SECOND).context("the times are in its stat")
    }

    /// The most memory that it ever had resident, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes << 10)
    }

    fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "{} did not end within {} s", self.name, limit.as_secs());
            sleep(GLANCE);
        }
    }

    fn rest(&mut self) -> String {
        self.said.extend(self.lines.try_iter());
        self.said.join(" | ")
    }
}

impl Drop for Running {
    /// Ends the child if it still runs. That it has ended already is the usual case.
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait().map(drop)).unwrap_or_default();
    }
}

/// `USER_HZ`, which is 100 on every x86-64 Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The name, in parentheses, may hold anything; behind it field 3 is the first.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(|ticks| ticks.parse::<u64>().ok());
    Some(times.next()?? + times.next()??)
}

/// The lines of a stream, read to its end whoever listens, so that the child never waits for us.
fn read(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // That nobody listens any more is no reason to stop reading.
            send.send(line).unwrap_or_default();
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn shell(script: &str, listen: Listen) -> Running {
        Running::start(Command::new("sh").args(["-c", script]), listen).unwrap()
    }

    #[test]
    fn a_child_is_told_and_answers() {
        let mut running = shell("read line; echo not yet >&2; echo got $line >&2", Listen::Stderr);
        running.tell("it").unwrap();
        running.wait_for("got it", SOON).unwrap();
        running.end(SOON).unwrap();
    }

    #[test]
    fn a_failure_says_what_was_said() {
        let error = shell("echo no room; exit 3", Listen::Stdout).wait_for("ready", SOON).unwrap_err();
        assert!(error.to_string().contains("no room"), "{error}");
        let error = shell("exit 3", Listen::Stdout).end(SOON).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }

    #[test]
    fn a_child_does_not_outlive_its_guard() {
        let running = shell("exec sleep 60", Listen::Stdout);
        let pid = running.pid();
        drop(running);
        assert!(!fs::exists(format!("/proc/{pid}")).unwrap());
    }

    #[test]
    fn an_interrupted_child_ends() {
        shell("exec sleep 60", Listen::Stdout).interrupt(SOON).unwrap();
    }

    #[test]
    fn times_are_found_behind_a_name_with_parentheses() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 1 0 9 1 1 1";
        assert_eq!(cpu_ticks(stat), Some(42));
    }
}
