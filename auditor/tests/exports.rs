//! What is written for other programs, read back: binary formats message by message, tables against the JSON
//! report and the columns of the screen. How other programs read it, `kernel/exports.rs` tries.

#[path = "data/faces/samples.rs"]
#[expect(dead_code, reason = "made for the tests of the faces")]
mod samples;

#[path = "../src/render/export/pprof/message.rs"]
mod profile;

#[path = "../src/render/export/perfetto/message.rs"]
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use auditor::audit::fact::GrowthKind;
use auditor::audit::report::{Episode, Map, Moment, Report};
use auditor::audit::unit::{Address, Bytes, Nanos};
use auditor::render::columns::fields::{BETWEEN, FIELDS, Unit, Value as FieldValue};
use auditor::render::columns::maps::MAPS;
use auditor::render::{FORMATS, Format, Kind, escape, human, render};
use prost::Message as _;
use serde_json::Value;

fn written(report: &Report, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    render(report, format, &mut out).expect("a vector takes everything");
    out
}

fn text(report: &Report, format: Format) -> String {
    String::from_utf8(written(report, format)).expect("it is text")
}

fn every_report() -> [Report; 7] {
    [
        samples::rich(),
        samples::empty(),
        samples::hostile(),
        samples::go::look(),
        samples::go::small_look(),
        samples::go::attached(),
        samples::go::hostile(samples::HOSTILE),
    ]
}

/// A field of a map as JSON has it, found by the name of a column of the table.
fn in_json<'a>(map: &'a Value, name: &str) -> &'a Value {
    name.split('.').fold(map, |at, level| &at[level])
}

fn json(map: &Map) -> Value {
    serde_json::to_value(map).expect("plain data")
}

/// The names of all values of a map in JSON; a list is one value.
fn leaves(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            leaves(field, &path, into);
        }),
        _ => {
            into.insert(path.to_owned());
        }
    }
}

#[test]
fn the_fields_of_a_map_are_those_of_the_json_report() {
    let mut there = BTreeSet::new();
    leaves(&json(&samples::rich().maps[0]), "", &mut there);
    let listed: BTreeSet<String> = FIELDS.iter().map(|field| field.name.to_owned()).collect();
    assert_eq!(listed.len(), FIELDS.len());
    assert_eq!(listed, there);
}

#[test]
fn every_field_has_the_value_that_json_has() {
    for map in every_report().iter().flat_map(|report| &report.maps) {
        let json = json(map);
        for field in FIELDS {
            let expected = match in_json(&json, field.name) {
                Value::Array(parts) => {
                    let parts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
                    if parts.is_empty() { Value::Null } else { Value::from(parts.join(BETWEEN)) }
                }
                value => value.clone(),
            };
            let value = (field.value)(map);
            let found = match &value {
                FieldValue::Unknown => Value::Null,
                FieldValue::Text(text) => Value::from(text.as_ref()),
                FieldValue::Truth(truth) => Value::from(*truth),
                _ => Value::from(value.number()),
            };
            assert_eq!(found, expected, "{}", field.name);
        }
    }
}

#[test]
fn a_field_that_a_column_prints_is_printed_as_the_same_number() {
    let mut compared = 0;
    for report in [samples::rich(), samples::go::look(), samples::go::attached()] {
        for field in FIELDS {
            let Some(title) = field.title else { continue };
            let column = MAPS.iter().find(|column| column.title == title).expect("the column is there");
            for map in &report.maps {
                let value = (field.value)(map);
                let printed = match &value {
                    FieldValue::Unknown => human::UNKNOWN.to_owned(),
                    FieldValue::Text(text) => escape::visible(text, 60),
                    FieldValue::Count(count) => human::short(*count),
                    FieldValue::Bytes(bytes) => human::bytes(*bytes),
                    other => panic!("no column prints {other:?}"),
                };
                assert_eq!((column.cell)(map, &report, 60).text, printed, "{title}");
                if let Some(sort) = column.sort {
                    assert_eq!(sort(map), value.number(), "{title}");
                }
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "only {compared}");
}

#[test]
fn metrics_of_maps_have_the_unit_of_their_field() {
    let map = &samples::rich().maps[0];
    let of = |field: &auditor::render::columns::fields::Field| Some((field.metric?, (field.value)(map)));
    for (metric, value) in FIELDS.iter().filter_map(of) {
        let fits = match value {
            FieldValue::Count(_) => metric.unit == Unit::Pieces,
            FieldValue::Bytes(_) => metric.unit == Unit::Bytes,
            FieldValue::Span(_) => metric.unit == Unit::Seconds,
            _ => false,
        };
        assert!(fits, "{metric:?}");
    }
}

#[test]
fn the_table_of_maps_reads_back_as_the_report() {
    for report in [samples::rich(), samples::go::look(), samples::hostile()] {
        let table = text(&report, Format::Csv);
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        assert_eq!(header, FIELDS.iter().map(|field| field.name).collect::<Vec<_>>());
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), report.maps.len());
        for (row, map) in rows.iter().zip(&report.maps) {
            for (cell, field) in row.iter().zip(FIELDS) {
                match (field.value)(map) {
                    FieldValue::Unknown => assert_eq!(cell, "", "{}", field.name),
                    FieldValue::Text(_) => {
                        assert!(
                            !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                            "{}: {cell}",
                            field.name
                        );
                    }
                    FieldValue::Truth(truth) => assert_eq!(cell, truth.to_string()),
                    value => assert_eq!(cell.parse().ok(), value.number(), "{}", field.name),
                }
            }
        }
    }
}

