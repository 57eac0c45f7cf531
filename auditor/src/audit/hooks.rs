//! The hooks: where they sit, what they fed, how often they were hit and what that cost.
//!
//! By convention a hook's name ends in the event that it tells of: `..._allocate`, `..._grow` or `..._split`,
//! `..._evacuate`, `..._free`, `..._clear`, of what is seen of tables before and after a call
//! `..._resize` or `..._rehash`, of a managed heap `..._world_stop`, `..._heap_extend` and
//! `..._large_object`, and `sys_exit` for memory syscalls. A hook with another name feeds no total.

use std::collections::BTreeMap;

use super::doubt::Doubt;
use super::fact::{self, HookState};
use super::report::Probe;
use super::told::{Frees, Kinds, Told};
use super::unit::Nanos;

/// How many are kept; the kernel side has room for 256, tracepoints come on top.
const MOST: usize = 1024;

/// What a hook can feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Tables asked for.
    Allocate,
    /// Growths started.
    Grow,
    /// Old buckets moved.
    Evacuate,
    /// Tables let go.
    Free,
    /// Tables before and after a call: those asked for, those let go, and growths.
    Resize,
    /// The same of maps that let the old table go later: those asked for, and growths.
    Rehash,
    /// Memory syscalls ended.
    Syscall,
    /// Maps emptied at once.
    Clear,
    /// Stops of the world.
    WorldStop,
    /// More memory for a managed heap.
    HeapExtend,
    /// Large objects of a managed heap.
    LargeObject,
}

impl Event {
    /// Whether nothing is wrong in a report in which no hook tells of it: it says that it is not known, or
    /// has it from elsewhere.
    const fn can_be_missed(self) -> bool {
        match self {
            Self::Evacuate | Self::Clear | Self::WorldStop | Self::HeapExtend | Self::LargeObject => true,
            Self::Allocate | Self::Grow | Self::Free | Self::Syscall | Self::Resize | Self::Rehash => false,
        }
    }

    /// Whether a hook that feeds this one tells of `event`, too.
    const fn tells_of(self, event: Self) -> bool {
        match (self, event) {
            (Self::Resize, Self::Allocate | Self::Grow | Self::Free) => true,
            (Self::Rehash, Self::Allocate | Self::Grow) => true,
            (own, event) => own as u8 == event as u8,
        }
    }
}

/// The end of the name of a hook that tells of growths by splitting, and of no others.
const SPLIT: &str = "split";

const ENDINGS: &[(&str, Event)] = &[
    ("allocate", Event::Allocate),
    ("grow", Event::Grow),
    (SPLIT, Event::Grow),
    ("evacuate", Event::Evacuate),
    ("free", Event::Free),
    ("resize", Event::Resize),
    ("rehash", Event::Rehash),
    ("sys_exit", Event::Syscall),
    ("clear", Event::Clear),
    ("world_stop", Event::WorldStop),
    ("heap_extend", Event::HeapExtend),
    ("large_object", Event::LargeObject),
];

/// Hooks so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Hooks {
    rows: BTreeMap<u32, Row>,
}

/// One hook.
#[derive(Clone, Debug)]
struct Row {
    hook: fact::Hook,
    feeds: Option<Event>,
    hits: u64,
    /// Whether it was in place at any time.
    was_attached: bool,
    /// Time of its last change.
    since: Nanos,
}

impl Hooks {
    /// A hook was placed, refused or taken away.
    pub(super) fn changed(&mut self, at: Nanos, hook: &fact::Hook) {
        if self.rows.len() >= MOST && !self.rows.contains_key(&hook.id) {
            return;
        }
        let before = self.rows.get(&hook.id);
        let row = Row {
            hook: hook.clone(),
            feeds: feeds(&hook.name),
            hits: before.map_or(0, |row| row.hits),
            was_attached: hook.state == HookState::Attached || before.is_some_and(|row| row.was_attached),
            since: at,
        };
        self.rows.insert(hook.id, row);
    }

