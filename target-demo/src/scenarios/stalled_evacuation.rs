//! RSS stays high after a growth: the writes stop in the middle of it, and since only writes move old
//! buckets, the old table is held for as long as the service only reads.

use super::Scenario;
use crate::map::largest_without_growth;
use crate::stage::{Group, Stage};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "stalled_evacuation",
    about: "writes stop in the middle of the last doubling, reads go on",
    maps: 1,
    rounds: 1,
    round: "10 x entries reads after the last write",
    run,
};

const READS_PER_WRITE: u64 = 12;
/// The writes stop once this part of the old buckets has been moved, in percent.
const MOVED_PERCENT: u64 = 30;

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    let prices = stage.maps("prices");
    let each = last_doubling_within(stage.share());
    for (number, map) in prices.singles().enumerate() {
        let these = number as u64 * each..(number as u64 + 1) * each;
        stage.fill(map, these.clone(), READS_PER_WRITE)?;
        update_until_partly_moved(stage, map, these)?;
    }
    let reads = 10 * each * stage.settings.rounds;
    for (number, map) in prices.singles().enumerate() {
        stage.read(map, number as u64 * each..(number as u64 + 1) * each, reads)?;
    }
    Ok(())
}

/// The number of entries, at most `entries` where that is over 8, whose last one starts a doubling.
fn last_doubling_within(entries: u64) -> u64 {
    let starts = |log2| largest_without_growth(log2) + 1;
    (0..48).map(starts).take_while(|&start| start <= entries).last().unwrap_or(starts(0))
}

fn update_until_partly_moved(
    stage: &mut Stage,
    map: Group,
    these: std::ops::Range<u64>,
) -> anyhow::Result<()> {
    for index in these {
        let Some(progress) = stage.evacuation(map) else { break };
        // The next write moves up to two more.
        if (progress.moved + 2) * 100 > progress.total * MOVED_PERCENT {
            break;
        }
        stage.put(map, index)?;
    }
    Ok(())
}
