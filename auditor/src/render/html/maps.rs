//! The table of maps, those too small for it, and those that wait for the collector.

use maud::{Markup, PreEscaped, html};

use super::Part;
use super::ladder::tenths;
use super::pages;
use super::table::{WIDE, class, head, speaking, table as plain_table};
use crate::audit::report::{Map, Population, Report};
use crate::audit::unit::Bytes;
use crate::render::columns::populations::POPULATIONS;
use crate::render::columns::{Cell, Column, Side, maps as columns};
use crate::render::text::maps;
use crate::render::{headline, human};

/// Maps that are listed: more make no page that anybody reads.
const MOST: usize = 2_000;
/// Kinds of small maps, and types that wait, that are listed.
const KINDS: usize = 200;

/// The maps, largest first, those that wait for the collector and dropped ones too.
pub(super) fn table(report: &Report) -> Option<Part> {
    let all = report.maps.len();
    let (shown, rest) = report.maps.split_at(all.min(MOST));
    let columns = speaking(columns::MAPS, report);
    let body = html! {
        @if shown.is_empty() { p { "none listed" } } @else {
            p.tools hidden {
                label for="search" { "Search " } input #search type="search" autocomplete="off" placeholder="name, type, owner, state";
                output #found for="search" {}
            }
            (sides(&columns))
            div.scroll { table #maps {
                caption { "Largest first. A name leads to the map's page, a heading says what feeds its column" }
                (head(&columns))
                tbody { @for (number, map) in shown.iter().enumerate() { (row(number, map, &columns, report)) } }
            } }
            script #order type="application/json" { (PreEscaped(order(shown, &columns))) }
        }
        @if !rest.is_empty() { p.q { (left_out(rest)) } }
    };
    let title = format!("Maps ({}, largest first)", human::count(all as u64));
    Some(Part { id: "maps-part", title, short: "Maps", body })
}

/// One map. Written by hand: end tags may be left out, and there are thousands of rows.
fn row(number: usize, map: &Map, columns: &[&'static Column<Map>], report: &Report) -> Markup {
    let figures = columns.iter().skip(1).map(|column| figure(&(column.cell)(map, report, WIDE), column.side));
    PreEscaped(format!(
        "<tr><th scope=row>{}{}\n",
        name(number, map).into_string(),
        figures.collect::<String>()
    ))
}

/// A map's name; the address is a column of its own.
fn name(number: usize, map: &Map) -> Markup {
    let name = columns::label(map, WIDE);
    html! { @if pages::has_page(number) { a href={ "#m" (number) } { (name) } } @else { (name) } }
}

fn figure(it: &Cell, side: Side) -> String {
    let class = class(it.tone).map_or_else(String::new, |class| format!(" class={class}"));
    let full = it.permille.filter(|_| side == Side::Bar);
    let full =
        full.map_or_else(String::new, |permille| format!(" style=--f:{}%", tenths(permille.min(1000))));
    format!("<td{class}{full}>{}", html! { (it.text) }.into_string())
}

/// To which side each column is set, once for all rows.
fn sides(columns: &[&'static Column<Map>]) -> Markup {
    let numbers = (1..).zip(columns).filter(|(_, column)| matches!(column.side, Side::Right | Side::Bar));
    let cells: Vec<String> = numbers.map(|(at, _)| format!("#maps td:nth-child({at})")).collect();
    html! { @if !cells.is_empty() { style { (PreEscaped(cells.join(","))) "{text-align:right}" } } }
}

/// For the script: what each column is sorted by, a list of numbers; `null`: by its text.
fn order(maps: &[Map], columns: &[&'static Column<Map>]) -> String {
    let key = |key: Option<u64>| key.map_or_else(|| "null".to_owned(), |key| key.to_string());
    let list = |sort: fn(&Map) -> Option<u64>| {
        let keys: Vec<String> = maps.iter().map(|map| key(sort(map))).collect();
        format!("[{}]", keys.join(","))
    };
    let lists: Vec<String> =
        columns.iter().map(|column| column.sort.map_or_else(|| "null".to_owned(), list)).collect();
    format!("[{}]", lists.join(","))
}

fn left_out(rest: &[Map]) -> String {
    let held = rest.iter().filter(|map| map.died.is_none()).filter_map(headline::held);
    let held = held.fold(Bytes(0), |sum, held| sum + held.bytes());
    let maps = human::plural(rest.len() as u64, "more map");
    format!("and {maps}, not on this page; those alive hold {}", human::bytes(held))
}

/// The small ones, added up.
pub(super) fn populations(report: &Report) -> Option<Part> {
    let rows: Vec<&Population> =
        report.populations.iter().filter(|row| row.reachable != Some(false)).collect();
    if rows.is_empty() {
        return None;
    }
    let alive = rows.iter().fold(0, |sum: u64, row| sum.saturating_add(row.alive));
    let held = rows.iter().fold(Bytes(0), |sum, row| sum + row.bytes.allocated);
    let more = rows.len().saturating_sub(KINDS);
    let body = html! {
        (plain_table("Maps that are not listed one by one, by type", POPULATIONS, rows.iter().copied().take(KINDS), report))
        @if more > 0 { p.q { "and " (human::plural(more as u64, "more kind")) } }
    };
    let title = format!("Small maps ({} alive, {}), by type", human::count(alive), human::bytes(held));
    Some(Part { id: "small", title, short: "Small maps", body })
}

/// Those that wait for the collector, by type.
pub(super) fn garbage(report: &Report) -> Option<Part> {
    let (number, bytes) = headline::garbage(report)?;
    let types = maps::waiting(report);
    let more = types.len().saturating_sub(KINDS);
    let body = html! {
        div.scroll { table {
            caption { "By type" }
            thead { tr { th scope="col" { "type" } th.n scope="col" { "maps" } th.n scope="col" { "bytes" } } }
            tbody { @for (name, (number, bytes)) in types.iter().take(KINDS) { tr {
                th scope="row" { (name) } td.n { (human::count(*number)) } td.n { (human::bytes(*bytes)) }
            } } }
        } }
        @if more > 0 { p.q { "and " (human::plural(more as u64, "more type")) } }
    };
    let title = format!(
        "Waiting for the collector ({}, {}): nothing refers to them",
        human::plural(number, "map"),
        human::bytes(bytes)
    );
    Some(Part { id: "garbage", title, short: "Waiting", body })
}
