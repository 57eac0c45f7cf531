//! A map that asks for tables at a rate that no map needs.

use super::Rule;
use super::scene::{Found, Judged, Outcome, Scene, Seen, called};
use crate::audit::report::Severity;
use crate::audit::trend::rate;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "growth_storm",
    line: "one map asks for more than 10,000 tables a second",
    text: "
Decided by: tables and overflow buckets that one map asked for between two ticks. That many are
overflow buckets of a map under insert and delete, or a map that is made and dropped at one
address over and over.
What to do: presize the map, or keep cleared maps in a pool instead of making new ones. A pool
keeps the memory of its largest maps.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    scene.each(|seen| one(scene, seen))
}

fn one(scene: &Scene<'_>, seen: Seen<'_>) -> Judged {
    let limit = scene.thresholds.growth_storm.per_second;
    let fastest = seen.trend.and_then(|trend| trend.fastest);
    let Some((tables, span)) = fastest.filter(|fastest| rate(*fastest) >= limit) else {
        return Judged::Clear;
    };
    // Ticks that are close together make any handful a rate.
    if tables < limit / 10 {
        return Judged::Clear;
    }
    let map = seen.map;
    Judged::Found(Found {
        severity: Severity::Warning,
        map: Some(map.address),
        summary: format!("{} asked for {} tables a second", called(map), words::count(rate((tables, span)))),
        evidence: vec![format!("{} tables within {}", words::count(tables), words::span(span))],
        remedy: "presize it for its entries; or keep cleared maps in a pool instead of new ones".to_owned(),
        reclaimable: None,
    })
}
