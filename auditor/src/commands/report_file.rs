//! The report of a file: of a recording, replayed to its end, or of what `-f json` or `-f ndjson` wrote.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::audit::Audit;
use crate::audit::report::{Report, SCHEMA};
use crate::recording;
use crate::render::escape;
use crate::session::timed::watched;

/// Cells of a schema that is not ours.
const SHOWN: usize = 40;

/// The last report of a file.
///
/// # Errors
/// When it cannot be read, or is neither.
pub(super) fn last(path: &Path) -> anyhow::Result<Report> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut reader = BufReader::new(file);
    let begin = reader.fill_buf().with_context(|| format!("cannot read {}", path.display()))?;
    let first = begin.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_json = first == Some(&b'{');
    watched(&format!("reading {}", path.display()), || {
        if is_json { of_json(reader, path) } else { of_recording(reader, path) }
    })
}

/// When the audit of a report began, in ns since the Unix epoch; 0 where it does not say.
pub(super) fn began(report: &Report) -> u64 {
    let began: Option<jiff::Timestamp> = report.window.wall_start.parse().ok();
    began.and_then(|began| u64::try_from(began.as_nanosecond()).ok()).unwrap_or(0)
}

/// Its last object, read as a report only then.
fn of_json(reader: impl Read, path: &Path) -> anyhow::Result<Report> {
    let name = path.display();
    let mut last = Value::Null;
    for object in serde_json::Deserializer::from_reader(reader).into_iter::<Value>() {
        last = object.with_context(|| format!("{name} begins as JSON and is damaged"))?;
    }
    match last.get("schema").and_then(Value::as_str) {
        Some(SCHEMA) => {}
        Some(schema) => {
            let schema = escape::visible(schema, SHOWN);
            bail!(
                "{name} has the schema {schema}, and this auditor reads {SCHEMA}: take the auditor that wrote it"
            );
        }
        None => bail!("{name} is JSON, but no report: it has no schema; `-f json` writes reports"),
    }
    serde_json::from_value(last)
        .with_context(|| format!("{name} is not a whole {SCHEMA}: take the auditor that wrote it"))
}

/// What was seen up to its end, or to where it is damaged.
fn of_recording(reader: impl Read, path: &Path) -> anyhow::Result<Report> {
    let mut audit = Audit::new();
    let mut facts = 0_u64;
    for fact in recording::read(reader, path)? {
        match fact {
            Ok(fact) => audit.apply(&fact),
            Err(damage) if facts == 0 => return Err(damage.into()),
            Err(damage) => {
                log::warn!("{damage}");
                break;
            }
        }
        facts += 1;
    }
    if facts == 0 {
        bail!("{} breaks off before its first fact: there is nothing to answer from", path.display());
    }
    if audit.ended().is_none() {
        log::warn!("{} breaks off: the answers are of the last that it has", path.display());
    }
    Ok(audit.report())
}
