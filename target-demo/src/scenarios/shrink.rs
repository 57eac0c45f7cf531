//! What Go's map lacks: after a mass delete the map is asked to shrink, and later writes move what is
//! left into a small table, two buckets each.

use super::Scenario;
use crate::stage::Stage;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "shrink",
    about: "maps grow, lose 99 of 100 entries and are asked to shrink",
    maps: 1,
    rounds: 1,
    round: "all of it, with new entries",
    run,
};

const READS_PER_WRITE: u64 = 8;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let entries = stage.settings.entries;
    let sessions = stage.maps("sessions");
    for round in 0..stage.settings.rounds {
        let these = round * entries..(round + 1) * entries;
        let left = these.end - entries.div_ceil(100)..these.end;
        stage.fill(sessions, these.clone(), READS_PER_WRITE)?;
        stage.empty(sessions, these, left.end - left.start, READS_PER_WRITE)?;
        stage.shrink(sessions);
        while sessions.singles().any(|map| stage.evacuation(map).is_some()) {
            stage.fill(sessions, left.clone(), READS_PER_WRITE)?;
        }
    }
    Ok(())
}
