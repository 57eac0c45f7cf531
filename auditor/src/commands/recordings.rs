//! What `--record`, `--ring` and `--trigger` make of facts: one file, or one each time that something happens.

use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use crate::audit::unit::{Nanos, Pid};
use crate::cli::{self, Overwrite, Pattern};
use crate::output::{self, OutputError};
use crate::recording::Writer;
use crate::recording::flight::trigger::Trigger;
use crate::session::keep::Keep;
use crate::session::scribe::Shelf;
use crate::session::setup;

/// Files beside each other that are looked through for a free name.
const MOST_NAMES: u32 = 1_000;

/// Where the facts of an audit go; `None`: nowhere.
///
/// # Errors
/// A condition that cannot be read; a file that cannot be created, now or when it would be asked for.
pub(super) fn keep(request: &cli::Audit, pid: Pid) -> anyhow::Result<Option<Keep>> {
    let Some(pattern) = &request.record else { return Ok(None) };
    let path = pattern.expand(&output::names(pid, setup::wall_clock()));
    let existing = request.output.existing;
    let Some(ring) = &request.ring else {
        let file = output::recording(&path, existing)?;
        return Ok(Some(Keep::All(Writer::new(file, &path)?)));
    };
    let triggers = triggers(&ring.triggers)?;
    output::try_recording(&path, existing)?;
    let window = Nanos(u64::try_from(ring.window.as_nanos()).unwrap_or(u64::MAX));
    let shelf = Numbered { pattern: pattern.clone(), pid, existing };
    let keep = Keep::last(window, &triggers, Box::new(shelf))
        .context("starting the thread that writes recordings")?;
    Ok(Some(keep))
}

/// The conditions, before anything is attached.
pub(super) fn triggers(texts: &[String]) -> anyhow::Result<Vec<Trigger>> {
    let read = |text: &String| text.parse().map_err(|error: String| anyhow!("{error}"));
    texts.iter().map(|text| read(text).with_context(|| format!("--trigger {text:?}"))).collect()
}

/// The file that was named, and others beside it.
#[derive(Debug)]
struct Numbered {
    pattern: Pattern,
    pid: Pid,
    /// Of the first one; what this audit has written is never replaced.
    existing: Overwrite,
}

impl Shelf for Numbered {
    fn next(&mut self) -> Result<(File, PathBuf), Box<dyn Error + Send + Sync>> {
        let path = self.pattern.expand(&output::names(self.pid, setup::wall_clock()));
        for number in 1..MOST_NAMES {
            let path = numbered(&path, number);
            match output::recording(&path, std::mem::replace(&mut self.existing, Overwrite::Refuse)) {
                Ok(file) => return Ok((file, path)),
                Err(OutputError::Exists(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(OutputError::Exists(path).into())
    }
}

/// `a.rec`, `a-2.rec`, `a-3.rec`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let Some(stem) = path.file_stem().filter(|_| number > 1) else { return path.to_owned() };
    let mut name = OsString::from(stem);
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Stdout, Surroundings};

    #[test]
    fn later_files_lie_beside_the_first_under_numbers() {
        let names = ["/a/b.rec", "/a/b", "/a/.b", "b.c.rec"]
            .map(|path| [1, 2, 10].map(|number| numbered(Path::new(path), number).display().to_string()));
        assert_eq!(names[0], ["/a/b.rec", "/a/b-2.rec", "/a/b-10.rec"]);
        assert_eq!(names[1], ["/a/b", "/a/b-2", "/a/b-10"]);
        assert_eq!(names[2], ["/a/.b", "/a/.b-2", "/a/.b-10"]);
        assert_eq!(names[3], ["b.c.rec", "b.c-2.rec", "b.c-10.rec"]);
    }

    fn audit(file: &Path, flags: &[&str]) -> cli::Audit {
        let words = ["auditor", "run", "--record"].map(OsString::from).into_iter();
        let words = words.chain([file.into()]).chain(flags.iter().map(OsString::from));
        let around = Surroundings { stdout: Stdout::Other, color: false };
        let request = cli::parse(words.chain(["--".into(), "true".into()]), around).unwrap();
        let cli::Verb::Run(run) = request.verb else { panic!("{request:?}") };
        run.audit
    }

    #[test]
    fn what_this_audit_has_written_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("a.rec");
        std::fs::write(&first, "old").unwrap();
        let audit = audit(&first, &["--ring", "10s", "--force"]);
        let pattern = audit.record.unwrap();
        let mut shelf = Numbered { pattern, pid: Pid(1), existing: audit.output.existing };
        let paths = [shelf.next().unwrap().1, shelf.next().unwrap().1];
        assert_eq!(paths, [first.clone(), folder.path().join("a-2.rec")]);
        assert_eq!(std::fs::read(first).unwrap(), b"");
    }

    #[test]
    fn what_will_not_be_written_is_known_before_the_audit_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rec");
        let ring = ["--ring", "10s", "--trigger", "rss+25%"];
        assert!(matches!(keep(&audit(&path, &ring), Pid(1)).unwrap(), Some(Keep::Last(_))));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        let slip = keep(&audit(&path, &["--ring", "10s", "--trigger", "rss+25"]), Pid(1)).unwrap_err();
        assert!(format!("{slip:#}").contains("write it as 25%"), "{slip:#}");
        std::fs::write(&path, "old").unwrap();
        assert!(keep(&audit(&path, &ring), Pid(1)).unwrap_err().to_string().contains("exists"));
        let nowhere = folder.path().join("none/a.rec");
        assert!(keep(&audit(&nowhere, &ring), Pid(1)).unwrap_err().to_string().contains("make its folder"));
    }
}
