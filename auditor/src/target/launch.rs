//! Starts a program and holds it before its first instruction, so that an audit misses nothing.
//!
//! The child asks to be traced, and a traced program stops when its exec has succeeded: its image is
//! mapped, nothing of it has run, not even the dynamic loader. Letting go is one ptrace call; should
//! the agent die before, the kernel lets the child run on by itself.

use std::ffi::OsString;
use std::mem::offset_of;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::{fs, io};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd;

use crate::audit::unit::Pid;

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// It does not exist or is no program.
    #[error("cannot start `{program}`: {error}")]
    Start {
        /// As it was given.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// It did not stop where it should.
    #[error("`{program}` did not stop at its start ({status}); start it yourself and use `auditor attach`")]
    NotHeld {
        /// As it was given.
        program: String,
        /// What waiting for it said.
        status: String,
    },
}

/// Where the program's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Where ours goes.
    Inherited,
    /// Its stdout to our stderr, because our stdout is a report.
    ToStderr,
    /// Nowhere, and no input either, because our terminal is a screen.
    Nowhere,
}

/// A program held before its first instruction.
#[derive(Debug)]
pub struct Held {
    child: Child,
}

/// A program that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
}

/// Starts a program and holds it. Call [`Held::release`] from the same thread.
///
/// # Errors
/// [`LaunchError`] when it does not start; nothing is left behind then.
pub fn hold(program: &OsString, arguments: &[OsString], output: Output) -> Result<Held, LaunchError> {
    let mut command = Command::new(program);
    command.args(arguments);
    match output {
        Output::Inherited => {}
        Output::ToStderr => {
            command.stdout(io::stderr());
        }
        Output::Nowhere => {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        }
    }
    // SAFETY: between fork and exec only one async-signal-safe call is made: ptrace(2).
    unsafe { command.pre_exec(|| ptrace::traceme().map_err(io::Error::from)) };
    let shown = program.to_string_lossy().into_owned();
    let child = command.spawn().map_err(|error| LaunchError::Start { program: shown.clone(), error })?;
    let mut held = Held { child };
    match waitpid(held.nix_pid(), Some(WaitPidFlag::__WALL)) {
        Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => Ok(held),
        status => {
            held.end();
            Err(LaunchError::NotHeld { program: shown, status: format!("{status:?}") })
        }
    }
}

impl Held {
    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid(self.child.id())
    }

    /// Lets it run to the program's own first instruction, when the libraries it was linked with are mapped, and
    /// holds it there. Nothing is written to it: a debug register stops it. One whose loader needs long, or that
    /// cannot be stopped so, runs on or stays where it was.
    ///
    /// # Errors
    /// Why it is not at its entry; it is still held, if it lives.
    pub fn go_to_entry(&mut self) -> Result<(), String> {
        let pid = self.nix_pid();
        let entry = entry_of(self.pid())?;
        let refused = |errno: Errno| format!("a breakpoint at its entry: {errno}");
        ptrace::write_user(pid, debug_register(0), entry.cast_signed()).map_err(refused)?;
        ptrace::write_user(pid, debug_register(7), ENABLE_FIRST).map_err(refused)?;
        let stopped = self.run_until(entry);
        let cleared = ptrace::write_user(pid, debug_register(7), 0).map_err(refused);
        stopped.and(cleared)
    }

    /// Lets it run until it is at an address; signals on the way are its own.
    fn run_until(&self, address: u64) -> Result<(), String> {
        let pid = self.nix_pid();
        let mut signal = None;
        for _ in 0..SIGNALS {
            ptrace::cont(pid, signal).map_err(|errno| errno.to_string())?;
            match waitpid(pid, Some(WaitPidFlag::__WALL)) {
                Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => {
                    let at = ptrace::getregs(pid).map_err(|errno| errno.to_string())?.rip;
                    if at == address {
                        return Ok(());
                    }
                    signal = None;
                }
                Ok(WaitStatus::Stopped(_, other)) => signal = Some(other),
                status => return Err(format!("it did not come to its entry ({status:?})")),
            }
        }
        Err("too many signals came before its entry".to_owned())
    }

    /// Lets it run.
    ///
    /// # Errors
    /// When it has gone meanwhile.
    pub fn release(self) -> Result<Running, Errno> {
        ptrace::detach(self.nix_pid(), None)?;
        Ok(Running { child: self.child })
    }

    /// Ends it before it has done anything.
    pub fn end(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            log::debug!("ending {}: {error}", self.child.id());
        }
    }

    fn nix_pid(&self) -> unistd::Pid {
        unistd::Pid::from_raw(self.child.id() as i32)
    }
}

/// Where the program proper begins: `AT_ENTRY` of the auxiliary vector (include/uapi/linux/auxvec.h).
fn entry_of(pid: Pid) -> Result<u64, String> {
    const AT_ENTRY: u64 = 9;
    let path = format!("/proc/{}/auxv", pid.0);
    let bytes = fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
    let words: Vec<u64> = bytes
        .chunks_exact(8)
        .map(|word| word.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)))
        .collect();
    let entry = words.chunks_exact(2).find(|pair| pair[0] == AT_ENTRY).map(|pair| pair[1]);
    entry.ok_or_else(|| format!("{path} does not say where it begins"))
}

/// Where a debug register is in what ptrace calls the user area (arch/x86/include/asm/user_64.h, `u_debugreg`).
const fn debug_register(number: usize) -> ptrace::AddressType {
    (offset_of!(libc::user, u_debugreg) + number * size_of::<u64>()) as ptrace::AddressType
}

/// Of debug register 7: the first breakpoint is on, for this task, at the execution of one byte (Intel SDM,
/// volume 3, 18.2.4).
const ENABLE_FIRST: i64 = 1;
/// Signals that a program may get before its first instruction.
const SIGNALS: usize = 64;

impl Running {
    /// Its exit status, once it has ended.
    ///
    /// # Errors
    /// What waiting says.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn wait(running: &mut Running) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = running.ended().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not end");
    }

    #[test]
    fn a_held_program_has_its_image_and_has_run_nothing() {
        let held = hold(&"/bin/sh".into(), &["-c".into(), "exit 7".into()], Output::Nowhere).unwrap();
        let pid = held.pid().0;
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        assert!(maps.contains("sh"), "{maps}");
        assert!(!maps.contains("libc.so"), "the loader has not run: {maps}");
        assert_eq!(wait(&mut held.release().unwrap()).code(), Some(7));
    }

    #[test]
    fn what_does_not_exist_is_said_by_name() {
        let error = hold(&"/no/such/program".into(), &[], Output::Nowhere).unwrap_err();
        assert!(error.to_string().starts_with("cannot start `/no/such/program`"), "{error}");
    }

    #[test]
    fn an_ended_one_has_gone() {
        let mut held = hold(&"/bin/sleep".into(), &["1000".into()], Output::Nowhere).unwrap();
        let pid = held.pid().0;
        held.end();
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}
