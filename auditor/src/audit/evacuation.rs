//! Moving the entries of one map from its old table to the new: how far it is, since when nothing
//! moves. Moves are told by facts, and seen as progress from one look to the next; of the two accounts
//! of the same moves the further one counts, never their sum.
//!
//! Facts of moves may come long after them, many at once, when their evacuation has ended and others
//! have begun. What is still to be told of the ended ones is their [`Evacuation::end`]'s to say, and
//! their map's to keep, so that it is not taken for progress of the one under way.

use super::fact::Progress;
use super::report;
use super::unit::Nanos;

/// An evacuation under way, or the last one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evacuation {
    /// By the facts.
    told: u64,
    /// By the last look.
    read: u64,
    /// Moved before anybody told: no fact will come of these.
    before: u64,
    /// 0: not known.
    total: u64,
    in_progress: bool,
    last_move: Nanos,
    longest_stall: Nanos,
    /// Whether moves can be seen at all: without, silence is no stall.
    visible: bool,
}

/// How an evacuation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Everything was moved.
    Complete,
    /// The map was dropped amid it.
    BrokenOff,
}

impl Evacuation {
    /// It begins, with so many old buckets; 0: not known.
    pub(super) const fn begin(at: Nanos, total: u64) -> Self {
        Self {
            told: 0,
            read: 0,
            before: 0,
            total,
            in_progress: true,
            last_move: at,
            longest_stall: Nanos(0),
            visible: false,
        }
    }

    /// It had begun before anybody told of it, and is so far.
    pub(super) fn found(at: Nanos, progress: Progress) -> Self {
        Self { before: progress.moved, ..Self::begin(at, progress.total) }
    }

    /// Old buckets were moved.
    pub(super) fn moved(&mut self, at: Nanos, buckets: u64) {
        self.told = self.told.saturating_add(buckets);
        self.touch(at, at);
    }

    /// A look told how far it is; the one before, which found nothing new, was at `polled`: what moved, moved
    /// since. It knows better than facts: these may stand for moves of a map that was at this address before.
    pub(super) fn read(&mut self, (at, polled): (Nanos, Nanos), progress: Progress) {
        self.total = progress.total;
        self.visible = true;
        self.in_progress = true;
        if progress.moved > self.count() {
            self.touch(at, polled.min(at));
        }
        let foreign = self.before.saturating_add(self.told).saturating_sub(progress.moved);
        self.told = self.told.saturating_sub(foreign);
        self.read = self.read.max(progress.moved);
    }

    /// The old table has been let go. Returns how many of its moves are still to be told, if they are
    /// told at all. Of moves that are only seen, nobody knows when after `polled` the last ones were.
    pub(super) fn end(&mut self, at: Nanos, how: End, polled: Nanos) -> u64 {
        if !self.in_progress {
            return 0;
        }
        let silent = if self.told > 0 { at } else { polled.min(at) };
        self.longest_stall = self.longest_stall.max(silent.since(self.last_move));
        self.in_progress = false;
        let known = self.before.saturating_add(self.told);
        if how == End::Complete && self.total > 0 {
            self.read = self.total;
        }
        self.count().saturating_sub(known)
    }

    /// Whether the old table is still held.
    pub(super) const fn in_progress(&self) -> bool {
        self.in_progress
    }

    /// Old buckets moved.
    pub(super) fn count(&self) -> u64 {
        self.cap(self.before.saturating_add(self.told).max(self.read))
    }

    /// The longest time without a move until `now`, where moves can be seen.
    pub(super) fn stall(&self, now: Nanos) -> Option<Nanos> {
        let open = if self.in_progress { now.since(self.last_move) } else { Nanos(0) };
        self.visible.then(|| self.longest_stall.max(open))
    }

    /// As the report has it at `now`.
    pub(super) fn report(&self, now: Nanos) -> report::Evacuation {
        report::Evacuation {
            moved: self.count(),
            total: self.total,
            in_progress: self.in_progress,
            stalled_for: self.in_progress.then(|| now.since(self.last_move)),
        }
    }

    /// No more can be moved than there is.
    fn cap(&self, moved: u64) -> u64 {
        if self.total > 0 { moved.min(self.total) } else { moved }
    }

