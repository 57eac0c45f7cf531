//! The table of maps, those too small for it, and those that wait for the collector.

use maud::{Markup, PreEscaped, html};
use serde::{Serialize, Serializer};

use super::data::Island;
use super::ladder::tenths;
use super::table::{WIDE, class, head, speaking, table as plain_table};
use super::{Part, pages};
use crate::audit::report::{Map, Population, Report};
use crate::audit::unit::Bytes;
use crate::render::columns::populations::POPULATIONS;
use crate::render::columns::{Cell, Column, Side, maps as columns, members};
use crate::render::style::Tone;
use crate::render::text::maps;
use crate::render::{escape, headline, human, json};

/// Rows that stand in the page, for those without a script too: so many are read, and a browser lays them out in a
/// moment. The script draws more of them when they are searched, sorted or asked for.
const STANDING: usize = 200;
/// Bytes of rows from which on they are compressed.
const PLAIN: usize = 32 << 10;
/// Maps that are listed at all.
const MOST: usize = 10_000;
/// Kinds of small maps, and types that wait, that are listed.
const KINDS: usize = 200;

/// The maps, largest first, those that wait for the collector and dropped ones too.
pub(super) fn table(report: &Report) -> Option<Part> {
    let all = report.maps.len();
    let (listed, beyond) = report.maps.split_at(all.min(MOST));
    let (standing, rest) = listed.split_at(listed.len().min(STANDING));
    let columns = speaking(columns::MAPS, report);
    let body = html! {
        @if listed.is_empty() { p { "none listed" } } @else {
            p.tools hidden {
                label for="search" { "Search " } input #search type="search" autocomplete="off" placeholder="name, type, owner, state";
                output #found for="search" {}
            }
            (set(&columns, standing, report))
            div.scroll.rows tabindex="0" role="region" aria-labelledby="maps-part-title" { table #maps {
                caption { "A name leads to the map's page, a heading says what feeds its column" }
                (head(&columns))
                tbody { @for (number, map) in standing.iter().enumerate() { (row(number, map, &columns, report)) } }
            } }
            @if !rest.is_empty() {
                p.tools hidden {
                    button type="button" id="more" { "Show " (human::count(STANDING as u64)) " more" } " "
                    button type="button" id="every" { "Show all" } " "
                    output #drawn {}
                }
                p.q #rest { (left_out(rest, "which only a script lists here")) }
            }
            (rows(listed, rest, &columns, report).element("rows"))
        }
        @if !beyond.is_empty() { p.q { (left_out(beyond, "not on this page")) } }
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

/// How each column is set, once for all rows: figures to the right; words take as many lines as they need, and no
/// more room than the longest of them.
fn set(columns: &[&'static Column<Map>], standing: &[Map], report: &Report) -> Markup {
    let places = || (1..).zip(columns);
    let figures = places().skip(1).filter(|(_, column)| matches!(column.side, Side::Right | Side::Bar));
    let figures: Vec<String> = figures.map(|(at, _)| format!(".rows td:nth-child({at})")).collect();
    let text = |at: usize, column: &Column<Map>, map: &Map| match at {
        1 => columns::label(map, WIDE),
        _ => (column.cell)(map, report, WIDE).text,
    };
    let words = places().filter(|(_, column)| column.side == Side::Stretch).map(|(at, column)| {
        let longest = standing.iter().map(|map| escape::width(&text(at, column, map))).max().unwrap_or(0);
        format!(
            ".rows tr>:nth-child({at}){{white-space:normal;overflow-wrap:anywhere;min-width:min(12rem,{longest}ch + 1rem)}}"
        )
    });
    html! { style {
        @if !figures.is_empty() { (figures.join(",")) "{text-align:right}" }
        (PreEscaped(words.collect::<String>()))
    } }
}

/// For the script: all that it needs to draw any row.
#[derive(Serialize)]
struct Rows<Order, Rest> {
    /// What each column is sorted by, numbers; `null`: by its text.
    order: Order,
    /// The rows that do not stand in the page.
    rest: Rest,
}

/// A list whose items are made while it is written: there are as many as cells.
struct Each<Make>(Make);

impl<Make: Fn() -> Items, Items: IntoIterator<Item: Serialize>> Serialize for Each<Make> {
    fn serialize<To: Serializer>(&self, serializer: To) -> Result<To::Ok, To::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// A cell: its text; or that, its class, and how full its bar is, in percent.
#[derive(Serialize)]
#[serde(untagged)]
enum Word {
    Plain(String),
    Toned(String, &'static str, Option<String>),
}

fn rows(maps: &[Map], rest: &[Map], columns: &[&'static Column<Map>], report: &Report) -> Island {
    let cell = |map: &Map, column: &'static Column<Map>| match (column.cell)(map, report, WIDE) {
        Cell { text, tone: Tone::Normal, permille: None } => Word::Plain(text),
        Cell { text, tone, permille } => {
            let full = permille.filter(|_| column.side == Side::Bar).map(|full| tenths(full.min(1000)));
            Word::Toned(text, class(tone).unwrap_or_default(), full)
        }
    };
    let row = |map: &Map| -> Vec<Word> {
        let name = Word::Plain(columns::label(map, WIDE));
        [name].into_iter().chain(columns.iter().skip(1).map(|column| cell(map, column))).collect()
    };
    let keys = |sort: fn(&Map) -> Option<u64>| Each(move || maps.iter().map(sort));
    let order = Each(|| columns.iter().map(|column| column.sort.map(keys)));
    let rows = Rows { order, rest: Each(|| rest.iter().map(row)) };
    Island::of(PLAIN, |out| json::one_line(&rows, out))
}

fn left_out(rest: &[Map], why: &str) -> String {
    let held = rest.iter().filter(|map| map.died.is_none()).filter_map(headline::held);
    let held = held.fold(Bytes(0), |sum, held| sum + held.bytes());
    let maps = human::plural(rest.len() as u64, "more map");
    format!("and {maps}, {why}; those alive hold {}", human::bytes(held))
}

/// The processes of a family.
pub(super) fn members(report: &Report) -> Option<Part> {
    let rows = members::largest_first(report);
    if rows.is_empty() {
        return None;
    }
    let about = "What they share is divided among them: over all, the parts are the family's RSS";
    let body = plain_table(about, members::MEMBERS, rows.into_iter(), report);
    Some(Part { id: "members", title: members::heading(report), short: "Members", body })
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
