//! What a replay takes, beside reading its file: ten million facts about a thousand maps, and about a hundred
//! thousand.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::figure::{Figure, Spread};
use super::{Scope, Show};
use crate::{process, say, workspace};

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
    let mut command = workspace::cargo("build");
    process::loud(command.args(["--release", "-p", "auditor", "--example", "replay_cost"]))?;
    let facts = if scope.quick { QUICK } else { FACTS };
    for maps in MAPS {
        let step = say::step(format!("{facts} facts about {maps} maps"));
        let example = workspace::target().join("release/examples/replay_cost");
        let args = [facts, maps, u64::from(ROUNDS)].map(|number| number.to_string());
        let text = process::output(Command::new(example).args(args))?;
        step.done(format!("{ROUNDS} rounds"));
        show(draw(&serde_json::from_str(&text).context("what replay_cost prints")?));
    }
    Ok(())
}

fn draw(cost: &Cost) -> Vec<Figure> {
    let (facts, maps) = (cost.facts as f64, cost.maps as f64);
    let what = |what: &str| format!("{} k maps: {what}", cost.maps as f64 / 1e3);
    let figure = |name: &str, unit, of: Vec<f64>| Some(Figure::new(PART, what(name), unit, Spread::of(of)?));
    let per_fact = |all: &[f64]| all.iter().map(|ns| ns / facts).collect();
    let over = |all: &[f64]| cost.replay_ns.iter().zip(all).map(|(replay, other)| replay / other).collect();
    [
        figure("a fact on disk", "B", vec![cost.bytes as f64 / facts]),
        figure("a fact read and checksummed", "ns", per_fact(&cost.read_ns)),
        figure("a fact understood", "ns", per_fact(&cost.decode_ns)),
        figure("a fact replayed", "ns", per_fact(&cost.replay_ns)),
        figure("replay over reading the recording", "x", over(&cost.decode_ns))
            .map(|figure| figure.at_most(AIM)),
        figure("replay over reading the bytes", "x", over(&cost.read_ns)),
        figure("memory for a map", "B", vec![cost.memory as f64 / maps]),
    ]
    .into_iter()
    .flatten()
    .collect()
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
