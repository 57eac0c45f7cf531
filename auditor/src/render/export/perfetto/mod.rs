//! A trace for ui.perfetto.dev: a process with RSS, why it moved, the collector, and a track for each map with
//! its growths as slices, its birth and its death. The clock is CLOCK_BOOTTIME, as in the report, tied to the
//! wall clock by one snapshot.
//!
//! Arguments of events are the fields of the report, under their names in JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use prost::Message as _;

use super::called;
use crate::audit::report::{Change, Episode, Gc, Map, Moment, Place, Report, Timeline};
use crate::audit::unit::{Bytes, Nanos};
use crate::render::style::Paper;
use crate::render::{human, phrases};
use message::{Clock, ClockSnapshot, Packet, Trace};
use tracks::{BOOTTIME, Said, Span, Tracks, facts};

mod message;
mod tracks;

/// Maps that get a track although they did not grow: the largest. Those that grew all do.
const IDLE: usize = 1_000;

/// `BUILTIN_CLOCK_REALTIME`.
const REALTIME: u32 = 1;

/// Writes it.
pub(in crate::render) fn report(report: &Report, _: Paper, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&trace(report).encode_to_vec())?;
    out.flush()
}

fn trace(report: &Report) -> Trace {
    let mut tracks = Tracks::of_process(report.target.pid.0, &report.target.comm);
    whole(&mut tracks, report);
    rss(&mut tracks, report);
    collector(&mut tracks, report);
    findings(&mut tracks, report);
    maps(&mut tracks, report);
    let mut packet = vec![clocks(report)];
    packet.extend(tracks.packets());
    Trace { packet }
}

/// What the wall clock showed when the audit began.
fn clocks(report: &Report) -> Packet {
    let clock = |id, at| Clock { clock_id: Some(id), timestamp: Some(at) };
    let wall: Option<jiff::Timestamp> = report.window.wall_start.parse().ok();
    let wall = wall.and_then(|wall| u64::try_from(wall.as_nanosecond()).ok());
    let mut clocks = vec![clock(BOOTTIME, report.window.start.0)];
    clocks.extend(wall.map(|wall| clock(REALTIME, wall)));
    let snapshot = ClockSnapshot { clocks, primary_trace_clock: Some(BOOTTIME) };
    Packet { clock_snapshot: Some(snapshot), ..Packet::default() }
}

/// The audit itself, with what it did not see.
fn whole(tracks: &mut Tracks, report: &Report) {
    let name = "audit";
    let track = tracks.track(name);
    let said = Said { category: "audit", name: "seen".to_owned(), facts: facts(&report.coverage) };
    let span = Span::new(report.window.start, report.window.end);
    tracks.slices(track, name, [(span, said)].into_iter());
}

fn rss(tracks: &mut Tracks, report: &Report) {
    let moments = report.timeline.as_ref().map(|timeline| timeline.moments.as_slice()).unwrap_or_default();
    counter(tracks, "RSS", readings(report, moments));
    let limits = moments.iter().filter_map(|moment| Some((moment.at, bounded(moment.limit?)))).collect();
    counter(tracks, "memory limit", limits);
    if let Some(timeline) = &report.timeline {
        ladder(tracks, timeline);
    }
    let Some(changes) = &report.memory.changes else { return };
    let name = "why RSS moved";
    let track = tracks.track(name);
    let said =
        |change: &Change| Said { category: "rss", name: human::change(change.rss), facts: facts(change) };
    let slices = changes.largest.iter().map(|change| (Span::new(change.start, change.end), said(change)));
    tracks.slices(track, name, slices);
}

/// A size over time; where it is not known at any, there is no track.
fn counter(tracks: &mut Tracks, name: &str, readings: Vec<(Nanos, i64)>) {
    if readings.is_empty() {
        return;
    }
    let track = tracks.counter(name);
    readings.into_iter().for_each(|(at, bytes)| tracks.value(track, at, bytes));
}

/// RSS at the readings that the report keeps, and at its peak, which may lie between two; where it keeps none,
/// as one look does, what was read last.
fn readings(report: &Report, moments: &[Moment]) -> Vec<(Nanos, i64)> {
    let rss = &report.memory.rss;
    let mut readings: BTreeMap<Nanos, i64> =
        moments.iter().map(|moment| (moment.at, bounded(moment.rss))).collect();
    if readings.is_empty() {
        readings.extend(rss.last.map(|last| (report.window.end, bounded(last))));
    }
    readings.extend(rss.peak_at.zip(rss.peak.map(bounded)));
    readings.into_iter().collect()
}

/// What RSS was made of, one track a row. What is not known of a moment has no value there.
fn ladder(tracks: &mut Tracks, timeline: &Timeline) {
    for (number, row) in timeline.rows.iter().enumerate() {
        let of = |moment: &Moment| Some((moment.at, bounded((*moment.ladder.get(number)?)?)));
        counter(tracks, &super::text(row), timeline.moments.iter().filter_map(of).collect());
    }
}

