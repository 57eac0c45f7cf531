//! Health: presized maps, as many entries all the time, updates and now and then a key that leaves and
//! comes back. An auditor should find nothing.

use super::Scenario;
use crate::stage::Stage;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "steady",
    about: "presized maps under even load: nothing to find",
    maps: 1,
    rounds: 2,
    round: "as many updates as entries",
    run,
};

const READS_PER_WRITE: u64 = 6;
/// One update in this many takes the key out first.
const RETURNS: u64 = 16;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let entries = stage.settings.entries;
    // Some room, as keys do not spread over several maps to the last entry.
    let users = stage.maps_with_room("users", stage.share() + stage.share() / 20);
    stage.fill(users, 0..entries, READS_PER_WRITE)?;
    for update in 0..entries * stage.settings.rounds {
        let index = stage.random.newest_of(&(0..entries));
        if update % RETURNS == 0 {
            stage.take(users, index)?;
        }
        stage.put(users, index)?;
        stage.read(users, 0..entries, READS_PER_WRITE)?;
    }
    Ok(())
}
