//! All maps stall together: maps of the same size under the same load pass the same threshold at the
//! same moment, and an avalanche of growths follows.

use super::Scenario;
use crate::stage::{Group, Stage};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "burst",
    about: "an avalanche: all maps (about 4 000 entries each) double at the same moment",
    maps: 250,
    rounds: 1,
    round: "new maps with room for 1/4 are read quietly, then filled at once",
    run,
};

const READS_PER_WRITE: u64 = 28;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let mut before: Option<Group> = None;
    for round in 0..stage.settings.rounds {
        let shards = stage.maps_with_room("shard", stage.share().div_ceil(4));
        if let Some(before) = before.replace(shards) {
            stage.drop_maps(before)?;
        }
        play(stage, shards, round * stage.settings.entries)?;
    }
    Ok(())
}

/// Entry `i` of map `m` is the key `first + m * share + i`, so that all maps grow in step.
fn play(stage: &mut Stage, shards: Group, first: u64) -> anyhow::Result<()> {
    let share = stage.share();
    let quiet = share.div_ceil(4);
    let bases =
        || shards.singles().enumerate().map(move |(number, map)| (map, first + number as u64 * share));
    for (map, base) in bases() {
        stage.fill(map, base..base + quiet, READS_PER_WRITE)?;
    }
    for entry in quiet..share {
        for (map, base) in bases() {
            stage.put(map, base + entry)?;
            stage.read(map, base..base + entry + 1, READS_PER_WRITE)?;
        }
    }
    Ok(())
}
