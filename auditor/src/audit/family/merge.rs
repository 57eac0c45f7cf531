//! One report of many: lists are joined with the number of their process, counts are added up, and what cannot be
//! added up is `null`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::super::fact::SizesId;
use super::super::report::{
    Calls, Confidence, Cost, Coverage, Events, Finding, Forecast, Growths, Map, MapBytes, Population,
    PopulationBytes, Report, Syscalls, Tables,
};
use super::super::unit::{Bytes, Nanos, Pid};

/// Notes in a report.
pub(super) const MOST_NOTES: usize = 100;
/// Members that a note names.
const NAMED: usize = 3;

/// The report of the family whose members' reports these are; the first is the one that was asked for. `past`: what
/// others counted.
pub(super) fn merge(reports: Vec<(Pid, Report)>, past: Option<&Report>) -> Report {
    let all = reports.len();
    let mut notes = Notes::default();
    let mut reports = reports.into_iter();
    let Some((pid, first)) = reports.next() else { return super::Audit::new().report() };
    let mut sum = first;
    mark(pid, &mut sum);
    notes.take(pid, &mut sum.coverage);
    for (pid, mut report) in reports {
        mark(pid, &mut report);
        notes.take(pid, &mut report.coverage);
        add(&mut sum, report);
    }
    if let Some(past) = past {
        add(&mut sum, past.clone());
    }
    sum.coverage.notes = notes.told(all);
    // Of one process alone.
    (sum.lags, sum.timeline, sum.gc) = (Vec::new(), None, if all == 1 { sum.gc } else { None });
    sum.forecast = Forecast { growths: sum.forecast.growths, ..Forecast::default() };
    sum.forecast.growths.iter_mut().for_each(|growth| growth.fits = None);
    sort(&mut sum);
    sum
}

/// What a member counted that left, added to what others did: its maps are listed no more.
pub(super) fn fold(past: Option<Report>, report: Report) -> Report {
    let whole = super::Audit::new().report();
    let report = Report {
        syscalls: report.syscalls,
        events: report.events,
        populations: report.populations,
        coverage: Coverage { notes: Vec::new(), ..report.coverage },
        target: report.target,
        cost: report.cost,
        ..whole
    };
    let Some(mut past) = past else { return report };
    add(&mut past, report);
    past.populations = populations(past.populations);
    past
}

/// A few of many.
pub(super) fn few(pids: &[Pid]) -> String {
    let named: Vec<String> = pids.iter().take(NAMED).map(|pid| pid.0.to_string()).collect();
    if pids.len() > NAMED {
        return format!("{} members, {}, ...", pids.len(), named.join(", "));
    }
    named.join(", ")
}

/// What the family's numbers are: lower bounds.
pub(super) fn doubt(coverage: &mut Coverage) {
    if coverage.confidence == Confidence::Exact {
        coverage.confidence = Confidence::AtLeast;
    }
}

/// The maps of a process that ended or runs another program are gone with it.
pub(super) fn bury(report: &mut Report, at: Nanos) {
    for map in report.maps.iter_mut().filter(|map| map.died.is_none()) {
        let (none, peak) = (Some(Bytes(0)), map.bytes.peak);
        map.bytes = MapBytes { allocated: none, needed: none, old_table: none, peak, ..MapBytes::default() };
        (map.died, map.reachable, map.live, map.capacity) = (Some(at), None, Some(0), Some(0));
        (map.tombstones, map.overflow) = (map.tombstones.and(Some(0)), map.overflow.and(Some(0)));
        (map.next_growth, map.sizes, map.verdict, map.outlook) = (None, None, None, None);
    }
    for row in &mut report.populations {
        (row.alive, row.live, row.capacity, row.reachable) = (0, 0, 0, None);
        row.bytes = PopulationBytes { needed: Some(Bytes(0)), ..PopulationBytes::default() };
        (row.near_empty, row.over_presized) = (Some(0), Some(0));
    }
    report.forecast.growths.clear();
}

fn mark(pid: Pid, report: &mut Report) {
    report.maps.iter_mut().for_each(|map| map.pid = Some(pid));
    report.episodes.iter_mut().for_each(|episode| episode.pid = Some(pid));
    report.findings.iter_mut().for_each(|finding| finding.pid = Some(pid));
    report.forecast.growths.iter_mut().for_each(|growth| growth.pid = Some(pid));
}

