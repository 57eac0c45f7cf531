//! RSS that is up although the memory was given back: the kernel has not taken it.

use super::Rule;
use super::scene::{Found, Outcome, Scene};
use crate::audit::ladder::LAZILY_FREED;
use crate::audit::report::{Report, Severity};
use crate::audit::unit::Bytes;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "lazily_freed_is_not_a_leak",
    line: "given back with MADV_FREE: RSS stays until the kernel takes it",
    text: "
Decided by: LazyFree in /proc/PID/smaps_rollup; where that cannot be read, the heap says that it
gave so much back, it does so with MADV_FREE (in Go GODEBUG=madvdontneed=0), and RSS has more
than the heap holds. The kernel takes such pages only when it is short of memory.
What to do: nothing. If RSS must tell the truth (for an autoscaler, say), leave
madvdontneed=0 away; page faults come back a little more often then.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    let least = scene.thresholds.lazily_freed_is_not_a_leak.least.0;
    Outcome::of(lazily_freed(scene.report).filter(|bytes| *bytes >= least).map(found))
}

fn found(bytes: Bytes) -> Found {
    Found {
        severity: Severity::Info,
        map: None,
        summary: format!(
            "up to {} of RSS is given back already: the kernel takes it when it wants",
            words::bytes(bytes)
        ),
        evidence: vec!["the runtime gives pages back with MADV_FREE, which leaves them in RSS".to_owned()],
        remedy: "nothing; without GODEBUG=madvdontneed=0 RSS would show it".to_owned(),
        reclaimable: None,
    }
}

/// How much of RSS was given back and not taken: as the kernel counts it, or else at most; `None`: none, or nobody
/// knows.
pub(in crate::audit) fn lazily_freed(report: &Report) -> Option<Bytes> {
    let ladder = &report.memory.ladder;
    if let Some(counted) = ladder.iter().find(|rung| rung.name == LAZILY_FREED) {
        return Some(counted.bytes).filter(|bytes| *bytes > Bytes(0));
    }
    let gc = report.gc.as_ref().filter(|gc| gc.gives_back_lazily == Some(true))?;
    // What no counter of the heap explains: pages that it let go are there.
    let unexplained = ladder.last()?.bytes;
    gc.released.map(|released| released.min(unexplained)).filter(|bytes| *bytes > Bytes(0))
}
