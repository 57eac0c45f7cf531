//! A profile for pprof: one sample a map, at the call stack of its largest growth, the map itself the
//! innermost frame. Labels bear the names that Abseil gives those of its hash tables
//! (absl/profiling/hashtable.cc, 2025), where it has one.
//!
//! A profile cannot say that a value is not known: it has 0 there, and the label `unknown` names it.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message as _;

use super::{NO_SITE, SMALL, called, kind, text};
use crate::audit::report::{Map, Population, Report};
use crate::audit::unit::{Bytes, Nanos};
use crate::render::phrases;
use crate::render::style::Paper;
use builder::{Builder, bounded};
use message::{Label, Mapping, Profile, Sample};

mod builder;
mod message;

/// The sample types with their units, in this order.
const TYPES: [(&str, &str); 4] =
    [("bytes", "bytes"), ("stranded", "bytes"), ("live", "count"), ("growths", "count")];

/// The frame of what was not seen.
const LOST: &str = "[lost]";

/// Writes it.
pub(in crate::render) fn report(report: &Report, _: Paper, out: &mut dyn Write) -> io::Result<()> {
    let mut compressed = GzEncoder::new(out, Compression::default());
    compressed.write_all(&profile(report).encode_to_vec())?;
    compressed.finish()?.flush()
}

fn profile(report: &Report) -> Profile {
    let mut builder = Builder::new();
    for (kind, unit) in TYPES {
        builder.sample_type(kind, unit);
    }
    builder.profile.default_sample_type = builder.string(TYPES[0].0);
    frame_of(&mut builder, report);
    for map in &report.maps {
        let sample = of_map(&mut builder, report, map);
        builder.profile.sample.push(sample);
    }
    for row in &report.populations {
        let sample = of_small(&mut builder, row);
        builder.profile.sample.push(sample);
    }
    let lost = of_lost(&mut builder, report.coverage.lost);
    builder.profile.sample.extend(lost);
    builder.profile
}

/// The executable, the times, and in comments what one has to know of the rest.
fn frame_of(builder: &mut Builder, report: &Report) {
    let filename = builder.string(text(&report.target.exe));
    let build_id = builder.string(report.target.build_id.as_deref().map(text).unwrap_or_default());
    builder.profile.mapping = vec![Mapping {
        id: 1,
        filename,
        build_id,
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        has_inline_frames: true,
    }];
    let began: Option<jiff::Timestamp> = report.window.wall_start.parse().ok();
    builder.profile.time_nanos =
        began.and_then(|began| i64::try_from(began.as_nanosecond()).ok()).unwrap_or(0);
    builder.profile.duration_nanos = bounded(report.window.end.since(report.window.start).0);
    let (confidence, meaning, _) = phrases::confidence(report.coverage.confidence);
    builder.comment(&format!("confidence: {confidence} ({meaning})"));
    for note in &report.coverage.notes {
        builder.comment(&text(note));
    }
}

fn of_map(builder: &mut Builder, report: &Report, map: &Map) -> Sample {
    let mut location_id = vec![builder.pseudo(called(map))];
    match map.site.as_slice() {
        [] => location_id.push(builder.pseudo(NO_SITE)),
        site => location_id.extend(site.iter().map(|frame| builder.frame(frame))),
    }
    let growths = phrases::growths_in_all(&map.growths);
    let values = [bytes(map.bytes.allocated), bytes(map.bytes.stranded), map.live, growths];
    let (value, unknown) = told(builder, values);
    let mut label = vec![builder.word("address", map.address.to_string())];
    label.extend(words_of(builder, map));
    label.extend(numbers_of(builder, report, map));
    label.extend(unknown);
    Sample { location_id, value, label }
}

