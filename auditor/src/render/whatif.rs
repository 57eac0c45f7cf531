//! What would become of one map: a table with a line a remedy, and a sentence for each below it.

use std::io::{self, Write};

use super::style::{Paper, Tone};
use super::{Format, escape, human, json, wrap};
use crate::audit::unit::Bytes;
use crate::audit::whatif::{Plan, Remedy, Subject, Traffic, WhatIf};

/// Widths of the columns before the notes. With a gap of two between them and [`NOTE`] they are 80.
const WIDTHS: [usize; 5] = [14, 11, 10, 10, 8];
const TITLES: [[&str; 5]; 2] =
    [["", "", "needs", "holds", "growths"], ["remedy", "frees", "meanwhile", "after", "avoided"]];
/// Cells of a note.
const NOTE: usize = 17;
const GAP: &str = "  ";
/// Cells for a name or a type, and for a reason.
const NAME: usize = 48;
const REASON: usize = 400;
/// By how much a sentence is moved in after its first line.
const INDENT: usize = 2;

/// Writes the answers; on this paper, where they are for people.
///
/// # Errors
/// Those of `out`; and that the format is one of reports alone.
pub fn render(answers: &WhatIf, format: Format, paper: Paper, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => out.write_all(text(answers, paper).as_bytes()),
        Format::Json => json::many_lines(answers, out),
        Format::Ndjson => json::one_line(answers, out),
        other => {
            let words = format!("{} is a format of reports, and these are answers", other.row().name);
            Err(io::Error::new(io::ErrorKind::InvalidInput, words))
        }
    }
}

fn text(answers: &WhatIf, paper: Paper) -> String {
    let mut page = String::new();
    for line in wrap::wrap(&opening(answers), paper.columns()) {
        page += &format!("{}\n", paper.style.paint(Tone::Heading, &line));
    }
    page.push('\n');
    for titles in TITLES {
        let note = if titles[0].is_empty() { "" } else { "note" };
        let line = escape::clip(&row(titles.map(str::to_owned), note), paper.columns());
        page += &format!("{}\n", paper.style.paint(Tone::Quiet, &line));
    }
    for remedy in &answers.remedies {
        page += &format!("{}\n", escape::clip(&row(cells(remedy), &note(remedy)), paper.columns()));
    }
    page.push('\n');
    let rows = &answers.remedies;
    let answered = rows.iter().filter(|row| row.unanswered.is_none());
    let told = answered.map(|row| format!("{}: {}", name(&row.plan), told(&row.plan)));
    let conditions = by_reason(rows, |row| row.condition.as_deref());
    let conditions =
        conditions.into_iter().map(|(who, what)| format!("~ {who}: an estimate; it holds where {what}."));
    let silent = by_reason(rows, |row| row.unanswered.as_deref());
    let silent = silent.into_iter().map(|(who, why)| format!("{who}: not answered: {why}."));
    for sentence in told.chain(conditions).chain(silent).chain(closing(answers)) {
        page += &paragraph(&sentence, paper.columns());
    }
    page
}

/// The names of the rows that have one reason, with it, in the order of the rows.
fn by_reason<'a>(rows: &'a [Remedy], of: impl Fn(&'a Remedy) -> Option<&'a str>) -> Vec<(String, String)> {
    let mut reasons: Vec<(String, String)> = Vec::new();
    for (row, reason) in rows.iter().filter_map(|row| Some((row, of(row)?))) {
        let reason = escape::visible(reason, REASON);
        match reasons.iter_mut().find(|(_, known)| *known == reason) {
            Some((names, _)) => *names += &format!(", {}", name(&row.plan)),
            None => reasons.push((name(&row.plan), reason)),
        }
    }
    reasons
}

/// Which map, and what it is like now.
fn opening(answers: &WhatIf) -> String {
    let Subject { address, live, capacity, bytes, .. } = &answers.map;
    let map = &answers.map;
    let texts = [&map.name, &map.owner, &map.type_name].into_iter().flatten();
    let called =
        texts.into_iter().find(|text| !text.is_empty()).map(|text| escape::visible_middle(text, NAME));
    let called = called.map_or_else(|| address.to_string(), |called| format!("{called} ({address})"));
    let process = format!("{} ({})", escape::visible(&answers.target.comm, NAME), answers.target.pid.0);
    let entries = match (live, capacity) {
        (Some(live), Some(slots)) => {
            format!("{} of {} slots taken", human::count(*live), human::count(*slots))
        }
        _ => "its entries were not read".to_owned(),
    };
    let held = match (bytes.allocated, bytes.resident) {
        (Some(allocated), Some(resident)) => {
            format!("{} allocated, {} of it in RAM", human::bytes(allocated), human::bytes(resident))
        }
        (Some(allocated), None) => format!("{} allocated", human::bytes(allocated)),
        (None, _) => "its bytes are not known".to_owned(),
    };
    format!("What if: {called} of {process}. Now {entries}; {held}.")
}

fn cells(remedy: &Remedy) -> [String; 5] {
    [
        name(&remedy.plan),
        frees(remedy),
        size(remedy, remedy.needs_meanwhile),
        size(remedy, remedy.holds),
        human::known(remedy.growths_avoided, |growths| marked(remedy, human::short(growths))),
    ]
}

