//! The parts of the note, in their order. Each says nothing, or one line that says so, where there
//! is nothing to say.

use super::page::Page;
use crate::audit::fact::{GrowthKind, HookState};
use crate::audit::report::{Calls, Episode, Finding, Map, Memory, Probe, Report, Rung};
use crate::audit::unit::Bytes;
use crate::render::columns::{episodes, maps, populations};
use crate::render::details::{self, Depth};
use crate::render::headline;
use crate::render::style::Tone;
use crate::render::{escape, human, phrases};

/// Rows of the map table.
const MAP_ROWS: usize = 20;
/// Maps of which everything is said.
const CLOSER: usize = 3;
/// Rows of every other table and list.
const ROWS: usize = 10;
/// Runtimes that are named.
const RUNTIMES: usize = 4;
/// Cells of a name that stands within a line before it is cut.
const NAME: usize = 60;
/// Cells of one sentence of the report before it is cut.
const SENTENCE: usize = 300;
/// Cells of a rung before its bar: name, size, share.
const RUNG: usize = 51;
/// Most cells of a bar.
const BAR: usize = 40;

/// Every part, in order.
pub(super) const SECTIONS: &[fn(&Report, &mut Page)] = &[
    title,
    headline,
    findings,
    ladder,
    map_table,
    closer,
    population_table,
    growths,
    collector,
    syscalls,
    events,
    trust,
    cost,
];

fn title(report: &Report, page: &mut Page) {
    let (target, host) = (&report.target, &report.host);
    let [comm, kernel, arch] = [&target.comm, &host.kernel, &host.arch].map(|text| escape::visible(text, 40));
    page.paragraph(Tone::Heading, &format!("{comm} (pid {}) on Linux {kernel} {arch}", target.pid.0));
    let build = target.build_id.as_ref().map_or_else(String::new, |id| format!(", build id {}", named(id)));
    page.paragraph(Tone::Normal, &format!("{}{build}", escape::visible_tail(&target.exe, 200)));
    let window = &report.window;
    page.paragraph(
        Tone::Normal,
        &format!(
            "seen by auditor {} from {} for {}, {}",
            escape::visible(&report.auditor.version, 40),
            escape::visible(&window.wall_start, 40),
            human::span(window.end.since(window.start)),
            phrases::ended(window.ended)
        ),
    );
    for runtime in report.target.runtimes.iter().take(RUNTIMES) {
        let version =
            runtime.version.as_ref().map_or_else(String::new, |version| format!(" {}", named(version)));
        let [name, evidence] = [&runtime.name, &runtime.evidence].map(|text| named(text));
        page.paragraph(Tone::Quiet, &format!("runtime {name}{version}, recognised by {evidence}"));
    }
}

fn headline(report: &Report, page: &mut Page) {
    page.heading(&headline::holder(report));
    page.paragraph(Tone::Heading, &headline::rss(report));
    if let Some(verdict) = headline::largest(report).and_then(|(map, _)| map.verdict.as_ref()) {
        page.paragraph(Tone::Normal, &format!("Will it come back: {}", said(verdict)));
    }
    if let Some(together) = headline::together(report) {
        page.paragraph(Tone::Normal, &together);
    }
    if let Some(limit) = report.memory.limit {
        let left = report.memory.rss.last.map(|last| human::bytes(limit.less(last)));
        let left = left.map_or_else(String::new, |left| format!(", {left} above RSS now"));
        page.paragraph(Tone::Normal, &format!("The memory limit is {}{left}.", human::bytes(limit)));
    }
}

fn findings(report: &Report, page: &mut Page) {
    if report.findings.is_empty() {
        return;
    }
    page.heading("Findings");
    for finding in report.findings.iter().take(ROWS) {
        one_finding(finding, page);
    }
    and_more(report.findings.len(), ROWS, "finding", page);
}

fn one_finding(finding: &Finding, page: &mut Page) {
    let (severity, tone) = phrases::severity(finding.severity);
    page.labelled(severity, tone, &format!("{} [{}]", said(&finding.summary), named(&finding.rule)));
    for evidence in finding.evidence.iter().take(ROWS) {
        page.labelled("", Tone::Normal, &format!("because {}", said(evidence)));
    }
    let frees =
        finding.reclaimable.map_or_else(String::new, |size| format!(" (frees {})", human::bytes(size)));
    page.labelled("", Tone::Normal, &format!("remedy: {}{frees}", said(&finding.remedy)));
}

