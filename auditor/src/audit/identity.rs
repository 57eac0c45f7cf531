//! Which map a look speaks of: addresses are used again, and a poll may read in the midst of a death and a birth.

use super::fact::{Look, Shape};
use super::life::Life;
use super::told::Told;
use super::unit::Nanos;

/// Which map a look speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// The one that lives there.
    This,
    /// Perhaps another.
    Doubtful,
    /// Another that took its address.
    Another,
}

impl Life {
    /// Whether a look speaks of this map or of another that took its address. What a poll read may
    /// be from a moment in which one died and another was born, both of which will be told yet: it
    /// takes two in a row to prove that something was missed.
    pub(super) fn identify(&mut self, at: Nanos, look: &Look, told: Told) -> Identity {
        let other = self.seems_replaced(at, &look.shape);
        let before = std::mem::replace(&mut self.doubted, other);
        match (other, before || told.trusts(look.occasion)) {
            (false, _) => Identity::This,
            (true, false) => Identity::Doubtful,
            (true, true) => Identity::Another,
        }
    }

    fn seems_replaced(&self, at: Nanos, seen: &Shape) -> bool {
        let newer = self.seen.is_none_or(|seen| seen.at <= at);
        let was_over = self.said_dropped() || self.gone.is_some_and(|gone| gone <= at);
        newer && (self.counters.went_back(seen.counted) || (was_over && !seen.dropped))
    }
}
