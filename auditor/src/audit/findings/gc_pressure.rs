//! A collector that runs all the time, or stops the world for too much of it.

use super::Rule;
use super::scene::{Found, Outcome, Scene, called};
use crate::audit::report::Severity;
use crate::audit::trend::Whole;
use crate::audit::unit::Nanos;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "gc_pressure",
    line: "the collector runs all the time, or stops the world for long",
    text: "
Decided by: pauses of more than 800 ms in a minute; worth a line are more than 120 cycles, which
small heaps have in good health. Over the last minute or so, at least 10 s. Each growth of a map
moves the heap, and large maps with pointers are scanned in each cycle.
What to do: presize maps, keep pointers out of keys and values, raise GOGC or, with GOMEMLIMIT
set, the limit. More GOGC is more memory: 200 lets the heap grow to three times what lives.",
    judge,
};

/// At least so much is looked at.
const LEAST: Nanos = Nanos(10_000_000_000);
/// And where there is more, no more than this.
const MINUTE: Nanos = Nanos(60_000_000_000);

/// Of one minute.
struct Minute {
    cycles: u64,
    pauses: Nanos,
    over: Nanos,
}

fn judge(scene: &Scene<'_>) -> Outcome {
    let limits = &scene.thresholds.gc_pressure;
    let Some(minute) = minute(scene.trends.whole()) else { return Outcome::Clear };
    if minute.pauses < limits.pauses.0 && minute.cycles < limits.cycles {
        return Outcome::Clear;
    }
    let gc = scene.report.gc.as_ref();
    let percent =
        gc.and_then(|gc| gc.percent).map(|percent| format!("it starts at {percent} % over what lives"));
    let limit =
        gc.and_then(|gc| gc.limit).map(|limit| format!("its memory limit is {}", words::bytes(limit)));
    let largest = scene.held().next().and_then(|seen| {
        Some(format!(
            "the largest map, {}, holds {}",
            called(seen.map),
            words::bytes(seen.map.bytes.allocated?)
        ))
    });
    // Cycles alone cost a share of the CPU that a small heap does not notice.
    let is_long = minute.pauses >= limits.pauses.0;
    Outcome::of(Some(Found {
        severity: if is_long { Severity::Warning } else { Severity::Info },
        map: None,
        summary: format!(
            "the collector ran {} times a minute and stopped the world for {} of it",
            words::count(minute.cycles),
            words::span(minute.pauses)
        ),
        evidence: [
            Some(format!("measured over the last {}", words::span(minute.over))),
            percent,
            limit,
            largest,
        ]
        .into_iter()
        .flatten()
        .collect(),
        remedy: "presize maps, keep pointers out of their keys and values, raise GOGC or GOMEMLIMIT"
            .to_owned(),
        reclaimable: None,
    }))
}

/// From the youngest sample that is a minute old, or else the oldest, to the last.
fn minute(points: &[Whole]) -> Option<Minute> {
    let last = points.last()?;
    let before = points.partition_point(|point| last.at.since(point.at) >= MINUTE).saturating_sub(1);
    let first = points.get(before)?;
    let over = last.at.since(first.at);
    if over < LEAST {
        return None;
    }
    let of_a_minute = |amount: u64| {
        u64::try_from(u128::from(amount) * u128::from(MINUTE.0) / u128::from(over.0)).unwrap_or(u64::MAX)
    };
    Some(Minute {
        cycles: of_a_minute(last.cycles?.saturating_sub(first.cycles?)),
        pauses: Nanos(of_a_minute(last.paused?.since(first.paused?).0)),
        over,
    })
}
