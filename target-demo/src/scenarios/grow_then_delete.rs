//! RSS rose and stays: a mass delete leaves 1 entry in 100 in a table made for all of them.

use super::Scenario;
use crate::stage::Stage;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "grow_then_delete",
    about: "maps grow, lose 99 of 100 entries and keep their tables",
    maps: 1,
    rounds: 1,
    round: "entries / 2 reads of what is left",
    run,
};

const READS_PER_WRITE: u64 = 8;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let entries = stage.settings.entries;
    let kept = entries.div_ceil(100);
    let sessions = stage.maps("sessions");
    stage.fill(sessions, 0..entries, READS_PER_WRITE)?;
    stage.empty(sessions, 0..entries, kept, READS_PER_WRITE)?;
    Ok(stage.read(sessions, entries - kept..entries, entries / 2 * stage.settings.rounds)?)
}
