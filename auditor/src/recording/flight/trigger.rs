//! When what a flight recorder keeps is worth a file: RSS that rose or is high, a limit that is near, a large
//! growth. A condition fires when it becomes true, and again only after it was false.

use std::collections::VecDeque;
use std::fmt::{Display, Formatter};
use std::str::FromStr;

use bytesize::ByteSize;

use crate::audit::fact::{Fact, RssMember, What};
use crate::audit::gate::kind::Kind;
use crate::audit::unit::{Bytes, Nanos};
use crate::audit::words;

/// Hundredths of a percent in a whole.
const WHOLE: u64 = 10_000;
/// Most percent that can be asked for.
const MOST_PERCENT: f64 = 100_000.0;

/// A condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// `rss+25%`: RSS is this much above the lowest it was in the time that is kept, in hundredths of a percent.
    Rise(u64),
    /// `rss>2GiB`: RSS is above it.
    Above(Bytes),
    /// `limit>90%`: so much of the limit on memory is taken, in hundredths of a percent. What counts is what the
    /// cgroup was charged less what it can give up at once; where that is not known, RSS.
    Limit(u64),
    /// `growth>512MiB`: a map asks for tables of more than that.
    Growth(Bytes),
}

impl FromStr for Trigger {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let has = |start: &str| text.strip_prefix(start).map(str::trim);
        if let Some(rise) = has("rss+") {
            percent(rise).map(Self::Rise)
        } else if let Some(size) = has("rss>") {
            bytes(size).map(Self::Above)
        } else if let Some(share) = has("limit>") {
            percent(share).map(Self::Limit)
        } else if let Some(size) = has("growth>") {
            bytes(size).map(Self::Growth)
        } else {
            Err("write rss+25%, rss>2GiB, limit>90% or growth>512MiB".to_owned())
        }
    }
}

fn percent(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match number {
        Some(percent) if percent > 0.0 && percent <= MOST_PERCENT => Ok((percent * 100.0).round() as u64),
        _ => Err(format!("{text:?} is no percentage: write it as 25% or 0.5%")),
    }
}

fn bytes(text: &str) -> Result<Bytes, String> {
    let size = text.parse::<ByteSize>();
    size.map(|size| Bytes(size.0)).map_err(|_none| format!("{text:?} is no size: write it as 512MiB or 2GiB"))
}

/// As it is written.
impl Display for Trigger {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rise(share) => write!(f, "rss+{}%", *share as f64 / 100.0),
            Self::Above(size) => write!(f, "rss>{}", Kind::Bytes.spell(size.0)),
            Self::Limit(share) => write!(f, "limit>{}%", *share as f64 / 100.0),
            Self::Growth(size) => write!(f, "growth>{}", Kind::Bytes.spell(size.0)),
        }
    }
}

/// Watches facts for conditions.
#[derive(Debug)]
pub struct Watch {
    triggers: Vec<(Trigger, bool)>,
    window: Nanos,
    /// Anonymous, file and shared pages.
    rss: [Bytes; 3],
    /// Readings of RSS that are lower than all later ones, within the window.
    lowest: VecDeque<(Nanos, Bytes)>,
    /// The limit by /proc, and how much of a cgroup's is taken.
    limit: Option<Bytes>,
    charged: Option<(Bytes, Bytes)>,
}

impl Watch {
    /// For these conditions; `window` is how far back a rise begins.
    #[must_use]
    pub fn new(triggers: &[Trigger], window: Nanos) -> Self {
        Self {
            triggers: triggers.iter().map(|trigger| (*trigger, false)).collect(),
            window,
            rss: [Bytes(0); 3],
            lowest: VecDeque::new(),
            limit: None,
            charged: None,
        }
    }

    /// What has just become true, in words. That the kernel chose the target as a victim always is something.
    pub fn see(&mut self, fact: &Fact) -> Option<String> {
        let mut growth = None;
        match &fact.what {
            What::Memory(memory) => {
                self.rss = [memory.anon, memory.file, memory.shmem];
                self.limit = memory.limit;
            }
            What::Rss(rss) => match rss.member {
                RssMember::Anon => self.rss[0] = rss.bytes,
                RssMember::File => self.rss[1] = rss.bytes,
                RssMember::Shmem => self.rss[2] = rss.bytes,
                RssMember::Swap => return None,
            },
            What::Pressure(pressure) => {
                let group = pressure.group;
                let used =
                    group.and_then(|group| Some((group.current?.less(group.reclaimable?), group.max?)));
                self.charged = used;
            }
            What::Allocate(allocate) => growth = Some(allocate.bytes),
            What::Grow(grow) => growth = grow.bytes,
            What::OomMark => return Some("the kernel chose it to be killed for want of memory".to_owned()),
            _ => return None,
        }
        let rss = self.rss.into_iter().fold(Bytes(0), |sum, part| sum + part);
        if growth.is_none() && rss > Bytes(0) {
            self.remember(fact.at, rss);
        }
        self.become_true(rss, growth)
    }

    fn remember(&mut self, at: Nanos, rss: Bytes) {
        while self.lowest.back().is_some_and(|(_, before)| *before >= rss) {
            self.lowest.pop_back();
        }
        self.lowest.push_back((at, rss));
        while self.lowest.front().is_some_and(|(then, _)| then.plus(self.window) < at) {
            self.lowest.pop_front();
        }
    }

