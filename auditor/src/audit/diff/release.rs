//! The three checks of a release: memory comes back as was promised, nothing waits longer than before, and the
//! collector keeps its pace. What two reports do not tell is unknown, with the reason.

use serde::{Deserialize, Serialize};

use crate::audit::fact::HookState;
use crate::audit::report::{Gc, Outlook, Report};
use crate::audit::unit::{Bytes, Nanos};
use crate::audit::words;

/// Thousandths of what was promised that may be missing: what is within 5 % is no trend.
const MISSING_PERMILLE: u128 = 50;
/// A wait of a thread that is too short to be worth a word: the threshold of the finding `growth_stall`.
const SHORT: Nanos = Nanos(10_000_000);
/// By how many thousandths intervals of the collector may differ, at most.
const INTERVAL_PERMILLE: u128 = 80;
/// Cycles from which on one more or less is under 8 %.
const FEWEST_CYCLES: u64 = 13;

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What is checked.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
    /// By what.
    pub reason: String,
}

/// What comes of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it should be.
    Pass,
    /// It is not.
    Fail,
    /// The reports do not tell.
    Unknown,
}

/// What was decided, and by what.
type Decided = (Verdict, String);

fn unknown(reason: impl Into<String>) -> Decided {
    (Verdict::Unknown, reason.into())
}

/// The three.
pub(super) fn checks(before: &Report, after: &Report) -> Vec<Check> {
    let check = |name: &str, (verdict, reason): Decided| Check { name: name.to_owned(), verdict, reason };
    vec![
        check("RSS falls as was promised", falls(before, after)),
        check("no longer waits (p99)", waits(before, after)),
        check("intervals of the collector within 8 %", intervals(before, after)),
    ]
}

/// What BEFORE says will be freed must be gone in AFTER; where it said how soon, as much as that time allows.
fn falls(before: &Report, after: &Report) -> Decided {
    let Some(Outlook { frees: Some(frees), expected_within, .. }) = before.memory.outlook.as_ref() else {
        return unknown("BEFORE promises nothing: its outlook says not how much is freed");
    };
    let (Some(first), Some(last)) = (before.memory.rss.last, after.memory.rss.last) else {
        return unknown("RSS is not known in both");
    };
    let watched = after.window.end.since(after.window.start);
    let promised = match expected_within {
        Some(within) if watched < *within => Bytes(scaled(frees.0, watched.0, within.0)),
        _ => *frees,
    };
    if promised.0 == 0 {
        return unknown("nothing was promised within so short a time");
    }
    let fell = first.0.saturating_sub(last.0);
    let enough = u128::from(fell) * 1000 >= u128::from(promised.0) * (1000 - MISSING_PERMILLE);
    let soon = match expected_within {
        Some(within) => format!("{} within {}", words::bytes(*frees), words::span(*within)),
        None => format!("{} once it is rebuilt or let go", words::bytes(*frees)),
    };
    let moved = if last > first {
        format!("rose by {}", words::bytes(Bytes(last.0 - first.0)))
    } else {
        format!("fell by {}", words::bytes(Bytes(fell)))
    };
    let due = words::bytes(promised);
    let reason = format!("promised {soon}, due after {}: {due}; RSS {moved}", words::span(watched));
    (if enough { Verdict::Pass } else { Verdict::Fail }, reason)
}

/// `part` of `whole`, in a unit of which all is `all`.
fn scaled(all: u64, part: u64, whole: u64) -> u64 {
    let scaled = (u128::from(all) * u128::from(part)).checked_div(u128::from(whole));
    u64::try_from(scaled.unwrap_or(u128::from(all))).unwrap_or(u64::MAX)
}

/// Neither growths nor the collector make threads wait longer than before, or than is worth a word.
fn waits(before: &Report, after: &Report) -> Decided {
    let pauses = |report: &Report| report.gc.as_ref().and_then(|gc| gc.pauses.p99);
    let told = [
        told("growths", growths(before), growths(after)),
        told("pauses of the collector", pauses(before), pauses(after)),
    ];
    let told: Vec<Decided> = told.into_iter().flatten().collect();
    let reasons: Vec<&str> = told.iter().map(|(_, reason)| reason.as_str()).collect();
    let has = |verdict| told.iter().any(|(it, _)| *it == verdict);
    let verdict = match () {
        () if has(Verdict::Fail) => Verdict::Fail,
        () if told.is_empty() || has(Verdict::Unknown) => Verdict::Unknown,
        () => Verdict::Pass,
    };
    if told.is_empty() {
        return unknown("neither report tells how long threads waited");
    }
    (verdict, reasons.join("; "))
}

/// One kind of wait; `None`: neither tells.
fn told(what: &str, before: Option<Nanos>, after: Option<Nanos>) -> Option<Decided> {
    let shown = |wait: Option<Nanos>| wait.map_or_else(|| "unknown".to_owned(), words::span);
    let reason = format!("{what}: {} before, {} after", shown(before), shown(after));
    Some(match (before, after) {
        (None, None) => return None,
        (_, Some(after)) if after <= SHORT => (Verdict::Pass, reason),
        (Some(before), Some(after)) if after <= before => (Verdict::Pass, reason),
        (Some(_), Some(_)) => (Verdict::Fail, reason),
        _ => (Verdict::Unknown, reason),
    })
}

/// 99 % of the growths made threads wait no longer, by nearest rank; `None`: no hook tells of all of them.
fn growths(report: &Report) -> Option<Nanos> {
    let waits: Option<Vec<Nanos>> = report.episodes.iter().map(|episode| episode.waited).collect();
    let mut waits = waits?;
    if waits.is_empty() {
        // No growth makes nobody wait, where growths are heard of at all.
        let hears = report.coverage.probes.iter().any(|probe| probe.state == HookState::Attached);
        return (hears && report.events.grow == Some(0)).then_some(Nanos(0));
    }
    waits.sort_unstable();
    let rank = (waits.len() * 99).div_ceil(100);
    waits.get(rank.saturating_sub(1)).copied()
}

/// The mean time from one cycle to the next.
fn intervals(before: &Report, after: &Report) -> Decided {
    let (Some(one), Some(other)) = (&before.gc, &after.gc) else {
        return unknown("not in both a collector is known");
    };
    let (Some(one), Some(other)) = (interval(one, before), interval(other, after)) else {
        return unknown(format!(
            "in one of both the collector ran fewer than {FEWEST_CYCLES} times: one time more or less is over 8 %"
        ));
    };
    let differ = u128::from(one.0.abs_diff(other.0)) * 1000;
    let within = differ < u128::from(one.0) * INTERVAL_PERMILLE;
    let reason = format!(
        "a cycle every {} before, every {} after, on average; single intervals are not in a report",
        words::span(one),
        words::span(other)
    );
    (if within { Verdict::Pass } else { Verdict::Fail }, reason)
}

/// Of enough cycles.
fn interval(gc: &Gc, report: &Report) -> Option<Nanos> {
    let cycles = gc.cycles.filter(|cycles| *cycles >= FEWEST_CYCLES)?;
    report.window.end.since(report.window.start).0.checked_div(cycles).map(Nanos)
}
