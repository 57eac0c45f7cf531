//! A family of processes as one target: an [`Audit`] for each member, and one report of them all.
//!
//! Facts say which member they are of: [`What::Member`] brings one in, [`What::Of`] goes back to one. Where no
//! fact does, there is one process and one audit, and the report is that audit's. `merge.rs` makes one report of
//! many, `memory.rs` counts what they share once.

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

/// All that is known of a family, or of one process.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// The process that the audit began with.
    first: Audit,
    members: Vec<OfMember>,
    /// Whose facts come; `None`: of one that is not known.
    current: Option<usize>,
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
    /// `None`: it is the first one, whose audit is the family's own.
    audit: Option<Box<Audit>>,
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
        let reports: Vec<Report> = self.members.iter().map(|member| self.report_of(member, extent)).collect();
        let members = self.members.iter().zip(&reports).map(|(member, report)| member.row(report)).collect();
        let memory = self.memory.report(&self.holdings(&reports), &reports[0].memory);
        let report = merge::merge(self.members.iter().map(|it| it.member.pid).zip(reports).collect());
        let mut report = Report { members, memory, ..report };
        self.admit(&mut report);
        report
    }

    /// The audit of the process that facts are of; where that is not known, of the first one.
    #[must_use]
    pub fn current(&self) -> &Audit {
        let member = self.current.and_then(|at| self.members.get(at));
        member.map_or(&self.first, |member| self.audit_of(member))
    }

    fn join(&mut self, at: Nanos, member: &Member) {
        let is_first = self.members.is_empty();
        self.current = (self.members.len() < MOST).then_some(self.members.len());
        if self.current.is_none() {
            self.strays = self.strays.saturating_add(1);
            return;
        }
        let audit = (!is_first).then(Box::<Audit>::default);
        self.members.push(OfMember { member: member.clone(), came: at, left: None, shares: None, audit });
    }

    /// The youngest of that number.
    fn place_of(&self, pid: Pid) -> Option<usize> {
        self.members.iter().rposition(|member| member.member.pid == pid)
    }

    fn leave(&mut self, at: Nanos, left: &Left) {
        if let Some(member) = self.current.and_then(|at| self.members.get_mut(at)) {
            member.left.get_or_insert_with(|| (at, left.clone()));
        }
    }

    fn tell(&mut self, fact: &Fact) {
        if self.members.is_empty() {
            return self.first.apply(fact);
        }
        let Some(member) = self.current.and_then(|at| self.members.get_mut(at)) else {
            self.strays = self.strays.saturating_add(1);
            return;
        };
        member.audit.as_deref_mut().unwrap_or(&mut self.first).apply(fact);
        if self.current == Some(0) && matches!(fact.what, What::Tick | What::Ended(_)) {
            self.read_memory(fact.at);
        }
    }

    /// How much all members hold, once an interval.
    fn read_memory(&mut self, at: Nanos) {
        let held = |member: &OfMember| match member.shares {
            _ if member.left.is_some() => None,
            Some(shares) => Some(shares.part()),
            None => self.audit_of(member).last_rss(),
        };
        let sum = self.members.iter().filter_map(held).reduce(|sum, part| sum + part);
        self.memory.read(at, sum);
    }

    /// What is known of one member now.
    fn report_of(&self, member: &OfMember, extent: Extent) -> Report {
        let mut report = self.audit_of(member).drawn(extent);
        if let Some((at, _)) = member.left {
            merge::bury(&mut report, at);
        }
        report
    }

    fn audit_of<'a>(&'a self, member: &'a OfMember) -> &'a Audit {
        member.audit.as_deref().unwrap_or(&self.first)
    }

    fn holdings<'a>(&self, reports: &'a [Report]) -> Vec<memory::Holding<'a>> {
        let living = self.members.iter().zip(reports).filter(|(member, _)| member.left.is_none());
        living.map(|(it, report)| memory::Holding { shares: it.shares, memory: &report.memory }).collect()
    }

    /// Says which members could not be looked at.
    fn admit(&self, report: &mut Report) {
        let unread = self.members.iter().filter_map(|member| match &member.left {
            Some((_, Left::Unread(why))) => Some(format!("not looked at: {} ({why})", member.member.pid.0)),
            _ => None,
        });
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
        report.coverage.lost = report.coverage.lost.saturating_add(self.strays);
        report.coverage.notes.truncate(merge::MOST_NOTES);
    }
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
