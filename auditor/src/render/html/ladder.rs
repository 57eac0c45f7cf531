//! What RSS is made of: the ladder, with the colours that the timeline has, too.

use maud::{Markup, html};

use super::Part;
use super::table::class;
use crate::audit::report::{Report, Rung};
use crate::audit::unit::Bytes;
use crate::render::text::memory;
use crate::render::{escape, human};

/// Rows that are told; the ladder has fewer.
const MOST: usize = 40;
/// Cells of a name.
const NAME: usize = 40;

/// RSS, row by row.
pub(super) fn ladder(report: &Report) -> Option<Part> {
    let memory = &report.memory;
    let rows = || memory.ladder.iter().take(MOST);
    let total = memory.rss.last.unwrap_or_else(|| rows().fold(Bytes(0), |sum, rung| sum + rung.bytes));
    let body = html! {
        @if memory.ladder.is_empty() { p { "not broken down" } } @else {
            div.scroll { table.ladder {
                caption { "RSS at the end, row by row; the rows add up to it" }
                thead { tr {
                    th scope="col" { "row" } th.n scope="col" { "bytes" } th.n scope="col" { "of RSS" }
                    th scope="col" { "known by" } th.bar scope="col" aria-label="share, drawn" {}
                } }
                tbody { @for rung in rows() { (row(rung, total)) } }
                tfoot { tr {
                    th scope="row" { "= RSS" } td.n { (human::known(memory.rss.last, human::bytes)) }
                    td.n { (human::share(total.0, total.0)) } td {} td {}
                } }
            } }
        }
        @for (tone, sentence) in memory::besides(report) { p class=[class(tone)] { (sentence) } }
    };
    Some(Part { id: "ladder", title: "What RSS is made of".to_owned(), short: "Made of", body })
}

fn row(rung: &Rung, total: Bytes) -> Markup {
    let permille = human::permille(rung.bytes.0, total.0).unwrap_or(0).min(1000);
    html! {
        tr {
            th scope="row" { span.key.(colour(&rung.name)) {} (escape::visible(&rung.name, NAME)) }
            td.n { (human::bytes(rung.bytes)) }
            td.n { (human::share(rung.bytes.0, total.0)) }
            td.q { (escape::visible(&rung.evidence, NAME)) }
            td.bar { span.(colour(&rung.name)) style={ "width:" (tenths(permille)) "%" } {} }
        }
    }
}

/// `43.2` for 432.
pub(super) fn tenths(permille: u64) -> String {
    format!("{}.{}", permille / 10, permille % 10)
}

/// The class of a row's colour: maps are blue and orange, a managed heap is green, what is not known is grey.
pub(super) fn colour(row: &str) -> &'static str {
    match row {
        "file pages" => "c-file",
        "shared memory" => "c-shared",
        "current tables" => "c-tables",
        "old tables" => "c-old",
        "overflow and directories" => "c-overflow",
        "entries behind tables" => "c-entries",
        "maps not asked for" => "c-unasked",
        "maps that nothing refers to" => "c-garbage",
        "small maps" => "c-small",
        "other heap in use" => "c-heap",
        "heap free and kept" => "c-free",
        "allocator's memory ([heap])" => "c-allocator",
        "lazily freed" => "c-lazy",
        "unexplained" => "c-unexplained",
        _ => "c-rest",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::ladder::ROWS;

    #[test]
    fn every_row_that_may_be_large_has_a_colour_of_its_own() {
        let plain: Vec<&str> = ROWS.into_iter().filter(|row| colour(row) == "c-rest").collect();
        let small =
            ["main thread's stack", "data of program and libraries", "runtime's own memory", "stacks"];
        assert_eq!(plain, small);
    }
}
