//! How long attaching and detaching take: from the start of the auditor to its first report, against
//! the start of bpftrace to its probes being in place, on one target that is idle meanwhile.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::child::{Listen, Running};
use super::figure::{Figure, Spread};
use super::watcher::{self, auditor_until_report, bpftrace_until_attached};
use super::{Scope, Show};
use crate::{say, workspace};

/// The name of this part.
pub(crate) const PART: &str = "attach";
const LIMIT: Duration = Duration::from_secs(30);
/// Less time than bpftrace takes, by more than this machine's noise.
const RATIO_AIM: f64 = 0.8;
/// A full pair takes two seconds: there is time for some more of them.
const TIMES: u32 = 2;

/// Between attaching and detaching, so that the one is over before the other begins.
const PAUSE: Duration = Duration::from_millis(200);

/// Milliseconds to attach and to detach.
type Took = (f64, f64);

/// Both ways to attach to an idle target.
pub(crate) struct Rivals<'a> {
    /// The name of the part.
    pub(crate) part: &'static str,
    /// Returns with the auditor's first report.
    pub(crate) ours: &'a dyn Fn() -> Result<Running>,
    /// Returns when the probes of bpftrace are in place.
    pub(crate) theirs: &'a dyn Fn() -> Result<Running>,
}

/// The demo.
pub(crate) fn measure(scope: &Scope, show: Show<'_>) -> Result<()> {
    let target = idle_target()?;
    let rivals = Rivals {
        part: PART,
        ours: &|| auditor_until_report(target.pid()),
        theirs: &|| bpftrace_until_attached(target.pid()),
    };
    in_turns(&rivals, scope, show)
}

/// Measures in turns: who comes first changes with each pair.
pub(crate) fn in_turns(rivals: &Rivals<'_>, scope: &Scope, show: Show<'_>) -> Result<()> {
    let pairs = scope.pairs * TIMES;
    let mut step = say::step("attach and detach");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        step.progress(&format!("pair {} of {pairs}", pair + 1));
        if pair % 2 == 0 {
            ours.push(time(rivals.ours)?);
        }
        if watcher::has_bpftrace() {
            theirs.push(time(rivals.theirs)?);
        }
        if pair % 2 == 1 {
            ours.push(time(rivals.ours)?);
        }
    }
    step.done(format!("{pairs} pairs"));
    show(draw(rivals.part, &ours, &theirs));
    Ok(())
}

fn draw(part: &'static str, ours: &[Took], theirs: &[Took]) -> Vec<Figure> {
    let row = |what: &str, unit, values: Vec<f64>| Some(Figure::new(part, what, unit, Spread::of(values)?));
    let first = |took: &[Took]| took.iter().map(|took| took.0).collect();
    let second = |took: &[Took]| took.iter().map(|took| took.1).collect();
    let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours.0 / theirs.0).collect();
    [
        row("auditor, start to first report", "ms", first(ours)),
        row("bpftrace, start to attached", "ms", first(theirs)),
        row("auditor over bpftrace", "x", ratios).map(|figure| figure.at_most(RATIO_AIM)),
        row("auditor, Ctrl-C to its end", "ms", second(ours)),
        row("bpftrace, Ctrl-C to its end", "ms", second(theirs)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A target with a map, that does nothing.
fn idle_target() -> Result<Running> {
    let mut demo = Command::new(workspace::released("target-demo"));
    let mut target =
        Running::start(demo.args(["grow", "--entries", "100000", "--hold", "600"]), Listen::Stderr)?;
    target.wait_for("holds its maps", LIMIT)?;
    Ok(target)
}

fn time(attach: &dyn Fn() -> Result<Running>) -> Result<Took> {
    let began = Instant::now();
    let running = attach()?;
    let attached = began.elapsed();
    sleep(PAUSE);
    let began = Instant::now();
    running.interrupt(LIMIT)?;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    Ok((milliseconds(attached), milliseconds(began.elapsed())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_of_pairs_and_must_be_clearly_less_than_one() {
        let ratio = |third| {
            let figures = draw(PART, &[(50.0, 9.0), (300.0, 9.0), (third, 9.0)], &[(100.0, 1.0); 3]);
            figures.into_iter().find(|figure| figure.unit == "x").unwrap()
        };
        let met = ratio(80.0);
        assert_eq!((met.spread.median, met.spread.max, met.missed), (0.8, 3.0, false));
        assert!(ratio(90.0).missed);
    }

    #[test]
    fn without_bpftrace_there_is_no_ratio() {
        let figures = draw(PART, &[(50.0, 9.0)], &[]);
        assert_eq!(figures.len(), 2);
        assert!(figures.iter().all(|figure| figure.at_most.is_none()));
    }
}
