//! Whether the auditor's report says what the target's own truth says. Pure: two JSON documents in, a
//! list of figures out. Every count and every byte of the truth is a figure.
//!
//! The truth is what `target-demo --truth` writes, the report is `auditor replay -f json`. Of both only
//! those fields are read that are compared; one that is missing is an error and never 0.

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Bytes of a demo map's header (docs/demo-map.md), which its truth leaves out and a report counts.
const HEADER_BYTES: u64 = 128;

/// One number that both sides know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    /// Which number.
    pub(crate) what: String,
    /// What the target says.
    pub(crate) truth: u64,
    /// What the auditor says; `None`: it does not know.
    pub(crate) auditor: Option<u64>,
}

impl Figure {
    /// Whether both say the same.
    pub(crate) fn agrees(&self) -> bool {
        self.auditor == Some(self.truth)
    }
}

/// Every figure, totals first, then map by map.
pub(crate) fn figures(truth: &str, report: &str) -> Result<Vec<Figure>> {
    let truth: Truth = serde_json::from_str(truth).context("reading the target's truth")?;
    let report: Report = serde_json::from_str(report).context("reading the auditor's report")?;
    let mut figures = totals(&truth, &report);
    for map in &truth.maps {
        let seen = report.maps.iter().find(|seen| seen.address == map.address);
        figures.extend(map_figures(map, seen));
    }
    Ok(figures)
}

/// A table for people: the figures that differ are marked.
pub(crate) fn table(figures: &[Figure]) -> Vec<String> {
    let width = figures.iter().map(|figure| figure.what.len()).max().unwrap_or_default();
    let row = |mark: &str, what: &str, truth: &str, auditor: &str| {
        format!("{mark:<2}{what:<width$}  {truth:>16}  {auditor:>16}").trim_end().to_owned()
    };
    let line = |figure: &Figure| {
        let auditor = figure.auditor.map_or_else(|| "unknown".to_owned(), grouped);
        row(if figure.agrees() { "" } else { "!=" }, &figure.what, &grouped(figure.truth), &auditor)
    };
    [row("", "", "truth", "auditor")].into_iter().chain(figures.iter().map(line)).collect()
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let separated = digits.bytes().enumerate().map(|(at, digit)| {
        let first_of_three = at > 0 && (digits.len() - at).is_multiple_of(3);
        format!("{}{}", if first_of_three { "," } else { "" }, char::from(digit))
    });
    separated.collect()
}

fn totals(truth: &Truth, report: &Report) -> Vec<Figure> {
    let sum = |field: fn(&TruthEvents) -> u64| truth.maps.iter().map(|map| field(&map.events)).sum::<u64>();
    let events = &report.events;
    let total = |what: &str, truth: u64, auditor: Option<u64>| Figure {
        what: format!("all maps: {what}"),
        truth,
        auditor,
    };
    vec![
        total("number", truth.maps.len() as u64, Some(report.maps.len() as u64)),
        total("tables allocated", sum(|events| events.allocate), events.allocate),
        total("growths", sum(|events| events.grow), events.grow),
        total("buckets evacuated", sum(|events| events.evacuate), events.evacuate),
        total("tables freed", sum(|events| events.free), events.free),
        total("keys inserted", sum(|events| events.insert), events.insert),
        total("keys deleted", sum(|events| events.delete), events.delete),
        total("events lost", 0, Some(report.coverage.lost)),
    ]
}

/// A map that the report does not list is unknown in every figure.
fn map_figures(map: &TruthMap, seen: Option<&SeenMap>) -> Vec<Figure> {
    let held = HEADER_BYTES + map.table_bytes + map.old_table_bytes;
    let figure = |what: &str, truth: u64, auditor: fn(&SeenMap) -> Option<u64>| Figure {
        what: format!("{}: {what}", map.address),
        truth,
        auditor: seen.and_then(auditor),
    };
    vec![
        figure("live entries", map.live, |seen| seen.live),
        figure("capacity", map.capacity, |seen| seen.capacity),
        figure("tombstones", map.tombstones, |seen| seen.tombstones),
        figure("overflow buckets", map.overflow, |seen| seen.overflow),
        figure("bytes held", held, |seen| seen.bytes.allocated),
        figure("bytes in the old table", map.old_table_bytes, |seen| seen.bytes.old_table),
        figure("tables allocated", map.events.allocate, |seen| Some(seen.tables.allocated)),
        figure("bytes allocated", map.events.allocate_bytes, |seen| Some(seen.tables.allocated_bytes)),
        figure("tables freed", map.events.free, |seen| Some(seen.tables.freed)),
        figure("bytes freed", map.events.free_bytes, |seen| Some(seen.tables.freed_bytes)),
        figure("growths to double size", map.growths.double, |seen| Some(seen.growths.double)),
        figure("growths to the same size", map.growths.same_size, |seen| Some(seen.growths.same_size)),
        figure("shrinks", map.growths.shrink, |seen| Some(seen.growths.shrink)),
    ]
}

#[derive(Debug, Deserialize)]
struct Truth {
    maps: Vec<TruthMap>,
}

