//! Many growths at a time: of one map, or of many maps in step.

use std::collections::BTreeMap;

use super::Rule;
use super::scene::{Found, Outcome, Scene, Seen, called};
use crate::audit::fact::GrowthKind;
use crate::audit::report::{Episode, Severity};
use crate::audit::unit::{Bytes, Nanos};
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "avalanche",
    line: "many growths at a time, of one map or of many maps in step",
    text: "
Decided by: more than 5 growths of one map within 10 s, each for a table worth a line; or at
least 20 maps that double or split to one size within 1 s, for 8 MiB together, and live on for
as long. Maps of one size under one load pass the same threshold at the same moment, and all of
them hold two tables then. Of more than 10,000 growths the smallest are not seen here.
What to do: presize the maps; or give each another size, so that their growths are spread over
time (jitter of some 10 % does). Presized maps take their memory from the start.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    let mut found: Vec<Found> = scene.held().filter_map(|seen| of_one(scene, seen)).collect();
    found.extend(in_step(scene));
    if found.is_empty() { Outcome::Clear } else { Outcome::Found(found) }
}

/// One map that grew again and again.
fn of_one(scene: &Scene<'_>, seen: Seen<'_>) -> Option<Found> {
    let limits = &scene.thresholds.avalanche;
    let is_one = |growth: &&Episode| growth.kind != GrowthKind::First && growth.allocated >= limits.least.0;
    let starts: Vec<Nanos> = scene.growths_of(seen.map).filter(is_one).map(|growth| growth.start).collect();
    let densest = densest(&starts, limits.within.0);
    if densest.len() as u64 <= limits.growths {
        return None;
    }
    let (first, last) = (*densest.first()?, *densest.last()?);
    Some(Found {
        severity: Severity::Info,
        map: Some(seen.map.address),
        summary: format!(
            "{} grew {} times within {}, each time by a table of its own",
            called(seen.map),
            densest.len(),
            words::span(last.since(first))
        ),
        evidence: vec![format!(
            "only growths for tables of at least {} are counted",
            words::bytes(limits.least.0)
        )],
        remedy: format!(
            "make it for the entries it will have ({} at most so far)",
            words::count(seen.past.most_live)
        ),
        reclaimable: None,
    })
}

/// Maps that grew to one size at a time: the size for which most was asked. Maps that are made, filled
/// and dropped one after the other do not stand side by side.
fn in_step(scene: &Scene<'_>) -> Option<Found> {
    let limits = &scene.thresholds.avalanche;
    let mut by_size: BTreeMap<Bytes, Vec<&Episode>> = BTreeMap::new();
    // Where deaths are only noticed later, only what is known to be held has lived on.
    let deaths_are_told = scene.trends.whole().last().is_none_or(|last| last.counted.is_none());
    for seen in scene.all().filter(|seen| deaths_are_told || seen.map.reachable == Some(true)) {
        let lives_on = |growth: &&Episode| {
            seen.map.died.is_none_or(|died| died.since(growth.start) >= limits.together.0)
        };
        let doubled = scene
            .growths_of(seen.map)
            .filter(|growth| matches!(growth.kind, GrowthKind::Double | GrowthKind::Split));
        doubled.filter(lives_on).for_each(|growth| by_size.entry(growth.allocated).or_default().push(growth));
    }
    let at_once = |(size, growths): (Bytes, Vec<&Episode>)| {
        let mut starts: Vec<Nanos> = growths.iter().map(|growth| growth.start).collect();
        starts.sort_unstable();
        let densest = densest(&starts, limits.together.0);
        let maps = densest.len() as u64;
        let all = Bytes(size.0.saturating_mul(maps));
        let is_one = maps >= limits.maps && all >= limits.together_least.0;
        is_one.then_some((all, maps, size, *densest.first()?, *densest.last()?))
    };
    let (all, maps, size, first, last) = by_size.into_iter().filter_map(at_once).max()?;
    Some(Found {
        severity: Severity::Warning,
        map: None,
        summary: format!(
            "{} maps grew to one size within {}: together they asked for {}",
            words::count(maps),
            words::span(last.since(first)),
            words::bytes(all)
        ),
        evidence: vec![format!(
            "each asked for {}, the first of them {} after the audit began",
            words::bytes(size),
            words::span(first.since(scene.report.window.start))
        )],
        remedy: "presize them; or make each for another number of entries, so that they do not grow at once"
            .to_owned(),
        reclaimable: None,
    })
}

/// Of times in order, the most that lie within a span.
fn densest(times: &[Nanos], span: Nanos) -> &[Nanos] {
    let mut best: &[Nanos] = &[];
    let mut from = 0;
    for (to, time) in times.iter().enumerate() {
        while times.get(from).is_some_and(|first| time.since(*first) > span) {
            from += 1;
        }
        if let Some(window) = times.get(from..=to).filter(|window| window.len() > best.len()) {
            best = window;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_densest_span_is_found() {
        let times: Vec<Nanos> = [0, 10, 50, 51, 52, 90].map(Nanos).to_vec();
        assert_eq!(densest(&times, Nanos(2)), [50, 51, 52].map(Nanos));
        assert_eq!(densest(&times, Nanos(0)), [0].map(Nanos));
        assert_eq!(densest(&[], Nanos(5)), []);
    }
}
