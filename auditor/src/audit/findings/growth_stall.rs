//! A thread that waited for a table.

use super::Rule;
use super::scene::{Found, Outcome, Scene, Seen, called};
use crate::audit::report::Severity;
use crate::audit::trend::Slow;
use crate::audit::words;

/// Calls that are told one by one.
const TOLD: usize = 3;

pub(super) const RULE: Rule = Rule {
    name: "growth_stall",
    line: "a thread waited more than 10 ms for a table",
    text: "
Decided by: how long a call for a table took, from its entry to its return, where returns can be
probed; never in a runtime that moves its stacks, such as Go. The time is that of the kernel
finding pages and of the allocator clearing them.
What to do: presize the map before it is busy, shard it so that each step is smaller, or let
another thread build the new one.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    let longest = scene.thresholds.growth_stall.longest.0;
    let slow: Vec<Slow> = scene.trends.slow().iter().filter(|slow| slow.took >= longest).copied().collect();
    Outcome::of(slow.first().map(|slowest| found(scene, *slowest, &slow)))
}

fn found(scene: &Scene<'_>, slowest: Slow, slow: &[Slow]) -> Found {
    let told = slow.iter().take(TOLD).map(|slow| {
        let Slow { took, at, bytes, .. } = *slow;
        let after = words::span(at.since(scene.report.window.start));
        format!("{} for {} at +{after}", words::span(took), words::bytes(bytes))
    });
    let mut evidence: Vec<String> = told.collect();
    let more = slow.len().saturating_sub(TOLD) as u64;
    evidence.extend((more > 0).then(|| format!("and at least {}", words::plural(more, "more call"))));
    Found {
        severity: Severity::Info,
        map: Some(slowest.map),
        summary: format!("a thread waited {} for a table of {}", words::span(slowest.took), name(scene, slowest)),
        evidence,
        remedy: "presize it, or shard it so that each table is smaller; small tables that take as long wait for a CPU, not for memory".to_owned(),
        reclaimable: None,
    }
}

/// The map that had that address then.
fn name(scene: &Scene<'_>, slow: Slow) -> String {
    let lived = |seen: &Seen<'_>| seen.map.address == slow.map && seen.map.lived_at(slow.at);
    scene.all().find(lived).map_or_else(|| format!("the map at {}", slow.map), |seen| called(seen.map))
}
