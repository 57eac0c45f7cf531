//! The terminal as we found it: raw mode and the alternate screen are left when the guard is dropped
//! and when any thread panics, whichever comes first, and only once.

use std::io::{self, stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

/// Whether the terminal is ours. A static, since a panic hook has nothing else to look at.
static OURS: AtomicBool = AtomicBool::new(false);

/// Holds the terminal.
#[derive(Debug)]
pub(super) struct Guard(());

impl Guard {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When there is none, or it cannot be put into raw mode; it is left as it was.
    pub(super) fn take() -> io::Result<Self> {
        restore_on_panic();
        OURS.store(true, Ordering::Release);
        // From here on the guard's drop puts things right, also when the next line fails half way.
        let guard = Self(());
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen, Hide)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, if it is ours.
fn restore() {
    if !OURS.swap(false, Ordering::AcqRel) {
        return;
    }
    let screen = execute!(stdout(), LeaveAlternateScreen, Show);
    if let Err(error) = disable_raw_mode().and(screen) {
        log::warn!("the terminal could not be restored ({error}); type `reset`");
    }
}

/// Puts the terminal right before a panic is printed, so that it can be read.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            restore();
            before(info);
        }));
    });
}
