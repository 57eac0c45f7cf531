//! Expected 1 000 keys, has all there ever were: closing a session sets its value to nothing but leaves
//! its key, as `m[id] = nil` does in Go.

use super::Scenario;
use crate::stage::Stage;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "leak",
    about: "keys that never expire: closing sets the value to 0 and keeps the key",
    maps: 1,
    rounds: 1,
    round: "entries sessions opened, all but the last 1 000 closed",
    run,
};

const READS_PER_WRITE: u64 = 32;
/// Sessions that are open at a time.
const OPEN: u64 = 1_000;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let sessions = stage.maps("sessions");
    for opened in 0..stage.settings.entries * stage.settings.rounds {
        stage.put(sessions, opened)?;
        let oldest_open = (opened + 1).saturating_sub(OPEN);
        if let Some(closed) = oldest_open.checked_sub(1) {
            stage.insert(sessions, stage.keys.at(closed), 0)?;
        }
        stage.read(sessions, oldest_open..opened + 1, READS_PER_WRITE)?;
    }
    Ok(())
}