fn add(sum: &mut Report, mut report: Report) {
    renumber(sum, &mut report);
    sum.window.end = sum.window.end.max(report.window.end);
    for runtime in report.target.runtimes {
        if !sum.target.runtimes.iter().any(|known| known.name == runtime.name) {
            sum.target.runtimes.push(runtime);
        }
    }
    sum.syscalls = both(sum.syscalls.take(), report.syscalls, add_syscalls);
    sum.events = add_events(&sum.events, &report.events);
    sum.maps.append(&mut report.maps);
    sum.populations.append(&mut report.populations);
    sum.episodes.append(&mut report.episodes);
    sum.forecast.growths.append(&mut report.forecast.growths);
    sum.findings.append(&mut report.findings);
    for undecided in report.undecided {
        if !sum.undecided.iter().any(|known| known.rule == undecided.rule) {
            sum.undecided.push(undecided);
        }
    }
    add_coverage(&mut sum.coverage, report.coverage);
    add_cost(&mut sum.cost, &report.cost);
}

/// Numbers of sizes are those of one audit: equal sizes get one number.
fn renumber(sum: &mut Report, report: &mut Report) {
    let mut numbers: BTreeMap<SizesId, SizesId> = BTreeMap::new();
    for mut sizes in std::mem::take(&mut report.sizes) {
        let old = sizes.id;
        let known = sum.sizes.iter().find(|known| {
            sizes.id = known.id;
            **known == sizes
        });
        let new = known.map_or_else(|| next_number(sum), |known| known.id);
        if known.is_none() {
            sizes.id = new;
            sum.sizes.push(sizes);
        }
        numbers.insert(old, new);
    }
    for map in &mut report.maps {
        map.sizes = map.sizes.and_then(|id| numbers.get(&id)).copied();
    }
}

fn next_number(report: &Report) -> SizesId {
    SizesId(report.sizes.iter().map(|sizes| sizes.id.0).max().map_or(0, |last| last.saturating_add(1)))
}

fn sort(report: &mut Report) {
    report.maps.sort_by_key(rank);
    report.populations = populations(std::mem::take(&mut report.populations));
    report.episodes.sort_by_key(|episode| (episode.start, episode.pid, episode.map));
    let soonest =
        |it: &super::super::report::Upcoming| (it.eta.is_none(), it.eta, Reverse(it.peak_extra), it.pid);
    report.forecast.growths.sort_by_key(soonest);
    let worst = |it: &Finding| (it.severity, Reverse(it.reclaimable.unwrap_or_default()), it.pid);
    report.findings.sort_by_key(worst);
}

/// As in the report of one process: what waits for the collector behind what does not, the dropped last.
fn rank(map: &Map) -> impl Ord + use<> {
    let fate = match (map.died, map.reachable) {
        (Some(_), _) => 2,
        (None, Some(false)) => 1,
        (None, _) => 0,
    };
    let size = (map.bytes.resident, map.bytes.allocated.unwrap_or_default());
    (fate, Reverse(if fate == 2 { (None, Bytes(0)) } else { size }), map.pid, map.address, map.born)
}

fn populations(rows: Vec<Population>) -> Vec<Population> {
    let mut kinds: BTreeMap<_, Population> = BTreeMap::new();
    for row in rows {
        let kind = (row.runtime.clone(), row.type_name.clone(), row.owner.clone(), row.reachable);
        match kinds.get_mut(&kind) {
            Some(sum) => add_population(sum, &row),
            None => _ = kinds.insert(kind, row),
        }
    }
    let mut rows: Vec<Population> = kinds.into_values().collect();
    rows.sort_by_key(|row| (row.reachable == Some(false), Reverse(row.bytes.allocated)));
    rows
}

fn add_population(sum: &mut Population, row: &Population) {
    for (sum, more) in [
        (&mut sum.maps, row.maps),
        (&mut sum.alive, row.alive),
        (&mut sum.live, row.live),
        (&mut sum.capacity, row.capacity),
    ] {
        *sum = sum.saturating_add(more);
    }
    sum.bytes.allocated += row.bytes.allocated;
    sum.bytes.needed = sizes(sum.bytes.needed, row.bytes.needed);
    sum.bytes.stranded = sizes(sum.bytes.stranded, row.bytes.stranded);
    sum.near_empty = counts(sum.near_empty, row.near_empty);
    sum.over_presized = counts(sum.over_presized, row.over_presized);
    sum.tables = Tables {
        allocated: counts(sum.tables.allocated, row.tables.allocated),
        allocated_bytes: sizes(sum.tables.allocated_bytes, row.tables.allocated_bytes),
        freed: counts(sum.tables.freed, row.tables.freed),
        freed_bytes: sizes(sum.tables.freed_bytes, row.tables.freed_bytes),
    };
    sum.growths = Growths {
        first: counts(sum.growths.first, row.growths.first),
        double: counts(sum.growths.double, row.growths.double),
        same_size: counts(sum.growths.same_size, row.growths.same_size),
        shrink: counts(sum.growths.shrink, row.growths.shrink),
        split: counts(sum.growths.split, row.growths.split),
        other: counts(sum.growths.other, row.growths.other),
    };
}

