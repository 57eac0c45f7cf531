//! Work that may take a part of the time.

use super::live::now;
use crate::audit::unit::Nanos;

/// One part in so many of the time, and how much of it is saved up at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) part: u64,
    pub(super) saved: Nanos,
}

/// Time that may be spent.
#[derive(Debug)]
pub(super) struct Allowance {
    share: Share,
    left: i64,
    at: Nanos,
}

impl Allowance {
    /// All of it that can be saved up.
    pub(super) fn new(share: Share) -> Self {
        Self { share, left: share.saved.0 as i64, at: now() }
    }

    /// Whether there is any now.
    pub(super) fn has_some(&mut self) -> bool {
        let now = now();
        let earned = now.since(self.at).0 / self.share.part;
        self.left = self.left.saturating_add_unsigned(earned).min(self.share.saved.0 as i64);
        self.at = now;
        self.left > 0
    }

    /// Something was done since then.
    pub(super) fn spent_since(&mut self, began: Nanos) {
        self.left = self.left.saturating_sub_unsigned(now().since(began).0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_was_spent_is_earned_again_in_its_time_and_no_more_is_saved_up() {
        let mut allowance = Allowance::new(Share { part: 4, saved: Nanos(2_000_000) });
        assert!(allowance.has_some());
        let began = now();
        std::thread::sleep(Duration::from_millis(7));
        allowance.spent_since(began);
        assert!(!allowance.has_some(), "{allowance:?}");
        std::thread::sleep(Duration::from_millis(60));
        assert!(allowance.has_some());
        std::thread::sleep(Duration::from_millis(60));
        assert!(allowance.has_some() && allowance.left <= 2_000_000, "{allowance:?}");
    }
}
