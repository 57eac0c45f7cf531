//! The maps: those that hold most, the small ones added up, those that wait for the collector.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::page::{Page, ROWS};
use crate::audit::report::{Map, Population, Report};
use crate::audit::unit::Bytes;
use crate::render::columns::{maps, members, populations};
use crate::render::details::{self, Depth};
use crate::render::style::Tone;
use crate::render::{escape, headline, human, phrases};

/// Maps of which everything is said.
const CLOSER: usize = 3;
/// Types that are named of what waits for the collector.
const TYPES: usize = 5;
/// Cells of such a type.
const TYPE: usize = 70;

/// The processes of a family, those that hold most first.
pub(super) fn members(report: &Report, page: &mut Page) {
    if report.members.is_empty() {
        return;
    }
    page.heading(&members::heading(report));
    let members = members::largest_first(report);
    page.table(members::MEMBERS, members.iter().copied().take(ROWS), report);
    page.and_more(members.len(), "member");
}

/// The maps that something leads to, as far as is known, and those that were dropped.
pub(super) fn table(report: &Report, page: &mut Page) {
    let maps: Vec<&Map> = report.maps.iter().filter(|map| !phrases::is_garbage(map)).collect();
    page.heading(&format!("Maps ({}, largest first)", human::count(maps.len() as u64)));
    let (shown, rest) = maps.split_at(maps.len().min(page.rows()));
    if maps.is_empty() {
        page.indented(Tone::Normal, "none listed");
    } else {
        page.table(maps::MAPS, shown.iter().copied(), report);
    }
    if !rest.is_empty() {
        let held = rest.iter().filter(|map| map.died.is_none()).filter_map(|map| headline::held(map));
        let held = held.fold(Bytes(0), |sum, held| sum + held.bytes());
        let maps = human::plural(rest.len() as u64, "more map");
        page.indented(Tone::Quiet, &format!("and {maps}; those alive hold {}", human::bytes(held)));
    }
}

/// Those that hold at least a tenth of what the largest holds.
pub(super) fn closer(report: &Report, page: &mut Page) {
    let size = |map: &Map| headline::held(map).map(|held| held.bytes().0);
    let Some((_, largest)) = headline::largest(report) else { return };
    let worth_it =
        |map: &&Map| phrases::is_held(map) && size(map).is_some_and(|size| size >= largest.bytes().0 / 10);
    for map in report.maps.iter().filter(worth_it).take(CLOSER) {
        let closer = "Closer: ";
        page.heading(&format!("{closer}{}", maps::label(map, page.room() - closer.len())));
        for line in details::lines(map, report, Depth { frames: 8, episodes: 3 }) {
            page.labelled(line.label, line.tone, &line.text);
        }
    }
}

/// The small ones, added up.
pub(super) fn populations(report: &Report, page: &mut Page) {
    let rows: Vec<&Population> =
        report.populations.iter().filter(|row| row.reachable != Some(false)).collect();
    if rows.is_empty() {
        return;
    }
    let alive = rows.iter().fold(0, |sum: u64, row| sum.saturating_add(row.alive));
    let held = rows.iter().fold(Bytes(0), |sum, row| sum + row.bytes.allocated);
    page.heading(&format!("Small maps ({} alive, {}), by type", human::count(alive), human::bytes(held)));
    page.table(populations::POPULATIONS, rows.iter().copied().take(ROWS), report);
    page.and_more(rows.len(), "kind");
}

/// Those that wait for the collector, by type.
pub(super) fn garbage(report: &Report, page: &mut Page) {
    let Some((maps, bytes)) = headline::garbage(report) else { return };
    page.heading(&format!(
        "Waiting for the collector ({}, {}): nothing refers to them",
        human::plural(maps, "map"),
        human::bytes(bytes)
    ));
    let types = waiting(report);
    for (name, (maps, bytes)) in types.iter().take(TYPES) {
        let text = format!("{:>9}  {:>7} of {}", human::bytes(*bytes), human::count(*maps), name);
        page.aligned(Tone::Normal, &text);
    }
    if types.len() > TYPES {
        let left = human::plural((types.len() - TYPES) as u64, "more type");
        page.indented(Tone::Quiet, &format!("and {left}"));
    }
}

/// How many of each type wait for the collector, and what they hold; what holds most first.
pub(in crate::render) fn waiting(report: &Report) -> Vec<(String, (u64, Bytes))> {
    let mut types: Vec<_> = by_type(report).into_iter().collect();
    types.sort_by_key(|(_, (_, bytes))| Reverse(*bytes));
    types
}

fn by_type(report: &Report) -> BTreeMap<String, (u64, Bytes)> {
    let mut types = BTreeMap::new();
    let mut add = |name: String, maps: u64, bytes| {
        let sum: &mut (u64, Bytes) = types.entry(name).or_default();
        *sum = (sum.0.saturating_add(maps), sum.1 + bytes);
    };
    for map in report.maps.iter().filter(|map| phrases::is_garbage(map)) {
        add(maps::type_of(map, TYPE), 1, map.bytes.allocated.unwrap_or_default());
    }
    for row in report.populations.iter().filter(|row| row.reachable == Some(false)) {
        add(
            row.type_name.as_deref().map_or_else(|| human::UNKNOWN.to_owned(), shown),
            row.alive,
            row.bytes.allocated,
        );
    }
    types
}

fn shown(type_name: &str) -> String {
    escape::visible_middle(type_name, TYPE)
}
