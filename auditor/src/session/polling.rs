//! Reads the maps of a living target between the events that tell of them.

use super::live::{Live, now};
use super::sampler::{View, living};
use crate::audit::fact::{Fact, Occasion, What};
use crate::audit::unit::{Address, Nanos};

/// The last poll is made again so often for maps that something happens to meanwhile.
const TRIES: usize = 4;

impl Live {
    /// Reads the maps that live.
    pub(super) fn poll(&mut self) {
        if self.process.has_exited() {
            return;
        }
        self.poll_maps();
        self.recount();
        self.pulse();
        self.ask_for_pages();
    }

    /// The same, of every map there is, as nothing will tell of them later.
    pub(super) fn poll_for_the_last_time(&mut self) {
        self.read_ring();
        self.recount_for_the_last_time();
        let mut began = now();
        self.poll();
        for _ in 0..TRIES {
            self.read_ring();
            let overtaken = self.readings.overtaken(self.order.waiting());
            let last = overtaken.into_iter().filter(|(at, _)| *at >= began).map(|(_, map)| map);
            let again: Vec<Address> = last.filter(|map| self.sampler.misread(*map)).collect();
            if again.is_empty() || self.process.has_exited() {
                return;
            }
            began = now();
            self.look(&again);
        }
    }

    /// Looks at maps that have just been heard of, while they live.
    pub(super) fn greet_the_newborn(&mut self) {
        let newborn = std::mem::take(&mut self.newborn);
        if !newborn.is_empty() && !self.process.has_exited() {
            self.look(&newborn);
        }
    }

    fn poll_maps(&mut self) {
        let maps = living(self.audit.live_maps(), self.order.waiting());
        let began = now();
        let view = View { instance: self.translator.instance(), memory: &self.memory };
        let facts = self.sampler.poll(view, maps, || began);
        self.were_read(began, facts);
    }

    fn look(&mut self, maps: &[Address]) {
        let began = now();
        let view = View { instance: self.translator.instance(), memory: &self.memory };
        let facts = self.sampler.look(view, maps, Occasion::Poll, || began);
        self.were_read(began, facts);
    }

    fn were_read(&mut self, began: Nanos, facts: Vec<Fact>) {
        self.readings.made(began, now());
        for fact in facts {
            if let What::Gone { map } = fact.what {
                self.kernel.unwatch(self.process.pid(), map.0);
            }
            self.order.push(fact);
        }
    }
}
