//! A managed heap with more room between its objects than objects.

use super::Rule;
use super::scene::{Found, Outcome, Scene};
use crate::audit::report::Severity;
use crate::audit::words;

pub(super) const RULE: Rule = Rule {
    name: "fragmentation",
    line: "a heap with as much room between its objects as objects",
    text: "
Decided by: spans that hold objects, less the objects in them, dead ones that are not swept yet
included. Room in a span is for objects of its size class only, and a span goes back only when
its last object is gone. The size classes of the report say where it is.
What to do: copy what lives into a new structure and drop the old one, so that whole spans
become free. It takes the copy on top meanwhile. A restart does the same.",
    judge,
};

fn judge(scene: &Scene<'_>) -> Outcome {
    Outcome::of(found(scene))
}

fn found(scene: &Scene<'_>) -> Option<Found> {
    let limits = &scene.thresholds.fragmentation;
    let gc = scene.report.gc.as_ref()?;
    let (in_use, allocated) = gc.in_use.zip(gc.allocated)?;
    let room = in_use.less(allocated);
    if room < limits.least.0 || limits.free.is_more_than(room.0, in_use.0) {
        return None;
    }
    let worst = gc.size_classes.iter().max_by_key(|class| (class.spans.less(class.used), class.object));
    let worst = worst.map(|class| {
        format!(
            "objects of {} leave {} of it free",
            words::bytes(class.object),
            words::bytes(class.spans.less(class.used))
        )
    });
    Some(Found {
        severity: Severity::Warning,
        map: None,
        summary: format!(
            "{} of the heap's {} in use is room between objects",
            words::bytes(room),
            words::bytes(in_use)
        ),
        evidence: [Some(format!("its objects take {}", words::bytes(allocated))), worst]
            .into_iter()
            .flatten()
            .collect(),
        remedy: "copy what lives into a new structure and drop the old one, so that whole spans become free"
            .to_owned(),
        reclaimable: Some(room),
    })
}
