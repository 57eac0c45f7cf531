//! PURE: keeps what the hooks take from the target within the budget. Only taking a hook out helps:
//! the trap is the cost, not what the program does (measured: a program that returns at once takes
//! 242 ns a hit, one that counts 249).
//!
//! The budget is a share of one CPU's time, kept as a bucket: growth comes in bursts, so up to
//! [`BURST`] of unused budget is saved up. A bucket that runs dry means that a hook is not as rare as
//! it should be; the one that took the most since the bucket was last full goes.
//!
//! What comes at a rate and not in bursts, as syscalls do, has a smaller bucket of its own besides: it
//! goes when that runs dry, long before it has used up what others saved.

use std::collections::BTreeMap;

use crate::audit::unit::Nanos;

/// How much unused budget is saved up.
pub const BURST: Nanos = Nanos(3_000_000_000);

/// The same for what comes at a rate.
pub const RATE: Nanos = Nanos(500_000_000);

/// A share of one CPU's time, in parts of a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(pub u32);

impl Budget {
    /// What the budget allows in a span.
    #[must_use]
    pub const fn of(self, span: Nanos) -> Nanos {
        Nanos(span.0.saturating_mul(self.0 as u64) / 1_000_000)
    }
}

/// Watches the hooks that may be taken out.
#[derive(Debug)]
pub struct Governor {
    budget: Budget,
    /// What is left; negative when overdrawn.
    left: i64,
    at: Nanos,
    hooks: BTreeMap<u32, Governed>,
}

#[derive(Debug)]
struct Governed {
    cost: Nanos,
    hits: u64,
    /// Its own bucket, and how full that can be.
    left: i64,
    full: i64,
    /// Time taken since the bucket was last full.
    taken: Nanos,
}

/// A hook that has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// Which one.
    pub hook: u32,
    /// What it took since the bucket was last full.
    pub taken: Nanos,
    /// Its hits so far.
    pub hits: u64,
}

impl Governor {
    /// Starts with a full bucket.
    #[must_use]
    pub fn new(budget: Budget, now: Nanos) -> Self {
        Self { budget, left: budget.of(BURST).0 as i64, at: now, hooks: BTreeMap::new() }
    }

    /// Puts a hook under the governor.
    pub fn govern(&mut self, hook: u32, cost: Nanos) {
        self.govern_with(hook, cost, BURST);
    }

    /// The same of one that comes at a rate.
    pub fn govern_rate(&mut self, hook: u32, cost: Nanos) {
        self.govern_with(hook, cost, RATE);
    }

    fn govern_with(&mut self, hook: u32, cost: Nanos, saved: Nanos) {
        let full = self.budget.of(saved).0 as i64;
        self.hooks.insert(hook, Governed { cost, hits: 0, left: full, full, taken: Nanos(0) });
    }

    /// Takes a hook from under the governor: it has been taken out.
    pub fn forget(&mut self, hook: u32) {
        self.hooks.remove(&hook);
    }

    /// Which hooks are governed.
    pub fn hooks(&self) -> impl Iterator<Item = u32> {
        self.hooks.keys().copied()
    }

    /// Tells the hits so far; answers with the hook that has to go, if any. It is not governed any
    /// more after that.
    pub fn observe(&mut self, now: Nanos, hits: impl Fn(u32) -> u64) -> Option<Over> {
        let full = self.budget.of(BURST).0 as i64;
        let earned = self.budget.of(now.since(self.at)).0 as i64;
        self.left = self.left.saturating_add(earned).min(full);
        self.at = now;
        for (id, hook) in &mut self.hooks {
            let now_hits = hits(*id);
            let took = now_hits.saturating_sub(hook.hits).saturating_mul(hook.cost.0);
            hook.hits = now_hits;
            hook.taken = hook.taken.plus(Nanos(took));
            self.left = self.left.saturating_sub_unsigned(took);
            // Capped last: we may have been kept waiting for longer than its bucket lasts.
            hook.left = hook.left.saturating_add(earned).saturating_sub_unsigned(took).min(hook.full);
        }
        if self.left >= full {
            self.hooks.values_mut().for_each(|hook| hook.taken = Nanos(0));
        }
        let over = self.hooks.iter().find(|(_, hook)| hook.left < 0).map(|(id, _)| *id);
        match over {
            Some(id) => self.drop(id),
            None if self.left < 0 => self.drop(self.dearest()?),
            None => None,
        }
    }