fn words_of(builder: &mut Builder, map: &Map) -> Vec<Label> {
    let state = match (map.died, map.reachable) {
        (Some(_), _) => Some("dropped"),
        (None, Some(false)) => Some("garbage"),
        _ => None,
    };
    let words = [
        ("name", map.name.as_deref().map(text)),
        ("type", map.type_name.as_deref().map(text)),
        ("owner", map.owner.as_deref().map(text)),
        ("runtime", Some(text(&map.runtime))),
        ("state", state.map(str::to_owned)),
        ("verdict", map.verdict.map(|verdict| verdict.word().to_owned())),
    ];
    let known = words.into_iter().filter_map(|(key, word)| Some((key, word?)));
    known.map(|(key, word)| builder.word(key, word)).collect()
}

fn numbers_of(builder: &mut Builder, report: &Report, map: &Map) -> Vec<Label> {
    let rehashes = phrases::growths_in_all(&map.growths)
        .map(|growths| growths.saturating_sub(map.growths.first.unwrap_or(0)));
    let sizes = map.sizes.and_then(|id| report.sizes.iter().find(|sizes| sizes.id == id));
    let age = map.born.map(|born| map.died.unwrap_or(report.window.end).since(born));
    let numbers = [
        ("capacity", map.capacity, "count"),
        ("size", map.live, "count"),
        ("num_rehashes", rehashes, "count"),
        ("inline_element_size", bytes(sizes.and_then(|sizes| sizes.slot)), "bytes"),
        ("table_age", age.map(|Nanos(age)| age), "nanoseconds"),
        ("tombstones", map.tombstones, "count"),
        ("resident", bytes(map.bytes.resident), "bytes"),
        ("needed", bytes(map.bytes.needed), "bytes"),
        ("old_table", bytes(map.bytes.old_table), "bytes"),
        ("peak", bytes(map.bytes.peak), "bytes"),
    ];
    let known = numbers.into_iter().filter_map(|(key, number, unit)| Some((key, number?, unit)));
    known.map(|(key, number, unit)| builder.number(key, number, unit)).collect()
}

fn of_small(builder: &mut Builder, row: &Population) -> Sample {
    let location_id = vec![builder.pseudo(kind(row)), builder.pseudo(SMALL)];
    let growths = phrases::growths_in_all(&row.growths);
    let values = [Some(row.bytes.allocated.0), bytes(row.bytes.stranded), Some(row.live), growths];
    let (value, unknown) = told(builder, values);
    let mut label = vec![builder.number("maps", row.alive, "count")];
    let words = [("type", &row.type_name), ("owner", &row.owner), ("runtime", &Some(row.runtime.clone()))];
    label.extend(words.into_iter().filter_map(|(key, word)| Some(builder.word(key, text(word.as_deref()?)))));
    label.push(builder.number("capacity", row.capacity, "count"));
    label.push(builder.number("size", row.live, "count"));
    label.extend(unknown);
    Sample { location_id, value, label }
}

/// Events that were lost, as growths, since each of them may have been one: visible where growths are
/// counted, and by its name no map.
fn of_lost(builder: &mut Builder, lost: u64) -> Option<Sample> {
    if lost == 0 {
        return None;
    }
    let location_id = vec![builder.pseudo(LOST)];
    let label = vec![builder.number("events", lost, "count")];
    Some(Sample { location_id, value: vec![0, 0, 0, bounded(lost)], label })
}

/// The values of a sample, and the label that says which of them are not known.
fn told(builder: &mut Builder, values: [Option<u64>; TYPES.len()]) -> (Vec<i64>, Option<Label>) {
    let missing = TYPES.iter().zip(values).filter(|(_, value)| value.is_none());
    let missing: Vec<&str> = missing.map(|((kind, _), _)| *kind).collect();
    let label = (!missing.is_empty()).then(|| builder.word("unknown", missing.join(" ")));
    (values.map(|value| bounded(value.unwrap_or(0))).to_vec(), label)
}

fn bytes(value: Option<Bytes>) -> Option<u64> {
    value.map(|bytes| bytes.0)
}
