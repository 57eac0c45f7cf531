//! Whether memory comes back: of each map, and of RSS as a whole. A verdict says by what mechanism, how soon,
//! how much, and what would show that it is not so. What was not watched for long enough gets none.

use super::findings::scene::{Idle, Scene, Seen, surplus};
use super::ladder::UNEXPLAINED;
use super::report::{Evacuation, Gc, Outlook, Verdict};
use super::unit::{Bytes, Nanos};
use super::{findings, giving_back, words};

/// How much of RSS something must be to decide what becomes of it: one part in this many.
const PART_OF_RSS: u64 = 20;
/// Less is not worth a verdict on RSS.
const LEAST: Bytes = Bytes(1 << 20);

/// A verdict with what it rests on.
type Told = (Verdict, Outlook);

/// Of one map; `None`: it is gone, or too little is known of it.
pub(super) fn of_map(scene: &Scene<'_>, seen: Seen<'_>) -> Option<Told> {
    let map = seen.map;
    if map.died.is_some() {
        return None;
    }
    if map.reachable == Some(false) {
        return Some(garbage(scene, map.bytes.allocated));
    }
    if let Some(evacuation) = map.evacuation.filter(|evacuation| evacuation.in_progress) {
        return Some(evacuating(scene, seen, evacuation));
    }
    let (surplus, live, capacity) = (surplus(map)?, map.live?, map.capacity?);
    let limits = &scene.thresholds.oversized;
    let is_waste = limits.full.is_more_than(live, capacity) && surplus.bytes.0 > surplus.held.0 / 2;
    if !is_waste {
        let is_empty = limits.full.is_more_than(live, capacity);
        if is_empty && surplus.bytes == Bytes(0) {
            let why = "it has few entries, and made anew it would hold as much";
            return Some(told(Verdict::InUse, why, None, None, "a new one in its place holds less"));
        }
        let why = "its entries need about what it holds";
        return Some(told(Verdict::InUse, why, None, None, "live entries fall below a quarter of capacity"));
    }
    Some(match scene.idle(seen) {
        Idle::Yes | Idle::OneLook => told(
            Verdict::StrandedUntilRebuilt,
            "this map does not shrink: only a new one in its place frees the room that its entries do not use",
            None,
            Some(surplus.bytes),
            "its capacity falls without a rebuild, or its entries come back",
        ),
        Idle::Busy => {
            let why = "it has room that fills: its entries become more";
            told(
                Verdict::InUse,
                why,
                None,
                None,
                "its entries stop rising while it is less than a quarter full",
            )
        }
        Idle::TooEarly(reason) => too_early(&reason),
    })
}

/// Of RSS: the largest part of it that may come back decides. `maps` are the verdicts on the maps of the
/// report, in their order.
pub(super) fn of_memory(scene: &Scene<'_>, maps: &[Option<Told>]) -> Option<Told> {
    let rss = scene.report.memory.rss.last?;
    if !scene.looked_once() && scene.watched() < scene.thresholds.watch.settled.0 {
        let watched = words::span(scene.watched());
        return Some(too_early(&format!("the audit has watched for {watched} only")));
    }
    let parts = [kept_by_heap(scene), lazily_freed(scene), kept_by_allocator(scene), garbage_in_all(scene)];
    let of_maps = [Verdict::StrandedUntilRebuilt, Verdict::Stalled, Verdict::ComingBackNow];
    let of_maps = of_maps.map(|verdict| sum(maps, verdict));
    let frees = |told: &Told| told.1.frees.unwrap_or_default();
    let least = LEAST.max(Bytes(rss.0 / PART_OF_RSS));
    let parts = parts.into_iter().chain(of_maps).flatten().filter(|told| frees(told) >= least);
    let largest = parts.reduce(|most, next| if frees(&next) > frees(&most) { next } else { most });
    Some(largest.unwrap_or_else(|| {
        let why = "less than a twentieth of it was seen to be free, stranded or on its way back";
        told(Verdict::InUse, why, None, None, "RSS falls though nothing lets go of anything")
    }))
}

