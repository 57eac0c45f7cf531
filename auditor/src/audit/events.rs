//! How many of each event were seen, over all maps. An event that no hook tells is not 0 but
//! unknown, unless the maps count it themselves.

use super::counters::Sum;
use super::hooks::{Event, Hooks};
use super::report;

/// Facts of each kind so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Events {
    allocate: u64,
    grow: u64,
    evacuate: u64,
    free: u64,
    clear: u64,
}

impl Events {
    /// So many of one kind happened.
    pub(super) fn happened(&mut self, event: Event, times: u64) {
        let count = match event {
            Event::Allocate => &mut self.allocate,
            Event::Grow => &mut self.grow,
            Event::Evacuate => &mut self.evacuate,
            Event::Free => &mut self.free,
            Event::Clear => &mut self.clear,
            Event::Syscall
            | Event::WorldStop
            | Event::HeapExtend
            | Event::LargeObject
            | Event::Resize
            | Event::Rehash => return,
        };
        *count = count.saturating_add(times);
    }

    /// Growths that started; `None`: no hook tells.
    pub(super) fn growths(&self, hooks: &Hooks) -> Option<u64> {
        hooks.told(Event::Grow).then_some(self.grow)
    }

    /// As the report has it. Moves come from the hook where there is one, else from the maps.
    pub(super) fn report(&self, hooks: &Hooks, counted: Sum) -> report::Events {
        let told = |event, count| hooks.told(event).then_some(count);
        let total = counted.total;
        report::Events {
            allocate: told(Event::Allocate, self.allocate),
            grow: self.growths(hooks),
            evacuate: told(Event::Evacuate, self.evacuate).or(total.map(|total| total.evacuate)),
            free: told(Event::Free, self.free),
            insert: total.map(|total| total.insert),
            delete: total.map(|total| total.delete),
            clear: told(Event::Clear, self.clear),
        }
    }
}
