//! The figure of a metric, and what makes it up.

use super::filter::{Filter, means_crowd, means_finding, means_map};
use super::metric::{Fold, Metric, OfMaps, Source, Whose};
use super::outcome::Part;
use super::range::Range;
use crate::audit::report::{Episode, Map, Population, Report};

/// Parts that are named.
pub(super) const NAMED: usize = 10;

/// A figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) range: Range,
    /// What makes it up, the largest first, at most [`NAMED`].
    pub(super) parts: Vec<Part>,
    /// How many more there are.
    pub(super) omitted: u64,
}

impl Figure {
    fn alone(range: Range) -> Self {
        Self { range, parts: Vec::new(), omitted: 0 }
    }

    /// Of parts, folded from nothing on; a part of nothing is none.
    fn of_parts(parts: impl Iterator<Item = Part>, fold: impl Fn(Range, Range) -> Range) -> Self {
        let nothing = Range::exact(0);
        let mut parts: Vec<Part> = parts.filter(|part| part.range != nothing).collect();
        let range = parts.iter().fold(nothing, |all, part| fold(all, part.range));
        // What is not known at all is as large as can be.
        let size = |part: &Part| (part.range.least, part.range.most.unwrap_or(u64::MAX));
        parts.sort_by_key(|part| std::cmp::Reverse(size(part)));
        let omitted = parts.len().saturating_sub(NAMED) as u64;
        parts.truncate(NAMED);
        Self { range, parts, omitted }
    }
}

/// The figure of a metric, of what the filters leave.
pub(super) fn of(metric: &Metric, filters: &[Filter], report: &Report) -> Figure {
    match metric.source {
        Source::Report(figure) => Figure::alone(Range::known(figure(report))),
        Source::Maps(of) => {
            let maps = report.maps.iter().filter_map(|map| of_map(of, filters, map));
            let crowds = report.populations.iter().filter_map(|crowd| of_crowd(of, filters, crowd));
            match of.fold {
                Fold::Sum => Figure::of_parts(maps.chain(crowds), Range::plus),
                Fold::Largest => Figure::of_parts(maps.chain(crowds), Range::or_larger),
            }
        }
        Source::Waits => {
            let waits = report.episodes.iter().filter_map(|episode| of_wait(filters, episode, report));
            Figure::of_parts(waits, Range::or_larger)
        }
        Source::Findings => {
            let meant = |finding: &&_| {
                let crate::audit::report::Finding { severity, rule, .. } = finding;
                means_finding(filters, *severity, rule)
            };
            Figure::of_parts(report.findings.iter().filter(meant).map(Part::of_finding), Range::plus)
        }
    }
}

/// What one map adds; `None`: it is not meant.
fn of_map(of: OfMaps, filters: &[Filter], map: &Map) -> Option<Part> {
    if of.whose == Whose::Living && map.died.is_some() {
        return None;
    }
    let range = counted((of.map)(map), means_map(filters, map))?;
    Some(Part::of_map(map, range))
}

/// What a population adds; `None`: it is not meant.
fn of_crowd(of: OfMaps, filters: &[Filter], crowd: &Population) -> Option<Part> {
    let range = counted((of.crowd)(crowd), means_crowd(filters, crowd))?;
    Some(Part::of_crowd(crowd, range))
}

/// A figure of something that is meant, or perhaps is.
fn counted(range: Range, is_meant: Option<bool>) -> Option<Range> {
    match is_meant {
        Some(false) => None,
        Some(true) => Some(range),
        None => Some(range.perhaps()),
    }
}

/// How long threads waited for the tables of one growth; `None`: its map is not meant.
fn of_wait(filters: &[Filter], episode: &Episode, report: &Report) -> Option<Part> {
    let lived = |map: &&Map| map.place() == episode.place() && map.lived_at(episode.start);
    let map = report.maps.iter().find(lived);
    // Of a map that is not listed only the address is known.
    let is_meant = match map {
        _ if filters.is_empty() => Some(true),
        Some(map) => means_map(filters, map),
        None => None,
    };
    let range = counted(Range::known(episode.waited.map(|waited| waited.0)), is_meant)?;
    Some(map.map_or_else(|| Part::of_address(episode.map, range), |map| Part::of_map(map, range)))
}