fn ladder(report: &Report, page: &mut Page) {
    page.heading("What RSS is made of");
    let memory = &report.memory;
    if memory.ladder.is_empty() {
        page.indented(Tone::Normal, "not broken down");
    }
    let total =
        memory.rss.last.unwrap_or_else(|| memory.ladder.iter().fold(Bytes(0), |sum, rung| sum + rung.bytes));
    for rung in memory.ladder.iter().take(2 * ROWS) {
        let tone = if rung.name == "unexplained" { Tone::Warn } else { Tone::Normal };
        page.aligned(tone, &rung_line(rung, total, page.room()));
    }
    let rss = Rung { name: "= RSS".to_owned(), bytes: total };
    match memory.rss.last {
        Some(_) => page.aligned(Tone::Heading, rung_line(&rss, total, 0).trim_end_matches(['#', ' '])),
        None => page.indented(Tone::Normal, "RSS -"),
    }
    if let Some(maps) = headline::all_maps(report).filter(|_| !maps_are_in(memory)) {
        let maps = human::bytes(maps);
        page.indented(
            Tone::Normal,
            &format!(
                "the maps, {maps} at most, are among the unexplained: how much of them is in RAM was not read"
            ),
        );
    }
    if let Some(swap) = memory.swap.filter(|swap| *swap > Bytes(0)) {
        page.indented(Tone::Warn, &format!("besides, {} are swapped out", human::bytes(swap)));
    }
}

/// Whether the ladder has a row for what maps hold.
fn maps_are_in(memory: &Memory) -> bool {
    memory.ladder.iter().any(|rung| rung.name.starts_with("maps"))
}

/// `maps              63.0 MiB   71 %  ############`.
fn rung_line(rung: &Rung, total: Bytes, room: usize) -> String {
    let longest = BAR.min(room.saturating_sub(RUNG)) as u64;
    let share = human::share(rung.bytes.0, total.0);
    let filled = human::permille(rung.bytes.0, total.0).unwrap_or(0).min(1000) * longest / 1000;
    let bar = (0..filled).map(|_| '#').collect::<String>();
    let name = escape::visible(&rung.name, 30);
    let room = " ".repeat(30_usize.saturating_sub(escape::width(&name)));
    format!("{name}{room} {:>10} {share:>7}  {bar}", human::bytes(rung.bytes))
}

fn map_table(report: &Report, page: &mut Page) {
    page.heading(&format!("Maps ({}, largest first)", human::count(report.maps.len() as u64)));
    if report.maps.is_empty() {
        page.indented(Tone::Normal, "none listed");
        return;
    }
    page.table(maps::MAPS, report.maps.iter().take(MAP_ROWS), report);
    let rest = report.maps.get(MAP_ROWS..).unwrap_or_default();
    if !rest.is_empty() {
        let held = rest.iter().filter(|map| map.died.is_none()).filter_map(headline::held);
        let held = held.fold(Bytes(0), |sum, held| sum + held.bytes());
        let maps = human::plural(rest.len() as u64, "more map");
        page.indented(Tone::Quiet, &format!("and {maps}; those alive hold {}", human::bytes(held)));
    }
}

/// The living maps that hold at least a tenth of what the largest holds.
fn closer(report: &Report, page: &mut Page) {
    let size = |map: &Map| headline::held(map).map(|held| held.bytes().0);
    let Some((_, largest)) = headline::largest(report) else { return };
    let worth_it =
        |map: &&Map| map.died.is_none() && size(map).is_some_and(|size| size >= largest.bytes().0 / 10);
    for map in report.maps.iter().filter(worth_it).take(CLOSER) {
        page.heading(&format!("Closer: {}", maps::label(map, 80)));
        for line in details::lines(map, report, Depth { frames: 8, episodes: 3 }) {
            page.labelled(line.label, line.tone, &line.text);
        }
    }
}

fn population_table(report: &Report, page: &mut Page) {
    if report.populations.is_empty() {
        return;
    }
    page.heading("Small maps, by type");
    page.table(populations::POPULATIONS, report.populations.iter().take(ROWS), report);
    and_more(report.populations.len(), ROWS, "type", page);
}

fn growths(report: &Report, page: &mut Page) {
    if report.episodes.is_empty() {
        return;
    }
    let all = report.episodes.len();
    page.heading(&format!(
        "Growths ({}; the {} largest, in time order)",
        human::count(all as u64),
        all.min(ROWS)
    ));
    let shown = largest_in_time_order(&report.episodes);
    page.table(episodes::EPISODES, shown.iter().copied(), report);
    // That a map doubles because it was full needs no line.
    for episode in shown.iter().filter(|episode| episode.kind != GrowthKind::Double) {
        if let Some(cause) = &episode.cause {
            let when = human::offset(&report.window, episode.start);
            page.labelled(&when, Tone::Normal, &format!("because {}", said(cause)));
        }
    }
}

