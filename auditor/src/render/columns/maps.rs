//! The columns of a map.

use super::names::distinct;
use super::{Cell, Column, Side, always};
use crate::audit::report::{Evacuation, Map, Place, Report, Upcoming, Verdict};
use crate::audit::unit::{Bytes, Nanos};
use crate::render::style::Tone;
use crate::render::{escape, human, phrases};

pub use super::names::{label, type_of};

/// An evacuation that moved nothing for so long is called stalled: every write moves some, so a
/// second without is a map that nobody writes to, and both tables stay until somebody does.
const STALLED_AFTER: Nanos = Nanos(1_000_000_000);

/// Every column of a map.
///
/// Columns without a number to sort by are words, and sorted as such.
pub const MAPS: &[Column<Map>] = &[
    Column {
        title: "map",
        help: "its name in the target, else who holds it, else its type and address; read from its memory",
        width: 20,
        side: Side::Stretch,
        importance: 1,
        speaks: always,
        cell: |map, report, cells| Cell::normal(distinct(map, report, cells)),
        sort: None,
    },
    Column {
        title: "type",
        help: "its type as the runtime writes it, or those it may be of; read from the target's memory",
        width: 14,
        side: Side::Stretch,
        importance: 8,
        speaks: |report| any(report, |map| map.type_name.is_some() || !map.candidates.is_empty()),
        cell: |map, _, cells| Cell::normal(type_of(map, cells)),
        sort: None,
    },
    Column {
        title: "pid",
        help: "in which member of the family it is; as the auditor's /proc numbers them",
        width: 7,
        side: Side::Right,
        importance: 4,
        speaks: |report| any(report, |map| map.pid.is_some()),
        cell: |map, _, _| Cell::normal(human::known(map.pid, |pid| pid.0.to_string())),
        sort: None,
    },
    Column {
        title: "runtime",
        help: "whose hash map it is; recognised from the executable's file",
        width: 10,
        side: Side::Left,
        importance: 13,
        speaks: |report| any(report, |map| map.runtime != report.maps[0].runtime),
        cell: |map, _, cells| Cell::normal(escape::visible(&map.runtime, cells)),
        sort: None,
    },
    Column {
        title: "live",
        help: "entries a lookup could find; read from the map's header",
        width: 6,
        side: Side::Right,
        importance: 6,
        speaks: always,
        cell: |map, _, _| count(map.live),
        sort: Some(|map| map.live),
    },
    Column {
        title: "capacity",
        help: "slots in the current table; read from the map's header",
        width: 8,
        side: Side::Right,
        importance: 11,
        speaks: always,
        cell: |map, _, _| count(map.capacity),
        sort: Some(|map| map.capacity),
    },
    Column {
        title: "full",
        help: "live of capacity, in percent; both from one look at the header",
        width: 6,
        side: Side::Bar,
        importance: 5,
        speaks: always,
        cell: |map, _, _| full(map),
        sort: Some(permille_full),
    },
    Column {
        title: "allocated",
        help: "bytes of header, tables, overflow and old table; from the header, else from the hooks",
        width: 9,
        side: Side::Right,
        importance: 2,
        speaks: always,
        cell: |map, _, _| size(map.bytes.allocated),
        sort: Some(|map| bytes(map.bytes.allocated)),
    },
    Column {
        title: "rebuilt",
        help: "bytes that its live entries would need in a map just rebuilt; computed from the header",
        width: 9,
        side: Side::Right,
        importance: 10,
        speaks: |report| any(report, |map| map.bytes.needed.is_some()),
        cell: |map, _, _| size(map.bytes.needed),
        sort: Some(|map| bytes(map.bytes.needed)),
    },
    Column {
        title: "resident",
        help: "the part of allocated that is in RAM, in bytes; from the kernel's page map",
        width: 9,
        side: Side::Right,
        importance: 3,
        speaks: |report| any(report, |map| map.bytes.resident.is_some()),
        cell: |map, _, _| size(map.bytes.resident),
        sort: Some(|map| bytes(map.bytes.resident)),
    },
    Column {
        title: "stranded",
        help: "resident less what the live entries need after a rebuild, in bytes; computed",
        width: 9,
        side: Side::Right,
        importance: 12,
        speaks: |report| any(report, |map| map.bytes.stranded.is_some()),
        cell: |map, _, _| size(map.bytes.stranded),
        sort: Some(|map| bytes(map.bytes.stranded)),
    },
    Column {
        title: "old table",
        help: "the table still held while it is evacuated, in bytes; read from the map's header",
        width: 9,
        side: Side::Right,
        importance: 7,
        speaks: |report| any(report, has_old_table),
        cell: |map, _, _| old_table(map),
        sort: Some(|map| bytes(map.bytes.old_table)),
    },
    Column {
        title: "tombs",
        help: "tombstones: slots that are empty but may not be reused freely; read from its memory",
        width: 6,
        side: Side::Right,
        importance: 16,
        speaks: |report| any(report, |map| map.tombstones.is_some_and(|tombstones| tombstones > 0)),
        cell: |map, _, _| count(map.tombstones),
        sort: Some(|map| map.tombstones),
    },
    Column {
        title: "moved",
        help: "old buckets moved of those to move, in percent; from the header or the hook",
        width: 6,
        side: Side::Right,
        importance: 14,
        speaks: |report| any(report, |map| map.evacuation.is_some()),
        cell: |map, _, _| moved(map),
        sort: None,
    },
    Column {
        title: "growths",
        help: "growths of all kinds; counted by the hooks since the audit began",
        width: 7,
        side: Side::Right,
        importance: 9,
        speaks: |report| any(report, |map| phrases::growths_in_all(&map.growths).is_some()),
        cell: |map, _, _| count(phrases::growths_in_all(&map.growths)),
        sort: Some(|map| phrases::growths_in_all(&map.growths)),
    },
    Column {
        title: "peak",
        help: "the most allocated that was seen, in bytes; kept by the audit",
        width: 9,
        side: Side::Right,
        importance: 15,
        speaks: |report| !phrases::is_one_look(report),
        cell: |map, _, _| size(map.bytes.peak),
        sort: Some(|map| bytes(map.bytes.peak)),
    },
    Column {
        title: "next growth",
        help: "what it holds on top while both tables are there (! does not fit), and in how long; forecast",
        width: 19,
        side: Side::Right,
        importance: 13,
        speaks: |report| any(report, |map| map.next_growth.is_some()),
        cell: |map, report, _| next_growth(map, report),
        sort: Some(|map| map.next_growth.map(|next| next.peak_extra.0)),
    },
    Column {
        title: "comes back",
        help: "what will become of its memory: `auditor explain verdict`; decided from all that was seen",
        width: 12,
        side: Side::Left,
        importance: 8,
        speaks: |report| any(report, |map| map.verdict.is_some_and(|verdict| verdict != Verdict::InUse)),
        cell: |map, _, _| verdict(map),
        sort: None,
    },
    Column {
        title: "address",
        help: "where its header is in the target",
        width: 18,
        side: Side::Left,
        importance: 17,
        speaks: always,
        cell: |map, _, _| Cell::toned(map.address.to_string(), Tone::Quiet),
        sort: None,
    },
    Column {
        title: "state",
        help: "moving: an old table is evacuated; stall: nothing moved for a second; garbage: nothing leads to it",
        width: 12,
        side: Side::Left,
        importance: 4,
        speaks: |report| !phrases::is_one_look(report) || any(report, is_remarkable),
        cell: |map, report, _| {
            if phrases::is_one_look(report) { glimpsed(map) } else { state(map) }
        },
        sort: None,
    },
];