    fn dearest(&self) -> Option<u32> {
        self.hooks.iter().max_by_key(|(_, hook)| hook.taken).map(|(id, _)| *id)
    }

    fn drop(&mut self, id: u32) -> Option<Over> {
        let hook = self.hooks.remove(&id)?;
        self.left = self.left.saturating_add_unsigned(hook.taken.0).min(self.budget.of(BURST).0 as i64);
        Some(Over { hook: id, taken: hook.taken, hits: hook.hits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PERCENT: Budget = Budget(10_000);
    const TICK: u64 = 20_000_000;

    fn governor() -> Governor {
        let mut governor = Governor::new(PERCENT, Nanos(0));
        governor.govern(1, Nanos(500));
        governor.govern(2, Nanos(500));
        governor
    }

    #[test]
    fn a_burst_within_the_saved_budget_is_let_through() {
        let mut governor = governor();
        assert_eq!(governor.observe(Nanos(TICK), |_| 29_000), None, "29 ms of 30");
        assert_eq!(governor.observe(Nanos(2 * TICK), |_| 29_000), None, "nothing new");
    }

    #[test]
    fn a_hot_function_goes_within_100_ms_and_a_rare_one_stays() {
        let mut governor = governor();
        let rate = 1_280_000;
        let gone = (1..).find_map(|tick| {
            let now = Nanos(tick * TICK);
            governor
                .observe(now, |hook| if hook == 1 { rate * now.0 / 1_000_000_000 } else { tick })
                .map(|over| (now, over))
        });
        let (when, over) = gone.unwrap();
        assert_eq!(over.hook, 1);
        assert!(when.0 <= 100_000_000, "{when:?}");
        assert_eq!(governor.hooks().collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_rate_at_the_budget_stays_for_ever() {
        let mut governor = governor();
        for second in 1..100 {
            assert_eq!(
                governor.observe(Nanos(second * 1_000_000_000), |hook| if hook == 1 {
                    second * 19_000
                } else {
                    0
                }),
                None
            );
        }
    }

    #[test]
    fn what_comes_at_a_rate_goes_before_it_has_used_up_what_others_saved() {
        let mut governor = governor();
        governor.govern_rate(3, Nanos(350));
        let rate = 140_000;
        let hits = |hook, now: u64| if hook == 3 { rate * now / 1_000_000_000 } else { 0 };
        let gone = (1..).find_map(|tick| {
            let now = tick * TICK;
            governor.observe(Nanos(now), |hook| hits(hook, now)).map(|over| (now, over))
        });
        let (when, over) = gone.unwrap();
        assert_eq!(over.hook, 3);
        assert!(when <= 150_000_000 && over.taken <= Nanos(7_000_000), "{when} {over:?}");
        assert!(governor.left > 20_000_000, "{governor:?}");
    }

    #[test]
    fn a_rate_below_the_budget_stays_for_ever() {
        let mut governor = governor();
        governor.govern_rate(3, Nanos(350));
        for second in 1..100 {
            let hits = |hook| if hook == 3 { second * 28_000 } else { 0 };
            assert_eq!(governor.observe(Nanos(second * 1_000_000_000), hits), None);
        }
    }

    proptest! {
        #[test]
        fn counters_that_go_backwards_or_overflow_do_no_harm(steps in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..50)) {
            let mut governor = governor();
            for (now, hits) in steps {
                governor.observe(Nanos(now), |_| hits);
            }
        }
    }
}
