//! The columns of a population: maps too small to be listed one by one.

use super::{Cell, Column, Side, always};
use crate::audit::report::{Population, Report};
use crate::render::{escape, human};

/// Every column of a population.
pub const POPULATIONS: &[Column<Population>] = &[
    Column {
        title: "type",
        help: "their type, or runtime where the type is not known",
        width: 18,
        side: Side::Stretch,
        importance: 1,
        speaks: always,
        cell: |row, _, cells| Cell::normal(escape::visible_middle(type_of(row), cells)),
        sort: None,
    },
    Column {
        title: "held by",
        help: "who holds them: the path from a root",
        width: 14,
        side: Side::Stretch,
        importance: 4,
        speaks: |report| any(report, |row| row.owner.is_some()),
        cell: |row, _, cells| {
            Cell::normal(human::known(row.owner.as_deref(), |owner| escape::visible_middle(owner, cells)))
        },
        sort: None,
    },
    Column {
        title: "maps",
        help: "how many there were",
        width: 6,
        side: Side::Right,
        importance: 2,
        speaks: always,
        cell: |population, _, _| count(population.maps),
        sort: None,
    },
    Column {
        title: "alive",
        help: "how many of them live",
        width: 6,
        side: Side::Right,
        importance: 7,
        speaks: |report| any(report, |row| row.alive != row.maps),
        cell: |population, _, _| count(population.alive),
        sort: None,
    },
    Column {
        title: "live",
        help: "their live entries",
        width: 6,
        side: Side::Right,
        importance: 5,
        speaks: always,
        cell: |population, _, _| count(population.live),
        sort: None,
    },
    Column {
        title: "capacity",
        help: "their slots",
        width: 8,
        side: Side::Right,
        importance: 6,
        speaks: always,
        cell: |population, _, _| count(population.capacity),
        sort: None,
    },
    Column {
        title: "allocated",
        help: "what they hold, in bytes",
        width: 9,
        side: Side::Right,
        importance: 3,
        speaks: always,
        cell: |population, _, _| Cell::normal(human::bytes(population.bytes.allocated)),
        sort: None,
    },
    Column {
        title: "rebuilt",
        help: "what their live entries would need in maps just rebuilt, in bytes",
        width: 9,
        side: Side::Right,
        importance: 8,
        speaks: |report| any(report, |row| row.bytes.needed.is_some()),
        cell: |population, _, _| Cell::normal(human::known(population.bytes.needed, human::bytes)),
        sort: None,
    },
    Column {
        title: "stranded",
        help: "resident less what their live entries need, in bytes",
        width: 9,
        side: Side::Right,
        importance: 10,
        speaks: |report| any(report, |row| row.bytes.stranded.is_some()),
        cell: |population, _, _| Cell::normal(human::known(population.bytes.stranded, human::bytes)),
        sort: None,
    },
    Column {
        title: "near empty",
        help: "how many of the living have a table that is less than an eighth full",
        width: 10,
        side: Side::Right,
        importance: 9,
        speaks: |report| any(report, |row| row.near_empty.is_some()),
        cell: |population, _, _| Cell::normal(human::known(population.near_empty, human::short)),
        sort: None,
    },
    Column {
        title: "too large",
        help: "how many of the near empty never grew: they were made that large",
        width: 9,
        side: Side::Right,
        importance: 11,
        speaks: |report| any(report, |row| row.over_presized.is_some()),
        cell: |population, _, _| Cell::normal(human::known(population.over_presized, human::short)),
        sort: None,
    },
];

/// Whether so it is with any row.
fn any(report: &Report, so: impl FnMut(&Population) -> bool) -> bool {
    report.populations.iter().any(so)
}

fn type_of(population: &Population) -> &str {
    population.type_name.as_ref().unwrap_or(&population.runtime)
}

fn count(value: u64) -> Cell {
    Cell::normal(human::short(value))
}