fn told(
    verdict: Verdict,
    mechanism: &str,
    expected_within: Option<Nanos>,
    frees: Option<Bytes>,
    disproof: &str,
) -> Told {
    let outlook =
        Outlook { mechanism: mechanism.to_owned(), expected_within, frees, disproof: disproof.to_owned() };
    (verdict, outlook)
}

fn too_early(reason: &str) -> Told {
    told(Verdict::TooEarly, reason, None, None, "watch for longer")
}

/// Garbage is free for the program with the next cycle.
fn garbage(scene: &Scene<'_>, frees: Option<Bytes>) -> Told {
    let cycle = giving_back::forced_cycle(scene.report.gc.as_ref());
    let when = if cycle.is_some() {
        "which an idle program runs every 2 minutes"
    } else {
        "and with GOGC=off none comes by itself"
    };
    let why = format!("nothing refers to it: the next garbage collection frees it, {when}");
    told(Verdict::AfterNextGc, &why, cycle, frees, "it is still listed after the next cycle")
}

fn evacuating(scene: &Scene<'_>, seen: Seen<'_>, evacuation: Evacuation) -> Told {
    let frees = seen.map.bytes.old_table;
    let stalled = evacuation.stalled_for.unwrap_or_default();
    if scene.looked_once() {
        return too_early("it holds two tables, and one look does not show whether entries move");
    }
    if stalled >= scene.thresholds.stalled_evacuation.after.0 {
        let why = format!(
            "only writes move entries to the new table, and nothing has moved for {}",
            words::span(stalled)
        );
        return told(Verdict::Stalled, &why, None, frees, "evacuation.moved rises");
    }
    if evacuation.moved == 0 {
        return too_early("its growth has begun, and no entry was seen to move yet");
    }
    let why = "its entries move to the new table; then the old one goes";
    let disproof = "evacuation.moved stays as it is for 5 s";
    told(Verdict::ComingBackNow, why, rest_of(scene, seen, evacuation), frees, disproof)
}

/// How long the rest of an evacuation takes at the rate so far.
fn rest_of(scene: &Scene<'_>, seen: Seen<'_>, evacuation: Evacuation) -> Option<Nanos> {
    let start = scene.growths_of(seen.map).find(|growth| growth.end.is_none())?.start;
    let left = evacuation.total.checked_sub(evacuation.moved)?;
    let took = scene.now().since(start).0;
    let rest = u128::from(took) * u128::from(left) / u128::from(evacuation.moved.max(1));
    u64::try_from(rest).ok().map(Nanos)
}

/// What the maps of one verdict come to.
fn sum(maps: &[Option<Told>], verdict: Verdict) -> Option<Told> {
    let of_it = || maps.iter().flatten().filter(|told| told.0 == verdict).map(|told| &told.1);
    let mut sum = of_it().next()?.clone();
    let count = of_it().count() as u64;
    sum.frees = Some(of_it().filter_map(|outlook| outlook.frees).fold(Bytes(0), |sum, next| sum + next));
    // One of which nobody can say how long it takes leaves it open for all.
    let longest: Option<Vec<Nanos>> = of_it().map(|outlook| outlook.expected_within).collect();
    sum.expected_within = longest.and_then(|all| all.into_iter().max());
    if count > 1 {
        let count = words::count(count);
        sum.mechanism = match verdict {
            Verdict::StrandedUntilRebuilt => format!(
                "{count} maps have far more room than entries and do not shrink: only new ones in their place free it"
            ),
            Verdict::Stalled => format!("{count} maps hold an old table, and no write moves their entries"),
            _ => format!("entries of {count} maps move to new tables; then the old ones go"),
        };
    }
    Some((verdict, sum))
}

/// Garbage that waits, listed or folded: RSS falls by it after the cycle, when the scavenger has been there.
fn garbage_in_all(scene: &Scene<'_>) -> Option<Told> {
    let waiting = |reachable: Option<bool>| reachable == Some(false);
    let listed = scene.report.maps.iter().filter(|map| map.died.is_none() && waiting(map.reachable));
    let listed = listed.filter_map(|map| map.bytes.allocated);
    let folded = scene.report.populations.iter().filter(|row| waiting(row.reachable));
    let bytes = listed.chain(folded.map(|row| row.bytes.allocated)).fold(Bytes(0), |sum, next| sum + next);
    let (verdict, mut outlook) = garbage(scene, Some(bytes));
    let after = giving_back::after_a_cycle(scene.report);
    outlook.expected_within = outlook.expected_within.zip(after).map(|(cycle, after)| cycle.plus(after));
    Some((verdict, outlook))
}

