//! One map, everything that is known of it, as labelled sentences: the text report shows them for
//! the largest maps, the screen for the selected one.

use super::style::Tone;
use super::{columns, escape, human, outlook, phrases};
use crate::audit::report::{Episode, Evacuation, Map, MapBytes, Report, Tables, Verdict};
use crate::audit::unit::Nanos;

/// Cells of one sentence before it is cut: text from a target may be of any length.
const SENTENCE: usize = 240;
/// Cells of a type or an owner, which are told whole where they are not endless.
const WHOLE: usize = 480;

/// One labelled sentence. An empty label goes on with the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub label: &'static str,
    /// Harmless text of any width.
    pub text: String,
    /// What it is to the reader.
    pub tone: Tone,
}

impl Line {
    /// A sentence that is nothing special.
    pub(super) const fn new(label: &'static str, text: String) -> Self {
        Self::toned(label, text, Tone::Normal)
    }

    /// A sentence with a tone.
    pub(super) const fn toned(label: &'static str, text: String, tone: Tone) -> Self {
        Self { label, text, tone }
    }
}

/// How much of a map's history is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Frames of the call stack.
    pub frames: usize,
    /// Its latest growths.
    pub episodes: usize,
}

/// Everything that is known of a map.
#[must_use]
pub fn lines(map: &Map, report: &Report, depth: Depth) -> Vec<Line> {
    let mut lines = vec![Line::new("what", identity(map))];
    lines.extend(type_of(map));
    lines.extend(map.owner.as_deref().map(|owner| Line::new("held by", whole(owner))));
    lines.extend(life(map, report).map(|life| Line::new("life", life)));
    lines.push(Line::new("entries", entries(map)));
    lines.push(Line::new("bytes", sizes(&map.bytes, report)));
    lines.extend(tables(&map.tables).map(|tables| Line::new("tables", tables)));
    lines.extend(phrases::growths(&map.growths).map(|growths| Line::new("growths", growths)));
    lines.extend(cleared(map));
    lines.extend(map.evacuation.map(|evacuation| evacuated(evacuation, map, report)));
    lines.extend(map.next_growth.map(|next| Line::new("next growth", outlook::next_growth(next))));
    lines.extend(comes_back(map));
    lines.extend(site(map, depth.frames));
    lines.extend(history(map, report, depth.episodes));
    lines
}

/// That it was emptied at once, and what came of it.
fn cleared(map: &Map) -> Option<Line> {
    let times = map.cleared.filter(|times| *times > 0)?;
    let words = format!("{}: its entries went, its tables stayed", human::plural(times, "time"));
    Some(Line::new("cleared", words))
}

/// Runtime and address.
fn identity(map: &Map) -> String {
    format!("{} map at {}", said(&map.runtime), map.address)
}

/// Its type, or those it may be of.
fn type_of(map: &Map) -> Option<Line> {
    match (map.type_name.as_deref(), map.candidates.as_slice()) {
        (Some(type_name), _) => Some(Line::new("type", whole(type_name))),
        (None, []) => None,
        (None, candidates) => {
            let names: Vec<String> = candidates.iter().map(|name| said(name)).collect();
            Some(Line::new("type", escape::clip(&format!("one of {}", names.join(", ")), WHOLE)))
        }
    }
}

/// When it was born, whether it lives; in one look, only whether anything leads to it.
fn life(map: &Map, report: &Report) -> Option<String> {
    let reachable = match map.reachable {
        None => None,
        Some(true) => Some("something refers to it"),
        Some(false) => Some("nothing refers to it: it waits for the collector"),
    };
    if phrases::is_one_look(report) {
        return reachable.filter(|_| map.owner.is_none()).map(str::to_owned);
    }
    let at = |time| human::offset(&report.window, time);
    let born = match (map.born, map.tables.allocated) {
        (None, _) => "there before the audit began".to_owned(),
        (Some(time), Some(_)) => format!("born {}", at(time)),
        // Nobody saw its first table asked for: a census found it.
        (Some(time), None) => format!("born by {}", at(time)),
    };
    let died = map.died.map_or_else(|| "alive".to_owned(), |time| format!("dropped {}", at(time)));
    let reachable = reachable.map_or_else(String::new, |words| format!(", {words}"));
    Some(format!("{born}, {died}{reachable}"))
}

/// Live and capacity; tombstones and overflow, where there can be any.
fn entries(map: &Map) -> String {
    let counted = |value| human::known(value, human::count);
    let share = match (map.live, map.capacity) {
        (Some(live), Some(capacity)) => format!(" ({})", human::share(live, capacity)),
        _ => String::new(),
    };
    let [live, capacity] = [map.live, map.capacity].map(counted);
    let more = [(map.tombstones, "tombstones"), (map.overflow, "overflow buckets")];
    let more =
        more.into_iter().filter_map(|(count, what)| Some(format!(", {} {what}", human::count(count?))));
    format!("{live} live of {capacity} slots{share}{}", more.collect::<String>())
}

