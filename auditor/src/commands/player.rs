//! A recording on the live screen: it plays, stops, goes step by step, fast or slow, and jumps. What is
//! shown at a time is what was known then: going back means to begin again and wind.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::exit::{self, Exit};
use super::faces::{self, Colour};
use super::tape::{Stepped, Tape, Wanted};
use super::{audit, snapshot};
use crate::audit::fact::What;
use crate::audit::unit::Nanos;
use crate::cli;
use crate::output::Output;
use crate::recording::ReadError;
use crate::render::human;
use crate::session::shell::{self, Heard, Inbox, Stop};
use crate::session::timed::watched;
use crate::tui::{self, Action, Input, Motion, Reel, Screen, Travel};

/// How often the screen is drawn while it plays.
const PACE: Duration = Duration::from_millis(80);
/// How long one waits for a key where nothing moves.
const IDLE: Duration = Duration::from_secs(3600);
/// How long facts are applied before keys are looked at again.
const STRETCH: Duration = Duration::from_millis(40);
/// Facts between two looks at the clock.
const BATCH: usize = 512;
/// Moments that are remembered of a recording on the way.
const MOMENTS: u64 = 200;
/// The slowest and the fastest, in hundredths.
const SLOWEST: u32 = 25;
const FASTEST: u32 = 6400;

/// Shows a recording until the reader has seen enough.
pub(super) fn run(request: &cli::Replay, colour: Colour) -> anyhow::Result<Exit> {
    let mut player = Player::open(&request.file, Wanted::of(request)?, request.at.unwrap_or_default())?;
    let stop = audit::stop()?;
    let mut screen = Screen::open(faces::paper(colour, &Output::stdout()).style)
        .context("the live screen; -f text needs no terminal")?;
    let logged = log::max_level();
    log::set_max_level(log::LevelFilter::Off);
    let (deliver, inputs) = shell::inbox();
    let keys = tui::keys(deliver).context("waiting for keys")?;
    let shown = shell::run(follow(&mut player, &mut screen, inputs, stop))?;
    // The keys go first: they must take none from the shell.
    drop(keys);
    drop(screen);
    log::set_max_level(logged);
    shown?;
    player.end(request.strict)
}

/// Plays and obeys.
async fn follow(
    player: &mut Player,
    screen: &mut Screen,
    mut inputs: Inbox<Input>,
    mut stop: Stop,
) -> anyhow::Result<()> {
    let mut before = Instant::now();
    loop {
        player.wind(screen)?;
        let heard = shell::hear(&mut inputs, &mut stop, player.patience()).await;
        let now = Instant::now();
        player.pass(now.duration_since(before));
        before = now;
        match heard {
            Heard::Stop => return Ok(()),
            Heard::Nothing => {}
            Heard::Item(input) => match screen.press(input)? {
                Action::Quit => return Ok(()),
                Action::Snapshot => screen.say(snapshot::write(screen.shown()))?,
                Action::Travel(travel) => player.travel(travel),
                Action::Draw | Action::Ignore => {}
            },
        }
    }
}

/// When things happen in a recording.
#[derive(Debug)]
struct Times {
    start: Nanos,
    end: Nanos,
    /// Ends of intervals.
    ticks: Vec<Nanos>,
    damage: Option<ReadError>,
}

impl Times {
    /// Reads all of it once.
    fn of(file: &std::path::Path, wanted: &Wanted) -> anyhow::Result<Self> {
        let mut times = Self { start: Nanos(u64::MAX), end: Nanos(0), ticks: vec![], damage: None };
        for fact in wanted.facts(file)? {
            match fact {
                Ok(fact) => times.take(fact.at, &fact.what),
                Err(damage) => {
                    times.damage = Some(damage);
                    break;
                }
            }
        }
        Ok(times)
    }

    fn take(&mut self, at: Nanos, what: &What) {
        self.start = self.start.min(at);
        self.end = self.end.max(at);
        if matches!(what, What::Tick) && self.ticks.last().is_none_or(|last| *last < at) {
            self.ticks.push(at);
        }
    }

    /// So many ticks before a time.
    fn before(&self, at: Nanos, steps: usize) -> Nanos {
        let earlier = self.ticks.partition_point(|tick| *tick < at);
        self.ticks.get(earlier.saturating_sub(steps)).copied().filter(|tick| *tick < at).unwrap_or(self.start)
    }

    /// So many ticks after a time.
    fn after(&self, at: Nanos, steps: usize) -> Nanos {
        let later = self.ticks.partition_point(|tick| *tick <= at);
        self.ticks.get(later.saturating_add(steps.saturating_sub(1))).copied().unwrap_or(self.end)
    }

    fn length(&self) -> Nanos {
        self.end.since(self.start)
    }
}

/// A recording and where in it the reader is.
struct Player {
    file: PathBuf,
    wanted: Wanted,
    times: Times,
    tape: Tape,
    /// Which time is to be shown.
    goal: Nanos,
    /// Up to where facts have been applied; `None`: nothing was shown yet.
    reached: Option<Nanos>,
    /// The last moment that was remembered.
    remembered: Nanos,
    motion: Motion,
    speed: u32,
}

