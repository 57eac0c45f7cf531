//! The columns of a map.

use super::{Cell, Column, Side};
use crate::audit::report::{Evacuation, Map, Report};
use crate::audit::unit::{Bytes, Nanos};
use crate::render::style::Tone;
use crate::render::{escape, human, phrases};

/// An evacuation that moved nothing for so long is called stalled: every write moves some, so a
/// second without is a map that nobody writes to, and both tables stay until somebody does.
const STALLED_AFTER: Nanos = Nanos(1_000_000_000);

/// Every column of a map.
pub const MAPS: &[Column<Map>] = &[
    Column {
        title: "map",
        help: "its name in the target, else its type and address; read from the target's memory",
        width: 20,
        side: Side::Stretch,
        importance: 1,
        cell: |map, _, cells| Cell::normal(label(map, cells)),
        sort: None,
    },
    Column {
        title: "runtime",
        help: "whose hash map it is; recognised from the executable's file",
        width: 10,
        side: Side::Left,
        importance: 11,
        cell: |map, _, cells| Cell::normal(escape::visible(&map.runtime, cells)),
        sort: None,
    },
    Column {
        title: "live",
        help: "entries a lookup could find; read from the map's header",
        width: 6,
        side: Side::Right,
        importance: 5,
        cell: |map, _, _| count(map.live),
        sort: Some(|map| map.live),
    },
    Column {
        title: "capacity",
        help: "slots in the current table; read from the map's header",
        width: 8,
        side: Side::Right,
        importance: 9,
        cell: |map, _, _| count(map.capacity),
        sort: Some(|map| map.capacity),
    },
    Column {
        title: "full",
        help: "live of capacity, in percent; both from one look at the header",
        width: 6,
        side: Side::Bar,
        importance: 4,
        cell: |map, _, _| full(map),
        sort: Some(permille_full),
    },
    Column {
        title: "allocated",
        help: "bytes of header, tables, overflow and old table; from the header, else from the hooks",
        width: 9,
        side: Side::Right,
        importance: 2,
        cell: |map, _, _| size(map.bytes.allocated),
        sort: Some(|map| bytes(map.bytes.allocated)),
    },
    Column {
        title: "resident",
        help: "the part of allocated that is in RAM, in bytes; from the kernel's page map",
        width: 9,
        side: Side::Right,
        importance: 8,
        cell: |map, _, _| size(map.bytes.resident),
        sort: Some(|map| bytes(map.bytes.resident)),
    },
    Column {
        title: "stranded",
        help: "resident less what the live entries need after a rebuild, in bytes; computed",
        width: 9,
        side: Side::Right,
        importance: 10,
        cell: |map, _, _| size(map.bytes.stranded),
        sort: Some(|map| bytes(map.bytes.stranded)),
    },
    Column {
        title: "old table",
        help: "the table still held while it is evacuated, in bytes; read from the map's header",
        width: 9,
        side: Side::Right,
        importance: 6,
        cell: |map, _, _| old_table(map),
        sort: Some(|map| bytes(map.bytes.old_table)),
    },
    Column {
        title: "moved",
        help: "old buckets moved of those to move, in percent; from the header or the hook",
        width: 6,
        side: Side::Right,
        importance: 12,
        cell: |map, _, _| moved(map),
        sort: None,
    },
    Column {
        title: "growths",
        help: "growths of all kinds; counted by the hooks since the audit began",
        width: 7,
        side: Side::Right,
        importance: 7,
        cell: |map, _, _| count(Some(phrases::growths_in_all(&map.growths))),
        sort: Some(|map| Some(phrases::growths_in_all(&map.growths))),
    },
    Column {
        title: "peak",
        help: "the most allocated that was seen, in bytes; kept by the audit",
        width: 9,
        side: Side::Right,
        importance: 13,
        cell: |map, _, _| size(map.bytes.peak),
        sort: Some(|map| bytes(map.bytes.peak)),
    },
    Column {
        title: "address",
        help: "where its header is in the target",
        width: 18,
        side: Side::Left,
        importance: 14,
        cell: |map, _, _| Cell::toned(map.address.to_string(), Tone::Quiet),
        sort: None,
    },
    Column {
        title: "state",
        help: "moving: an old table is being evacuated; stalled: no bucket moved for a second or more",
        width: 12,
        side: Side::Left,
        importance: 3,
        cell: |map, _, _| state(map),
        sort: None,
    },
];

/// What a map is called, in at most `cells`: its name, else its type and the end of its address,
/// else its address.
#[must_use]
pub fn label(map: &Map, cells: usize) -> String {
    let address = map.address.to_string();
    match (&map.name, &map.type_name) {
        (Some(name), _) if !name.is_empty() => escape::visible(name, cells),
        (_, Some(type_name)) if !type_name.is_empty() => typed(type_name, &address, cells),
        _ => escape::clip(&address, cells),
    }
}

/// A type and as much of the address as leaves room for it: many maps are of one type.
fn typed(type_name: &str, address: &str, cells: usize) -> String {
    /// Cells of the end of an address, with its mark: enough to tell neighbours apart.
    const END: usize = 7;
    let whole = escape::visible(type_name, cells);
    let left = cells.saturating_sub(escape::width(&whole) + 1);
    let address = escape::visible_tail(address, left.max(END));
    let room = cells.saturating_sub(escape::width(&address) + 1);
    escape::clip(&format!("{} {address}", escape::clip(&whole, room)), cells)
}

/// What a map is doing.
#[must_use]
pub fn state(map: &Map) -> Cell {
    if map.died.is_some() {
        return Cell::toned("dropped".to_owned(), Tone::Quiet);
    }
    if let Some(evacuation) = map.evacuation.filter(|evacuation| evacuation.in_progress) {
        return under_way(evacuation);
    }
    match (map.reachable, map.live) {
        (Some(false), _) => Cell::toned("unreachable".to_owned(), Tone::Warn),
        (_, None) => Cell::toned("not read".to_owned(), Tone::Quiet),
        _ => Cell::normal("steady".to_owned()),
    }
}

/// How far an evacuation is, or since when it is stuck.
fn under_way(evacuation: Evacuation) -> Cell {
    match evacuation.stalled_for {
        Some(stalled) if stalled >= STALLED_AFTER => {
            Cell::toned(format!("stall {}", human::span(stalled)), Tone::Bad)
        }
        _ => Cell::toned(
            format!("moving {}", human::share(evacuation.moved, evacuation.total)).replace(" %", "%"),
            Tone::Warn,
        ),
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

fn count(value: Option<u64>) -> Cell {
    Cell::normal(human::known(value, human::short))
}

fn size(value: Option<Bytes>) -> Cell {
    Cell::normal(human::known(value, human::bytes))
}

fn bytes(value: Option<Bytes>) -> Option<u64> {
    value.map(|bytes| bytes.0)
}

/// The map that had an address at a time: addresses are used again.
#[must_use]
pub fn at(report: &Report, address: crate::audit::unit::Address, time: Nanos) -> Option<&Map> {
    let lived =
        |map: &&Map| map.born.is_none_or(|born| born <= time) && map.died.is_none_or(|died| time <= died);
    let of_that_address = || report.maps.iter().filter(move |map| map.address == address);
    of_that_address().find(lived).or_else(|| of_that_address().next())
}
