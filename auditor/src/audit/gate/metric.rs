//! What can be asked for: one row a metric. A figure of the report is taken as it stands there; of maps, those
//! that are meant are added up.

use super::filter::Field;
use super::kind::{Kind, PERCENT};
use super::range::Range;
use crate::audit::fact::HookState;
use crate::audit::report::{Map, Memory, Population, Report};
use crate::audit::unit::{Bytes, Nanos};

/// One row of [`METRICS`].
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// How it is written.
    pub name: &'static str,
    /// What it is measured in.
    pub kind: Kind,
    /// What it is, in one line.
    pub about: &'static str,
    pub(super) source: Source,
}

/// Where a figure comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// The report says it; `None`: unknown.
    Report(fn(&Report) -> Option<u64>),
    /// From maps and populations.
    Maps(OfMaps),
    /// How long threads waited in the growths of the maps that are meant.
    Waits,
    /// How many findings.
    Findings,
}

/// What maps add to a figure.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfMaps {
    pub(super) whose: Whose,
    pub(super) fold: Fold,
    pub(super) map: fn(&Map) -> Range,
    pub(super) crowd: fn(&Population) -> Range,
}

/// Which maps add to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those that live.
    Living,
    /// Those that were dropped, too.
    All,
}

/// What becomes of the figures of many maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fold {
    /// They are added up.
    Sum,
    /// The largest counts.
    Largest,
}

impl Metric {
    /// What its filters may look at.
    pub(super) const fn fields(&self) -> &'static [Field] {
        match self.source {
            Source::Report(_) => &[],
            Source::Maps(_) | Source::Waits => Field::OF_MAPS,
            Source::Findings => Field::OF_FINDINGS,
        }
    }
}

const fn report(
    name: &'static str,
    kind: Kind,
    figure: fn(&Report) -> Option<u64>,
    about: &'static str,
) -> Metric {
    Metric { name, kind, about, source: Source::Report(figure) }
}

const fn living(
    name: &'static str,
    kind: Kind,
    map: fn(&Map) -> Range,
    crowd: fn(&Population) -> Range,
    about: &'static str,
) -> Metric {
    let source = Source::Maps(OfMaps { whose: Whose::Living, fold: Fold::Sum, map, crowd });
    Metric { name, kind, about, source }
}

