//! `auditor whatif`: what would become of one map, by one look at a process or from a file.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};

use super::exit::{CannotLook, Exit};
use super::faces::{self, Colour};
use super::{described, render_format, report_file};
use crate::audit::report::{Map, Report};
use crate::audit::unit::{Address, Bytes, Nanos, Pid};
use crate::audit::whatif::{self, Ask, Traffic};
use crate::cli::{self, RuntimeChoice, Source};
use crate::output::{self, Output};
use crate::render::columns::maps::label;
use crate::render::{headline, human};
use crate::session::inspect::{self, Options};
use crate::session::timed::{timed, watched};
use crate::session::{one_look, setup};

/// Maps that are named where none was, or one that is not there.
const NAMED: usize = 6;
/// Cells for the name of one.
const NAME: usize = 32;

/// Answers.
pub(super) fn run(request: &cli::WhatIf, colour: Colour) -> anyhow::Result<Exit> {
    let format = render_format(request.output.format)?;
    let (report, mut output) = report(request)?;
    let map = request.map.ok_or_else(|| anyhow!("which map? --map ADDRESS takes {}", largest(&report)))?;
    let answers = whatif::answer(&report, map, &ask(request))
        .map_err(|error| anyhow!("{error}; --map ADDRESS takes {}", largest(&report)))?;
    let paper = faces::paper(colour, &output);
    let written = crate::render::whatif::render(&answers, format, paper, &mut output);
    written.with_context(|| format!("cannot write to {}", output.name()))?;
    output.finish()?;
    Ok(Exit::Clean)
}

/// What is known, and where the answers go.
fn report(request: &cli::WhatIf) -> anyhow::Result<(Report, Output)> {
    match &request.source {
        Source::File(file) => {
            let report = report_file::last(file)?;
            let names = output::names(report.target.pid, report_file::began(&report));
            let output = Output::open(&request.output, &names)?;
            Ok((report, output))
        }
        Source::Process { pid, runtime, symbols, min_bytes } => {
            let output = Output::open(&request.output, &output::names(*pid, setup::wall_clock()))?;
            Ok((look(*pid, runtime, symbols, *min_bytes)?, output))
        }
    }
}

/// As a census looks.
fn look(pid: Pid, runtime: &RuntimeChoice, symbols: &[PathBuf], min_bytes: Bytes) -> anyhow::Result<Report> {
    let choice = described::choice(runtime, symbols)?;
    let options = Options { min_bytes, rss_step: Bytes(0), ..Options::default() };
    let opened = timed("looking at the target", || inspect::open(pid, &choice)).context(CannotLook)?;
    let reading = format!("reading the memory of process {}, which goes on meanwhile", pid.0);
    watched(&reading, || one_look::look(opened, &options, None)).context(CannotLook)
}

fn ask(request: &cli::WhatIf) -> Ask {
    let window = Nanos(u64::try_from(request.window.as_nanos()).unwrap_or(u64::MAX));
    Ask {
        keys: request.keys,
        shards: request.shards.clone(),
        slots: request.slots,
        traffic: request.traffic.map(|(qps, skew)| Traffic { qps, skew, window }),
    }
}

/// The largest maps that live, in one line.
fn largest(report: &Report) -> String {
    let living = || report.maps.iter().filter(|map| map.died.is_none());
    let named: Vec<String> = living().take(NAMED).map(named).collect();
    let more = living().count() - named.len();
    match (named.as_slice(), more) {
        ([], _) => "none: no map is listed; --min-bytes 0 lists small ones too".to_owned(),
        (_, 0) => named.join(", "),
        (_, more) => format!("{}, or one of {more} smaller", named.join(", ")),
    }
}

/// `0x7f3a10000040 (sessions, 63.0 MiB)`.
fn named(map: &Map) -> String {
    let Map { address, .. } = map;
    let size = headline::held(map).map(|held| human::bytes(held.bytes()));
    let name = Some(label(map, NAME)).filter(|name| !is_address(name, *address));
    let about: Vec<String> = name.into_iter().chain(size).collect();
    if about.is_empty() { address.to_string() } else { format!("{address} ({})", about.join(", ")) }
}

fn is_address(name: &str, address: Address) -> bool {
    name == address.to_string()
}
