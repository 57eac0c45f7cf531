//! A hash that puts all keys into one bucket of sixteen: the load factor looks healthy, but every lookup
//! steps through a chain of overflow buckets.

use super::Scenario;
use crate::stage::Stage;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "bad_hash",
    about: "all keys fall into one bucket of sixteen: chains of up to 100 keys",
    maps: 1,
    rounds: 1,
    round: "entries / 2 reads once all are in",
    run,
};

const READS_PER_WRITE: u64 = 4;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let entries = stage.settings.entries;
    let names = stage.clustered_maps("names");
    stage.fill(names, 0..entries, READS_PER_WRITE)?;
    Ok(stage.read(names, 0..entries, entries / 2 * stage.settings.rounds)?)
}
