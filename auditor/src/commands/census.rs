//! `auditor census`: one look at running processes, one after the other. Needs the right to read their
//! memory and nothing else.

use anyhow::Context as _;

use super::exit::{self, CannotLook, Exit};
use super::faces::{self, Colour};
use super::{described, render_format, rules, targets};
use crate::audit::report::Report;
use crate::audit::unit::Pid;
use crate::cli;
use crate::output::{self, Output};
use crate::recording;
use crate::render;
use crate::render::escape;
use crate::session::inspect::{self, Options};
use crate::session::timed::{timed, watched};
use crate::session::{kin, one_look, setup};

/// Looks at each.
pub(super) fn run(request: &cli::Census, colour: Colour) -> anyhow::Result<Exit> {
    let mut pids = targets::pids(&request.targets).context(CannotLook)?;
    if request.follow {
        pids = targets::heads(pids);
    }
    request.check_files(pids.len())?;
    let mut answers = pids.iter().map(|pid| one(*pid, request, colour));
    if let [_] = pids.as_slice() {
        return answers.next().expect("there is one");
    }
    let mut exit = Exit::Clean;
    for answer in answers {
        let ended = answer.unwrap_or_else(|error| {
            log::error!("{}", exit::story(&error));
            Exit::of(&error)
        });
        exit = if exit == Exit::Clean { ended } else { exit };
    }
    Ok(exit)
}

/// Looks at one process. Files come first: what cannot be written is known before the work.
fn one(pid: Pid, request: &cli::Census, colour: Colour) -> anyhow::Result<Exit> {
    let choice = described::choice(&request.runtime, &request.symbols)?;
    let options = Options { runtimes: choice.clone(), ..options(request)? };
    let opened = timed("looking at the target", || inspect::open(pid, &choice)).context(CannotLook)?;
    let names = output::names(pid, setup::wall_clock());
    let recording = recording(request, &names)?;
    let mut output = Output::open(&request.output, &names)?;
    let comm = escape::visible(&opened.process.identity().comm, 32);
    let reading = format!("reading the memory of {comm} ({}), which goes on meanwhile", pid.0);
    let look = if request.follow { kin::look } else { one_look::look };
    let report = watched(&reading, || look(opened, &options, recording)).context(CannotLook)?;
    write(&report, request, colour, &mut output)?;
    output.finish()?;
    Ok(if request.strict && exit::is_incomplete(&report) { Exit::Incomplete } else { Exit::Clean })
}

fn options(request: &cli::Census) -> anyhow::Result<Options> {
    Ok(Options {
        min_bytes: request.min_bytes,
        rss_step: crate::audit::unit::Bytes(0),
        rules: rules::texts(&request.judging)?,
        ..Options::default()
    })
}

fn recording(request: &cli::Census, names: &cli::Names) -> anyhow::Result<Option<recording::Writer>> {
    let Some(pattern) = &request.record else { return Ok(None) };
    let path = pattern.expand(names);
    let file = output::recording(&path, request.output.existing)?;
    Ok(Some(recording::Writer::new(file, &path)?))
}

fn write(report: &Report, request: &cli::Census, colour: Colour, output: &mut Output) -> anyhow::Result<()> {
    let paper = faces::paper(colour, output).with_rows(request.rows);
    let written = render::render_on(report, render_format(request.output.format)?, paper, output);
    written.with_context(|| format!("cannot write to {}", output.name()))
}
