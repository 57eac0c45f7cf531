//! Where results go: standard output or a file. A file that exists is never lost by accident: it is
//! refused, or replaced only once the new one is whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::audit::unit::Pid;
use crate::cli::{self, Destination, Format, Names, Overwrite};

/// Reports are for colleagues; the umask may take more away.
const REPORT_MODE: u32 = 0o644;
/// Recordings hold addresses and names of a foreign process.
const RECORDING_MODE: u32 = 0o600;

/// Why a file cannot be written where it was asked for. Each says what to do instead.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It exists.
    #[error("{} exists: name another file (%t in a name puts the time there) or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// It is a folder.
    #[error("{} is a directory: name a file in it", .0.display())]
    Directory(PathBuf),
    /// It leads to another file, which `--force` must not replace by surprise.
    #[error("{} is a symbolic link: name the file that it leads to", .0.display())]
    Link(PathBuf),
    /// It cannot be created.
    #[error("cannot create {}{}", path.display(), remedy(source))]
    Create {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write to {name}")]
    Write {
        /// Which file, or standard output.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The whole report cannot get its name.
    #[error("cannot put the report at {}: it is kept as {}", path.display(), kept.display())]
    Publish {
        /// Where it was to go.
        path: PathBuf,
        /// Where it is.
        kept: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => ": make its folder first",
        io::ErrorKind::PermissionDenied => ": name a folder that you may write to",
        io::ErrorKind::ReadOnlyFilesystem => ": name a folder on another file system",
        _ => "",
    }
}

/// What `%p`, `%h` and `%t` stand for: a target, this host, and when the audit began, in ns since the
/// Unix epoch.
#[must_use]
pub fn names(pid: Pid, began: u64) -> Names {
    let host = nix::unistd::gethostname().unwrap_or_else(|_unknown| "unknown".into());
    let time = jiff::Timestamp::from_nanosecond(began.into()).unwrap_or_default();
    let host = host.to_string_lossy().into_owned();
    Names { pid, host, time: time.strftime("%Y%m%dT%H%M%SZ").to_string() }
}

/// Creates the file of a recording, mode 0600. It is there at once: what is appended must survive the
/// end of this process.
///
/// # Errors
/// [`OutputError`], with the remedy.
pub fn recording(path: &Path, existing: Overwrite) -> Result<File, OutputError> {
    at_once(path, existing, RECORDING_MODE)
}

/// Whether such a file could be created now; nothing is left of that.
///
/// # Errors
/// [`OutputError`], with the remedy.
pub fn try_recording(path: &Path, existing: Overwrite) -> Result<(), OutputError> {
    if look(path, existing)? != Place::Special {
        drop(Pending::create(path, existing, RECORDING_MODE)?);
    }
    Ok(())
}

/// Prints a text on standard output.
///
/// # Errors
/// [`OutputError::Write`].
pub fn print(text: &str) -> Result<(), OutputError> {
    let mut output = Output::stdout();
    let written = output.write_all(text.as_bytes());
    written.map_err(|source| OutputError::Write { name: output.name.clone(), source })?;
    output.finish()
}

/// Takes a report. Nothing written to a file counts until [`Output::finish`].
#[derive(Debug)]
pub struct Output {
    to: BufWriter<Sink>,
    /// For errors.
    name: String,
    pending: Option<Pending>,
}

#[derive(Debug)]
enum Sink {
    Stdout(io::Stdout),
    File(File),
}

impl Output {
    /// Opens what was asked for: standard output, a stream for a format of many reports, or a file for
    /// one report.
    ///
    /// # Errors
    /// [`OutputError`], with the remedy.
    pub fn open(request: &cli::Output, names: &Names) -> Result<Self, OutputError> {
        match (&request.to, request.format) {
            (Destination::Stdout, _) => Ok(Self::stdout()),
            (Destination::File(file), Format::Ndjson) => Self::stream(&file.expand(names), request.existing),
            (Destination::File(file), _) => Self::report(&file.expand(names), request.existing),
        }
    }

    /// Writes to standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::new(Sink::Stdout(io::stdout()), "standard output".to_owned(), None)
    }

    /// Writes one report to a file, which gets its name when it is whole: whoever reads it sees all
    /// of it or the file that was there before.
    ///
    /// # Errors
    /// [`OutputError`], with the remedy.
    pub fn report(path: &Path, existing: Overwrite) -> Result<Self, OutputError> {
        let (file, pending) = match look(path, existing)? {
            Place::Free | Place::Taken => {
                Pending::create(path, existing, REPORT_MODE).map(|(file, pending)| (file, Some(pending)))?
            }
            Place::Special => (open_special(path)?, None),
        };
        Ok(Self::new(Sink::File(file), path.display().to_string(), pending))
    }

    /// Writes reports to a file that grows, one after the other; it is there at once.
    ///
    /// # Errors
    /// [`OutputError`], with the remedy.
    pub fn stream(path: &Path, existing: Overwrite) -> Result<Self, OutputError> {
        let file = at_once(path, existing, REPORT_MODE)?;
        Ok(Self::new(Sink::File(file), path.display().to_string(), None))
    }

    /// Writes one report to a new file for nobody else's eyes, mode 0600; nothing is ever replaced.
    ///
    /// # Errors
    /// [`OutputError`], with the remedy.
    pub fn snapshot(path: &Path) -> Result<Self, OutputError> {
        match look(path, Overwrite::Refuse)? {
            Place::Free => {
                let (file, pending) = Pending::create(path, Overwrite::Refuse, RECORDING_MODE)?;
                Ok(Self::new(Sink::File(file), path.display().to_string(), Some(pending)))
            }
            Place::Taken | Place::Special => Err(OutputError::Exists(path.to_owned())),
        }
    }

    fn new(sink: Sink, name: String, pending: Option<Pending>) -> Self {
        Self { to: BufWriter::new(sink), name, pending }
    }

    /// What it is called in errors.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether somebody looks at it.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match self.to.get_ref() {
            Sink::Stdout(stdout) => stdout.is_terminal(),
            Sink::File(file) => file.is_terminal(),
        }
    }

    /// Hands on what was written so far; for readers that follow a stream.
    ///
    /// # Errors
    /// [`OutputError::Write`].
    pub fn push(&mut self) -> Result<(), OutputError> {
        self.to.flush().map_err(|source| OutputError::Write { name: self.name.clone(), source })
    }

    /// Ends it; a report gets its name now.
    ///
    /// # Errors
    /// [`OutputError`]; when only the name could not be had, it says where the report is kept.
    pub fn finish(mut self) -> Result<(), OutputError> {
        self.push()?;
        let Some(pending) = self.pending.take() else { return Ok(()) };
        if let Sink::File(file) = self.to.get_ref() {
            let name = || self.name.clone();
            file.sync_all().map_err(|source| OutputError::Write { name: name(), source })?;
        }
        pending.publish()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(file) => file.flush(),
        }
    }
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing.
    Free,
    /// A file that may be replaced.
    Taken,
    /// A device or a pipe: it is written to, and neither created nor replaced.
    Special,
}

