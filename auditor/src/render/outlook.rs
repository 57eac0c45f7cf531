//! What is to come: how much memory is left, which maps grow next, and whether that fits.

use super::columns::maps::label;
use super::human;
use crate::audit::fact::Ended;
use crate::audit::report::{Forecast, Misses, NextGrowth, Report, Upcoming};

/// Cells for a name within a sentence.
const NAME: usize = 48;

/// What is left, in one sentence; `None`: not known.
#[must_use]
pub fn headroom(report: &Report) -> Option<String> {
    let memory = &report.memory;
    let limit = memory.limit.map(|limit| format!("The memory limit is {}", human::bytes(limit)));
    let left = memory.headroom.map(human::bytes);
    let is_over = report.window.ended == Some(Ended::TargetExited);
    match (limit, left) {
        (Some(limit), Some(left)) if is_over => {
            Some(format!("{limit}; {left} were left at the last reading before it ended."))
        }
        (Some(limit), Some(left)) => Some(format!("{limit}; {left} are left.")),
        (Some(limit), None) => Some(format!("{limit}.")),
        (None, Some(left)) if is_over => Some(format!(
            "There was no memory limit; the host had {left} left at the last reading before it ended."
        )),
        (None, Some(left)) => Some(format!("There is no memory limit; the host has {left} left.")),
        (None, None) => None,
    }
}

/// That memory was scarce, in one sentence; `None`: it was not.
#[must_use]
pub fn scarcity(report: &Report) -> Option<String> {
    let pressure = report.memory.pressure?;
    let counted = |count: Option<u64>, said: &str| {
        count.filter(|count| *count > 0).map(|count| format!("{said} {}", human::plural(count, "time")))
    };
    let window = report.window.end.since(report.window.start);
    // Less than a hundredth of the time is nothing to speak of.
    let waited = pressure.some.filter(|some| some.0 > window.0 / 100);
    let whose = if pressure.of_group { "its cgroup" } else { "the host" };
    let waited = waited.map(|some| format!("tasks of {whose} waited {} for memory", human::span(some)));
    let said: Vec<String> = [
        counted(pressure.oom_kills, "the kernel killed tasks of its cgroup for want of memory"),
        counted(pressure.max_events, "its cgroup ran into its limit"),
        counted(pressure.high_events, "its cgroup was held back at memory.high"),
        waited,
    ]
    .into_iter()
    .flatten()
    .collect();
    (!said.is_empty()).then(|| format!("Memory was scarce: {}.", said.join("; ")))
}

/// The first growth to come that does not fit, in one sentence.
#[must_use]
pub fn first_that_does_not_fit(report: &Report) -> Option<String> {
    let growth = report.forecast.growths.iter().find(|growth| growth.fits == Some(false))?;
    let when = growth.eta.map_or_else(
        || "if it fills".to_owned(),
        |eta| format!("in {} at the present rate", human::span(eta)),
    );
    Some(format!(
        "The next growth of {} needs {} more than is held now, {when}: that does not fit.",
        name(report, growth),
        human::bytes(growth.peak_extra)
    ))
}

/// One growth to come, as a label and what it asks for.
#[must_use]
pub fn growth(report: &Report, growth: &Upcoming) -> (String, String) {
    let when = growth.eta.map_or_else(|| "if it fills".to_owned(), |eta| format!("in {}", human::span(eta)));
    let fits = if growth.fits == Some(false) { ": does not fit" } else { "" };
    let map = report.maps.iter().find(|map| map.place() == growth.place() && map.died.is_none());
    let at = map
        .and_then(|map| map.next_growth)
        .map_or_else(String::new, |next| format!(" at {} live entries", human::count(next.at_live)));
    (when, format!("{} more for {}{at}{fits}", human::bytes(growth.peak_extra), name(report, growth)))
}

fn name(report: &Report, growth: &Upcoming) -> String {
    let map = report.maps.iter().find(|map| map.place() == growth.place() && map.died.is_none());
    map.map_or_else(|| growth.map.to_string(), |map| label(map, NAME))
}

/// When a map grows, and what it needs then.
#[must_use]
pub fn next_growth(next: NextGrowth) -> String {
    format!(
        "at {} live entries: new tables of {}, {} more than now while both are held{}",
        human::count(next.at_live),
        human::bytes(next.new_table),
        human::bytes(next.peak_extra),
        when(next)
    )
}

fn when(next: NextGrowth) -> String {
    let Some(eta) = next.eta else { return String::new() };
    let range = match (next.eta_least, next.eta_most) {
        (Some(least), Some(most)) if least == most => String::new(),
        (Some(least), Some(most)) => format!(" ({} to {})", human::span(least), human::span(most)),
        (Some(least), None) => format!(" ({} at least)", human::span(least)),
        (None, _) => String::new(),
    };
    format!(", in {} at the present rate{range}", human::span(eta))
}

/// How well growths were foretold, in one sentence; `None`: there was none to tell by.
#[must_use]
pub fn record(forecast: &Forecast) -> Option<String> {
    let miss = |misses: Option<Misses>, what: &str| {
        misses.map(|misses| {
            let off = |permille: u64| human::share(permille, 1000);
            let by = match misses.worst_permille {
                0 => "exact".to_owned(),
                worst => format!("off by {}, at worst {}", off(misses.median_permille), off(worst)),
            };
            format!("{what} {by} ({})", human::plural(misses.growths, "growth"))
        })
    };
    let said: Vec<String> = [
        miss(forecast.at_live, "the entries"),
        miss(forecast.new_table, "the size"),
        miss(forecast.eta, "the time"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!said.is_empty()).then(|| format!("Of growths that came, foretold were {}.", said.join(", ")))
}
