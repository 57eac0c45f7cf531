//! How memory stands, in short pieces for the top of a screen, each the most important first.

use super::columns::maps::label;
use super::style::Tone;
use super::{human, outlook};
use crate::audit::report::{Pressure, Report, Upcoming};
use crate::audit::unit::Bytes;

/// Cells of a map's name.
const NAME: usize = 24;

/// How much of a line there is for a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// A usual terminal.
    Narrow,
    /// A wide one.
    Wide,
}

/// RSS against the limit, in thousandths; `None`: one of them is not known.
#[must_use]
pub fn permille_of_limit(report: &Report) -> Option<u64> {
    human::permille(report.memory.rss.last?.0, report.memory.limit?.0)
}

/// RSS and its limit.
#[must_use]
pub fn rss(report: &Report) -> String {
    let memory = &report.memory;
    match (memory.rss.last, memory.limit) {
        (Some(last), Some(limit)) => {
            format!("{} of {}", human::share(last.0, limit.0), human::bytes(limit))
        }
        (_, None) => "no memory limit".to_owned(),
        (None, Some(limit)) => format!("limit {}", human::bytes(limit)),
    }
}

/// What else there is to say of RSS.
#[must_use]
pub fn around_rss(report: &Report) -> Vec<String> {
    let (memory, size) = (&report.memory, |size| human::known(size, human::bytes));
    let at = memory.rss.peak_at.map(|at| human::offset(&report.window, at));
    let at = at.map_or_else(String::new, |at| format!(" at {at}"));
    let swapped = memory.swap.filter(|swap| *swap > Bytes(0));
    let mut pieces = vec![format!("peak {}{at}", size(memory.rss.peak))];
    pieces.extend(swapped.map(|swap| format!("swap {}", human::bytes(swap))));
    pieces.push(format!("RSS at first {}", size(memory.rss.first)));
    pieces
}

/// How long tasks waited for memory (pressure stall information), as shares of the time of the audit.
#[must_use]
pub fn pressure(report: &Report, room: Room) -> (String, Tone) {
    /// From a hundredth of the time on it is worth a look, from a tenth on it hurts.
    const WARN: u64 = 10;
    const BAD: u64 = 100;
    let window = report.window.end.since(report.window.start);
    let share = |time: u64| human::share(time.min(window.0), window.0);
    let Some(Pressure { some: Some(some), full, of_group, .. }) = report.memory.pressure else {
        return ("PSI -".to_owned(), Tone::Quiet);
    };
    let tone = match human::permille(some.0, window.0).unwrap_or(0) {
        BAD.. => Tone::Bad,
        WARN.. => Tone::Warn,
        _ => Tone::Normal,
    };
    let words = match room {
        Room::Narrow => format!("PSI {}", share(some.0)),
        Room::Wide => {
            let full = human::known(full, |full| share(full.0));
            let whose = if of_group { "cgroup" } else { "host" };
            format!("PSI some {} full {full} ({whose})", share(some.0))
        }
    };
    (words, tone)
}

/// How much more fits, and what the next growth needs of it.
#[must_use]
pub fn to_come(report: &Report, room: Room) -> Vec<(String, Tone)> {
    let left = (format!("headroom {}", human::known(report.memory.headroom, human::bytes)), Tone::Normal);
    let Some(next) = most_urgent(report) else {
        return vec![left, ("no growth is foreseen".to_owned(), Tone::Quiet)];
    };
    let (when, what) = outlook::growth(report, next);
    let tone = if next.fits == Some(false) { Tone::Bad } else { Tone::Normal };
    let words = match room {
        Room::Wide => format!("next growth {when}: {what}"),
        Room::Narrow => {
            let map = report.maps.iter().find(|map| map.address == next.map && map.died.is_none());
            let name = map.map_or_else(|| next.map.to_string(), |map| label(map, NAME));
            let fits = if next.fits == Some(false) { " !NO ROOM" } else { "" };
            format!("next +{} {when}{fits} ({name})", human::bytes(next.peak_extra))
        }
    };
    vec![left, (words, tone)]
}

/// The first growth to come that does not fit, else the first.
fn most_urgent(report: &Report) -> Option<&Upcoming> {
    let growths = &report.forecast.growths;
    growths.iter().find(|growth| growth.fits == Some(false)).or(growths.first())
}
