//! A process by file descriptor: it names the same process for ever, however often its number is
//! given to another. The only unsafe code of this folder is here.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::audit::unit::Pid;

/// A process that can be waited for. Readable (as in `poll(2)`) once all its threads have ended.
#[derive(Debug)]
pub struct Pidfd(OwnedFd);

impl Pidfd {
    /// `pidfd_open(2)`, Linux 5.3.
    ///
    /// # Errors
    /// ESRCH: no such process. EINVAL or ENOENT: a thread's number that is not a process's. ENOSYS:
    /// the kernel is too old.
    pub fn open(pid: Pid) -> Result<Self, Errno> {
        // SAFETY: pidfd_open takes two integers and touches no memory of ours.
        let result = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::c_long::from(pid.0), 0) };
        let fd = RawFd::try_from(Errno::result(result)?).map_err(|_overflow| Errno::EBADF)?;
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Whether all threads of the process have ended. Never blocks.
    #[must_use]
    pub fn has_exited(&self) -> bool {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut fds, PollTimeout::ZERO), Ok(ready) if ready > 0)
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Pidfd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_child_has_exited_only_after_it_was_killed() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pidfd = Pidfd::open(Pid(child.id())).unwrap();
        assert!(!pidfd.has_exited());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(pidfd.has_exited());
    }

    #[test]
    fn a_number_that_no_process_has_is_no_such_process() {
        assert_eq!(Pidfd::open(Pid(0x3fff_fff0)).unwrap_err(), Errno::ESRCH);
    }
}
