//! What is written for other programs, read by these: `go tool pprof`, promtool, Python's parser of
//! OpenMetrics, Perfetto's own message classes. `cargo xtask setup` gets them; where one is missing, the test
//! fails.

#[path = "../data/faces/samples.rs"]
#[expect(dead_code, reason = "made for the tests of the faces")]
mod samples;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use auditor::audit::report::Report;
use auditor::render::{Format, render};
use serde_json::Value;

use crate::harness::go::toolchains;
use crate::harness::{Scene, auditor, demo, entries, json, number, rows, text};

const FORMATS: [&str; 5] = ["openmetrics", "pprof", "perfetto", "folded", "csv"];

/// A program that reads, or its folder.
fn reader(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/readers");
    let folder = std::env::var_os("AUDITOR_READERS_FOLDER").map_or(folder, PathBuf::from);
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: cargo xtask setup gets it", path.display());
    path
}

/// Runs a program to its end and gives what it says; anything but success fails the test.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn python(script: &str, file: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/fixtures").join(script);
    let mut command = Command::new("python3");
    command.arg("-B").arg(script).arg(file).env("PYTHONPATH", reader("python"));
    json(&said(&mut command))
}

/// The lints of promtool, which must find nothing.
fn promtool(file: &Path) {
    let mut command = Command::new(reader("promtool"));
    command.args(["check", "metrics"]).stdin(File::open(file).unwrap());
    assert_eq!(said(&mut command), "");
}

/// What `go tool pprof -top` of the oldest and of the newest release lists.
fn tops(file: &Path, index: &str) -> Vec<String> {
    let toolchains = toolchains();
    let both = [toolchains.first(), toolchains.last()].into_iter().flatten();
    let listed = both.map(|go| {
        let mut command = go.tool("pprof");
        if ["bytes", "stranded"].contains(&index) {
            command.arg("-unit=bytes");
        }
        command.args(["-top", "-nodecount=100000", "-nodefraction=0"]);
        said(command.arg(format!("-sample_index={index}")).arg(file))
    });
    listed.collect()
}

/// The same, taken apart: flat value, cumulated value and name.
fn pprof(file: &Path, index: &str) -> Vec<(u64, u64, String)> {
    let mut parsed = tops(file, index).into_iter().map(|top| {
        top.lines().skip_while(|line| !line.contains("flat%")).skip(1).map(row).collect::<Vec<_>>()
    });
    let (first, last) = (parsed.next().unwrap(), parsed.next().unwrap());
    assert_eq!(first, last);
    first
}

/// `flat flat% sum% cum cum% name`.
fn row(line: &str) -> (u64, u64, String) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| {
        let digits = words[at].trim_end_matches(|letter: char| !letter.is_ascii_digit());
        digits.parse().unwrap_or_else(|_| panic!("{line}"))
    };
    (number(0), number(3), words[5..].join(" "))
}

/// A run of the demo, its report and its recording.
fn seen(scene: &Scene) -> Value {
    let (report, recording) = (scene.name("report"), scene.name("recording"));
    let audit = ["run", "-i", "200ms", "-f", "json", "-o", &report, "--record", &recording, "--"];
    // Held for so long that the page map is asked for it.
    let command =
        [demo().to_str().unwrap(), "grow", "--entries", &entries(300_000), "--hold", "1"].map(str::to_owned);
    scene.audit(audit.map(str::to_owned).into_iter().chain(command)).well();
    scene.json("report")
}

/// What a replay writes.
fn replayed(scene: &Scene, format: &str) -> PathBuf {
    let (recording, file) = (scene.name("recording"), scene.name(format));
    scene.audit(["replay", &recording, "-f", format, "-o", &file]).well();
    scene.path(format)
}

