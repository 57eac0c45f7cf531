//! `auditor check`: judges a recording, a report or a command by gates, for builds. Gates are read before
//! anything else: a slip in one must not cost the run of a command.

use std::process::ExitStatus;

use anyhow::{Context as _, anyhow, bail};

use super::exit::{CannotAttach, Exit};
use super::faces::{self, Colour, Silent};
use super::run::{self, Ran};
use super::{audit, report_file};
use crate::audit::gate::{self, CommandEnd, Gate, Outcome};
use crate::audit::report::Report;
use crate::cli::{self, Judgeable};
use crate::output::{self, Output};
use crate::render;
use crate::session::setup;
use crate::target::launch;

/// Judges, writes what came of it, and says it by the exit status.
pub(super) fn run(request: &cli::Check, colour: Colour) -> anyhow::Result<Exit> {
    let gates = gates(request)?;
    let baseline = request.baseline.as_deref().map(report_file::last).transpose().context("the baseline")?;
    let judge = |report: &Report| gate::check(&gates, report, baseline.as_ref(), request.strict);
    let (outcome, mut output) = match &request.subject {
        Judgeable::File(file) => {
            let report = report_file::last(file)?;
            let began = output::names(report.target.pid, report_file::began(&report));
            (judge(&report), Output::open(&request.output, &began)?)
        }
        Judgeable::Command(run) => {
            let (Ran { report, status }, output) = audited(run, request)?;
            (Outcome { command: Some(ended(run, status)), ..judge(&report) }, output)
        }
    };
    let paper = faces::paper(colour, &output);
    let written = render::gate::render(&outcome, request.format, paper, &mut output);
    written.with_context(|| format!("cannot write to {}", output.name()))?;
    output.finish()?;
    Ok(exit(&outcome))
}

/// The gates that were asked for, or the usual one.
fn gates(request: &cli::Check) -> anyhow::Result<Vec<Gate>> {
    let usual = [Gate::DEFAULT.to_owned()];
    let texts = if request.gates.is_empty() { usual.as_slice() } else { &request.gates };
    let gates: Vec<Gate> = texts.iter().map(|text| text.parse()).collect::<Result<_, gate::ParseError>>()?;
    let beside = gates.iter().find(|gate| gate.needs_baseline());
    match (beside, &request.baseline) {
        (Some(gate), None) => {
            Err(anyhow!("{gate} needs a baseline: name a recording or a report with --baseline"))
        }
        (None, Some(_)) => {
            bail!("no gate looks at the baseline: write one such as --gate 'peak_rss<=baseline+10%'")
        }
        _ => Ok(gates),
    }
}

/// Runs the command and audits it. The output is open before it runs.
fn audited(run: &cli::Run, request: &cli::Check) -> anyhow::Result<(Ran, Output)> {
    let (program, arguments) = run.command.split_first().context("no command was given")?;
    let stop = audit::stop()?;
    let mut held = launch::hold(program, arguments, run::output_of(&run.audit)).context(CannotAttach)?;
    let output = match Output::open(&request.output, &output::names(held.pid(), setup::wall_clock())) {
        Ok(output) => output,
        Err(error) => {
            held.end();
            return Err(error).context("the command was not run");
        }
    };
    let ran = run::audited(held, &run.audit, stop, || Ok(Box::new(Silent)))?;
    Ok((ran, output))
}

fn ended(run: &cli::Run, status: Option<ExitStatus>) -> CommandEnd {
    let program = run.command.first().map(|program| program.to_string_lossy().into_owned());
    CommandEnd {
        program: program.unwrap_or_default(),
        status: status.map(|status| status.to_string()),
        success: status.map(|status| status.success()),
    }
}

/// A gate that failed says more than data that are incomplete: those can only make it worse.
fn exit(outcome: &Outcome) -> Exit {
    if outcome.failed().next().is_some() || outcome.command_failed() {
        return Exit::Findings;
    }
    if outcome.is_incomplete() { Exit::Incomplete } else { Exit::Clean }
}
