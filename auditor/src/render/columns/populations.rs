//! The columns of a population: maps too small to be listed one by one.

use super::{Cell, Column, Side};
use crate::audit::report::Population;
use crate::render::{escape, human};

/// Every column of a population.
pub const POPULATIONS: &[Column<Population>] = &[
    Column {
        title: "type",
        help: "their type, or runtime where the type is not known, and who holds them",
        width: 20,
        side: Side::Stretch,
        importance: 1,
        cell: |population, _, cells| Cell::normal(name(population, cells)),
        sort: None,
    },
    Column {
        title: "maps",
        help: "how many there were",
        width: 6,
        side: Side::Right,
        importance: 2,
        cell: |population, _, _| count(population.maps),
        sort: None,
    },
    Column {
        title: "alive",
        help: "how many of them live",
        width: 6,
        side: Side::Right,
        importance: 4,
        cell: |population, _, _| count(population.alive),
        sort: None,
    },
    Column {
        title: "live",
        help: "their live entries",
        width: 6,
        side: Side::Right,
        importance: 5,
        cell: |population, _, _| count(population.live),
        sort: None,
    },
    Column {
        title: "capacity",
        help: "their slots",
        width: 8,
        side: Side::Right,
        importance: 6,
        cell: |population, _, _| count(population.capacity),
        sort: None,
    },
    Column {
        title: "allocated",
        help: "what they hold, in bytes",
        width: 9,
        side: Side::Right,
        importance: 3,
        cell: |population, _, _| Cell::normal(human::bytes(population.bytes.allocated)),
        sort: None,
    },
    Column {
        title: "stranded",
        help: "resident less what their live entries need, in bytes",
        width: 9,
        side: Side::Right,
        importance: 7,
        cell: |population, _, _| Cell::normal(human::known(population.bytes.stranded, human::bytes)),
        sort: None,
    },
    Column {
        title: "near empty",
        help: "how many of the living are almost empty",
        width: 10,
        side: Side::Right,
        importance: 8,
        cell: |population, _, _| Cell::normal(human::known(population.near_empty, human::short)),
        sort: None,
    },
    Column {
        title: "too large",
        help: "how many of the living were made much larger than they ever needed",
        width: 9,
        side: Side::Right,
        importance: 9,
        cell: |population, _, _| Cell::normal(human::known(population.over_presized, human::short)),
        sort: None,
    },
];

fn name(population: &Population, cells: usize) -> String {
    let what = population.type_name.as_ref().unwrap_or(&population.runtime);
    match &population.owner {
        Some(owner) => {
            let [what, owner] = [what, owner].map(|text| escape::visible(text, cells));
            escape::clip(&format!("{what} of {owner}"), cells)
        }
        None => escape::visible(what, cells),
    }
}

fn count(value: u64) -> Cell {
    Cell::normal(human::short(value))
}
