//! `auditor diff BEFORE AFTER`: what changed between two recordings or reports. That they differ is no error.

use anyhow::Context as _;

use super::exit::Exit;
use super::faces::{self, Colour};
use super::{render_format, report_file};
use crate::audit::diff;
use crate::cli;
use crate::output::{self, Output};
use crate::render;

/// Holds the two against each other.
pub(super) fn run(request: &cli::Diff, colour: Colour) -> anyhow::Result<Exit> {
    let format = render_format(request.output.format)?;
    let before = report_file::last(&request.before).context("BEFORE")?;
    let after = report_file::last(&request.after).context("AFTER")?;
    let names = output::names(after.target.pid, report_file::began(&after));
    let mut output = Output::open(&request.output, &names)?;
    let paper = faces::paper(colour, &output).with_rows(request.rows);
    let written = render::diff::render(&diff::diff(&before, &after), format, paper, &mut output);
    written.with_context(|| format!("cannot write to {}", output.name()))?;
    output.finish()?;
    Ok(Exit::Clean)
}