/// Every size; in one look, those that are known.
fn sizes(held: &MapBytes, report: &Report) -> String {
    let parts = [
        ("allocated", held.allocated),
        ("resident", held.resident),
        ("needed", held.needed),
        ("stranded", held.stranded),
        ("old table", held.old_table),
        ("peak", held.peak),
    ];
    let looked_once = phrases::is_one_look(report);
    let said = parts.into_iter().filter(|(name, size)| !looked_once || (size.is_some() && *name != "peak"));
    let said: Vec<String> =
        said.map(|(name, size)| format!("{name} {}", human::known(size, human::bytes))).collect();
    said.join(", ")
}

/// Asked for and let go; `None`: no hook tells of either.
fn tables(tables: &Tables) -> Option<String> {
    tables.allocated.or(tables.freed)?;
    let [allocated, freed] = [tables.allocated, tables.freed].map(|count| human::known(count, human::count));
    let [allocated_bytes, freed_bytes] =
        [tables.allocated_bytes, tables.freed_bytes].map(|size| human::known(size, human::bytes));
    Some(format!("{allocated} asked for ({allocated_bytes}), {freed} let go ({freed_bytes})"))
}

/// How far the evacuation is and what it holds back.
fn evacuated(evacuation: Evacuation, map: &Map, report: &Report) -> Line {
    let Evacuation { moved, total, in_progress, stalled_for } = evacuation;
    let share = human::share(moved, total);
    let mut text = format!("{} of {} old buckets moved ({share})", human::count(moved), human::count(total));
    if in_progress {
        text += &format!(", old table of {} still held", human::known(map.bytes.old_table, human::bytes));
    }
    // That nothing moved during one look says nothing.
    let stalled_for = stalled_for.filter(|_| !phrases::is_one_look(report));
    if let Some(stalled) = stalled_for.filter(|stalled| *stalled > Nanos(0)) {
        text += &format!(", nothing moved for {}", human::span(stalled));
    }
    Line { label: "evacuation", text, tone: columns::maps::state(map).tone }
}

/// What will become of its memory, and what would show that it is not so.
fn comes_back(map: &Map) -> Vec<Line> {
    let Some(verdict) = map.verdict else { return vec![] };
    let outlook = map.outlook.as_ref();
    let text = phrases::outlook(verdict, outlook, said);
    let (_, _, tone) = phrases::verdict(verdict);
    let disproof = outlook.filter(|_| verdict != Verdict::InUse);
    let disproof = disproof.map(|outlook| Line::new("", format!("wrong if: {}", said(&outlook.disproof))));
    [Line { label: "comes back", text, tone }].into_iter().chain(disproof).collect()
}

/// The call stack of its largest growth.
fn site(map: &Map, most: usize) -> Vec<Line> {
    let label = |index| if index == 0 { "grown from" } else { "" };
    let shown = map.site.iter().take(most).enumerate();
    let mut lines: Vec<Line> = shown.map(|(index, frame)| Line::new(label(index), said(frame))).collect();
    let left = map.site.len().saturating_sub(most);
    if left > 0 && most > 0 {
        lines.push(Line { label: "", text: format!("and {left} more frames"), tone: Tone::Quiet });
    }
    lines
}

/// Its latest growths.
fn history(map: &Map, report: &Report, most: usize) -> Vec<Line> {
    let is_its = |episode: &&Episode| episode.place() == map.place() && map.lived_at(episode.start);
    let latest = report.episodes.iter().rev().filter(is_its).take(most);
    let label = |index| if index == 0 { "latest" } else { "" };
    latest.enumerate().map(|(index, episode)| Line::new(label(index), growth(episode, report))).collect()
}

/// One growth in one sentence.
fn growth(episode: &Episode, report: &Report) -> String {
    let end = episode.end.map_or_else(
        || "under way".to_owned(),
        |end| format!("took {}", human::span(end.since(episode.start))),
    );
    let step = human::known(episode.rss_delta, human::change);
    let lag = episode.rss_lag.map_or_else(String::new, |lag| format!(" after {}", human::span(lag)));
    let faults = episode.faults.map_or_else(String::new, |faults| format!(", {}", phrases::faults(faults)));
    format!(
        "{} {}, {end}, new table {}, RSS {step}{lag}{faults}",
        human::offset(&report.window, episode.start),
        phrases::growth(episode.kind),
        human::bytes(episode.allocated)
    )
}

fn said(text: &str) -> String {
    escape::visible(text, SENTENCE)
}

fn whole(text: &str) -> String {
    escape::visible(text, WHOLE)
}
