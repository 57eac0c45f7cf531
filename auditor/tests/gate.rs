//! Golden tests of gates and of differences: every face of `auditor check` and `auditor diff`, drawn from reports
//! made by hand. Review a changed snapshot by reading it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "data/faces/samples.rs"]
#[expect(dead_code, reason = "made for the tests of the faces")]
mod samples;

use auditor::audit::diff::diff;
use auditor::audit::gate::metric::METRICS;
use auditor::audit::gate::{CommandEnd, Gate, GateResult, Outcome, check};
use auditor::audit::report::{Report, Severity};
use auditor::audit::unit::{Address, Bytes};
use auditor::render::gate::Format;
use auditor::render::style::{Paper, Style};
use auditor::render::{self, escape};
use quick_xml::Reader;
use quick_xml::events::Event;

/// Compares with `data/gate/NAME.snap`.
fn golden(name: &str, face: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("data/gate");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, face));
}

fn gates(texts: &[&str]) -> Vec<Gate> {
    texts.iter().map(|text| text.parse().unwrap_or_else(|error| panic!("{error}"))).collect()
}

const FORMATS: [(&str, Format); 4] =
    [("text", Format::Text), ("json", Format::Json), ("junit", Format::Junit), ("github", Format::Github)];

fn face(outcome: &Outcome, format: Format, columns: usize) -> String {
    let mut out = Vec::new();
    render::gate::render(outcome, format, Paper::of(Style::Plain, columns), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Gates of which some hold, some do not, and of some that is not known.
fn judged() -> Outcome {
    let mut baseline = samples::rich();
    baseline.memory.rss.peak = Some(Bytes(60 << 20));
    let gates = gates(&[
        "stranded<40MiB",
        "peak_rss<=baseline+10%",
        "growths(name=\"sessions\")<=3",
        "growths(type=~\"Session\")<=3",
        "findings(severity>=warning)=0",
        "largest_map<1GiB",
        "lost=0",
    ]);
    let command = CommandEnd {
        program: "./load-test".to_owned(),
        status: Some("exit status: 3".to_owned()),
        success: Some(false),
    };
    Outcome { command: Some(command), ..check(&gates, &samples::rich(), Some(&baseline), true) }
}

/// A target, a command and gates that lie in wait for whoever reads the outcome.
fn hostile() -> Outcome {
    let mut report = samples::hostile();
    report.coverage.notes = vec![samples::HOSTILE.to_owned()];
    let gate = format!("growths(type!=\"{}\")<0", samples::HOSTILE.replace('"', "\"\""));
    let command = CommandEnd {
        program: samples::HOSTILE.to_owned(),
        status: Some("a::b%,\r\n".to_owned()),
        success: Some(false),
    };
    let gates = gates(&[&gate, "allocated<1B", "findings=0", "rss<1B"]);
    Outcome { command: Some(command), ..check(&gates, &report, Some(&samples::hostile()), true) }
}

#[test]
fn every_face_of_an_outcome_is_as_reviewed() {
    for (name, format) in FORMATS {
        golden(&format!("check.{name}"), &face(&judged(), format, 100));
    }
    golden(
        "check-clean.text",
        &face(&check(&gates(&["lost=0"]), &complete(), None, false), Format::Text, 80),
    );
}

#[test]
fn every_face_of_a_hostile_outcome_is_as_reviewed() {
    for (name, format) in FORMATS {
        golden(&format!("check-hostile.{name}"), &face(&hostile(), format, 80));
    }
}

/// A report that lacks nothing.
fn complete() -> Report {
    let mut report = samples::go::look();
    report.coverage.confidence = auditor::audit::report::Confidence::Exact;
    report
}

#[test]
fn no_face_of_an_outcome_lets_a_terminal_be_driven() {
    for (name, format) in FORMATS {
        for columns in [60, 80, 100] {
            let face = face(&hostile(), format, columns);
            let obeyed = face.chars().find(|it| !matches!(it, '\n' | ' '..='~') && !escape::is_harmless(*it));
            assert_eq!(obeyed, None, "{name}");
            if format == Format::Text {
                assert!(face.lines().all(|line| escape::width(line) <= columns), "{face}");
            }
        }
    }
}

/// The elements of well-formed XML with their attributes unescaped, in order.
fn elements(xml: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader::from_str(xml);
    let mut elements = Vec::new();
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error}: {xml}")) {
            Event::Start(start) | Event::Empty(start) => {
                let name = start.name().as_ref().to_owned();
                let attributes = start.attributes().map(|attribute| {
                    let attribute = attribute.unwrap();
                    let key = attribute.key.as_ref().to_owned();

                    (key, quick_xml::escape::unescape(&attribute.value).unwrap().into_owned())
                });
                elements.push((name, attributes.collect()));
            }
            Event::Eof => return elements,
            _ => {}
        }
    }
}

