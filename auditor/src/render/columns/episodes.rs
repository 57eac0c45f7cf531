//! The columns of a growth episode.

use super::{Cell, Column, Side, always, maps};
use crate::audit::report::{Episode, Report};
use crate::audit::unit::Nanos;
use crate::render::style::Tone;
use crate::render::{human, phrases};

/// Every column of an episode.
pub const EPISODES: &[Column<Episode>] = &[
    Column {
        title: "start",
        help: "when the new table was asked for, since the audit began; the hook's time",
        width: 9,
        side: Side::Right,
        importance: 1,
        speaks: always,
        cell: |episode, report, _| Cell::normal(human::offset(&report.window, episode.start)),
        sort: None,
    },
    Column {
        title: "map",
        help: "which map grew",
        width: 16,
        side: Side::Stretch,
        importance: 2,
        speaks: always,
        cell: |episode, report, cells| Cell::normal(name(episode, report, cells)),
        sort: None,
    },
    Column {
        title: "kind",
        help: "how it grew; from the growth hook's arguments",
        width: 9,
        side: Side::Left,
        importance: 3,
        speaks: always,
        cell: |episode, _, _| Cell::normal(phrases::growth(episode.kind).to_owned()),
        sort: None,
    },
    Column {
        title: "took",
        help: "from asking for the new table to letting the old one go; hooks",
        width: 9,
        side: Side::Right,
        importance: 5,
        speaks: always,
        cell: |episode, _, _| took(episode),
        sort: None,
    },
    Column {
        title: "new table",
        help: "bytes asked for by this growth; from the allocation hook",
        width: 9,
        side: Side::Right,
        importance: 4,
        speaks: always,
        cell: |episode, _, _| Cell::normal(human::bytes(episode.allocated)),
        sort: None,
    },
    Column {
        title: "mmap lag",
        help: "from the start to the first mmap for its tables; kernel syscall events",
        width: 8,
        side: Side::Right,
        importance: 8,
        speaks: always,
        cell: |episode, _, _| lag(episode.mmap_lag),
        sort: None,
    },
    Column {
        title: "RSS step",
        help: "how RSS moved from start to end; kernel rss_stat events, else /proc",
        width: 10,
        side: Side::Right,
        importance: 6,
        speaks: always,
        cell: |episode, _, _| Cell::normal(human::known(episode.rss_delta, human::change)),
        sort: None,
    },
    Column {
        title: "RSS lag",
        help: "from the start to the first step of RSS; kernel rss_stat events",
        width: 8,
        side: Side::Right,
        importance: 7,
        speaks: always,
        cell: |episode, _, _| lag(episode.rss_lag),
        sort: None,
    },
    Column {
        title: "stall",
        help: "the longest time in which no old bucket moved",
        width: 8,
        side: Side::Right,
        importance: 9,
        speaks: always,
        cell: |episode, _, _| lag(episode.stall),
        sort: None,
    },
];

/// The map's name; its address where the report does not list it.
#[must_use]
pub fn name(episode: &Episode, report: &Report, cells: usize) -> String {
    maps::at(report, episode.place(), episode.start)
        .map_or_else(|| episode.map.to_string(), |map| maps::label(map, cells))
}

fn took(episode: &Episode) -> Cell {
    match episode.end {
        None => Cell::toned("under way".to_owned(), Tone::Warn),
        Some(end) => Cell::normal(human::span(end.since(episode.start))),
    }
}

fn lag(time: Option<Nanos>) -> Cell {
    Cell::normal(human::known(time, human::span))
}
