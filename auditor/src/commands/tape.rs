//! A recording on its way through the audit, fact by fact, under the rules that were asked for now.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;

use super::rules;
use crate::audit::Extent;
use crate::audit::fact::{Began, Fact, What};
use crate::audit::family::Family;
use crate::audit::gate::Selection;
use crate::audit::report::Report;
use crate::audit::unit::Nanos;
use crate::audit::words;
use crate::cli::{self, Judging};
use crate::recording::part::{Part, Span};
use crate::recording::{self, ReadError};

/// Thresholds that were asked for now. They lie over those of the recording; a file takes their place.
#[derive(Clone, Debug)]
struct Rules {
    texts: Vec<String>,
    in_place: bool,
}

impl Rules {
    /// Those that were asked for.
    fn of(judging: &Judging) -> anyhow::Result<Self> {
        Ok(Self { texts: rules::texts(judging)?, in_place: judging.rules.is_some() })
    }
}

/// What came of a step.
#[derive(Debug)]
pub(super) enum Stepped {
    /// A fact was applied.
    Fact,
    /// A fact was applied that ends an interval.
    Tick,
    /// The next fact is of a later time.
    Later,
    /// There is no more; whether that is as it should be, the report says.
    End,
    /// There is no more that can be read.
    Damaged(ReadError),
}

/// A recording and what is known of its target so far.
pub(super) struct Tape {
    facts: Part<BufReader<File>>,
    next: Option<Fact>,
    audit: Family,
    last: Nanos,
    /// Whether the last fact says that the audit ended.
    ended: bool,
    over: bool,
    wanted: Wanted,
}

/// What of a recording is wanted, and how it is judged.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    rules: Rules,
    span: Span,
    maps: Selection,
}

impl Wanted {
    /// What was asked for.
    pub(super) fn of(request: &cli::Replay) -> anyhow::Result<Self> {
        let nanos = |time: Duration| Nanos(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        let span = Span { from: request.from.map(nanos).unwrap_or_default(), to: request.to.map(nanos) };
        Ok(Self { rules: Rules::of(&request.judging)?, span, maps: Selection::of(&request.filter)? })
    }

    /// The facts of a recording that are.
    pub(super) fn facts(&self, file: &Path) -> Result<Part<BufReader<File>>, ReadError> {
        Ok(Part::of(recording::open(file)?, self.span))
    }
}

impl Tape {
    /// Reads and applies the first fact, which names the target.
    pub(super) fn open(file: &Path, wanted: Wanted) -> anyhow::Result<(Self, Box<Began>)> {
        let mut facts = wanted.facts(file)?;
        let Some(first) = facts.next().transpose()? else {
            bail!("{} breaks off before its first fact: nothing can be replayed", file.display());
        };
        if facts.is_beyond() {
            bail!(
                "{} ends before --from: it has less than {}",
                file.display(),
                words::span(wanted.span.from)
            );
        }
        let What::Began(began) = first.what.clone() else {
            bail!("{} does not say how the audit began: it is not a whole recording", file.display());
        };
        let (next, audit, last) = (None, Family::new(), first.at);
        let mut tape = Self { facts, next, audit, last, ended: false, over: false, wanted };
        tape.take(&first);
        Ok((tape, began))
    }

    /// What is known so far.
    pub(super) fn report(&self) -> Report {
        self.drawn(Extent::Whole)
    }

    /// So much of it.
    pub(super) fn drawn(&self, extent: Extent) -> Report {
        let mut report = self.audit.drawn(extent);
        self.wanted.maps.apply(&mut report);
        report
    }

    /// The time of the fact applied last.
    pub(super) const fn at(&self) -> Nanos {
        self.last
    }

    /// Applies the next fact if it is not of a later time.
    pub(super) fn step(&mut self, until: Nanos) -> Stepped {
        let fact = match self.next.take().map(Ok).or_else(|| self.facts.next()) {
            None => return self.end(),
            Some(Err(damage)) => {
                self.note(format!("the recording is damaged: {damage}"));
                self.over = true;
                return Stepped::Damaged(damage);
            }
            Some(Ok(fact)) => fact,
        };
        if fact.at > until {
            self.next = Some(fact);
            return Stepped::Later;
        }
        self.take(&fact);
        if matches!(fact.what, What::Tick) { Stepped::Tick } else { Stepped::Fact }
    }

    fn take(&mut self, fact: &Fact) {
        let of_the_recording = matches!(fact.what, What::Rules(_));
        if !(of_the_recording && self.wanted.rules.in_place) {
            self.audit.apply(fact);
        }
        self.last = fact.at;
        if of_the_recording || matches!(fact.what, What::Began(_)) {
            let rules = self.wanted.rules.texts.iter().map(|text| What::Rules(text.clone()));
            rules.for_each(|what| self.audit.apply(&Fact { at: self.last, thread: None, what }));
        }
        self.ended = matches!(fact.what, What::Ended(_));
    }

    /// Notes why there is no end, where there is none.
    fn end(&mut self) -> Stepped {
        if !self.over
            && let Some(broken) = self.breaks_off()
        {
            log::warn!("{broken}");
            self.note(broken);
        }
        self.over = true;
        Stepped::End
    }

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
}
