//! One interval of an audit without a screen, at one glance: the time, RSS, the largest maps,
//! growths under way, and a word about trust as soon as there is need for one.

use std::io::{self, Write};

use super::page::Page;
use crate::audit::report::{Confidence, Map, Report};
use crate::audit::unit::Bytes;
use crate::render::columns::maps::{label, state};
use crate::render::style::{Paper, Tone};
use crate::render::{escape, headline, human, phrases};

/// Maps that are named.
const MAPS: usize = 3;

/// Cells of a name.
const NAME: usize = 34;

/// Writes what changed between two reports of one audit; `before` is `None` the first time.
///
/// # Errors
/// Those of `out`.
pub fn interval(now: &Report, before: Option<&Report>, paper: Paper, out: &mut dyn Write) -> io::Result<()> {
    let page = &mut Page::new(paper);
    page.paragraph(Tone::Heading, &summary(now, before));
    for map in largest(now) {
        page.aligned(state(map).tone, &one_map(map, before));
    }
    if let Some(growths) = growths(now, before) {
        page.indented(Tone::Normal, &growths);
    }
    if now.coverage.confidence != Confidence::Exact {
        page.indented(Tone::Warn, &trust(now));
    }
    out.write_all(page.as_bytes())
}

/// `+12.0 s 12:03:16Z  RSS 88.4 MiB (+12.1 MiB), 22 % of limit; maps 63.0 MiB (+8.0 MiB)`.
fn summary(now: &Report, before: Option<&Report>) -> String {
    let window = &now.window;
    let clock = human::clock(window, window.end).map_or_else(String::new, |clock| format!(" {clock}"));
    let rss = now.memory.rss.last;
    let rss_before = before.and_then(|before| before.memory.rss.last);
    let limit = match (rss, now.memory.limit) {
        (Some(rss), Some(limit)) => format!(", {} of the limit", human::share(rss.0, limit.0)),
        _ => String::new(),
    };
    let all = headline::all_maps(now);
    format!(
        "{}{clock} RSS {}{limit}; maps {}",
        human::offset(window, window.end),
        with_change(rss, rss_before),
        with_change(all, before.and_then(headline::all_maps))
    )
}

/// The living maps that hold most.
fn largest(report: &Report) -> Vec<&Map> {
    let mut maps: Vec<&Map> = report.maps.iter().filter(|map| phrases::is_held(map)).collect();
    maps.sort_by_key(|map| std::cmp::Reverse(size(map)));
    maps.truncate(MAPS);
    maps
}

/// `sessions    1.05M of 1.70M live   63.0 MiB (+32.0 MiB)  moving 43%`.
fn one_map(map: &Map, before: Option<&Report>) -> String {
    let is_it = |other: &&Map| other.place() == map.place() && other.born == map.born;
    let size_before = before.and_then(|before| before.maps.iter().find(is_it)).and_then(size);
    let name = label(map, NAME);
    let room = " ".repeat(NAME.saturating_sub(escape::width(&name)));
    let [live, capacity] = [map.live, map.capacity].map(|value| human::known(value, human::short));
    let held = with_change(size(map), size_before);
    format!("{name}{room} {live:>6} of {capacity:>6} live  {held:<22} {}", state(map).text)
}

fn size(map: &Map) -> Option<Bytes> {
    headline::held(map).map(headline::Held::bytes)
}

/// `63.0 MiB (+8.0 MiB)`; without the change where there is none or none is known.
fn with_change(now: Option<Bytes>, before: Option<Bytes>) -> String {
    let shown = human::known(now, human::bytes);
    match (before, now) {
        (Some(before), Some(now)) if before != now => format!("{shown} ({})", human::moved(before, now)),
        _ => shown,
    }
}

/// Growths since the last interval and those under way.
fn growths(now: &Report, before: Option<&Report>) -> Option<String> {
    let counted = |report: &Report| report.events.grow;
    let since = counted(now)?.saturating_sub(before.and_then(counted).unwrap_or(0));
    let under_way = now.maps.iter().filter(|map| phrases::is_evacuating(map)).count() as u64;
    if since == 0 && under_way == 0 {
        return None;
    }
    let held =
        now.maps.iter().filter(|map| phrases::is_evacuating(map)).filter_map(|map| map.bytes.old_table);
    let held = human::bytes(held.fold(Bytes(0), |sum, next| sum + next));
    Some(match (since, under_way) {
        (_, 0) => format!("{} since", human::plural(since, "growth")),
        (0, _) => format!("{} under way, old tables {held}", human::plural(under_way, "growth")),
        (..) => format!(
            "{} since, {} under way, old tables {held}",
            human::plural(since, "growth"),
            human::count(under_way)
        ),
    })
}

/// Why the numbers are lower bounds.
fn trust(now: &Report) -> String {
    let coverage = &now.coverage;
    let (word, meaning, _) = phrases::confidence(coverage.confidence);
    let [lost, late] = [coverage.lost, coverage.late].map(human::count);
    format!("confidence {word} ({meaning}): lost {lost}, late {late}, probes {}", phrases::probes(coverage))
}
