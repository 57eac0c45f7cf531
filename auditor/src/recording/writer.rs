//! Appends facts to a recording.

use std::error::Error as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::frame::{self, Kind, MAX_PAYLOAD};
use super::v1::{self, Encoder, Malformed};
use super::{Header, VERSION};
use crate::audit::fact::Fact;

/// A batch is written when it has this many bytes: the window of LZ4, beyond which nothing compresses
/// better.
pub(super) const BATCH_BYTES: usize = 64 << 10;

/// Recordings show addresses and names of a foreign process: only the owner reads them.
const MODE: u32 = 0o600;

/// Why a recording could not be written. It is said once; the audit goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file could not be created.
    #[error("cannot create the recording {}", path.display())]
    Create {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Writing failed: what was written before stays readable.
    #[error("cannot write the recording {}: it ends here and can be replayed up to here", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One fact is larger than a frame may be.
    #[error("cannot write the recording {}: one fact has {bytes} bytes, a frame at most {MAX_PAYLOAD}", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// How large the batch with that fact would be.
        bytes: usize,
    },
    /// One fact could not be encoded.
    #[error("cannot write the recording {}: a fact cannot be encoded", path.display())]
    Encode {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: Malformed,
    },
}

/// What a recording holds in the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Facts that are in the file.
    pub facts: u64,
    /// Size of the file.
    pub bytes: u64,
}

/// Appends facts to a recording. Facts wait in a batch until it is full or until [`Writer::flush`];
/// what is flushed survives `kill -9` (not a power loss: nothing is synced).
///
/// After the first error the writer is dead: it said so once, and takes facts in without effect.
#[derive(Debug)]
pub struct Writer<W: Write = File> {
    /// `None`: dead.
    sink: Option<W>,
    path: PathBuf,
    batch: Encoder,
    /// Facts in the batch.
    waiting: u64,
    /// Kept for its allocation.
    frame: Vec<u8>,
    written: Written,
}

impl Writer {
    /// Creates the file with mode 0600 and writes the header. An existing file is an error.
    ///
    /// # Errors
    /// [`WriteError`] when the file cannot be created or written.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let created = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
        let file = created.map_err(|source| WriteError::Create { path: path.to_owned(), source })?;
        Self::new(file, path)
    }
}

impl<W: Write> Writer<W> {
    /// Writes the header to an empty sink. `path` is what errors call it.
    ///
    /// # Errors
    /// [`WriteError`] when the sink cannot be written.
    pub fn new(sink: W, path: &Path) -> Result<Self, WriteError> {
        let mut writer = Self {
            sink: Some(sink),
            path: path.to_owned(),
            batch: Encoder::default(),
            waiting: 0,
            frame: Vec::new(),
            written: Written::default(),
        };
        let header =
            Header { version: VERSION, created: wall_now(), auditor: env!("CARGO_PKG_VERSION").to_owned() };
        let payload = v1::encode_header(&header)
            .map_err(|source| WriteError::Encode { path: path.to_owned(), source })?;
        frame::pack(Kind::Header, &payload, &mut writer.frame);
        writer.write_frame()?;
        Ok(writer)
    }

    /// Appends a fact, and writes the batch when it is full.
    ///
    /// # Errors
    /// [`WriteError`], once: afterwards the writer is dead and answers `Ok`.
    pub fn append(&mut self, fact: &Fact) -> Result<(), WriteError> {
        if self.sink.is_none() {
            return Ok(());
        }
        if let Err(source) = self.batch.push(fact) {
            self.sink = None;
            return Err(WriteError::Encode { path: self.path.clone(), source });
        }
        self.waiting += 1;
        if self.batch.payload().len() < BATCH_BYTES {
            return Ok(());
        }
        self.flush()
    }