#[test]
fn junit_is_xml_whose_counts_are_right_whatever_the_target_says() {
    for outcome in [judged(), hostile()] {
        let elements = elements(&face(&outcome, Format::Junit, 80));
        let count = |name: &str| elements.iter().filter(|(element, _)| element == name).count().to_string();
        let suite = &elements.iter().find(|(element, _)| element == "testsuite").unwrap().1;
        let said = |name: &str| suite.iter().find(|(key, _)| key == name).unwrap().1.clone();
        assert_eq!(count("testcase"), said("tests"));
        assert_eq!((count("failure"), count("error")), (said("failures"), said("errors")));
        assert_eq!(elements.iter().filter(|(name, _)| name == "testcase").count(), outcome.gates.len() + 2);
    }
}

#[test]
fn every_line_for_github_is_one_command_that_ends_where_ours_does() {
    for outcome in [judged(), hostile()] {
        let face = face(&outcome, Format::Github, 80);
        for line in face.lines() {
            let (properties, _) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
            let (level, title) = properties.split_once(" title=").unwrap();
            assert!(["error", "warning", "notice"].contains(&level), "{line}");
            assert!(!title.contains([':', ',']), "{line}");
        }
        let wrong = outcome.failed().count() + 1 + outcome.incomplete.len() + outcome.strict.len();
        assert!(
            face.lines().count() > outcome.failed().count() && face.lines().count() <= wrong + 2,
            "{face}"
        );
    }
}

fn result(gate: &str, report: &Report) -> GateResult {
    check(&gates(&[gate]), report, None, false).gates[0].result
}

#[test]
fn no_gate_of_any_metric_passes_on_a_report_that_knows_nothing_of_it() {
    let mut nothing = samples::empty();
    nothing.maps = vec![samples::unknown_map(1)];
    let known = ["maps", "findings", "undecided", "lost", "late", "unplaced", "duration", "growth_wait"];
    for metric in METRICS.iter().filter(|metric| !known.contains(&metric.name)) {
        for gate in [format!("{}>=0", metric.name), format!("{}!=baseline", metric.name)] {
            let judged = check(&gates(&[&gate]), &nothing, Some(&nothing), false).gates.remove(0);
            // That something is at least 0 needs no knowledge.
            let expected = if gate.ends_with(">=0") { GateResult::Pass } else { GateResult::Unknown };
            assert_eq!(judged.result, expected, "{gate}");
        }
        let largest = metric.kind.spell(u64::MAX);
        let below = format!("{}<{largest}", metric.name);
        assert_eq!(result(&below, &nothing), GateResult::Unknown, "{below}");
    }
}

#[test]
fn a_map_of_unknown_type_may_be_of_the_one_that_is_meant() {
    let mut report = samples::empty();
    let mut map = samples::unknown_map(1);
    map.growths = samples::growths(1, 3, 0);
    report.maps = vec![map];
    let growths = |bound: &str| result(&format!("growths(type=~\"Session\"){bound}"), &report);
    assert_eq!(
        (growths("<=3"), growths("<=4"), growths(">4")),
        (GateResult::Unknown, GateResult::Pass, GateResult::Fail)
    );
    report.maps[0].candidates = vec!["map[string]Session".to_owned(), "map[int]Session".to_owned()];
    let growths = |bound: &str| result(&format!("growths(type=~\"Session\"){bound}"), &report);
    assert_eq!((growths("<=3"), growths("=4")), (GateResult::Fail, GateResult::Pass));
}