/// The whole window's figures, and an instant at each reading by which cycles had ended: when one ended
/// exactly, the report does not tell.
fn collector(tracks: &mut Tracks, report: &Report) {
    let Some(gc) = &report.gc else { return };
    let name = "collector";
    let track = tracks.track(name);
    let whole = Said {
        category: "gc",
        name: human::known(gc.cycles, cycles),
        facts: facts(&Gc { size_classes: Vec::new(), ..gc.clone() }),
    };
    let span = Span::new(report.window.start, report.window.end);
    tracks.slices(track, name, [(span, whole)].into_iter());
    let moments = report.timeline.as_ref().map(|timeline| timeline.moments.as_slice()).unwrap_or_default();
    for (before, moment) in moments.iter().zip(moments.iter().skip(1)) {
        let ended = moment.cycles.zip(before.cycles).map(|(now, before)| now.saturating_sub(before));
        if let Some(ended @ 1..) = ended {
            let name = format!("{} ended by now", cycles(ended));
            tracks.instant(track, moment.at, Said { category: "gc", name, facts: Vec::new() });
        }
    }
}

fn cycles(number: u64) -> String {
    human::plural(number, "cycle")
}

/// What the rules found, at the end: they judge the whole.
fn findings(tracks: &mut Tracks, report: &Report) {
    if report.findings.is_empty() {
        return;
    }
    let track = tracks.track("findings");
    for finding in &report.findings {
        let said = Said { category: "finding", name: super::text(&finding.rule), facts: facts(finding) };
        tracks.instant(track, report.window.end, said);
    }
}

/// What is drawn of one map.
#[derive(Debug, Default)]
struct Lane<'a> {
    map: Option<&'a Map>,
    growths: Vec<&'a Episode>,
}

/// One track a map: those that grew and the largest of the others, in the order of the report; then those that
/// grew and are not listed.
fn maps(tracks: &mut Tracks, report: &Report) {
    let mut lanes: Vec<Lane<'_>> =
        report.maps.iter().map(|map| Lane { map: Some(map), growths: Vec::new() }).collect();
    let mut at_address: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
    for (number, map) in report.maps.iter().enumerate() {
        at_address.entry(map.place()).or_default().push(number);
    }
    let mut unlisted: BTreeMap<Place, Lane<'_>> = BTreeMap::new();
    for episode in &report.episodes {
        let of = at_address.get(&episode.place()).and_then(|numbers| whose(report, numbers, episode.start));
        match of.and_then(|number| lanes.get_mut(number)) {
            Some(lane) => lane.growths.push(episode),
            None => unlisted.entry(episode.place()).or_default().growths.push(episode),
        }
    }
    let worth_it = |(number, lane): &(usize, Lane<'_>)| *number < IDLE || !lane.growths.is_empty();
    for (_, lane) in lanes.into_iter().enumerate().filter(worth_it) {
        draw(tracks, report, &lane);
    }
    unlisted.values().for_each(|lane| draw(tracks, report, lane));
}

/// Which of the maps that had an address lived at a time; else the first.
fn whose(report: &Report, numbers: &[usize], time: Nanos) -> Option<usize> {
    let lived = |number: &&usize| report.maps.get(**number).is_some_and(|map| map.lived_at(time));
    numbers.iter().find(lived).or(numbers.first()).copied()
}

fn draw(tracks: &mut Tracks, report: &Report, lane: &Lane<'_>) {
    let name = match (lane.map, lane.growths.first()) {
        (Some(map), _) => format!("{} {}", called(map), map.address),
        (None, Some(episode)) => format!("small map {}", episode.map),
        (None, None) => return,
    };
    let track = tracks.track(&name);
    if let Some(map) = lane.map {
        let said = |name: &str, facts| Said { category: "map", name: name.to_owned(), facts };
        if let Some(born) = map.born {
            tracks.instant(track, born, said("born", Vec::new()));
        }
        let (end, name) = map.died.map_or((report.window.end, "as seen last"), |died| (died, "died"));
        tracks.instant(track, end, said(name, facts(map)));
    }
    let mut growths = lane.growths.clone();
    growths.sort_by_key(|episode| episode.start);
    let slices = growths.iter().map(|episode| (span(report, episode), growth(episode)));
    tracks.slices(track, &name, slices);
}

/// From its start to its end, or to that of the audit where the old table is still held.
fn span(report: &Report, episode: &Episode) -> Span {
    Span::new(episode.start, episode.end.unwrap_or(report.window.end))
}

fn growth(episode: &Episode) -> Said {
    let kind = phrases::growth(episode.kind);
    let open = if episode.end.is_none() { ", not over" } else { "" };
    let name = format!("{kind}, {}{open}", human::bytes(episode.allocated));
    Said { category: "growth", name, facts: facts(episode) }
}

fn bounded(size: Bytes) -> i64 {
    i64::try_from(size.0).unwrap_or(i64::MAX)
}
