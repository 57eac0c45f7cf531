//! The report, drawn from what is known.

use std::cmp::Reverse;

use super::findings::scene::Past;
use super::hooks::Event;
use super::life::Life;
use super::populations::{self, Populations};
use super::report::{self, Report};
use super::row::{self, Context};
use super::unit::Nanos;
use super::{Audit, headroom, rank, writers};

/// How much of it. What takes long to draw of many maps is left out where nobody looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All that is known.
    Whole,
    /// All but what grows with the audit, and was told at the intervals before: no timeline.
    Interval,
    /// Maps, populations, memory, events and coverage alone: no growths one by one, changes, forecasts, verdicts and
    /// findings, and no timeline. Only the few that hold most are called by their names; of the others there are
    /// figures.
    Outline,
}

/// Maps of an outline that have names.
pub(super) const CALLED: usize = 16;

impl Audit {
    /// What is known now. Drawing it changes nothing.
    #[must_use]
    pub fn report(&self) -> Report {
        self.drawn(Extent::Whole)
    }

    /// So much of what is known now.
    #[must_use]
    pub fn drawn(&self, extent: Extent) -> Report {
        let now = self.head.latest();
        let (listed, populations) = self.listing();
        let context = self.context(now);
        let maps = match extent {
            Extent::Whole | Extent::Interval => listed.iter().map(|life| row::row(life, context)).collect(),
            Extent::Outline => outlined(&listed, context),
        };
        let ladder = self.ladder();
        let counted = self.lives.counted();
        let evidence = self.evidence(self.episodes.omitted(), counted.total.is_some(), &ladder);
        let outline = Report {
            schema: report::SCHEMA.to_owned(),
            auditor: self.head.auditor(),
            host: self.head.host(),
            target: self.head.target(&self.recognised),
            members: Vec::new(),
            window: self.head.window(),
            memory: self.memory.report(ladder.rungs, &self.headroom),
            syscalls: self.hooks.told(Event::Syscall).then(|| self.syscalls.report()),
            events: self.events.report(&self.hooks, counted),
            sizes: self.kinds.of(&maps),
            maps,
            populations,
            episodes: Vec::new(),
            lags: Vec::new(),
            timeline: None,
            forecast: report::Forecast::default(),
            gc: self.collector.report(&self.hooks, &self.stacks),
            writers: None,
            findings: Vec::new(),
            undecided: Vec::new(),
            coverage: self.coverage.report(evidence),
            cost: self.cost(),
        };
        if extent == Extent::Outline {
            return outline;
        }
        let episodes = self.episodes.report(now, |map| self.lives.moves(map, now));
        let growths = headroom::upcoming(&outline.maps, self.headroom.left(self.memory.limit_and_rss()));
        let report = Report {
            memory: report::Memory { changes: self.changes.report(&episodes), ..outline.memory },
            episodes,
            lags: self.episodes.lags(),
            timeline: (extent == Extent::Whole).then(|| self.timeline.report()).flatten(),
            forecast: self.lives.scores().report(growths),
            writers: self.written.as_ref().map(|written| writers::report(written, &self.stacks)),
            ..outline
        };
        let pasts: Vec<Past> = listed.into_iter().map(Past::of).collect();
        self.judged(report, &pasts)
    }

    /// The maps that are listed one by one, in their order, and the others.
    fn listing(&self) -> (Vec<&Life>, Vec<report::Population>) {
        let (mut listed, folded) = self.lives.listing(self.crowds.is_some());
        listed.sort_by_cached_key(|life| rank::rank(life));
        let none = Populations::default();
        let crowds = self.crowds.as_ref().unwrap_or(&none);
        (listed, populations::report([&folded, crowds], &self.recognised, self.told.kinds))
    }

    fn context(&self, now: Nanos) -> Context<'_> {
        Context { now, recognised: &self.recognised, stacks: &self.stacks, told: self.told.kinds }
    }

    fn cost(&self) -> report::Cost {
        let cost = self.cost.as_ref();
        report::Cost {
            probe_hits: self.hooks.hits(),
            target_time_estimate: self.hooks.target_time(),
            agent_cpu: cost.map(|cost| cost.agent_cpu),
            agent_rss: cost.map(|cost| cost.agent_rss),
            bpf_memory: cost.map(|cost| cost.bpf_memory),
        }
    }
}

/// Rows of figures, and of the maps that hold most, whole ones.
fn outlined(listed: &[&Life], context: Context<'_>) -> Vec<report::Map> {
    let mut maps: Vec<_> = listed.iter().map(|life| row::figures(life, context)).collect();
    let is_held = |map: &report::Map| map.died.is_none() && map.reachable != Some(false);
    let held = maps.iter().enumerate().filter(|(_, map)| is_held(map));
    let size = |map: &report::Map| map.bytes.resident.or(map.bytes.allocated);
    let mut largest: Vec<_> = held.map(|(place, map)| (Reverse(size(map)), place)).collect();
    if largest.len() > CALLED {
        largest.select_nth_unstable(CALLED);
        largest.truncate(CALLED);
    }
    largest.into_iter().for_each(|(_, place)| maps[place] = row::row(listed[place], context));
    maps
}
