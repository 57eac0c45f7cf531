//! Growth by splitting: a map of many tables replaces one full table by two, over and over, and never
//! holds more than one table twice. One split is no episode; a spell of them is.

use super::episodes::{Asked, Moves, Serial, Start};
use super::fact::{Grow, GrowthKind};
use super::life::{Around, Life};
use super::unit::Nanos;

/// Splits of one map that are no further apart are one episode.
const SPELL: Nanos = Nanos(1_000_000_000);

/// Splits that belong together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spell {
    serial: Serial,
    last: Nanos,
}

impl Life {
    /// A table of it was split.
    pub(super) fn split(&mut self, at: Nanos, fact: &Grow, around: &mut Around<'_>) {
        self.hears(at);
        self.had_table = true;
        self.growths.count(GrowthKind::Split);
        let spell = self.spell.take().filter(|spell| at.since(spell.last) <= SPELL);
        let serial = spell.map_or_else(|| self.first_split(at, fact, around), |spell| spell.serial);
        let asked = Asked { at, table: None, bytes: fact.bytes.unwrap_or_default(), took: None };
        around.episodes.asked(serial, asked);
        around.episodes.end(serial, at, Moves::default());
        self.spell = Some(Box::new(Spell { serial, last: at }));
        self.remember_growth(fact);
    }

    fn first_split(&self, at: Nanos, fact: &Grow, around: &mut Around<'_>) -> Serial {
        let kind = GrowthKind::Split;
        around.episodes.begin(Start { map: self.address, kind, at, live: fact.live, from: fact.from })
    }
}
