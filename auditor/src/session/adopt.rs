//! What a round of the loop does for those that came of the target by fork: finds them, looks at them in their share
//! of the time, polls them, parts with them.

use std::collections::BTreeSet;
use std::mem;
use std::path::Path;

use super::latecomers::Grounds;
use super::live::{Live, now};
use super::member::Member;
use crate::audit::fact::{Ended, Left, Lost, Sight, What};
use crate::audit::family::Family;
use crate::audit::unit::{Nanos, Pid};
use crate::probes::kernel::Kernel;
use crate::probes::object::LoadError;
use crate::target::family::{self, Kin};
use crate::target::proc;

/// How long maps that came since the last census are looked for at the end.
const LAST: Nanos = Nanos(2_000_000_000);
/// How often the children are listed until no new one is among them.
const LISTINGS: usize = 4;

impl Live {
    /// Follows the children that there are, and looks at them.
    pub(super) fn adopt_kindred(&mut self) -> Result<(), LoadError> {
        let first = self.first.pid();
        for _ in 0..LISTINGS {
            let Some(kindred) = &mut self.kindred else { return Ok(()) };
            let found = family::descendants(Path::new(proc::ROOT), first).unwrap_or_else(|error| {
                self.first.tell(What::Note(format!("its children are not known: {error}")));
                Vec::new()
            });
            let new: Vec<Kin> = found.into_iter().filter(|kin| !kindred.knows(kin.pid)).collect();
            if new.is_empty() {
                return Ok(());
            }
            for kin in new {
                let at = now();
                self.kernel.follow_kin(kin.pid)?;
                kindred.expect(kin, Sight::Found, at);
            }
            self.look_at_expected();
        }
        Ok(())
    }

    /// Looks at all that have come, however long that takes.
    fn look_at_expected(&mut self) {
        let Some(kindred) = &mut self.kindred else { return };
        let mut grounds = Grounds::of(&mut self.latecomers, &mut self.kernel, &mut self.governor);
        while let Some(expected) = kindred.expected.pop_front() {
            kindred.look(expected, &self.hooks, &mut grounds);
        }
        let placed = grounds.placed;
        self.tell_placed(placed);
    }

    /// Looks at those that have come, and at files that have come to others, as far as there is time.
    pub(super) fn greet_kindred(&mut self) {
        let Some(kindred) = &mut self.kindred else { return };
        let mut grounds = Grounds::of(&mut self.latecomers, &mut self.kernel, &mut self.governor);
        while kindred.looks.has_some()
            && let Some(expected) = kindred.expected.pop_front()
        {
            let began = now();
            kindred.look(expected, &self.hooks, &mut grounds);
            kindred.looks.spent_since(began);
        }
        kindred.greet_latecomers(&mut grounds);
        let placed = grounds.placed;
        self.tell_placed(placed);
        let Some(kindred) = &mut self.kindred else { return };
        kindred.members.values_mut().for_each(|member| member.greet_the_newborn(&mut self.kernel));
    }

    /// Polls them, and asks what they share.
    pub(super) fn poll_kindred(&mut self) {
        let Some(kindred) = &mut self.kindred else { return };
        let is_gone = |(pid, member): (&Pid, &Member)| member.process.has_exited().then_some(*pid);
        let gone: Vec<Pid> = kindred.members.iter().filter_map(is_gone).collect();
        // Where the kernel tells of it, that is read first; not every one does.
        gone.into_iter().for_each(|pid| kindred.depart(pid, now(), Left::Exited));
        kindred.look_out();
        for member in kindred.members.values_mut() {
            poll(member, &mut self.kernel, &self.audit);
        }
        kindred.ask_shares(&mut self.first);
        let lost = [("member_records", kindred.lost), ("members_beyond_limit", kindred.beyond)];
        for (source, count) in lost {
            if count > 0 && self.first.told.lost.insert(source, count) != Some(count) {
                self.first.tell(What::Lost(Lost { source: source.to_owned(), count }));
            }
        }
    }

    /// Those that are followed no more have told everything.
    pub(super) fn part_with_kindred(&mut self) {
        let Some(kindred) = &mut self.kindred else { return };
        let departing = mem::take(&mut kindred.departing);
        let pids: BTreeSet<Pid> =
            departing.iter().map(|(.., member)| member.pid()).filter(|pid| !kindred.knows(*pid)).collect();
        if !pids.is_empty() {
            self.kernel.forget(&pids);
        }
        for (at, why, mut member) in departing {
            member.take_what_waits(&self.kernel);
            member.name_stacks();
            member.tell_losses();
            member.tell_of(at, What::Left(why));
            kindred.departed.push(member);
        }
    }

    /// Takes the last look at each, for some the first one.
    pub(super) fn end_kindred(&mut self, ended: Ended) {
        self.look_at_expected();
        let Some(kindred) = &mut self.kindred else { return };
        let end = now().plus(LAST);
        let mut grounds = Grounds::of(&mut self.latecomers, &mut self.kernel, &mut self.governor);
        for member in kindred.members.values_mut() {
            if now() < end {
                grounds.greet(member);
                member.recount_for_the_last_time();
            } else {
                member.take_what_waits(grounds.kernel);
                member.tell(What::Note("maps born since its last census may be missing".to_owned()));
            }
        }
        let placed = grounds.placed;
        self.tell_placed(placed);
        self.poll_kindred();
        let Some(kindred) = &mut self.kindred else { return };
        kindred.members.values_mut().for_each(|member| member.tell(What::Ended(ended)));
    }
}

/// The rest of an interval of one member.
fn poll(member: &mut Member, kernel: &mut Kernel, audit: &Family) {
    member.name_stacks();
    member.poll(kernel, audit);
    member.tell_memory();
    member.faults.at_tick().into_iter().for_each(|fact| member.order.push(fact));
    member.tell_losses();
}
