//! How long after one kind of event another comes, for the pairs that explain RSS. What belongs to a growth is
//! paired by its episode, and its mappings by their addresses; what RSS does after a table was let go or a cycle
//! of the collector ended, by time alone: the first fall that follows soon.

use std::collections::VecDeque;

use super::lengths::Lengths;
use super::report::Lag;
use super::unit::Nanos;

/// A fall of RSS later than this after a table was let go is another story.
const SOON: Nanos = Nanos(1_000_000_000);
/// Go's scavenger takes its time: after a cycle, RSS may fall this late.
const AFTER_A_CYCLE: Nanos = Nanos(60_000_000_000);
/// Tables let go that wait for a fall.
const MOST: usize = 256;

/// What follows what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pair {
    GrowthMmap,
    GrowthRise,
    GrowthEnd,
    LetGoFall,
    CycleFall,
}

/// Every pair, in the order of the enum.
const PAIRS: [(&str, &str); 5] = [
    ("growth", "mmap"),
    ("growth", "RSS rises"),
    ("growth", "old table let go"),
    ("table let go", "RSS falls"),
    ("collector's cycle", "RSS falls"),
];

/// Lags so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Lags {
    lengths: [Lengths; PAIRS.len()],
    let_go: VecDeque<Nanos>,
    cycle: Option<Nanos>,
}

impl Lags {
    /// It took that long.
    pub(super) fn add(&mut self, pair: Pair, lag: Nanos) {
        self.lengths[pair as usize].add(lag);
    }

    /// A table was let go.
    pub(super) fn let_go(&mut self, at: Nanos) {
        if self.let_go.len() == MOST {
            self.let_go.pop_front();
        }
        self.let_go.push_back(at);
    }

    /// A cycle of the collector ended.
    pub(super) fn cycle(&mut self, at: Nanos) {
        self.cycle = Some(at);
    }

    /// The kernel told that RSS fell.
    pub(super) fn fell(&mut self, at: Nanos) {
        for before in std::mem::take(&mut self.let_go) {
            if before > at {
                self.let_go.push_back(before);
            } else if at.since(before) <= SOON {
                self.add(Pair::LetGoFall, at.since(before));
            }
        }
        if let Some(before) = self.cycle.take_if(|before| *before <= at)
            && at.since(before) <= AFTER_A_CYCLE
        {
            self.add(Pair::CycleFall, at.since(before));
        }
    }

    /// The pairs that were seen.
    pub(super) fn report(&self) -> Vec<Lag> {
        let seen = PAIRS.iter().zip(&self.lengths);
        let rows = seen.filter_map(|((from, to), lengths)| {
            Some(Lag {
                from: (*from).to_owned(),
                to: (*to).to_owned(),
                count: lengths.count,
                median: lengths.median()?,
                p99: lengths.p99(),
                max: lengths.max,
            })
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fall_soon_after_tables_were_let_go_answers_all_of_them() {
        let mut lags = Lags::default();
        lags.let_go(Nanos(100));
        lags.let_go(Nanos(390));
        lags.let_go(Nanos(900));
        lags.fell(Nanos(400));
        let rows = lags.report();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].from.as_str(), rows[0].to.as_str()), ("table let go", "RSS falls"));
        assert_eq!((rows[0].count, rows[0].median, rows[0].max), (2, Nanos(10), Nanos(300)));
        lags.fell(Nanos(901));
        lags.fell(Nanos(902));
        assert_eq!(lags.report()[0].count, 3, "the fall at 400 came before the third");
    }

    #[test]
    fn a_late_fall_belongs_to_nothing() {
        let mut lags = Lags::default();
        lags.let_go(Nanos(5));
        lags.cycle(Nanos(5));
        lags.fell(Nanos(6 + AFTER_A_CYCLE.0));
        assert_eq!(lags.report(), []);
    }

    #[test]
    fn a_cycle_is_answered_once() {
        let mut lags = Lags::default();
        lags.cycle(Nanos(5));
        lags.fell(Nanos(25));
        lags.fell(Nanos(30));
        let rows = lags.report();
        assert_eq!((rows[0].count, rows[0].median, rows[0].p99), (1, Nanos(20), None));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut lags = Lags::default();
        (0..10 * MOST as u64).for_each(|at| lags.let_go(Nanos(at)));
        assert_eq!(lags.let_go.len(), MOST);
    }
}