    /// Something moved by `at`, and nothing before `silent`.
    fn touch(&mut self, at: Nanos, silent: Nanos) {
        self.visible = true;
        self.longest_stall = self.longest_stall.max(silent.since(self.last_move));
        self.last_move = self.last_move.max(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silence_is_the_stall() {
        let mut evacuation = Evacuation::begin(Nanos(0), 4);
        evacuation.moved(Nanos(10), 1);
        evacuation.moved(Nanos(50), 2);
        assert_eq!(evacuation.stall(Nanos(60)), Some(Nanos(40)));
        assert_eq!(evacuation.stall(Nanos(200)), Some(Nanos(150)));
        evacuation.end(Nanos(70), End::Complete, Nanos(0));
        assert_eq!(evacuation.stall(Nanos(900)), Some(Nanos(40)));
        assert_eq!(evacuation.report(Nanos(900)).stalled_for, None);
    }

    #[test]
    fn silence_is_no_stall_where_moves_cannot_be_seen() {
        let evacuation = Evacuation::begin(Nanos(0), 4);
        assert_eq!(evacuation.stall(Nanos(100)), None);
        assert_eq!(evacuation.report(Nanos(100)).stalled_for, Some(Nanos(100)));
    }

    #[test]
    fn progress_from_look_to_look_counts_as_moves() {
        let mut evacuation = Evacuation::begin(Nanos(0), 8);
        evacuation.read((Nanos(10), Nanos(0)), Progress { moved: 2, total: 8 });
        evacuation.read((Nanos(30), Nanos(0)), Progress { moved: 2, total: 8 });
        assert_eq!(evacuation.count(), 2);
        assert_eq!(evacuation.report(Nanos(40)).stalled_for, Some(Nanos(30)));
    }

    #[test]
    fn what_is_only_seen_from_look_to_look_stood_still_until_the_look_before() {
        let mut evacuation = Evacuation::begin(Nanos(0), 8);
        evacuation.read((Nanos(100), Nanos(3)), Progress { moved: 2, total: 8 });
        assert_eq!(evacuation.stall(Nanos(100)), Some(Nanos(3)));
        evacuation.read((Nanos(900), Nanos(800)), Progress { moved: 4, total: 8 });
        assert_eq!(evacuation.stall(Nanos(900)), Some(Nanos(700)));
        let mut ended = evacuation;
        ended.end(Nanos(5000), End::Complete, Nanos(1000));
        assert_eq!(ended.stall(Nanos(9000)), Some(Nanos(700)));
        evacuation.end(Nanos(5000), End::Complete, Nanos(4000));
        assert_eq!(evacuation.stall(Nanos(9000)), Some(Nanos(3100)));
    }

    #[test]
    fn moves_that_are_told_and_seen_are_the_same_moves() {
        let mut evacuation = Evacuation::begin(Nanos(0), 1000);
        evacuation.read((Nanos(10), Nanos(0)), Progress { moved: 500, total: 1000 });
        evacuation.moved(Nanos(11), 501);
        assert_eq!(evacuation.count(), 501);
        evacuation.moved(Nanos(12), 9);
        assert_eq!(evacuation.count(), 510);
    }

    #[test]
    fn what_was_moved_before_anybody_told_is_never_told() {
        let mut evacuation = Evacuation::found(Nanos(0), Progress { moved: 30, total: 100 });
        evacuation.moved(Nanos(1), 20);
        assert_eq!(evacuation.count(), 50);
        assert_eq!(evacuation.end(Nanos(2), End::Complete, Nanos(0)), 50);
        assert_eq!((evacuation.count(), evacuation.end(Nanos(3), End::Complete, Nanos(0))), (100, 0));
    }

    #[test]
    fn what_was_broken_off_stays_incomplete() {
        for (how, moved) in [(End::Complete, 8), (End::BrokenOff, 3)] {
            let mut evacuation = Evacuation::begin(Nanos(0), 8);
            evacuation.moved(Nanos(1), 3);
            evacuation.end(Nanos(2), how, Nanos(0));
            assert_eq!(evacuation.count(), moved);
        }
    }
}
