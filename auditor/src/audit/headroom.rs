//! How much memory there is left, how scarce it has been, and which of the growths to come still fit.

use std::cmp::Reverse;

use super::fact::{self, Charge};
use super::report::{Map, Pressure, Upcoming};
use super::unit::{Bytes, Nanos};

/// Growths that are listed.
const MOST: usize = 32;

/// Limits and waiting, at the first reading and at the last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Headroom {
    readings: Option<(fact::Pressure, fact::Pressure)>,
    /// The last reading with the target in it; `None`: it is in the last one, or in none.
    alive: Option<Option<fact::Pressure>>,
}

impl Headroom {
    /// They were read.
    pub(super) fn read(&mut self, seen: fact::Pressure) {
        let first = self.readings.map_or(seen, |(first, _)| first);
        self.readings = Some((first, seen));
    }

    /// The target is on its way out: what is read from now on is what others hold, and what it held is free.
    pub(super) fn is_dying(&mut self) {
        let last = self.readings.map(|(_, last)| last);
        self.alive.get_or_insert(last);
    }

    /// How much more the target can hold before it is killed or the host swaps: what its cgroup leaves, page
    /// cache that is given up easily not counted, and no more than the host has. `known`: limit and RSS as the
    /// process tells them, where the cgroup tells no more.
    pub(super) fn left(&self, known: (Option<Bytes>, Option<Bytes>)) -> Option<Bytes> {
        let last = self.with_the_target().unwrap_or_default();
        let of_group = last.group.and_then(left_in).or_else(|| Some(known.0?.less(known.1?)));
        [of_group, last.available].into_iter().flatten().min()
    }

    /// The last reading with the target in it.
    fn with_the_target(&self) -> Option<fact::Pressure> {
        self.alive.unwrap_or_else(|| self.readings.map(|(_, last)| last))
    }

    /// As the report has it: counts since the first reading, and those of its end, too; sizes as of the last one
    /// with the target in it.
    pub(super) fn report(&self) -> Option<Pressure> {
        let (first, last) = self.readings?;
        let with_it = self.with_the_target().unwrap_or_default();
        let held = with_it.group.unwrap_or_default();
        let (then, now) = (first.group.unwrap_or_default(), last.group.unwrap_or_default());
        let since = |of: fn(&Charge) -> Option<u64>| Some(of(&now)?.saturating_sub(of(&then).unwrap_or(0)));
        let waited = last.stalls.zip(first.stalls).filter(|(now, then)| now.of_group == then.of_group);
        Some(Pressure {
            charged: held.current,
            reclaimable: held.reclaimable,
            high: now.high,
            max: now.max,
            peak: now.peak,
            high_events: since(|group| group.high_events),
            max_events: since(|group| group.max_events),
            oom_kills: since(|group| group.oom_kills),
            some: waited.map(|(now, then)| now.some.since(then.some)),
            full: waited.map(|(now, then)| now.full.since(then.full)),
            of_group: last.stalls.is_some_and(|stalls| stalls.of_group),
            available: with_it.available,
        })
    }
}

/// What a cgroup leaves; `None`: it has no limit, or does not tell.
fn left_in(group: Charge) -> Option<Bytes> {
    let charged = group.current?.less(group.reclaimable.unwrap_or_default());
    Some(group.max?.less(charged))
}

/// The growths to come: those whose time is known by it, then those that ask for most. Whether each fits is
/// asked with what the ones before it leave: twice the table, less what it replaces.
pub(super) fn upcoming(maps: &[Map], left: Option<Bytes>) -> Vec<Upcoming> {
    let living = maps.iter().filter(|map| map.died.is_none() && map.reachable != Some(false));
    let mut next: Vec<(&Map, Upcoming)> = living.filter_map(|map| Some((map, of(map)?))).collect();
    let order = |(map, next): &(&Map, Upcoming)| {
        (next.eta.is_none(), next.eta, Reverse(next.peak_extra), map.address)
    };
    if next.len() > MOST {
        next.select_nth_unstable_by_key(MOST, order);
        next.truncate(MOST);
    }
    next.sort_by_key(order);
    let mut taken = Bytes(0);
    let judge = |(map, next): (&Map, Upcoming)| {
        let fits = left.map(|left| taken + next.peak_extra <= left);
        let after = next.peak_extra.less(map.bytes.allocated.unwrap_or_default());
        // What comes at no known time takes nothing from the others.
        if next.eta.is_some() {
            taken += after;
        }
        Upcoming { fits, ..next }
    };
    next.into_iter().map(judge).collect()
}