#[test]
fn no_name_of_a_target_is_run_by_a_spreadsheet() {
    let mut report = samples::rich();
    for evil in ["=HYPERLINK(\"http://x\")", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a\",=1,\"", "x\n=1"] {
        report.maps[0].name = Some(evil.to_owned());
        report.maps[0].owner = Some(evil.to_owned());
        report.maps[0].site = vec![evil.to_owned()];
        let table = text(&report, Format::Csv);
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let row = reader.records().next().expect("a row").expect("as long as the header");
        for cell in [row.get(1), row.get(5), row.get(6)].map(Option::unwrap) {
            assert!(!cell.starts_with(['=', '+', '-', '@']) && !cell.contains(['\t', '\r', '\n']), "{cell}");
        }
    }
}

#[test]
fn every_folded_line_is_a_stack_and_a_number_and_they_add_up() {
    for report in every_report() {
        let folded = text(&report, Format::Folded);
        let (mut sum, mut stacks) = (0_u64, BTreeSet::new());
        for line in folded.lines() {
            let (stack, bytes) = line.split_once(' ').expect("one space a line");
            sum = sum.saturating_add(bytes.parse::<u64>().expect("a number"));
            assert!(stacks.insert(stack), "twice: {stack}");
            assert!(stack.split(';').all(|frame| !frame.is_empty()), "{stack}");
        }
        let asked = report.maps.iter().map(|map| &map.tables);
        let asked = asked.chain(report.populations.iter().map(|row| &row.tables));
        let all = asked.filter_map(|tables| tables.allocated_bytes);
        assert_eq!(sum, all.fold(0_u64, |sum, bytes| sum.saturating_add(bytes.0)));
    }
}

#[test]
fn a_frame_cannot_end_a_folded_stack_or_begin_another() {
    let mut report = samples::rich();
    report.maps.truncate(1);
    report.populations.clear();
    report.maps[0].site = vec!["f; g 7\nmain 9".to_owned()];
    report.maps[0].name = Some("a b;c".to_owned());
    assert_eq!(text(&report, Format::Folded), "f\\x3b\\x20g\\x207\\nmain\\x209;a\\x20b\\x3bc 160222412\n");
}

/// A profile as a reader gets it.
fn profile_of(report: &Report) -> profile::Profile {
    let mut plain = Vec::new();
    let written = written(report, Format::Pprof);
    flate2::read::GzDecoder::new(&*written).read_to_end(&mut plain).expect("it is compressed");
    profile::Profile::decode(&*plain).expect("it is a profile")
}

/// Names of the functions of a sample, innermost first.
fn frames(profile: &profile::Profile, sample: &profile::Sample) -> Vec<String> {
    let place = |id: &u64| profile.location.iter().find(|location| location.id == *id).expect("a place");
    let function = |id: u64| profile.function.iter().find(|function| function.id == id).expect("a function");
    let names = sample.location_id.iter().map(|id| function(place(id).line[0].function_id).name);
    names.map(|name| profile.string_table[name as usize].clone()).collect()
}

fn labels(profile: &profile::Profile, sample: &profile::Sample) -> BTreeMap<String, Value> {
    let string = |at: i64| profile.string_table[at as usize].clone();
    let told = sample.label.iter().map(|label| {
        let value = if label.str == 0 { Value::from(label.num) } else { Value::from(string(label.str)) };
        (string(label.key), value)
    });
    told.collect()
}

