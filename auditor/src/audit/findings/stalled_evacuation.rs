//! An old table that is held because nothing moves its entries any more.

use super::Rule;
use super::scene::{Found, Judged, Outcome, Scene, Seen, called};
use crate::audit::report::Severity;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "stalled_evacuation",
    line: "a growth stopped half-way: both tables are held until writes come",
    text: "
Decided by: the old table is still held and no entry has moved for 5 s. Go's bucket maps, Redis
dicts and their like move a few old buckets at each write, so a map that is only read keeps
both tables for as long as it lives.
What to do: write to it: overwrite entries with themselves (in Redis, HSCAN or any access moves
some), about half as many writes as there are old buckets left. Or rebuild it.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    scene.each(|seen| one(scene, seen))
}

fn one(scene: &Scene<'_>, seen: Seen<'_>) -> Judged {
    let limits = &scene.thresholds.stalled_evacuation;
    let map = seen.map;
    let Some(evacuation) = map.evacuation.filter(|evacuation| evacuation.in_progress) else {
        return Judged::Clear;
    };
    // How much of it is old is not known of each: then the whole map bounds it.
    let held = map.bytes.old_table.or(map.bytes.allocated).unwrap_or_default();
    let stalled = evacuation.stalled_for.unwrap_or_default();
    if held < limits.least.0 {
        return Judged::Clear;
    }
    if scene.looked_once() {
        return Judged::TooEarly(format!(
            "{} holds two tables, and one look does not show whether entries move",
            called(map)
        ));
    }
    if stalled < limits.after.0 {
        // It is under way: only a pause that is long for one makes it suspicious.
        return if stalled.0 > limits.after.0.0 / 5 {
            let stalled = words::span(stalled);
            Judged::TooEarly(format!("no entry of {} has moved for {stalled} only", called(map)))
        } else {
            Judged::Clear
        };
    }
    Judged::Found(Found {
        severity: Severity::Warning,
        map: Some(map.address),
        summary: format!(
            "the growth of {} stopped at {} of its old buckets: {} are held until writes come",
            called(map),
            words::share(evacuation.moved, evacuation.total),
            words::bytes(held)
        ),
        evidence: vec![
            format!("no entry has moved for {}", words::span(stalled)),
            format!(
                "{} of {} old buckets are moved",
                words::count(evacuation.moved),
                words::count(evacuation.total)
            ),
        ],
        remedy: format!(
            "write to it: some {} writes move the rest; or rebuild it",
            words::count(evacuation.total.saturating_sub(evacuation.moved).div_ceil(2))
        ),
        reclaimable: map.bytes.old_table,
    })
}