/// Every metric, once.
pub const METRICS: &[Metric] = &[
    report("peak_rss", Kind::Bytes, |report| bytes(report.memory.rss.peak), "the highest RSS that was seen"),
    report("rss", Kind::Bytes, |report| bytes(report.memory.rss.last), "RSS at the last reading"),
    report(
        "peak_of_limit",
        Kind::MilliPercent,
        |report| share(bytes(report.memory.rss.peak)?, bytes(report.memory.limit)?),
        "the highest RSS, in percent of the memory limit",
    ),
    report("swap", Kind::Bytes, |report| bytes(report.memory.swap), "what is swapped out"),
    report("headroom", Kind::Bytes, |report| bytes(report.memory.headroom), "how much more fits"),
    report(
        "unexplained",
        Kind::Bytes,
        |report| unexplained(&report.memory),
        "RSS that no row of the ladder explains",
    ),
    report(
        "oom_kills",
        Kind::Count,
        |report| report.memory.pressure?.oom_kills,
        "tasks of its cgroup that the kernel killed for want of memory",
    ),
    living(
        "stranded",
        Kind::Bytes,
        |map| {
            let bound = bytes(map.bytes.allocated).zip(bytes(map.bytes.needed));
            let bound = bound.map(|(allocated, needed)| allocated.saturating_sub(needed));
            Range::known_or_up_to(bytes(map.bytes.stranded), bound)
        },
        |crowd| Range::known_or_up_to(bytes(crowd.bytes.stranded), Some(crowd.bytes.allocated.0)),
        "bytes in RAM that the entries would not need in maps just rebuilt",
    ),
    living(
        "allocated",
        Kind::Bytes,
        |map| Range::known(bytes(map.bytes.allocated)),
        |crowd| Range::exact(crowd.bytes.allocated.0),
        "all bytes that maps hold",
    ),
    living(
        "resident",
        Kind::Bytes,
        |map| Range::known_or_up_to(bytes(map.bytes.resident), bytes(map.bytes.allocated)),
        |crowd| Range::known_or_up_to(None, Some(crowd.bytes.allocated.0)),
        "the part of allocated that is in RAM",
    ),
    living(
        "old_table",
        Kind::Bytes,
        |map| Range::known_or_up_to(bytes(map.bytes.old_table), bytes(map.bytes.allocated)),
        |crowd| Range::known_or_up_to(None, Some(crowd.bytes.allocated.0)),
        "tables that are still held while they are evacuated",
    ),
    Metric {
        name: "largest_map",
        kind: Kind::Bytes,
        about: "allocated of the largest map",
        source: Source::Maps(OfMaps {
            whose: Whose::Living,
            fold: Fold::Largest,
            map: |map| Range::known(bytes(map.bytes.allocated)),
            crowd: |crowd| Range::known_or_up_to(None, Some(crowd.bytes.allocated.0)),
        }),
    },
    living(
        "live",
        Kind::Count,
        |map| Range::known_or_up_to(map.live, map.capacity),
        |crowd| Range::exact(crowd.live),
        "entries that a lookup could find",
    ),
    living(
        "capacity",
        Kind::Count,
        |map| Range::known(map.capacity),
        |crowd| Range::exact(crowd.capacity),
        "slots in the current tables",
    ),
    living("maps", Kind::Count, |_| Range::exact(1), |crowd| Range::exact(crowd.alive), "maps that live"),
    Metric {
        name: "growths",
        kind: Kind::Count,
        about: "growths of all kinds, first tables and dropped maps too",
        source: Source::Maps(OfMaps {
            whose: Whose::All,
            fold: Fold::Sum,
            map: |map| Range::known(map.growths.in_all()),
            crowd: |crowd| Range::known(crowd.growths.in_all()),
        }),
    },
    Metric {
        name: "growth_wait",
        kind: Kind::Nanos,
        about: "the longest that a thread waited for the tables of one growth",
        source: Source::Waits,
    },
    Metric { name: "findings", kind: Kind::Count, about: "what the rules found", source: Source::Findings },
    report(
        "undecided",
        Kind::Count,
        |report| count(&report.undecided),
        "what the rules suspect and cannot tell",
    ),
    report(
        "gc_cycles",
        Kind::Count,
        |report| report.gc.as_ref()?.cycles,
        "cycles of the collector in the window",
    ),
    report(
        "gc_cycles_per_minute",
        Kind::Count,
        |report| report.gc.as_ref()?.cycles_per_minute,
        "cycles of the collector in a minute",
    ),
    report(
        "gc_pause",
        Kind::Nanos,
        |report| nanos(report.gc.as_ref()?.pauses.max),
        "the longest pause of the world",
    ),
    report(
        "gc_pause_p99",
        Kind::Nanos,
        |report| nanos(report.gc.as_ref()?.pauses.p99),
        "99 % of the pauses were no longer",
    ),
    report("lost", Kind::Count, |report| Some(report.coverage.lost), "events that were lost"),
    report("late", Kind::Count, |report| Some(report.coverage.late), "events that came after later ones"),
    report("unplaced", Kind::Count, |report| Some(unplaced(report)), "hooks that were refused or taken out"),
    report("duration", Kind::Nanos, |report| Some(window(report).0), "how long the audit went on"),
    report(
        "probe_cost",
        Kind::MilliPercent,
        |report| share(report.cost.target_time_estimate.0, window(report).0),
        "what the hooks took from the target, in percent of one CPU",
    ),
];

fn bytes(size: Option<Bytes>) -> Option<u64> {
    size.map(|size| size.0)
}

fn nanos(time: Option<Nanos>) -> Option<u64> {
    time.map(|time| time.0)
}

fn count<T>(items: &[T]) -> Option<u64> {
    Some(items.len() as u64)
}

/// Thousandths of a percent; `None` of nothing.
fn share(part: u64, whole: u64) -> Option<u64> {
    let share = (u128::from(part) * 100 * u128::from(PERCENT)).checked_div(u128::from(whole))?;
    Some(u64::try_from(share).unwrap_or(u64::MAX))
}

fn unexplained(memory: &Memory) -> Option<u64> {
    memory.ladder.last().filter(|rung| rung.name == "unexplained").map(|rung| rung.bytes.0)
}

fn unplaced(report: &Report) -> u64 {
    report.coverage.probes.iter().filter(|probe| probe.state != HookState::Attached).count() as u64
}

fn window(report: &Report) -> Nanos {
    report.window.end.since(report.window.start)
}

/// The metric of that name.
pub(super) fn find(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}
