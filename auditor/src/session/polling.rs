//! Reads the maps of a living target between the events that tell of them.

use super::live::{Live, now};
use super::member::Member;
use super::sampler::{View, living};
use crate::audit::Audit;
use crate::audit::fact::{Fact, Occasion, What};
use crate::audit::family::Family;
use crate::audit::unit::{Address, Nanos};
use crate::probes::kernel::Kernel;

/// The last poll is made again so often for maps that something happens to meanwhile.
const TRIES: usize = 4;

impl Live {
    /// Reads every map there is, as nothing will tell of them later.
    pub(super) fn poll_for_the_last_time(&mut self) {
        self.read_ring();
        self.first.recount_for_the_last_time();
        let mut began = now();
        self.first.poll(&mut self.kernel, &self.audit);
        for _ in 0..TRIES {
            self.read_ring();
            let first = &mut self.first;
            let overtaken = first.readings.overtaken(first.order.waiting());
            let last = overtaken.into_iter().filter(|(at, _)| *at >= began).map(|(_, map)| map);
            let again: Vec<Address> = last.filter(|map| first.sampler.misread(*map)).collect();
            if again.is_empty() || first.process.has_exited() {
                return;
            }
            began = now();
            first.look(&again, &mut self.kernel);
        }
    }
}

impl Member {
    /// Reads the maps that live.
    pub(super) fn poll(&mut self, kernel: &mut Kernel, family: &Family) {
        if self.process.has_exited() {
            return;
        }
        let unknown = Audit::new();
        let audit = family.audit_of(self.pid()).unwrap_or(&unknown);
        self.poll_maps(kernel, audit);
        self.recount();
        self.pulse();
        self.ask_for_pages(audit);
    }

    /// Looks at maps that have just been heard of, while they live.
    pub(super) fn greet_the_newborn(&mut self, kernel: &mut Kernel) {
        let newborn = std::mem::take(&mut self.newborn);
        if !newborn.is_empty() && !self.process.has_exited() {
            self.look(&newborn, kernel);
        }
    }

    fn poll_maps(&mut self, kernel: &mut Kernel, audit: &Audit) {
        let maps = living(audit.live_maps(), self.order.waiting());
        let began = now();
        let view = View { instance: self.translator.instance(), memory: &self.memory };
        let facts = self.sampler.poll(view, maps, || began);
        self.were_read(began, facts, kernel);
    }

    fn look(&mut self, maps: &[Address], kernel: &mut Kernel) {
        let began = now();
        let view = View { instance: self.translator.instance(), memory: &self.memory };
        let facts = self.sampler.look(view, maps, Occasion::Poll, || began);
        self.were_read(began, facts, kernel);
    }

    fn were_read(&mut self, began: Nanos, facts: Vec<Fact>, kernel: &mut Kernel) {
        self.readings.made(began, now());
        for fact in facts {
            if let What::Gone { map } = fact.what {
                kernel.unwatch(self.process.pid(), map.0);
            }
            self.order.push(fact);
        }
    }
}
