//! Starts a program and holds it before its first instruction, so that an audit misses nothing.
//!
//! The child asks to be traced, and a traced program stops when its exec has succeeded: its image is
//! mapped, nothing of it has run, not even the dynamic loader. Letting go is one ptrace call; should
//! the agent die before, the kernel lets the child run on by itself.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};

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
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
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
