//! A process for the auditor to watch: it plays one incident on maps built as Go's, and at its end
//! says what really happened. docs/demo-map.md is what an outsider may rely on.
//!
//! `scenarios/` has the incidents, `stage.rs` what they work with, `map/` the map, `truth.rs` the truth.

mod cli;
mod clock;
mod map;
mod pace;
mod random;
mod scenarios;
mod stage;
mod stop;
mod truth;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::process::{self, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use cli::Request;
use clock::Clock;
use stage::Stage;
use stop::Stopped;
use truth::Truth;

fn main() -> ExitCode {
    match play(&cli::request()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Plays the scenario and tells the truth, whole or stopped.
fn play(request: &Request) -> anyhow::Result<()> {
    stop::on_signals().context("catching SIGTERM and SIGINT")?;
    if request.wait {
        say(&format!("pid {} waits for a line on stdin", process::id()));
        // Stopped here, the scenario stops before its first operation.
        let _stopped = stop::wait_for_line();
    }
    let mut stage = Stage::new(request.settings);
    let clock = Clock::now();
    let outcome = unless_stopped((request.scenario.run)(&mut stage));
    let (elapsed_ns, cpu_ns) = clock.elapsed();
    hold(request);
    let (maps, disagreements) = stage.settle();
    let truth = Truth {
        schema: Truth::SCHEMA,
        pid: process::id(),
        scenario: request.scenario.name,
        seed: request.settings.seed,
        operations: stage.pace.operations(),
        elapsed_ns,
        cpu_ns,
        maps,
    };
    write(&truth, request.truth.as_deref())?;
    // No table may be let go after the truth was told; the end of the process takes them all.
    std::mem::forget(stage);
    ensure!(disagreements.is_empty(), "the truth disagrees with itself:\n{}", disagreements.join("\n"));
    outcome
}

fn unless_stopped(outcome: anyhow::Result<()>) -> anyhow::Result<()> {
    outcome.or_else(|error| if error.is::<Stopped>() { Ok(()) } else { Err(error) })
}

fn hold(request: &Request) {
    if request.hold.is_zero() || stop::check().is_err() {
        return;
    }
    say(&format!("pid {} holds its maps for {:?}", process::id(), request.hold));
    // Stopped or not, the maps were held for as long as anybody wanted.
    let _stopped = stop::sleep_until(Instant::now() + request.hold);
}

fn write(truth: &Truth, file: Option<&Path>) -> anyhow::Result<()> {
    let Some(path) = file else {
        return truth.write(BufWriter::new(io::stdout().lock())).context("writing the truth to stdout");
    };
    let file = File::create(path).with_context(|| format!("creating {}", path.display()))?;
    truth.write(BufWriter::new(file)).with_context(|| format!("writing the truth to {}", path.display()))
}

/// Says something to the person who watches. That nobody listens is no reason to stop.
fn say(message: &str) {
    writeln!(io::stderr(), "target-demo: {message}").unwrap_or_default();
}
