//! The remedies, one function each.

use super::super::fact::Sizes;
use super::super::report::Map;
use super::super::unit::Bytes;
use super::ladder::Ladder;
use super::zipf;
use super::{Ask, Plan, Remedy, SHARDS, Traffic};

/// Bits of a word of the bitmap, and its bytes.
const WORD: (u64, u64) = (64, 8);

const NO_ENTRIES: &str = "its entries were not read";
const NO_SIZES: &str =
    "what maps of its type take at other sizes is not known: its type is not, or its runtime did not tell";
const TOO_MANY: &str = "no such map can hold so many entries";
const NO_SLOT: &str = "the size of one of its entries is not known";
const TOO_LARGE: &str = "so many slots are more than there can be memory";
const NO_TRAFFIC: &str = "it needs --qps, the requests a second, and --skew, the s of Zipf's law";
const NO_KEYS: &str = "it has no entries: --keys says how many distinct keys there are";

const FILLS_UNEVENLY: &str = "none of its tables splits before the map has all its entries; where they are nearly full, some do, since they fill unevenly";
const SPREADS_BY_CHANCE: &str =
    "the hash spreads the entries as chance would: overflow buckets are in it, as many as then are expected";
const SPREADS_EVENLY: &str = "the keys spread evenly over the shards; one that gets more grows earlier";
const IS_DENSE: &str = "the keys are numbers in a known and dense range, so that each has a slot of its own; what the allocator rounds up is not counted";
const IS_DENSE_AND_HOT: &str = "the hot keys are numbers in a known and dense range, and the others are let go; what the allocator rounds up is not counted";
const IS_ZIPF: &str =
    "requests follow Zipf's law with that skew, each by itself, and the other keys are let go";

/// A map, and what is asked of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    map: &'a Map,
    ladder: Option<Ladder<'a>>,
    ask: &'a Ask,
}

/// What a remedy takes, before it is held against what is held now.
struct Takes {
    needs: Bytes,
    holds: Bytes,
    growths_avoided: Option<u64>,
    condition: Option<&'static str>,
}

type Answer<T> = Result<T, &'static str>;

impl<'a> Question<'a> {
    pub(super) fn new(map: &'a Map, sizes: Option<&'a Sizes>, ask: &'a Ask) -> Self {
        Self { map, ladder: sizes.map(Ladder), ask }
    }

    pub(super) fn remedies(self) -> Vec<Remedy> {
        let hot = self.hot_set();
        let hot_keys = match &hot.plan {
            Plan::HotSet { hot, .. } => *hot,
            _ => None,
        };
        let shards = if self.ask.shards.is_empty() { &SHARDS } else { self.ask.shards.as_slice() };
        let mut remedies = vec![self.rebuild(), self.presize()];
        remedies.extend(shards.iter().map(|shards| self.shards((*shards).max(1))));
        remedies.extend([self.flat_array(hot_keys), hot]);
        remedies
    }

    /// A row: what it takes, or why that is not known.
    fn row(self, plan: Plan, takes: Answer<Takes>) -> Remedy {
        let is_estimate = !matches!(plan, Plan::Rebuild { .. } | Plan::Presize { .. });
        let now = self.map.bytes.resident.or(self.map.bytes.allocated);
        let mut row = Remedy {
            plan,
            estimate: is_estimate,
            frees: None,
            needs_meanwhile: None,
            holds: None,
            growths_avoided: None,
            condition: None,
            unanswered: None,
        };
        match takes {
            Ok(takes) => {
                row.estimate |= takes.condition.is_some();
                row.frees = now.map(|now| difference(now, takes.holds));
                row.needs_meanwhile = Some(takes.needs);
                row.holds = Some(takes.holds);
                row.growths_avoided = takes.growths_avoided;
                row.condition = takes.condition.map(str::to_owned);
            }
            Err(why) => row.unanswered = Some(why.to_owned()),
        }
        row
    }

