//! How fast a map fills: its live entries at the last few looks.
//!
//! A look is told only when something has changed. So time that passes without one counts as time in which
//! nothing was put in, once it is longer than any two looks lay apart. And once nothing has come for longer than
//! what is remembered of filling took, the map is not filling any more.

use super::unit::Nanos;

/// Looks that are remembered.
const LOOKS: usize = 8;
/// Looks closer together are one: what came in between them says little of the pace.
const CLOSEST: Nanos = Nanos(100_000_000);

/// Live entries over the last looks.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    looks: [(Nanos, u64); LOOKS],
    count: usize,
}

/// Entries that came in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    entries: u64,
    over: Nanos,
}

impl Rate {
    /// How long so many more take; `None`: for ever.
    fn time_for(self, more: u64) -> Option<Nanos> {
        let time = (u128::from(more) * u128::from(self.over.0)).checked_div(self.entries.into())?;
        u64::try_from(time).ok().map(Nanos)
    }
}

/// How long it takes until a map has so many entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Eta {
    /// At the pace of all looks remembered.
    pub(super) likely: Nanos,
    /// At the fastest pace between two of them.
    pub(super) least: Nanos,
    /// At the slowest; `None`: between two of them nothing was put in.
    pub(super) most: Option<Nanos>,
}

impl Pace {
    /// It had so many entries. A look that is older than the last is too late to count.
    pub(super) fn seen(&mut self, at: Nanos, live: u64) {
        let Some((last, _)) = self.last() else { return self.push((at, live)) };
        if at > last && at.since(last) >= CLOSEST {
            self.push((at, live));
        }
    }

    /// How long it takes from `now` on until there are so many entries; `None`: it is not filling, or too
    /// little was seen to say.
    pub(super) fn eta(&self, now: Nanos, live: u64, at_live: u64) -> Option<Eta> {
        let looks = &self.looks[..self.count];
        let (first, (last, _)) = (looks.first()?, looks.last()?);
        let longest = looks.windows(2).map(|pair| pair[1].0.since(pair[0].0)).max()?;
        let (rose, _) = looks.windows(2).rfind(|pair| pair[1].1 > pair[0].1)?[1];
        if now.since(rose) > rose.since(first.0) {
            return None;
        }
        let until = if now.since(*last) > longest { now } else { *last };
        let whole = Rate { entries: live.checked_sub(first.1)?, over: until.since(first.0) };
        let more = at_live.saturating_sub(live);
        let parts = looks.windows(2).map(|pair| Rate {
            entries: pair[1].1.saturating_sub(pair[0].1),
            over: pair[1].0.since(pair[0].0),
        });
        let times = parts.map(|part| part.time_for(more));
        let likely = whole.time_for(more)?;
        let least = times.clone().flatten().fold(likely, Nanos::min);
        let slowest = times.reduce(|most, time| Some(most?.max(time?))).flatten();
        let most = slowest.filter(|_| until <= *last).map(|most| most.max(likely));
        let passed = now.since(*last);
        let from_now = |time: Nanos| time.since(passed);
        let of_idle = until > *last;
        Some(Eta {
            likely: if of_idle { likely } else { from_now(likely) },
            least: if of_idle { least } else { from_now(least) },
            most: most.map(from_now),
        })
    }

    /// Whether there are looks enough for a forecast that is to be held against what happens.
    pub(super) const fn is_told(&self) -> bool {
        self.count >= LOOKS / 2
    }

    fn last(&self) -> Option<(Nanos, u64)> {
        self.looks[..self.count].last().copied()
    }

    fn push(&mut self, look: (Nanos, u64)) {
        if self.count == LOOKS {
            self.looks.rotate_left(1);
            self.count -= 1;
        }
        self.looks[self.count] = look;
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn pace(lives: &[u64]) -> Pace {
        let mut pace = Pace::default();
        (0..).zip(lives).for_each(|(second, live)| pace.seen(Nanos(second * SECOND), *live));
        pace
    }

    fn seconds(eta: Option<Eta>) -> Option<(u64, u64, Option<u64>)> {
        let whole = |time: Nanos| time.0 / SECOND;
        eta.map(|eta| (whole(eta.likely), whole(eta.least), eta.most.map(whole)))
    }

    #[test]
    fn at_a_steady_pace_there_is_one_answer() {
        let pace = pace(&[0, 100, 200, 300]);
        assert_eq!(seconds(pace.eta(Nanos(3 * SECOND), 300, 1300)), Some((10, 10, Some(10))));
        assert_eq!(seconds(pace.eta(Nanos(3 * SECOND), 300, 300)), Some((0, 0, Some(0))));
    }

    #[test]
    fn at_an_uneven_pace_there_is_a_range() {
        let pace = pace(&[0, 50, 250, 300]);
        assert_eq!(seconds(pace.eta(Nanos(3 * SECOND), 300, 1300)), Some((10, 5, Some(20))));
    }

    #[test]
    fn time_without_a_look_is_time_without_an_entry() {
        let pace = pace(&[0, 100, 200]);
        assert_eq!(seconds(pace.eta(Nanos(2 * SECOND + SECOND / 2), 200, 300)), Some((0, 0, Some(0))));
        assert_eq!(seconds(pace.eta(Nanos(4 * SECOND), 200, 300)), Some((2, 1, None)));
        assert_eq!(seconds(pace.eta(Nanos(5 * SECOND), 200, 300)), None, "it has stopped");
        let mut looked_at = pace.clone();
        looked_at.seen(Nanos(20 * SECOND), 200);
        assert_eq!(seconds(looked_at.eta(Nanos(20 * SECOND), 200, 300)), None, "and one more look shows it");
    }

    #[test]
    fn what_does_not_fill_never_comes() {
        assert_eq!(pace(&[100, 100]).eta(Nanos(SECOND), 100, 300), None);
        assert_eq!(pace(&[100, 90]).eta(Nanos(SECOND), 90, 300), None);
        assert_eq!(pace(&[100]).eta(Nanos(SECOND), 100, 300), None);
        assert_eq!(Pace::default().eta(Nanos(SECOND), 100, 300), None);
    }

    #[test]
    fn the_last_looks_count_and_close_ones_are_one() {
        let mut pace = pace(&[0, 0, 0, 0, 0, 100, 200, 300, 400, 500, 600, 700]);
        assert_eq!(seconds(pace.eta(Nanos(11 * SECOND), 700, 1000)), Some((3, 3, Some(3))));
        pace.seen(Nanos(11 * SECOND + 5), 10_000);
        pace.seen(Nanos(3), 0);
        assert_eq!(pace.last(), Some((Nanos(11 * SECOND), 700)));
    }

    #[test]
    fn nothing_overflows() {
        let mut pace = Pace::default();
        pace.seen(Nanos(0), 0);
        pace.seen(Nanos(u64::MAX), 1);
        assert_eq!(pace.eta(Nanos(u64::MAX), 1, u64::MAX), None);
        pace.seen(Nanos(1), u64::MAX);
    }
}