fn of(map: &Map) -> Option<Upcoming> {
    let next = map.next_growth?;
    let eta: Option<Nanos> = next.eta;
    Some(Upcoming { map: map.address, pid: map.pid, eta, peak_extra: next.peak_extra, fits: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact::Stalls;

    fn group(current: u64, max: Option<u64>) -> fact::Pressure {
        let group = Charge {
            current: Some(Bytes(current)),
            reclaimable: Some(Bytes(100)),
            max: max.map(Bytes),
            max_events: Some(current),
            ..Charge::default()
        };
        let stalls = Stalls { some: Nanos(2 * current), full: Nanos(current), of_group: true };
        fact::Pressure { group: Some(group), stalls: Some(stalls), available: Some(Bytes(9000)) }
    }

    #[test]
    fn what_is_left_is_the_least_of_group_and_host_without_what_is_given_up_easily() {
        let mut headroom = Headroom::default();
        assert_eq!(headroom.left((None, None)), None);
        assert_eq!(headroom.left((Some(Bytes(50)), Some(Bytes(20)))), Some(Bytes(30)));
        headroom.read(group(600, Some(1000)));
        assert_eq!(headroom.left((Some(Bytes(50)), Some(Bytes(20)))), Some(Bytes(500)));
        headroom.read(group(600, None));
        assert_eq!(headroom.left((None, Some(Bytes(20)))), Some(Bytes(9000)));
    }

    #[test]
    fn counts_are_since_the_first_reading() {
        let mut headroom = Headroom::default();
        assert_eq!(headroom.report(), None);
        headroom.read(group(600, Some(1000)));
        headroom.read(group(650, Some(1000)));
        let report = headroom.report().unwrap();
        assert_eq!((report.max_events, report.high_events), (Some(50), None));
        assert_eq!((report.some, report.full), (Some(Nanos(100)), Some(Nanos(50))));
        assert_eq!((report.charged, report.max), (Some(Bytes(650)), Some(Bytes(1000))));
    }

    #[test]
    fn what_is_read_once_the_target_is_killed_is_not_what_it_had_left() {
        let mut headroom = Headroom::default();
        headroom.read(group(900, Some(1000)));
        headroom.is_dying();
        headroom.read(group(100, Some(1000)));
        headroom.is_dying();
        headroom.read(group(0, Some(1000)));
        assert_eq!(headroom.left((None, None)), Some(Bytes(200)));
        let report = headroom.report().unwrap();
        assert_eq!((report.charged, report.reclaimable), (Some(Bytes(900)), Some(Bytes(100))));
        assert_eq!(report.full, Some(Nanos(0)), "what was waited is of the last reading");
    }

    #[test]
    fn nothing_is_left_of_what_was_never_read_while_the_target_lived() {
        let mut headroom = Headroom::default();
        headroom.is_dying();
        headroom.read(group(0, Some(1000)));
        assert_eq!(headroom.left((None, None)), None);
        assert_eq!(headroom.report().unwrap().charged, None);
    }

    #[test]
    fn growths_come_by_their_time_and_each_takes_from_those_after_it() {
        let map = |address, eta: Option<u64>, peak_extra, allocated| {
            let mut map = crate::audit::tests::made::listed(address);
            map.bytes.allocated = Some(Bytes(allocated));
            map.next_growth = Some(crate::audit::report::NextGrowth {
                at_live: 1,
                new_table: Bytes(peak_extra),
                peak_extra: Bytes(peak_extra),
                capacity: 2,
                eta: eta.map(Nanos),
                eta_least: None,
                eta_most: None,
            });
            map
        };
        let mut gone = map(5, Some(1), 9000, 1);
        gone.died = Some(Nanos(1));
        let maps = [map(1, None, 500, 250), map(2, Some(9), 600, 300), map(3, Some(7), 500, 250), gone];
        let told =
            |left| upcoming(&maps, left).iter().map(|next| (next.map.0, next.fits)).collect::<Vec<_>>();
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(told(Some(Bytes(800))), [(3, yes), (2, no), (1, no)]);
        assert_eq!(told(Some(Bytes(1000))), [(3, yes), (2, yes), (1, no)]);
        assert_eq!(told(None), [(3, None), (2, None), (1, None)]);
        let many: Vec<Map> = (0..100).map(|n| map(n, Some(n), 1, 1)).collect();
        assert_eq!(upcoming(&many, None).len(), MOST);
    }
}
