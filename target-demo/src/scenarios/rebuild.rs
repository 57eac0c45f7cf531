//! The remedy for a map that lost most of its entries: a new one of the right size, filled from the old
//! one, which is then dropped. Its memory comes back at once.

use super::Scenario;
use crate::stage::{Group, Stage};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "rebuild",
    about: "the remedy: what a mass delete left moves to a new map, the old one goes",
    maps: 1,
    rounds: 1,
    round: "fill, delete, rebuild",
    run,
};

const READS_PER_WRITE: u64 = 8;
/// One entry in this many outlives the mass delete.
const KEPT: u64 = 20;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let entries = stage.settings.entries;
    let mut catalogue = stage.maps("catalogue");
    for round in 0..stage.settings.rounds {
        let these = round * entries..(round + 1) * entries;
        let left = these.end - entries.div_ceil(KEPT)..these.end;
        stage.fill(catalogue, these.clone(), READS_PER_WRITE)?;
        stage.empty(catalogue, these, left.end - left.start, READS_PER_WRITE)?;
        catalogue = rebuilt(stage, catalogue, left)?;
    }
    Ok(())
}

fn rebuilt(stage: &mut Stage, old: Group, left: std::ops::Range<u64>) -> anyhow::Result<Group> {
    let room = (left.end - left.start).div_ceil(stage.settings.maps);
    let new = stage.maps_with_room("catalogue, rebuilt", room);
    for index in left.clone() {
        let key = stage.keys.at(index);
        if let Some(value) = stage.get(old, key)? {
            stage.insert(new, key, value)?;
        }
    }
    stage.drop_maps(old)?;
    stage.read(new, left, stage.settings.entries)?;
    Ok(new)
}
