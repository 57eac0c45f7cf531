//! What the audit keeps to judge by, and how it does: samples at each tick, thresholds, verdicts, findings.

use super::changes::Moment;
use super::findings::scene::{Past, Scene};
use super::report::Report;
use super::trend::{Slow, Whole};
use super::unit::Nanos;
use super::{Audit, fact, findings, timeline, verdict};

impl Audit {
    /// An interval ended: a sample of everything that is followed over time.
    pub(super) fn tick(&mut self, at: Nanos) {
        self.lives.tick(at, &mut self.episodes);
        let (cycles, paused) = self.collector.counted();
        let maps = self.lives.held(self.crowds.as_ref()).allocated;
        let counted = self.counted.filter(|_| !self.told.births());
        let (rss, limit) = (self.memory.now(), self.memory.limit());
        let changed = self.lives.tally().take_sampled();
        let whole = Whole { at, rss, limit, maps, counted, cycles, paused };
        self.trends.tick(whole, &changed, |map| self.lives.sample(map));
    }

    /// RSS was read, right after the maps were: keeps what it is made of.
    pub(super) fn changed(&mut self, at: Nanos) {
        let Some(rss) = self.memory.rss().last else { return };
        let rungs = self.ladder().rungs;
        let cycles = self.collector.counted().0;
        let maps = self.lives.tally().take_in_tables();
        self.changes.read(Moment::new(at, rss, cycles, &rungs), maps);
        let growths = self.events.growths(&self.hooks);
        let moment =
            timeline::Moment { at, rss, limit: self.memory.limit(), growths, cycles, ..Default::default() };
        self.timeline.read(moment.made_of(&rungs));
    }

    pub(super) fn rules(&mut self, text: &str) {
        if let Err(error) = self.thresholds.lay_over(text) {
            self.coverage.note(&format!("thresholds of the recording were not taken: {error}"));
        }
    }

    /// Says what will become of the memory, and what is wrong.
    pub(super) fn judged(&self, mut report: Report, pasts: &[Past]) -> Report {
        let scene = Scene::new(&report, pasts, &self.trends, &self.thresholds);
        let maps: Vec<_> = scene.all().map(|seen| verdict::of_map(&scene, seen)).collect();
        let memory = verdict::of_memory(&scene, &maps);
        let (findings, undecided) = findings::judge(&scene);
        for (map, told) in report.maps.iter_mut().zip(maps) {
            (map.verdict, map.outlook) = told.unzip();
        }
        (report.memory.verdict, report.memory.outlook) = memory.unzip();
        Report { findings, undecided, ..report }
    }

    /// A thread waited for a table.
    pub(super) fn waited(&mut self, at: Nanos, allocate: &fact::Allocate) {
        if let Some(took) = allocate.took {
            self.trends.returned(Slow { took, at, map: allocate.map, bytes: allocate.bytes });
        }
    }
}
