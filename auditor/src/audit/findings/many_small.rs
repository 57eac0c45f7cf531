//! Thousands of small maps: one a request, a group, a tenant.

use super::Rule;
use super::crowd::{Crowd, crowds};
use super::scene::{Found, Outcome, Scene, Seen};
use crate::audit::report::Severity;
use crate::audit::unit::Bytes;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "many_small",
    line: "a great many small maps of one kind, which together hold much",
    text: "
Decided by: maps of one type and one owner, or made in one place where the type is not known,
each small; how many there are, and what they hold together. What they would free is what they
hold beyond the needs of their entries: none is to blame alone, so no single map is named.
What to do: make a map when the first entry comes; one map with keys of two parts in place of
a map of maps; an array where there are few keys. A flat map costs longer keys.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    let limits = &scene.thresholds.many_small;
    let is_small = |seen: Seen<'_>| seen.map.bytes.peak.or(seen.map.bytes.allocated) < Some(limits.size.0);
    let is_read = |seen: Seen<'_>| seen.map.bytes.allocated.is_some() && is_small(seen);
    let crowds = crowds(scene, is_read, |_| true);
    let many = crowds.iter().filter(|crowd| crowd.maps >= limits.maps && crowd.held >= limits.least.0);
    let found: Vec<Found> = many.map(found).collect();
    if found.is_empty() { Outcome::Clear } else { Outcome::Found(found) }
}

fn found(crowd: &Crowd<'_>) -> Found {
    let each = Bytes(crowd.held.0 / crowd.maps.max(1));
    Found {
        severity: Severity::Warning,
        map: None,
        summary: format!(
            "{} hold {} together for {} ({})",
            words::plural(crowd.maps, "small map"),
            words::bytes(crowd.held),
            words::entries(crowd.live),
            crowd.called()
        ),
        evidence: [
            Some(format!(
                "each holds {} for {} on average",
                words::bytes(each),
                words::entries(crowd.live / crowd.maps.max(1))
            )),
            crowd
                .surplus
                .filter(|surplus| *surplus > Bytes(0))
                .map(|surplus| format!("{} of it is more than their entries need", words::bytes(surplus))),
            crowd.site(),
        ]
        .into_iter()
        .flatten()
        .collect(),
        remedy: "make them only when the first entry comes and for as many as come; or put them into one map with keys of two parts".to_owned(),
        reclaimable: crowd.surplus,
    }
}
