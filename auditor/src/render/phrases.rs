//! Words for the report's enums, and the one-line summaries that text and screen share.

use super::human;
use super::style::Tone;
use crate::audit::fact::{Ended, GrowthKind, HookState};
use crate::audit::report::{
    Calls, Confidence, Coverage, Events, Faults, Growths, Map, Outlook, Report, Severity, Syscalls, Verdict,
};

/// Why an audit ended.
#[must_use]
pub const fn ended(why: Option<Ended>) -> &'static str {
    match why {
        None => "still going on",
        Some(Ended::Duration) => "ended after the time asked for",
        Some(Ended::Stopped) => "stopped by the user",
        Some(Ended::TargetExited) => "ended by the target's exit",
        Some(Ended::TargetReplaced) => "ended because the target replaced its program",
        Some(Ended::OneLook) => "in one look",
    }
}

/// A kind of growth.
#[must_use]
pub const fn growth(kind: GrowthKind) -> &'static str {
    match kind {
        GrowthKind::First => "first",
        GrowthKind::Double => "double",
        GrowthKind::SameSize => "same size",
        GrowthKind::Shrink => "shrink",
        GrowthKind::Split => "split",
        GrowthKind::Other => "other",
    }
}

/// Page faults around a growth, and how far around it.
#[must_use]
pub fn faults(faults: Faults) -> String {
    let Faults { minor, major, within } = faults;
    let major = match major {
        0 => String::new(),
        some => format!(", {} of them from disk or swap", human::count(some)),
    };
    let all = human::plural(minor.saturating_add(faults.major), "page fault");
    format!("{all} of the process within {} around it{major}", human::span(within))
}

/// How far the numbers can be trusted.
#[must_use]
pub const fn confidence(confidence: Confidence) -> (&'static str, &'static str, Tone) {
    match confidence {
        Confidence::Exact => ("exact", "everything was seen", Tone::Good),
        Confidence::AtLeast => ("at least", "something was not seen, totals are lower bounds", Tone::Warn),
        Confidence::Insufficient => ("insufficient", "too little was seen to say", Tone::Bad),
    }
}

/// A hook's state.
#[must_use]
pub const fn hook(state: HookState) -> &'static str {
    match state {
        HookState::Attached => "attached",
        HookState::Refused => "refused",
        HookState::Disabled => "disabled",
    }
}

/// How bad a finding is.
#[must_use]
pub const fn severity(severity: Severity) -> (&'static str, Tone) {
    match severity {
        Severity::Critical => ("CRITICAL", Tone::Bad),
        Severity::Warning => ("warning", Tone::Warn),
        Severity::Info => ("info", Tone::Normal),
    }
}

/// What will become of memory: in a column, in a sentence.
#[must_use]
pub const fn verdict(verdict: Verdict) -> (&'static str, &'static str, Tone) {
    match verdict {
        Verdict::InUse => ("in use", "no, it is in use", Tone::Normal),
        Verdict::ComingBackNow => ("coming back", "it is coming back now", Tone::Good),
        Verdict::AfterNextGc => ("next GC", "after the next garbage collection", Tone::Good),
        Verdict::HeldByAllocator => ("allocator", "not by itself, the allocator keeps it", Tone::Warn),
        Verdict::LazilyFreed => ("lazily freed", "when the kernel is short of memory", Tone::Good),
        Verdict::StrandedUntilRebuilt => ("stranded", "not without a rebuild", Tone::Warn),
        Verdict::Stalled => ("stalled", "not by itself, it has stopped", Tone::Bad),
        Verdict::TooEarly => ("too early", "too early to tell", Tone::Quiet),
    }
}

/// A verdict with its reasons, in a sentence: harmless where the reasons are.
#[must_use]
pub fn outlook(word: Verdict, outlook: Option<&Outlook>, said: fn(&str) -> String) -> String {
    let (_, sentence, _) = verdict(word);
    let Some(outlook) = outlook else { return sentence.to_owned() };
    let within =
        outlook.expected_within.map_or_else(String::new, |span| format!(", within {}", human::span(span)));
    let frees = outlook.frees.filter(|size| size.0 > 0);
    let frees = frees.map_or_else(String::new, |size| format!(" ({} of it)", human::bytes(size)));
    format!("{sentence}{within}{frees}: {}", said(&outlook.mechanism))
}