    fn become_true(&mut self, rss: Bytes, growth: Option<Bytes>) -> Option<String> {
        let lowest = self.lowest.front().map(|(_, rss)| *rss);
        let taken = self.charged.or_else(|| self.limit.map(|limit| (rss, limit)));
        let mut why = None;
        for (trigger, was_true) in &mut self.triggers {
            let told = match *trigger {
                Trigger::Growth(size) => growth
                    .filter(|bytes| *bytes > size)
                    .map(|bytes| format!("a map asked for {}", words::bytes(bytes))),
                // Growths say nothing of RSS.
                _ if growth.is_some() => continue,
                Trigger::Rise(share) => lowest
                    .filter(|lowest| is_part(rss.less(*lowest), *lowest, share))
                    .map(|lowest| format!("RSS rose from {} to {}", words::bytes(lowest), words::bytes(rss))),
                Trigger::Above(size) => (rss > size).then(|| format!("RSS is {}", words::bytes(rss))),
                Trigger::Limit(share) => {
                    taken.filter(|(used, limit)| is_part(*used, *limit, share)).map(|(used, limit)| {
                        format!("{} of {} are taken", words::bytes(used), words::bytes(limit))
                    })
                }
            };
            let is_event = matches!(trigger, Trigger::Growth(_));
            let before = std::mem::replace(was_true, told.is_some() && !is_event);
            if let Some(told) = told.filter(|_| !before) {
                why.get_or_insert(format!("{trigger}: {told}"));
            }
        }
        // The next rise begins here.
        if why.as_ref().is_some_and(|why| why.starts_with("rss+")) {
            self.lowest.drain(..self.lowest.len().saturating_sub(1));
        }
        why
    }
}

/// Whether a part is more than that share of a whole, in hundredths of a percent.
fn is_part(part: Bytes, whole: Bytes, share: u64) -> bool {
    u128::from(part.0) * u128::from(WHOLE) > u128::from(whole.0) * u128::from(share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact::{Allocate, Charge, Memory, Part, Pressure};
    use crate::audit::unit::Address;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    fn watch(triggers: &[&str]) -> Watch {
        let triggers: Vec<Trigger> = triggers.iter().map(|text| text.parse().unwrap()).collect();
        Watch::new(&triggers, Nanos(100))
    }

    fn rss(at: u64, mebibytes: u64) -> Fact {
        let anon = Bytes(mebibytes * MIB);
        let memory = Memory { anon, limit: Some(Bytes(1000 * MIB)), ..Memory::default() };
        Fact { at: Nanos(at), thread: None, what: What::Memory(memory) }
    }

    fn growth(mebibytes: u64) -> Fact {
        let (map, bytes, part) = (Address(1), Bytes(mebibytes * MIB), Part::Buckets);
        let what = What::Allocate(Allocate { map, table: None, bytes, part, stack: None, took: None });
        Fact { at: Nanos(1), thread: None, what }
    }

    #[test]
    fn a_rise_is_counted_from_the_lowest_in_the_window_and_fires_once() {
        let mut watch = watch(&["rss+25%"]);
        let fires: Vec<bool> = [
            (0, 100),
            (10, 120),
            (20, 126),
            (30, 130),
            (40, 100),
            (50, 126),
            (60, 126),
            (170, 140),
            (180, 180),
        ]
        .map(|(at, size)| watch.see(&rss(at, size)).is_some())
        .to_vec();
        assert_eq!(fires, [false, false, true, false, false, true, false, false, true]);
    }

    #[test]
    fn a_limit_that_is_near_fires_when_it_is_and_again_after_it_was_not() {
        let mut watch = watch(&["limit>90%"]);
        assert!(watch.see(&rss(1, 900)).is_none());
        assert_eq!(watch.see(&rss(2, 901)).unwrap(), "limit>90%: 901.0 MiB of 1000 MiB are taken");
        assert!(watch.see(&rss(3, 950)).is_none() && watch.see(&rss(4, 800)).is_none());
        assert!(watch.see(&rss(5, 950)).is_some());
    }

    #[test]
    fn what_the_cgroup_can_give_up_at_once_does_not_count() {
        let mut watch = watch(&["limit>90%"]);
        let mut group = Charge {
            current: Some(Bytes(95)),
            reclaimable: Some(Bytes(50)),
            max: Some(Bytes(100)),
            ..Charge::default()
        };
        let pressure = |group| {
            let what = What::Pressure(Pressure { group: Some(group), ..Pressure::default() }.into());
            Fact { at: Nanos(1), thread: None, what }
        };
        assert!(watch.see(&pressure(group)).is_none());
        group.reclaimable = Some(Bytes(1));
        assert!(watch.see(&pressure(group)).is_some());
    }

    #[test]
    fn each_large_growth_fires_and_the_end_always_does() {
        let mut watch = watch(&["growth>512MiB", "rss>1GiB"]);
        let fires = [512, 513, 700].map(|size| watch.see(&growth(size)).is_some());
        assert_eq!(fires, [false, true, true]);
        let mark = Fact { at: Nanos(1), thread: None, what: What::OomMark };
        assert!(watch.see(&mark).is_some());
    }

    #[test]
    fn what_is_no_condition_is_told_how_to_write_one() {
        for wrong in
            ["", "rss", "rss+25", "rss+-5%", "rss+0%", "limit>NaN%", "growth>x", "cpu>5%", "rss>2QiB"]
        {
            assert!(wrong.parse::<Trigger>().unwrap_err().contains("write"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_written_is_read_again(text in ".{0,20}", kind in 0..4, value in 1_u64..1 << 40) {
            drop(text.parse::<Trigger>());
            let trigger = match kind {
                0 => Trigger::Rise(value % 1_000_000 + 1),
                1 => Trigger::Above(Bytes(value)),
                2 => Trigger::Limit(value % 1_000_000 + 1),
                _ => Trigger::Growth(Bytes(value)),
            };
            prop_assert_eq!(trigger.to_string().parse(), Ok(trigger));
        }
    }
}
