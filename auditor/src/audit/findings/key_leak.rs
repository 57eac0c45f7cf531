//! Keys that never go: more than the owner expects, or ever more of them.

use super::Rule;
use super::scene::{Found, Judged, Outcome, Scene, Seen, called, cut, made_in};
use crate::audit::report::{Map, Severity};
use crate::audit::trend::Point;
use crate::audit::unit::Nanos;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "key_leak",
    line: "more keys than expected, or ever more of them and never fewer",
    text: "
Decided by: 30 % more entries than `--expect TYPE=N` says of maps of that type (or name); or
entries that have only risen for a minute, by at least 5 %, and still rise. A fall of 5 % begins
the minute anew. A cache that warms up looks the same until it is full: tell with --expect.
Setting a value to nil, None or 0 keeps its key.
What to do: delete keys that are done with; give them a time to live; bound the cache. What
that frees of this map comes back only with a rebuild: see never_shrinks.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    scene.each(|seen| beyond_expected(scene, seen).unwrap_or_else(|| rising(scene, seen)))
}

/// Whether there are more than was said; `None`: nothing was said.
fn beyond_expected(scene: &Scene<'_>, seen: Seen<'_>) -> Option<Judged> {
    let expected = expected(scene, seen.map)?;
    let live = seen.map.live?;
    let limit = expected.saturating_add(scene.thresholds.key_leak.over.of(expected));
    if live <= limit {
        return Some(Judged::Clear);
    }
    Some(Judged::Found(found(
        seen.map,
        format!(
            "{} has {} entries where {} are expected",
            called(seen.map),
            words::count(live),
            words::count(expected)
        ),
        vec![format!("{} of what is expected", words::share(live, expected))],
    )))
}

fn expected(scene: &Scene<'_>, map: &Map) -> Option<u64> {
    let names = [&map.type_name, &map.name];
    names.into_iter().flatten().find_map(|name| scene.thresholds.expect.get(name)).copied()
}

/// Whether its entries have only risen for long enough.
fn rising(scene: &Scene<'_>, seen: Seen<'_>) -> Judged {
    let limits = &scene.thresholds.key_leak;
    let (Some(trend), Some(live)) = (seen.trend, seen.map.live) else { return Judged::Clear };
    let run = run(trend.points(), |from| limits.rise.of(from));
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return Judged::Clear };
    let span = last.at.since(first.at);
    let rose = live.saturating_sub(first.live);
    let lately = trend.by(Nanos(last.at.0 - span.0 / 4)).map_or(0, |point| point.live);
    let still_rises = live > lately.saturating_add(limits.rise.of(first.live) / 4);
    // A handful of keys more is no leak, however many that are of few.
    if rose <= limits.rise.of(first.live) || rose < 1000 || !still_rises {
        return Judged::Clear;
    }
    if span < limits.watched.0 || (run.len() as u64) < limits.points {
        return Judged::TooEarly(format!(
            "the entries of {} have only risen, but for {} only; it takes {} to tell",
            called(seen.map),
            words::span(span),
            words::span(limits.watched.0)
        ));
    }
    Judged::Found(found(
        seen.map,
        format!(
            "the entries of {} only rise: {} more in {}, and never fewer",
            called(seen.map),
            words::count(rose),
            words::span(span)
        ),
        vec![
            format!("from {} to {} entries", words::count(first.live), words::count(live)),
            format!("{} samples without a fall of {}", run.len(), limits.rise),
        ],
    ))
}

fn found(map: &Map, summary: String, mut evidence: Vec<String>) -> Found {
    evidence.extend(made_in(&map.site).map(|site| format!("it grew when {site}")));
    evidence.extend(map.owner.as_ref().map(|owner| format!("it is held by {}", cut(owner))));
    Found {
        severity: Severity::Warning,
        map: Some(map.address),
        summary,
        evidence,
        remedy: "delete keys that are done with, give them a time to live, or bound the map; setting a value to nil keeps its key".to_owned(),
        reclaimable: None,
    }
}

/// The samples since the last fall: one below the highest so far by more than `slack` of it.
fn run(points: &[Point], slack: impl Fn(u64) -> u64) -> &[Point] {
    let (mut from, mut highest) = (0, 0);
    for (number, point) in points.iter().enumerate() {
        if point.live.saturating_add(slack(highest)) < highest {
            (from, highest) = (number, 0);
        }
        highest = highest.max(point.live);
    }
    points.get(from..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fall_begins_anew_and_a_dip_does_not() {
        let points: Vec<Point> = [100, 200, 50, 60, 59, 80]
            .into_iter()
            .zip(1..)
            .map(|(live, at)| Point { at: Nanos(at), live, ..Point::default() })
            .collect();
        let lives = |slack| -> Vec<u64> {
            run(&points, |from| from * slack / 100).iter().map(|point| point.live).collect()
        };
        assert_eq!(lives(5), [50, 60, 59, 80]);
        assert_eq!(lives(0), [59, 80]);
        assert_eq!(lives(90).len(), 6);
    }
}
