//! Tracks and what lies on them. Slices of one track never overlap: what would goes to a track beside it, of
//! the same name, which a viewer draws as one more row.

use serde::Serialize;
use serde_json::Value;

use super::message::{Annotation, Counter, Packet, Process, TrackDescriptor, TrackEvent};
use crate::audit::unit::Nanos;
use crate::render::export::text;

/// CLOCK_BOOTTIME: `BUILTIN_CLOCK_BOOTTIME`.
pub(super) const BOOTTIME: u32 = 6;
/// All that we write is one sequence.
const SEQUENCE: u32 = 1;
const BEGIN: i32 = 1;
const END: i32 = 2;
const INSTANT: i32 = 3;
const COUNTER: i32 = 4;
const SIZE_BYTES: i32 = 3;
const EXPLICIT_ORDER: i32 = 3;

/// A track's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Track(u64);

/// From when to when; never backwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: Nanos,
    pub(super) end: Nanos,
}

impl Span {
    /// An end before the start is a start.
    pub(super) fn new(start: Nanos, end: Nanos) -> Self {
        Self { start, end: end.max(start) }
    }
}

/// What is said of an event.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) category: &'static str,
    pub(super) name: String,
    /// Fields of the report, under their names there.
    pub(super) facts: Vec<Annotation>,
}

/// A trace that grows.
#[derive(Debug)]
pub(super) struct Tracks {
    descriptors: Vec<Packet>,
    events: Vec<(u64, TrackEvent)>,
    process: Track,
}

impl Tracks {
    /// With the track of a process, under which all others hang.
    pub(super) fn of_process(pid: u32, name: &str) -> Self {
        let process = Track(1);
        let mut tracks = Self { descriptors: Vec::new(), events: Vec::new(), process };
        tracks.describe(TrackDescriptor {
            uuid: Some(process.0),
            process: Some(Process { pid: i32::try_from(pid).ok(), process_name: Some(text(name)) }),
            child_ordering: Some(EXPLICIT_ORDER),
            ..TrackDescriptor::default()
        });
        tracks
    }

    /// A track for slices and instants, below those before it.
    pub(super) fn track(&mut self, name: &str) -> Track {
        self.below(TrackDescriptor { name: Some(name.to_owned()), ..TrackDescriptor::default() })
    }

    /// A track for a size.
    pub(super) fn counter(&mut self, name: &str) -> Track {
        let counter = Some(Counter { unit: Some(SIZE_BYTES) });
        self.below(TrackDescriptor { name: Some(name.to_owned()), counter, ..TrackDescriptor::default() })
    }

    fn below(&mut self, descriptor: TrackDescriptor) -> Track {
        let number = self.descriptors.len() as u64 + 1;
        self.describe(TrackDescriptor {
            uuid: Some(number),
            parent_uuid: Some(self.process.0),
            sibling_order_rank: i32::try_from(number).ok(),
            ..descriptor
        });
        Track(number)
    }

    fn describe(&mut self, descriptor: TrackDescriptor) {
        self.descriptors.push(Packet { track_descriptor: Some(descriptor), ..Packet::default() });
    }

    /// A size at a time.
    pub(super) fn value(&mut self, track: Track, at: Nanos, bytes: i64) {
        let event = TrackEvent { counter_value: Some(bytes), ..event(COUNTER, track) };
        self.events.push((time(at), event));
    }

    /// Something that happened at a time.
    pub(super) fn instant(&mut self, track: Track, at: Nanos, said: Said) {
        self.events.push((time(at), told(event(INSTANT, track), said)));
    }

    /// Slices, in the order of their starts, on a track and as many of its name beside it as they need.
    pub(super) fn slices(&mut self, track: Track, name: &str, slices: impl Iterator<Item = (Span, Said)>) {
        let mut rows = vec![(track, Nanos(0))];
        for (span, said) in slices {
            let free = rows.iter().position(|(_, until)| *until <= span.start);
            let row = free.unwrap_or_else(|| {
                rows.push((self.track(name), Nanos(0)));
                rows.len() - 1
            });
            let Some((track, until)) = rows.get_mut(row) else { continue };
            *until = span.end;
            self.events.push((time(span.start), told(event(BEGIN, *track), said)));
            self.events.push((time(span.end), event(END, *track)));
        }
    }

