//! What was not seen: what was lost, what came late, what someone noted. [`report`] turns it,
//! with all other doubts, into one word of confidence.
//!
//! A fact is late when it is dated before one that has been applied. It is applied nevertheless, and
//! where it only adds to a count, the totals stay right. Only events are counted as late. A reading
//! (a look, /proc, counters, hits, a note) is dated when it was made, by the one who makes the order,
//! and `Evacuate` may stand for many hits at once. A late event costs the confidence when it may
//! have changed a total: when a younger event of the same map, or a younger move of the break, has
//! been applied, or when the map is not known (any more).

use std::collections::BTreeMap;

use super::doubt::Doubt;
use super::fact::{Lost, What};
use super::report::{self, Confidence, Probe};

/// Sources of loss that are kept apart.
const MOST_SOURCES: usize = 64;
/// Where losses of further sources are counted.
const OTHERS: &str = "others";
/// The source of events that were seen whole but for their call stacks: two stacks met in one bucket of
/// the kernel's table, or a walk failed. Costs a site or a cause, never a count.
const STACKS: &str = "stack_failed";
/// Notes in a report. What is beyond is counted in the last one.
const MOST_NOTES: usize = 100;
/// Longest note, in bytes.
const MOST_NOTE: usize = 1000;

/// What was not seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Coverage {
    lost: BTreeMap<String, u64>,
    late: u64,
    out_of_step: u64,
    notes: Vec<String>,
    notes_left_out: u64,
}

/// What else the judgement rests on.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Every doubt of every part.
    pub(super) doubts: Vec<Doubt>,
    /// The hooks.
    pub(super) probes: Vec<Probe>,
    /// Whether the layouts passed their self-checks.
    pub(super) layout_verified: Option<bool>,
    /// Whether any event of a map was told, or any map was read.
    pub(super) maps_were_seen: bool,
}

/// Whether a late fact may have changed a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It only adds to what is there.
    In,
    /// Something younger has already been applied where it belongs.
    Out,
}

/// Whether the fact is an event, dated by the kernel when it happened.
pub(super) const fn is_event(what: &What) -> bool {
    matches!(
        what,
        What::Allocate(_)
            | What::Grow(_)
            | What::Free(_)
            | What::Clear(_)
            | What::Syscall(_)
            | What::Rss(_)
            | What::Fork { .. }
            | What::Exec
            | What::Exit
            | What::OomMark
    )
}

impl Coverage {
    /// An event came late.
    pub(super) fn came_late(&mut self, step: Step) {
        self.late += 1;
        if step == Step::Out {
            self.out_of_step += 1;
        }
    }

    /// What was lost so far, by one source.
    pub(super) fn lost(&mut self, lost: &Lost) {
        let known = self.lost.len() < MOST_SOURCES || self.lost.contains_key(&lost.source);
        let source = if known { lost.source.as_str() } else { OTHERS };
        if let Some(count) = self.lost.get_mut(source) {
            *count = lost.count.max(*count);
        } else {
            self.lost.insert(source.to_owned(), lost.count);
        }
    }

    /// Someone noted something.
    pub(super) fn note(&mut self, words: &str) {
        let words = &words[..words.floor_char_boundary(MOST_NOTE)];
        if self.notes.iter().any(|note| note == words) {
            return;
        }
        if self.notes.len() < MOST_NOTES {
            self.notes.push(words.to_owned());
        } else {
            self.notes_left_out += 1;
        }
    }

    /// As the report has it.
    pub(super) fn report(&self, mut evidence: Evidence) -> report::Coverage {
        evidence.doubts.extend(self.doubts());
        let confidence = confidence(&evidence);
        let notes = evidence.doubts.into_iter().map(|doubt| doubt.words);
        report::Coverage {
            lost: self.lost_in_all(),
            late: self.late,
            probes: evidence.probes,
            layout_verified: evidence.layout_verified,
            confidence,
            notes: self.notes(notes),
        }
    }

    /// Every source of lost events, and how many.
    fn losses(&self) -> impl Iterator<Item = (&str, u64)> {
        let sources = self.lost.iter().map(|(source, count)| (source.as_str(), *count));
        sources.filter(|(source, count)| *count > 0 && *source != STACKS)
    }

    fn lost_in_all(&self) -> u64 {
        self.losses().fold(0, |sum: u64, (_, count)| sum.saturating_add(count))
    }

