//! Memory of a map grows though the number of its entries does not: tombstones or overflow.

use super::Rule;
use super::scene::{Found, Judged, Outcome, Scene, Seen, called, rebuild, surplus};
use crate::audit::report::{Episode, Map, Severity};
use crate::audit::trend::Point;
use crate::audit::unit::{Bytes, Nanos};
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "grew_without_more_live",
    line: "a map takes more memory though it has no more entries",
    text: "
Decided by: over a stretch of time in which the number of entries stayed within 5 % the map's
bytes rose by a tenth, or it grew to the same size, which a map does only to be rid of
overflow buckets or tombstones. Keys that come and go leave them: newest in, oldest out.
What to do: rebuild the map at a quiet moment, or take generations: two maps that are swapped
whole, so that the old one goes at once. Two generations hold some entries twice.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    scene.each(|seen| one(scene, seen))
}

/// A stretch in which the number of entries stayed the same, and how its bytes went.
struct Stretch {
    span: Nanos,
    from: Bytes,
    most: Bytes,
}

fn one(scene: &Scene<'_>, seen: Seen<'_>) -> Judged {
    let limits = &scene.thresholds.grew_without_more_live;
    let map = seen.map;
    let (Some(live), Some(surplus)) = (map.live, surplus(map)) else { return Judged::Clear };
    let same_size = map.growths.same_size.unwrap_or(0);
    let stretch = stretch(scene, seen, live);
    let rose = stretch.as_ref().filter(|stretch| {
        let by = stretch.most.less(stretch.from);
        by >= limits.least.0 && by >= limits.rise.of_size(stretch.from)
    });
    let is_large = map.bytes.peak.is_some_and(|peak| peak >= limits.least.0);
    if rose.is_none() && !(same_size > 0 && is_large) {
        return Judged::Clear;
    }
    let mut evidence = Vec::new();
    if let Some(Stretch { span, from, most }) = rose {
        evidence.push(format!(
            "its bytes went from {} to {} within {}, while its entries stayed at about {}",
            words::bytes(*from),
            words::bytes(*most),
            words::span(*span),
            words::count(live)
        ));
    }
    if same_size > 0 {
        let growths = words::plural(same_size, "growth");
        evidence.push(format!("{growths} to the same size: only to be rid of overflow or tombstones"));
    }
    evidence.extend(debris(map));
    // What it has rid itself of costs no more than it did.
    let is_over = rose.is_none() && surplus.bytes < limits.least.0;
    Judged::Found(Found {
        severity: if is_over { Severity::Info } else { Severity::Warning },
        map: Some(map.address),
        summary: format!(
            "{} takes more memory without more entries: {} for {}",
            called(map),
            words::bytes(surplus.held),
            words::entries(live)
        ),
        evidence,
        remedy: format!("{}; or two generations that are swapped whole", rebuild(map, surplus.needed)),
        reclaimable: Some(surplus.bytes),
    })
}

/// What lies between its entries.
fn debris(map: &Map) -> Option<String> {
    let tombstones = map.tombstones.filter(|count| *count > 0);
    let overflow = map.overflow.filter(|count| *count > 0);
    let parts = [(tombstones, "tombstone"), (overflow, "overflow bucket")];
    let parts: Vec<String> =
        parts.into_iter().filter_map(|(count, what)| Some(words::plural(count?, what))).collect();
    (!parts.is_empty()).then(|| format!("it has {} now", parts.join(" and ")))
}

/// From the first sample on after which the number of entries never left what it is now, by more than the
/// threshold. While it evacuates a map holds two tables: that is no rise.
fn stretch(scene: &Scene<'_>, seen: Seen<'_>, live: u64) -> Option<Stretch> {
    let flat = scene.thresholds.grew_without_more_live.flat.of(live);
    let points = seen.trend?.points();
    let is_same = |point: &&Point| point.live.abs_diff(live) <= flat;
    let same = points.iter().rev().take_while(is_same).count();
    let points = &points[points.len() - same..];
    let first = points.first()?;
    let growths: Vec<&Episode> = scene.growths_of(seen.map).collect();
    let moving =
        |at: Nanos| growths.iter().any(|growth| growth.start <= at && growth.end.is_none_or(|end| at <= end));
    let mut still = points.iter().filter(|point| !moving(point.at)).map(|point| point.allocated);
    let from = still.next()?;
    let most = still.fold(from, Bytes::max);
    Some(Stretch { span: scene.now().since(first.at), from, most })
}