/// What is not known of one is not known of both.
fn both<T>(one: Option<T>, other: Option<T>, add: impl FnOnce(T, T) -> T) -> Option<T> {
    Some(add(one?, other?))
}

fn counts(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    both(one, other, u64::saturating_add)
}

fn sizes(one: Option<Bytes>, other: Option<Bytes>) -> Option<Bytes> {
    both(one, other, |one, other| one + other)
}

fn calls(one: Calls, other: Calls) -> Calls {
    Calls { calls: one.calls.saturating_add(other.calls), bytes: one.bytes + other.bytes }
}

fn add_syscalls(one: Syscalls, other: Syscalls) -> Syscalls {
    let mut sum = Syscalls {
        mmap: calls(one.mmap, other.mmap),
        munmap: calls(one.munmap, other.munmap),
        mremap: calls(one.mremap, other.mremap),
        brk: calls(one.brk, other.brk),
        madvise: one.madvise,
    };
    sum.madvise.calls = sum.madvise.calls.saturating_add(other.madvise.calls);
    sum.madvise.bytes += other.madvise.bytes;
    for (advice, more) in other.madvise.by_advice {
        let known = sum.madvise.by_advice.entry(advice).or_default();
        *known = calls(*known, more);
    }
    sum
}

fn add_events(one: &Events, other: &Events) -> Events {
    Events {
        allocate: counts(one.allocate, other.allocate),
        grow: counts(one.grow, other.grow),
        evacuate: counts(one.evacuate, other.evacuate),
        free: counts(one.free, other.free),
        insert: counts(one.insert, other.insert),
        delete: counts(one.delete, other.delete),
        clear: counts(one.clear, other.clear),
    }
}

fn add_coverage(sum: &mut Coverage, more: Coverage) {
    sum.lost = sum.lost.saturating_add(more.lost);
    sum.late = sum.late.saturating_add(more.late);
    for probe in more.probes {
        if !sum.probes.iter().any(|known| (&known.hook, &known.place) == (&probe.hook, &probe.place)) {
            sum.probes.push(probe);
        }
    }
    sum.layout_verified = match (sum.layout_verified, more.layout_verified) {
        (None, told) | (told, None) => told,
        (Some(one), Some(other)) => Some(one && other),
    };
    if sum.confidence != more.confidence {
        sum.confidence = Confidence::AtLeast;
    }
}

/// What the auditor has cost so far: the last who tells it knows most.
fn add_cost(sum: &mut Cost, more: &Cost) {
    sum.probe_hits = sum.probe_hits.saturating_add(more.probe_hits);
    sum.target_time_estimate = sum.target_time_estimate.plus(more.target_time_estimate);
    sum.agent_cpu = sum.agent_cpu.max(more.agent_cpu);
    sum.agent_rss = sum.agent_rss.max(more.agent_rss);
    sum.bpf_memory = sum.bpf_memory.max(more.bpf_memory);
}

/// What members' notes say, and of whom.
#[derive(Debug, Default)]
struct Notes(Vec<(String, Vec<Pid>)>);

impl Notes {
    fn take(&mut self, pid: Pid, coverage: &mut Coverage) {
        for note in coverage.notes.drain(..) {
            match self.0.iter().position(|(known, _)| *known == note) {
                Some(known) => self.0[known].1.push(pid),
                None if self.0.len() < MOST_NOTES => self.0.push((note, vec![pid])),
                None => {}
            }
        }
    }

    /// What is so of all needs no names.
    fn told(self, all: usize) -> Vec<String> {
        let told = |(note, pids): (String, Vec<Pid>)| match pids.as_slice() {
            pids if pids.len() == all => note,
            [pid] => format!("{}: {note}", pid.0),
            pids => {
                let named: Vec<String> = pids.iter().take(NAMED).map(|pid| pid.0.to_string()).collect();
                let more = if pids.len() > NAMED { ", ..." } else { "" };
                format!("{} members ({}{more}): {note}", pids.len(), named.join(", "))
            }
        };
        self.0.into_iter().map(told).collect()
    }
}
