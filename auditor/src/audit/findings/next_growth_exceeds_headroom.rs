//! The next growth of a map needs more than there is.

use super::Rule;
use super::scene::{Found, Judged, Outcome, Scene, Seen, called};
use crate::audit::report::{NextGrowth, Severity};
use crate::audit::unit::Bytes;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "next_growth_exceeds_headroom",
    line: "the next growth of a map needs more memory than is left",
    text: "
Decided by: what the next growth holds on top of today's memory while old and new table are both
there, against what the cgroup and the host leave. Critical if that is soon at the measured
rate, or without a rate where the map is close to the number of entries with which it grows.
What to do: before it comes, presize a new map at a quiet moment where there is room; raise the
limit for the growth; shard the map, so that each growth is small.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    let memory = &scene.report.memory;
    let by_rss = memory.limit.zip(memory.rss.last).map(|(limit, rss)| limit.less(rss));
    let Some(left) = memory.headroom.or(by_rss) else { return Outcome::Clear };
    scene.each(|seen| one(scene, seen, left))
}

fn one(scene: &Scene<'_>, seen: Seen<'_>, left: Bytes) -> Judged {
    let limits = &scene.thresholds.next_growth_exceeds_headroom;
    let map = seen.map;
    let Some(next) = map.next_growth.filter(|next| next.peak_extra > left) else { return Judged::Clear };
    let NextGrowth { at_live, new_table, peak_extra, eta, .. } = next;
    let is_near = map.live.is_some_and(|live| !limits.near.is_more_than(live, at_live));
    let is_soon = eta.map_or(is_near, |eta| eta <= limits.soon.0);
    let when = match eta {
        Some(eta) => format!("in {} at the present rate", words::span(eta)),
        None => "at no rate that could be measured".to_owned(),
    };
    Judged::Found(Found {
        severity: if is_soon { Severity::Critical } else { Severity::Warning },
        map: Some(map.address),
        summary: format!(
            "the next growth of {} needs {} on top, and {} are left",
            called(map),
            words::bytes(peak_extra),
            words::bytes(left)
        ),
        evidence: vec![
            format!(
                "it grows with {} entries and has {}: {when}",
                words::count(at_live),
                words::known(map.live, words::count)
            ),
            format!("the new table takes {}", words::bytes(new_table)),
        ],
        remedy: "build a presized map before that, raise the limit for the growth, or shard the map"
            .to_owned(),
        reclaimable: None,
    })
}
