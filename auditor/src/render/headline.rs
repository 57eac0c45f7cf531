//! What holds the memory and how RSS moved: the two sentences that everything else explains.

use super::columns::maps::label;
use super::{human, phrases};
use crate::audit::report::{Map, Memory, Population, Report};
use crate::audit::unit::Bytes;

/// Cells for a name within a sentence.
const NAME: usize = 48;

/// What a map is known to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// In RAM.
    Resident(Bytes),
    /// Allocated; how much of it is in RAM is not known.
    Allocated(Bytes),
}

impl Held {
    /// How much, of either kind.
    #[must_use]
    pub const fn bytes(self) -> Bytes {
        match self {
            Self::Resident(bytes) | Self::Allocated(bytes) => bytes,
        }
    }
}

/// What a map holds: what is in RAM, or else what is allocated.
#[must_use]
pub fn held(map: &Map) -> Option<Held> {
    let allocated = map.bytes.allocated.map(Held::Allocated);
    map.bytes.resident.map(Held::Resident).or(allocated)
}

/// The map that holds most of those that live and that something leads to; the first of equals.
#[must_use]
pub fn largest(report: &Report) -> Option<(&Map, Held)> {
    let known = living(report).filter_map(|map| Some((map, held(map)?)));
    // max_by_key would take the last of equals: their order in the report means something.
    known.reduce(|most, next| if next.1.bytes() > most.1.bytes() { next } else { most })
}

/// The listed maps that live and that something leads to, as far as is known.
fn living(report: &Report) -> impl Iterator<Item = &Map> {
    report.maps.iter().filter(|map| phrases::is_held(map))
}

/// The others that do, added up by kind.
fn crowds(report: &Report) -> impl Iterator<Item = &Population> {
    report.populations.iter().filter(|row| row.reachable != Some(false))
}

/// What all living maps hold together, listed or folded, but those that wait for the collector; `None`
/// where nothing is known.
#[must_use]
pub fn all_maps(report: &Report) -> Option<Bytes> {
    let listed = living(report).filter_map(held).map(Held::bytes);
    let folded = crowds(report).map(|population| population.bytes.allocated);
    listed.chain(folded).reduce(|sum, next| sum + next)
}

/// What all living maps hold together, in one sentence that says what it does not know.
#[must_use]
pub fn together(report: &Report) -> Option<String> {
    let all = all_maps(report)?;
    let in_ram = report.populations.is_empty() && living(report).all(|map| map.bytes.resident.is_some());
    let share = if in_ram { of_rss(all, &report.memory) } else { at_most_of_rss(all, &report.memory) };
    let unread = match living(report).filter(|map| held(map).is_none()).count() {
        0 => String::new(),
        unread => format!("; {} not counted: not read", human::plural(unread as u64, "map")),
    };
    Some(format!("All maps together hold {}{share}{unread}.", human::bytes(all)))
}

/// How many maps wait for the collector, and what they hold; `None`: none does.
#[must_use]
pub fn garbage(report: &Report) -> Option<(u64, Bytes)> {
    let listed = report.maps.iter().filter(|map| phrases::is_garbage(map));
    let listed = listed.map(|map| (1, map.bytes.allocated.unwrap_or_default()));
    let folded = report.populations.iter().filter(|row| row.reachable == Some(false));
    let folded = folded.map(|row| (row.alive, row.bytes.allocated));
    let add = |(maps, bytes): (u64, Bytes), (more, others)| (maps.saturating_add(more), bytes + others);
    listed.chain(folded).reduce(add)
}

/// What holds the memory, in one sentence.
#[must_use]
pub fn holder(report: &Report) -> String {
    let Some((map, held)) = largest(report) else { return nothing_held(report) };
    let name = label(map, NAME);
    let size = human::bytes(held.bytes());
    match held {
        Held::Resident(part) => format!("{name} holds {size} in RAM{}.", of_rss(part, &report.memory)),
        Held::Allocated(part) => format!("{name} holds {size}{}.", at_most_of_rss(part, &report.memory)),
    }
}

/// `, 71 % of RSS`.
fn of_rss(part: Bytes, memory: &Memory) -> String {
    memory.rss.last.map_or_else(String::new, |rss| format!(", {} of RSS", human::share(part.0, rss.0)))
}

/// The same, of something that need not be in RAM.
fn at_most_of_rss(part: Bytes, memory: &Memory) -> String {
    match memory.rss.last {
        None => String::new(),
        Some(rss) if part > rss => {
            format!(", more than RSS ({}): not all of it is in RAM", human::bytes(rss))
        }
        Some(rss) => format!(", {} of RSS if all of it is in RAM", human::share(part.0, rss.0)),
    }
}

/// What there is to say when no living map is known to hold anything.
fn nothing_held(report: &Report) -> String {
    let peak = |map: &Map| map.bytes.peak;
    let dropped = report.maps.iter().filter(|map| map.died.is_some());
    match dropped.max_by_key(|map| peak(map)) {
        Some(map) => format!(
            "No map is alive; the largest was {}, which held {} at most.",
            label(map, NAME),
            human::known(peak(map), human::bytes)
        ),
        None if report.maps.is_empty() && report.populations.is_empty() => no_map(report),
        None if report.maps.iter().any(phrases::is_garbage) => {
            "No listed map is held by anything.".to_owned()
        }
        None => "No single map is known to hold memory.".to_owned(),
    }
}

fn no_map(report: &Report) -> String {
    if phrases::is_one_look(report) { "There is no map." } else { "No map was seen." }.to_owned()
}

/// How RSS moved, in one sentence.
#[must_use]
pub fn rss(report: &Report) -> String {
    let rss = &report.memory.rss;
    let (Some(first), Some(last)) = (rss.first, rss.last) else { return "RSS was not read.".to_owned() };
    let peak = rss.peak.unwrap_or_else(|| first.max(last));
    if first == last && peak == first {
        return format!("RSS stayed at {}.", human::bytes(last));
    }
    if peak <= first.max(last) {
        let by = human::moved(first, last);
        return format!("RSS went from {} to {} ({by}).", human::bytes(first), human::bytes(last));
    }
    let [first, last, peak] = [first, last, peak].map(human::bytes);
    let end = if report.window.ended.is_some() {
        format!("was {last} at the end")
    } else {
        format!("is {last} now")
    };
    format!("RSS went from {first} up to {peak}{} and {end}.", when(report))
}

/// ` at +12.3 s (12:03:16Z)`.
fn when(report: &Report) -> String {
    let Some(at) = report.memory.rss.peak_at else { return String::new() };
    let clock = human::clock(&report.window, at).map_or_else(String::new, |clock| format!(" ({clock})"));
    format!(" at {}{clock}", human::offset(&report.window, at))
}