fn written(scene: &Scene, report: &Report, format: Format) -> PathBuf {
    let path = scene.path(format.row().name);
    render(report, format, &mut File::create(&path).unwrap()).unwrap();
    path
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_file_of_a_live_run_is_the_file_of_its_replay() {
    for format in FORMATS {
        let scene = Scene::new();
        let (live, recording) = (scene.name("live"), scene.name("recording"));
        let audit = ["run", "-f", format, "-o", &live, "--record", &recording, "--"].map(str::to_owned);
        let command = [demo().to_str().unwrap(), "grow", "--entries", &entries(100_000)].map(str::to_owned);
        scene.audit(audit.into_iter().chain(command)).well();
        let live = fs::read(live).unwrap();
        assert!(!live.is_empty() && live == fs::read(replayed(&scene, format)).unwrap(), "{format}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn go_tool_pprof_lists_the_maps_with_the_figures_of_the_report() {
    let scene = Scene::new();
    let report = seen(&scene);
    let file = replayed(&scene, "pprof");
    let map = &rows(&report, "/maps")[0];
    let name = text(map, "/name");
    let growths: u64 = map["growths"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    let figures = [
        ("bytes", number(map, "/bytes/allocated")),
        ("stranded", number(map, "/bytes/stranded")),
        ("live", number(map, "/live")),
        ("growths", growths),
    ];
    for (index, figure) in figures.into_iter().filter(|(_, figure)| *figure > 0) {
        let rows = pprof(&file, index);
        let found = rows.iter().find(|(_, _, row)| row == name).map(|(flat, ..)| *flat);
        assert_eq!(found, Some(figure), "{index}: {rows:?}");
    }
    let rows = pprof(&file, "bytes");
    let callers = rows.iter().filter(|(flat, cumulated, _)| *flat == 0 && *cumulated > 0).count();
    assert!(callers >= 2, "the call stack is there: {rows:?}");
    let mut traces = toolchains().last().unwrap().tool("pprof");
    let traces = said(traces.args(["-traces", "-sample_index=bytes"]).arg(&file));
    for label in ["capacity:", "num_rehashes:", "address:"] {
        assert!(traces.contains(label), "{label}: {traces}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn go_tool_pprof_opens_whatever_a_target_is_called_and_shows_what_was_lost() {
    let scene = Scene::new();
    for report in [samples::hostile(), samples::empty(), samples::go::hostile(samples::HOSTILE)] {
        let tops = tops(&written(&scene, &report, Format::Pprof), "growths");
        assert!(tops.iter().all(|top| !top.contains('\x1b')), "{tops:?}");
    }
    let mut report = samples::rich();
    report.coverage.lost = 7;
    let rows = pprof(&written(&scene, &report, Format::Pprof), "growths");
    assert!(rows.contains(&(7, 7, "[lost]".to_owned())), "{rows:?}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn prometheus_and_openmetrics_read_the_same_metrics() {
    let scene = Scene::new();
    let report = seen(&scene);
    let file = replayed(&scene, "openmetrics");
    promtool(&file);
    let families = python("read_openmetrics.py", &file);
    let families: BTreeMap<&str, &Value> =
        families.as_array().unwrap().iter().map(|family| (text(family, "/family"), family)).collect();
    let map = &rows(&report, "/maps")[0];
    let figures = [
        ("auditor_map_allocated_bytes", "bytes", number(map, "/bytes/allocated")),
        ("auditor_map_live", "", number(map, "/live")),
        ("auditor_probe_hits", "", number(&report, "/cost/probe_hits")),
        ("auditor_lost_events", "", number(&report, "/coverage/lost")),
    ];
    for (name, unit, figure) in figures {
        let family = families.get(name).unwrap_or_else(|| panic!("{name} is not there"));
        assert_eq!((text(family, "/type"), text(family, "/unit")), ("gauge", unit), "{name}");
        assert_eq!(family["samples"][0][2].as_f64(), Some(figure as f64), "{name}");
    }
    assert!(families.values().all(|family| !text(family, "/help").is_empty()));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn metrics_of_any_target_are_read_and_its_names_come_through_whole() {
    let scene = Scene::new();
    let reports = [samples::hostile(), samples::empty(), samples::go::hostile(samples::HOSTILE)];
    for report in reports.into_iter().chain([samples::rich(), samples::go::look(), samples::go::attached()]) {
        let file = written(&scene, &report, Format::OpenMetrics);
        promtool(&file);
        python("read_openmetrics.py", &file);
    }
    let mut report = samples::rich();
    report.maps[0].name = Some(r#"a"b} 7"#.to_owned());
    let families = python("read_openmetrics.py", &written(&scene, &report, Format::OpenMetrics));
    let live = families.as_array().unwrap().iter().find(|one| one["family"] == "auditor_map_live").unwrap();
    assert_eq!(live["samples"][0][1]["map"], r#"a"b} 7"#);
}

/// The events of a trace, checked: in the order of time, by one clock, on tracks that are there, slices nested.
fn checked(trace: &Value) -> Vec<(String, u64, u64, Value)> {
    assert_eq!(number(trace, "/strange"), 0, "Perfetto knows every field");
    let (mut open, mut slices, mut last) = (BTreeMap::new(), Vec::new(), 0);
    for event in rows(trace, "/events") {
        let (at, track) = (number(event, "/at"), number(event, "/track"));
        assert!(at >= last && number(event, "/clock") == 6, "{event}");
        last = at;
        let name = text(trace, &format!("/tracks/{track}/name")).to_owned();
        match text(event, "/kind") {
            "begin" => assert!(open.insert(track, (at, event.clone())).is_none(), "{event}"),
            "end" => {
                let (start, event) = open.remove(&track).expect("one is open");
                slices.push((name, start, at, event));
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?} never end");
    slices
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn perfetto_reads_a_track_for_each_map_with_its_growths() {
    let scene = Scene::new();
    let report = seen(&scene);
    let trace = python("read_trace.py", &replayed(&scene, "perfetto"));
    let slices = checked(&trace);
    let growths: Vec<_> =
        slices.iter().filter(|(_, _, _, event)| event["categories"][0] == "growth").collect();
    let episodes = rows(&report, "/episodes");
    assert!(episodes.len() > 5 && growths.len() == episodes.len(), "{} slices", growths.len());
    let address = text(&report, "/maps/0/address");
    for ((track, start, end, event), episode) in growths.into_iter().zip(episodes) {
        assert!(track.ends_with(address), "{track}");
        let ended = episode["end"].as_u64().unwrap_or(number(&report, "/window/end"));
        assert_eq!((*start, *end), (number(episode, "/start"), ended));
        assert_eq!(number(event, "/arguments/allocated"), number(episode, "/allocated"));
    }
    assert_eq!(number(&trace, "/tracks/1/pid"), number(&report, "/target/pid"));
    assert_eq!(trace["clocks"][0], Value::from(vec![6, number(&report, "/window/start")]));
    let rss = rows(&trace, "/events").iter().filter(|event| event["kind"] == "counter").count();
    assert!(rss >= 2, "{rss} readings of RSS");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn perfetto_reads_the_trace_of_any_target() {
    let scene = Scene::new();
    for report in [samples::hostile(), samples::empty(), samples::rich(), samples::go::attached()] {
        checked(&python("read_trace.py", &written(&scene, &report, Format::Perfetto)));
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn pythons_csv_reader_gets_the_figures_of_the_report() {
    let scene = Scene::new();
    let report = seen(&scene);
    let script =
        "import csv, json, sys; json.dump(list(csv.DictReader(open(sys.argv[1], newline=''))), sys.stdout)";
    let mut command = Command::new("python3");
    let table = json(&said(command.args(["-c", script]).arg(replayed(&scene, "csv"))));
    let maps = rows(&report, "/maps");
    assert_eq!(table.as_array().unwrap().len(), maps.len());
    for (row, map) in table.as_array().unwrap().iter().zip(maps) {
        for (column, pointer) in [("live", "/live"), ("bytes.allocated", "/bytes/allocated")] {
            assert_eq!(row[column].as_str().unwrap(), number(map, pointer).to_string());
        }
        assert_eq!(row["name"], map["name"]);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_terminal_gets_no_bytes_that_are_not_text() {
    let scene = Scene::new();
    seen(&scene);
    let recording = scene.name("recording");
    for format in ["pprof", "perfetto"] {
        let program = auditor().get_program().to_str().unwrap().to_owned();
        let line = format!("{program} replay {recording} -f {format}");
        // script gives it a terminal.
        let mut command = Command::new("script");
        let output = command.args(["-qec", &line, "/dev/null"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains(&format!("-f {format} is not text")) && told.contains("-o FILE"), "{told}");
    }
}