#[test]
fn a_profile_has_a_sample_for_each_map_with_its_stack_its_values_and_labels() {
    let report = samples::rich();
    let profile = profile_of(&report);
    let string = |at: i64| profile.string_table[at as usize].as_str();
    let types: Vec<_> = profile.sample_type.iter().map(|of| (string(of.kind), string(of.unit))).collect();
    let expected = [("bytes", "bytes"), ("stranded", "bytes"), ("live", "count"), ("growths", "count")];
    assert_eq!((types.as_slice(), string(profile.default_sample_type)), (expected.as_slice(), "bytes"));
    assert_eq!(profile.sample.len(), report.maps.len() + report.populations.len());
    let sample = &profile.sample[0];
    let stack = ["sessions", "sessions::Store::insert", "sessions::serve", "main"];
    assert_eq!(frames(&profile, sample), stack);
    let insert = &profile.location[1].line[0];
    assert_eq!((insert.line, string(profile.function[1].filename)), (41, "src/store.rs"));
    let map = &report.maps[0];
    let values = [map.bytes.allocated, map.bytes.stranded].map(|bytes| bytes.unwrap().0 as i64);
    assert_eq!(sample.value, [values[0], values[1], 1_703_937, 20]);
    let labels = labels(&profile, sample);
    for (key, value) in [
        ("capacity", Value::from(4_194_304)),
        ("size", Value::from(1_703_937)),
        ("num_rehashes", Value::from(19)),
        ("inline_element_size", Value::from(16)),
        ("owner", Value::from("main.cache.sessions")),
        ("address", Value::from("0x7f3a10000040")),
        ("verdict", Value::from("stalled")),
    ] {
        assert_eq!(labels.get(key), Some(&value), "{key}");
    }
    assert_eq!(profile.time_nanos, 1_772_366_584_000_000_000);
    assert_eq!(profile.duration_nanos, 42_000_000_000);
}

#[test]
fn a_profile_says_which_of_its_zeros_are_not_known() {
    let mut report = samples::rich();
    report.maps = vec![samples::unknown_map(1)];
    let profile = profile_of(&report);
    let sample = &profile.sample[0];
    assert_eq!(sample.value, [0; 4]);
    assert_eq!(labels(&profile, sample)["unknown"], "bytes stranded live growths");
    let known = profile_of(&samples::rich());
    assert!(!labels(&known, &known.sample[0]).contains_key("unknown"));
}

#[test]
fn lost_events_are_a_frame_of_their_own_where_growths_are_counted() {
    let mut report = samples::rich();
    report.coverage.lost = 7;
    let profile = profile_of(&report);
    let last = profile.sample.last().expect("a sample");
    assert_eq!((frames(&profile, last), last.value.clone()), (vec!["[lost]".to_owned()], vec![0, 0, 0, 7]));
    assert!(!profile_of(&samples::rich()).string_table.contains(&"[lost]".to_owned()));
}

#[test]
fn every_number_in_a_profile_leads_somewhere_and_no_string_steers_a_terminal() {
    for report in every_report() {
        let profile = profile_of(&report);
        let strings = profile.string_table.len() as i64;
        assert_eq!(profile.string_table[0], "");
        assert_eq!(profile.string_table.iter().collect::<BTreeSet<_>>().len() as i64, strings);
        profile.string_table.iter().for_each(|text| assert_harmless(text));
        for sample in &profile.sample {
            assert_eq!(sample.value.len(), profile.sample_type.len());
            assert!(sample.value.iter().all(|value| *value >= 0));
            assert!(!frames(&profile, sample).iter().any(String::is_empty));
            let texts = sample.label.iter().flat_map(|label| [label.key, label.str, label.num_unit]);
            assert!(texts.into_iter().all(|at| (0..strings).contains(&at)));
        }
        assert!(profile.comment.iter().all(|at| (1..strings).contains(at)));
    }
}

fn assert_harmless(text: &str) {
    let ours = |letter: char| matches!(letter, ' '..='~') || escape::is_harmless(letter);
    assert!(text.chars().all(ours) && text.chars().count() <= 2_000, "{text:?}");
}

fn trace_of(report: &Report) -> trace::Trace {
    trace::Trace::decode(&*written(report, Format::Perfetto)).expect("it is a trace")
}

/// A slice as a viewer draws it.
#[derive(Debug)]
struct Slice {
    track: u64,
    start: u64,
    end: u64,
    event: trace::TrackEvent,
}

