//! Moving the entries of one map from its old table to the new: how far it is, since when nothing
//! moves. Moves are told by facts, or seen as progress from one look to the next.

use super::fact::Progress;
use super::report;
use super::unit::Nanos;

/// An evacuation under way, or the last one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evacuation {
    moved: u64,
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
        Self { moved: 0, total, in_progress: true, last_move: at, longest_stall: Nanos(0), visible: false }
    }

    /// Old buckets were moved.
    pub(super) fn moved(&mut self, at: Nanos, buckets: u64) {
        self.moved = self.cap(self.moved.saturating_add(buckets));
        self.touch(at);
    }

    /// A look told how far it is. It knows better than facts that may stand for moves of an
    /// evacuation before this one.
    pub(super) fn read(&mut self, at: Nanos, progress: Progress) {
        self.total = progress.total;
        self.visible = true;
        self.in_progress = true;
        if progress.moved > self.moved {
            self.touch(at);
        }
        self.moved = self.cap(progress.moved);
    }

    /// The old table has been let go.
    pub(super) fn end(&mut self, at: Nanos, how: End) {
        if !self.in_progress {
            return;
        }
        self.longest_stall = self.longest_stall.max(at.since(self.last_move));
        self.in_progress = false;
        if how == End::Complete && self.total > 0 {
            self.moved = self.total;
        }
    }

    /// Whether the old table is still held.
    pub(super) const fn in_progress(&self) -> bool {
        self.in_progress
    }

    /// Old buckets moved.
    pub(super) const fn count(&self) -> u64 {
        self.moved
    }

    /// The longest time without a move until `now`, where moves can be seen.
    pub(super) fn stall(&self, now: Nanos) -> Option<Nanos> {
        let open = if self.in_progress { now.since(self.last_move) } else { Nanos(0) };
        self.visible.then(|| self.longest_stall.max(open))
    }

    /// As the report has it at `now`.
    pub(super) fn report(&self, now: Nanos) -> report::Evacuation {
        report::Evacuation {
            moved: self.moved,
            total: self.total,
            in_progress: self.in_progress,
            stalled_for: self.in_progress.then(|| now.since(self.last_move)),
        }
    }

    /// Facts may stand for moves of two evacuations; no more can be moved than there is.
    fn cap(&self, moved: u64) -> u64 {
        if self.total > 0 { moved.min(self.total) } else { moved }
    }

    fn touch(&mut self, at: Nanos) {
        self.visible = true;
        self.longest_stall = self.longest_stall.max(at.since(self.last_move));
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
        evacuation.end(Nanos(70), End::Complete);
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
        evacuation.read(Nanos(10), Progress { moved: 2, total: 8 });
        evacuation.read(Nanos(30), Progress { moved: 2, total: 8 });
        assert_eq!(evacuation.count(), 2);
        assert_eq!(evacuation.report(Nanos(40)).stalled_for, Some(Nanos(30)));
    }

    #[test]
    fn what_was_broken_off_stays_incomplete() {
        for (how, moved) in [(End::Complete, 8), (End::BrokenOff, 3)] {
            let mut evacuation = Evacuation::begin(Nanos(0), 8);
            evacuation.moved(Nanos(1), 3);
            evacuation.end(Nanos(2), how);
            assert_eq!(evacuation.count(), moved);
        }
    }
}
