//! Keys: what a terminal event means, and the thread that waits for them. What a key does depends on
//! what the screen shows, so that is `state`'s to say.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// How long the thread waits before it looks whether the screen has closed.
const PATIENCE: Duration = Duration::from_millis(50);

/// What came from the keyboard or the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A character that was typed.
    Letter(char),
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One moment back.
    Left,
    /// One moment ahead.
    Right,
    /// To the first row.
    Home,
    /// To the last row.
    End,
    /// A screenful up.
    PageUp,
    /// A screenful down.
    PageDown,
    /// Ctrl-C: in raw mode it is a key and no signal.
    Interrupt,
    /// The terminal has another size.
    Resize,
}

/// What a terminal event means; `None`: nothing.
#[must_use]
pub fn input(event: &Event) -> Option<Input> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => of_key(key),
        Event::Resize(..) => Some(Input::Resize),
        _ => None,
    }
}

fn of_key(key: &KeyEvent) -> Option<Input> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Input::Interrupt);
    }
    match key.code {
        KeyCode::Char(letter) => Some(Input::Letter(letter)),
        KeyCode::Enter => Some(Input::Enter),
        KeyCode::Esc => Some(Input::Escape),
        KeyCode::Backspace => Some(Input::Backspace),
        KeyCode::Up => Some(Input::Up),
        KeyCode::Down => Some(Input::Down),
        KeyCode::Left => Some(Input::Left),
        KeyCode::Right => Some(Input::Right),
        KeyCode::Home => Some(Input::Home),
        KeyCode::End => Some(Input::End),
        KeyCode::PageUp => Some(Input::PageUp),
        KeyCode::PageDown => Some(Input::PageDown),
        _ => None,
    }
}

/// The thread that waits for keys. Dropping it ends the thread: no key typed after that is taken from
/// the shell.
#[derive(Debug)]
pub struct Keys {
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Waits for keys on a thread of its own and hands each to `deliver`, until that returns `false`, the
/// terminal is gone, or [`Keys`] is dropped. For a tokio loop `deliver` is an
/// `UnboundedSender::send(..).is_ok()`.
///
/// # Errors
/// When the thread cannot be started.
pub fn keys(deliver: impl FnMut(Input) -> bool + Send + 'static) -> io::Result<Keys> {
    let closed = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&closed);
    let thread = thread::Builder::new().name("keys".to_owned()).spawn(move || wait(&watched, deliver))?;
    Ok(Keys { closed, thread: Some(thread) })
}

fn wait(closed: &AtomicBool, mut deliver: impl FnMut(Input) -> bool) {
    while !closed.load(Ordering::Acquire) {
        let event = match event::poll(PATIENCE) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        // A terminal that cannot be read is gone: the session ends by its signal.
        let Ok(event) = event else { return };
        if input(&event).is_some_and(|input| !deliver(input)) {
            return;
        }
    }
}

/// Waits until the thread has ended, but not for ever: from a terminal that has hung up, crossterm 0.29
/// reads on and on (`event/source/unix/mio.rs`, `try_read`: neither the end of input nor EIO leaves its
/// loop). The probes must be taken out all the same; the thread goes with the process.
fn wait_for(thread: &JoinHandle<()>) {
    let deadline = Instant::now() + 10 * PATIENCE;
    while !thread.is_finished() && Instant::now() < deadline {
        thread::sleep(PATIENCE / 10);
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            wait_for(&thread);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> Option<Input> {
        input(&Event::Key(KeyEvent::new(code, modifiers)))
    }

    #[test]
    fn letters_and_arrows_are_told_apart() {
        assert_eq!(press(KeyCode::Char('q'), KeyModifiers::NONE), Some(Input::Letter('q')));
        assert_eq!(press(KeyCode::PageDown, KeyModifiers::NONE), Some(Input::PageDown));
        assert_eq!(press(KeyCode::F(1), KeyModifiers::NONE), None);
    }

    #[test]
    fn control_c_is_an_interrupt_and_no_letter() {
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Input::Interrupt));
        assert_eq!(press(KeyCode::Char('d'), KeyModifiers::CONTROL), None);
    }

    #[test]
    fn letting_a_key_go_is_not_pressing_it() {
        let mut key = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        key.kind = KeyEventKind::Release;
        assert_eq!(input(&Event::Key(key)), None);
    }
}