/// All slices; each that begins has to end on its track, not before it began, with none of its kind between.
fn slices(trace: &trace::Trace) -> Vec<Slice> {
    let mut open: BTreeMap<u64, Slice> = BTreeMap::new();
    let (mut slices, mut last) = (Vec::new(), 0);
    for packet in &trace.packet {
        let (Some(event), Some(at)) = (&packet.track_event, packet.timestamp) else { continue };
        assert!(at >= last, "{at} comes after {last}");
        assert_eq!(packet.timestamp_clock_id, Some(6), "CLOCK_BOOTTIME");
        last = at;
        let track = event.track_uuid.expect("a track");
        match event.kind {
            Some(1) => {
                let slice = Slice { track, start: at, end: at, event: event.clone() };
                assert!(open.insert(track, slice).is_none(), "one begins in another");
            }
            Some(2) => slices.push(Slice { end: at, ..open.remove(&track).expect("one is open") }),
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?} never end");
    slices
}

/// Tracks by their numbers.
fn tracks(trace: &trace::Trace) -> BTreeMap<u64, &trace::TrackDescriptor> {
    let described = trace.packet.iter().filter_map(|packet| packet.track_descriptor.as_ref());
    described.map(|track| (track.uuid.expect("a number"), track)).collect()
}

fn argument<'a>(event: &'a trace::TrackEvent, name: &str) -> Option<&'a trace::Annotation> {
    event.debug_annotations.iter().find(|argument| argument.name.as_deref() == Some(name))
}

#[test]
fn a_trace_has_a_slice_for_each_growth_on_the_track_of_its_map() {
    let report = samples::rich();
    let trace = trace_of(&report);
    let (tracks, slices) = (tracks(&trace), slices(&trace));
    let growths: Vec<&Slice> = slices.iter().filter(|slice| slice.event.categories == ["growth"]).collect();
    assert_eq!(growths.len(), report.episodes.len());
    for (slice, episode) in growths.iter().zip(&report.episodes) {
        assert_eq!(tracks[&slice.track].name.as_deref(), Some("sessions 0x7f3a10000040"));
        assert_eq!(slice.start, episode.start.0);
        assert_eq!(slice.end, episode.end.unwrap_or(report.window.end).0);
        let allocated = argument(&slice.event, "allocated").and_then(|it| it.uint_value);
        assert_eq!(allocated, Some(episode.allocated.0));
        assert_eq!(argument(&slice.event, "end").is_some(), episode.end.is_some());
    }
    assert!(growths.last().unwrap().event.name.as_deref().unwrap().ends_with("not over"));
}

#[test]
fn a_trace_has_births_deaths_and_the_cycles_of_the_collector() {
    let report = samples::rich();
    let trace = trace_of(&report);
    let tracks = tracks(&trace);
    let process = tracks[&1].process.as_ref().expect("the first is the process");
    assert_eq!((process.pid, process.process_name.as_deref()), (Some(4711), Some("target-demo")));
    let at = |name: &str, on: &str| -> Vec<u64> {
        let events = trace.packet.iter().filter(|packet| {
            packet.track_event.as_ref().is_some_and(|event| {
                event.name.as_deref() == Some(name)
                    && tracks[&event.track_uuid.unwrap()].name.as_deref() == Some(on)
            })
        });
        events.filter_map(|packet| packet.timestamp).collect()
    };
    let dropped = &report.maps[2];
    assert_eq!(at("born", "startup-index 0x7f3a20000040"), [dropped.born.unwrap().0]);
    assert_eq!(at("died", "startup-index 0x7f3a20000040"), [dropped.died.unwrap().0]);
    assert_eq!(at("4 cycles ended by now", "collector"), [report.window.start.0 + 6_000_000_000]);
}

/// What a counter of that name shows, in the order of time.
fn counted(trace: &trace::Trace, name: &str) -> Vec<(u64, i64)> {
    let tracks = tracks(trace);
    let values = trace.packet.iter().filter_map(|packet| {
        let event = packet.track_event.as_ref()?;
        let track = tracks[&event.track_uuid?];
        let value = event.counter_value.filter(|_| track.name.as_deref() == Some(name));
        Some((packet.timestamp?, value?))
    });
    values.collect()
}