    /// Hits so far of one.
    pub(super) fn hit(&mut self, id: u32, hits: u64) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.hits = row.hits.max(hits);
        }
    }

    /// Whether a hook for this event was in place at any time.
    pub(super) fn told(&self, event: Event) -> bool {
        self.rows.values().any(|row| row.tells_of(event) && row.was_attached)
    }

    /// Whether a hook for this event is in place, and none is missing.
    pub(super) fn tells_all(&self, event: Event) -> bool {
        let mut rows = self.rows.values().filter(|row| row.tells_of(event)).peekable();
        rows.peek().is_some() && rows.all(|row| row.hook.state == HookState::Attached)
    }

    /// What they tell of maps.
    pub(super) fn tell(&self) -> Told {
        let mut grows = self.rows.values().filter(|row| row.tells_of(Event::Grow) && row.was_attached);
        let births = |row: &Row| row.feeds == Some(Event::Allocate) && row.was_attached;
        let kinds = Kinds {
            allocated: self.told(Event::Allocate),
            freed: self.told(Event::Free),
            cleared: self.told(Event::Clear),
            grown: grows.any(|row| !row.hook.name.ends_with(SPLIT)),
            split: self.told(Event::Grow),
            births: self.rows.values().any(births),
        };
        Told { kinds, frees: if self.tells_all(Event::Free) { Frees::Seen } else { Frees::Unseen } }
    }

    /// Whether any event of a map was ever told.
    pub(super) fn told_of_maps(&self) -> bool {
        [Event::Allocate, Event::Grow, Event::Evacuate, Event::Free].into_iter().any(|event| self.told(event))
    }

    /// Which totals are lower bounds because a hook is not in place, and since when; and what one that is in
    /// place leaves out, which is no part of its total. What no hook tells of moves, clears and the managed
    /// heap is taken from counters, or is not given at all: that hurts no total, unless it was told at
    /// first.
    pub(super) fn doubts(&self, start: Nanos) -> impl Iterator<Item = Doubt> {
        self.rows.values().filter_map(move |row| {
            let event = row.feeds?;
            let name = &row.hook.name;
            let given = row.hook.reason.as_deref();
            let reason = given.unwrap_or("no reason given");
            match row.hook.state {
                HookState::Attached => self.left_out(row),
                HookState::Refused if event.can_be_missed() => None,
                HookState::Refused => Some(Doubt::lowering(format!("{name} was not placed: {reason}"))),
                HookState::Disabled => {
                    let after = seconds(row.since.since(start));
                    Some(Doubt::lowering(format!("{name} was taken away after {after}: {reason}")))
                }
            }
        })
    }

    /// What a hook in place leaves out: of those that leave out the same, as the copies of one function do, the first
    /// says it.
    fn left_out(&self, row: &Row) -> Option<Doubt> {
        let (name, out) = (&row.hook.name, row.hook.reason.as_deref()?);
        let is_alike = |other: &&Row| {
            let hook = &other.hook;
            other.feeds.is_some() && hook.state == HookState::Attached && hook.reason.as_deref() == Some(out)
        };
        let mut alike = self.rows.values().filter(is_alike);
        let is_first = alike.next().is_some_and(|first| std::ptr::eq(first, row));
        is_first.then(|| match alike.count() {
            0 => Doubt::remark(format!("{name}: {out}")),
            1 => Doubt::remark(format!("{name} and one hook more: {out}")),
            more => Doubt::remark(format!("{name} and {more} hooks more: {out}")),
        })
    }

    /// For the report, by number.
    pub(super) fn report(&self) -> Vec<Probe> {
        self.rows.values().map(Row::probe).collect()
    }

    /// Hits of all.
    pub(super) fn hits(&self) -> u64 {
        self.rows.values().fold(0, |sum: u64, row| sum.saturating_add(row.hits))
    }

    /// What the hits took from the target.
    pub(super) fn target_time(&self) -> Nanos {
        let cost = |row: &Row| Nanos(row.hits.saturating_mul(row.hook.cost_per_hit.0));
        self.rows.values().fold(Nanos(0), |sum, row| sum.plus(cost(row)))
    }
}

impl Row {
    fn tells_of(&self, event: Event) -> bool {
        self.feeds.is_some_and(|feeds| feeds.tells_of(event))
    }

    fn probe(&self) -> Probe {
        Probe {
            hook: self.hook.name.clone(),
            place: self.hook.place.clone(),
            state: self.hook.state,
            reason: self.hook.reason.clone(),
            hits: self.hits,
        }
    }
}

