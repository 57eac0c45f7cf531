//! Every value of a map once, under its name in the JSON report: what the files for other programs are made
//! of. Where a table has a column for the same number, the row names it, and a test holds the two together.

use std::borrow::Cow;

use crate::audit::report::{Evacuation, Map, NextGrowth, Origin, Outlook};
use crate::audit::unit::{Bytes, Nanos};

/// One value of a map.
#[derive(Debug)]
pub struct Field {
    /// Its name in the JSON report, dots between the levels.
    pub name: &'static str,
    /// What it says, for the help of metrics.
    pub about: &'static str,
    /// The heading of the column that prints the same number; `None`: no table has it.
    pub title: Option<&'static str>,
    /// What it is as a metric; `None`: it is none.
    pub metric: Option<Metric>,
    /// The value.
    pub value: fn(&Map) -> Value<'_>,
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, without prefix and unit.
    pub name: &'static str,
    /// In what it counts.
    pub unit: Unit,
}

/// In what a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// How many.
    Pieces,
    /// How much.
    Bytes,
    /// How long.
    Seconds,
}

/// A value with its unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nobody knows: never 0.
    Unknown,
    /// Words, as the target has them.
    Text(Cow<'a, str>),
    /// Yes or no.
    Truth(bool),
    /// How many.
    Count(u64),
    /// How much.
    Bytes(Bytes),
    /// How long.
    Span(Nanos),
    /// When, by CLOCK_BOOTTIME.
    Time(Nanos),
}

impl Value<'_> {
    /// As JSON has it, if it is a number.
    #[must_use]
    pub const fn number(&self) -> Option<u64> {
        match self {
            Self::Count(number) => Some(*number),
            Self::Bytes(bytes) => Some(bytes.0),
            Self::Span(nanos) | Self::Time(nanos) => Some(nanos.0),
            Self::Unknown | Self::Text(_) | Self::Truth(_) => None,
        }
    }
}

/// What stands between the parts of a value that is a list.
pub const BETWEEN: &str = "; ";

const fn field(name: &'static str, about: &'static str, value: fn(&Map) -> Value<'_>) -> Field {
    Field { name, about, title: None, metric: None, value }
}

impl Field {
    const fn column(self, title: &'static str) -> Self {
        Self { title: Some(title), ..self }
    }

    const fn pieces(self, name: &'static str) -> Self {
        Self { metric: Some(Metric { name, unit: Unit::Pieces }), ..self }
    }

    const fn bytes(self, name: &'static str) -> Self {
        Self { metric: Some(Metric { name, unit: Unit::Bytes }), ..self }
    }

    const fn seconds(self, name: &'static str) -> Self {
        Self { metric: Some(Metric { name, unit: Unit::Seconds }), ..self }
    }
}