#[test]
fn a_trace_counts_rss_and_what_it_was_made_of_at_each_reading_and_leaves_out_what_is_not_known() {
    let report = samples::rich();
    let trace = trace_of(&report);
    let timeline = report.timeline.as_ref().unwrap();
    let readings = |of: fn(&Moment, usize) -> Option<Bytes>, row: usize| -> Vec<(u64, i64)> {
        let known = timeline.moments.iter().filter_map(|moment| Some((moment.at.0, of(moment, row)?)));
        known.map(|(at, bytes)| (at, bytes.0 as i64)).collect()
    };
    assert_eq!(counted(&trace, "RSS"), readings(|moment, _| Some(moment.rss), 0));
    assert_eq!(counted(&trace, "memory limit"), readings(|moment, _| moment.limit, 0));
    for (number, row) in timeline.rows.iter().enumerate() {
        assert_eq!(counted(&trace, row), readings(|moment, row| moment.ladder[row], number), "{row}");
    }
    assert!(counted(&trace, "old tables").len() < timeline.moments.len());
    let mut look = samples::rich();
    (look.timeline, look.memory.rss.peak_at) = (None, None);
    let last = (look.window.end.0, look.memory.rss.last.unwrap().0 as i64);
    assert_eq!(counted(&trace_of(&look), "RSS"), [last]);
}

#[test]
fn whatever_is_in_a_report_its_slices_nest_and_no_string_steers_a_terminal() {
    for report in every_report() {
        let trace = trace_of(&report);
        slices(&trace);
        let tracks = tracks(&trace);
        for track in tracks.values() {
            assert!(track.parent_uuid.is_none_or(|parent| tracks.contains_key(&parent)));
            track.name.iter().for_each(|name| assert_harmless(name));
        }
        for event in trace.packet.iter().filter_map(|packet| packet.track_event.as_ref()) {
            event.name.iter().for_each(|name| assert_harmless(name));
            event.debug_annotations.iter().for_each(harmless_argument);
        }
    }
}

fn harmless_argument(argument: &trace::Annotation) {
    argument.string_value.iter().chain(&argument.name).for_each(|text| assert_harmless(text));
    argument.dict_entries.iter().chain(&argument.array_values).for_each(harmless_argument);
}

#[test]
fn growths_that_overlap_lie_beside_each_other_and_those_of_unlisted_maps_are_there_too() {
    let mut report = samples::rich();
    let second = |at: u64| Nanos(report.window.start.0 + at * 1_000_000_000);
    let growth = |map: u64, start: u64, end: u64| Episode {
        map: Address(map),
        kind: GrowthKind::Split,
        start: second(start),
        end: Some(second(end)),
        ..samples::rich().episodes[0].clone()
    };
    report.episodes = vec![growth(7, 1, 5), growth(7, 3, 4), growth(7, 4, 6), growth(7, 9, 8)];
    let trace = trace_of(&report);
    let slices = slices(&trace);
    let growths: Vec<&Slice> = slices.iter().filter(|slice| slice.event.categories == ["growth"]).collect();
    assert_eq!(growths.len(), 4);
    let tracks = tracks(&trace);
    let used: BTreeSet<u64> = growths.iter().map(|slice| slice.track).collect();
    assert_eq!(used.len(), 2);
    assert!(used.iter().all(|track| tracks[track].name.as_deref() == Some("small map 0x7")));
}

#[test]
fn the_number_of_series_is_bounded_and_the_rest_is_one_row() {
    let mut report = samples::rich();
    report.populations.clear();
    let map = |at: u64| {
        let mut map = report.maps[0].clone();
        map.address = Address(0x1000 + at);
        map.bytes.allocated = Some(Bytes(10_000 - at));
        map
    };
    report.maps = (0..5_000).map(map).collect();
    let metrics = text(&report, Format::OpenMetrics);
    let allocated: Vec<&str> =
        metrics.lines().filter(|line| line.starts_with("auditor_map_allocated_bytes{")).collect();
    assert_eq!(allocated.len(), 51);
    let rest: u64 = (50..5_000).map(|at| 10_000 - at).sum();
    assert!(allocated[50].ends_with(&format!("map=\"[rest]\"}} {rest}")), "{}", allocated[50]);
    assert!(metrics.lines().count() < 2_500 && metrics.ends_with("\n# EOF\n"));
    report.maps[4_999].bytes.allocated = None;
    let unknown = text(&report, Format::OpenMetrics);
    let told = unknown.lines().any(|line| line.contains("map_allocated_bytes{") && line.contains("[rest]"));
    assert!(!told, "a sum of which a part is not known");
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    for row in FORMATS.iter().filter(|row| row.kind != Kind::Stream) {
        let report = samples::rich();
        assert!(written(&report, row.format) == written(&report, row.format), "{}", row.name);
    }
}
