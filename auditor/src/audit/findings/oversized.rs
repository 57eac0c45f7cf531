//! A map with far more room than entries, of which nobody saw that it was fuller.

use super::Rule;
use super::scene::{Found, Judged, Outcome, Scene, Seen, called, fullness, holding, rebuild, surplus};
use crate::audit::report::Severity;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "oversized",
    line: "far more room than entries, and nobody saw whether it was fuller",
    text: "
Decided by: live entries fill less than a quarter of the slots and the map neither grew nor
gained entries for a while; in one look, by the slots alone. It was made too large, or it lost
its entries before the audit: see presized_and_empty and never_shrinks for maps of which that
was seen.
What to do: make it for as many entries as it will have, or rebuild it where it lost them. A
rebuild takes the new table on top while both are held.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    scene.each(|seen| one(scene, seen))
}

fn one(scene: &Scene<'_>, seen: Seen<'_>) -> Judged {
    let limits = &scene.thresholds.oversized;
    let map = seen.map;
    let (Some(live), Some(capacity), Some(surplus)) = (map.live, map.capacity, surplus(map)) else {
        return Judged::Clear;
    };
    let is_waste = limits.full.is_more_than(live, capacity) && surplus.bytes >= limits.least.0;
    let most = seen.past.most_live;
    let was_fuller = !scene.thresholds.never_shrinks.lost.is_more_than(most.saturating_sub(live), most);
    if !is_waste || (was_fuller && most > 0) || super::presized_and_empty::is_presized(map) {
        return Judged::Clear;
    }
    let unsure = match scene.idle(seen).or_judged() {
        Ok(unsure) => unsure,
        Err(judged) => return judged,
    };
    let mut evidence = vec![fullness(map), holding(surplus)];
    evidence.extend(unsure);
    Judged::Found(Found {
        severity: Severity::Warning,
        map: Some(map.address),
        summary: format!(
            "{} holds {} for {} entries, which need {}",
            called(map),
            words::bytes(surplus.held),
            words::count(live),
            words::bytes(surplus.needed)
        ),
        evidence,
        remedy: rebuild(map, surplus.needed),
        reclaimable: Some(surplus.bytes),
    })
}