fn look(path: &Path, existing: Overwrite) -> Result<Place, OutputError> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::Free),
        Err(source) => return Err(OutputError::Create { path: path.to_owned(), source }),
        Ok(found) => found.file_type(),
    };
    if found.is_symlink() {
        // /dev/stdout is a link to a link to a pipe or a terminal.
        let special = fs::metadata(path).is_ok_and(|leads_to| !leads_to.is_file() && !leads_to.is_dir());
        return if special { Ok(Place::Special) } else { Err(OutputError::Link(path.to_owned())) };
    }
    match existing {
        _ if found.is_dir() => Err(OutputError::Directory(path.to_owned())),
        _ if !found.is_file() => Ok(Place::Special),
        Overwrite::Refuse => Err(OutputError::Exists(path.to_owned())),
        Overwrite::Replace => Ok(Place::Taken),
    }
}

fn open_special(path: &Path) -> Result<File, OutputError> {
    let opened = OpenOptions::new().write(true).open(path);
    opened.map_err(|source| OutputError::Create { path: path.to_owned(), source })
}

/// Opens a file that has its name from the start. One that exists is replaced, not emptied: whoever
/// has it open keeps it, and its mode does not carry over.
fn at_once(path: &Path, existing: Overwrite, mode: u32) -> Result<File, OutputError> {
    match look(path, existing)? {
        Place::Special => open_special(path),
        Place::Free | Place::Taken => {
            let (file, pending) = Pending::create(path, existing, mode)?;
            pending.publish()?;
            Ok(file)
        }
    }
}

/// A file under a temporary name in the folder where it will be. Removed unless published.
#[derive(Debug)]
struct Pending {
    temporary: PathBuf,
    path: PathBuf,
    existing: Overwrite,
}

