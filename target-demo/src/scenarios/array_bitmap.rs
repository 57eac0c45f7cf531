//! The other remedy, for dense ids: a flat array with a bitmap takes the map's place without an outage.
//! Copy while every write goes to both; one atomic store turns the reads to the array; another turns
//! them back; and only when it is sure is the map dropped.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Scenario;
use crate::stage::{Group, Stage};
use crate::stop::Stopped;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "array_bitmap",
    about: "the flat remedy: dual write, an atomic switch and back, then the map goes",
    maps: 1,
    rounds: 1,
    round: "to the array and back to the map, entries / 4 writes each",
    run,
};

const READS_PER_WRITE: u64 = 10;
const WORD_BITS: u64 = u64::BITS as u64;

/// Values by id, and a bit an id that says whether it has one.
struct Flat {
    present: Vec<u64>,
    values: Vec<u64>,
}

impl Flat {
    fn with_ids(ids: u64) -> Self {
        Self { present: vec![0; ids.div_ceil(WORD_BITS) as usize], values: vec![0; ids as usize] }
    }

    fn set(&mut self, id: u64, value: u64) {
        self.present[(id / WORD_BITS) as usize] |= 1 << (id % WORD_BITS);
        self.values[id as usize] = value;
    }

    fn get(&self, id: u64) -> Option<u64> {
        let is_present = self.present[(id / WORD_BITS) as usize] >> (id % WORD_BITS) & 1 == 1;
        is_present.then(|| self.values[id as usize])
    }
}

/// Both, and which of them answers.
struct Store {
    ids: u64,
    map: Group,
    flat: Flat,
    flat_answers: AtomicBool,
}

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let ids = stage.settings.entries;
    let map = stage.maps("stock");
    for id in 0..ids {
        stage.insert(map, id, id)?;
        for _ in 0..READS_PER_WRITE {
            let read = stage.random.newest_of(&(0..id + 1));
            stage.get(map, read)?;
        }
    }
    let mut store = Store { ids, map, flat: Flat::with_ids(ids), flat_answers: AtomicBool::new(false) };
    store.copy(stage)?;
    for _ in 0..stage.settings.rounds {
        for flat_answers in [true, false] {
            store.flat_answers.store(flat_answers, Ordering::Release);
            store.serve(stage, ids / 4)?;
        }
    }
    store.retire_map(stage)
}

impl Store {
    /// Copies what the map has; a service would do so beside its dual writes, some ids at a time.
    fn copy(&mut self, stage: &mut Stage) -> Result<(), Stopped> {
        for id in 0..self.ids {
            if let Some(value) = stage.get(self.map, id)? {
                self.flat.set(id, value);
            }
        }
        Ok(())
    }

    fn serve(&mut self, stage: &mut Stage, writes: u64) -> anyhow::Result<()> {
        for write in 0..writes {
            let id = stage.random.newest_of(&(0..self.ids));
            stage.insert(self.map, id, write)?;
            self.flat.set(id, write);
            for _ in 0..READS_PER_WRITE {
                let id = stage.random.newest_of(&(0..self.ids));
                self.read(stage, id)?;
            }
        }
        Ok(())
    }

    fn read(&self, stage: &mut Stage, id: u64) -> Result<Option<u64>, Stopped> {
        if self.flat_answers.load(Ordering::Acquire) {
            stage.pace.step()?;
            return Ok(std::hint::black_box(self.flat.get(id)));
        }
        stage.get(self.map, id)
    }

    /// Compares the two id by id, then lets the array answer for good and the map go.
    fn retire_map(&self, stage: &mut Stage) -> anyhow::Result<()> {
        for id in 0..self.ids {
            let differ = stage.get(self.map, id)? != self.flat.get(id);
            stage.add_wrong_reads(differ.into());
        }
        self.flat_answers.store(true, Ordering::Release);
        stage.drop_maps(self.map)?;
        for _ in 0..self.ids {
            let id = stage.random.newest_of(&(0..self.ids));
            self.read(stage, id)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_without_a_value_is_not_one_with_zero() {
        let mut flat = Flat::with_ids(130);
        flat.set(64, 0);
        flat.set(129, 7);
        assert_eq!([63, 64, 65, 129].map(|id| flat.get(id)), [None, Some(0), None, Some(7)]);
    }
}
