//! The plainest incident: a map that doubles again and again, so that for a while two tables are held.

use super::Scenario;
use crate::stage::Stage;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "grow",
    about: "maps grow from nothing, doubling by doubling",
    maps: 1,
    rounds: 1,
    round: "entries / 2 reads once all are in",
    run,
};

const READS_PER_WRITE: u64 = 16;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let entries = stage.settings.entries;
    let orders = stage.maps("orders");
    stage.fill(orders, 0..entries, READS_PER_WRITE)?;
    Ok(stage.read(orders, 0..entries, entries / 2 * stage.settings.rounds)?)
}
