//! What is on the screen, to a new file in the current folder.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, bail};

use crate::audit::report::Report;
use crate::output::{self, Output, OutputError};
use crate::render::{self, Format, escape};

/// Snapshots of one moment.
const MOST: u32 = 99;
/// Cells of what is said.
const SAID: usize = 400;

/// Writes it, and says in one harmless line where it is, or why it is not.
pub(super) fn write(report: Option<&Rc<Report>>) -> String {
    let said = match report.map(|report| write_to(Path::new(""), report)) {
        None => "there is no report yet".to_owned(),
        Some(Ok(path)) => format!("written: {} (JSON, mode 0600, in the current folder)", path.display()),
        Some(Err(error)) => format!("not written: {error:#}"),
    };
    escape::visible(&said, SAID)
}

/// Writes it to a file whose name has the process and the moment, and a number where that is taken.
fn write_to(folder: &Path, report: &Report) -> anyhow::Result<PathBuf> {
    for number in 1..=MOST {
        let path = folder.join(name(report, number));
        let mut output = match Output::snapshot(&path) {
            Err(OutputError::Exists(_) | OutputError::Link(_) | OutputError::Directory(_)) => continue,
            opened => opened?,
        };
        let written = render::render(report, Format::Json, &mut output);
        written.with_context(|| format!("cannot write to {}", output.name()))?;
        output.finish()?;
        return Ok(path);
    }
    bail!("there are {MOST} snapshots of this moment already: move them")
}

/// `auditor-4711-20260301T120346Z.json`, `auditor-4711-20260301T120346Z-2.json`.
fn name(report: &Report, number: u32) -> String {
    let window = &report.window;
    let began: Option<jiff::Timestamp> = window.wall_start.parse().ok();
    let began = began.and_then(|began| u64::try_from(began.as_nanosecond()).ok()).unwrap_or(0);
    let then = began.saturating_add(window.end.since(window.start).0);
    let names = output::names(report.target.pid, then);
    let again = if number > 1 { format!("-{number}") } else { String::new() };
    format!("auditor-{}-{}{again}.json", report.target.pid.0, names.time)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_snapshot_is_a_report_for_its_owner_alone_and_replaces_nothing() {
        let folder = std::env::temp_dir().join(format!("auditor-snapshot-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let report = crate::audit::Audit::new().report();
        let first = write_to(&folder, &report).unwrap();
        let second = write_to(&folder, &report).unwrap();
        assert_eq!(first.file_name().unwrap(), "auditor-0-19700101T000000Z.json");
        assert_eq!(second.file_name().unwrap(), "auditor-0-19700101T000000Z-2.json");
        for path in [&first, &second] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
            let read: Report = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            assert_eq!(read, report);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(&folder).unwrap();
    }
}
