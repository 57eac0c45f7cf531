//! One map from birth to death: what facts about it do to it. Which map a fact is about, and when
//! one is born, is `lives.rs`; what it holds is `holding.rs`; its row in the report is `row.rs`.

use super::counters::Counters;
use super::counts::Growths;
use super::episodes::{Asked, Episodes, Moves, Serial, Start};
use super::evacuation::{End, Evacuation};
use super::fact::{Allocate, Free, Grow, GrowthKind, Look, Occasion, Part, Resident, Shape, StackId};
use super::forecast::{Foresight, Scores};
use super::held::Paged;
use super::holding::{Holding, Verdict};
use super::ledger::{Age, Credit, Debit};
use super::oddities::Oddities;
use super::recognised::RuntimeId;
use super::seen::Seen;
use super::splits::Spell;
use super::told::{Frees, Told};
use super::unit::{Address, Bytes, Nanos};
use super::who::{Birth, Description, cut};

/// Longest name that is kept, in bytes.
const MOST_NAME: usize = 256;
/// A look is dated when the reading of all headers begins, and names are read last. A map that dies so
/// soon after it may have given its address to another by then, whose name it would be.
const READING: Nanos = Nanos(100_000_000);

/// One map. It takes 976 bytes, two tables among them.
#[derive(Clone, Debug)]
pub(super) struct Life {
    /// Its header's address.
    pub(super) address: Address,
    /// How it came into sight.
    pub(super) birth: Birth,
    /// When its first table was seen.
    pub(super) born: Option<Nanos>,
    /// When it was dropped, if it was.
    pub(super) gone: Option<Nanos>,
    /// Whose, once a look has told.
    pub(super) runtime: Option<RuntimeId>,
    /// Its name in the target, and when it was read.
    named: Option<(Nanos, Box<str>)>,
    /// What a census told of it.
    pub(super) described: Option<Box<Description>>,
    /// Whether a census told that nothing leads to it.
    pub(super) waits: bool,
    /// Whether a census listed it, so that it is not among those it only added up.
    pub(super) listed: bool,
    /// The most live entries that were seen.
    pub(super) most_live: u64,
    /// What it looked like last.
    pub(super) seen: Option<Seen>,
    /// What it holds.
    pub(super) holding: Holding,
    /// What of it is in RAM; `None`: nobody asked.
    pub(super) resident: Option<Box<Resident>>,
    /// What of that is added up.
    pub(super) paged: Option<Paged>,
    /// Growths seen.
    pub(super) growths: Growths,
    /// Moving entries, now or last.
    pub(super) evacuation: Option<Evacuation>,
    /// Moves of evacuations that have ended, of which no fact has told yet.
    moves_to_come: u64,
    /// The stack of the largest table so far.
    pub(super) site: Option<(Bytes, StackId)>,
    /// What it counts itself.
    pub(super) counters: Counters,
    /// The growth under way.
    pub(super) growth: Option<Growth>,
    /// Splits of its tables that were close together.
    pub(super) spell: Option<Box<Spell>>,
    /// What is foreseen of its next growth, where that is worth it.
    pub(super) foresight: Option<Box<Foresight>>,
    /// Whether it is known to have had a table.
    pub(super) had_table: bool,
    /// Its newest bucket array, where that is known.
    table: Option<Address>,
    /// Time of its youngest event.
    pub(super) heard: Nanos,
    /// When something of it was heard of first; `None`: never.
    pub(super) met: Option<Nanos>,
    /// Whether its counters were read at its very end.
    read_at_end: bool,
    /// Whether it was read while its process exited.
    read_at_exit: bool,
    /// Whether the last look seemed to be at another map.
    pub(super) doubted: bool,
    /// Whether something happened to it that is not added up yet.
    pub(super) touched: bool,
}

/// A growth under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    serial: Serial,
    /// The bucket array it replaces, where that is known.
    old: Option<Address>,
    /// From where.
    pub(super) stack: Option<StackId>,
}

/// What is told while a fact is applied.
#[derive(Debug)]
pub(super) struct Around<'a> {
    /// All growths.
    pub(super) episodes: &'a mut Episodes,
    /// All oddities.
    pub(super) oddities: &'a mut Oddities,
    /// How well growths were foretold.
    pub(super) scores: &'a mut Scores,
    /// When maps were read last before now: what has not been told of one since was not so then.
    pub(super) polled: Nanos,
}

impl Life {
    /// A map comes into sight.
    pub(super) fn new(address: Address, birth: Birth) -> Self {
        Self {
            address,
            birth,
            born: None,
            gone: None,
            runtime: None,
            named: None,
            described: None,
            waits: false,
            listed: false,
            most_live: 0,
            seen: None,
            holding: Holding::new(birth == Birth::Seen),
            resident: None,
            paged: None,
            growths: Growths::default(),
            evacuation: None,
            moves_to_come: 0,
            site: None,
            counters: Counters::default(),
            growth: None,
            spell: None,
            foresight: None,
            had_table: false,
            table: None,
            heard: Nanos(0),
            met: None,
            read_at_end: false,
            read_at_exit: false,
            doubted: false,
            touched: false,
        }
    }