#[test]
fn stranded_bytes_that_nobody_asked_for_are_at_most_what_they_can_be() {
    let mut report = samples::empty();
    let mut map = samples::unknown_map(1);
    (map.bytes.allocated, map.bytes.needed) = (Some(Bytes(10 << 20)), Some(Bytes(2 << 20)));
    report.maps = vec![map];
    assert_eq!(result("stranded<=8MiB", &report), GateResult::Pass);
    assert_eq!(result("stranded<8MiB", &report), GateResult::Unknown);
    assert_eq!(result("stranded>8MiB", &report), GateResult::Fail);
}

#[test]
fn severities_are_as_bad_as_their_words() {
    let report = samples::rich();
    let count = |least: &[Severity]| report.findings.iter().filter(|it| least.contains(&it.severity)).count();
    let worst = [Severity::Critical, Severity::Warning];
    for (gate, expected) in [
        ("severity>=warning", count(&worst)),
        ("severity=critical", count(&[Severity::Critical])),
        ("severity<=info", count(&[Severity::Info])),
    ] {
        assert_eq!(result(&format!("findings({gate})={expected}"), &report), GateResult::Pass, "{gate}");
    }
    assert!(count(&worst) > 0);
}

/// The rich report some time later, in another process.
fn later() -> Report {
    let mut report = samples::rich();
    report.target.pid.0 += 1;
    report.memory.rss.last = Some(Bytes(70 << 20));
    let rungs = report.memory.ladder.len();
    report.memory.ladder.swap_remove(rungs / 2);
    for map in &mut report.maps {
        map.address = Address(map.address.0 + 0x1000);
    }
    report.maps[0].live = Some(900_000);
    report.maps[0].bytes.allocated = Some(Bytes(40 << 20));
    report.maps.truncate(2);
    report.findings.truncate(1);
    report.findings.iter_mut().for_each(|it| it.map = it.map.map(|map| Address(map.0 + 0x1000)));
    report.lags.truncate(1);
    report
}

fn told(before: &Report, after: &Report, format: render::Format, columns: usize) -> String {
    let mut out = Vec::new();
    render::diff::render(&diff(before, after), format, Paper::of(Style::Plain, columns), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_face_of_a_difference_is_as_reviewed() {
    golden("diff.text", &told(&samples::rich(), &later(), render::Format::Text, 100));
    golden("diff.json", &told(&samples::rich(), &later(), render::Format::Json, 100));
    golden("diff-go.text", &told(&samples::go::look(), &samples::go::attached(), render::Format::Text, 80));
    golden(
        "diff-hostile.text",
        &told(&samples::hostile(), &samples::go::hostile(samples::HOSTILE), render::Format::Text, 80),
    );
}

#[test]
fn a_difference_fits_its_page_and_drives_no_terminal() {
    for columns in [60, 80, 100, 200] {
        for (before, after) in [
            (samples::hostile(), later()),
            (later(), samples::hostile()),
            (samples::empty(), samples::empty()),
        ] {
            let face = told(&before, &after, render::Format::Text, columns);
            let obeyed = face.chars().find(|it| !matches!(it, '\n' | ' '..='~') && !escape::is_harmless(*it));
            assert_eq!(obeyed, None, "{face}");
            assert!(face.lines().all(|line| escape::width(line) <= columns.min(100)), "{columns}: {face}");
        }
    }
}

#[test]
fn a_report_does_not_differ_from_itself() {
    for report in [samples::rich(), samples::go::look(), samples::go::attached(), samples::hostile()] {
        let diff = diff(&report, &report);
        assert!(diff.maps.iter().all(|row| row.pair.before == row.pair.after), "{:#?}", diff.maps);
        assert!(diff.findings.iter().all(|it| it.pair.before == it.pair.after), "{:#?}", diff.findings);
        assert!(diff.ladder.iter().all(|it| it.pair.before == it.pair.after));
    }
}

#[test]
fn what_is_written_is_read_back_as_the_same() {
    let judged = judged();
    assert_eq!(serde_json::from_str::<Outcome>(&face(&judged, Format::Json, 80)).unwrap(), judged);
    let diff = diff(&samples::rich(), &later());
    let written = told(&samples::rich(), &later(), render::Format::Json, 80);
    assert_eq!(serde_json::from_str::<auditor::audit::diff::Diff>(&written).unwrap(), diff);
}