fn row(cells: [String; 5], note: &str) -> String {
    let mut line = String::new();
    for (number, (cell, width)) in cells.iter().zip(WIDTHS).enumerate() {
        let room = " ".repeat(width.saturating_sub(escape::width(cell)));
        // Names stand at the left, numbers at the right.
        line += &if number == 0 { format!("{cell}{room}") } else { format!("{GAP}{room}{cell}") };
    }
    format!("{line}{GAP}{}", escape::clip(note, NOTE)).trim_end().to_owned()
}

/// What a line is called; at most 14 cells.
fn name(plan: &Plan) -> String {
    match plan {
        Plan::Rebuild { .. } => "rebuild now".to_owned(),
        Plan::Presize { entries, .. } => format!("presize {}", human::known(*entries, human::short)),
        Plan::Shards { shards, .. } => format!("{} shards", human::short(*shards)),
        Plan::FlatArray { .. } => "flat array".to_owned(),
        Plan::HotSet { .. } => "hot keys".to_owned(),
    }
}

/// A number as an estimate, where it is one.
fn marked(remedy: &Remedy, number: String) -> String {
    if remedy.estimate { format!("~{number}") } else { number }
}

fn size(remedy: &Remedy, bytes: Option<Bytes>) -> String {
    human::known(bytes, |bytes| marked(remedy, human::bytes(bytes)))
}

fn frees(remedy: &Remedy) -> String {
    human::known(remedy.frees, |frees| {
        let sign = if frees < 0 { "-" } else { "" };
        marked(remedy, format!("{sign}{}", human::bytes(Bytes(frees.unsigned_abs()))))
    })
}

/// The one number more that a line has room for.
fn note(row: &Remedy) -> String {
    if row.unanswered.is_some() {
        return "not answered".to_owned();
    }
    match &row.plan {
        Plan::Rebuild { .. } => String::new(),
        Plan::Presize { peak_saved, .. } => peak_saved.map_or_else(String::new, |saved| {
            format!("peak {}", marked(row, format!("-{}", human::bytes(saved))))
        }),
        Plan::Shards { growth_peak, .. } => {
            growth_peak.map_or_else(String::new, |peak| format!("growth {}", human::bytes(peak)))
        }
        Plan::FlatArray { .. } => "if keys are dense".to_owned(),
        Plan::HotSet { hot, .. } => {
            hot.map_or_else(String::new, |hot| format!("~{} keys", human::short(hot)))
        }
    }
}

/// What a line means.
fn told(plan: &Plan) -> String {
    let entries = |entries: &Option<u64>| human::known(*entries, human::count);
    match plan {
        Plan::Rebuild { entries: live } => format!(
            "a new map that is made for the {} entries of now, filled from this one; both are held until this one is let go.",
            entries(live)
        ),
        Plan::Presize { entries: all, peak_growing: Some(peak), .. } => format!(
            "a map that is made for {} entries at once. Growing there from now, step by step, holds up to {}, old and new table together.",
            entries(all),
            human::bytes(*peak)
        ),
        Plan::Presize { entries: all, .. } => format!(
            "a map that is made for {} entries at once. This one has room for as many and would not grow.",
            entries(all)
        ),
        Plan::Shards { entries: all, entries_each, growth_peak, growth_peak_alone, .. } => {
            let alone = growth_peak_alone.map_or_else(String::new, |alone| {
                format!("; of a single map they are {}", human::bytes(alone))
            });
            let peaks = growth_peak.map_or_else(String::new, |one| {
                format!(" Old and new table of one that grows are {}{alone}.", human::bytes(one))
            });
            format!("maps for {} entries each, {} in all.{peaks}", entries(entries_each), entries(all))
        }
        Plan::FlatArray { slots, bitmap } => format!(
            "{} slots, each with room for a key and a value, and a bitmap of {} that says which are taken. It never grows.",
            entries(slots),
            human::known(*bitmap, human::bytes)
        ),
        Plan::HotSet { traffic, keys, hot, hot_error, array } => {
            hot_keys(*traffic, *keys, (*hot, *hot_error), *array)
        }
    }
}

fn hot_keys(
    traffic: Option<Traffic>,
    keys: Option<u64>,
    (hot, error): (Option<u64>, Option<u64>),
    array: Option<Bytes>,
) -> String {
    let requests = traffic.map_or_else(String::new, |Traffic { qps, skew, window }| {
        format!(" at {qps} requests a second with a skew of {skew} within {}", human::span(window))
    });
    let array = array.map_or_else(String::new, |array| {
        format!(" As a flat array they would take {}.", human::bytes(array))
    });
    format!(
        "a map for the keys that are asked for{requests}: {} of {}, by a sum that is at most {} off.{array}",
        human::known(hot, human::count),
        human::known(keys, human::count),
        human::known(error, human::count),
    )
}

/// What goes for all lines.
fn closing(answers: &WhatIf) -> Option<String> {
    answers.remedies.iter().find(|row| row.frees.is_some())?;
    let held = if answers.map.bytes.resident.is_some() { "in RAM" } else { "allocated" };
    Some(format!(
        "frees is what is {held} now less what is held after; - means that it takes so much more. The process lets it go; when RSS follows is its allocator's or collector's to say."
    ))
}

fn paragraph(sentence: &str, columns: usize) -> String {
    let lines = wrap::wrap(sentence, columns.saturating_sub(INDENT));
    let indented = lines.iter().enumerate().map(|(number, line)| {
        let room = if number == 0 { 0 } else { INDENT };
        format!("{}{line}\n", " ".repeat(room))
    });
    indented.collect()
}