    fn doubts(&self) -> impl Iterator<Item = Doubt> {
        let lost = (self.lost_in_all() > 0).then(|| {
            let sources: Vec<_> = self.losses().map(|(source, count)| format!("{source} {count}")).collect();
            Doubt::lowering(format!("events were lost: {}", sources.join(", ")))
        });
        let stackless = self.lost.get(STACKS).filter(|count| **count > 0).map(|count| {
            Doubt::remark(format!(
                "{count} events came without their call stack; they are counted all the same"
            ))
        });
        let late = (self.out_of_step > 0).then(|| {
            let count = self.out_of_step;
            Doubt::lowering(format!("{count} events came too late to be told from younger ones"))
        });
        lost.into_iter().chain(late).chain(stackless)
    }

    /// Own notes first, each once, no more than [`MOST_NOTES`].
    fn notes(&self, own: impl Iterator<Item = String>) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for note in own.chain(self.notes.iter().cloned()) {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        let all = self.notes_left_out.saturating_add(notes.len() as u64);
        if all > MOST_NOTES as u64 {
            notes.truncate(MOST_NOTES - 1);
            notes.push(format!("and {} more notes", all - notes.len() as u64));
        }
        notes
    }
}

/// What follows from it all.
fn confidence(evidence: &Evidence) -> Confidence {
    if evidence.layout_verified == Some(false) || !evidence.maps_were_seen {
        return Confidence::Insufficient;
    }
    let lowered = evidence.doubts.iter().any(|doubt| doubt.lowers);
    if lowered { Confidence::AtLeast } else { Confidence::Exact }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        Evidence { doubts: Vec::new(), probes: Vec::new(), layout_verified: Some(true), maps_were_seen: true }
    }

    fn lost(source: &str, count: u64) -> Lost {
        Lost { source: source.to_owned(), count }
    }

    #[test]
    fn losses_are_cumulative_by_source_and_make_totals_lower_bounds() {
        let mut coverage = Coverage::default();
        coverage.lost(&lost("ring_full", 0));
        assert_eq!(coverage.report(evidence()).confidence, Confidence::Exact);
        coverage.lost(&lost("ring_full", 3));
        coverage.lost(&lost("ring_full", 5));
        coverage.lost(&lost("read_failed", 2));
        let report = coverage.report(evidence());
        assert_eq!((report.lost, report.confidence), (7, Confidence::AtLeast));
        assert_eq!(report.notes, ["events were lost: read_failed 2, ring_full 5"]);
    }

    #[test]
    fn an_event_without_its_stack_is_not_a_lost_event() {
        let mut coverage = Coverage::default();
        coverage.lost(&lost("stack_failed", 39));
        let report = coverage.report(evidence());
        assert_eq!((report.lost, report.confidence), (0, Confidence::Exact));
        assert_eq!(report.notes, ["39 events came without their call stack; they are counted all the same"]);
    }

    #[test]
    fn a_late_event_costs_the_confidence_only_when_it_may_have_changed_a_total() {
        for (step, confidence) in [(Step::In, Confidence::Exact), (Step::Out, Confidence::AtLeast)] {
            let mut coverage = Coverage::default();
            coverage.came_late(step);
            let report = coverage.report(evidence());
            assert_eq!((report.late, report.confidence), (1, confidence));
        }
    }

    #[test]
    fn nothing_is_said_with_a_layout_that_failed_or_without_any_map_seen() {
        let coverage = Coverage::default();
        let failed = Evidence { layout_verified: Some(false), ..evidence() };
        assert_eq!(coverage.report(failed).confidence, Confidence::Insufficient);
        let unseen = Evidence { maps_were_seen: false, ..evidence() };
        assert_eq!(coverage.report(unseen).confidence, Confidence::Insufficient);
    }

    #[test]
    fn a_remark_is_a_note_and_no_more() {
        let remark = Doubt::remark("something".to_owned());
        let report = Coverage::default().report(Evidence { doubts: vec![remark], ..evidence() });
        assert_eq!((report.confidence, report.notes), (Confidence::Exact, vec!["something".to_owned()]));
    }

    #[test]
    fn notes_are_said_once_and_are_bounded() {
        let mut coverage = Coverage::default();
        for n in 0..MOST_NOTES as u64 + 20 {
            coverage.note(&format!("note {n}"));
            coverage.note("note 0");
        }
        coverage.note(&"é".repeat(MOST_NOTE));
        let notes = coverage.report(evidence()).notes;
        assert_eq!(notes.len(), MOST_NOTES);
        assert_eq!(notes.last().unwrap(), "and 22 more notes");
    }
}