impl Pending {
    fn create(path: &Path, existing: Overwrite, mode: u32) -> Result<(File, Self), OutputError> {
        let failed = |source| OutputError::Create { path: path.to_owned(), source };
        let mut attempt = 0_u32;
        loop {
            let temporary = temporary_name(path, attempt).map_err(failed)?;
            match OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary) {
                Ok(file) => return Ok((file, Self { temporary, path: path.to_owned(), existing })),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => attempt += 1,
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Gives the file its name. Where nothing may be replaced this is a hard link, which fails when
    /// the name was taken meanwhile.
    fn publish(self) -> Result<(), OutputError> {
        let named = match self.existing {
            Overwrite::Replace => fs::rename(&self.temporary, &self.path),
            Overwrite::Refuse => self.link(),
        };
        let Err(source) = named else { return Ok(()) };
        let (path, kept) = (self.path.clone(), self.temporary.clone());
        std::mem::forget(self);
        Err(OutputError::Publish { path, kept, source })
    }

    fn link(&self) -> io::Result<()> {
        match fs::hard_link(&self.temporary, &self.path) {
            // Some file systems (FAT) know no hard links; looking first is the next best there.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !self.path.exists() => {
                fs::rename(&self.temporary, &self.path)
            }
            linked => linked,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        match fs::remove_file(&self.temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::warn!("cannot remove {}: {error}", self.temporary.display());
            }
            _ => {}
        }
    }
}

/// `.NAME.PID-ATTEMPT.part` beside the file.
fn temporary_name(path: &Path, attempt: u32) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{attempt}.part", std::process::id()));
    Ok(path.with_file_name(temporary))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        (folder, path)
    }

    fn files(folder: &tempfile::TempDir) -> usize {
        fs::read_dir(folder.path()).unwrap().count()
    }

    #[test]
    fn a_report_has_its_name_only_when_it_is_whole() {
        let (folder, path) = folder();
        let mut output = Output::report(&path, Overwrite::Refuse).unwrap();
        output.write_all(b"whole").unwrap();
        assert!(!path.exists());
        output.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(files(&folder), 1);
    }

    #[test]
    fn an_unfinished_report_leaves_the_old_one_and_nothing_else() {
        let (folder, path) = folder();
        fs::write(&path, "old").unwrap();
        let mut output = Output::report(&path, Overwrite::Replace).unwrap();
        output.write_all(b"half").unwrap();
        drop(output);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(files(&folder), 1);
    }

    #[test]
    fn an_existing_file_stays_unless_it_may_be_replaced() {
        let (_folder, path) = folder();
        fs::write(&path, "old").unwrap();
        let refused = [
            Output::report(&path, Overwrite::Refuse).unwrap_err(),
            Output::stream(&path, Overwrite::Refuse).unwrap_err(),
            recording(&path, Overwrite::Refuse).unwrap_err(),
        ];
        for error in refused {
            assert!(error.to_string().ends_with("or replace it with --force"), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let mut output = Output::report(&path, Overwrite::Replace).unwrap();
        output.write_all(b"new").unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_name_that_was_taken_meanwhile_costs_no_report() {
        let (_folder, path) = folder();
        let mut output = Output::report(&path, Overwrite::Refuse).unwrap();
        output.write_all(b"mine").unwrap();
        fs::write(&path, "theirs").unwrap();
        let Err(OutputError::Publish { kept, .. }) = output.finish() else { panic!("published") };
        assert_eq!(fs::read(kept).unwrap(), b"mine");
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
    }

    #[test]
    fn a_stream_and_a_recording_are_there_at_once() {
        let (folder, path) = folder();
        let mut output = Output::stream(&path, Overwrite::Refuse).unwrap();
        output.write_all(b"line\n").unwrap();
        output.push().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"line\n");
        let private = folder.path().join("a.rec");
        recording(&private, Overwrite::Refuse).unwrap();
        assert_eq!(private.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(files(&folder), 2);
    }

    #[test]
    fn links_and_directories_are_refused_even_with_force() {
        let (folder, path) = folder();
        let precious = folder.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        symlink(&precious, &path).unwrap();
        assert!(matches!(recording(&path, Overwrite::Replace), Err(OutputError::Link(_))));
        assert!(matches!(Output::report(&path, Overwrite::Replace), Err(OutputError::Link(_))));
        assert!(matches!(Output::report(folder.path(), Overwrite::Replace), Err(OutputError::Directory(_))));
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
    }

    #[test]
    fn devices_are_written_to_and_never_replaced() {
        let mut output = Output::report(Path::new("/dev/null"), Overwrite::Replace).unwrap();
        output.write_all(b"gone").unwrap();
        output.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let mut full = Output::report(Path::new("/dev/full"), Overwrite::Refuse).unwrap();
        full.write_all(b"too much").unwrap();
        assert_eq!(full.finish().unwrap_err().to_string(), "cannot write to /dev/full");
    }

    #[test]
    fn what_cannot_be_created_says_what_to_do() {
        let (folder, _) = folder();
        let nowhere = folder.path().join("no/such/folder");
        let error = Output::report(&nowhere, Overwrite::Refuse).unwrap_err().to_string();
        assert!(error.ends_with("make its folder first"), "{error}");
        for strange in ["..", "/", "", "a/.."] {
            assert!(Output::report(Path::new(strange), Overwrite::Refuse).is_err(), "{strange:?}");
        }
    }

    #[test]
    fn the_time_in_a_name_sorts_and_is_utc() {
        assert_eq!(names(Pid(1), 1_763_694_000_123_456_789).time, "20251121T030000Z");
    }
}
