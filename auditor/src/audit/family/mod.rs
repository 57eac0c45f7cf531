//! A family of processes as one target: an [`Audit`] for each member, and one report of them all.
//!
//! Facts say which member they are of: [`What::Member`] brings one in, [`What::Of`] goes back to one. Where no
//! fact does, there is one process and one audit, and the report is that audit's. `merge.rs` makes one report of
//! many, `memory.rs` counts what they share once.

use std::collections::{BTreeMap, VecDeque};

mod memory;
mod merge;
#[cfg(test)]
mod tests;

use super::fact::{Fact, Left, Member, Shares, What};
use super::report::{self, Report};
use super::unit::{Bytes, Nanos, Pid};
use super::{Audit, Extent};
use memory::Memory;

/// Most members that are remembered, dead ones among them.
const MOST: usize = 4096;
/// Of how many that left the maps are remembered. A server may fork for each request.
const MOST_LEFT: usize = 64;

/// All that is known of a family, or of one process.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// The process that the audit began with.
    first: Audit,
    members: Vec<OfMember>,
    /// Whose facts come; `None`: of one that is not known.
    current: Option<usize>,
    /// Members that left and whose maps are remembered, in that order.
    left: VecDeque<usize>,
    /// What those before them counted.
    past: Option<Box<Report>>,
    /// The memory of all.
    memory: Memory,
    /// Facts of processes that are not known.
    strays: u64,
}

/// What is known of a member.
#[derive(Clone, Debug)]
struct OfMember {
    member: Member,
    came: Nanos,
    left: Option<(Nanos, Left)>,
    shares: Option<Shares>,
    its: Its,
}

/// What is known of a member's maps.
#[derive(Clone, Debug)]
enum Its {
    /// It is the first one, whose audit is the family's own.
    First,
    Audit(Box<Audit>),
    /// It left long ago: what is listed of it.
    Past(Box<report::Member>),
}

impl Family {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds one fact in, as [`Audit::apply`] does.
    pub fn apply(&mut self, fact: &Fact) {
        match &fact.what {
            What::Member(member) => self.join(fact.at, member),
            What::Of(pid) => self.current = self.place_of(*pid),
            What::Left(left) => self.leave(fact.at, left),
            What::Shares(shares) => {
                if let Some(member) = self.current.and_then(|at| self.members.get_mut(at)) {
                    member.shares = Some(*shares);
                }
            }
            _ => self.tell(fact),
        }
    }

    /// What is known now. Drawing it changes nothing.
    #[must_use]
    pub fn report(&self) -> Report {
        self.drawn(Extent::Whole)
    }

    /// So much of what is known now.
    #[must_use]
    pub fn drawn(&self, extent: Extent) -> Report {
        if self.members.is_empty() {
            return self.first.drawn(extent);
        }
        let known = self.members.iter().filter_map(|member| Some((member, self.report_of(member, extent)?)));
        let known: Vec<(&OfMember, Report)> = known.collect();
        let mut rows = known.iter().map(|(member, report)| member.row(report));
        let rows = self.members.iter().filter_map(|member| match &member.its {
            Its::Past(row) => Some((**row).clone()),
            Its::First | Its::Audit(_) => rows.next(),
        });
        let members = rows.collect();
        let memory = self.memory.report(&holdings(&known), &known[0].1.memory);
        let reports = known.into_iter().map(|(member, report)| (member.member.pid, report)).collect();
        let report = merge::merge(reports, self.past.as_deref());
        let mut report = Report { members, memory, ..report };
        self.admit(&mut report);
        report
    }

    /// The audit of that process, if it is known. One that is no family's is known by any number.
    #[must_use]
    pub fn audit_of(&self, pid: Pid) -> Option<&Audit> {
        if self.members.is_empty() {
            return Some(&self.first);
        }
        self.audit_at(&self.members[self.place_of(pid)?])
    }

    /// The audit of the process that facts are of; where that is not known, of the first one.
    #[must_use]
    pub fn current(&self) -> &Audit {
        let member = self.current.and_then(|at| self.members.get(at));
        member.and_then(|member| self.audit_at(member)).unwrap_or(&self.first)
    }

    fn join(&mut self, at: Nanos, member: &Member) {
        let is_first = self.members.is_empty();
        self.current = (self.members.len() < MOST).then_some(self.members.len());
        if self.current.is_none() {
            self.strays = self.strays.saturating_add(1);
            return;
        }
        let its = if is_first { Its::First } else { Its::Audit(Box::default()) };
        self.members.push(OfMember { member: member.clone(), came: at, left: None, shares: None, its });
    }

    /// The youngest of that number.
    fn place_of(&self, pid: Pid) -> Option<usize> {
        self.members.iter().rposition(|member| member.member.pid == pid)
    }

    fn leave(&mut self, at: Nanos, left: &Left) {
        let Some(place) = self.current else { return };
        let Some(member) = self.members.get_mut(place).filter(|member| member.left.is_none()) else { return };
        member.left = Some((at, left.clone()));
        if matches!(member.its, Its::Audit(_)) {
            self.left.push_back(place);
        }
        if self.left.len() > MOST_LEFT {
            self.fold();
        }
    }

