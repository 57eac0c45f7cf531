//! The last steps of RSS: what it was at a moment just gone, and when it first rose after one.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::unit::{Bytes, Nanos};

/// How many steps are remembered. A question reaches back no further than one call of the target.
const MOST: usize = 256;

/// The last steps of RSS, by time.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    recent: VecDeque<Step>,
    /// RSS at the last step that was forgotten.
    before: Option<Bytes>,
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// When.
    pub(super) at: Nanos,
    /// RSS from then on, once it is known.
    pub(super) rss: Option<Bytes>,
    /// Whether the kernel told that it rose or fell. A reading of /proc does not tell when.
    pub(super) way: Ordering,
}

impl Steps {
    /// A step was made. One that is older than the last is too late to be told apart.
    pub(super) fn made(&mut self, step: Step) {
        if self.recent.back().is_some_and(|last| step.at < last.at) {
            return;
        }
        if self.recent.len() == MOST {
            self.before = self.recent.pop_front().and_then(|step| step.rss);
        }
        self.recent.push_back(step);
    }

    /// RSS at `at`, as of the last step until then.
    pub(super) fn rss_at(&self, at: Nanos) -> Option<Bytes> {
        match self.after(at).checked_sub(1) {
            Some(index) => self.recent[index].rss,
            None => self.before,
        }
    }

    /// When RSS first rose after `at`, so far.
    pub(super) fn first_rise_after(&self, at: Nanos) -> Option<Nanos> {
        self.recent.range(self.after(at)..).find(|step| step.way.is_gt()).map(|step| step.at)
    }

    /// Index of the first step after `at`, which mostly is now.
    fn after(&self, at: Nanos) -> usize {
        if self.recent.back().is_none_or(|last| last.at <= at) {
            return self.recent.len();
        }
        self.recent.partition_point(|step| step.at <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(made: &[(u64, u64, bool)]) -> Steps {
        let mut steps = Steps::default();
        for &(at, rss, rose) in made {
            let way = if rose { Ordering::Greater } else { Ordering::Less };
            steps.made(Step { at: Nanos(at), rss: Some(Bytes(rss)), way });
        }
        steps
    }

    #[test]
    fn rss_at_a_moment_is_that_of_the_last_step_until_then() {
        let steps = steps(&[(10, 100, true), (20, 200, true)]);
        assert_eq!(steps.rss_at(Nanos(9)), None);
        assert_eq!(steps.rss_at(Nanos(19)), Some(Bytes(100)));
        assert_eq!(steps.rss_at(Nanos(20)), Some(Bytes(200)));
    }

    #[test]
    fn falls_and_readings_are_no_rise() {
        let steps = steps(&[(10, 100, true), (20, 50, false), (30, 60, true)]);
        assert_eq!(steps.first_rise_after(Nanos(10)), Some(Nanos(30)));
        assert_eq!(steps.first_rise_after(Nanos(30)), None);
    }

    #[test]
    fn a_step_that_comes_too_late_is_left_out() {
        let steps = steps(&[(10, 100, true), (5, 900, true)]);
        assert_eq!(steps.rss_at(Nanos(7)), None);
        assert_eq!(steps.rss_at(Nanos(10)), Some(Bytes(100)));
    }

    #[test]
    fn what_was_forgotten_leaves_its_last_value() {
        let made: Vec<_> = (0..=MOST as u64).map(|n| (n + 10, n, true)).collect();
        assert_eq!(steps(&made).rss_at(Nanos(3)), Some(Bytes(0)));
    }
}
