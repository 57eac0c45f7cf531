//! RSS over time, from two sources: what /proc says at a reading, and the kernel's own counters as
//! they move. Each member (file, anonymous, shared, swap) keeps its youngest value, whichever
//! source it came from; a value older than the one that stands is not taken.

use std::cmp::Ordering;

use super::fact::{self, Arenas, RssMember};
use super::headroom::Headroom;
use super::report::{self, Rss, Rung};
use super::unit::{Bytes, Nanos};

/// RSS and what it is made of, so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    file: Gauge,
    anon: Gauge,
    swap: Gauge,
    shmem: Gauge,
    limit: Option<Bytes>,
    rss: Rss,
    arenas: Option<Arenas>,
}

/// The youngest value of one counter.
#[derive(Clone, Copy, Debug, Default)]
struct Gauge(Option<(Nanos, Bytes)>);

impl Gauge {
    /// Takes a value unless a younger one stands, and says how it compares with the one before.
    fn set(&mut self, at: Nanos, bytes: Bytes) -> Ordering {
        if self.0.is_some_and(|(then, _)| at < then) {
            return Ordering::Equal;
        }
        self.0.replace((at, bytes)).map_or(Ordering::Equal, |(_, before)| bytes.cmp(&before))
    }

    fn bytes(self) -> Option<Bytes> {
        self.0.map(|(_, bytes)| bytes)
    }
}

impl Memory {
    /// /proc was read. `from_start`: nothing of the target's life came before the audit, so that
    /// its own record of the highest RSS belongs to it.
    pub(super) fn read(&mut self, at: Nanos, seen: &fact::Memory, from_start: bool) {
        self.file.set(at, seen.file);
        self.anon.set(at, seen.anon);
        self.swap.set(at, seen.swap);
        self.shmem.set(at, seen.shmem);
        self.limit = seen.limit;
        self.step(at);
        if let Some(peak) = seen.peak.filter(|_| from_start) {
            // When that was, nobody saw.
            self.raise(peak, None);
        }
    }

    /// One counter moved. Says whether RSS is greater or less for it.
    pub(super) fn moved(&mut self, at: Nanos, seen: &fact::Rss) -> Ordering {
        let member = match seen.member {
            RssMember::File => &mut self.file,
            RssMember::Anon => &mut self.anon,
            RssMember::Swap => &mut self.swap,
            RssMember::Shmem => &mut self.shmem,
        };
        let way = member.set(at, seen.bytes);
        self.step(at);
        if seen.member == RssMember::Swap { Ordering::Equal } else { way }
    }

    /// The target replaced its program: what its memory held is gone.
    pub(super) fn replaced(&mut self) {
        (self.file, self.anon, self.swap, self.shmem) = Default::default();
        self.arenas = None;
    }

    /// RSS as of now, once all its members are known.
    pub(super) fn now(&self) -> Option<Bytes> {
        Some(self.file.bytes()? + self.anon.bytes()? + self.shmem.bytes()?)
    }

    /// First, last and highest.
    pub(super) const fn rss(&self) -> &Rss {
        &self.rss
    }

    /// The smallest limit.
    pub(super) const fn limit(&self) -> Option<Bytes> {
        self.limit
    }

    /// Pages of files.
    pub(super) fn file(&self) -> Option<Bytes> {
        self.file.bytes()
    }

    /// Shared memory.
    pub(super) fn shmem(&self) -> Option<Bytes> {
        self.shmem.bytes()
    }

    /// As the report has it.
    pub(super) fn report(&self, ladder: Vec<Rung>, headroom: &Headroom) -> report::Memory {
        report::Memory {
            rss: self.rss.clone(),
            limit: self.limit,
            swap: self.swap.bytes(),
            headroom: headroom.left(self.limit_and_rss()),
            pressure: headroom.report(),
            ladder,
            arenas: self.arenas.as_ref().map(Into::into),
            changes: None,
            verdict: None,
            outlook: None,
        }
    }

    /// What glibc's `malloc` has.
    pub(super) const fn has_arenas(&mut self, arenas: Arenas) {
        self.arenas = Some(arenas);
    }

    /// What it may hold and what it does.
    pub(super) const fn limit_and_rss(&self) -> (Option<Bytes>, Option<Bytes>) {
        (self.limit, self.rss.last)
    }

    fn step(&mut self, at: Nanos) {
        let Some(now) = self.now() else { return };
        self.rss.first.get_or_insert(now);
        self.rss.last = Some(now);
        self.raise(now, Some(at));
    }

    fn raise(&mut self, to: Bytes, at: Option<Nanos>) {
        if self.rss.peak.is_none_or(|peak| peak < to) {
            self.rss.peak = Some(to);
            self.rss.peak_at = at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(anon: u64, file: u64, peak: Option<u64>) -> fact::Memory {
        fact::Memory {
            anon: Bytes(anon),
            file: Bytes(file),
            peak: peak.map(Bytes),
            ..fact::Memory::default()
        }
    }

    fn anon(bytes: u64) -> fact::Rss {
        fact::Rss { member: RssMember::Anon, bytes: Bytes(bytes), external: false }
    }

    #[test]
    fn one_member_alone_says_nothing_about_the_sum() {
        let mut memory = Memory::default();
        memory.moved(Nanos(1), &anon(100));
        assert_eq!(memory.now(), None);
        assert_eq!(memory.rss().first, None);
    }

    #[test]
    fn a_step_moves_one_member_and_leaves_the_others() {
        let mut memory = Memory::default();
        memory.read(Nanos(1), &reading(100, 20, None), false);
        memory.moved(Nanos(2), &anon(300));
        memory.moved(Nanos(3), &anon(50));
        let rss = memory.rss();
        assert_eq!((rss.first, rss.last), (Some(Bytes(120)), Some(Bytes(70))));
        assert_eq!((rss.peak, rss.peak_at), (Some(Bytes(320)), Some(Nanos(2))));
    }

    #[test]
    fn an_older_value_does_not_replace_a_younger_one() {
        let mut memory = Memory::default();
        memory.read(Nanos(5), &reading(100, 0, None), false);
        memory.moved(Nanos(4), &anon(900));
        assert_eq!(memory.now(), Some(Bytes(100)));
    }

    #[test]
    fn the_kernels_own_peak_counts_only_when_the_audit_saw_the_start() {
        for (from_start, peak) in [(true, 500), (false, 100)] {
            let mut memory = Memory::default();
            memory.read(Nanos(1), &reading(100, 0, Some(500)), from_start);
            assert_eq!(memory.rss().peak, Some(Bytes(peak)));
        }
    }
}
