//! All maps: which one a fact is about, when one is born and when it is dead. Addresses are used
//! again, so a map is known by its address only while it lives.
//!
//! | seen | then |
//! |---|---|
//! | a bucket array asked for, no map lives there | a birth: origin `observed` |
//! | a look at a map without a table, not at attach, no map lives there | a birth too: nothing was missed |
//! | a look by a census that had found none there before | a birth by then, whose tables nobody saw: `observed` |
//! | any other look or event, no map lives there | it was there before: origin `before-attach` |
//! | the last table of a map that says it is dropped is let go | a death, if all its tables were seen |
//! | another such table is let go, or the target no longer lists the map | it is leaving: dead in reports, and buried `GRACE` later, so that what is still told of it finds it |
//! | a bucket array asked for where a map is leaving or dropped, or counters that twice went back | the death of that map, and the birth of another |
//! | a poll's look where a map has died lately, before the birth of another is told, or a census's where hooks tell of deaths | nothing: it may have been read before (`deaths.rs`) |

use std::collections::{BTreeSet, VecDeque};

use super::books::Books;
use super::counters::Sum;
use super::deaths::Deaths;
use super::episodes::{Episodes, Moves};
use super::fact::{Allocate, Clear, Described, Evacuate, Free, Grow, Look, Occasion, Part, Resident};
use super::forecast::Scores;
use super::held::Held;
use super::here::Here;
use super::identity::Identity;
use super::ledger::Balance;
use super::life::{Around, Life};
use super::oddities::Oddities;
use super::populations::{Crowded, Populations};
use super::recognised::RuntimeId;
use super::tally::Tally;
use super::told::Told;
use super::trend::Sample;
use super::unit::{Address, Bytes, Nanos};
use super::who::{Birth, Description};

/// Maps that are followed at once. At 1 kB each they take 260 MB.
const MOST_LIVING: usize = 1 << 18;
/// Dead maps that are listed one by one.
pub const MOST_DEAD: usize = 4096;
/// Tables that are remembered by address, over all maps. At 32 bytes each they take 64 MB.
const MOST_TABLES: usize = 1 << 21;
/// Bytes of types and owners, over all maps. A hundred thousand maps have some 30 MB of them.
const MOST_DESCRIBED: usize = 64 << 20;
/// How long a map that is leaving is kept.
const GRACE: Nanos = Nanos(1_000_000_000);

/// All maps.
#[derive(Clone, Debug, Default)]
pub(super) struct Lives {
    /// Those that live or are leaving.
    here: Here,
    /// Those that are leaving, since when.
    leaving: BTreeSet<(Nanos, Address)>,
    deaths: Deaths,
    /// The dead that are large enough to be listed, oldest first.
    dead: VecDeque<Box<Life>>,
    /// The other dead.
    folded: Populations,
    counted_by_dead: Sum,
    balance_of_dead: Balance,
    books: Books,
    /// Bytes of what censuses told of the maps that are kept.
    described: usize,
    looks: bool,
}

impl Lives {
    /// Maps that never held this much are not listed one by one.
    pub(super) fn list_from(&mut self, min_bytes: Bytes) {
        self.books.tally.list_from(min_bytes, &mut self.here);
    }

    /// What they come to together, and which have changed.
    pub(super) fn tally(&mut self) -> &mut Tally {
        self.books.tally.settle(&mut self.here);
        &mut self.books.tally
    }

    /// What the living ones hold together, and what those that a census added up do.
    pub(super) fn held(&self, crowds: Option<&Populations>) -> Held {
        self.books.tally.sums(&self.here).held(crowds)
    }

    /// A table was asked for.
    pub(super) fn allocate(&mut self, at: Nanos, fact: &Allocate, episodes: &mut Episodes) {
        let is_over = |life: &Life| life.gone.is_some() || life.said_dropped();
        if self.here.get_mut(fact.map).is_some_and(|life| is_over(life)) {
            self.bury(at, fact.map, episodes);
        }
        let birth = if fact.part == Part::Buckets { Birth::Seen } else { Birth::Before };
        let place = fact.table.filter(|_| self.books.remembered_tables < MOST_TABLES);
        self.with(fact.map, birth, episodes, |life, around| life.allocate(at, fact, place, around));
    }

    /// A growth started.
    pub(super) fn grow(&mut self, at: Nanos, fact: &Grow, episodes: &mut Episodes) {
        self.with(fact.map, Birth::Before, episodes, |life, around| life.grow(at, fact, around));
    }

    /// A map is emptied at once.
    pub(super) fn clear(&mut self, at: Nanos, fact: &Clear, episodes: &mut Episodes) {
        self.with(fact.map, Birth::Before, episodes, |life, _| {
            life.hears(at);
            life.growths.clear();
        });
    }

    /// Old buckets were moved. The fact may stand for hits of some time ago, so it does not prove
    /// that the map lives.
    pub(super) fn evacuate(&mut self, at: Nanos, fact: &Evacuate) {
        if let Some(life) = self.here.get_mut(fact.map) {
            life.evacuate(at, fact.moved);
        }
    }

