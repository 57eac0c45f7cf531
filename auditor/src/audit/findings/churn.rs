//! Keys replaced without end: as many entries, other entries.

use super::Rule;
use super::scene::{Found, Judged, Outcome, Scene, Seen, called};
use crate::audit::report::Severity;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "churn",
    line: "entries come and go, each of them replaced at least once",
    text: "
Decided by: keys put in and taken out, as the map counts them, against its entries: as many were
replaced as it has. Only for maps that count. Deletes leave tombstones or overflow behind; see
grew_without_more_live for maps that pay for it in bytes already.
What to do: nothing, as long as the bytes stay; else clear and reuse maps from a pool, clear
nested maps too, and delete by key. A pool keeps the memory of its largest maps.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    scene.each(|seen| one(scene, seen))
}

fn one(scene: &Scene<'_>, seen: Seen<'_>) -> Judged {
    let limits = &scene.thresholds.churn;
    let map = seen.map;
    let (Some(moved), Some(live)) = (seen.past.moved, map.live.filter(|live| *live > 0)) else {
        return Judged::Clear;
    };
    // A map that lost most of its entries was emptied: that is another story.
    let is_full_still = seen.past.most_live <= live.saturating_add(limits.flat.of(seen.past.most_live));
    let replaced = moved.insert.min(moved.delete);
    let is_large = map.bytes.allocated.is_some_and(|held| held >= limits.least.0);
    if !is_large || !is_full_still || replaced < limits.turnover.of(live) {
        return Judged::Clear;
    }
    Judged::Found(Found {
        severity: Severity::Info,
        map: Some(map.address),
        summary: format!(
            "{} replaced {} entries, {} of what it has",
            called(map),
            words::count(replaced),
            words::share(replaced, live)
        ),
        evidence: vec![format!(
            "{} keys put in, {} taken out, {} live now",
            words::count(moved.insert),
            words::count(moved.delete),
            words::count(live)
        )],
        remedy: "nothing while its bytes stay as they are; else clear maps and reuse them from a pool"
            .to_owned(),
        reclaimable: None,
    })
}
