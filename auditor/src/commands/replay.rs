//! `auditor replay FILE`: the facts of a recording through the same audit, to the same report.

use std::fs::File;
use std::io::BufReader;

use anyhow::{Context as _, bail};

use super::exit::{self, Exit};
use super::faces::{self, Colour};
use super::{render_format, rules};
use crate::audit::Audit;
use crate::audit::fact::{Fact, What};
use crate::audit::report::Report;
use crate::audit::unit::Nanos;
use crate::cli::{self, Console};
use crate::output::{self, Output};
use crate::recording::{self, ReadError, Reader};
use crate::render::{self, style::Paper};

/// Draws the report of a recording.
pub(super) fn run(request: &cli::Replay, console: Console) -> anyhow::Result<Exit> {
    let mut replay = Replay::open(request, console)?;
    let damage = replay.play()?;
    let report = replay.end()?;
    if let Some(damage) = damage {
        return Err(damage).context("the report is incomplete");
    }
    Ok(if request.strict && exit::is_incomplete(&report) { Exit::Incomplete } else { Exit::Clean })
}

/// Thresholds that were asked for now. They lie over those of the recording; a file takes their place.
struct Rules {
    texts: Vec<String>,
    in_place: bool,
}

/// A recording on its way to a report.
struct Replay {
    facts: Reader<BufReader<File>>,
    audit: Audit,
    last: Nanos,
    /// Whether the last fact says that the audit ended.
    ended: bool,
    rules: Rules,
    format: render::Format,
    paper: Paper,
    output: Output,
}

impl Replay {
    /// Reads the first fact, which names the target, and opens the output, so that an output that
    /// cannot be written is known before the work.
    fn open(request: &cli::Replay, console: Console) -> anyhow::Result<Self> {
        let rules =
            Rules { texts: rules::texts(&request.judging)?, in_place: request.judging.rules.is_some() };
        let file = &request.file;
        let mut facts = recording::open(file)?;
        let Some(first) = facts.next().transpose()? else {
            bail!("{} breaks off before its first fact: nothing can be replayed", file.display());
        };
        let What::Began(began) = &first.what else {
            bail!("{} does not say how the audit began: it is not a whole recording", file.display());
        };
        let output = Output::open(&request.output, &output::names(began.pid, began.wall))?;
        let mut replay = Self {
            facts,
            audit: Audit::new(),
            last: first.at,
            ended: false,
            rules,
            format: render_format(request.output.format)?,
            paper: faces::paper(Colour::of(console), &output).with_rows(request.rows),
            output,
        };
        replay.take(&first)?;
        Ok(replay)
    }

    /// Takes all facts in; the damage that ended them, if any.
    fn play(&mut self) -> anyhow::Result<Option<ReadError>> {
        while let Some(fact) = self.facts.next() {
            match fact {
                Ok(fact) => self.take(&fact)?,
                Err(damage) => {
                    self.note(format!("the recording is damaged: {damage}"));
                    return Ok(Some(damage));
                }
            }
        }
        if let Some(broken) = self.breaks_off() {
            log::warn!("{broken}");
            self.note(broken);
        }
        Ok(None)
    }

    fn take(&mut self, fact: &Fact) -> anyhow::Result<()> {
        let of_the_recording = matches!(fact.what, What::Rules(_));
        if !(of_the_recording && self.rules.in_place) {
            self.audit.apply(fact);
        }
        self.last = fact.at;
        if of_the_recording || matches!(fact.what, What::Began(_)) {
            let rules = self.rules.texts.iter().map(|text| What::Rules(text.clone()));
            rules.for_each(|what| self.audit.apply(&Fact { at: self.last, thread: None, what }));
        }
        self.ended = matches!(fact.what, What::Ended(_));
        if self.format == render::Format::Ndjson && matches!(fact.what, What::Tick) {
            self.draw(&Report { timeline: None, ..self.audit.report() })?;
        }
        Ok(())
    }

    /// Why there is no end, where there is none.
    fn breaks_off(&self) -> Option<String> {
        match self.facts.torn() {
            Some(torn) => Some(format!(
                "the recording breaks off at byte {}: {} bytes of an unfinished frame are left out",
                torn.offset, torn.bytes
            )),
            None if !self.ended => {
                Some("the recording breaks off: its auditor was killed or still writes it".to_owned())
            }
            None => None,
        }
    }

    /// What was not seen belongs into the report.
    fn note(&mut self, words: String) {
        self.audit.apply(&Fact { at: self.last, thread: None, what: What::Note(words) });
    }

    fn draw(&mut self, report: &Report) -> anyhow::Result<()> {
        let written = render::render_on(report, self.format, self.paper, &mut self.output);
        written.with_context(|| format!("cannot write to {}", self.output.name()))
    }

    fn end(mut self) -> anyhow::Result<Report> {
        let report = self.audit.report();
        self.draw(&report)?;
        self.output.finish()?;
        Ok(report)
    }
}