    fn ladder(self) -> Answer<Ladder<'a>> {
        self.ladder.ok_or(NO_SIZES)
    }

    /// For how many entries, where that is not asked: as many as there are, unless the map is half way to its
    /// next growth or further; then for one more than it grows with.
    fn entries(self) -> Answer<u64> {
        if let Some(keys) = self.ask.keys {
            return Ok(keys);
        }
        let live = self.map.live.ok_or(NO_ENTRIES)?;
        let next = self.map.next_growth.map(|next| next.at_live);
        let next = next.filter(|next| live >= next / 2 && *next >= live);
        Ok(next.map_or(live, |next| next.saturating_add(1)))
    }

    fn bytes(self, entries: u64) -> Answer<Bytes> {
        self.ladder()?.bytes(entries).ok_or(TOO_MANY)
    }

    /// What the size of a map that is made for so many entries rests on beside its layout.
    fn condition(self, entries: u64) -> Option<&'static str> {
        let ladder = self.ladder?;
        if ladder.overflow(entries) > Bytes(0) {
            return Some(SPREADS_BY_CHANCE);
        }
        (ladder.made_for(entries)?.tables > 1).then_some(FILLS_UNEVENLY)
    }

    /// Growths from now to so many entries.
    fn growths(self, entries: u64) -> Option<u64> {
        Some(self.ladder?.climb(self.map.capacity?, entries)?.growths)
    }

    fn rebuild(self) -> Remedy {
        let takes = self.map.live.ok_or(NO_ENTRIES).and_then(|live| {
            let holds = self.map.bytes.needed.ok_or(NO_SIZES).or_else(|_| self.bytes(live))?;
            let condition = self.condition(live);
            Ok(Takes { needs: holds, holds, growths_avoided: None, condition })
        });
        self.row(Plan::Rebuild { entries: self.map.live }, takes)
    }

    fn presize(self) -> Remedy {
        let entries = self.entries();
        let takes = entries.and_then(|entries| {
            let holds = self.bytes(entries)?;
            let condition = self.condition(entries);
            Ok(Takes { needs: holds, holds, growths_avoided: self.growths(entries), condition })
        });
        let peak_growing = self.peak_growing(entries.ok());
        let holds = takes.as_ref().ok().map(|takes| takes.holds);
        let peak_saved = peak_growing.zip(holds).map(|(peak, holds)| peak.less(holds));
        self.row(Plan::Presize { entries: entries.ok(), peak_growing, peak_saved }, takes)
    }

    fn peak_growing(self, entries: Option<u64>) -> Option<Bytes> {
        self.ladder?.climb(self.map.capacity?, entries?)?.peak
    }

    fn shards(self, shards: u64) -> Remedy {
        let entries = self.entries();
        let each = entries.map(|entries| entries.div_ceil(shards));
        let takes = each.and_then(|each| {
            let all = self.bytes(each)?.0.checked_mul(shards).map(Bytes).ok_or(TOO_LARGE)?;
            Ok(Takes { needs: all, holds: all, growths_avoided: None, condition: Some(SPREADS_EVENLY) })
        });
        let peak = |entries: Answer<u64>| self.ladder?.one_growth(entries.ok()?);
        let plan = Plan::Shards {
            shards,
            entries: entries.ok(),
            entries_each: each.ok(),
            growth_peak: peak(each),
            growth_peak_alone: peak(entries),
        };
        self.row(plan, takes)
    }

    /// Bytes of an array of so many slots with so many entries in it.
    fn array(self, slots: u64, entries: u64) -> Answer<(Bytes, Bytes)> {
        let sizes = self.ladder()?.0;
        let slot = sizes.slot.ok_or(NO_SLOT)?;
        let bitmap = slots.div_ceil(WORD.0).saturating_mul(WORD.1);
        let all = || {
            let behind = sizes.behind.0.checked_mul(entries.min(slots))?;
            slots.checked_mul(slot.0)?.checked_add(bitmap)?.checked_add(behind)
        };
        Ok((Bytes(all().ok_or(TOO_LARGE)?), Bytes(bitmap)))
    }

    fn flat_array(self, hot: Option<u64>) -> Remedy {
        let entries = self.entries();
        let slots = self.ask.slots.or(hot).map_or(entries, Ok);
        let condition = if self.ask.slots.is_none() && hot.is_some() { IS_DENSE_AND_HOT } else { IS_DENSE };
        let array = slots.and_then(|slots| self.array(slots, entries.unwrap_or(slots)));
        let takes = array.map(|(holds, _)| Takes {
            needs: holds,
            holds,
            growths_avoided: slots.ok().and_then(|slots| self.growths(slots)),
            condition: Some(condition),
        });
        let bitmap = array.ok().map(|(_, bitmap)| bitmap);
        self.row(Plan::FlatArray { slots: slots.ok(), bitmap }, takes)
    }

    fn hot_set(self) -> Remedy {
        let keys = self.ask.keys.or(self.map.live);
        let hot = self.hot_keys(keys);
        let takes = hot.and_then(|(hot, _)| {
            let holds = self.bytes(hot)?;
            Ok(Takes { needs: holds, holds, growths_avoided: None, condition: Some(IS_ZIPF) })
        });
        let array = hot.and_then(|(hot, _)| self.array(hot, hot)).ok().map(|(array, _)| array);
        let (hot, hot_error) = hot.ok().unzip();
        self.row(Plan::HotSet { traffic: self.ask.traffic, keys, hot, hot_error, array }, takes)
    }

    /// How many keys are hot, and by how much that may be off.
    fn hot_keys(self, keys: Option<u64>) -> Answer<(u64, u64)> {
        let Traffic { qps, skew, window } = self.ask.traffic.ok_or(NO_TRAFFIC)?;
        let keys = keys.ok_or(NO_ENTRIES)?;
        if keys == 0 {
            return Err(NO_KEYS);
        }
        let expected = zipf::distinct(keys, skew, qps * (window.0 as f64 / 1e9));
        // Floats become integers by saturating.
        Ok(((expected.sum.ceil() as u64).min(keys), expected.error.ceil() as u64))
    }
}

/// What of `now` is left over.
fn difference(now: Bytes, then: Bytes) -> i64 {
    let by = i128::from(now.0) - i128::from(then.0);
    i64::try_from(by).unwrap_or(if by < 0 { i64::MIN } else { i64::MAX })
}
