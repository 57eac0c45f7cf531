//! What reading a recording, replaying it and writing the page of it take: ten minutes of a thousand maps, and of ten
//! thousand.

use anyhow::Result;
use serde::Deserialize;

use super::example::{Example, Figures, over};
use super::figure::Figure;
use super::{Scope, Show};

/// The name of this part.
pub(crate) const PART: &str = "page";
const MAPS: [u64; 2] = [1000, 10_000];
/// A round takes a second, and little disturbs it.
const ROUNDS: u32 = 5;
/// Times of reading the recording alone, which a page needs first; replaying takes longer.
const AIM: f64 = 1.0;

/// What the example `page_cost` prints.
#[derive(Debug, Deserialize)]
struct Cost {
    facts: u64,
    maps: u64,
    bytes: u64,
    page_bytes: u64,
    checksum_ns: Vec<f64>,
    read_ns: Vec<f64>,
    replay_ns: Vec<f64>,
    json_ns: Vec<f64>,
    page_ns: Vec<f64>,
}

/// Measures round by round.
pub(crate) fn measure(_: &Scope, show: Show<'_>) -> Result<()> {
    let example = Example::build("page_cost")?;
    for maps in MAPS {
        let cost = example.run(format!("ten minutes of {maps} maps"), &[maps], ROUNDS)?;
        show(draw(&cost));
    }
    Ok(())
}

fn draw(cost: &Cost) -> Vec<Figure> {
    let mut figures = Figures::new(PART, cost.maps);
    let ms = |all: &[f64]| -> Vec<f64> { all.iter().map(|ns| ns / 1e6).collect() };
    figures.add("facts of ten minutes", "k", [cost.facts as f64 / 1e3]);
    figures.add("the recording", "MB", [cost.bytes as f64 / 1e6]);
    figures.add("the page", "MB", [cost.page_bytes as f64 / 1e6]);
    figures.add("its bytes read and checksummed", "ms", ms(&cost.checksum_ns));
    figures.add("the recording read", "ms", ms(&cost.read_ns));
    figures.add("read and replayed", "ms", ms(&cost.replay_ns));
    figures.add("written as JSON", "ms", ms(&cost.json_ns));
    figures.add("written as a page", "ms", ms(&cost.page_ns));
    figures.add("replay over reading the recording", "x", over(&cost.replay_ns, &cost.read_ns));
    figures.add("the page over reading and replaying", "x", over(&cost.page_ns, &cost.replay_ns));
    figures.aim(AIM, "the page over reading alone", "x", over(&cost.page_ns, &cost.read_ns));
    figures.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_held_against_the_reading_of_its_own_round() {
        let cost = Cost {
            facts: 1000,
            maps: 100,
            bytes: 5000,
            page_bytes: 100_000,
            checksum_ns: vec![1e3],
            read_ns: vec![1e6, 2e6],
            replay_ns: vec![1e6, 2e6],
            json_ns: vec![1e6],
            page_ns: vec![2e6, 1e6],
        };
        let figures = draw(&cost);
        let last = figures.last().unwrap();
        assert_eq!((last.spread.median, last.missed), (1.25, true));
        assert!(figures.iter().rev().skip(1).all(|figure| !figure.missed));
    }
}