fn feeds(name: &str) -> Option<Event> {
    ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, event)| *event)
}

/// `3.250 s`.
fn seconds(span: Nanos) -> String {
    let milliseconds = span.0 / 1_000_000;
    format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(id: u32, name: &str, state: HookState) -> fact::Hook {
        fact::Hook {
            id,
            name: name.to_owned(),
            place: "demo:symbol+0".to_owned(),
            state,
            reason: (state != HookState::Attached).then(|| "too costly".to_owned()),
            cost_per_hit: Nanos(100),
        }
    }

    fn words(hooks: &Hooks) -> Vec<String> {
        hooks.doubts(Nanos(0)).map(|doubt| doubt.words).collect()
    }

    #[test]
    fn a_name_tells_what_the_hook_feeds() {
        assert_eq!(feeds("demo_map_allocate"), Some(Event::Allocate));
        assert_eq!(feeds("sys_exit"), Some(Event::Syscall));
        assert_eq!(feeds("mark_victim"), None);
    }

    #[test]
    fn a_hook_of_splits_tells_of_no_other_growth() {
        let mut hooks = Hooks::default();
        hooks.changed(Nanos(0), &hook(1, "go_map_split", HookState::Attached));
        assert_eq!(hooks.tell().kinds, Kinds { split: true, ..Kinds::default() });
        hooks.changed(Nanos(0), &hook(2, "demo_map_grow", HookState::Attached));
        assert_eq!(hooks.tell().kinds, Kinds { split: true, grown: true, ..Kinds::default() });
    }

    #[test]
    fn a_hook_that_was_taken_away_still_told_and_says_since_when() {
        let mut hooks = Hooks::default();
        hooks.changed(Nanos(0), &hook(1, "demo_map_evacuate", HookState::Attached));
        assert!(hooks.tells_all(Event::Evacuate));
        hooks.hit(1, 40);
        hooks.changed(Nanos(3_250_000_000), &hook(1, "demo_map_evacuate", HookState::Disabled));
        assert!(hooks.told(Event::Evacuate) && !hooks.tells_all(Event::Evacuate));
        assert_eq!(words(&hooks), ["demo_map_evacuate was taken away after 3.250 s: too costly"]);
        assert_eq!((hooks.hits(), hooks.target_time()), (40, Nanos(4000)));
    }

    #[test]
    fn what_a_hook_in_place_leaves_out_is_said_and_hurts_no_total() {
        let mut hooks = Hooks::default();
        let left_out = || Some("growths of small maps are not told".to_owned());
        let filtered = |id, name| fact::Hook { reason: left_out(), ..hook(id, name, HookState::Attached) };
        hooks.changed(Nanos(0), &filtered(1, "go_map_grow"));
        hooks.changed(Nanos(0), &filtered(2, "go_gc_end"));
        let doubts: Vec<Doubt> = hooks.doubts(Nanos(0)).collect();
        assert_eq!(doubts, [Doubt::remark("go_map_grow: growths of small maps are not told".to_owned())]);
        hooks.changed(Nanos(0), &filtered(3, "b_grow"));
        hooks.changed(Nanos(0), &hook(4, "c_grow", HookState::Attached));
        assert_eq!(words(&hooks), ["go_map_grow and one hook more: growths of small maps are not told"]);
        hooks.changed(Nanos(0), &filtered(5, "d_grow"));
        assert_eq!(words(&hooks), ["go_map_grow and 2 hooks more: growths of small maps are not told"]);
    }

    #[test]
    fn a_refusal_is_a_doubt_unless_it_feeds_no_total_or_something_else_does() {
        let mut hooks = Hooks::default();
        hooks.changed(Nanos(0), &hook(1, "demo_map_evacuate", HookState::Refused));
        hooks.changed(Nanos(0), &hook(2, "mark_victim", HookState::Refused));
        hooks.changed(Nanos(0), &hook(4, "go_map_clear", HookState::Refused));
        assert_eq!(words(&hooks), Vec::<String>::new());
        hooks.changed(Nanos(0), &hook(3, "demo_map_free", HookState::Refused));
        assert_eq!(words(&hooks), ["demo_map_free was not placed: too costly"]);
        assert!(!hooks.told(Event::Free));
    }
}
