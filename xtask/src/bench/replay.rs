//! What a replay takes, beside reading its file: ten million facts about a thousand maps, and about a hundred
//! thousand.

use anyhow::Result;
use serde::Deserialize;

use super::example::{Example, Figures, over};
use super::figure::Figure;
use super::{Scope, Show};

/// The name of this part.
pub(crate) const PART: &str = "replay";
const FACTS: u64 = 10_000_000;
const QUICK: u64 = 1_000_000;
const MAPS: [u64; 2] = [1000, 100_000];
/// A round takes seconds, and little disturbs it.
const ROUNDS: u32 = 3;
/// Times of reading the file and understanding what is in it.
const AIM: f64 = 3.0;

/// What the example `replay_cost` prints.
#[derive(Debug, Deserialize)]
struct Cost {
    facts: u64,
    maps: u64,
    bytes: u64,
    memory: u64,
    read_ns: Vec<f64>,
    decode_ns: Vec<f64>,
    replay_ns: Vec<f64>,
}

/// Measures round by round.
pub(crate) fn measure(scope: &Scope, show: Show<'_>) -> Result<()> {
    let example = Example::build("replay_cost")?;
    let facts = if scope.quick { QUICK } else { FACTS };
    for maps in MAPS {
        let cost = example.run(format!("{facts} facts about {maps} maps"), &[facts, maps], ROUNDS)?;
        show(draw(&cost));
    }
    Ok(())
}

fn draw(cost: &Cost) -> Vec<Figure> {
    let (facts, maps) = (cost.facts as f64, cost.maps as f64);
    let mut figures = Figures::new(PART, cost.maps);
    let per_fact = |all: &[f64]| -> Vec<f64> { all.iter().map(|ns| ns / facts).collect() };
    figures.add("a fact on disk", "B", [cost.bytes as f64 / facts]);
    figures.add("a fact read and checksummed", "ns", per_fact(&cost.read_ns));
    figures.add("a fact understood", "ns", per_fact(&cost.decode_ns));
    figures.add("a fact replayed", "ns", per_fact(&cost.replay_ns));
    let read = over(&cost.replay_ns, &cost.decode_ns);
    figures.aim(AIM, "replay over reading the recording", "x", read);
    figures.add("replay over reading the bytes", "x", over(&cost.replay_ns, &cost.read_ns));
    figures.add("memory for a map", "B", [cost.memory as f64 / maps]);
    figures.done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_held_against_the_reading_of_its_own_round() {
        let cost = Cost {
            facts: 1000,
            maps: 100,
            bytes: 5000,
            memory: 100_000,
            read_ns: vec![1e3],
            decode_ns: vec![1e5],
            replay_ns: vec![4e5],
        };
        let figures = draw(&cost);
        let shown: Vec<(f64, bool)> =
            figures.iter().map(|figure| (figure.spread.median, figure.missed)).collect();
        let medians = [5.0, 1.0, 100.0, 400.0, 4.0, 400.0, 1000.0];
        assert_eq!(shown.iter().map(|(median, _)| *median).collect::<Vec<_>>(), medians);
        assert_eq!(shown.iter().map(|(_, missed)| *missed).collect::<Vec<_>>()[4..6], [true, false]);
    }
}