    /// Of the one that left first only what is listed of it is remembered, and what it counted.
    fn fold(&mut self) {
        let Some(place) = self.left.pop_front() else { return };
        let member = &self.members[place];
        let Some(report) = self.report_of(member, Extent::Whole) else { return };
        self.members[place].its = Its::Past(Box::new(member.row(&report)));
        let past = self.past.take().map(|past| *past);
        self.past = Some(Box::new(merge::fold(past, report)));
    }

    fn tell(&mut self, fact: &Fact) {
        if self.members.is_empty() {
            return self.first.apply(fact);
        }
        let Some(member) = self.current.and_then(|at| self.members.get_mut(at)) else {
            self.strays = self.strays.saturating_add(1);
            return;
        };
        match &mut member.its {
            Its::First => self.first.apply(fact),
            Its::Audit(audit) => audit.apply(fact),
            // It was told that nothing would follow.
            Its::Past(_) => self.strays = self.strays.saturating_add(1),
        }
        if self.current == Some(0) && matches!(fact.what, What::Tick | What::Ended(_)) {
            self.read_memory(fact.at);
            self.end_interval(fact);
        }
    }

    /// An interval of the first one is everybody's.
    fn end_interval(&mut self, fact: &Fact) {
        if fact.what != What::Tick {
            return;
        }
        for member in self.members.iter_mut().filter(|member| member.left.is_none()) {
            if let Its::Audit(audit) = &mut member.its {
                audit.apply(fact);
            }
        }
    }

    /// How much all members hold, once an interval.
    fn read_memory(&mut self, at: Nanos) {
        let held = |member: &OfMember| match member.shares {
            _ if member.left.is_some() => None,
            Some(shares) => Some(shares.part()),
            None => self.audit_at(member)?.last_rss(),
        };
        let sum = self.members.iter().filter_map(held).reduce(|sum, part| sum + part);
        self.memory.read(at, sum);
    }

    /// What is known of one member now.
    fn report_of(&self, member: &OfMember, extent: Extent) -> Option<Report> {
        let mut report = self.audit_at(member)?.drawn(extent);
        if let Some((at, _)) = member.left {
            merge::bury(&mut report, at);
        }
        Some(report)
    }

    fn audit_at<'a>(&'a self, member: &'a OfMember) -> Option<&'a Audit> {
        match &member.its {
            Its::First => Some(&self.first),
            Its::Audit(audit) => Some(audit),
            Its::Past(_) => None,
        }
    }

    /// Says which members could not be looked at.
    fn admit(&self, report: &mut Report) {
        let mut unread: BTreeMap<&str, Vec<Pid>> = BTreeMap::new();
        for member in &self.members {
            if let Some((_, Left::Unread(why))) = &member.left {
                unread.entry(why).or_default().push(member.member.pid);
            }
        }
        let unread = unread.iter().map(|(why, pids)| format!("not looked at: {} ({why})", merge::few(pids)));
        let strays = (self.strays > 0).then(|| format!("{} facts are of no known member", self.strays));
        let unshared = self.members.iter().filter(|it| it.left.is_none() && it.shares.is_none()).count();
        let unshared = (unshared > 0)
            .then(|| format!("of {unshared} members it is not known what they share: RSS has all of theirs"));
        let before = report.coverage.notes.len();
        report.coverage.notes.extend(unread.chain(strays));
        if report.coverage.notes.len() > before {
            merge::doubt(&mut report.coverage);
        }
        report.coverage.notes.extend(unshared);
        let past = self.members.iter().filter(|member| matches!(member.its, Its::Past(_))).count();
        let past = (past > 0).then(|| format!("maps of {past} members that left are listed no more"));
        report.coverage.notes.extend(past);
        report.coverage.lost = report.coverage.lost.saturating_add(self.strays);
        report.coverage.notes.truncate(merge::MOST_NOTES);
    }
}

fn holdings<'a>(known: &'a [(&OfMember, Report)]) -> Vec<memory::Holding<'a>> {
    let living = known.iter().filter(|(member, _)| member.left.is_none());
    living.map(|(it, report)| memory::Holding { shares: it.shares, memory: &report.memory }).collect()
}

impl OfMember {
    fn row(&self, report: &Report) -> report::Member {
        let living = report.maps.iter().filter(|map| map.died.is_none());
        let small = report.populations.iter();
        let maps =
            small.clone().fold(living.clone().count() as u64, |sum, row| sum.saturating_add(row.alive));
        let listed = living.filter_map(|map| map.bytes.allocated);
        let allocated =
            listed.chain(small.map(|row| row.bytes.allocated)).fold(Bytes(0), |sum, bytes| sum + bytes);
        let why = |left: &Left| match left {
            Left::Exited => "exited".to_owned(),
            Left::Replaced => "replaced".to_owned(),
            Left::Unread(why) => why.clone(),
        };
        report::Member {
            pid: self.member.pid,
            parent: self.member.parent,
            comm: self.member.comm.clone(),
            sight: self.member.sight,
            born: (self.member.sight == super::fact::Sight::Forked).then_some(self.came),
            ended: self.left.as_ref().map(|(at, _)| *at),
            left: self.left.as_ref().map(|(_, left)| why(left)),
            rss: self.shares.map(|shares| shares.rss).or(report.memory.rss.last),
            private: self.shares.map(|shares| shares.private),
            part: self.shares.map(|shares| shares.part()),
            shmem: self.shares.map(|shares| shares.shmem),
            maps,
            allocated,
        }
    }
}
