//! Tables of the columns that all faces share, and the way from a map's name to its page.

use maud::{Markup, PreEscaped, html};

use super::pages;
use crate::audit::report::{Place, Report};
use crate::audit::unit::Nanos;
use crate::render::columns::{Cell, Column, Side, maps};
use crate::render::details::Line;
use crate::render::style::Tone;

/// Cells of a stretching column.
pub(super) const WIDE: usize = 64;

/// The class of a tone; `None`: nothing special.
pub(super) const fn class(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Normal => None,
        Tone::Heading => Some("h"),
        Tone::Quiet => Some("q"),
        Tone::Good => Some("g"),
        Tone::Warn => Some("w"),
        Tone::Bad => Some("b"),
    }
}

/// The columns that have something to say.
pub(super) fn speaking<Row>(columns: &'static [Column<Row>], report: &Report) -> Vec<&'static Column<Row>> {
    columns.iter().filter(|column| (column.speaks)(report)).collect()
}

/// A table of these columns; the first cell names its row.
pub(super) fn table<'a, Row: 'static>(
    caption: &str,
    columns: &'static [Column<Row>],
    rows: impl Iterator<Item = &'a Row>,
    report: &Report,
) -> Markup {
    let columns = speaking(columns, report);
    html! {
        div.scroll { table {
            caption { (caption) }
            (head(&columns))
            tbody { @for row in rows { tr {
                @for (number, column) in columns.iter().enumerate() {
                    (cell(&(column.cell)(row, report, WIDE), column.side, number == 0))
                }
            } } }
        } }
    }
}

/// Their headings.
pub(super) fn head<Row>(columns: &[&'static Column<Row>]) -> Markup {
    html! {
        thead { tr { @for column in columns {
            th scope="col" title=(column.help) class=[side(column.side)] { (column.title) }
        } } }
    }
}

/// One cell.
pub(super) fn cell(cell: &Cell, to: Side, names_row: bool) -> Markup {
    let class = match (side(to), class(cell.tone)) {
        (None, tone) => tone.map(str::to_owned),
        (Some(side), None) => Some(side.to_owned()),
        (Some(side), Some(tone)) => Some(format!("{side} {tone}")),
    };
    html! {
        @if names_row { th scope="row" class=[class] { (cell.text) } } @else { td class=[class] { (cell.text) } }
    }
}

const fn side(side: Side) -> Option<&'static str> {
    match side {
        Side::Left | Side::Stretch => None,
        Side::Right | Side::Bar => Some("n"),
    }
}

/// A row with these attributes, without the end tags that HTML lets go: some tables have thousands of rows. The
/// first cell names it.
pub(super) fn short_row(attributes: &str, cells: &[Markup]) -> Markup {
    let cells = cells.iter().map(|cell| cell.0.as_str()).collect::<Vec<_>>().join("<td>");
    PreEscaped(format!("<tr{attributes}><th scope=row>{cells}\n"))
}

/// Labelled sentences; an empty label goes on with the one before.
pub(super) fn lines(lines: &[Line]) -> Markup {
    html! {
        dl.lines { @for group in lines.chunk_by(|_, next| next.label.is_empty()) {
            dt { (group[0].label) }
            @for line in group { dd class=[class(line.tone)] { (line.text) } }
        } }
    }
}

/// A map by its name, with the way to its page where it has one.
pub(super) fn linked(report: &Report, place: Place, at: Nanos) -> Markup {
    /// Cells of a name.
    const NAME: usize = 60;
    let Some(map) = maps::at(report, place, at) else { return html! { (place.1) } };
    let name = maps::label(map, NAME);
    let number = report.maps.iter().position(|other| std::ptr::eq(other, map));
    match number.filter(|number| pages::has_page(*number)) {
        Some(number) => html! { a href={ "#m" (number) } { (name) } },
        None => html! { (name) },
    }
}
