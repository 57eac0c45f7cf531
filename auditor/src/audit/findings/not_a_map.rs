//! Memory that is not in maps: where else to look.

use super::Rule;
use super::scene::{Found, Outcome, Scene};
use crate::audit::report::Severity;
use crate::audit::trend::Whole;
use crate::audit::unit::{Bytes, Nanos};
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "not_a_map",
    line: "it is not the maps: they hold little of RSS, or of what it rose by",
    text: "
Decided by: maps hold less than a tenth of an RSS of at least 100 MiB; or RSS has risen by
50 MiB, or by 5 % of the limit, since its last fall, and the maps by less than a tenth of that.
Keys and values that maps point to are not theirs. Where only a look at the whole heap finds
maps, what came after the last one is not judged.
What to do: look at the ladder's largest row. Heap in use, not maps: a heap profile. Free but
kept: the collector's settings. Unexplained: the allocator, other runtimes, caches.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    Outcome::of(rise(scene).or_else(|| share(scene)))
}

/// RSS that rose without the maps.
fn rise(scene: &Scene<'_>) -> Option<Found> {
    let limits = &scene.thresholds.not_a_map;
    let points = scene.trends.whole();
    let last = as_counted(points)?;
    let before = points.partition_point(|point| point.at <= last.at);
    let first = since_the_last_fall(&points[..before])?;
    let (before, after) = first.rss.zip(last.rss)?;
    let rose = after.less(before);
    let enough = match last.limit {
        Some(limit) => limits.rise.0.min(limits.rise_of_limit.of_size(limit)),
        None => limits.rise.0,
    };
    let by_maps = last.maps.less(first.maps);
    if rose < enough.max(Bytes(1 << 20)) || !limits.share.is_more_than(by_maps.0, rose.0) {
        return None;
    }
    let over = last.at.since(first.at);
    Some(found(
        scene,
        format!(
            "RSS rose by {} within {}, and the maps by {}: it is something else",
            words::bytes(rose),
            words::span(over),
            words::bytes(by_maps)
        ),
        Severity::Warning,
    ))
}

/// The last sample; where maps are counted now and then, RSS as it was before the last count, and what that found:
/// of what has come since, nobody knows whose it is.
fn as_counted(points: &[Whole]) -> Option<Whole> {
    let last = points.last()?;
    let Some(counted) = last.counted else { return Some(*last) };
    let after = points.partition_point(|point| point.at < counted);
    let (before, after) = (points.get(after.checked_sub(1)?)?, points.get(after)?);
    Some(Whole { maps: after.maps, ..*before })
}

/// Where the last rise began: the lowest sample since RSS last fell by a twentieth.
fn since_the_last_fall(points: &[Whole]) -> Option<&Whole> {
    let mut first: Option<(&Whole, Bytes)> = None;
    let mut highest = Bytes(0);
    for point in points {
        let Some(rss) = point.rss else { continue };
        let fell = rss.0.saturating_add(highest.0 / 20) < highest.0;
        if fell || first.is_none_or(|(_, lowest)| rss < lowest) {
            (first, highest) = (Some((point, rss)), rss);
        }
        highest = highest.max(rss);
    }
    first.map(|(point, _)| point)
}

/// RSS of which the maps hold little.
fn share(scene: &Scene<'_>) -> Option<Found> {
    let limits = &scene.thresholds.not_a_map;
    let report = scene.report;
    // Where no map could be read, nothing says that there is none.
    let known = report.coverage.confidence != crate::audit::report::Confidence::Insufficient;
    let points = scene.trends.whole();
    // What has come since the maps were counted may be theirs.
    let now = report.memory.rss.last;
    let counts = points.last().is_some_and(|last| last.counted.is_some());
    let rss = if counts { as_counted(points)?.rss.min(now) } else { now };
    let rss = rss.filter(|rss| known && *rss >= limits.least.0)?;
    let listed = report.maps.iter().map(|map| map.bytes.resident.or(map.bytes.allocated));
    let folded = report.populations.iter().map(|row| Some(row.bytes.allocated));
    let maps = listed.chain(folded).flatten().fold(Bytes(0), |sum, held| sum + held);
    let settled = scene.looked_once() || scene.watched() >= Nanos(1_000_000_000);
    (settled && limits.share.is_more_than(maps.0, rss.0)).then(|| {
        let summary = format!(
            "maps hold {} of an RSS of {}: it is something else",
            words::bytes(maps),
            words::bytes(rss)
        );
        found(scene, summary, Severity::Info)
    })
}

fn found(scene: &Scene<'_>, summary: String, severity: Severity) -> Found {
    let ladder = &scene.report.memory.ladder;
    let rows = ladder.iter().filter(|rung| rung.name != "maps");
    let largest = rows.reduce(|most, next| if next.bytes > most.bytes { next } else { most });
    let evidence = largest.map(|rung| {
        format!("the largest row of RSS beside them is {}: {}", rung.name, words::bytes(rung.bytes))
    });
    Found {
        severity,
        map: None,
        summary,
        evidence: evidence.into_iter().collect(),
        remedy: "look at that row: a heap profile for what is in use, the allocator for what is unexplained"
            .to_owned(),
        reclaimable: None,
    }
}
