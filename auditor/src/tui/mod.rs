//! Report to screen. `view` is the screen without a terminal, `state` what the reader has chosen,
//! `draw` how it looks, `input` the keys; here is the terminal itself.
//!
//! The session opens a [`Screen`], starts [`keys`], shows each report, hands each [`Input`] to
//! [`Screen::press`] and ends on [`Action::Quit`]. It drops the keys before the screen.

pub mod draw;
mod guard;
pub mod history;
pub mod input;
pub mod rows;
pub mod state;
pub mod view;

use std::env;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, stdout};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::terminal;

use crate::audit::report::Report;
use crate::render::style::Style;
use guard::Guard;
pub use input::{Input, Keys, keys};
pub use state::Action;
use view::View;

/// How many columns the terminal on stdout has; `None` where that is no terminal.
#[must_use]
pub fn columns() -> Option<usize> {
    stdout().is_terminal().then(|| terminal::size().ok()).flatten().map(|(columns, _)| columns.into())
}

/// The live screen. Dropping it gives the terminal back, and so does a panic.
#[derive(Debug)]
pub struct Screen {
    view: View,
    // Before the guard: fields are dropped in order, and the terminal writes to it when it is.
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    _guard: Guard,
}

impl Screen {
    /// Takes the terminal on stdout. `NO_COLOR` (no-color.org) takes colours from any style.
    ///
    /// # Errors
    /// When there is no terminal, or it cannot be set up; it is left as it was.
    pub fn open(style: Style) -> io::Result<Self> {
        let guard = Guard::take()?;
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::new(stdout())))?;
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let style = if no_color { Style::Plain } else { style };
        Ok(Self { view: View::new(style), terminal, _guard: guard })
    }

    /// Shows a report. While the screen is paused it only takes note of it.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn show(&mut self, report: &Report) -> io::Result<()> {
        self.view.feed(report);
        self.draw(report)
    }

    /// Does what an input asks for and draws again where it changed something. `latest` is the report
    /// that was shown last.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn press(&mut self, input: Input, latest: &Report) -> io::Result<Action> {
        let action = self.view.press(input, latest);
        if action == Action::Draw {
            self.draw(latest)?;
        }
        Ok(action)
    }

    fn draw(&mut self, latest: &Report) -> io::Result<()> {
        self.terminal.draw(|frame| self.view.draw(latest, frame)).map(drop)
    }
}
