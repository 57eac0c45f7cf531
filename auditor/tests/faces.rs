//! Golden tests of every face of a report: each format, and the screen at three sizes, drawn from
//! reports made by hand (`data/faces/samples.rs`). Review a changed snapshot as you would review a
//! changed page: by reading it.

#[path = "data/faces/samples.rs"]
mod samples;

use auditor::audit::report::Report;
use auditor::render::style::Style;
use auditor::render::{FORMATS, Format, escape, render, render_styled, text};

/// What a format makes of a report.
fn rendered(report: &Report, format: Format) -> String {
    let mut out = Vec::new();
    render(report, format, &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("formats are UTF-8")
}

/// One interval's block.
fn interval(now: &Report, before: Option<&Report>) -> String {
    let mut out = Vec::new();
    text::interval(now, before, Style::Plain, &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("formats are UTF-8")
}

/// Compares with `data/faces/NAME.snap`.
fn golden(name: &str, face: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("data/faces");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, face));
}

fn assert_harmless(face: &str) {
    let obeyed = face.chars().find(|letter| {
        !(matches!(letter, '\n' | ' '..='~' | '─'..='▟' | '▲') || escape::is_harmless(*letter))
    });
    assert_eq!(obeyed, None, "a terminal would obey {obeyed:?}");
}

#[test]
fn every_format_of_a_rich_report_is_as_reviewed() {
    for row in FORMATS {
        golden(&format!("rich.{}", row.name), &rendered(&samples::rich(), row.format));
    }
}

#[test]
fn every_format_of_an_empty_report_is_as_reviewed() {
    for row in FORMATS {
        golden(&format!("empty.{}", row.name), &rendered(&samples::empty(), row.format));
    }
}

#[test]
fn the_text_of_a_hostile_report_is_as_reviewed() {
    golden("hostile.text", &rendered(&samples::hostile(), Format::Text));
}

#[test]
fn an_interval_is_as_reviewed() {
    let mut before = samples::rich();
    before.memory.rss.last = before.memory.rss.first;
    before.events.grow = Some(29);
    before.maps.remove(1);
    golden("rich.interval", &interval(&samples::rich(), Some(&before)));
    golden("first.interval", &interval(&samples::empty(), None));
}

#[test]
fn no_format_lets_a_terminal_be_driven() {
    for row in FORMATS {
        assert_harmless(&rendered(&samples::hostile(), row.format));
    }
    assert_harmless(&interval(&samples::hostile(), Some(&samples::hostile())));
}

#[test]
fn text_fits_a_hundred_columns_whatever_the_target_is_called() {
    for report in [samples::rich(), samples::empty(), samples::hostile()] {
        for face in [rendered(&report, Format::Text), interval(&report, None)] {
            let widest = face.lines().max_by_key(|line| escape::width(line)).unwrap_or_default();
            assert!(escape::width(widest) <= 100, "{widest}");
        }
    }
}

#[test]
fn a_hostile_target_cannot_fill_the_page() {
    assert!(rendered(&samples::hostile(), Format::Text).lines().count() < 300);
}

#[test]
fn json_reads_back_as_the_same_report() {
    for report in [samples::rich(), samples::empty(), samples::hostile()] {
        for format in [Format::Json, Format::Ndjson] {
            let read: Report = serde_json::from_str(&rendered(&report, format)).expect("it is JSON");
            assert_eq!(read, report);
        }
    }
}

#[test]
fn json_of_an_honest_target_is_byte_for_byte_what_serde_writes() {
    let report = samples::rich();
    let pretty = serde_json::to_string_pretty(&report).expect("a report is plain data");
    let line = serde_json::to_string(&report).expect("a report is plain data");
    assert_eq!(rendered(&report, Format::Json), pretty + "\n");
    assert_eq!(rendered(&report, Format::Ndjson), line + "\n");
}

#[test]
fn colour_adds_escapes_and_changes_nothing_else() {
    let mut coloured = Vec::new();
    render_styled(&samples::rich(), Format::Text, Style::Colour, &mut coloured)
        .expect("a vector takes everything");
    let coloured = String::from_utf8(coloured).expect("formats are UTF-8");
    let mut plain = String::new();
    for (index, piece) in coloured.split('\u{1b}').enumerate() {
        let text = if index == 0 { piece } else { piece.split_once('m').expect("a colour ends with m").1 };
        plain.push_str(text);
    }
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(trimmed(&plain), rendered(&samples::rich(), Format::Text));
}

/// Colours keep the spaces before the end of a line.
fn trimmed(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
