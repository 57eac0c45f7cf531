//! The screen without a terminal: reports and inputs in, drawings out.

use ratatui::Frame;

use super::draw;
use super::input::Input;
use super::rows;
use super::state::{Action, Flow, State};
use crate::audit::report::Report;
use crate::render::style::Style;

/// What the reader has chosen, and the report that stands still while the screen is paused.
#[derive(Debug, Default)]
pub struct View {
    state: State,
    held: Option<Box<Report>>,
}

impl View {
    /// A view with or without colours.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self { state: State::new(style), held: None }
    }

    /// Takes note of a new report, also while paused: the chart has no gap afterwards.
    pub fn feed(&mut self, report: &Report) {
        self.state.feed(report);
    }

    /// Does what an input asks for. `latest` is the newest report.
    pub fn press(&mut self, input: Input, latest: &Report) -> Action {
        let shown = self.held.as_deref().unwrap_or(latest);
        let rows = rows::ids(&rows::shown(shown, &self.state));
        let action = self.state.update(input, &rows);
        match (self.state.flow, &self.held) {
            (Flow::Paused, None) => self.held = Some(Box::new(latest.clone())),
            (Flow::Live, Some(_)) => self.held = None,
            _ => {}
        }
        action
    }

    /// Draws the held report, or else the latest.
    pub fn draw(&mut self, latest: &Report, frame: &mut Frame<'_>) {
        self.state.fit(draw::page(frame.area(), &self.state));
        draw::draw(self.held.as_deref().unwrap_or(latest), &self.state, frame);
    }
}