    /// Its name in the target.
    pub(super) fn name(&self) -> Option<&str> {
        self.named.as_ref().map(|(_, name)| &**name)
    }

    /// Whether a reading is older than the last one.
    fn is_older_than_seen(&self, at: Nanos) -> bool {
        self.seen.is_some_and(|seen| at < seen.at)
    }

    /// Whether it said at the last reading that it is being dropped.
    pub(super) fn said_dropped(&self) -> bool {
        self.seen.is_some_and(|seen| seen.dropped)
    }

    /// A table was asked for. `place`: its address, if it is to be remembered.
    pub(super) fn allocate(
        &mut self,
        at: Nanos,
        fact: &Allocate,
        place: Option<Address>,
        around: &mut Around<'_>,
    ) {
        self.hears(at);
        if self.is_whole() {
            self.born.get_or_insert(at);
        }
        if self.holding.credit(at, fact, place) == Credit::InPlaceOfAnother {
            around.oddities.missed_frees += 1;
        }
        if fact.part == Part::Buckets {
            self.table_was_foreseen(fact.bytes, around.scores);
            self.first_table(at, fact, around);
            self.was_not_old(fact.table);
            self.table = fact.table;
        }
        self.asked(at, fact, around);
        self.remember_site(fact);
    }

    /// A growth started.
    pub(super) fn grow(&mut self, at: Nanos, fact: &Grow, around: &mut Around<'_>) {
        self.was_foreseen(at, fact, around.scores);
        if fact.kind == GrowthKind::Split {
            return self.split(at, fact, around);
        }
        self.hears(at);
        self.had_table |= fact.kind != GrowthKind::First;
        self.most_live = self.most_live.max(fact.live.unwrap_or(0));
        self.end_growth(at, End::Complete, around);
        let start = Start { map: self.address, kind: fact.kind, at, live: fact.live, from: fact.from };
        self.holding.grow(at);
        self.begin(start, fact.stack, around);
        if fact.kind != GrowthKind::First {
            self.evacuation = Some(Evacuation::begin(at, fact.from));
        }
        if let (Some(growth), Some(bytes)) = (self.growth, fact.bytes) {
            around.episodes.asked(growth.serial, Asked { at, table: None, bytes, took: None });
            self.remember_growth(fact);
        }
    }

    /// Old buckets were moved.
    pub(super) fn evacuate(&mut self, at: Nanos, buckets: u64) {
        let of_the_ended = buckets.min(self.moves_to_come);
        self.moves_to_come -= of_the_ended;
        if buckets > of_the_ended {
            let evacuation = self.evacuation.get_or_insert_with(|| Evacuation::begin(at, 0));
            evacuation.moved(at, buckets - of_the_ended);
        }
    }

    /// A table was let go.
    pub(super) fn free(&mut self, at: Nanos, fact: &Free, around: &mut Around<'_>) {
        self.hears(at);
        self.had_table = true;
        if let Some(shape) = &fact.shape {
            self.holding.read_before_free(shape);
            self.reshape(at, shape, around.polled);
        }
        let debit = self.holding.debit(at, fact);
        match debit {
            Debit::Known { same_size: false, .. } => around.oddities.other_sizes += 1,
            Debit::Unknown if self.is_whole() => around.oddities.unknown_frees += 1,
            Debit::Known { .. } | Debit::Unknown => {}
        }
        let Some(growth) = self.growth else { return };
        let was_old = matches!(debit, Debit::Known { age: Age::Old, .. })
            || growth.old.is_none_or(|old| old == fact.table);
        if was_old && !self.holding.ledger.holds_old() {
            let how = if self.said_dropped() { End::BrokenOff } else { End::Complete };
            self.end_growth(at, how, around);
        }
    }

    /// Whether it was not read while its process exited.
    pub(super) fn missed_the_last_look(&self) -> bool {
        self.had_table && !self.read_at_exit
    }

    /// Whether it has let all its tables go for good.
    pub(super) fn is_emptied(&self) -> bool {
        self.is_whole() && self.said_dropped() && self.holding.ledger.tables() == 0
    }

    /// It was read.
    pub(super) fn look(&mut self, at: Nanos, fact: &Look, told: Told, around: &mut Around<'_>) {
        if self.named.is_none() {
            self.named = fact.name.as_deref().map(|name| (at, cut(name, MOST_NAME)));
        }
        self.listed |= matches!(fact.occasion, Occasion::AtAttach | Occasion::Census);
        if self.is_older_than_seen(at) {
            return;
        }
        self.had_table |= fact.shape.table.is_some();
        self.read_at_exit = fact.occasion == Occasion::AtExit;
        if fact.shape.old_table.is_none() && fact.shape.evacuation.is_none() {
            self.look_without_old_table(at, &fact.shape, told.frees, around);
        }
        self.foresee(at, &fact.shape, around.scores);
        if self.holding.look(at, &fact.shape, told.ledgers()) == Verdict::Disagrees {
            around.oddities.disagreements += 1;
        }
        self.reshape(at, &fact.shape, around.polled);
    }

