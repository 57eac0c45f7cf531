//! Report to screen. `view` is the screen without a terminal, `state` what the reader has chosen,
//! `update` what keys do to that, `draw` how it looks, `input` the keys; here is the terminal itself.
//!
//! The session opens a [`Screen`], starts [`keys`], shows each report, hands each [`Input`] to
//! [`Screen::press`] and ends on [`Action::Quit`]. It drops the keys before the screen.

pub mod draw;
mod guard;
pub mod history;
pub mod input;
pub mod past;
pub mod rows;
pub mod state;
mod update;
pub mod view;

use std::env;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, stdout};
use std::rc::Rc;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::terminal;

use crate::audit::report::Report;
use crate::render::style::Style;
use guard::Guard;
pub use input::{Input, Keys, keys};
pub use state::{Action, Motion, Reel, Travel};
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

    /// Shows a report. While another is held it only takes note of it.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn show(&mut self, report: Rc<Report>) -> io::Result<()> {
        self.view.feed(report);
        self.draw()
    }

    /// Takes note of a report without drawing it.
    pub fn note(&mut self, report: Rc<Report>) {
        self.view.feed(report);
    }

    /// Does what an input asks for and draws again where it changed something.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn press(&mut self, input: Input) -> io::Result<Action> {
        let action = self.view.press(input);
        if action == Action::Draw {
            self.draw()?;
        }
        Ok(action)
    }

    /// The report that is shown.
    #[must_use]
    pub fn shown(&self) -> Option<&Rc<Report>> {
        self.view.shown()
    }

    /// Says something at the bottom, until the next key. `words` must be harmless.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn say(&mut self, words: String) -> io::Result<()> {
        self.view.say(words);
        self.draw()
    }

    /// Says how a recording runs that is shown.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn run(&mut self, reel: Reel) -> io::Result<()> {
        self.view.run(reel);
        self.draw()
    }

    fn draw(&mut self) -> io::Result<()> {
        self.terminal.draw(|frame| self.view.draw(frame)).map(drop)
    }
}
