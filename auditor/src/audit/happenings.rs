//! What hooks tell of the managed heap: how often the world stood still, how far the heap was extended,
//! which large objects were asked for. What no hook tells is not 0 but unknown.

use super::fact::{Managed, ManagedEvent, StackId};
use super::hooks::{Event, Hooks};
use super::report::{HeapExtended, LargeObjects};
use super::stacks::Stacks;
use super::unit::Bytes;

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Happenings {
    world_stops: u64,
    extended: Sum,
    large: Sum,
    largest: Option<(Bytes, Option<StackId>)>,
}

/// How often, and how much in all.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    times: u64,
    bytes: Bytes,
}

impl Sum {
    fn add(&mut self, bytes: Option<Bytes>) {
        self.times = self.times.saturating_add(1);
        self.bytes += bytes.unwrap_or_default();
    }
}

impl Happenings {
    /// A hook saw something begin. Of a cycle the runtime's own counts tell more.
    pub(super) fn happened(&mut self, fact: &Managed) {
        match fact.event {
            ManagedEvent::WorldStops => self.world_stops = self.world_stops.saturating_add(1),
            ManagedEvent::HeapExtends => self.extended.add(fact.bytes),
            ManagedEvent::LargeObject => self.object(fact),
            ManagedEvent::CycleBegins | ManagedEvent::CycleEnds | ManagedEvent::WorldGoesOn => {}
        }
    }

    /// The first of the largest stands.
    fn object(&mut self, fact: &Managed) {
        self.large.add(fact.bytes);
        if let Some(bytes) = fact.bytes
            && self.largest.is_none_or(|(largest, _)| bytes > largest)
        {
            self.largest = Some((bytes, fact.stack));
        }
    }

    /// Stops of the world; `None`: no hook told.
    pub(super) fn world_stops(&self, hooks: &Hooks) -> Option<u64> {
        hooks.told(Event::WorldStop).then_some(self.world_stops)
    }

    /// What the heap was extended by; `None`: no hook told.
    pub(super) fn extended(&self, hooks: &Hooks) -> Option<HeapExtended> {
        let Sum { times, bytes } = self.extended;
        hooks.told(Event::HeapExtend).then_some(HeapExtended { times, bytes })
    }

    /// Large objects; `None`: no hook told.
    pub(super) fn large_objects(&self, hooks: &Hooks, stacks: &Stacks) -> Option<LargeObjects> {
        let Sum { times, bytes } = self.large;
        let stack = self.largest.and_then(|(_, stack)| stack);
        hooks.told(Event::LargeObject).then(|| LargeObjects {
            times,
            bytes,
            largest: self.largest.map(|(bytes, _)| bytes),
            site: stack.map_or_else(Vec::new, |stack| stacks.frames(stack)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fact::{Hook, HookState, Stack};
    use super::super::unit::Nanos;
    use super::*;

    fn hooks(names: &[&str]) -> Hooks {
        let mut hooks = Hooks::default();
        for (id, name) in (0..).zip(names) {
            let hook = Hook {
                id,
                name: (*name).to_owned(),
                place: String::new(),
                state: HookState::Attached,
                reason: None,
                cost_per_hit: Nanos(1),
            };
            hooks.changed(Nanos(0), &hook);
        }
        hooks
    }

    fn managed(event: ManagedEvent, bytes: Option<u64>, stack: u32) -> Managed {
        Managed { event, bytes: bytes.map(Bytes), stack: Some(StackId(stack)) }
    }

    #[test]
    fn what_no_hook_tells_is_unknown_and_what_one_does_is_counted_from_zero() {
        let happenings = Happenings::default();
        assert_eq!(happenings.world_stops(&hooks(&["go_gc_end"])), None);
        assert_eq!(happenings.extended(&hooks(&[])), None);
        assert_eq!(happenings.world_stops(&hooks(&["go_world_stop"])), Some(0));
        let extended = happenings.extended(&hooks(&["go_heap_extend"])).unwrap();
        assert_eq!((extended.times, extended.bytes), (0, Bytes(0)));
    }

    #[test]
    fn the_site_of_large_objects_is_that_of_the_largest() {
        let mut happenings = Happenings::default();
        for (bytes, stack) in [(Some(300), 1), (Some(900), 2), (None, 3), (Some(900), 4)] {
            happenings.happened(&managed(ManagedEvent::LargeObject, bytes, stack));
        }
        let mut stacks = Stacks::default();
        for id in 1..5 {
            stacks.add(&Stack { id: StackId(id), frames: vec![format!("main.f{id}")] });
        }
        let large = happenings.large_objects(&hooks(&["go_large_object"]), &stacks).unwrap();
        assert_eq!((large.times, large.bytes, large.largest), (4, Bytes(2100), Some(Bytes(900))));
        assert_eq!(large.site, ["main.f2"]);
    }

    #[test]
    fn a_world_that_goes_on_is_no_further_stop() {
        let mut happenings = Happenings::default();
        for event in [ManagedEvent::WorldStops, ManagedEvent::WorldGoesOn, ManagedEvent::CycleEnds] {
            happenings.happened(&managed(event, None, 0));
        }
        assert_eq!(happenings.world_stops(&hooks(&["go_world_stop"])), Some(1));
    }
}
