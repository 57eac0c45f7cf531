//! What it cost to hold the old table and the new one at once.

use super::Rule;
use super::scene::{Found, Judged, Outcome, Scene, Seen, called};
use crate::audit::fact::GrowthKind;
use crate::audit::report::{Episode, Severity};
use crate::audit::unit::{Bytes, Nanos};
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "old_and_new_peak",
    line: "a growth held the old table and the new one, far above what is held now",
    text: "
Decided by: the most that a map held less what it holds now, where a growth of it was seen;
critical where RSS was highest meanwhile and came to 80 % of the memory limit.
What to do: presize the map, which holds one table only from the start; shard it, so that one
shard grows at a time; or leave room for it in the limit. Nothing of it can be freed: it is
over.",
    judge,
};

/// Where no step of RSS is told, it is read about once a second.
const LAG: Nanos = Nanos(1_000_000_000);

fn judge(scene: &Scene<'_>) -> Outcome {
    scene.each(|seen| one(scene, seen))
}

fn one(scene: &Scene<'_>, seen: Seen<'_>) -> Judged {
    let limits = &scene.thresholds.old_and_new_peak;
    let map = seen.map;
    let (Some(peak), Some(held)) = (map.bytes.peak, map.bytes.allocated) else { return Judged::Clear };
    let is_one = |growth: &&Episode| growth.kind == GrowthKind::Double && growth.end.is_some();
    let largest = scene.growths_of(map).filter(is_one).max_by_key(|growth| growth.allocated);
    let (extra, Some(growth)) = (peak.less(held), largest) else { return Judged::Clear };
    if extra < limits.extra.0 {
        return Judged::Clear;
    }
    let close = peak_of_rss(scene, growth)
        .filter(|(limit, peak)| *limit > Bytes(0) && !limits.of_limit.is_more_than(peak.0, limit.0));
    let mut evidence = vec![format!(
        "its largest growth asked for {} and took {}",
        words::bytes(growth.allocated),
        words::span(growth.end.unwrap_or_default().since(growth.start))
    )];
    evidence.extend(close.map(|(limit, peak)| {
        format!("RSS came to {} of the limit of {}", words::share(peak.0, limit.0), words::bytes(limit))
    }));
    Judged::Found(Found {
        severity: if close.is_some() { Severity::Critical } else { Severity::Info },
        map: Some(map.address),
        summary: format!(
            "{} held {} while it grew, {} more than now",
            called(map),
            words::bytes(peak),
            words::bytes(extra)
        ),
        evidence,
        remedy: "presize it, shard it, or leave room for the growth in the limit".to_owned(),
        reclaimable: None,
    })
}

/// Limit and peak of RSS, if that was while this growth held two tables, or as soon after as RSS is read.
fn peak_of_rss(scene: &Scene<'_>, growth: &Episode) -> Option<(Bytes, Bytes)> {
    let memory = &scene.report.memory;
    let until = growth.end?.plus(LAG);
    memory.rss.peak_at.filter(|at| (growth.start..=until).contains(at))?;
    memory.limit.zip(memory.rss.peak)
}
