//! How the note ends: how far to trust it, and what it cost.

use super::page::{Page, ROWS, named, said};
use crate::audit::fact::{Ended, HookState};
use crate::audit::report::{Confidence, Probe, Report};
use crate::render::details::Line;
use crate::render::style::Tone;
use crate::render::{human, phrases};

/// What was not seen.
pub(super) fn trust(report: &Report, page: &mut Page) {
    page.heading("How far to trust this");
    for line in lines(report) {
        page.labelled(line.label, line.tone, &line.text);
    }
    let missing: Vec<&Probe> = missing(report).collect();
    missing.iter().take(ROWS).for_each(|probe| page.labelled("", Tone::Warn, &missing_probe(probe)));
    page.and_more(missing.len(), "probe");
    let notes = &report.coverage.notes;
    notes.iter().take(ROWS).for_each(|note| page.labelled("note", Tone::Normal, &said(note)));
    page.and_more(notes.len(), "note");
}

/// In short; what is missing, and notes, aside.
pub(in crate::render) fn lines(report: &Report) -> Vec<Line> {
    let coverage = &report.coverage;
    let (word, meaning, tone) = phrases::confidence(coverage.confidence);
    let looked_once = phrases::is_one_look(report);
    let meaning = match coverage.confidence {
        Confidence::Exact if looked_once => "all maps as they were in this one look",
        _ => meaning,
    };
    let mut lines = vec![Line::toned("confidence", format!("{word} ({meaning})"), tone)];
    if !looked_once {
        let tone = if coverage.lost > 0 { Tone::Bad } else { Tone::Normal };
        let [lost, late] = [coverage.lost, coverage.late].map(human::count);
        lines.push(Line::toned("events", format!("lost {lost}, late {late}"), tone));
    }
    let (layout, tone) = phrases::layout(coverage.layout_verified);
    lines.push(Line::toned("layout", layout.to_owned(), tone));
    if !looked_once {
        lines.push(Line::new("probes", phrases::probes(coverage)));
    }
    lines
}

/// Probes that are not attached.
pub(in crate::render) fn missing(report: &Report) -> impl Iterator<Item = &Probe> {
    report.coverage.probes.iter().filter(|probe| probe.state != HookState::Attached)
}

/// Which probe is missing, and why.
pub(in crate::render) fn missing_probe(probe: &Probe) -> String {
    let reason = probe.reason.as_deref().map_or_else(|| "no reason given".to_owned(), said);
    format!("{} {} at {}: {reason}", phrases::hook(probe.state), named(&probe.hook), named(&probe.place))
}

/// What the audit took from target and host.
pub(super) fn cost(report: &Report, page: &mut Page) {
    page.heading("What the audit cost");
    page.indented(Tone::Normal, &costs(report));
}

/// That in one sentence.
pub(in crate::render) fn costs(report: &Report) -> String {
    let cost = &report.cost;
    let size = |size| human::known(size, human::bytes);
    let target = if phrases::is_one_look(report) {
        "target: it went on, and nothing was placed in it".to_owned()
    } else {
        let hits = human::plural(cost.probe_hits, "probe hit");
        format!("target: about {} in {hits}", human::span(cost.target_time_estimate))
    };
    let [cpu, rss, bpf] =
        [human::known(cost.agent_cpu, human::span), size(cost.agent_rss), size(cost.bpf_memory)];
    format!("{target}; agent: CPU {cpu}, RSS {rss}, BPF memory {bpf}")
}

/// How to see it again, and closer. Of a target that is gone its command is not known.
pub(super) fn again(report: &Report, page: &mut Page) {
    page.heading("To look again");
    let pid = report.target.pid.0;
    let is_gone = matches!(report.window.ended, Some(Ended::TargetExited | Ended::TargetReplaced));
    let is_family = !report.members.is_empty();
    let follow = if is_family {
        let verb = if report.window.ended == Some(Ended::OneLook) { "census" } else { "attach" };
        format!("{verb} -p {pid} --follow --record FILE")
    } else if is_gone {
        "run --record FILE -- CMD".to_owned()
    } else {
        format!("attach -p {pid} --record FILE")
    };
    let keeps = "keeps what it sees, and auditor replay FILE draws a report like this, or a page (-f html)";
    page.labelled("all of it", Tone::Normal, &format!("auditor {follow} {keeps}"));
    if let Some(map) = report.maps.iter().find(|map| map.died.is_none()).filter(|_| !is_gone) {
        let pid = map.pid.map_or(pid, |pid| pid.0);
        let line = format!("auditor whatif -p {pid} --map {} says what would free how much", map.address);
        page.labelled("one map", Tone::Normal, &line);
    }
    if let Some(finding) = report.findings.first() {
        let line = format!(
            "auditor explain {} says by which evidence, and what is done about it",
            named(&finding.rule)
        );
        page.labelled("a finding", Tone::Normal, &line);
    }
}
