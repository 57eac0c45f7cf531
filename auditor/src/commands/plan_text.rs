//! A plan in words: every hook, where it would go and what a hit costs, or why it is refused. Shared
//! by `--dry-run` and `auditor doctor -p`.

use crate::probes::events::{EVENTS, KernelEvent};
use crate::render::escape;
use crate::runtimes::Instance as _;
use crate::session::inspect::Inspected;

/// Longest shown text of a place.
const PLACE: usize = 100;
/// Longest shown reason.
const REASON: usize = 300;

/// The plan for one process.
#[must_use]
pub(super) fn plan(inspected: &Inspected) -> String {
    let identity = inspected.process.identity();
    let mut text = format!(
        "\n{} (pid {}, {})\n",
        escape::visible(&identity.comm, 32),
        identity.pid.0,
        escape::visible(&identity.exe.to_string_lossy(), PLACE),
    );
    for found in inspected.runtimes.found() {
        let version = found.version.map(|version| format!(" {}", escape::visible(&version, 32)));
        text.push_str(&format!(
            "  runtime {}{}: {}\n",
            found.name,
            version.unwrap_or_default(),
            escape::visible(&found.evidence, REASON),
        ));
    }
    for placement in inspected.plan.placements.iter().chain(&inspected.burst.placements) {
        text.push_str(&format!(
            "  place    {:<22} {}, about {} ns a hit\n",
            placement.hook.name,
            escape::visible(&placement.place, PLACE),
            placement.cost.0
        ));
    }
    for refusal in inspected.plan.refusals.iter().chain(&inspected.burst.refusals) {
        text.push_str(&format!(
            "  refuse   {:<22} {}\n",
            refusal.name,
            escape::visible(&refusal.reason, REASON)
        ));
    }
    for event in EVENTS {
        text.push_str(&match event.offered(&inspected.host, &[]) {
            Ok(()) => {
                let heard = heard(event, inspected);
                format!("  place    {:<22} {heard}, tells {}\n", event.tracepoint, event.tells)
            }
            Err(reason) => format!("  refuse   {:<22} {reason}\n", event.tracepoint),
        });
    }
    text
}

/// Which of the two it will be, the kernel says when it is asked.
fn heard(event: &KernelEvent, inspected: &Inspected) -> &'static str {
    match event.functions(&inspected.host, &[], false) {
        [] => "raw tracepoint",
        _ => "returns of functions of the kernel, or raw tracepoint under the budget",
    }
}