impl Player {
    fn open(file: &std::path::Path, wanted: Wanted, at: Duration) -> anyhow::Result<Self> {
        let (tape, _) = Tape::open(file, wanted.clone())?;
        let times = watched("reading the recording", || Times::of(file, &wanted))?;
        let at = Nanos(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX));
        let goal = Nanos(times.start.0.saturating_add(at.0)).min(times.end);
        let (remembered, motion) = (times.start, Motion::Plays);
        let (file, reached, speed) = (file.to_owned(), None, 100);
        Ok(Self { file, wanted, times, tape, goal, reached, remembered, motion, speed })
    }

    /// How long to wait for a key now.
    fn patience(&self) -> Duration {
        match self.motion {
            _ if self.is_behind() => Duration::ZERO,
            Motion::Plays => PACE,
            Motion::Stands => IDLE,
        }
    }

    fn is_behind(&self) -> bool {
        self.reached.is_none_or(|reached| reached < self.goal)
    }

    /// So much time has passed for the reader.
    fn pass(&mut self, time: Duration) {
        if self.motion == Motion::Stands || self.is_behind() {
            return;
        }
        let by = time.as_nanos() * u128::from(self.speed) / 100;
        let by = u64::try_from(by).unwrap_or(u64::MAX);
        self.goal = Nanos(self.goal.0.saturating_add(by)).min(self.times.end);
        if self.goal == self.times.end {
            self.motion = Motion::Stands;
        }
    }

    fn travel(&mut self, travel: Travel) {
        let (times, goal) = (&self.times, self.goal);
        match travel {
            Travel::Turn if self.motion == Motion::Plays => self.motion = Motion::Stands,
            Travel::Turn => {
                self.motion = Motion::Plays;
                if goal == times.end {
                    self.goal = times.start;
                }
            }
            Travel::Back(steps) => (self.goal, self.motion) = (times.before(goal, steps), Motion::Stands),
            Travel::Ahead(steps) => (self.goal, self.motion) = (times.after(goal, steps), Motion::Stands),
            Travel::To(time) => self.goal = Nanos(times.start.0.saturating_add(time.0)).min(times.end),
            Travel::Faster => self.speed = (self.speed * 2).min(FASTEST),
            Travel::Slower => self.speed = (self.speed / 2).max(SLOWEST),
        }
    }

    /// Applies facts towards the goal for a moment, and shows what is known when it is reached.
    fn wind(&mut self, screen: &mut Screen) -> anyhow::Result<()> {
        if self.reached.is_some_and(|reached| reached > self.goal) {
            (self.tape, _) = Tape::open(&self.file, self.wanted.clone())?;
            (self.reached, self.remembered) = (None, self.times.start);
        }
        let began = Instant::now();
        if self.is_behind() {
            while !self.apply(screen) {
                if began.elapsed() > STRETCH {
                    return Ok(screen.run(self.reel(Some(self.progress())))?);
                }
            }
            self.reached = Some(self.goal);
            screen.note(Rc::new(self.tape.report()));
        }
        Ok(screen.run(self.reel(None))?)
    }

    /// Applies some facts; whether the goal is reached.
    fn apply(&mut self, screen: &mut Screen) -> bool {
        let apart = self.times.length().0 / MOMENTS;
        for _ in 0..BATCH {
            match self.tape.step(self.goal) {
                Stepped::Fact => {}
                Stepped::Tick if self.tape.at().since(self.remembered).0 < apart => {}
                Stepped::Tick => {
                    self.remembered = self.tape.at();
                    screen.note(Rc::new(self.tape.report()));
                }
                Stepped::Later | Stepped::End | Stepped::Damaged(_) => return true,
            }
        }
        false
    }

    /// How far it is wound, in thousandths.
    fn progress(&self) -> u64 {
        let all = self.goal.since(self.times.start);
        human::permille(self.tape.at().since(self.times.start).0, all.0).unwrap_or(1000)
    }

    fn reel(&self, winding: Option<u64>) -> Reel {
        Reel { length: self.times.length(), motion: self.motion, speed: self.speed, winding }
    }

    /// What the recording was worth.
    fn end(mut self, strict: bool) -> anyhow::Result<Exit> {
        if let Some(damage) = self.times.damage {
            return Err(damage).context("only what comes before the damage was shown");
        }
        if !strict {
            return Ok(Exit::Clean);
        }
        while !matches!(self.tape.step(Nanos(u64::MAX)), Stepped::End | Stepped::Damaged(_)) {}
        Ok(if exit::is_incomplete(&self.tape.report()) { Exit::Incomplete } else { Exit::Clean })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        let ticks = [10, 20, 30].map(Nanos).to_vec();
        Times { start: Nanos(5), end: Nanos(35), ticks, damage: None }
    }

    #[test]
    fn steps_go_from_tick_to_tick_and_end_at_the_ends() {
        let times = times();
        assert_eq!(times.after(Nanos(5), 1), Nanos(10));
        assert_eq!(times.after(Nanos(10), 1), Nanos(20));
        assert_eq!(times.after(Nanos(12), 10), Nanos(35));
        assert_eq!(times.before(Nanos(35), 1), Nanos(30));
        assert_eq!(times.before(Nanos(20), 1), Nanos(10));
        assert_eq!(times.before(Nanos(10), 1), Nanos(5));
        assert_eq!(times.before(Nanos(5), 1), Nanos(5));
        assert_eq!(times.before(Nanos(31), 10), Nanos(10));
    }
}
