//! What is cumulative, or read from /proc, becomes facts where it is news.

use std::collections::BTreeMap;

use super::kinds::Kinds;
use super::live::Live;
use super::member::Member;
use crate::audit::fact::{self, What};
use crate::audit::unit::{Bytes, Nanos};
use crate::probes::kernel::Counted;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) lost: BTreeMap<&'static str, u64>,
    pub(super) memory: Option<fact::Memory>,
    pub(super) pressure: Option<fact::Pressure>,
    pub(super) kinds: Kinds,
}

impl Live {
    /// Everything else that is cumulative or read from /proc.
    pub(super) fn take_stock(&mut self) {
        let first = self.first.pid();
        for counted in self.kernel.counted() {
            match &mut self.kindred {
                Some(kindred) if counted.pid != first => kindred.count(&counted),
                _ => self.first.count(&counted),
            }
        }
        self.part_with_kindred();
        self.first.tell_pressure();
        self.tell_hits();
        for (name, count) in auditor_ebpf::counter::NAMES.into_iter().zip(self.kernel.losses()) {
            self.first.lost.insert(name, count);
        }
        self.first.tell_losses();
        let Some(own) = self.own.as_ref().and_then(|own| own.read().ok()) else { return };
        let bpf_memory = self.kernel.memory();
        self.tell(What::Cost(fact::Cost { agent_cpu: own.cpu, agent_rss: own.rss, bpf_memory }));
    }

    fn tell_hits(&mut self) {
        let placed: Vec<u32> = self.hooks.keys().copied().collect();
        for hook in placed {
            let hits = self.kernel.hits(hook);
            if hits > 0 && self.hits.insert(hook, hits) != Some(hits) {
                self.tell(What::Hits { hook, hits });
            }
        }
    }
}

impl Member {
    /// Hits that were counted in the kernel.
    pub(super) fn count(&mut self, counted: &Counted) {
        let at = Nanos(counted.last);
        match self.translator.counted(counted.hook, counted.key, counted.count, at) {
            Ok(fact) => fact.into_iter().for_each(|fact| self.order.push(fact)),
            Err(lost) => *self.lost.entry(lost.0).or_default() += counted.count,
        }
    }

    /// RSS and what it is made of, right after the maps were read: what takes long must not come in between, or the
    /// one does not explain the other.
    pub(super) fn tell_memory(&mut self) {
        let Some(memory) = self.usage.as_mut().and_then(|usage| usage.read().ok()) else { return };
        if self.told.memory.as_ref() != Some(&memory) {
            self.told.memory = Some(memory.clone());
            self.tell(What::Memory(memory));
        }
        if let Some(arenas) = &mut self.arenas {
            let news = arenas.ask(&self.memory, is_swapped(self.told.memory.as_ref()));
            news.into_iter().for_each(|news| self.tell(news));
        }
    }

    /// What its `malloc` has, for the last time.
    pub(super) fn tell_arenas(&mut self) {
        if let Some(arenas) = &mut self.arenas {
            let news = arenas.ask_at_last(&self.memory, is_swapped(self.told.memory.as_ref()));
            news.into_iter().for_each(|news| self.tell(news));
        }
    }

    fn tell_pressure(&mut self) {
        let pressure = self.scarcity.read();
        if self.told.pressure.replace(pressure) != Some(pressure) {
            self.tell(What::Pressure(pressure.into()));
        }
    }

    /// What was not seen of it.
    pub(super) fn tell_losses(&mut self) {
        self.lost.insert("headers_unreadable", self.sampler.failed());
        for (source, count) in self.lost.clone() {
            if count > 0 && self.told.lost.insert(source, count) != Some(count) {
                self.tell(What::Lost(fact::Lost { source: source.to_owned(), count }));
            }
        }
    }
}

/// Whether pages of it may not be in RAM. Unknown is taken for yes.
pub(super) fn is_swapped(memory: Option<&fact::Memory>) -> bool {
    memory.is_none_or(|memory| memory.swap > Bytes(0))
}