/// Whether so it is with any map.
fn any(report: &Report, so: impl FnMut(&Map) -> bool) -> bool {
    report.maps.iter().any(so)
}

/// What a map is doing.
#[must_use]
pub fn state(map: &Map) -> Cell {
    if map.died.is_some() {
        return Cell::toned("dropped".to_owned(), Tone::Quiet);
    }
    if let Some(evacuation) = map.evacuation.filter(|evacuation| evacuation.in_progress)
        && map.reachable != Some(false)
    {
        return under_way(evacuation);
    }
    match (map.reachable, map.live) {
        (Some(false), _) => Cell::toned("garbage".to_owned(), Tone::Quiet),
        (_, None) => Cell::toned("not read".to_owned(), Tone::Quiet),
        _ => Cell::normal("steady".to_owned()),
    }
}

/// What one look shows a map to be doing: how far an evacuation is, but not whether it goes on.
fn glimpsed(map: &Map) -> Cell {
    let under_way = map.evacuation.filter(|_| phrases::is_evacuating(map));
    match under_way.filter(|_| phrases::is_held(map)) {
        Some(it) => Cell::toned(format!("moved {}", share_of(it)), Tone::Warn),
        None => state(map),
    }
}

/// `43%`.
fn share_of(evacuation: Evacuation) -> String {
    human::share(evacuation.moved, evacuation.total).replace(" %", "%")
}

