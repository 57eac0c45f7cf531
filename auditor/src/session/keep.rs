//! Where facts are kept: all of them in a file as they come, or the last minutes in memory until something makes
//! them worth a file. What goes wrong with that is said, and the audit goes on.

use std::error::Error;
use std::fmt::Debug;
use std::fs::File;
use std::path::PathBuf;

use super::live::whole;
use crate::audit::fact::{Ended, Fact, What};
use crate::audit::unit::Nanos;
use crate::recording::Writer;
use crate::recording::flight::Flight;
use crate::recording::flight::trigger::{Trigger, Watch};

/// Recordings that conditions make in one audit, at most, so that no disk is filled.
const MOST_FILES: u32 = 16;
/// Between two recordings that conditions make lies this part of the time that is kept, at least.
const APART: u64 = 2;
/// A target that was chosen to be killed is gone so soon, mostly: its end needs no recording of its own then.
const DYING: Nanos = Nanos(10_000_000_000);

/// Where facts are kept.
#[derive(Debug)]
pub enum Keep {
    /// All of them, in a file.
    All(Writer),
    /// The last ones, in memory.
    Last(Box<Recorder>),
}

/// Gives each recording a file of its own.
pub trait Shelf: Debug {
    /// The next file, new and empty, and its name.
    ///
    /// # Errors
    /// When there is none, and what to do about it.
    fn next(&mut self) -> Result<(File, PathBuf), Box<dyn Error + Send + Sync>>;
}

/// A flight recorder, with what makes it write.
#[derive(Debug)]
pub struct Recorder {
    flight: Flight,
    watch: Watch,
    /// Without conditions the end is what it waits for, whatever it is.
    has_triggers: bool,
    window: Nanos,
    shelf: Box<dyn Shelf>,
    /// When it wrote last.
    wrote: Option<Nanos>,
    /// When it wrote because the target was chosen to be killed.
    marked: Option<Nanos>,
    /// Files so far.
    files: u32,
    /// What became true too soon after that.
    waits: Option<String>,
    /// The time of the last fact.
    now: Nanos,
    is_broken: bool,
}

impl Keep {
    /// The last facts only, as far back as `window`, until one of the conditions becomes true.
    #[must_use]
    pub fn last(window: Nanos, triggers: &[Trigger], shelf: Box<dyn Shelf>) -> Self {
        Self::Last(Box::new(Recorder {
            flight: Flight::new(window),
            watch: Watch::new(triggers, window),
            has_triggers: !triggers.is_empty(),
            window,
            shelf,
            wrote: None,
            marked: None,
            files: 0,
            waits: None,
            now: Nanos(0),
            is_broken: false,
        }))
    }

    /// Takes a fact in.
    pub(super) fn take(&mut self, fact: &Fact) {
        match self {
            Self::All(writer) => {
                writer.append(fact).unwrap_or_else(|error| goes_on_without(&error));
            }
            Self::Last(recorder) => recorder.take(fact),
        }
    }

    /// What was taken in survives the end of this process from here on, if it is meant to.
    pub(super) fn flush(&mut self) {
        if let Self::All(writer) = self {
            writer.flush().unwrap_or_else(|error| goes_on_without(&error));
        }
    }

    /// The audit has ended.
    pub(super) fn finish(self, why: Ended) {
        match self {
            Self::All(writer) => {
                if let Err(error) = writer.finish() {
                    log::error!("{}; the recording is not whole", whole(&error));
                }
            }
            Self::Last(mut recorder) => recorder.finish(why),
        }
    }
}

fn goes_on_without(error: &dyn Error) {
    log::error!("{}; the audit goes on without the recording", whole(error));
}

impl Recorder {
    fn take(&mut self, fact: &Fact) {
        self.now = fact.at;
        if let Err(error) = self.flight.push(fact) {
            self.say_once(&error);
        }
        if let Some(why) = self.watch.see(fact) {
            if fact.what == What::OomMark {
                // The next victim may be the auditor.
                self.write(&why);
                self.marked = self.wrote;
                return;
            }
            self.waits.get_or_insert(why);
        }
        let is_apart = self.wrote.is_none_or(|wrote| wrote.plus(Nanos(self.window.0 / APART)) <= fact.at);
        if is_apart && let Some(why) = self.waits.take() {
            self.write_if_few(&why);
        }
    }

    fn say_once(&mut self, error: &dyn Error) {
        if !std::mem::replace(&mut self.is_broken, true) {
            log::error!("{}; such facts are missing in what is kept", whole(error));
        }
    }

    fn write_if_few(&mut self, why: &str) {
        if self.files < MOST_FILES {
            self.write(why);
        } else {
            log::warn!("{why}: not kept, as {MOST_FILES} recordings were");
        }
    }

    fn write(&mut self, why: &str) {
        self.wrote = Some(self.now);
        let (file, path) = match self.shelf.next() {
            Ok(next) => next,
            Err(error) => return log::error!("{why}: not kept: {}", whole(&*error)),
        };
        match self.flight.freeze(file, &path, why) {
            Ok(_) => {
                self.files += 1;
                log::info!("{why}: kept in {}", path.display());
            }
            Err(error) => log::error!("{why}: {}", whole(&error)),
        }
    }

    /// What ends by itself is worth keeping; so is what waits. With conditions, an end that was asked for is not.
    fn finish(&mut self, why: Ended) {
        let by_itself = match why {
            Ended::TargetExited => Some("the target ended"),
            Ended::TargetReplaced => Some("the target replaced its program"),
            Ended::Stopped | Ended::Duration | Ended::OneLook if !self.has_triggers => {
                Some("the audit ended")
            }
            Ended::Stopped | Ended::Duration | Ended::OneLook => None,
        };
        let why = self.waits.take().or_else(|| by_itself.map(str::to_owned));
        let is_kept = self.marked.is_some_and(|marked| self.now.since(marked) < DYING);
        match why {
            Some(why) if !is_kept => self.write(&why),
            None if self.files == 0 => log::info!("no condition became true: no recording was kept"),
            _ => {}
        }
    }
}