    /// Writes the facts that wait, so that they survive the end of this process.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn flush(&mut self) -> Result<(), WriteError> {
        let bytes = self.batch.payload().len();
        if self.sink.is_none() || bytes == 0 {
            return Ok(());
        }
        if bytes > MAX_PAYLOAD {
            self.sink = None;
            return Err(WriteError::TooLarge { path: self.path.clone(), bytes });
        }
        frame::pack(Kind::Facts, self.batch.payload(), &mut self.frame);
        self.batch.clear();
        self.write_frame()?;
        self.written.facts += std::mem::take(&mut self.waiting);
        Ok(())
    }

    /// Writes what waits, and behind it a frame that is packed already.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub(super) fn append_frame(&mut self, packed: &[u8]) -> Result<(), WriteError> {
        self.flush()?;
        self.frame.clear();
        self.frame.extend_from_slice(packed);
        self.write_frame()
    }

    /// Writes what waits and says what the recording holds.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn finish(mut self) -> Result<Written, WriteError> {
        self.flush()?;
        Ok(self.written)
    }

    /// Whether an error has ended the recording.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.sink.is_none()
    }

    /// A frame goes out in one call, so that most interruptions fall between frames.
    fn write_frame(&mut self) -> Result<(), WriteError> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        if let Err(source) = sink.write_all(&self.frame).and_then(|()| sink.flush()) {
            self.sink = None;
            return Err(WriteError::Write { path: self.path.clone(), source });
        }
        self.written.bytes += self.frame.len() as u64;
        Ok(())
    }
}

/// A panic elsewhere must not cost the facts that wait.
impl<W: Write> Drop for Writer<W> {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            log::warn!("{error}{cause}");
        }
    }
}

/// Nanoseconds since the Unix epoch; 0 where the clock stands before it.
fn wall_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::audit::fact::What;
    use crate::audit::unit::Nanos;
    use crate::recording::open;

    fn tick(at: u64) -> Fact {
        Fact { at: Nanos(at), thread: None, what: What::Tick }
    }

    #[test]
    fn a_recording_is_private_and_never_replaces_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rec");
        Writer::create(&path).unwrap().finish().unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Writer::create(&path), Err(WriteError::Create { .. })));
    }

    #[test]
    fn what_was_flushed_can_be_read_while_the_writer_lives_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rec");
        let mut writer = Writer::create(&path).unwrap();
        writer.append(&tick(1)).unwrap();
        assert_eq!(open(&path).unwrap().count(), 0);
        writer.flush().unwrap();
        writer.append(&tick(2)).unwrap();
        assert_eq!(open(&path).unwrap().count(), 1);
        drop(writer);
        assert_eq!(open(&path).unwrap().count(), 2);
    }

    #[test]
    fn a_full_batch_is_written_without_being_asked() {
        let mut writer = Writer::new(Vec::new(), Path::new("memory")).unwrap();
        let note = Fact { what: What::Note("x".repeat(BATCH_BYTES)), ..tick(1) };
        writer.append(&note).unwrap();
        assert_eq!(writer.written.facts, 1);
    }

    #[test]
    fn finish_says_what_the_file_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rec");
        let mut writer = Writer::create(&path).unwrap();
        (0..10).for_each(|at| writer.append(&tick(at)).unwrap());
        let written = writer.finish().unwrap();
        assert_eq!(written, Written { facts: 10, bytes: path.metadata().unwrap().len() });
    }

    #[test]
    fn a_full_disk_is_reported_once_and_the_audit_goes_on() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if self.0 == 0 {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                let taken = bytes.len().min(self.0);
                self.0 -= taken;
                Ok(taken)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = Writer::new(Full(60), Path::new("full.rec")).unwrap();
        writer.append(&tick(1)).unwrap();
        let error = writer.flush().unwrap_err();
        assert!(error.to_string().contains("full.rec"), "{error}");
        assert!(writer.is_dead());
        for at in 2..100_000 {
            writer.append(&tick(at)).unwrap();
        }
        assert_eq!(writer.finish().unwrap().facts, 0);
    }

    #[test]
    fn a_fact_larger_than_a_frame_ends_the_recording_but_not_the_audit() {
        let mut writer = Writer::new(Vec::new(), Path::new("memory")).unwrap();
        let note = Fact { what: What::Note("x".repeat(MAX_PAYLOAD)), ..tick(1) };
        assert!(matches!(writer.append(&note), Err(WriteError::TooLarge { .. })));
        writer.append(&tick(2)).unwrap();
    }
}