/// Whether a map that something leads to is anything but steady.
fn is_remarkable(map: &Map) -> bool {
    phrases::is_held(map) && (map.live.is_none() || phrases::is_evacuating(map))
}

/// Whether a map holds two tables, or was seen to.
fn has_old_table(map: &Map) -> bool {
    map.evacuation.is_some() || map.bytes.old_table.is_some_and(|held| held > Bytes(0))
}

/// How far an evacuation is, or since when it is stuck.
fn under_way(evacuation: Evacuation) -> Cell {
    match evacuation.stalled_for {
        Some(stalled) if stalled >= STALLED_AFTER => {
            Cell::toned(format!("stall {}", human::span(stalled)), Tone::Bad)
        }
        _ => Cell::toned(format!("moving {}", share_of(evacuation)), Tone::Warn),
    }
}

fn permille_full(map: &Map) -> Option<u64> {
    human::permille(map.live?, map.capacity?)
}

fn full(map: &Map) -> Cell {
    let text = match (map.live, map.capacity) {
        (Some(live), Some(capacity)) => human::share(live, capacity),
        _ => human::UNKNOWN.to_owned(),
    };
    Cell { text, tone: Tone::Normal, permille: permille_full(map) }
}

fn moved(map: &Map) -> Cell {
    let share = |evacuation: Evacuation| human::share(evacuation.moved, evacuation.total);
    Cell::normal(human::known(map.evacuation, share))
}

fn old_table(map: &Map) -> Cell {
    match map.bytes.old_table {
        Some(Bytes(0)) => Cell::toned(human::bytes(Bytes(0)), Tone::Quiet),
        Some(held) => Cell::toned(human::bytes(held), Tone::Warn),
        None => size(None),
    }
}

/// What its next growth needs on top, marked where that does not fit into what is left, and how long until
/// then, where it is filling.
fn next_growth(map: &Map, report: &Report) -> Cell {
    let Some(next) = map.next_growth else { return size(None) };
    let is_its = |growth: &&Upcoming| growth.map == map.address && map.died.is_none();
    let fits = report.forecast.growths.iter().find(is_its).and_then(|growth| growth.fits);
    let eta = next.eta.map_or_else(String::new, |eta| format!(" {}", human::span(eta)));
    let needs = format!("{}{eta}", human::bytes(next.peak_extra));
    if fits == Some(false) { Cell::toned(format!("!{needs}"), Tone::Bad) } else { Cell::normal(needs) }
}

/// What a column of words says of a map, to sort by; `None`: nothing is known. Names without the marks
/// that tell namesakes apart: they are found by looking at all other maps.
#[must_use]
pub fn words(column: &Column<Map>, map: &Map, report: &Report) -> Option<String> {
    /// Letters that decide.
    const CELLS: usize = 64;
    let words = match column.title {
        "map" => label(map, CELLS),
        // Shares are words of unequal length: what sorts them is how far it is.
        "moved" => {
            return map
                .evacuation
                .and_then(|it| human::permille(it.moved, it.total))
                .map(|it| format!("{it:04}"));
        }
        _ => (column.cell)(map, report, CELLS).text,
    };
    Some(words).filter(|words| words != human::UNKNOWN)
}

fn verdict(map: &Map) -> Cell {
    map.verdict.map(phrases::verdict).map_or_else(
        || Cell::toned(human::UNKNOWN.to_owned(), Tone::Quiet),
        |(word, _, tone)| Cell::toned(word.to_owned(), tone),
    )
}

fn count(value: Option<u64>) -> Cell {
    Cell::normal(human::known(value, human::short))
}

fn size(value: Option<Bytes>) -> Cell {
    Cell::normal(human::known(value, human::bytes))
}

fn bytes(value: Option<Bytes>) -> Option<u64> {
    value.map(|bytes| bytes.0)
}

/// The map that was at a place at a time: places are used again.
#[must_use]
pub fn at(report: &Report, place: Place, time: Nanos) -> Option<&Map> {
    let there = || report.maps.iter().filter(move |map| map.place() == place);
    there().find(|map| map.lived_at(time)).or_else(|| there().next())
}
