//! Which of the maps comes first in the report.

use std::cmp::Reverse;

use super::held;
use super::life::Life;
use super::unit::{Address, Bytes, Nanos};

/// Fate, bytes in RAM, bytes, address, birth.
pub(super) type Rank = (u8, Reverse<(Option<Bytes>, Bytes)>, Address, Option<Nanos>);

/// Most in RAM first, and where nobody asked for it the largest behind those; but what waits for the collector
/// comes behind what does not, and the dropped last. What is left of maps of equal size is told apart by address
/// and age.
pub(super) fn rank(life: &Life) -> Rank {
    let fate = match (life.gone, held::waits(life)) {
        (Some(_), _) => return (2, Reverse((None, Bytes(0))), life.address, life.born()),
        (None, true) => 1,
        (None, false) => 0,
    };
    (fate, Reverse((held::in_ram(life), life.holding.allocated())), life.address, life.born())
}
