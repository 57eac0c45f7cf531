//! Examples of the auditor that measure in turns what a recording takes, and print what they found as one JSON object.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use super::figure::{Figure, Spread};
use crate::{process, say, workspace};

/// One of them, built.
pub(crate) struct Example(&'static str);

impl Example {
    /// Builds it.
    pub(crate) fn build(name: &'static str) -> Result<Self> {
        let mut command = workspace::cargo("build");
        process::loud(command.args(["--release", "-p", "auditor", "--example", name]))?;
        Ok(Self(name))
    }

    /// What it finds in so many rounds.
    pub(crate) fn run<T: DeserializeOwned>(&self, about: String, of: &[u64], rounds: u32) -> Result<T> {
        let step = say::step(about);
        let mut command = Command::new(workspace::target().join("release/examples").join(self.0));
        command.args(of.iter().map(u64::to_string)).arg(rounds.to_string());
        let text = process::output(&mut command)?;
        step.done(format!("{rounds} rounds"));
        serde_json::from_str(&text).with_context(|| format!("what {} prints", self.0))
    }
}

/// Figures about one recording.
pub(crate) struct Figures {
    part: &'static str,
    maps: u64,
    all: Vec<Figure>,
}

impl Figures {
    /// None yet, of one with so many maps.
    pub(crate) const fn new(part: &'static str, maps: u64) -> Self {
        Self { part, maps, all: Vec::new() }
    }

    /// One more, of these values.
    pub(crate) fn add(&mut self, what: &str, unit: &'static str, of: impl IntoIterator<Item = f64>) {
        self.all.extend(self.figure(what, unit, of));
    }

    /// One more, with an aim.
    pub(crate) fn aim(
        &mut self,
        most: f64,
        what: &str,
        unit: &'static str,
        of: impl IntoIterator<Item = f64>,
    ) {
        self.all.extend(self.figure(what, unit, of).map(|figure| figure.at_most(most)));
    }

    /// All of them.
    pub(crate) fn done(self) -> Vec<Figure> {
        self.all
    }

    fn figure(&self, what: &str, unit: &'static str, of: impl IntoIterator<Item = f64>) -> Option<Figure> {
        let what = format!("{} k maps: {what}", self.maps as f64 / 1e3);
        Some(Figure::new(self.part, what, unit, Spread::of(of)?))
    }
}

/// What one thing takes over what another does in the same round.
pub(crate) fn over(all: &[f64], others: &[f64]) -> Vec<f64> {
    all.iter().zip(others).map(|(one, other)| one / other).collect()
}
