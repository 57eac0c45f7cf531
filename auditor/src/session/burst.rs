//! A short look at each write to one map: hooks that are put in when the rest is under way, and taken out
//! when the time or the budget is over.

use std::collections::BTreeMap;
use std::time::Duration;

use super::live::{Live, now};
use super::setup;
use super::writers::Writers;
use crate::audit::fact::{HookState, What};
use crate::audit::unit::{Address, Nanos};
use crate::probes::place::Links;
use crate::probes::plan::Plan;
use auditor_ebpf::HookRecord;

/// Whose writes, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which map's.
    pub map: Address,
    /// For how long.
    pub time: Duration,
}

/// Such a look, under way or over.
#[derive(Debug)]
pub(super) struct Burst {
    writers: Writers,
    /// Where each hook sits.
    sites: BTreeMap<u32, Address>,
    until: Nanos,
    /// Why it has to end before.
    cut_short: Option<String>,
    is_over: bool,
}

impl Burst {
    /// Takes a hit of one of its hooks, and says whether it was one. What still comes when all is over is
    /// one, too.
    pub(super) fn takes(&mut self, record: &HookRecord) -> bool {
        let is_its = self.sites.contains_key(&record.spec);
        if is_its && !self.is_over && record.header.at <= self.until.0 {
            self.writers.wrote(record);
        }
        is_its
    }

    /// One of its hooks was over the budget: what the others would still tell is no whole.
    pub(super) fn lost(&mut self, hook: u32, reason: &str, now: Nanos) {
        if self.sites.contains_key(&hook) && self.cut_short.is_none() {
            self.cut_short = Some(reason.to_owned());
            self.until = self.until.min(now);
        }
    }
}

/// What it costs, in words, before it does.
#[must_use]
pub fn price(asked: Asked, plan: &Plan) -> String {
    let dearest = plan.placements.iter().map(|placement| placement.cost.0).max().unwrap_or(0);
    format!(
        "writers of {}: {} probes for {} ms; meanwhile each write to any map takes about {dearest} ns longer, and the budget ends it (--budget)",
        asked.map,
        plan.placements.len(),
        asked.time.as_millis()
    )
}

impl Live {
    /// Puts the hooks in; they see at once.
    pub(super) fn begin_burst(&mut self, asked: Asked, plan: &Plan) {
        log::info!("{}", price(asked, plan));
        let pid = self.first.pid();
        let mut sites = BTreeMap::new();
        for placement in &plan.placements {
            let hook = setup::place(&mut self.kernel, placement, &self.first.memory, pid);
            if hook.state == HookState::Attached {
                self.governor.govern(placement.id, placement.cost);
                sites.insert(placement.id, placement.address);
            }
            self.tell(What::Hook(hook.clone()));
            self.hooks.insert(placement.id, hook);
        }
        for refusal in &plan.refusals {
            self.tell(What::Hook(refusal.as_hook()));
            self.hooks.insert(refusal.id, refusal.as_hook());
        }
        let from = now();
        let until = from.plus(Nanos(u64::try_from(asked.time.as_nanos()).unwrap_or(u64::MAX)));
        let writers = Writers::of(asked.map, from);
        self.burst = Some(Burst { writers, sites, until, cut_short: None, is_over: false });
    }

    /// Ends the look where its time is over, and tells what it saw. What is returned is to be dropped off
    /// the loop: that waits for the kernel.
    pub fn end_burst(&mut self) -> Vec<Links> {
        let now = now();
        let is_due = |burst: &Burst| !burst.is_over && (burst.until <= now || burst.cut_short.is_some());
        if self.burst.as_ref().is_some_and(is_due) { self.finish_burst(now) } else { Vec::new() }
    }

    /// Ends it whether its time is over or not.
    pub(super) fn break_burst_off(&mut self) -> Vec<Links> {
        let now = now();
        match &mut self.burst {
            Some(burst) if !burst.is_over => {
                burst.lost_to_the_end(now);
                self.finish_burst(now)
            }
            _ => Vec::new(),
        }
    }

    fn finish_burst(&mut self, now: Nanos) -> Vec<Links> {
        // What was seen in its time may still be in the ring.
        self.read_ring();
        let Some(burst) = &mut self.burst else { return Vec::new() };
        burst.is_over = true;
        let (to, cut_short) = (burst.until.min(now), burst.cut_short.clone());
        let (stacks, sites) = (&mut self.first.stacks, &burst.sites);
        let told =
            burst.writers.told(to, cut_short, |spec, caller| stacks.number_of(*sites.get(&spec)?, caller));
        let ids: Vec<u32> = sites.keys().copied().collect();
        self.tell(What::Written(Box::new(told)));
        ids.into_iter()
            .filter_map(|id| self.take_out(id, "the time for which writers were looked at is over"))
            .collect()
    }

    /// Takes a hook out, unless it is out already.
    fn take_out(&mut self, id: u32, reason: &str) -> Option<Links> {
        let links = self.kernel.remove(id)?;
        self.governor.forget(id);
        if let Some(hook) = self.hooks.get_mut(&id) {
            hook.state = HookState::Disabled;
            hook.reason = Some(reason.to_owned());
            let hook = hook.clone();
            self.tell(What::Hook(hook));
        }
        Some(links)
    }
}

impl Burst {
    /// The audit ends before it does.
    fn lost_to_the_end(&mut self, now: Nanos) {
        if now < self.until {
            self.cut_short.get_or_insert_with(|| "the audit ended".to_owned());
            self.until = now;
        }
    }
}