/// Whether the layouts passed their self-checks.
#[must_use]
pub const fn layout(verified: Option<bool>) -> (&'static str, Tone) {
    match verified {
        None => ("not needed", Tone::Normal),
        Some(true) => ("verified on this target", Tone::Good),
        Some(false) => ("NOT verified: sizes read from memory may be wrong", Tone::Bad),
    }
}

/// Growths of a map, kinds that occurred; `None`: no hook tells of any.
#[must_use]
pub fn growths(growths: &Growths) -> Option<String> {
    growths_in_all(growths)?;
    let told = by_kind(growths).into_iter().filter_map(|(kind, times)| Some((kind, times?)));
    let seen: Vec<String> = told
        .filter(|(_, times)| *times > 0)
        .map(|(kind, times)| format!("{} {}", human::count(times), growth(kind)))
        .collect();
    Some(if seen.is_empty() { "none seen".to_owned() } else { seen.join(", ") })
}

/// All growths of a map that were told; `None`: no hook tells of any.
#[must_use]
pub fn growths_in_all(growths: &Growths) -> Option<u64> {
    growths.in_all()
}

const fn by_kind(growths: &Growths) -> [(GrowthKind, Option<u64>); 6] {
    [
        (GrowthKind::First, growths.first),
        (GrowthKind::Double, growths.double),
        (GrowthKind::SameSize, growths.same_size),
        (GrowthKind::Shrink, growths.shrink),
        (GrowthKind::Split, growths.split),
        (GrowthKind::Other, growths.other),
    ]
}

/// Whether a map lives and something leads to it, as far as is known: only such a map is to blame for
/// anything.
#[must_use]
pub fn is_held(map: &Map) -> bool {
    map.died.is_none() && map.reachable != Some(false)
}

/// Whether a map waits for the collector: it takes memory still, and nothing leads to it.
#[must_use]
pub fn is_garbage(map: &Map) -> bool {
    map.died.is_none() && map.reachable == Some(false)
}

/// Whether a report is of one look: nothing could be seen to happen.
#[must_use]
pub fn is_one_look(report: &Report) -> bool {
    report.window.ended == Some(Ended::OneLook)
}

/// Whether the old table of a map is still held.
#[must_use]
pub fn is_evacuating(map: &Map) -> bool {
    map.died.is_none() && map.evacuation.is_some_and(|evacuation| evacuation.in_progress)
}

/// `5 attached, 1 refused, 1 disabled`.
#[must_use]
pub fn probes(coverage: &Coverage) -> String {
    let all = [HookState::Attached, HookState::Refused, HookState::Disabled];
    let numbers =
        all.map(|state| (state, coverage.probes.iter().filter(|probe| probe.state == state).count()));
    let worth_saying = numbers.iter().filter(|(state, number)| *number > 0 || *state == HookState::Attached);
    let said: Vec<String> =
        worth_saying.map(|(state, number)| format!("{number} {}", hook(*state))).collect();
    said.join(", ")
}

/// What happened to maps, one piece each, in the words of the JSON report.
#[must_use]
pub fn events(events: &Events, show: fn(u64) -> String) -> Vec<String> {
    let rows = [
        ("allocate", events.allocate),
        ("free", events.free),
        ("grow", events.grow),
        ("evacuate", events.evacuate),
        ("insert", events.insert),
        ("delete", events.delete),
    ];
    let mut said = rows.map(|(name, number)| format!("{name} {}", human::known(number, show))).to_vec();
    // Few runtimes have it, so where nobody counts it nobody misses it.
    said.extend(events.clear.map(|times| format!("clear {}", show(times))));
    said
}

/// The memory syscalls by name.
#[must_use]
pub const fn syscalls(syscalls: &Syscalls) -> [(&'static str, Calls); 5] {
    let madvise = Calls { calls: syscalls.madvise.calls, bytes: syscalls.madvise.bytes };
    [
        ("mmap", syscalls.mmap),
        ("munmap", syscalls.munmap),
        ("mremap", syscalls.mremap),
        ("brk", syscalls.brk),
        ("madvise", madvise),
    ]
}

/// `12 calls, 126.0 MiB`: how often and how much in all.
#[must_use]
pub fn calls(calls: Calls) -> String {
    format!("{}, {}", human::plural(calls.calls, "call"), human::bytes(calls.bytes))
}
