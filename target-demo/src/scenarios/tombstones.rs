//! Empty slots that a lookup must still step over: the oldest entries of each chain are deleted, and
//! those that were added last live on behind them.

use super::Scenario;
use crate::stage::Stage;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "tombstones",
    about: "the oldest 3/4 are deleted, the newest keep their chains long",
    maps: 1,
    rounds: 2,
    round: "fill to just short of a doubling, delete the oldest 3/4",
    run,
};

const READS_PER_WRITE: u64 = 6;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let full = stage.entries_just_short_of_growth();
    let kept = full.div_ceil(4);
    let carts = stage.maps("carts");
    let (mut oldest, mut next) = (0, 0);
    for _ in 0..stage.settings.rounds {
        stage.fill(carts, next..oldest + full, READS_PER_WRITE)?;
        next = oldest + full;
        stage.empty(carts, oldest..next, kept, READS_PER_WRITE)?;
        oldest = next - kept;
    }
    Ok(stage.read(carts, oldest..next, full / 2)?)
}