#[derive(Debug, Deserialize)]
struct TruthMap {
    address: String,
    live: u64,
    capacity: u64,
    tombstones: u64,
    overflow: u64,
    events: TruthEvents,
    growths: Growths,
    table_bytes: u64,
    old_table_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct TruthEvents {
    allocate: u64,
    allocate_bytes: u64,
    grow: u64,
    evacuate: u64,
    free: u64,
    free_bytes: u64,
    insert: u64,
    delete: u64,
}

#[derive(Debug, Deserialize)]
struct Growths {
    double: u64,
    same_size: u64,
    shrink: u64,
}

#[derive(Debug, Deserialize)]
struct Report {
    events: SeenEvents,
    maps: Vec<SeenMap>,
    coverage: Coverage,
}

#[derive(Debug, Deserialize)]
struct SeenEvents {
    allocate: Option<u64>,
    grow: Option<u64>,
    evacuate: Option<u64>,
    free: Option<u64>,
    insert: Option<u64>,
    delete: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct SeenMap {
    address: String,
    live: Option<u64>,
    capacity: Option<u64>,
    tombstones: Option<u64>,
    overflow: Option<u64>,
    bytes: SeenBytes,
    tables: SeenTables,
    growths: Growths,
}

#[derive(Debug, Deserialize)]
struct SeenBytes {
    allocated: Option<u64>,
    old_table: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct SeenTables {
    allocated: u64,
    allocated_bytes: u64,
    freed: u64,
    freed_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Coverage {
    lost: u64,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn truth() -> Value {
        json!({"schema": "demo.truth/1", "pid": 7, "maps": [{
            "address": "0x7f00", "name": "sessions", "live": 10, "capacity": 16, "tombstones": 1, "overflow": 2,
            "events": {"allocate": 3, "allocate_bytes": 4000, "grow": 2, "evacuate": 5, "free": 1,
                       "free_bytes": 1000, "insert": 12, "delete": 2},
            "growths": {"double": 1, "same_size": 0, "shrink": 1},
            "table_bytes": 2000, "old_table_bytes": 1000,
        }]})
    }

    fn report() -> Value {
        json!({"events": {"allocate": 3, "grow": 2, "evacuate": 5, "free": 1, "insert": 12, "delete": 2},
            "maps": [{
                "address": "0x7f00", "live": 10, "capacity": 16, "tombstones": 1, "overflow": 2,
                "bytes": {"allocated": 3128, "resident": null, "old_table": 1000},
                "tables": {"allocated": 3, "allocated_bytes": 4000, "freed": 1, "freed_bytes": 1000},
                "growths": {"first": 1, "double": 1, "same_size": 0, "shrink": 1, "split": 0, "other": 0},
            }],
            "coverage": {"lost": 0},
        })
    }

    fn differing(truth: &Value, report: &Value) -> Vec<String> {
        let figures = figures(&truth.to_string(), &report.to_string()).unwrap();
        figures.into_iter().filter(|figure| !figure.agrees()).map(|figure| figure.what).collect()
    }

    #[test]
    fn a_report_that_says_what_the_truth_says_agrees() {
        assert!(differing(&truth(), &report()).is_empty());
    }

    /// The comparison must fail whichever number of the truth is wrong.
    #[test]
    fn every_number_of_the_truth_that_is_wrong_is_noticed() {
        let paths = [
            "live",
            "capacity",
            "tombstones",
            "overflow",
            "table_bytes",
            "old_table_bytes",
            "events/allocate",
            "events/allocate_bytes",
            "events/grow",
            "events/evacuate",
            "events/free",
            "events/free_bytes",
            "events/insert",
            "events/delete",
            "growths/double",
            "growths/same_size",
            "growths/shrink",
        ];
        for path in paths {
            let mut wrong = truth();
            let number = wrong.pointer_mut(&format!("/maps/0/{path}")).unwrap();
            *number = json!(number.as_u64().unwrap() + 1);
            assert!(!differing(&wrong, &report()).is_empty(), "{path} is not compared");
        }
    }

    #[test]
    fn what_the_auditor_does_not_know_does_not_agree_with_zero() {
        let mut report = report();
        report["events"]["delete"] = Value::Null;
        let mut truth = truth();
        truth["maps"][0]["events"]["delete"] = json!(0);
        assert_eq!(differing(&truth, &report), ["all maps: keys deleted"]);
    }

    #[test]
    fn a_map_too_few_or_too_many_and_lost_events_are_noticed() {
        let mut missing = report();
        missing["maps"] = json!([]);
        assert_eq!(differing(&truth(), &missing).len(), 14);
        let mut invented = report();
        let mut other = invented["maps"][0].clone();
        other["address"] = json!("0x7f80");
        invented["maps"].as_array_mut().unwrap().push(other);
        assert_eq!(differing(&truth(), &invented), ["all maps: number"]);
        let mut lossy = report();
        lossy["coverage"]["lost"] = json!(1);
        assert_eq!(differing(&truth(), &lossy), ["all maps: events lost"]);
    }

    #[test]
    fn a_field_that_is_missing_is_an_error() {
        let mut report = report();
        report["maps"][0]["tables"] = json!({});
        assert!(figures(&truth().to_string(), &report.to_string()).is_err());
    }

    #[test]
    fn the_table_marks_what_differs() {
        let same = Figure { what: "live".to_owned(), truth: 1_234_567, auditor: Some(1_234_567) };
        let other = Figure { what: "growths".to_owned(), truth: 2, auditor: None };
        assert_eq!(
            table(&[same, other]),
            [
                "                      truth           auditor",
                "  live            1,234,567         1,234,567",
                "!=growths                 2           unknown",
            ]
        );
    }
}
