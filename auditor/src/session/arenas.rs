//! Asks what glibc's `malloc` has free, in a share of the time. What has not changed makes no fact.

use std::ops::Range;
use std::time::Duration;

use super::census::Schedule;
use super::live::now;
use crate::audit::fact::{self, What};
use crate::audit::unit::Address;
use crate::target::arenas;
use crate::target::memory::Memory;

/// For how long free chunks are counted while the target's events wait, and where none does.
const LONGEST: Duration = Duration::from_millis(50);
const AT_LAST: Duration = Duration::from_secs(1);

/// The arenas of one process.
#[derive(Debug)]
pub(super) struct Arenas {
    main: Address,
    schedule: Schedule,
    told: Option<fact::Arenas>,
}

impl Arenas {
    /// Of a process in which `malloc` has written data there; `None`: it is another one.
    pub(super) fn find(memory: &dyn Memory, data: &[Range<Address>]) -> Option<Self> {
        let main = arenas::main_arena(memory, data)?;
        Some(Self { main, schedule: Schedule::default(), told: None })
    }

    /// What is news, when it is time to ask.
    pub(super) fn ask(&mut self, memory: &dyn Memory, is_swapped: bool) -> Option<What> {
        if self.schedule.is_due(now()) { self.ask_for(LONGEST, memory, is_swapped) } else { None }
    }

    /// The same, whether it is time to or not, as nobody will ask again.
    pub(super) fn ask_at_last(&mut self, memory: &dyn Memory, is_swapped: bool) -> Option<What> {
        self.ask_for(AT_LAST, memory, is_swapped)
    }

    /// Lists are not followed where that could bring pages back from swap.
    fn ask_for(&mut self, time: Duration, memory: &dyn Memory, is_swapped: bool) -> Option<What> {
        let began = now();
        let read = arenas::read(memory, self.main, (!is_swapped).then_some(time));
        self.schedule.took(began, now());
        let read = read.map_err(|error| log::debug!("arenas: {error}")).ok()?;
        let is_news = self.told.replace(read) != Some(read);
        is_news.then_some(What::Arenas(read))
    }
}
