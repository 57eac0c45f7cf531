//! What RSS is made of, what the collector does, and what was asked of the kernel.

use super::opening::Sentence;
use super::page::{Page, ROWS};
use crate::audit::ladder::TABLES;
use crate::audit::report::{Arenas, Calls, Change, Gc, Memory, Report, Rung};
use crate::audit::unit::Bytes;
use crate::render::changes as sentences;
use crate::render::columns::classes::CLASSES;
use crate::render::details::Line;
use crate::render::style::Tone;
use crate::render::{escape, headline, human, phrases};

/// Cells of a rung before its bar: name, size, share, evidence.
const RUNG: usize = 68;
/// Size classes that are listed.
const SIZE_CLASSES: usize = 5;
/// Frames of the largest object's call stack, and cells of one.
const FRAMES: usize = 4;
const FRAME: usize = 120;
/// Changes of RSS that are listed.
const CHANGES: usize = 6;
/// Most cells of a bar.
const BAR: usize = 40;

/// RSS, row by row.
pub(super) fn ladder(report: &Report, page: &mut Page) {
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
    let rss = Rung { name: "= RSS".to_owned(), bytes: total, evidence: String::new() };
    match memory.rss.last {
        Some(_) => page.aligned(Tone::Heading, rung_line(&rss, total, 0).trim_end_matches(['#', ' '])),
        None => page.indented(Tone::Normal, "RSS -"),
    }
    for (tone, sentence) in besides(report) {
        page.indented(tone, &sentence);
    }
}

/// What is to be known beside the rows.
pub(in crate::render) fn besides(report: &Report) -> Vec<Sentence> {
    let memory = &report.memory;
    let maps = headline::all_maps(report).filter(|_| !maps_are_in(memory)).map(|maps| {
        let maps = human::bytes(maps);
        let sentence = format!(
            "the maps, {maps} at most, are among the unexplained: how much of them is in RAM was not read"
        );
        (Tone::Normal, sentence)
    });
    let swap = memory.swap.filter(|swap| *swap > Bytes(0));
    let swap = swap.map(|swap| (Tone::Warn, format!("besides, {} are swapped out", human::bytes(swap))));
    let arenas = memory.arenas.as_ref().map(|arenas| (Tone::Normal, of_arenas(arenas)));
    maps.into_iter().chain(swap).chain(arenas).collect()
}

/// What the allocator has free of what it took.
fn of_arenas(arenas: &Arenas) -> String {
    let Arenas { count, system, top, fast, binned, whole } = arenas;
    let [system, top, fast, binned, free] = [*system, *top, *fast, *binned, arenas.free()].map(human::bytes);
    let least = if *whole { "" } else { "at least " };
    format!(
        "glibc's malloc took {system} in {}, {least}{free} of it free: {fast} in chunks of up to 128 bytes, {binned} in others, {top} at the end",
        human::plural(*count, "arena")
    )
}

/// Why RSS moved, the largest changes in the order of time; and how long what moves it takes.
pub(super) fn changes(report: &Report, page: &mut Page) {
    let Some(changes) = &report.memory.changes else { return };
    page.heading(&format!("Why RSS moved ({})", sentences::explained(changes)));
    let mut largest: Vec<&Change> = changes.largest.iter().collect();
    largest.sort_by_key(|change| std::cmp::Reverse(change.rss.unsigned_abs()));
    largest.truncate(CHANGES);
    largest.sort_by_key(|change| change.start);
    for change in &largest {
        let when = human::offset(&report.window, change.start);
        page.labelled(&when, Tone::Normal, &sentences::change(report, change));
    }
    let more = changes.omitted.saturating_add((changes.largest.len() - largest.len()) as u64);
    if more > 0 {
        page.indented(Tone::Quiet, &format!("and {}", human::plural(more, "smaller change")));
    }
    for lag in &report.lags {
        page.labelled("lag", Tone::Quiet, &sentences::lag(lag));
    }
}

/// Whether the ladder has a row for what maps hold.
fn maps_are_in(memory: &Memory) -> bool {
    memory.ladder.iter().any(|rung| rung.name == TABLES || rung.name.contains("maps"))
}

/// `current tables     63.0 MiB   71 %  page map        ############`.
fn rung_line(rung: &Rung, total: Bytes, room: usize) -> String {
    let longest = BAR.min(room.saturating_sub(RUNG)) as u64;
    let share = human::share(rung.bytes.0, total.0);
    let filled = human::permille(rung.bytes.0, total.0).unwrap_or(0).min(1000) * longest / 1000;
    let bar = (0..filled).map(|_| '#').collect::<String>();
    let name = escape::visible(&rung.name, 30);
    let room = " ".repeat(30_usize.saturating_sub(escape::width(&name)));
    let evidence = escape::visible(&rung.evidence, 15);
    format!("{name}{room} {:>10} {share:>7}  {evidence:15}  {bar}", human::bytes(rung.bytes))
}

