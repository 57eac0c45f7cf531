//! SIGTERM and SIGINT ask for the end; the work ends at its next safe point, between two
//! operations, so that the maps and the truth about them are whole.

use std::fmt;
use std::io;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// How long a sleep goes on before it looks whether the end was asked for.
const NAP: Duration = Duration::from_millis(20);

/// The end was asked for. As an error it carries a `?` out of any depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("stopped by a signal")
    }
}

impl std::error::Error for Stopped {}

/// From now on SIGTERM and SIGINT ask for the end instead of being it.
pub(crate) fn on_signals() -> io::Result<()> {
    on(libc::SIGTERM)?;
    on(libc::SIGINT)
}

fn on(signal: i32) -> io::Result<()> {
    // SAFETY: all zeros is a valid `sigaction`: the default action, no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { zeroed() };
    action.sa_sigaction = request as *const () as usize;
    // SAFETY: `action` is initialised, and all its handler does is one atomic store.
    let failed = unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
    if failed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn request(_signal: i32) {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// `Err` once the end was asked for.
pub(crate) fn check() -> Result<(), Stopped> {
    if REQUESTED.load(Ordering::Relaxed) { Err(Stopped) } else { Ok(()) }
}

/// Sleeps until `due`, or until the end is asked for.
pub(crate) fn sleep_until(due: Instant) -> Result<(), Stopped> {
    loop {
        check()?;
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(NAP));
    }
}

/// Blocks until stdin has a line or ends, or until the end is asked for.
pub(crate) fn wait_for_line() -> Result<(), Stopped> {
    loop {
        check()?;
        if stdin_is_readable() && matches!(read_byte(), None | Some(b'\n')) {
            return check();
        }
    }
}

fn stdin_is_readable() -> bool {
    let mut stdin = libc::pollfd { fd: libc::STDIN_FILENO, events: libc::POLLIN, revents: 0 };
    // SAFETY: one initialised `pollfd`, as the count says.
    let ready = unsafe { libc::poll(&raw mut stdin, 1, NAP.as_millis() as i32) };
    ready > 0
}

/// The next byte of stdin. Unbuffered, or `poll` would not see what a buffer took; `None` at its end.
fn read_byte() -> Option<u8> {
    let mut byte = 0u8;
    // SAFETY: room for the one byte that is asked for.
    let read = unsafe { libc::read(libc::STDIN_FILENO, (&raw mut byte).cast(), 1) };
    (read == 1).then_some(byte)
}
