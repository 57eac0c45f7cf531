//! What is told of a whole target: one row a metric.

use std::collections::BTreeMap;

use super::{Family, Labels, Number};
use crate::audit::report::{Calls, Gc, Pressure, Report, Severity};
use crate::audit::unit::{Bytes, Nanos};
use crate::render::columns::fields::Unit;
use crate::render::export::{text, word};
use crate::render::phrases;

/// Values with the label that tells them apart; an empty one: there is but one value.
type Values = Vec<(String, Option<u64>)>;

/// One metric.
#[derive(Debug)]
struct Row {
    name: &'static str,
    help: &'static str,
    unit: Unit,
    /// The name of the label.
    label: &'static str,
    values: fn(&Report) -> Values,
}

const fn row(name: &'static str, help: &'static str, unit: Unit, values: fn(&Report) -> Values) -> Row {
    Row { name, help, unit, label: "", values }
}

impl Row {
    const fn by(self, label: &'static str) -> Self {
        Self { label, ..self }
    }

    fn family(&self, report: &Report) -> Family {
        let known = (self.values)(report).into_iter().filter_map(|(name, number)| Some((name, number?)));
        let labels = |name: String| if self.label.is_empty() { vec![] } else { vec![(self.label, name)] };
        let series = known.map(|(name, number)| (labels(name), Number::of(number, self.unit)));
        Family { name: self.name, help: self.help.to_owned(), unit: self.unit, series: series.collect() }
    }
}

const ROWS: &[Row] = &[
    row("window", "How long the audit lasted", Unit::Seconds, |report| {
        one(Some(report.window.end.since(report.window.start).0))
    }),
    row(
        "rss",
        "Resident memory at the first and last reading, and at the highest seen",
        Unit::Bytes,
        |report| {
            let rss = &report.memory.rss;
            named([("first", size(rss.first)), ("last", size(rss.last)), ("peak", size(rss.peak))])
        },
    )
    .by("at"),
    row("memory_limit", "The smallest memory limit of its cgroups", Unit::Bytes, |report| {
        one(size(report.memory.limit))
    }),
    row("swap", "Memory that is swapped out", Unit::Bytes, |report| one(size(report.memory.swap))),
    row(
        "headroom",
        "How much more it can hold before it is killed or the host swaps",
        Unit::Bytes,
        |report| one(size(report.memory.headroom)),
    ),
    row("rss_part", "What RSS is made of; the parts add up to the last reading", Unit::Bytes, |report| {
        let mut parts: BTreeMap<String, u64> = BTreeMap::new();
        for rung in &report.memory.ladder {
            let sum = parts.entry(text(&rung.name)).or_default();
            *sum = sum.saturating_add(rung.bytes.0);
        }
        parts.into_iter().map(|(name, bytes)| (name, Some(bytes))).collect()
    })
    .by("part"),
    row(
        "rss_moved",
        "How far RSS rose and fell in all, and what of it no part explains",
        Unit::Bytes,
        |report| {
            let Some(changes) = &report.memory.changes else { return vec![] };
            named([
                ("rose", Some(changes.rose.0)),
                ("rose_unexplained", Some(changes.rose_unexplained.0)),
                ("fell", Some(changes.fell.0)),
                ("fell_unexplained", Some(changes.fell_unexplained.0)),
            ])
        },
    )
    .by("how"),
    row("memory_charged", "What its cgroup was charged at the last reading", Unit::Bytes, |report| {
        pressure(report, |pressure| size(pressure.charged))
    }),
    row(
        "memory_waited",
        "Time in which some task of it, or all, waited for memory",
        Unit::Seconds,
        |report| {
            let Some(pressure) = &report.memory.pressure else { return vec![] };
            named([("some", span(pressure.some)), ("all", span(pressure.full))])
        },
    )
    .by("tasks"),
    row("oom_kills", "Tasks of its cgroup that were killed for want of memory", Unit::Pieces, |report| {
        pressure(report, |pressure| pressure.oom_kills)
    }),
    row("syscalls", "Memory syscalls that were seen to end", Unit::Pieces, |report| {
        syscalls(report, |calls| calls.calls)
    })
    .by("call"),
    row("syscalls_moved", "How much these were about, where they succeeded", Unit::Bytes, |report| {
        syscalls(report, |calls| calls.bytes.0)
    })
    .by("call"),
    row("events", "What happened to maps, over all of them", Unit::Pieces, |report| {
        let events = &report.events;
        named([
            ("allocate", events.allocate),
            ("grow", events.grow),
            ("evacuate", events.evacuate),
            ("free", events.free),
            ("insert", events.insert),
            ("delete", events.delete),
            ("clear", events.clear),
        ])
    })
    .by("event"),
    row("gc_cycles", "Cycles of the collector that ended during the audit", Unit::Pieces, |report| {
        gc(report, |gc| gc.cycles)
    }),
    row("gc_pauses", "How long the world was stopped for it, in all", Unit::Seconds, |report| {
        gc(report, |gc| span(gc.pauses.total))
    }),
    row("gc_longest_pause", "How long it was stopped at most", Unit::Seconds, |report| {
        gc(report, |gc| span(gc.pauses.max))
    }),
    row("gc_heap", "The managed heap at the last reading", Unit::Bytes, |report| {
        let Some(gc) = &report.gc else { return vec![] };
        named([
            ("live", size(gc.heap_live)),
            ("goal", size(gc.heap_goal)),
            ("in_use", size(gc.in_use)),
            ("allocated", size(gc.allocated)),
            ("free", size(gc.free)),
            ("released", size(gc.released)),
            ("stacks", size(gc.stacks)),
        ])
    })
    .by("part"),
    row("findings", "What the rules found, by severity", Unit::Pieces, |report| {
        let severities = [Severity::Critical, Severity::Warning, Severity::Info];
        let found = |severity| report.findings.iter().filter(|one| one.severity == severity).count();
        severities.map(|severity| (word(&severity), Some(found(severity) as u64))).to_vec()
    })
    .by("severity"),
    row("lost_events", "Events that were lost: with any, totals are lower bounds", Unit::Pieces, |report| {
        one(Some(report.coverage.lost))
    }),
    row("late_events", "Events that came after later ones had been counted", Unit::Pieces, |report| {
        one(Some(report.coverage.late))
    }),
    row("layout_verified", "Whether the layouts passed their checks, 1 or 0", Unit::Pieces, |report| {
        one(report.coverage.layout_verified.map(u64::from))
    }),
    row("confidence", "1 for how far the numbers can be trusted", Unit::Pieces, |report| {
        vec![(word(&report.coverage.confidence), Some(1))]
    })
    .by("confidence"),
    row("probe_hits", "Hits of all hooks", Unit::Pieces, |report| one(Some(report.cost.probe_hits))),
    row("target_time", "What the hooks took from the target, estimated", Unit::Seconds, |report| {
        one(Some(report.cost.target_time_estimate.0))
    }),
    row("agent_cpu", "CPU time of the auditor", Unit::Seconds, |report| one(span(report.cost.agent_cpu))),
    row("agent_rss", "Resident memory of the auditor", Unit::Bytes, |report| {
        one(size(report.cost.agent_rss))
    }),
    row("bpf_memory", "Memory of its BPF maps and programs", Unit::Bytes, |report| {
        one(size(report.cost.bpf_memory))
    }),
];