/// The managed heap and its collector.
pub(super) fn collector(report: &Report, page: &mut Page) {
    let Some(gc) = &report.gc else { return };
    page.heading("Heap and garbage collector");
    for line in heap_lines(gc) {
        page.labelled(line.label, line.tone, &line.text);
    }
    if !gc.size_classes.is_empty() {
        page.table(CLASSES, gc.size_classes.iter().take(SIZE_CLASSES), report);
    }
}

/// What is known of them, size classes aside.
pub(in crate::render) fn heap_lines(gc: &Gc) -> Vec<Line> {
    let mut lines = vec![
        Line::new("heap", heap(gc)),
        Line::new("next cycle", goal(gc)),
        Line::new("cycles", cycles(gc)),
        Line::new("pauses", pauses(gc)),
    ];
    lines.extend(hooked(gc));
    if gc.gives_back_lazily == Some(true) {
        let lazily = "pages are given back lazily (MADV_FREE): RSS stays up until the kernel wants them";
        lines.push(Line::toned("", lazily.to_owned(), Tone::Warn));
    }
    lines
}

/// What there is in the heap, and how much room between the objects is lost.
fn heap(gc: &Gc) -> String {
    let size = |size: Option<Bytes>| human::known(size, human::bytes);
    let between = match (gc.in_use, gc.allocated) {
        (Some(in_use), Some(objects)) if in_use > Bytes(0) => {
            format!(" ({} of it is free room between them)", human::share(in_use.less(objects).0, in_use.0))
        }
        _ => String::new(),
    };
    format!(
        "in use {} for {} of objects{between}, free and kept {}, given back {}, stacks {}",
        size(gc.in_use),
        size(gc.allocated),
        size(gc.free),
        size(gc.released),
        size(gc.stacks)
    )
}

/// When the collector runs next.
fn goal(gc: &Gc) -> String {
    let [live, goal] = [gc.heap_live, gc.heap_goal].map(|size| human::known(size, human::bytes));
    let is_go = gc.runtime.starts_with("go");
    let (percent, limit) = if is_go { ("GOGC", "GOMEMLIMIT") } else { ("growth in percent", "own limit") };
    let by = gc.percent.map_or_else(|| "off".to_owned(), |percent| percent.to_string());
    let at = gc.limit.map_or_else(|| "none".to_owned(), human::bytes);
    format!("at {goal}; the last one found {live} alive; {percent} {by}, {limit} {at}")
}

fn cycles(gc: &Gc) -> String {
    let all = human::known(gc.cycles_in_all, human::count);
    let Some(cycles) = gc.cycles else { return format!("{all} since the program began") };
    let often =
        gc.cycles_per_minute.map_or_else(String::new, |times| format!(" ({} a minute)", human::count(times)));
    format!("{}{often}, {all} since the program began", human::count(cycles))
}

fn pauses(gc: &Gc) -> String {
    let span = |time| human::known(time, human::span);
    let pauses = &gc.pauses;
    let all = format!("{} since the program began", span(pauses.in_all));
    if pauses.total.is_none() {
        return all;
    }
    let rate =
        pauses.per_minute.map_or_else(String::new, |time| format!(" ({} a minute)", human::span(time)));
    let longest = match (pauses.max, pauses.p99) {
        (None, _) => String::new(),
        (Some(max), p99) => format!(", longest {}, p99 {}", human::span(max), span(p99)),
    };
    format!("{}{rate}{longest}; {all}", span(pauses.total))
}

/// What hooks told: who stops the world besides the collector, how far the heap was extended, where large
/// objects come from.
fn hooked(gc: &Gc) -> Vec<Line> {
    let mut lines = Vec::new();
    lines.extend(gc.world_stops.map(|stops| Line::new("world stops", human::plural(stops, "time"))));
    lines.extend(gc.extended.map(|extended| {
        let words = format!("{}, {}", human::plural(extended.times, "time"), human::bytes(extended.bytes));
        Line::new("extended", words)
    }));
    let Some(large) = &gc.large_objects else { return lines };
    let largest =
        large.largest.map_or_else(String::new, |bytes| format!(", the largest {}", human::bytes(bytes)));
    let words = format!(
        "{} asked for, {} in all{largest}",
        human::plural(large.times, "large one"),
        human::bytes(large.bytes)
    );
    lines.push(Line::new("objects", words));
    let frames = large.site.iter().take(FRAMES);
    lines.extend(frames.map(|frame| {
        let from = format!("from {}", escape::visible(frame, FRAME));
        Line::toned("", from, Tone::Quiet)
    }));
    lines
}

/// How the target asked the kernel for memory.
pub(super) fn syscalls(report: &Report, page: &mut Page) {
    let Some(syscalls) = &report.syscalls else { return };
    page.heading("Memory syscalls (the bytes are of those that succeeded)");
    for (name, calls) in phrases::syscalls(syscalls) {
        page.labelled(name, Tone::Normal, &phrases::calls(calls));
    }
    for (advice, calls) in syscalls.madvise.by_advice.iter().take(ROWS) {
        page.labelled("", Tone::Quiet, &advised(advice, *calls));
    }
}

/// Calls of one advice.
pub(in crate::render) fn advised(advice: &str, calls: Calls) -> String {
    format!("of these {}: {}", escape::visible(advice, 30), phrases::calls(calls))
}
