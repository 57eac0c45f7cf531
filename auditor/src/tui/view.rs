//! The screen without a terminal: reports and inputs in, drawings out.

use std::rc::Rc;

use ratatui::Frame;

use super::draw;
use super::input::Input;
use super::rows;
use super::state::{Action, Flow, Reel, State, Travel};
use crate::audit::report::Report;
use crate::audit::unit::Nanos;
use crate::render::style::Style;

/// What the reader has chosen, the newest report, and the one that stands still meanwhile.
#[derive(Debug, Default)]
pub struct View {
    state: State,
    latest: Option<Rc<Report>>,
    held: Option<Rc<Report>>,
}

impl View {
    /// A view with or without colours.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self { state: State::new(style), ..Self::default() }
    }

    /// Takes note of a new report, also while another is held: the chart has no gap afterwards.
    pub fn feed(&mut self, report: Rc<Report>) {
        self.state.feed(&report);
        self.latest = Some(report);
    }

    /// Says how a recording runs that is shown. Its player goes to other moments, not this view.
    pub fn run(&mut self, reel: Reel) {
        self.state.reel = Some(reel);
    }

    /// Says something at the bottom, until the next key. `words` must be harmless.
    pub fn say(&mut self, words: String) {
        self.state.notice = Some(words);
    }

    /// The report that is shown.
    #[must_use]
    pub fn shown(&self) -> Option<&Rc<Report>> {
        self.held.as_ref().or(self.latest.as_ref())
    }

    /// Does what an input asks for.
    pub fn press(&mut self, input: Input) -> Action {
        let shown = self.shown().map(Rc::clone);
        let maps = shown.as_ref().map_or_else(Vec::new, |shown| rows::shown(shown, &self.state));
        match self.state.update(input, &maps) {
            Action::Travel(travel) if self.state.reel.is_none() => {
                self.travel(travel);
                Action::Draw
            }
            action => action,
        }
    }

    /// Goes to another moment of those that are kept.
    fn travel(&mut self, travel: Travel) {
        let (Some(shown), Some(latest)) = (self.shown().map(Rc::clone), &self.latest) else { return };
        let (now, past) = (shown.window.end, &self.state.past);
        let found = match travel {
            Travel::Turn if self.held.is_some() => return self.follow(),
            Travel::Turn => return self.hold(Flow::Paused, shown),
            Travel::Back(steps) => past.before(now, steps).filter(|moment| moment.window.end < now),
            Travel::Ahead(steps) => past.after(now, steps),
            Travel::To(time) => past.at(Nanos(shown.window.start.0.saturating_add(time.0))),
            Travel::Faster | Travel::Slower => return,
        };
        let found = match (found, travel) {
            (None, Travel::Ahead(_)) if self.held.is_some() => latest,
            (None, _) => return self.say("there is no earlier moment".to_owned()),
            (Some(found), _) => found,
        };
        let found = Rc::clone(found);
        self.hold(Flow::Past, found);
    }

    fn hold(&mut self, flow: Flow, report: Rc<Report>) {
        self.state.flow = flow;
        self.held = Some(report);
    }

    fn follow(&mut self) {
        self.state.flow = Flow::Live;
        self.held = None;
    }

    /// Draws what is shown.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        let Some(shown) = self.shown().map(Rc::clone) else { return draw::nothing(&self.state, frame) };
        self.state.fit(draw::page(frame.area(), &shown, &self.state));
        draw::draw(&shown, &self.state, frame);
    }
}