/// All but those of maps.
pub(super) fn of(report: &Report) -> Vec<Family> {
    [target(report)].into_iter().chain(ROWS.iter().map(|row| row.family(report))).collect()
}

/// Who was audited, where and by whom.
fn target(report: &Report) -> Family {
    let runtimes: Vec<String> = report.target.runtimes.iter().map(|runtime| text(&runtime.name)).collect();
    let labels: Labels = vec![
        ("exe", text(&report.target.exe)),
        ("runtimes", text(&runtimes.join(" "))),
        ("kernel", text(&report.host.kernel)),
        ("auditor", text(&report.auditor.version)),
        ("began", text(&report.window.wall_start)),
    ];
    let help = "1 for the process that was audited".to_owned();
    Family { name: "target", help, unit: Unit::Pieces, series: vec![(labels, Number::Whole(1))] }
}

fn one(value: Option<u64>) -> Values {
    vec![(String::new(), value)]
}

fn named(values: impl IntoIterator<Item = (&'static str, Option<u64>)>) -> Values {
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn size(bytes: Option<Bytes>) -> Option<u64> {
    bytes.map(|bytes| bytes.0)
}

fn span(nanos: Option<Nanos>) -> Option<u64> {
    nanos.map(|nanos| nanos.0)
}

fn pressure(report: &Report, value: fn(&Pressure) -> Option<u64>) -> Values {
    one(report.memory.pressure.as_ref().and_then(value))
}

fn gc(report: &Report, value: fn(&Gc) -> Option<u64>) -> Values {
    one(report.gc.as_ref().and_then(value))
}

fn syscalls(report: &Report, value: fn(Calls) -> u64) -> Values {
    let Some(syscalls) = &report.syscalls else { return vec![] };
    named(phrases::syscalls(syscalls).map(|(name, calls)| (name, Some(value(calls)))))
}