fn largest_in_time_order(episodes: &[Episode]) -> Vec<&Episode> {
    let mut largest: Vec<&Episode> = episodes.iter().collect();
    largest.sort_by_key(|episode| std::cmp::Reverse(episode.allocated));
    largest.truncate(ROWS);
    largest.sort_by_key(|episode| episode.start);
    largest
}

fn collector(report: &Report, page: &mut Page) {
    let Some(gc) = &report.gc else { return };
    page.heading("Garbage collector");
    let pauses = &gc.pauses;
    page.labelled("cycles", Tone::Normal, &human::count(gc.cycles));
    page.labelled(
        "pauses",
        Tone::Normal,
        &format!(
            "{}, {} in all, longest {}, p99 {}",
            human::count(pauses.count),
            human::span(pauses.total),
            human::span(pauses.max),
            human::known(pauses.p99, human::span)
        ),
    );
    let [live, goal, released] =
        [gc.heap_live, gc.heap_goal, gc.released].map(|size| human::known(size, human::bytes));
    page.labelled("heap", Tone::Normal, &format!("live {live}, goal {goal}, given back {released}"));
}

fn syscalls(report: &Report, page: &mut Page) {
    let Some(syscalls) = &report.syscalls else { return };
    page.heading("Memory syscalls (the bytes are of those that succeeded)");
    for (name, calls) in phrases::syscalls(syscalls) {
        page.labelled(name, Tone::Normal, &phrases::calls(calls));
    }
    for (advice, calls) in syscalls.madvise.by_advice.iter().take(ROWS) {
        page.labelled("", Tone::Quiet, &advised(advice, *calls));
    }
}

fn advised(advice: &str, calls: Calls) -> String {
    format!("of these {}: {}", escape::visible(advice, 30), phrases::calls(calls))
}

fn events(report: &Report, page: &mut Page) {
    page.heading("Events, over all maps");
    page.indented(Tone::Normal, &phrases::events(&report.events, human::count).join(", "));
}

fn trust(report: &Report, page: &mut Page) {
    let coverage = &report.coverage;
    let (word, meaning, tone) = phrases::confidence(coverage.confidence);
    page.heading("How far to trust this");
    page.labelled("confidence", tone, &format!("{word} ({meaning})"));
    let tone = if coverage.lost > 0 { Tone::Bad } else { Tone::Normal };
    let [lost, late] = [coverage.lost, coverage.late].map(human::count);
    page.labelled("events", tone, &format!("lost {lost}, late {late}"));
    let (layout, tone) = phrases::layout(coverage.layout_verified);
    page.labelled("layout", tone, layout);
    page.labelled("probes", Tone::Normal, &phrases::probes(coverage));
    let missing: Vec<&Probe> =
        coverage.probes.iter().filter(|probe| probe.state != HookState::Attached).collect();
    missing.iter().take(ROWS).for_each(|probe| page.labelled("", Tone::Warn, &missing_probe(probe)));
    and_more(missing.len(), ROWS, "probe", page);
    coverage.notes.iter().take(ROWS).for_each(|note| page.labelled("note", Tone::Normal, &said(note)));
    and_more(coverage.notes.len(), ROWS, "note", page);
}

fn missing_probe(probe: &Probe) -> String {
    let reason = probe.reason.as_deref().map_or_else(|| "no reason given".to_owned(), said);
    format!("{} {} at {}: {reason}", phrases::hook(probe.state), named(&probe.hook), named(&probe.place))
}

fn cost(report: &Report, page: &mut Page) {
    let cost = &report.cost;
    let size = |size| human::known(size, human::bytes);
    page.heading("What the audit cost");
    page.indented(
        Tone::Normal,
        &format!(
            "target: about {} in {}; agent: CPU {}, RSS {}, BPF memory {}",
            human::span(cost.target_time_estimate),
            human::plural(cost.probe_hits, "probe hit"),
            human::known(cost.agent_cpu, human::span),
            size(cost.agent_rss),
            size(cost.bpf_memory)
        ),
    );
}

fn and_more(all: usize, shown: usize, thing: &str, page: &mut Page) {
    if all > shown {
        let left = human::plural((all - shown) as u64, &format!("more {thing}"));
        page.indented(Tone::Quiet, &format!("and {left}"));
    }
}

fn named(text: &str) -> String {
    escape::visible(text, NAME)
}

fn said(text: &str) -> String {
    escape::visible(text, SENTENCE)
}
