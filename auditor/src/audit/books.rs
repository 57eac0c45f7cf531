//! What is kept of all maps together while each of them changes: it is brought up to date around each change.

use super::episodes::Episodes;
use super::forecast::Scores;
use super::here::Place;
use super::life::{Around, Life};
use super::oddities::Oddities;
use super::tally::Tally;
use super::unit::Nanos;

/// What is kept of all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    /// What should not have happened.
    pub(super) oddities: Oddities,
    /// How well growths were foretold.
    pub(super) scores: Scores,
    /// What they come to, and which have changed.
    pub(super) tally: Tally,
    /// Tables that are remembered by address.
    pub(super) remembered_tables: usize,
    /// The last tick: maps are read just before it.
    pub(super) polled: Nanos,
}

impl Books {
    /// Does something with a map.
    pub(super) fn with<T>(
        &mut self,
        (place, life): (Place, &mut Life),
        episodes: &mut Episodes,
        act: impl FnOnce(&mut Life, &mut Around<'_>) -> T,
    ) -> T {
        self.tally.touch(place, life);
        let remembered = life.holding.ledger.remembered();
        let done = act(life, &mut self.around(episodes));
        self.remembered_tables = self.remembered_tables - remembered + life.holding.ledger.remembered();
        done
    }

    /// What is told while a map changes.
    pub(super) fn around<'a>(&'a mut self, episodes: &'a mut Episodes) -> Around<'a> {
        let Self { oddities, scores, polled, .. } = self;
        Around { episodes, oddities, scores, polled: *polled }
    }
}
