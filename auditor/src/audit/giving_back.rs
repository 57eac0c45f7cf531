//! When memory that a managed heap has free goes back to the kernel: what Go's collector and scavenger promise,
//! by release. What they hold back for good is in `verdict.rs`.

use super::findings::scene::is_go_runtime;
use super::report::{Gc, Report};
use super::unit::{Bytes, Nanos};

/// An idle Go program forces a cycle after this: `forcegcperiod`, Go 1.19 to 1.27, runtime/proc.go.
pub(super) const FORCED_CYCLE: Nanos = Nanos(120_000_000_000);
/// Go's scavenger has given back what it may within this after a cycle, where a CPU is free for it; measured with Go
/// 1.19 to 1.27. It takes 1 % of the time by the clock (`scavengePercent`, runtime/mgcscavenge.go), so that it sleeps
/// 99 times as long as it was kept from running.
const SCAVENGED: Nanos = Nanos(10_000_000_000);
/// From Go 1.21 on the scavenger leaves a 4 MiB chunk alone that was full to 31/32 before the last cycle, or that lies
/// above where the last cycle made it begin to look (`scavengeIndex.find`, runtime/mgcscavenge.go): the cycle after it
/// lets that go. How much that is can be read ([`Gc::waits`]).
const WAITS_FROM: u32 = 21;

/// How long the next cycle of the collector takes to come in a program that does nothing; `None`: with `GOGC=off`
/// none is forced (`gcTrigger.test`, Go 1.19 to 1.27, runtime/mgc.go).
pub(super) fn forced_cycle(gc: Option<&Gc>) -> Option<Nanos> {
    gc.is_none_or(|gc| gc.percent.is_some()).then_some(FORCED_CYCLE)
}

/// Whether part of what a cycle freed goes back after the next one only. So it is taken to be where the release
/// is not known: a promise that is kept early is kept.
pub(super) fn waits_for_a_cycle(report: &Report) -> bool {
    minor(report).is_none_or(|minor| minor >= WAITS_FROM)
}

/// How long it takes from a cycle on until what it freed has left RSS; `None`: it takes another cycle, and none
/// comes by itself.
pub(super) fn after_a_cycle(report: &Report) -> Option<Nanos> {
    if !waits_for_a_cycle(report) {
        return Some(SCAVENGED);
    }
    forced_cycle(report.gc.as_ref()).map(|cycle| cycle.plus(SCAVENGED))
}

/// When free memory goes back to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Return {
    /// How long it takes until all of it has; `None`: it takes a cycle, and none comes by itself.
    pub(super) within: Option<Nanos>,
    /// What of it goes only after the next cycle; `None`: nobody has looked.
    pub(super) later: Option<Bytes>,
}

/// What becomes of so much of the free memory of a heap: the scavenger takes what it may from all that is free. So
/// little that it does not count may wait.
pub(super) fn of_free(report: &Report, frees: Bytes, least: Bytes) -> Return {
    let gc = report.gc.as_ref();
    let known = gc.and_then(|gc| Some(frees.less(gc.free?.less(gc.waits?))));
    let later = if waits_for_a_cycle(report) { known } else { Some(Bytes(0)) };
    let is_soon = later.is_some_and(|later| later < least);
    Return { within: if is_soon { Some(SCAVENGED) } else { after_a_cycle(report) }, later }
}

/// The number behind `go1.`; `None`: it is not Go, or does not say.
fn minor(report: &Report) -> Option<u32> {
    let go = report.target.runtimes.iter().find(|runtime| is_go_runtime(&runtime.name))?;
    let digits = go.version.as_deref()?.strip_prefix("go1.")?;
    digits.split(|digit: char| !digit.is_ascii_digit()).next()?.parse().ok()
}