/// What a managed heap has free and does not keep.
fn kept_by_heap(scene: &Scene<'_>) -> Option<Told> {
    let gc = scene.report.gc.as_ref().filter(|gc| gc.gives_back_lazily != Some(true))?;
    let frees = Some(free_to_go(gc)?);
    let disproof = "gc.free is as large 30 s after the next cycle";
    if gc.heap_goal.is_none() {
        let why = "the heap has free spans, and with GOGC=off its scavenger keeps as much as was in use before the last cycle; the next one lets it go, and none comes by itself";
        return Some(told(Verdict::AfterNextGc, why, None, frees, disproof));
    }
    let least = LEAST.max(Bytes(frees?.0 / PART_OF_RSS));
    let back = giving_back::of_free(scene.report, frees?, least);
    let how = "the heap has free spans, and its scavenger gives them back";
    let why = match back.later {
        Some(later) if later < least => format!(
            "{how} bit by bit where a CPU is free for it, down to a tenth above the goal of the next cycle"
        ),
        Some(later) => format!(
            "{how} down to a tenth above the goal of the next cycle: {} in some 10 s where a CPU is free for it, but {}, at which it does not look before, only after the next cycle",
            words::bytes(frees?.less(later)),
            words::bytes(later)
        ),
        None => format!(
            "{how} down to a tenth above the goal of the next cycle: in some 10 s where a CPU is free for it, but what was nearly full before the last cycle only after the next one"
        ),
    };
    Some(told(Verdict::ComingBackNow, &why, back.within, frees, disproof))
}

/// Free spans beyond what Go's scavenger keeps: a tenth over the goal of the next cycle (`gcPercentGoal`, Go 1.19
/// to 1.27, runtime/mgcscavenge.go). Without a goal it keeps nothing once two cycles have passed.
fn free_to_go(gc: &Gc) -> Option<Bytes> {
    let (free, in_use) = (gc.free?, gc.in_use.unwrap_or_default());
    let goal = gc.heap_goal.unwrap_or_default();
    let kept = Bytes(goal.0.saturating_add(goal.0 / 10)).less(in_use);
    Some(free.less(kept))
}

/// What was given back so that RSS does not show it, and what a heap that does so will give back.
fn lazily_freed(scene: &Scene<'_>) -> Option<Told> {
    let gone = findings::lazily_freed(scene.report);
    let going = scene.report.gc.as_ref().filter(|gc| gc.gives_back_lazily == Some(true)).and_then(free_to_go);
    let frees = Some([gone, going].into_iter().flatten().reduce(|sum, next| sum + next)?);
    let why = if going > gone {
        "the heap has free spans, and gives them back with MADV_FREE: RSS shows them until the kernel is short of memory"
    } else {
        "it was given back with MADV_FREE: RSS shows it until the kernel is short of memory"
    };
    let disproof = "LazyFree in /proc/PID/smaps is far smaller after the next cycle";
    Some(told(Verdict::LazilyFreed, why, None, frees, disproof))
}

/// Only where a table was seen to go and the memory was not.
fn kept_by_allocator(scene: &Scene<'_>) -> Option<Told> {
    let report = scene.report;
    if report.gc.is_some() || !report.memory.ladder.iter().any(|rung| rung.name == UNEXPLAINED) {
        return None;
    }
    let frees = findings::kept(scene)?.bytes;
    let named = report.target.allocator.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
    let why = format!("maps let it go, and it did not go back to the kernel: the allocator{named} keeps it");
    let disproof = "malloc_trim, or what the allocator has for it, changes nothing";
    Some(told(Verdict::HeldByAllocator, &why, None, Some(frees), disproof))
}
