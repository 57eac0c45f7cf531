//! Thousands of small maps: one a request, presized from a raw count. Every fourth gets 1/16 of what it
//! has room for: near-empty and over-presized.

use super::Scenario;
use crate::stage::Stage;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "many_small",
    about: "many presized maps (about 1 000 entries each), every fourth nearly empty",
    maps: 1_000,
    rounds: 2,
    round: "all maps are made and filled, those before dropped one by one",
    run,
};

const READS_PER_WRITE: u64 = 64;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let share = stage.share();
    let mut before = Vec::new();
    let mut next = 0;
    for round in 0..stage.settings.rounds {
        let mut made = Vec::new();
        for number in 0..stage.settings.maps {
            if let Some(old) = before.get(number as usize) {
                stage.drop_maps(*old)?;
            }
            let map = stage.one_map_with_room(format!("request/{round}/{number}"), share);
            let entries = if number % 4 == 3 { share.div_ceil(16) } else { share };
            stage.fill(map, next..next + entries, READS_PER_WRITE)?;
            next += entries;
            made.push(map);
        }
        before = made;
    }
    Ok(())
}
