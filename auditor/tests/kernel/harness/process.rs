//! A program that does not outlive the test that started it, and whose end is waited for only so long.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use auditor::audit::unit::Pid;
use auditor::target::module::modules;
use nix::sys::signal::{Signal, kill};
use nix::unistd;

use super::{PATIENCE, wait_until};

/// A program that runs. Dropping it kills it, by its pid.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// For its output: `.out` and `.err` are put behind it.
    name: PathBuf,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its status; minus the signal that killed it.
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts a program whose output goes to files, so that nobody has to read along.
    pub(crate) fn start(name: &Path, command: &mut Command) -> Self {
        command.stdout(File::create(name.with_extension("out")).unwrap());
        Self::start_with_stdout(name, command)
    }

    /// The same, with the stdout that the command has.
    pub(crate) fn start_with_stdout(name: &Path, command: &mut Command) -> Self {
        command.stderr(File::create(name.with_extension("err")).unwrap());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, name: name.to_owned() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said on stdout so far.
    pub(crate) fn stdout(&self) -> String {
        fs::read_to_string(self.name.with_extension("out")).unwrap_or_default()
    }

    /// What it said on stderr so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.name.with_extension("err")).unwrap_or_default()
    }

    /// Waits until it has said that, on stdout or stderr.
    pub(crate) fn wait_to_say(&mut self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.stderr().contains(words) && !self.stdout().contains(words) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() || self.stderr().contains(words),
                "ended ({ended:?}) before {words:?}: {}",
                self.stderr()
            );
            assert!(Instant::now() < deadline, "never said {words:?}: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Gives it a line on stdin.
    pub(crate) fn tell(&mut self, line: &str) {
        self.child.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Gives it a line and waits for that answer.
    pub(crate) fn ask(&mut self, line: &str, answer: &str) {
        self.tell(line);
        self.wait_to_say(answer);
    }

    /// Ends its stdin.
    pub(crate) fn hang_up(&mut self) {
        drop(self.child.stdin.take().unwrap());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(unistd::Pid::from_raw(self.pid().cast_signed()), signal).unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub(crate) fn end_by_itself(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "{} goes on and on: {}", self.name.display(), self.stderr());
            std::thread::sleep(Duration::from_millis(2));
        };
        let status = status.code().or(status.signal().map(|signal| -signal)).unwrap();
        Ended { status, stdout: self.stdout(), stderr: self.stderr() }
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end_by(self, signal: Signal) -> Ended {
        self.signal(signal);
        self.end_by_itself()
    }

    /// Where a symbol of its program is now.
    pub(crate) fn address_of(&self, symbol: &str) -> u64 {
        let modules = modules(Pid(self.pid())).unwrap();
        modules.iter().find(|module| module.is_main()).unwrap().symbol(symbol).unwrap().address.0
    }

    /// Bytes of its memory.
    pub(crate) fn bytes<const LEN: usize>(&self, address: u64) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let memory = File::open(format!("/proc/{}/mem", self.pid())).unwrap();
        memory.read_exact_at(&mut bytes, address).unwrap();
        bytes
    }

    /// The number of a row of /proc/PID/status, in bytes.
    pub(crate) fn status_bytes(&self, row: &str) -> u64 {
        bytes_in("status", self.pid(), row)
    }

    /// Waits until it would not die of that signal, so that it can be told to end by it.
    pub(crate) fn wait_to_catch(&self, signal: Signal) {
        wait_until("it catches the signal", PATIENCE, || {
            let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() >> (signal as u32 - 1) & 1 == 1
        });
    }

    /// Waits until it sleeps, as when it waits for a line.
    pub(crate) fn wait_to_sleep(&self) {
        wait_until("it sleeps", PATIENCE, || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
            stat.rsplit(')').next().unwrap().trim_start().starts_with('S')
        });
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let killed = self.child.kill().and_then(|()| self.child.wait());
            assert!(killed.is_ok() || std::thread::panicking(), "{killed:?}");
        }
    }
}

impl Ended {
    /// It ended well.
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.status, 0, "{}", self.stderr);
        self
    }

    /// It ended with that status and told people why, in a line that has these words.
    pub(crate) fn refused(self, status: i32, words: &[&str]) -> Self {
        assert_eq!(self.status, status, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in: {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

/// The number of a row of a file of /proc/PID, in bytes.
pub(crate) fn bytes_in(file: &str, pid: u32, row: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(row)).unwrap();
    line.trim_matches([':', '\t', ' ']).trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
