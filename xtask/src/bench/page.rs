//! What writing the page for a browser takes beside reading the recording that it is of: ten minutes of a thousand
//! maps, and of ten thousand.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::figure::{Figure, Spread};
use super::{Scope, Show};
use crate::{process, say, workspace};

/// The name of this part.
pub(crate) const PART: &str = "page";
const MAPS: [u64; 2] = [1000, 10_000];
/// A round takes a second, and little disturbs it.
const ROUNDS: u32 = 5;
/// Times of reading and replaying the recording, which a page needs first.
const AIM: f64 = 1.0;

/// What the example `page_cost` prints.
#[derive(Debug, Deserialize)]
struct Cost {
    facts: u64,
    maps: u64,
    bytes: u64,
    page_bytes: u64,
    read_ns: Vec<f64>,
    replay_ns: Vec<f64>,
    json_ns: Vec<f64>,
    page_ns: Vec<f64>,
}

/// Measures round by round.
pub(crate) fn measure(_: &Scope, show: Show<'_>) -> Result<()> {
    let mut command = workspace::cargo("build");
    process::loud(command.args(["--release", "-p", "auditor", "--example", "page_cost"]))?;
    for maps in MAPS {
        let step = say::step(format!("ten minutes of {maps} maps"));
        let example = workspace::target().join("release/examples/page_cost");
        let args = [maps, u64::from(ROUNDS)].map(|number| number.to_string());
        let text = process::output(Command::new(example).args(args))?;
        step.done(format!("{ROUNDS} rounds"));
        show(draw(&serde_json::from_str(&text).context("what page_cost prints")?));
    }
    Ok(())
}

fn draw(cost: &Cost) -> Vec<Figure> {
    let what = |what: &str| format!("{} k maps: {what}", cost.maps as f64 / 1e3);
    let figure = |name: &str, unit, of: Vec<f64>| Some(Figure::new(PART, what(name), unit, Spread::of(of)?));
    let ms = |all: &[f64]| all.iter().map(|ns| ns / 1e6).collect();
    let over = |all: &[f64]| cost.page_ns.iter().zip(all).map(|(page, other)| page / other).collect();
    [
        figure("facts of ten minutes", "k", vec![cost.facts as f64 / 1e3]),
        figure("the recording", "MB", vec![cost.bytes as f64 / 1e6]),
        figure("the page", "MB", vec![cost.page_bytes as f64 / 1e6]),
        figure("the recording read", "ms", ms(&cost.read_ns)),
        figure("read and replayed", "ms", ms(&cost.replay_ns)),
        figure("written as JSON", "ms", ms(&cost.json_ns)),
        figure("written as a page", "ms", ms(&cost.page_ns)),
        figure("the page over reading alone", "x", over(&cost.read_ns)),
        figure("the page over reading and replaying", "x", over(&cost.replay_ns))
            .map(|figure| figure.at_most(AIM)),
    ]
    .into_iter()
    .flatten()
    .collect()
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