    /// Tracks first, then events in the order of time; of one time, in that in which they came.
    pub(super) fn packets(mut self) -> Vec<Packet> {
        self.events.sort_by_key(|(at, _)| *at);
        let events = self.events.into_iter().map(|(at, event)| Packet {
            timestamp: Some(at),
            timestamp_clock_id: Some(BOOTTIME),
            track_event: Some(event),
            ..Packet::default()
        });
        let mut packets: Vec<Packet> = self.descriptors.into_iter().chain(events).collect();
        for packet in &mut packets {
            packet.trusted_packet_sequence_id = Some(SEQUENCE);
        }
        if let Some(first) = packets.first_mut() {
            first.sequence_flags = Some(1);
        }
        packets
    }
}

fn event(kind: i32, track: Track) -> TrackEvent {
    TrackEvent { kind: Some(kind), track_uuid: Some(track.0), ..TrackEvent::default() }
}

fn told(event: TrackEvent, said: Said) -> TrackEvent {
    let Said { category, name, facts } = said;
    TrackEvent { categories: vec![category.to_owned()], name: Some(name), debug_annotations: facts, ..event }
}

/// A time as Perfetto keeps it: an i64.
fn time(at: Nanos) -> u64 {
    at.0.min(i64::MAX as u64)
}

/// The fields of a part of the report, as JSON has them; those that are not known are left out.
pub(super) fn facts(part: &impl Serialize) -> Vec<Annotation> {
    match serde_json::to_value(part) {
        Ok(Value::Object(fields)) => entries(&fields),
        _ => Vec::new(),
    }
}

fn entries(fields: &serde_json::Map<String, Value>) -> Vec<Annotation> {
    let known = fields.iter().filter(|(_, value)| !value.is_null());
    known.map(|(name, value)| Annotation { name: Some(name.clone()), ..annotation(value) }).collect()
}

fn annotation(value: &Value) -> Annotation {
    let mut annotation = Annotation::default();
    match value {
        Value::Null => {}
        Value::Bool(truth) => annotation.bool_value = Some(*truth),
        Value::Number(number) => {
            annotation.uint_value = number.as_u64();
            annotation.int_value = number.as_i64().filter(|_| annotation.uint_value.is_none());
        }
        Value::String(words) => annotation.string_value = Some(text(words)),
        Value::Array(items) => annotation.array_values = items.iter().map(self::annotation).collect(),
        Value::Object(fields) => annotation.dict_entries = entries(fields),
    }
    annotation
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said() -> Said {
        Said { category: "growth", name: "double".to_owned(), facts: Vec::new() }
    }

    fn packets(spans: &[(u64, u64)]) -> Vec<Packet> {
        let mut tracks = Tracks::of_process(1, "x");
        let track = tracks.track("map");
        let mut spans: Vec<Span> = spans.iter().map(|(a, b)| Span::new(Nanos(*a), Nanos(*b))).collect();
        spans.sort();
        tracks.slices(track, "map", spans.into_iter().map(|span| (span, said())));
        tracks.packets()
    }

    /// What lies on each track: whether a slice begins, and when.
    fn on_each(packets: &[Packet]) -> std::collections::BTreeMap<u64, Vec<(bool, u64)>> {
        let mut on: std::collections::BTreeMap<u64, Vec<(bool, u64)>> = std::collections::BTreeMap::new();
        for packet in packets {
            if let Some(event) = &packet.track_event {
                let place = on.entry(event.track_uuid.unwrap()).or_default();
                place.push((event.kind == Some(BEGIN), packet.timestamp.unwrap()));
            }
        }
        on
    }

    #[test]
    fn what_overlaps_goes_beside_and_what_follows_stays() {
        assert_eq!(on_each(&packets(&[(1, 5), (5, 9), (9, 9)])).len(), 1);
        assert_eq!(on_each(&packets(&[(1, 6), (5, 9), (6, 7)])).len(), 2);
    }

    proptest! {
        #[test]
        fn on_every_track_slices_follow_each_other_and_none_ends_before_it_began(
            spans in prop::collection::vec((0_u64..40, 0_u64..40), 0..30)
        ) {
            let packets = packets(&spans);
            for events in on_each(&packets).values() {
                prop_assert!(events.is_sorted_by_key(|(_, at)| *at));
                for pair in events.chunks(2) {
                    prop_assert!(matches!(pair, [(true, start), (false, end)] if start <= end));
                }
            }
            let begun = on_each(&packets).values().flatten().filter(|(begins, _)| *begins).count();
            prop_assert_eq!(begun, spans.len());
        }
    }
}
