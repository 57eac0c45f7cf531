//! What a report did not see: with any of it, a gate cannot be trusted to have passed.

use crate::audit::fact::HookState;
use crate::audit::report::{Confidence, Report};

/// What is missing, one sentence each; none: the data are complete.
#[must_use]
pub fn lacks(report: &Report) -> Vec<String> {
    let coverage = &report.coverage;
    let confidence = match coverage.confidence {
        Confidence::Exact => None,
        Confidence::AtLeast => Some("totals are lower bounds (at_least)"),
        Confidence::Insufficient => Some("too little was seen (insufficient)"),
    };
    let why = coverage.notes.first().map_or_else(String::new, |note| format!(": {note}"));
    let confidence = confidence.map(|told| format!("{told}{why}"));
    let layout = (coverage.layout_verified == Some(false))
        .then(|| "the layout of the maps was not verified on this target".to_owned());
    let end = report
        .window
        .ended
        .is_none()
        .then(|| "there is no end: the audit goes on, or its recording breaks off".to_owned());
    confidence.into_iter().chain(layout).chain(end).collect()
}

/// What only matters to somebody strict.
pub(super) fn lacks_strictly(report: &Report, baseline: Option<&Report>) -> Vec<String> {
    let mut lacks = Vec::new();
    for probe in &report.coverage.probes {
        let reason = probe.reason.as_deref().unwrap_or("no reason was given");
        match probe.state {
            HookState::Attached => {}
            HookState::Refused => lacks.push(format!("the hook {} was refused: {reason}", probe.hook)),
            HookState::Disabled => lacks.push(format!("the hook {} was taken out: {reason}", probe.hook)),
        }
    }
    let undecided = report.undecided.iter();
    lacks.extend(undecided.map(|it| format!("the rule {} could not decide: {}", it.rule, it.reason)));
    if let Some(baseline) = baseline {
        lacks.extend(self::lacks(baseline).into_iter().map(|lack| format!("of the baseline, {lack}")));
        let (one, other) = (&report.target.exe, &baseline.target.exe);
        if one != other {
            lacks.push(format!("the baseline is of another program: {other}, and not {one}"));
        }
    }
    lacks
}
