//! One process of the target: its memory, its runtimes, and what is known of it that is no fact yet.

use std::collections::BTreeMap;

use super::arenas::Arenas;
use super::census::Schedule;
use super::faults::Faults;
use super::latecomers::Watch;
use super::live::{now, whole};
use super::readings::{self, Readings};
use super::residents::Residents;
use super::sampler::Sampler;
use super::stacks::Stacks;
use super::stock::Told;
use super::translate::Translator;
use crate::audit::fact::{Fact, What};
use crate::audit::order::Order;
use crate::audit::unit::{Address, Bytes, Nanos, Pid};
use crate::probes::decode::Event;
use crate::probes::kernel::Kernel;
use crate::target::memory::LiveMemory;
use crate::target::pressure::Scarcity;
use crate::target::process::Process;
use crate::target::usage::Usage;

/// One process of the target.
#[derive(Debug)]
pub struct Member {
    pub(super) process: Process,
    pub(super) memory: LiveMemory,
    pub(super) translator: Translator,
    pub(super) sampler: Sampler,
    pub(super) stacks: Stacks,
    pub(super) usage: Option<Usage>,
    pub(super) scarcity: Scarcity,
    pub(super) order: Order<Fact>,
    pub(super) lost: BTreeMap<&'static str, u64>,
    /// What was told last, so that only news become facts.
    pub(super) told: Told,
    /// Maps whose first table has just been seen, or whose look was overtaken: they are looked at while
    /// they live, for the name.
    pub(super) newborn: Vec<Address>,
    /// Readings whose looks wait to be applied.
    pub(super) readings: Readings,
    /// Maps below it may be folded.
    pub(super) min_bytes: Bytes,
    pub(super) schedule: Schedule,
    /// `None`: there is no page map that could be asked.
    pub(super) residents: Option<Residents>,
    pub(super) faults: Faults,
    /// `None`: its `malloc` is none that can be asked.
    pub(super) arenas: Option<Arenas>,
    /// `None`: files that come later are of no interest.
    pub(super) watch: Option<Watch>,
}

impl Member {
    /// Nothing has been seen of it yet.
    #[must_use]
    pub(super) fn new(
        process: Process,
        memory: LiveMemory,
        translator: Translator,
        arenas: Option<Arenas>,
        min_bytes: Bytes,
    ) -> Self {
        let pid = process.pid();
        // Of one that ends just now nothing can be opened, and it will be told that it ended.
        let complain = |words: String| {
            let level = if process.has_exited() { log::Level::Debug } else { log::Level::Warn };
            log::log!(level, "{}: {words}", pid.0);
        };
        Self {
            stacks: Stacks::new(pid),
            faults: Faults::of(pid).unwrap_or_else(|error| {
                complain(format!("page faults: {error}"));
                Faults::default()
            }),
            residents: Residents::open(pid).map_err(|error| complain(whole(&error))).ok(),
            usage: Usage::open(pid).map_err(|error| complain(error.to_string())).ok(),
            scarcity: Scarcity::of(pid),
            process,
            memory,
            translator,
            sampler: Sampler::default(),
            order: Order::new(),
            lost: BTreeMap::new(),
            told: Told::default(),
            newborn: Vec::new(),
            readings: Readings::default(),
            min_bytes,
            schedule: Schedule::default(),
            arenas,
            watch: None,
        }
    }

    /// Its number.
    pub(super) fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// A fact of this moment.
    pub(super) fn tell(&mut self, what: What) {
        self.tell_of(now(), what);
    }

    /// A fact of that moment.
    pub(super) fn tell_of(&mut self, at: Nanos, what: What) {
        self.order.push(Fact { at, thread: None, what });
    }

    /// Takes what the kernel side tells of it.
    pub(super) fn take(&mut self, event: &Event, kernel: &Kernel) {
        let hooks = self.translator.hooks();
        if !self.watch.as_mut().is_some_and(|watch| watch.keeps(event, hooks)) {
            self.take_now(event, kernel);
        }
    }

    /// The same, and nothing waits.
    pub(super) fn take_now(&mut self, event: &Event, kernel: &Kernel) {
        let stack = match event {
            Event::Hook(record, _) if record.stack >= 0 => {
                self.stacks.number(record.stack, record.caller, |id| kernel.stack(id))
            }
            _ => None,
        };
        let faults = &mut self.faults;
        let (order, sampler, newborn) = (&mut self.order, &mut self.sampler, &mut self.newborn);
        let translated = self.translator.event(event, stack, &self.memory, |fact| {
            newborn.extend(sampler.follow(&fact.what));
            faults.drained(&fact.what);
            order.push(fact);
        });
        if let Err(lost) = translated {
            *self.lost.entry(lost.0).or_default() += 1;
        }
    }

    /// Hits that wait wait no longer: those of files that are still unknown are lost.
    pub(super) fn take_what_waits(&mut self, kernel: &Kernel) {
        let waited = self.watch.as_mut().map(Watch::give_back);
        waited.into_iter().flatten().for_each(|event| self.take_now(&event, kernel));
    }

    /// Names stacks that are new.
    pub(super) fn name_stacks(&mut self) {
        let instance = self.translator.instance();
        for stack in self.stacks.named(|at| instance.frames(at)) {
            self.tell(What::Stack(stack));
        }
    }

    /// Lets go what is dated until then, to `take`, oldest first: without looks that events have overtaken, and with
    /// what is to be told before a look.
    pub(super) fn release(&mut self, until: Nanos, mut take: impl FnMut(Fact)) {
        let overtaken = self.readings.overtaken(self.order.waiting());
        for fact in self.order.release(until) {
            if let Some(map) = readings::is_among(&overtaken, &fact) {
                if self.sampler.misread(map) {
                    self.newborn.push(map);
                }
                continue;
            }
            self.told.kinds.before(&fact, self.translator.instance()).into_iter().for_each(&mut take);
            take(fact);
        }
        self.readings.applied(until);
    }
}