    /// The page map was asked for it.
    pub(super) fn asked_for_pages(&mut self, answer: &Resident) {
        self.paged = Some(Paged::of(answer));
        self.resident = Some(Box::new(*answer));
    }

    /// It is over: whatever it still holds goes with it.
    pub(super) fn end(&mut self, at: Nanos, around: &mut Around<'_>) {
        let at = *self.gone.get_or_insert(at);
        if self.named.as_ref().is_some_and(|(then, _)| at.since(*then) < READING) {
            self.named = None;
        }
        self.end_growth(at, End::BrokenOff, around);
        self.holding.ledger.write_off();
        // A map that never had a table never counted anything.
        if self.had_table && !self.read_at_end {
            around.oddities.unread_ends += 1;
        }
    }

    /// What the evacuation has come to by `now`.
    pub(super) fn moves(&self, now: Nanos) -> Moves {
        let evacuation = self.evacuation.as_ref();
        Moves {
            evacuated: evacuation.map_or(0, Evacuation::count),
            stall: evacuation.and_then(|evacuation| evacuation.stall(now)),
        }
    }

    fn begin(&mut self, start: Start, stack: Option<StackId>, around: &mut Around<'_>) {
        self.growths.count(start.kind);
        self.growth = Some(Growth { serial: around.episodes.begin(start), old: self.table, stack });
    }

    /// A table just asked for is not the one it replaces: a look had shown it before the call was
    /// told. Which one is replaced is then not known.
    fn was_not_old(&mut self, new: Option<Address>) {
        if let Some(growth) = self.growth.as_mut().filter(|growth| growth.old == new) {
            growth.old = None;
        }
    }

    /// The first table of a map comes without a growth: it is one.
    fn first_table(&mut self, at: Nanos, fact: &Allocate, around: &mut Around<'_>) {
        let had_table = std::mem::replace(&mut self.had_table, true);
        if had_table || !self.is_whole() || self.growth.is_some() {
            return;
        }
        let at = at.since(fact.took.unwrap_or_default());
        let start = Start { map: self.address, kind: GrowthKind::First, at, live: None, from: 0 };
        self.begin(start, None, around);
    }

    /// A table belongs to the growth under way. The first table replaces nothing, so its growth is
    /// over at once.
    fn asked(&mut self, at: Nanos, fact: &Allocate, around: &mut Around<'_>) {
        let Some(growth) = self.growth else { return };
        around
            .episodes
            .asked(growth.serial, Asked { at, table: fact.table, bytes: fact.bytes, took: fact.took });
        let replaces_nothing = self.is_whole() && !self.holding.ledger.holds_old();
        if replaces_nothing && fact.part == Part::Buckets {
            self.end_growth(at, End::Complete, around);
        }
    }

    fn look_without_old_table(&mut self, at: Nanos, seen: &Shape, frees: Frees, around: &mut Around<'_>) {
        let has_moved_on = self.growth.is_none_or(|growth| seen.table != growth.old);
        if frees == Frees::Unseen && has_moved_on {
            self.holding.ledger.write_off_old();
        }
        if has_moved_on && !self.holding.ledger.holds_old() {
            self.end_growth(at, End::Complete, around);
        }
    }

    fn end_growth(&mut self, at: Nanos, how: End, around: &mut Around<'_>) {
        if let Some(evacuation) = &mut self.evacuation {
            let to_come = evacuation.end(at, how, around.polled);
            self.moves_to_come = self.moves_to_come.saturating_add(to_come);
        }
        if let Some(growth) = self.growth.take() {
            let moves = self.moves(at);
            around.episodes.end(growth.serial, at, moves);
        }
    }

    fn reshape(&mut self, at: Nanos, seen: &Shape, polled: Nanos) {
        if self.is_older_than_seen(at) {
            return;
        }
        if let Some(progress) = seen.evacuation {
            let under_way = self.evacuation.take().filter(Evacuation::in_progress);
            let mut evacuation = under_way.unwrap_or_else(|| Evacuation::found(at, progress));
            evacuation.read((at, polled), progress);
            self.evacuation = Some(evacuation);
        }
        if let Some(counted) = seen.counted {
            self.counters.read(counted, self.birth != Birth::Before);
        }
        self.read_at_end = seen.dropped;
        self.table = seen.table;
        self.most_live = self.most_live.max(seen.live);
        self.seen = Some(Seen::new(at, seen));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_takes_no_more_than_the_limit_of_lives_counts_with() {
        let size = size_of::<Life>();
        assert!(size <= 976, "a life takes {size} bytes");
    }
}
