//! Reads the facts of a recording. The file is hostile: at most one frame is held in memory, and
//! every length is checked before it is used.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::frame::{Damage, HEAD, Head, Kind, MAGIC};
use super::v1::{self, Decoder};
use super::{Header, VERSION};
use crate::audit::fact::Fact;

/// Why a recording cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("cannot open the recording {}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read the recording {} from byte {offset} on", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Where the frame begins.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{} is empty: nothing was recorded into it", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{} is not a recording: make one with `auditor attach --record FILE`", path.display())]
    NotARecording {
        /// Which file.
        path: PathBuf,
    },
    /// It breaks off inside its header.
    #[error("{} breaks off after {bytes} bytes, before its first fact: nothing can be replayed", path.display())]
    NoHeader {
        /// Which file.
        path: PathBuf,
        /// How much there is.
        bytes: u64,
    },
    /// A later auditor wrote it.
    #[error(
        "{} has format version {found} and this auditor reads up to {VERSION}: replay it with auditor {auditor} or later",
        path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its format version.
        found: u16,
        /// The version of the auditor that wrote it, with everything but `[0-9A-Za-z.+-]` taken out.
        auditor: String,
    },
    /// It is damaged. Everything before has been delivered.
    #[error(
        "{} is damaged (frame at byte {offset}: {damage}): only what comes before can be read; \
         copy the file again from where it was made",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where the damaged frame begins.
        offset: u64,
        /// How.
        damage: Damage,
    },
}

/// A frame that was being written when the recording broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// Where it begins.
    pub offset: u64,
    /// How many of its bytes there are.
    pub bytes: u64,
}

/// The facts of a recording, in the order in which they were appended.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    path: PathBuf,
    header: Header,
    /// Where the frame whose facts are being delivered begins.
    frame: u64,
    /// Where the one after it does.
    next: u64,
    /// Whether nothing more is to be read.
    over: bool,
    torn: Option<TornTail>,
    batch: Decoder,
    /// Kept for its allocation.
    stored: Vec<u8>,
}

/// Opens a recording.
///
/// # Errors
/// [`ReadError`] when it cannot be opened or does not begin as a recording.
pub fn open(path: &Path) -> Result<Reader<BufReader<File>>, ReadError> {
    let file = File::open(path).map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
    read(BufReader::new(file), path)
}

/// Reads a recording from its first byte. `path` is what errors call it.
///
/// # Errors
/// [`ReadError`] when it does not begin as a recording that this auditor can read.
pub fn read<R: Read>(source: R, path: &Path) -> Result<Reader<R>, ReadError> {
    let mut reader = Reader {
        source,
        path: path.to_owned(),
        header: Header { version: VERSION, created: 0, auditor: String::new() },
        frame: 0,
        next: 0,
        over: false,
        torn: None,
        batch: Decoder::default(),
        stored: Vec::new(),
    };
    reader.header = reader.read_header()?;
    Ok(reader)
}

impl<R> Reader<R> {
    /// What the recording says about itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// After the last fact: the frame that was being written when the recording broke off.
    #[must_use]
    pub fn torn(&self) -> Option<TornTail> {
        self.torn
    }

    fn damaged(&self, damage: Damage) -> ReadError {
        ReadError::Damaged { path: self.path.clone(), offset: self.frame, damage }
    }

    fn unreadable(&self, source: io::Error) -> ReadError {
        ReadError::Read { path: self.path.clone(), offset: self.frame, source }
    }
}

impl<R: Read> Reader<R> {
    fn read_header(&mut self) -> Result<Header, ReadError> {
        let path = self.path.clone();
        let kind = match self.read_frame() {
            Ok(Some(kind)) => kind,
            Ok(None) => return Err(self.no_header()),
            Err(ReadError::Damaged { damage: Damage::Magic, .. }) => {
                return Err(ReadError::NotARecording { path });
            }
            Err(error) => return Err(error),
        };
        if kind != Kind::Header {
            return Err(self.damaged(Damage::Field { field: "the first frame's kind", value: kind as u64 }));
        }
        let header =
            v1::decode_header(self.batch.take_payload()).map_err(|error| self.damaged(error.into()))?;
        match header.version {
            0 => Err(self.damaged(Damage::Field { field: "the format version", value: 0 })),
            1..=VERSION => Ok(header),
            found => Err(ReadError::Newer { path, found, auditor: plain(&header.auditor) }),
        }
    }

    /// Why there is no whole first frame.
    fn no_header(&self) -> ReadError {
        let path = self.path.clone();
        match self.torn {
            None => ReadError::Empty { path },
            Some(TornTail { bytes, .. }) => ReadError::NoHeader { path, bytes },
        }
    }

    /// Takes the next frame's payload into the batch, or `None` at the end of the file, whole or torn.
    fn read_frame(&mut self) -> Result<Option<Kind>, ReadError> {
        let mut head = [0; HEAD];
        let present = fill(&mut self.source, &mut head).map_err(|source| self.unreadable(source))?;
        if present < HEAD {
            let magic = present.min(MAGIC.len());
            if head[..magic] != MAGIC[..magic] {
                return Err(self.damaged(Damage::Magic));
            }
            return Ok(self.end(present));
        }
        let head = Head::decode(&head).map_err(|damage| self.damaged(damage))?;
        let stored = self.read_stored(head.stored).map_err(|source| self.unreadable(source))?;
        if stored < head.stored {
            return Ok(self.end(HEAD + stored));
        }
        head.unpack(&self.stored, self.batch.refill()).map_err(|damage| self.damaged(damage))?;
        self.next = self.frame + (HEAD + stored) as u64;
        Ok(Some(head.kind))
    }

    /// Reads `len` bytes into `self.stored`, or as many as there are. What is not there is not
    /// allocated either.
    fn read_stored(&mut self, len: usize) -> io::Result<usize> {
        self.stored.clear();
        self.source.by_ref().take(len as u64).read_to_end(&mut self.stored)
    }

    /// Notes the end of the file, `bytes` into a frame.
    fn end(&mut self, bytes: usize) -> Option<Kind> {
        self.torn = (bytes > 0).then_some(TornTail { offset: self.frame, bytes: bytes as u64 });
        self.over = true;
        None
    }

    /// The next fact, after as many frames as it takes.
    fn advance(&mut self) -> Result<Option<Fact>, ReadError> {
        loop {
            if let Some(fact) = self.batch.next() {
                return fact.map(Some).map_err(|error| self.damaged(error.into()));
            }
            self.frame = self.next;
            match self.read_frame()? {
                Some(Kind::Facts) => {}
                Some(Kind::Header) => {
                    let second = Damage::Field { field: "the kind of a later frame", value: 1 };
                    return Err(self.damaged(second));
                }
                None => return Ok(None),
            }
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Fact, ReadError>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let item = self.advance().transpose();
        self.over |= !matches!(item, Some(Ok(_)));
        item
    }
}

/// Reads until `into` is full or the source ends; how many bytes there were.
fn fill(source: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match source.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A version string from a hostile file, fit for a terminal.
fn plain(version: &str) -> String {
    version.chars().filter(|c| c.is_ascii_alphanumeric() || ".+-".contains(*c)).take(32).collect()
}

#[cfg(test)]
mod tests;
