//! Who looked at whom, where, and from when to when.

use jiff::Timestamp;

use super::fact::{Began, Ended};
use super::recognised::Recognised;
use super::report::{Auditor, Host, Target, Window};
use super::unit::{Bytes, Nanos, Pid};

/// Characters of an allocator's name that are kept.
const LONGEST_NAME: usize = 32;

/// The frame of the audit.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    began: Option<Box<Began>>,
    start: Option<Nanos>,
    latest: Nanos,
    ended: Option<Ended>,
    allocator: Option<String>,
}

impl Head {
    /// The audit began. Only the first such fact counts.
    pub(super) fn began(&mut self, began: &Began) {
        self.began.get_or_insert_with(|| Box::new(began.clone()));
    }

    /// The audit ended.
    pub(super) const fn ended(&mut self, why: Ended) {
        self.ended = Some(why);
    }

    /// The allocator was recognised. A recording may call it anything.
    pub(super) fn has_allocator(&mut self, name: &str) {
        self.allocator = Some(name.chars().take(LONGEST_NAME).collect());
    }

    /// A fact of that time has been applied.
    pub(super) fn passed(&mut self, at: Nanos) {
        self.start.get_or_insert(at);
        self.latest = self.latest.max(at);
    }

    /// When the audit began.
    pub(super) fn start(&self) -> Nanos {
        self.start.unwrap_or_default()
    }

    /// The youngest time that was applied.
    pub(super) const fn latest(&self) -> Nanos {
        self.latest
    }

    /// Why the audit ended, if it has.
    pub(super) const fn end(&self) -> Option<Ended> {
        self.ended
    }

    /// Whether the target was started by the audit.
    pub(super) fn saw_the_start(&self) -> bool {
        self.began.as_ref().is_some_and(|began| began.from_start)
    }

    /// Maps that never held this much are not listed one by one.
    pub(super) fn min_bytes(&self) -> Bytes {
        self.began.as_ref().map_or(Bytes(0), |began| began.min_bytes)
    }

    pub(super) fn auditor(&self) -> Auditor {
        Auditor { version: self.text(|began| &began.auditor) }
    }

    pub(super) fn host(&self) -> Host {
        Host {
            kernel: self.text(|began| &began.kernel),
            arch: self.text(|began| &began.arch),
            page_size: self.began.as_ref().map_or(Bytes(0), |began| began.page_size),
        }
    }

    pub(super) fn target(&self, recognised: &Recognised) -> Target {
        Target {
            pid: self.began.as_ref().map_or(Pid(0), |began| began.pid),
            comm: self.text(|began| &began.comm),
            exe: self.text(|began| &began.exe),
            build_id: self.began.as_ref().and_then(|began| began.build_id.clone()),
            runtimes: recognised.report(),
            allocator: self.allocator.clone(),
        }
    }

    pub(super) fn window(&self) -> Window {
        Window {
            start: self.start(),
            end: self.latest,
            wall_start: self.began.as_ref().map_or_else(String::new, |began| wall(began.wall)),
            ended: self.ended,
        }
    }

    /// A field of the first fact; empty where a recording lacks it.
    fn text(&self, field: impl FnOnce(&Began) -> &String) -> String {
        self.began.as_ref().map_or_else(String::new, |began| field(began).clone())
    }
}

/// RFC 3339 in UTC. 64 bits of nanoseconds end in the year 2554, which a timestamp can hold.
fn wall(since_epoch: u64) -> String {
    Timestamp::from_nanosecond(i128::from(since_epoch))
        .map_or_else(|_| String::new(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_rfc_3339_in_utc() {
        assert_eq!(wall(0), "1970-01-01T00:00:00Z");
        assert_eq!(wall(1_700_000_000_250_000_000), "2023-11-14T22:13:20.25Z");
        assert!(wall(u64::MAX).starts_with("2554-"));
    }

    #[test]
    fn the_window_ends_with_the_youngest_fact() {
        let mut head = Head::default();
        for at in [10, 30, 20] {
            head.passed(Nanos(at));
        }
        assert_eq!((head.start(), head.latest()), (Nanos(10), Nanos(30)));
    }
}
