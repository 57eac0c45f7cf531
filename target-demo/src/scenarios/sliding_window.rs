//! Memory grows though the number of keys does not: newest in, oldest out. New keys fall into other
//! buckets than the old ones left, so that bucket after bucket gets an overflow bucket, until there
//! are as many as buckets and a growth to the same size clears them all away.

use super::Scenario;
use crate::stage::Stage;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "sliding_window",
    about: "newest in, oldest out: overflow until a growth to the same size",
    maps: 1,
    rounds: 9,
    round: "a turnover of the window, which is just short of a doubling",
    run,
};

const READS_PER_WRITE: u64 = 2;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let window = stage.entries_just_short_of_growth();
    let events = stage.maps("events");
    stage.fill(events, 0..window, READS_PER_WRITE)?;
    for oldest in 0..window * stage.settings.rounds {
        stage.take(events, oldest)?;
        stage.put(events, oldest + window)?;
        stage.read(events, oldest + 1..oldest + window + 1, READS_PER_WRITE)?;
    }
    Ok(())
}
