//! What a scenario works with: its settings, its maps, and operations that keep the pace. The stage
//! owns the maps, so that they outlive a scenario that a signal stops half-way.

use std::hint::black_box;
use std::ops::Range;

use crate::map::{Blueprint, Progress, Spread, largest_without_growth};
use crate::pace::Pace;
use crate::random::{Keys, Random, scale};
use crate::stop::{Stopped, check};
use crate::truth::{Account, MapTruth};

/// What the user asked a scenario for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Entries, over all maps.
    pub(crate) entries: u64,
    /// Maps to spread them over.
    pub(crate) maps: u64,
    /// As the scenario says.
    pub(crate) rounds: u64,
    /// Where all chance comes from.
    pub(crate) seed: u64,
    /// Threads, where the scenario has several.
    pub(crate) threads: usize,
    /// Operations a second; `None`: unlimited.
    pub(crate) rate: Option<f64>,
}

/// Some maps that share their keys: each key has its place in one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    first: usize,
    maps: usize,
}

impl Group {
    #[inline]
    const fn place_of(self, key: u64) -> usize {
        if self.maps == 1 {
            return self.first;
        }
        // Dense keys must spread too, hence the multiplication.
        self.first + scale(key.wrapping_mul(0x9e37_79b9_7f4a_7c15), self.maps as u64) as usize
    }

    /// Each of its maps as a group of its own.
    pub(crate) fn singles(self) -> impl Iterator<Item = Self> + Clone {
        (self.first..self.first + self.maps).map(|first| Self { first, maps: 1 })
    }
}

/// See the top of this file.
#[derive(Debug)]
pub(crate) struct Stage {
    /// What the user asked for.
    pub(crate) settings: Settings,
    /// The keys of this run.
    pub(crate) keys: Keys,
    /// For what a scenario leaves to chance.
    pub(crate) random: Random,
    /// How fast operations go.
    pub(crate) pace: Pace,
    accounts: Vec<Account>,
    wrong_reads: u64,
}

