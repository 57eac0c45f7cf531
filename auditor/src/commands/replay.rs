//! `auditor replay FILE`: the facts of a recording through the same audit, to the same report, or to the
//! same screen.

use anyhow::Context as _;

use super::exit::{self, Exit};
use super::faces::{self, Colour};
use super::tape::{Stepped, Tape, Wanted};
use super::{player, render_format};
use crate::audit::Extent;
use crate::audit::report::Report;
use crate::audit::unit::Nanos;
use crate::cli::{self, Console, Format};
use crate::output::{self, Output};
use crate::recording::ReadError;
use crate::render::{self, style::Paper};
use crate::session::timed::watched;

/// Draws the report of a recording, or shows how it came about.
pub(super) fn run(request: &cli::Replay, console: Console) -> anyhow::Result<Exit> {
    if request.output.format == Format::Live {
        return player::run(request, Colour::of(console));
    }
    let mut replay = Replay::open(request, console)?;
    let damage = watched("replaying the recording", || replay.play())?;
    let report = replay.end()?;
    if let Some(damage) = damage {
        return Err(damage).context("the report is incomplete");
    }
    Ok(if request.strict && exit::is_incomplete(&report) { Exit::Incomplete } else { Exit::Clean })
}

/// A recording on its way to a report.
struct Replay {
    tape: Tape,
    format: render::Format,
    paper: Paper,
    output: Output,
}

impl Replay {
    /// Opens the output, too, so that one that cannot be written is known before the work.
    fn open(request: &cli::Replay, console: Console) -> anyhow::Result<Self> {
        let (tape, began) = Tape::open(&request.file, Wanted::of(request)?)?;
        let output = Output::open(&request.output, &output::names(began.pid, began.wall))?;
        Ok(Self {
            tape,
            format: render_format(request.output.format)?,
            paper: faces::paper(Colour::of(console), &output).with_rows(request.rows),
            output,
        })
    }

    /// Takes all facts in; the damage that ended them, if any.
    fn play(&mut self) -> anyhow::Result<Option<ReadError>> {
        loop {
            match self.tape.step(Nanos(u64::MAX)) {
                Stepped::Tick if self.format == render::Format::Ndjson => {
                    self.draw(&self.tape.drawn(Extent::Interval))?;
                }
                Stepped::Fact | Stepped::Tick => {}
                Stepped::End | Stepped::Later => return Ok(None),
                Stepped::Damaged(damage) => return Ok(Some(damage)),
            }
        }
    }

    fn draw(&mut self, report: &Report) -> anyhow::Result<()> {
        let written = render::render_on(report, self.format, self.paper, &mut self.output);
        written.with_context(|| format!("cannot write to {}", self.output.name()))
    }

    fn end(mut self) -> anyhow::Result<Report> {
        let report = self.tape.report();
        self.draw(&report)?;
        self.output.finish()?;
        Ok(report)
    }
}