    /// A table was let go.
    pub(super) fn free(&mut self, at: Nanos, fact: &Free, episodes: &mut Episodes) {
        let dropped = fact.shape.as_ref().is_some_and(|shape| shape.dropped);
        if dropped && self.here.get(fact.map).is_none() {
            self.books.oddities.stray_frees += 1;
            return;
        }
        let is_left = self.with(fact.map, Birth::Before, episodes, |life, around| {
            life.free(at, fact, around);
            (life.is_emptied(), dropped && !life.is_whole())
        });
        match is_left {
            Some((true, _)) => self.bury(at, fact.map, episodes),
            Some((false, true)) => self.leave(at, fact.map),
            Some((false, false)) | None => {}
        }
    }

    /// A map was read.
    pub(super) fn look(
        &mut self,
        at: Nanos,
        fact: &Look,
        runtime: Option<RuntimeId>,
        told: Told,
        episodes: &mut Episodes,
    ) {
        self.looks = true;
        self.books.tally.settle_many(&mut self.here);
        let known = self.here.find(fact.map);
        let life = known.as_ref().map(|(_, life)| &**life);
        if !told.trusts(fact.occasion) && may_be_dead(life, &self.deaths, at, fact) {
            return;
        }
        let birth = birth(at, fact, told);
        let read = |life: &mut Life, around: &mut Around<'_>| {
            life.runtime = runtime.or(life.runtime);
            // A poll reads what a growth has told of, whenever it was born.
            if matches!(birth, Birth::By(_)) && life.birth == Birth::Before && !life.listed {
                life.was_born_by(at);
            }
            life.look(at, fact, told, around);
        };
        match known.map(|(place, life)| (life.identify(at, fact, told), place, life)) {
            Some((Identity::Doubtful, ..)) => return,
            Some((Identity::This, place, life)) => self.books.with((place, life), episodes, read),
            found => {
                if found.is_some() {
                    self.bury(at, fact.map, episodes);
                }
                if fact.shape.dropped {
                    return;
                }
                if birth != Birth::Seen && fact.occasion != Occasion::AtAttach && told.births() {
                    self.books.oddities.missed_births += 1;
                }
                self.with(fact.map, birth, episodes, read);
            }
        }
        if fact.shape.dropped {
            self.gone(at, fact.map);
        }
    }

    /// A census told who a map is.
    pub(super) fn describe(&mut self, fact: &Described) {
        self.books.tally.settle_many(&mut self.here);
        let found = self.here.find(fact.map);
        let Some((place, life)) = found.filter(|(_, life)| life.gone.is_none()) else { return };
        let mut description = Description::of(fact);
        let others = self.described - described(life);
        if others + description.size() > MOST_DESCRIBED {
            self.books.oddities.undescribed += 1;
            description = Description { reachable: fact.reachable, ..Description::default() };
        }
        self.described = others + description.size();
        self.books.tally.touch(place, life);
        life.describe(description);
    }

    /// The page map was asked for a map.
    pub(super) fn asked(&mut self, fact: &Resident) {
        self.books.tally.settle_many(&mut self.here);
        let found = self.here.find(fact.map);
        let Some((place, life)) = found.filter(|(_, life)| life.gone.is_none()) else { return };
        self.books.tally.touch(place, life);
        life.asked_for_pages(fact);
    }

    /// The one that lives at an address.
    pub(super) fn living_at(&self, map: Address) -> Option<&Life> {
        self.here.get(map).filter(|life| life.gone.is_none())
    }

    /// How a map is that is listed one by one and lives.
    pub(super) fn sample(&self, map: Address) -> Option<Sample> {
        self.here.get(map).and_then(|life| self.books.tally.footprint(life).sample())
    }

    /// The target no longer lists a map. What happened to it later speaks for another one.
    pub(super) fn gone(&mut self, at: Nanos, map: Address) {
        if self.here.get(map).is_some_and(|life| !life.heard_after(at)) {
            self.leave(at, map);
        }
    }

    /// Time has passed: buries those that have been leaving for long enough.
    pub(super) fn tick(&mut self, now: Nanos, episodes: &mut Episodes) {
        self.books.polled = now;
        while let Some(&(since, map)) = self.leaving.first()
            && since.plus(GRACE) <= now
        {
            self.bury(since, map, episodes);
        }
    }

    /// The target replaced its program: all its maps are gone.
    pub(super) fn replaced(&mut self, at: Nanos, episodes: &mut Episodes) {
        while let Some(map) = self.here.first() {
            self.bury(at, map, episodes);
        }
        // No map is here, so there is nothing of which a trend could differ.
        drop(self.books.tally.take_sampled());
    }

    /// Whether an event of this map dated `at` may be misplaced: a younger one has been applied, or
    /// no such map is known (any more).
    pub(super) fn is_out_of_step(&self, at: Nanos, map: Address) -> bool {
        self.here.get(map).is_none_or(|life| life.heard_after(at))
    }

    /// Those that live, by address.
    pub(super) fn living(&self) -> impl Iterator<Item = &Life> {
        self.here.all().filter(|life| life.gone.is_none())
    }

    /// Those to be listed one by one, in no order that means anything, and what the others come to.
    /// Where a census has added up the small ones, `crowded`, those that it did not list are among them.
    pub(super) fn listing(&self, crowded: bool) -> (Vec<&Life>, Populations) {
        let mut populations = self.folded.clone();
        let mut listed: Vec<&Life> = self.dead.iter().map(Box::as_ref).collect();
        for life in self.here.all() {
            if self.books.tally.lists(life) {
                listed.push(life);
            } else {
                let counted = crowded && life.gone.is_none() && !life.listed;
                populations.add(life, if counted { Crowded::Counted } else { Crowded::Not });
            }
        }
        (listed, populations)
    }

    /// What the evacuation of the map at this address has come to.
    pub(super) fn moves(&self, map: Address, now: Nanos) -> Moves {
        self.here.get(map).map_or_else(Moves::default, |life| life.moves(now))
    }

    /// What all maps have counted themselves.
    pub(super) fn counted(&self) -> Sum {
        let mut sum = self.counted_by_dead;
        self.here.all().for_each(|life| sum.add(&life.counters));
        sum
    }

    /// How well growths were foretold.
    pub(super) const fn scores(&self) -> &Scores {
        &self.books.scores
    }

    /// What should not have happened.
    pub(super) const fn oddities(&self) -> &Oddities {
        &self.books.oddities
    }

    /// Whether any map was read.
    pub(super) const fn were_looked_at(&self) -> bool {
        self.looks
    }

    /// Whether every debit of every ledger answers a credit.
    pub(super) fn are_balanced(&self) -> bool {
        let of_dead = self.balance_of_dead;
        of_dead.credited == of_dead.debited && self.here.all().all(|life| life.holding.ledger.is_balanced())
    }

    /// Does something with the map at this address, which is born first if there is none. `None`: there are too many.
    fn with<T>(
        &mut self,
        map: Address,
        birth: Birth,
        episodes: &mut Episodes,
        act: impl FnOnce(&mut Life, &mut Around<'_>) -> T,
    ) -> Option<T> {
        self.books.tally.settle_many(&mut self.here);
        let place = match self.here.place(map) {
            Some(place) => place,
            None if self.here.len() >= MOST_LIVING => {
                self.books.oddities.not_followed += 1;
                return None;
            }
            None => self.here.add(Life::new(map, birth)),
        };
        let life = self.here.at(place)?;
        Some(self.books.with((place, life), episodes, act))
    }

    /// It is leaving, since `at`.
    fn leave(&mut self, at: Nanos, map: Address) {
        self.books.tally.settle_many(&mut self.here);
        let Some((place, life)) = self.here.find(map) else { return };
        self.books.tally.touch(place, life);
        if let Some(since) = life.gone.replace(at) {
            self.leaving.remove(&(since, map));
        }
        self.leaving.insert((at, map));
    }

    fn bury(&mut self, at: Nanos, map: Address, episodes: &mut Episodes) {
        let Some((place, mut life)) = self.here.take(map) else { return };
        self.books.tally.left(place, &life);
        if let Some(since) = life.gone {
            self.leaving.remove(&(since, map));
        }
        self.books.remembered_tables -= life.holding.ledger.remembered();
        self.deaths.add(life.gone.unwrap_or(at), map);
        life.end(at, &mut self.books.around(episodes));
        self.counted_by_dead.add(&life.counters);
        self.balance_of_dead.add(life.holding.ledger.balance());
        if !self.books.tally.lists(&life) {
            self.fold(&life);
            return;
        }
        self.dead.push_back(Box::new(life));
        if self.dead.len() > MOST_DEAD
            && let Some(oldest) = self.dead.pop_front()
        {
            self.fold(&oldest);
        }
    }

    /// Of a dead one only what it adds to the others of its kind is kept.
    fn fold(&mut self, life: &Life) {
        self.described -= described(life);
        self.folded.add(life, Crowded::Not);
    }
}

/// Whether what was read may be of a map that has died. Not where the birth of another was told before: a poll is
/// dated before it reads, so it is that one which was read.
fn may_be_dead(known: Option<&Life>, deaths: &Deaths, at: Nanos, look: &Look) -> bool {
    match known {
        Some(life) if life.gone.is_some() => true,
        Some(life) if look.occasion == Occasion::Poll && life.was_born_before(at) => false,
        Some(_) | None => deaths.are_near(at, look.map),
    }
}

/// How a map came into sight that a look is the first to tell of. One that has no table yet has none
/// whose allocation could have been missed.
fn birth(at: Nanos, look: &Look, told: Told) -> Birth {
    match look.occasion {
        Occasion::AtAttach => Birth::Before,
        _ if look.shape.table.is_none() && told.births() => Birth::Seen,
        Occasion::Census => Birth::By(at),
        Occasion::Poll | Occasion::AtExit => Birth::Before,
    }
}

/// Bytes of what a census told of a map.
fn described(life: &Life) -> usize {
    life.described.as_ref().map_or(0, |description| description.size())
}
