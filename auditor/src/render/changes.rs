//! Why RSS moved, in sentences.

use super::columns::maps;
use super::{escape, human};
use crate::audit::report::{Change, Changes, Lag, Part, Report};
use crate::audit::unit::{Bytes, Nanos};

/// Parts of one change that are named.
const PARTS: usize = 4;
/// Cells of a part's name.
const NAME: usize = 48;

/// How much of what RSS moved is explained, in one sentence.
#[must_use]
pub fn explained(changes: &Changes) -> String {
    let one = |all: Bytes, rest: Bytes, verb: &str| {
        let share = human::share(all.less(rest).0, all.0);
        (all > Bytes(0)).then(|| format!("of {} that it {verb}, {share} is explained", human::bytes(all)))
    };
    let rises = one(changes.rose, changes.rose_unexplained, "rose");
    let falls = one(changes.fell, changes.fell_unexplained, "fell");
    let sentences: Vec<String> = [rises, falls].into_iter().flatten().collect();
    if sentences.is_empty() { "it did not".to_owned() } else { sentences.join("; ") }
}

/// `+118.2 MiB in 3.2 s: sessions +110.0 MiB (3 growths), stacks +4.0 MiB, not explained +1.5 MiB`.
#[must_use]
pub fn change(report: &Report, change: &Change) -> String {
    let took = human::span(change.end.since(change.start));
    let mut parts: Vec<String> = change
        .parts
        .iter()
        .take(PARTS)
        .filter(|part| is_worth_a_word(part.bytes, change.rss))
        .map(|part| named(report, part, change.end))
        .collect();
    if is_worth_a_word(change.unexplained, change.rss) {
        parts.push(format!("not explained {}", human::change(change.unexplained)));
    }
    let cycles = change.cycles.filter(|cycles| *cycles > 0);
    let cycles = cycles.map_or_else(String::new, |cycles| {
        format!("; {} of the collector ended meanwhile", human::plural(cycles, "cycle"))
    });
    let what = if parts.is_empty() { "many small parts".to_owned() } else { parts.join(", ") };
    format!("{} in {took}: {what}{cycles}", human::change(change.rss))
}

/// `growth -> mmap: 12 times, median 12 us, longest 3.1 ms`.
#[must_use]
pub fn lag(lag: &Lag) -> String {
    let p99 = lag.p99.map_or_else(String::new, |p99| format!(", p99 {}", human::span(p99)));
    format!(
        "{} -> {}: {}, median {}{p99}, longest {}",
        escape::visible(&lag.from, NAME),
        escape::visible(&lag.to, NAME),
        human::plural(lag.count, "time"),
        human::span(lag.median),
        human::span(lag.max)
    )
}

/// From a hundredth of the whole on.
fn is_worth_a_word(bytes: i64, of: i64) -> bool {
    bytes != 0 && bytes.unsigned_abs() >= of.unsigned_abs() / 100
}

/// A map by its name; its address where the report does not list it.
fn named(report: &Report, part: &Part, at: Nanos) -> String {
    let bytes = human::change(part.bytes);
    let Some(address) = part.map else { return format!("{} {bytes}", escape::visible(&part.name, NAME)) };
    let map = maps::at(report, (None, address), at);
    let name = map.map_or_else(|| address.to_string(), |map| maps::label(map, NAME));
    match part.growths.filter(|growths| *growths > 0) {
        Some(growths) => format!("{name} {bytes} ({})", human::plural(growths, "growth")),
        None => format!("{name} {bytes}"),
    }
}
