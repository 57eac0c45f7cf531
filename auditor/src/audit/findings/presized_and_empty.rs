//! Maps that were made for far more entries than came, one by one or many of a kind.

use super::Rule;
use super::crowd::{Crowd, crowds};
use super::scene::{Found, Idle, Outcome, Scene, Seen, surplus};
use crate::audit::report::{Growths, Map, Population, Severity};
use crate::audit::unit::Bytes;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "presized_and_empty",
    line: "made for many entries that never came",
    text: "
Decided by: maps that never grew since their first table was seen, or that a census found never
to have grown, whose live entries fill less than an eighth of their slots and that are left
alone. Maps of one type and owner are judged together.
What to do: make them for as many entries as they get, not for a count of raw records; or make
them when the first entry comes. Nothing has to be paid for it.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    let mut early = None;
    for seen in scene.held().filter(|seen| is_nearly_empty(scene, *seen)) {
        if let Idle::TooEarly(reason) = scene.idle(seen) {
            early.get_or_insert(reason);
        }
    }
    let belongs = |seen: Seen<'_>| {
        is_nearly_empty(scene, seen) && matches!(scene.idle(seen), Idle::Yes | Idle::OneLook)
    };
    // Folded rows have the waste of their few empty maps hidden among the others' needs.
    let folded = |row: &Population| row.over_presized.is_some_and(|maps| maps > 0);
    let found: Vec<Found> =
        crowds(scene, belongs, folded).iter().filter_map(|crowd| found(scene, crowd)).collect();
    match (found.is_empty(), early) {
        (false, _) => Outcome::Found(found),
        (true, Some(reason)) if would_matter(scene) => Outcome::TooEarly(reason),
        (true, _) => Outcome::Clear,
    }
}

fn found(scene: &Scene<'_>, crowd: &Crowd<'_>) -> Option<Found> {
    let least = scene.thresholds.presized_and_empty.least.0;
    let frees = crowd.surplus.filter(|surplus| *surplus >= least)?;
    let folded = folded_like(scene, crowd);
    let empty = crowd.maps.saturating_sub(folded.alive).saturating_add(folded.empty);
    if empty == 0 {
        return None;
    }
    let of = if crowd.maps > empty { format!(" of {}", words::count(crowd.maps)) } else { String::new() };
    Some(Found {
        severity: Severity::Warning,
        map: None,
        summary: format!(
            "{}{of} were made for far more entries than they got and hold up to {} for nothing ({})",
            words::plural(empty, "map"),
            words::bytes(frees),
            crowd.called()
        ),
        evidence: [
            Some(format!(
                "they never grew, and live entries fill less than {} of their slots",
                scene.thresholds.presized_and_empty.full
            )),
            Some(format!(
                "{} hold {} for {}",
                words::plural(crowd.maps, "map"),
                words::bytes(crowd.held),
                words::entries(crowd.live)
            )),
            crowd.site(),
        ]
        .into_iter()
        .flatten()
        .collect(),
        remedy: "make them for the entries that they get, or make them when the first one comes".to_owned(),
        reclaimable: Some(frees),
    })
}

/// Of the folded maps of this kind, how many live and how many were made too large.
#[derive(Default)]
struct Folded {
    alive: u64,
    empty: u64,
}

fn folded_like(scene: &Scene<'_>, crowd: &Crowd<'_>) -> Folded {
    let (runtime, type_name, owner, _) = crowd.kind;
    let like = |row: &&Population| {
        row.runtime == runtime && row.type_name.as_deref() == type_name && row.owner.as_deref() == owner
    };
    let rows = scene.report.populations.iter().filter(like).filter(|row| row.reachable != Some(false));
    let rows = rows.filter(|row| row.over_presized.is_some_and(|maps| maps > 0));
    rows.fold(Folded::default(), |sum, row| Folded {
        alive: sum.alive.saturating_add(row.alive),
        empty: sum.empty.saturating_add(row.over_presized.unwrap_or(0)),
    })
}

/// Whether what cannot be told yet would be worth a line.
fn would_matter(scene: &Scene<'_>) -> bool {
    let empty = scene.held().filter(|seen| is_nearly_empty(scene, *seen));
    let frees = empty.filter_map(|seen| surplus(seen.map)).fold(Bytes(0), |sum, one| sum + one.bytes);
    frees >= scene.thresholds.presized_and_empty.least.0
}

fn is_nearly_empty(scene: &Scene<'_>, seen: Seen<'_>) -> bool {
    let full = scene.thresholds.presized_and_empty.full;
    let (live, capacity) = (seen.map.live, seen.map.capacity);
    let few = live.zip(capacity).is_some_and(|(live, capacity)| full.is_more_than(live, capacity));
    let never_fuller = full.is_more_than(seen.past.most_live, capacity.unwrap_or(0));
    few && never_fuller && is_presized(seen.map)
}

/// Whether its first table was seen, and no growth after it.
pub(super) fn is_presized(map: &Map) -> bool {
    let Growths { first, double, same_size, shrink, split, other } = map.growths;
    let later = [double, same_size, shrink, split, other];
    first == Some(1) && later.into_iter().all(|times| times == Some(0))
}
