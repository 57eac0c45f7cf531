//! What the page for a browser takes beside reading the recording that it is of: ten minutes of so many maps are
//! written, then checksummed, read, replayed, and drawn as JSON and as a page, each alone. Prints one JSON object; `cargo xtask bench`
//! draws it.
//!
//! `page_cost MAPS ROUNDS [FOLDER]`; what was made stays in FOLDER. An example and not a program of the product:
//! nobody who audits needs it.

mod incident;

use std::env::args;
use std::fs;
use std::io::{Write as _, stdout};
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};
use auditor::audit::Audit;
use auditor::audit::report::Report;
use auditor::recording;
use auditor::render::{self, Format};

fn main() -> Result<()> {
    let words: Vec<String> = args().skip(1).collect();
    let [maps, rounds, folder @ ..] = words.as_slice() else { bail!("page_cost MAPS ROUNDS [FOLDER]") };
    let (maps, rounds) = (maps.parse::<u64>()?, rounds.parse::<u32>()?);
    let scratch = tempfile::tempdir()?;
    let folder = folder.first().map_or(scratch.path(), Path::new);
    let file = folder.join("incident.rec");
    let facts = incident::record(&file, maps)?;
    let [mut checksum, mut read, mut replay, mut json, mut page] = [const { Vec::new() }; 5];
    let (mut listed, mut drawn) = (0, Vec::new());
    for _ in 0..rounds {
        timed(&mut checksum, || Ok(crc32fast::hash(&fs::read(&file)?)))?;
        timed(&mut read, || Ok(recording::open(&file)?.count() as u64))?;
        let report = timed(&mut replay, || replayed(&file))?;
        timed(&mut json, || rendered(&report, Format::Json))?;
        drawn = timed(&mut page, || rendered(&report, Format::Html))?;
        listed = report.maps.len();
    }
    fs::write(folder.join("incident.html"), &drawn)?;
    let found = serde_json::json!({
        "facts": facts, "maps": listed, "bytes": fs::metadata(&file)?.len(), "page_bytes": drawn.len(),
        "checksum_ns": checksum, "read_ns": read, "replay_ns": replay, "json_ns": json, "page_ns": page,
    });
    Ok(writeln!(stdout(), "{found}")?)
}

fn timed<T>(took: &mut Vec<u64>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    let done = std::hint::black_box(work()?);
    took.push(began.elapsed().as_nanos() as u64);
    Ok(done)
}

fn replayed(file: &Path) -> Result<Report> {
    let mut audit = Audit::new();
    for fact in recording::open(file)? {
        audit.apply(&fact?);
    }
    Ok(audit.report())
}

fn rendered(report: &Report, format: Format) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    render::render(report, format, &mut out)?;
    Ok(out)
}
