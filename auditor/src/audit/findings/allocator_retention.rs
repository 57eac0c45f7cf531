//! Memory that maps let go and the process still has.

use super::Rule;
use super::scene::{Found, Outcome, Scene};
use crate::audit::ladder::{self, OF_ALLOCATOR, UNEXPLAINED};
use crate::audit::report::{Arenas, Report, Severity, Tables};
use crate::audit::trend::Whole;
use crate::audit::unit::Bytes;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "allocator_retention",
    line: "maps let memory go, and the allocator did not give it back",
    text: "
Decided by: maps hold less than at their most, tables of theirs were seen to go, less went back
to the kernel meanwhile (munmap, MADV_DONTNEED, MADV_FREE), and RSS did not fall by it. What the
program has made since may have taken its place: it is an upper bound. Of glibc's malloc the
lists of free chunks are read (memory.arenas): no more is kept than is free in them. Not where a
managed heap counts itself: there the ladder tells it apart.
What to do: glibc: malloc_trim(0), M_TRIM_THRESHOLD, MALLOC_ARENA_MAX. jemalloc:
background_thread:true and dirty_decay_ms. tcmalloc: ReleaseFreeMemory or a release rate.
mimalloc: mi_collect. None of them gives back a page on which anything still lives.",
    judge,
};

/// How each allocator is made to give memory back.
const WAYS: [(&str, &str); 4] = [
    ("glibc", "malloc_trim(0), once or now and then; MALLOC_ARENA_MAX where many threads allocate"),
    ("jemalloc", "MALLOC_CONF=background_thread:true,dirty_decay_ms:1000, or mallctl arena.4096.purge"),
    ("tcmalloc", "MallocExtension::ReleaseFreeMemory(), or TCMALLOC_RELEASE_RATE"),
    ("mimalloc", "mi_collect(true), or MIMALLOC_PURGE_DELAY=0 (MIMALLOC_RESET_DELAY up to 2.0)"),
];

/// What the allocator has of maps, at most.
#[derive(Clone, Copy, Debug)]
pub(in crate::audit) struct Kept {
    /// How much.
    pub(in crate::audit) bytes: Bytes,
    /// When maps held most.
    then: Whole,
}

fn judge(scene: &Scene<'_>) -> Outcome {
    Outcome::of(found(scene))
}

fn found(scene: &Scene<'_>) -> Option<Found> {
    let limits = &scene.thresholds.allocator_retention;
    let report = scene.report;
    let Kept { bytes, then } = kept(scene).filter(|_| report.gc.is_none())?;
    let rss = report.memory.rss.last?;
    if bytes < limits.least.0 || bytes < limits.of_rss.of_size(rss) {
        return None;
    }
    let arenas = report.memory.arenas.as_ref();
    Some(Found {
        severity: Severity::Warning,
        map: None,
        summary: format!(
            "maps hold {} less than they did, and RSS did not follow: the allocator keeps up to {}",
            words::bytes(then.maps.less(of_maps(report))),
            words::bytes(bytes)
        ),
        evidence: [
            format!(
                "at +{} maps held {} and RSS was {}, now they hold {} and it is {}",
                words::span(then.at.since(report.window.start)),
                words::bytes(then.maps),
                words::bytes(then.rss.unwrap_or_default()),
                words::bytes(of_maps(report)),
                words::bytes(rss)
            ),
            format!(
                "maps let go {} in all, {} went back to the kernel",
                words::bytes(let_go(report)),
                words::bytes(given_back(report).unwrap_or_default())
            ),
        ]
        .into_iter()
        .chain(arenas.map(said))
        .collect(),
        remedy: remedy(report.target.allocator.as_deref()),
        reclaimable: Some(bytes),
    })
}

/// What glibc's lists say of it.
fn said(arenas: &Arenas) -> String {
    let least = if arenas.whole { "" } else { "at least " };
    let fast = if arenas.fast.0 > arenas.free().0 / 2 {
        format!(
            ", {} of it in small chunks that are merged when malloc_trim(0) asks for it",
            words::bytes(arenas.fast)
        )
    } else {
        String::new()
    };
    format!(
        "glibc has {} of the kernel's, {least}{} of it free{fast}",
        words::bytes(arenas.system),
        words::bytes(arenas.free())
    )
}

/// What the allocator has for it, or each of those there are.
fn remedy(allocator: Option<&str>) -> String {
    let own = WAYS.iter().find(|(name, _)| Some(*name) == allocator);
    let ways = own.map_or_else(
        || WAYS.map(|(name, way)| format!("{name}: {way}")).join("; "),
        |(name, way)| format!("the allocator is {name}: {way}"),
    );
    format!("{ways}. Pages on which anything lives stay")
}

/// What maps let go since they held most, and neither went back nor left RSS; `None`: nobody saw.
pub(in crate::audit) fn kept(scene: &Scene<'_>) -> Option<Kept> {
    let report = scene.report;
    let row = |name: &str| report.memory.ladder.iter().find(|rung| rung.name == name).map(|rung| rung.bytes);
    let then =
        *scene.trends.whole().iter().filter(|point| point.rss.is_some()).max_by_key(|point| point.maps)?;
    let fell = then.rss?.less(report.memory.rss.last?);
    let missing = then.maps.less(of_maps(report)).less(fell);
    // What it keeps lies in mappings that nobody explains, or in the break. What of the maps has no row may be there; what
    // maps count beyond what they hold has one, so that where they do that it is less, and the bound higher.
    let no_row = of_maps(report).less(ladder::of_maps(&report.memory.ladder));
    let beyond_maps = row(UNEXPLAINED)?.less(no_row) + row(OF_ALLOCATOR).unwrap_or_default();
    let free = report.memory.arenas.as_ref().filter(|arenas| arenas.whole).map(Arenas::free);
    let bytes = missing.min(let_go(report).less(given_back(report)?)).min(beyond_maps);
    let bytes = free.map_or(bytes, |free| bytes.min(free));
    Some(Kept { bytes, then })
}

fn let_go(report: &Report) -> Bytes {
    let bytes = |tables: &Tables| tables.freed_bytes.unwrap_or_default();
    let listed = report.maps.iter().map(|map| bytes(&map.tables));
    let folded = report.populations.iter().map(|row| bytes(&row.tables));
    listed.chain(folded).fold(Bytes(0), |sum, next| sum + next)
}

fn given_back(report: &Report) -> Option<Bytes> {
    let syscalls = report.syscalls.as_ref()?;
    let advised = ["DONTNEED", "FREE"]
        .map(|advice| syscalls.madvise.by_advice.get(advice).map_or(Bytes(0), |calls| calls.bytes));
    Some(syscalls.munmap.bytes + advised[0] + advised[1])
}

fn of_maps(report: &Report) -> Bytes {
    let listed = report.maps.iter().filter_map(|map| map.bytes.allocated);
    let folded = report.populations.iter().map(|row| row.bytes.allocated);
    listed.chain(folded).fold(Bytes(0), |sum, next| sum + next)
}