impl Stage {
    /// An empty one.
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            keys: Keys::new(settings.seed),
            random: Random::new(settings.seed, 0),
            pace: Pace::new(settings.rate),
            accounts: Vec::new(),
            wrong_reads: 0,
        }
    }

    /// As many new maps as the user asked for.
    pub(crate) fn maps(&mut self, name: &str) -> Group {
        self.maps_with(name, 0, Spread::Even)
    }

    /// The same, each with room for `entries` from the beginning.
    pub(crate) fn maps_with_room(&mut self, name: &str, entries: u64) -> Group {
        self.maps_with(name, entries, Spread::Even)
    }

    /// The same, with a hash that puts all keys into a few buckets.
    pub(crate) fn clustered_maps(&mut self, name: &str) -> Group {
        self.maps_with(name, 0, Spread::Clustered)
    }

    fn maps_with(&mut self, name: &str, room_for: u64, spread: Spread) -> Group {
        let maps = self.settings.maps;
        let named = |number| if maps == 1 { name.to_owned() } else { format!("{name}/{number}") };
        let group = Group { first: self.accounts.len(), maps: maps as usize };
        (0..maps).for_each(|number| self.add(named(number), room_for, spread));
        group
    }

    /// One new map, with room for `entries` from the beginning.
    pub(crate) fn one_map_with_room(&mut self, name: String, entries: u64) -> Group {
        self.add(name, entries, Spread::Even);
        Group { first: self.accounts.len() - 1, maps: 1 }
    }

    fn add(&mut self, name: String, room_for: u64, spread: Spread) {
        let seed = Random::new(self.settings.seed, self.accounts.len() as u64 + 1).next();
        self.accounts.push(Account::open(&Blueprint { name, room_for, seed, spread }));
    }

    /// The entries of one map, if all have the same.
    pub(crate) const fn share(&self) -> u64 {
        self.settings.entries.div_ceil(self.settings.maps)
    }

    /// The most entries not over those asked for with which one map is just short of a growth, less 2
    /// in 100; so that a little more fills it, and all maps together.
    pub(crate) fn entries_just_short_of_growth(&self) -> u64 {
        let full = |log2| largest_without_growth(log2) * 98 / 100;
        let most = (0..48).map(full).take_while(|&full| full <= self.share()).last();
        most.unwrap_or(self.share()) * self.settings.maps
    }

    /// Sets a value; returns the one before.
    #[inline]
    pub(crate) fn insert(&mut self, group: Group, key: u64, value: u64) -> Result<Option<u64>, Stopped> {
        self.pace.step()?;
        Ok(self.accounts[group.place_of(key)].insert(key, value))
    }

    /// Reads a value.
    #[inline]
    pub(crate) fn get(&mut self, group: Group, key: u64) -> Result<Option<u64>, Stopped> {
        self.pace.step()?;
        Ok(self.accounts[group.place_of(key)].get(key))
    }

    /// Puts the `index`-th key in, or writes it again.
    #[inline]
    pub(crate) fn put(&mut self, group: Group, index: u64) -> Result<(), Stopped> {
        self.insert(group, self.keys.at(index), index).map(drop)
    }

    /// Takes the `index`-th key out.
    #[inline]
    pub(crate) fn take(&mut self, group: Group, index: u64) -> Result<(), Stopped> {
        self.pace.step()?;
        let key = self.keys.at(index);
        self.accounts[group.place_of(key)].remove(key);
        Ok(())
    }

    /// Reads `times` keys, mostly the newest, of those with an index of `range`. All must be there.
    pub(crate) fn read(&mut self, group: Group, range: Range<u64>, times: u64) -> Result<(), Stopped> {
        for _ in 0..times {
            let index = self.random.newest_of(&range);
            let value = black_box(self.get(group, self.keys.at(index))?);
            self.wrong_reads += u64::from(value != Some(index));
        }
        Ok(())
    }

    /// Puts in the keys of `range`, one after the other, and reads `reads` of them after each.
    pub(crate) fn fill(&mut self, group: Group, range: Range<u64>, reads: u64) -> Result<(), Stopped> {
        for index in range.clone() {
            self.put(group, index)?;
            self.read(group, range.start..index + 1, reads)?;
        }
        Ok(())
    }

    /// Takes out the keys of `range` but not those of its last `keep`, and reads `reads` of what is left
    /// after each.
    pub(crate) fn empty(
        &mut self,
        group: Group,
        range: Range<u64>,
        keep: u64,
        reads: u64,
    ) -> Result<(), Stopped> {
        for index in range.start..range.end.saturating_sub(keep).max(range.start) {
            self.take(group, index)?;
            if index + 1 < range.end {
                self.read(group, index + 1..range.end, reads)?;
            }
        }
        Ok(())
    }

    /// Lets the maps of a group go.
    pub(crate) fn drop_maps(&mut self, group: Group) -> Result<(), Stopped> {
        for account in &mut self.accounts[group.first..group.first + group.maps] {
            check()?;
            account.drop_map();
        }
        Ok(())
    }

    /// Asks the maps of a group to shrink.
    pub(crate) fn shrink(&mut self, group: Group) {
        self.accounts[group.first..group.first + group.maps].iter_mut().for_each(Account::shrink);
    }

    /// How far the evacuation of a group's first map is.
    pub(crate) fn evacuation(&self, group: Group) -> Option<Progress> {
        self.accounts[group.first].map()?.evacuation()
    }

    /// Hands all maps out, for threads to share, until [`Stage::take_back`].
    pub(crate) fn hand_out(&mut self) -> Vec<Account> {
        std::mem::take(&mut self.accounts)
    }

    /// Takes the maps back, in the same order.
    pub(crate) fn take_back(&mut self, accounts: Vec<Account>) {
        self.accounts = accounts;
    }

    /// Notes reads that did not find what was put there.
    pub(crate) const fn add_wrong_reads(&mut self, wrong: u64) {
        self.wrong_reads += wrong;
    }

    /// The truth about every map there was, in the order of their creation, and what disagrees with it.
    pub(crate) fn settle(&self) -> (Vec<MapTruth>, Vec<String>) {
        let (maps, found): (Vec<_>, Vec<_>) = self.accounts.iter().map(Account::settle).unzip();
        let mut found = found.concat();
        if self.wrong_reads > 0 {
            found.push(format!("{} reads did not find what had been put there", self.wrong_reads));
        }
        (maps, found)
    }
}
