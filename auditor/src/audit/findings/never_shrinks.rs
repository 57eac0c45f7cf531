//! A map that lost most of its entries and keeps the tables that it had for all of them.

use super::Rule;
use super::scene::{Found, Judged, Outcome, Scene, Seen, called, fullness, holding, rebuild, surplus};
use crate::audit::report::Severity;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "never_shrinks",
    line: "entries were deleted, and the map keeps the tables it had for all",
    text: "
Decided by: live entries fill less than a quarter of the slots, the map was seen with at least
twice as many, and for a while it neither grew nor gained entries. Deleting and clearing never
shrink a map in Go, C++, Rust (hashbrown), CPython, memcached and PostgreSQL.
What to do: build a new map of the right size, move the entries over and drop the old one. In
Go the memory is free after the next collection and back with the kernel some 10 s later. It
takes the new table on top while both are held.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    scene.each(|seen| one(scene, seen))
}

fn one(scene: &Scene<'_>, seen: Seen<'_>) -> Judged {
    let limits = &scene.thresholds.never_shrinks;
    let map = seen.map;
    let (Some(live), Some(capacity), Some(surplus)) = (map.live, map.capacity, surplus(map)) else {
        return Judged::Clear;
    };
    let most = seen.past.most_live;
    let lost = most.saturating_sub(live);
    let is_waste = limits.full.is_more_than(live, capacity) && surplus.bytes >= limits.least.0;
    if !is_waste || limits.lost.is_more_than(lost, most) {
        return Judged::Clear;
    }
    let unsure = match scene.idle(seen).or_judged() {
        Ok(unsure) => unsure,
        Err(judged) => return judged,
    };
    let mut evidence = vec![
        fullness(map),
        holding(surplus),
        format!("it had {} entries and lost {}", words::count(most), words::share(lost, most)),
    ];
    let tombstones = map.tombstones.filter(|tombstones| *tombstones > 0);
    evidence.extend(tombstones.map(|count| format!("{} slots are tombstones", words::count(count))));
    evidence.extend(unsure);
    Judged::Found(Found {
        severity: Severity::Warning,
        map: Some(map.address),
        summary: format!(
            "{} lost {} of its {} entries and still holds {}",
            called(map),
            words::share(lost, most),
            words::count(most),
            words::bytes(surplus.held)
        ),
        evidence,
        remedy: rebuild(map, surplus.needed),
        reclaimable: Some(surplus.bytes),
    })
}
