//! The maps of a row in one of the reports, added up.

use serde::{Deserialize, Serialize};

use crate::audit::report::{Map, Population};
use crate::audit::unit::{Address, Bytes, Pid};

/// Maps of one report. What is not known of one of them is not known of them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// The map; `null`: they are several.
    pub address: Option<Address>,
    /// In which member of a family; `null`: they are several, or one process was audited.
    pub pid: Option<Pid>,
    /// How many they are, dropped ones too.
    pub maps: u64,
    /// How many of them live. What follows is of these, but for growths and peak.
    pub alive: u64,
    /// Entries that a lookup could find.
    pub live: Option<u64>,
    /// Slots in the current tables.
    pub capacity: Option<u64>,
    /// All bytes that they hold.
    pub allocated: Option<Bytes>,
    /// The part of it that is in RAM; `null`: not asked, or a population.
    pub resident: Option<Bytes>,
    /// What of that the entries would not need in maps just rebuilt.
    pub stranded: Option<Bytes>,
    /// Growths of all kinds; `null`: no hook tells.
    pub growths: Option<u64>,
    /// The most that the largest of them ever held; `null`: not seen, or a population.
    pub peak: Option<Bytes>,
}

impl Side {
    /// One map. A dropped one holds nothing.
    pub(super) fn of_map(map: &Map) -> Self {
        let lives = map.died.is_none();
        let living = |value: Option<u64>| if lives { value } else { Some(0) };
        let bytes = |value: Option<Bytes>| living(value.map(|bytes| bytes.0)).map(Bytes);
        Self {
            address: Some(map.address),
            pid: map.pid,
            maps: 1,
            alive: u64::from(lives),
            live: living(map.live),
            capacity: living(map.capacity),
            allocated: bytes(map.bytes.allocated),
            resident: bytes(map.bytes.resident),
            stranded: bytes(map.bytes.stranded),
            growths: map.growths.in_all(),
            peak: map.bytes.peak,
        }
    }

    /// Maps that are not listed one by one.
    pub(super) fn of_crowd(crowd: &Population) -> Self {
        Self {
            address: None,
            pid: None,
            maps: crowd.maps,
            alive: crowd.alive,
            live: Some(crowd.live),
            capacity: Some(crowd.capacity),
            allocated: Some(crowd.bytes.allocated),
            resident: None,
            stranded: crowd.bytes.stranded,
            growths: crowd.growths.in_all(),
            peak: None,
        }
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        let count = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
        let bytes = |one: Option<Bytes>, other: Option<Bytes>| Some(one? + other?);
        Self {
            address: None,
            pid: None,
            maps: self.maps.saturating_add(other.maps),
            alive: self.alive.saturating_add(other.alive),
            live: count(self.live, other.live),
            capacity: count(self.capacity, other.capacity),
            allocated: bytes(self.allocated, other.allocated),
            resident: bytes(self.resident, other.resident),
            stranded: bytes(self.stranded, other.stranded),
            growths: count(self.growths, other.growths),
            peak: self.peak.zip(other.peak).map(|(one, other)| one.max(other)),
        }
    }

    /// By what the largest comes first: what is held, else what was.
    pub(super) fn size(&self) -> (u64, u64) {
        let bytes = |size: Option<Bytes>| size.map_or(0, |size| size.0);
        (bytes(self.allocated), bytes(self.peak))
    }
}
