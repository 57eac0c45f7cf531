//! Who writes one map.

use super::page::Page;
use crate::audit::report::{Report, Writer, Writers};
use crate::render::style::Tone;
use crate::render::{escape, human};

/// Writers that are listed.
const WRITERS: usize = 5;
/// Frames of a site: the function that writes, and who called it.
const FRAMES: usize = 2;
/// Cells of one frame, and of a reason.
const FRAME: usize = 70;
const REASON: usize = 160;

/// What cannot be told.
pub(in crate::render) const LIMITS: &str = "only where a write begins is seen: that two overlap is not known";

/// Those who wrote, where somebody asked.
pub(super) fn writers(report: &Report, page: &mut Page) {
    let Some(writers) = &report.writers else { return };
    page.heading(&format!("Who writes the map at {}", writers.map));
    page.indented(Tone::Normal, &summary(writers));
    if let Some(reason) = &writers.cut_short {
        page.indented(Tone::Warn, &format!("ended early: {}", escape::visible(reason, REASON)));
    }
    for writer in writers.by.iter().take(WRITERS) {
        page.indented(Tone::Normal, &wrote(writer));
        if !writer.site.is_empty() {
            page.labelled("", Tone::Quiet, &place(writer));
        }
    }
    let more = writers.by.len().saturating_sub(WRITERS);
    if more > 0 {
        page.indented(Tone::Quiet, &format!("and {}", human::plural(more as u64, "more writer")));
    }
    page.indented(Tone::Quiet, LIMITS);
}

/// How many writes, by how many, and how often they took turns.
pub(in crate::render) fn summary(writers: &Writers) -> String {
    let span = human::span(writers.end.since(writers.start));
    let writes = human::plural(writers.writes, "write");
    let by = match writers.goroutines {
        Some(number) => human::plural(number, "goroutine"),
        None => "goroutines that were not all told apart".to_owned(),
    };
    format!(
        "{writes} in {span} by {by}; {} from another one than the one before",
        human::count(writers.turns)
    )
}

/// How often one of them wrote.
pub(in crate::render) fn wrote(writer: &Writer) -> String {
    let name = writer.goroutine.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let writes = human::plural(writer.writes, "write");
    format!("goroutine {name}: {writes} on {}", human::plural(u64::from(writer.threads), "thread"))
}

/// The function that writes, from the one that called it.
pub(in crate::render) fn place(writer: &Writer) -> String {
    let frames: Vec<String> =
        writer.site.iter().take(FRAMES).map(|frame| escape::visible(frame, FRAME)).collect();
    frames.join(" from ")
}
