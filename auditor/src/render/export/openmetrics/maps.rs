//! What is told of maps: the largest of the living one by one, the rest and the small ones as one row. What
//! [`FIELDS`] calls a metric is one.

use std::collections::BTreeSet;

use super::{Family, Labels, MAPS, Number};
use crate::audit::report::{Map, Population, Report};
use crate::render::columns::fields::{FIELDS, Field, Unit};
use crate::render::export::{called, text};

/// The label `map` of the row that adds up all that are not listed.
const REST: &str = "[rest]";

/// Fields of growths, one a kind.
const GROWTHS: &str = "growths.";

/// All metrics of maps.
pub(super) fn of(report: &Report) -> Vec<Family> {
    let mut places = BTreeSet::new();
    let living = report.maps.iter().filter(|map| map.died.is_none() && places.insert(map.place()));
    let living: Vec<&Map> = living.collect();
    let (largest, maps) = living.split_at(living.len().min(MAPS));
    let rest = Rest { maps, small: &report.populations };
    let mut families = vec![counted(largest, &rest), verdicts(largest)];
    families.extend(FIELDS.iter().filter_map(|field| family(field, largest, &rest)));
    families.push(growths(largest, &rest));
    families
}

/// Maps without series of their own.
#[derive(Debug)]
struct Rest<'a> {
    maps: &'a [&'a Map],
    small: &'a [Population],
}

impl Rest<'_> {
    fn number(&self) -> u64 {
        self.small.iter().fold(self.maps.len() as u64, |sum, row| sum.saturating_add(row.alive))
    }

    /// What all of them come to; `None`: of one of them it is not known, it cannot be added up, or there is
    /// none.
    fn sum(&self, field: &Field) -> Option<u64> {
        let of_maps = self.maps.iter().map(|map| (field.value)(map).number());
        let mut numbers = of_maps.chain(self.small.iter().map(|row| of_small(field, row)));
        let first = numbers.next()??;
        let all = numbers.try_fold(first, |sum, number| Some(sum.saturating_add(number?)));
        all.filter(|_| adds_up(field))
    }
}

/// The same of maps that are added up already.
fn of_small(field: &Field, row: &Population) -> Option<u64> {
    match field.name {
        "live" => Some(row.live),
        "capacity" => Some(row.capacity),
        "bytes.allocated" => Some(row.bytes.allocated.0),
        "bytes.needed" => row.bytes.needed.map(|bytes| bytes.0),
        "bytes.stranded" => row.bytes.stranded.map(|bytes| bytes.0),
        "tables.allocated" => row.tables.allocated,
        "tables.allocated_bytes" => row.tables.allocated_bytes.map(|bytes| bytes.0),
        "tables.freed" => row.tables.freed,
        "tables.freed_bytes" => row.tables.freed_bytes.map(|bytes| bytes.0),
        "growths.first" => row.growths.first,
        "growths.double" => row.growths.double,
        "growths.same_size" => row.growths.same_size,
        "growths.shrink" => row.growths.shrink,
        "growths.split" => row.growths.split,
        "growths.other" => row.growths.other,
        _ => None,
    }
}

/// Whether numbers of many maps can be added up: not what is to come, nor what was at different times.
fn adds_up(field: &Field) -> bool {
    let apart = ["next_growth.", "evacuation.", "bytes.peak"];
    !apart.iter().any(|name| field.name.starts_with(name))
}

fn counted(largest: &[&Map], rest: &Rest<'_>) -> Family {
    let row = |maps: &str, number| (vec![("series", maps.to_owned())], Number::Whole(number));
    let series = vec![row("own", largest.len() as u64), row("rest", rest.number())];
    let help = "Maps that live: the largest have series of their own, the rest has one".to_owned();
    Family { name: "maps", help, unit: Unit::Pieces, series }
}

fn verdicts(largest: &[&Map]) -> Family {
    let judged = largest.iter().filter_map(|map| Some((map, map.verdict?)));
    let series = judged.map(|(map, verdict)| {
        let labels = labels(map).into_iter().chain([("verdict", verdict.word().to_owned())]);
        (labels.collect(), Number::Whole(1))
    });
    let help = "1 for what will become of its memory".to_owned();
    Family { name: "map_verdict", help, unit: Unit::Pieces, series: series.collect() }
}

fn family(field: &Field, largest: &[&Map], rest: &Rest<'_>) -> Option<Family> {
    let metric = field.metric?;
    let series = series(field, metric.unit, largest, rest);
    Some(Family { name: metric.name, help: field.about.to_owned(), unit: metric.unit, series })
}

/// One row a map of which it is known, and one for the rest.
fn series(field: &Field, unit: Unit, largest: &[&Map], rest: &Rest<'_>) -> Vec<(Labels, Number)> {
    let known = largest.iter().filter_map(|map| Some((labels(map), (field.value)(map).number()?)));
    let rest = rest.sum(field).map(|sum| (vec![("map", REST.to_owned())], sum));
    known.chain(rest).map(|(labels, number)| (labels, Number::of(number, unit))).collect()
}

/// Growths by kind.
fn growths(largest: &[&Map], rest: &Rest<'_>) -> Family {
    let kinds = FIELDS.iter().filter_map(|field| Some((field, field.name.strip_prefix(GROWTHS)?)));
    let series = kinds.flat_map(|(field, kind)| {
        let of_kind = series(field, Unit::Pieces, largest, rest).into_iter();
        of_kind.map(move |(mut labels, number)| {
            labels.push(("kind", kind.to_owned()));
            (labels, number)
        })
    });
    let help = "Growths during the audit, by kind".to_owned();
    Family { name: "map_growths", help, unit: Unit::Pieces, series: series.collect() }
}

fn labels(map: &Map) -> Labels {
    let type_name = map.type_name.as_deref().map(|name| ("type", text(name)));
    let member = map.pid.map(|pid| ("member", pid.0.to_string()));
    let named = [("map", called(map)), ("address", map.address.to_string()), ("runtime", text(&map.runtime))];
    named.into_iter().chain(member).chain(type_name).collect()
}
