//! Looks over the whole process: every map there is, told as facts.

use super::live::{Live, now};
use super::sampler::View;
use super::setup::wall_clock;
use crate::audit::fact::Occasion;
use crate::runtimes::census::{Census, Owners, Scope};
use crate::runtimes::{LayoutError, Moment};

impl Live {
    /// Looks at every map there is: before the hooks see anything (what was there), and once more
    /// after that (what came in between).
    ///
    /// # Errors
    /// [`LayoutError`] when the target's own list of maps cannot be followed.
    pub(super) fn census(&mut self) -> Result<(), LayoutError> {
        let scope = Scope { fold_below: self.min_bytes, owners: Owners::Find };
        let census = self.translator.instance_mut().census(&scope, &self.memory)?;
        self.watch(&census);
        let view = View { instance: self.translator.instance(), memory: &self.memory };
        for fact in self.sampler.count(view, census, Occasion::AtAttach, now) {
            self.order.push(fact);
        }
        Ok(())
    }

    /// Has the kernel side look at these maps when the process exits.
    fn watch(&mut self, census: &Census) {
        let instance = self.translator.instance();
        if instance.header_suffices() {
            let (pid, len) = (self.process.pid(), instance.header_len() as u32);
            census.maps.iter().for_each(|found| self.kernel.watch(pid, found.map.0, 0, len));
        }
    }

    /// What the runtime has to tell at each interval.
    pub(super) fn pulse(&mut self) {
        let moment = Moment { at: now(), wall: wall_clock() };
        for fact in self.translator.instance_mut().pulse(moment, &self.memory) {
            self.order.push(fact);
        }
    }
}
