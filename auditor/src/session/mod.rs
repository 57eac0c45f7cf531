//! The live loop: wait for the ring, the clock, the target's end or the user; drain, tick, show.
//! Async lives here, in `probes/ring.rs` and in what starts it, nowhere else.
//!
//! `shell` is what the verbs need of the event loop. `recognise` finds runtimes in files, `inspect` makes a plan out
//! of a pid, `setup` a [`Live`] target out of the plan; `live` is one round of it, `census` a look over the whole
//! process. `one_look` is such a look by itself, without the kernel side; `kin` at a family. `keep` is where facts go
//! besides, `scribe` who writes them. `polling` reads maps with `sampler`, `residents` asks what of them is in RAM, `beside` what else is;
//! `burst` looks at the writers of one map for a moment; `stacks` names frames; `translate`, `readings`, `writers`
//! and `governor` are pure.

mod adopt;
mod allowance;
mod arenas;
mod beside;
pub mod burst;
mod census;
mod faults;
pub mod governor;
pub mod inspect;
pub mod keep;
pub mod kin;
pub mod kindred;
mod kinds;
pub mod latecomers;
pub mod live;
pub mod member;
pub mod one_look;
mod polling;
pub mod readings;
pub mod recognise;
pub mod residents;
pub mod sampler;
pub mod scribe;
pub mod setup;
pub mod shell;
pub mod stacks;
mod stock;
pub mod timed;
pub mod translate;
pub mod writers;

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use crate::audit::Extent;
use crate::audit::fact::Ended;
use crate::audit::report::Report;
use crate::probes::readiness::Readiness;
use live::Live;
use shell::Stop;

/// Between two readings of the ring when nothing wakes us, and between two questions to the governor.
const PACE: Duration = Duration::from_millis(20);
/// After a report of many maps was drawn, so many times as long nothing is.
const RESTS: u32 = 4;
/// Further away than any audit lasts.
const NEVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// Who shows the report while the audit goes on. What is not told otherwise wants nothing until the end.
pub trait Face {
    /// How much it wants to be told of intervals, if anything: drawing a report of many maps takes time.
    fn of_intervals(&self) -> Option<Extent>;

    /// An interval ended.
    ///
    /// # Errors
    /// When it cannot be shown; the audit ends then.
    fn interval(&mut self, _report: Rc<Report>) -> io::Result<()> {
        Ok(())
    }

    /// Whether it wants reports between two intervals, as soon as there are news; and how long it is left alone
    /// after each, at least.
    fn pace(&self) -> Option<Duration> {
        None
    }

    /// A report between two intervals.
    ///
    /// # Errors
    /// As for an interval.
    fn refresh(&mut self, _report: Rc<Report>) -> io::Result<()> {
        Ok(())
    }

    /// Waits for the user. Must be cancel safe.
    fn wish(&mut self) -> Pin<Box<dyn Future<Output = Wish> + '_>> {
        Box::pin(pending())
    }
}

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing of the audit.
    Nothing,
    /// To end.
    Quit,
}

/// When things happen.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two ticks.
    pub interval: Duration,
    /// When to end by itself.
    pub duration: Option<Duration>,
}

/// Follows a target until its end, the user's wish, or the end of the time.
///
/// # Errors
/// When the target's end cannot be waited for, or the face cannot show.
pub async fn follow(
    live: &mut Live,
    timing: Timing,
    face: &mut dyn Face,
    mut stop: Stop,
) -> io::Result<Ended> {
    let exit = Readiness::of(&*live.first.process.pidfd())?;
    let start = Instant::now();
    let end = start + timing.duration.unwrap_or(NEVER);
    let mut tick = paced(start, timing.interval);
    let pace = face.pace();
    let mut rested = start;
    let mut ring = paced(start, PACE);
    live.draw_intervals(face.of_intervals());
    for report in live.first() {
        face.interval(Rc::new(report))?;
    }
    loop {
        tokio::select! {
            biased;
            () = stop.wished() => return Ok(Ended::Stopped),
            () = exit.once() => return Ok(Ended::TargetExited),
            () = sleep_until(end) => return Ok(Ended::Duration),
            wish = face.wish() => match wish {
                Wish::Quit => return Ok(Ended::Stopped),
                Wish::Nothing => {}
            },
            () = live.kernel.ring.much_waits() => {}
            _ = tick.tick() => live.tick(),
            () = sleep_until(rested), if pace.is_some() && live.has_news() => {
                rested = refresh(live, face, pace.unwrap_or(NEVER))?;
            }
            _ = ring.tick() => govern(live),
        }
        for report in live.drain() {
            face.interval(Rc::new(report))?;
        }
        if live.is_replaced() {
            return Ok(Ended::TargetReplaced);
        }
    }
}

/// Shows what is new. Says when to look again: what happens after a rest is shown at once, and where much happens
/// the drawing takes no more than its share.
fn refresh(live: &mut Live, face: &mut dyn Face, pace: Duration) -> io::Result<Instant> {
    let began = Instant::now();
    face.refresh(Rc::new(live.news()))?;
    Ok(Instant::now() + began.elapsed().saturating_mul(RESTS).max(pace))
}

/// What the budget or the time has ended. Taking a hook out waits for the kernel, so it is not done on this thread.
fn govern(live: &mut Live) {
    for links in live.govern().into_iter().chain(live.end_burst()) {
        tokio::task::spawn_blocking(move || drop(links));
    }
}

fn paced(start: Instant, period: Duration) -> Interval {
    let mut interval = interval_at(start + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