/// Every value of a map.
pub const FIELDS: &[Field] = &[
    field("address", "where its header is", |map| Value::Text(map.address.to_string().into()))
        .column("address"),
    field("pid", "in which member of a family", |map| count(map.pid.map(|pid| u64::from(pid.0))))
        .column("pid"),
    field("name", "the name it bears in the target", |map| optional(&map.name)),
    field("runtime", "whose hash map it is", |map| Value::Text(Cow::Borrowed(&map.runtime)))
        .column("runtime"),
    field("type", "its type", |map| optional(&map.type_name)),
    field("candidates", "the types that it may be of", |map| list(&map.candidates)),
    field("owner", "the path from a root to it", |map| optional(&map.owner)),
    field("site", "call stack of its largest growth, innermost first", |map| list(&map.site)),
    field("origin", "born before or after the audit began", |map| {
        Value::Text(Cow::Borrowed(match map.origin {
            Origin::Observed => "observed",
            Origin::BeforeAttach => "before-attach",
        }))
    }),
    field("born", "when it came into sight", |map| time(map.born)),
    field("died", "when it was dropped", |map| time(map.died)),
    field("reachable", "whether any root leads to it", |map| truth(map.reachable)),
    field("live", "Entries that a lookup could find", |map| count(map.live))
        .column("live")
        .pieces("map_live"),
    field("capacity", "Slots in the current table", |map| count(map.capacity))
        .column("capacity")
        .pieces("map_capacity"),
    field("tombstones", "Slots that are empty but may not be reused freely", |map| count(map.tombstones))
        .column("tombs")
        .pieces("map_tombstones"),
    field("overflow", "Overflow buckets in use", |map| count(map.overflow)).pieces("map_overflow_buckets"),
    field("bytes.allocated", "Header, tables, overflow and old table", |map| size(map.bytes.allocated))
        .column("allocated")
        .bytes("map_allocated"),
    field("bytes.resident", "The part of allocated that is in RAM", |map| size(map.bytes.resident))
        .column("resident")
        .bytes("map_resident"),
    field("bytes.needed", "What its live entries would need in a map just rebuilt", |map| {
        size(map.bytes.needed)
    })
    .column("rebuilt")
    .bytes("map_needed"),
    field("bytes.stranded", "Resident less needed", |map| size(map.bytes.stranded))
        .column("stranded")
        .bytes("map_stranded"),
    field("bytes.old_table", "The table still held while it is evacuated", |map| size(map.bytes.old_table))
        .column("old table")
        .bytes("map_old_table"),
    field("bytes.peak", "The most allocated that was seen", |map| size(map.bytes.peak))
        .column("peak")
        .bytes("map_peak"),
    field("tables.allocated", "Tables asked for during the audit", |map| count(map.tables.allocated))
        .pieces("map_tables_allocated"),
    field("tables.allocated_bytes", "What all tables took that it asked for", |map| {
        size(map.tables.allocated_bytes)
    })
    .bytes("map_tables_allocated"),
    field("tables.freed", "Tables let go during the audit", |map| count(map.tables.freed))
        .pieces("map_tables_freed"),
    field("tables.freed_bytes", "What all tables took that it let go", |map| size(map.tables.freed_bytes))
        .bytes("map_tables_freed"),
    field("growths.first", "First tables", |map| count(map.growths.first)),
    field("growths.double", "Growths to twice the buckets", |map| count(map.growths.double)),
    field("growths.same_size", "Growths to as many buckets", |map| count(map.growths.same_size)),
    field("growths.shrink", "Growths to fewer buckets", |map| count(map.growths.shrink)),
    field("growths.split", "Splits of one of several tables", |map| count(map.growths.split)),
    field("growths.other", "Growths of other kinds", |map| count(map.growths.other)),
    field("cleared", "How often it was emptied at once", |map| count(map.cleared)),
    field("evacuation.moved", "Old buckets moved", |map| moving(map, |it| Value::Count(it.moved))),
    field("evacuation.total", "Old buckets in all", |map| moving(map, |it| Value::Count(it.total))),
    field("evacuation.in_progress", "whether the old table is held", |map| {
        moving(map, |it| Value::Truth(it.in_progress))
    }),
    field("evacuation.stalled_for", "How long nothing has moved", |map| {
        moving(map, |it| span(it.stalled_for))
    })
    .seconds("map_evacuation_stalled"),
    field("next_growth.at_live", "With how many live entries it grows next", |map| {
        next(map, |it| Value::Count(it.at_live))
    })
    .pieces("map_next_growth_live"),
    field("next_growth.new_table", "The new table of the next growth", |map| {
        next(map, |it| Value::Bytes(it.new_table))
    }),
    field("next_growth.peak_extra", "What is held on top while old and new table coexist", |map| {
        next(map, |it| Value::Bytes(it.peak_extra))
    })
    .bytes("map_next_growth_peak_extra"),
    field("next_growth.capacity", "Slots once it has grown", |map| next(map, |it| Value::Count(it.capacity))),
    field("next_growth.eta", "How long until the next growth at the measured rate", |map| {
        next(map, |it| span(it.eta))
    })
    .seconds("map_next_growth_eta"),
    field("next_growth.eta_least", "at the fastest rate", |map| next(map, |it| span(it.eta_least))),
    field("next_growth.eta_most", "at the slowest rate", |map| next(map, |it| span(it.eta_most))),
    field("sizes", "which of the report's sizes it has", |map| {
        count(map.sizes.map(|sizes| u64::from(sizes.0)))
    }),
    field("verdict", "what will become of its memory", |map| {
        map.verdict.map_or(Value::Unknown, |verdict| Value::Text(verdict.word().into()))
    }),
    field("outlook.mechanism", "what gives it back, or what keeps it", |map| {
        outlook(map, |it| Value::Text(Cow::Borrowed(&it.mechanism)))
    }),
    field("outlook.expected_within", "how soon", |map| outlook(map, |it| span(it.expected_within))),
    field("outlook.frees", "how much that frees", |map| outlook(map, |it| size(it.frees))),
    field("outlook.disproof", "what would show that it is not so", |map| {
        outlook(map, |it| Value::Text(Cow::Borrowed(&it.disproof)))
    }),
];

fn optional(text: &Option<String>) -> Value<'_> {
    text.as_deref().map_or(Value::Unknown, |text| Value::Text(text.into()))
}

fn list(parts: &[String]) -> Value<'_> {
    if parts.is_empty() { Value::Unknown } else { Value::Text(parts.join(BETWEEN).into()) }
}

fn truth(value: Option<bool>) -> Value<'static> {
    value.map_or(Value::Unknown, Value::Truth)
}

fn count(value: Option<u64>) -> Value<'static> {
    value.map_or(Value::Unknown, Value::Count)
}

fn size(value: Option<Bytes>) -> Value<'static> {
    value.map_or(Value::Unknown, Value::Bytes)
}

fn span(value: Option<Nanos>) -> Value<'static> {
    value.map_or(Value::Unknown, Value::Span)
}

fn time(value: Option<Nanos>) -> Value<'static> {
    value.map_or(Value::Unknown, Value::Time)
}

fn moving(map: &Map, value: fn(&Evacuation) -> Value<'_>) -> Value<'_> {
    map.evacuation.as_ref().map_or(Value::Unknown, value)
}

fn next(map: &Map, value: fn(&NextGrowth) -> Value<'_>) -> Value<'_> {
    map.next_growth.as_ref().map_or(Value::Unknown, value)
}

fn outlook(map: &Map, value: fn(&Outlook) -> Value<'_>) -> Value<'_> {
    map.outlook.as_ref().map_or(Value::Unknown, value)
}
