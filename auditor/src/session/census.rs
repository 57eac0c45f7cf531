//! Looks over the whole process: every map there is, told as facts. Where no hook tells of births and
//! deaths, once at the beginning is not enough.

use super::live::now;
use super::member::Member;
use super::sampler::View;
use super::setup::wall_clock;
use crate::audit::fact::{Occasion, What};
use crate::audit::unit::Nanos;
use crate::probes::kernel::Kernel;
use crate::runtimes::census::Census;
use crate::runtimes::{Instance as _, LayoutError, Moment};

/// At least so long from the end of one census to the next.
const PAUSE: Nanos = Nanos(5_000_000_000);
/// The next one waits this many times as long as the last one took: censuses take 1 % of a core.
const SHARE: u64 = 100;

/// How often the last one is tried: the target may be moving its own lists.
const LAST_TRIES: usize = 3;
/// One that takes longer is not made for the sake of the last report.
const QUICK: Nanos = Nanos(1_000_000_000);

/// When the next census is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Schedule {
    due: Nanos,
    last: Nanos,
}

impl Schedule {
    pub(super) fn is_due(self, now: Nanos) -> bool {
        now >= self.due
    }

    /// Whether the last one was quick.
    fn is_quick(self) -> bool {
        self.last <= QUICK
    }

    pub(super) fn took(&mut self, began: Nanos, ended: Nanos) {
        self.last = ended.since(began);
        self.due = ended.plus(Nanos(self.last.0.saturating_mul(SHARE)).max(PAUSE));
    }
}

impl Member {
    /// Looks at every map there is: before the hooks see anything (what was there), and once more
    /// after that (what came in between).
    ///
    /// # Errors
    /// [`LayoutError`] when the target's own list of maps cannot be followed.
    pub(super) fn census(&mut self, kernel: &mut Kernel) -> Result<(), LayoutError> {
        let census = self.count_all()?;
        self.watch(&census, kernel);
        let view = View { instance: self.translator.instance(), memory: &self.memory };
        for fact in self.sampler.count(view, census, Occasion::AtAttach, now) {
            self.order.push(fact);
        }
        Ok(())
    }

    /// Looks at every map there is once more, when it is time to and where nothing else tells which there
    /// are. What fails now is tried again: the target may have moved its own lists meanwhile.
    pub(super) fn recount(&mut self) {
        if !self.translator.instance().births_are_told()
            && self.schedule.is_due(now())
            && let Err(error) = self.recount_now()
        {
            log::debug!("census: {error}");
        }
    }

    /// The same, whether it is time to or not, as nothing will be told later.
    pub(super) fn recount_for_the_last_time(&mut self) {
        let is_wanted = !self.translator.instance().births_are_told() && self.schedule.is_quick();
        let mut failed = None;
        for _ in 0..LAST_TRIES {
            if !is_wanted || self.process.has_exited() {
                return;
            }
            match self.recount_now() {
                Ok(()) => return,
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            let missing = "maps born since the one before may be missing";
            self.tell(What::Note(format!("the last census failed, and {missing}: {error}")));
        }
    }

    fn recount_now(&mut self) -> Result<(), LayoutError> {
        let census = self.count_all()?;
        let view = View { instance: self.translator.instance(), memory: &self.memory };
        for fact in self.sampler.recount(view, census, now) {
            self.order.push(fact);
        }
        Ok(())
    }

    fn count_all(&mut self) -> Result<Census, LayoutError> {
        let began = now();
        let census = self.translator.runtimes_mut().census(self.min_bytes, &self.memory);
        self.schedule.took(began, now());
        census
    }

    /// Has the kernel side look at these maps when the process exits.
    fn watch(&self, census: &Census, kernel: &mut Kernel) {
        let instance = self.translator.instance();
        if instance.header_suffices() {
            let (pid, len) = (self.process.pid(), instance.header_len() as u32);
            census.maps.iter().for_each(|found| kernel.watch(pid, found.map.0, 0, len));
        }
    }

    /// What the runtime has to tell at each interval.
    pub(super) fn pulse(&mut self) {
        let moment = Moment { at: now(), wall: wall_clock() };
        for fact in self.translator.runtimes_mut().pulse(moment, &self.memory) {
            self.order.push(fact);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn censuses_take_a_hundredth_of_the_time_and_never_follow_each_other_closely() {
        let mut schedule = Schedule::default();
        assert!(schedule.is_due(Nanos(0)));
        schedule.took(Nanos(1_000), Nanos(1_000_000));
        assert!(!schedule.is_due(PAUSE) && schedule.is_due(Nanos(1_000_000).plus(PAUSE)));
        schedule.took(Nanos(0), Nanos(400_000_000));
        assert!(!schedule.is_due(Nanos(40_300_000_000)) && schedule.is_due(Nanos(40_400_000_000)));
    }
}
