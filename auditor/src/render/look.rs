//! What one look tells, in sentences for somebody who has just been woken up: which maps hold most, what
//! the rest comes to, what RSS is against its limit, what is garbage.

use super::columns::maps::label;
use super::headline::{self, Held};
use super::{human, phrases};
use crate::audit::report::{Map, Memory, Report};
use crate::audit::unit::Bytes;

/// Cells for a name within a sentence.
const NAME: usize = 48;
/// Maps that are counted as those that hold most.
const MOST: usize = 3;
/// With so much of what all maps hold, in thousandths, no more need be counted.
const NEARLY_ALL: u128 = 800;
/// With less, it is not they that hold the memory.
const HALF: u128 = 500;

/// The maps that hold most, and the largest of them by name.
#[must_use]
pub fn holders(report: &Report) -> String {
    let Some((largest, held)) = headline::largest(report) else { return nobody(report) };
    let (name, alone) = (label(largest, NAME), human::bytes(held.bytes()));
    let full = fullness(largest);
    let (maps, bytes) = holding_most(report);
    if maps < 2 {
        let full = full.map_or_else(String::new, |full| format!(", {full} full,"));
        return format!("{name}{full} holds {alone}{}.", against_rss(bytes, &report.memory));
    }
    let full = full.map_or_else(String::new, |full| format!(", {full} full"));
    let (all, in_all) = (living(report), headline::all_maps(report).unwrap_or_default());
    if thousandths(bytes, in_all) < HALF {
        let rss = against_rss(in_all, &report.memory);
        let held = human::bytes(in_all);
        return format!("{} maps hold {held}{rss}; the largest, {name}, {alone}{full}.", human::count(all));
    }
    let of_all = if all > maps { format!("{maps} of {}", human::count(all)) } else { maps.to_string() };
    let rss = against_rss(bytes, &report.memory);
    format!("{of_all} maps hold {}{rss}; {name} alone {alone}{full}.", human::bytes(bytes))
}

/// Where no listed map holds anything, the small ones may.
fn nobody(report: &Report) -> String {
    let listed = report.maps.iter().filter(|map| phrases::is_held(map)).count() as u64;
    match (living(report) - listed, headline::all_maps(report)) {
        (1.., Some(bytes)) => format!(
            "{} hold {}{}; none is large enough to be listed.",
            human::plural(living(report), "small map"),
            human::bytes(bytes),
            against_rss(bytes, &report.memory)
        ),
        _ => headline::holder(report),
    }
}

/// All maps together, and what they would need.
#[must_use]
pub fn together(report: &Report) -> Option<String> {
    let all = human::bytes(headline::all_maps(report)?);
    let rebuilt = rebuilt(report).map(human::bytes);
    Some(match (living(report), rebuilt) {
        (1, rebuilt) => format!("Just rebuilt it would need {}.", rebuilt?),
        (maps, None) => format!("In all, {} maps hold {all}.", human::count(maps)),
        (maps, Some(rebuilt)) => {
            let maps = human::count(maps);
            format!("In all, {maps} maps hold {all}; just rebuilt they would need {rebuilt}.")
        }
    })
}

/// RSS, and how near it is to the limit.
#[must_use]
pub fn rss(memory: &Memory) -> String {
    match (memory.rss.last, memory.limit) {
        (None, _) => "RSS was not read.".to_owned(),
        (Some(rss), None) => format!("RSS is {}; no memory limit is seen.", human::bytes(rss)),
        (Some(rss), Some(limit)) => format!(
            "RSS is {}, {} of the limit of {}: {} are left.",
            human::bytes(rss),
            human::share(rss.0, limit.0),
            human::bytes(limit),
            human::bytes(memory.headroom.unwrap_or_else(|| limit.less(rss)))
        ),
    }
}

/// What is garbage, and what becomes of it; `None`: nothing is.
#[must_use]
pub fn garbage(report: &Report) -> Option<String> {
    let (maps, bytes) = headline::garbage(report)?;
    let (who, what) = if maps == 1 { ("holds", "it") } else { ("hold", "them") };
    Some(format!(
        "Besides, {} that nothing refers to {who} {}: the next collection frees {what}.",
        human::plural(maps, "map"),
        human::bytes(bytes)
    ))
}

/// How many of the largest maps hold most of what all do, up to [`MOST`], and how much that is.
fn holding_most(report: &Report) -> (u64, Bytes) {
    let mut sizes: Vec<Bytes> =
        report.maps.iter().filter(|map| phrases::is_held(map)).filter_map(size).collect();
    sizes.sort_unstable();
    let all = headline::all_maps(report).unwrap_or_default();
    let (mut maps, mut bytes) = (0, Bytes(0));
    for size in sizes.into_iter().rev().take(MOST) {
        (maps, bytes) = (maps + 1, bytes + size);
        if thousandths(bytes, all) >= NEARLY_ALL {
            break;
        }
    }
    (maps, bytes)
}

fn thousandths(part: Bytes, whole: Bytes) -> u128 {
    (u128::from(part.0) * 1000).checked_div(u128::from(whole.0)).unwrap_or(1000)
}

/// Maps that live and that something leads to, as far as is known.
fn living(report: &Report) -> u64 {
    let listed = report.maps.iter().filter(|map| phrases::is_held(map)).count() as u64;
    let folded = report.populations.iter().filter(|row| row.reachable != Some(false)).map(|row| row.alive);
    folded.fold(listed, u64::saturating_add)
}

/// What all of them would need; `None` where that is not known of one.
fn rebuilt(report: &Report) -> Option<Bytes> {
    let listed = report.maps.iter().filter(|map| phrases::is_held(map)).map(|map| map.bytes.needed);
    let folded = report.populations.iter().filter(|row| row.reachable != Some(false));
    let mut needed = listed.chain(folded.map(|row| row.bytes.needed));
    needed.try_fold(Bytes(0), |sum, needed| Some(sum + needed?))
}

fn size(map: &Map) -> Option<Bytes> {
    headline::held(map).map(Held::bytes)
}

/// `, RSS is 618.0 MiB`: what is allocated need not be in RAM, so it is no share of it.
fn against_rss(bytes: Bytes, memory: &Memory) -> String {
    match memory.rss.last {
        None => String::new(),
        Some(rss) if bytes > rss => {
            format!(", more than RSS ({}): not all of it is in RAM", human::bytes(rss))
        }
        Some(rss) => format!(" with RSS at {}", human::bytes(rss)),
    }
}

/// `4.0 %`.
fn fullness(map: &Map) -> Option<String> {
    let (live, capacity) = (map.live?, map.capacity.filter(|capacity| *capacity > 0)?);
    Some(human::share(live, capacity))
}
