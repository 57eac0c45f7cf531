//! Which pages of a process are in RAM, by the kernel's page map. Nothing is read of what is in them, and no page
//! is brought back.
//!
//! There are two ways to ask, and which one works is found by trying: PAGEMAP_SCAN (`scan.rs`), which `mapping.rs`
//! makes cheaper, and the table as a file (`table.rs`). Both tell runs of pages to `tally.rs`, which knows which ranges were asked for. A
//! [`Survey`] is a walk that can be broken off and gone on with: a large table takes longer than a target's
//! events may wait.

mod lazily;
mod mapping;
mod scan;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{SysconfVar, sysconf};

use super::proc;
use crate::audit::fact::Pages;
use crate::audit::unit::{Address, Bytes, Pid};
use mapping::{Mapping, Mappings};
use scan::Tell;
use tally::{Run, Tally};

pub use lazily::lazily_freed;

/// Pages between two ranges that are walked for nothing rather than asking twice.
const GAP: u64 = 64;
/// Most bytes of one survey: more than there is RAM. A target may claim any size for its tables.
pub const MOST: Bytes = Bytes(1 << 42);

/// How the kernel is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// PAGEMAP_SCAN, from Linux 6.7 on.
    Scan,
    /// `/proc/PID/pagemap` as a file.
    Table,
}

/// Why pages could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum PageMapError {
    /// The page map could not be opened.
    #[error("cannot open the page map of the process")]
    Open(#[source] io::Error),
    /// The kernel did not answer.
    #[error("cannot read the page map at {at}")]
    Read {
        /// Where.
        at: Address,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The process holds no memory any more.
    #[error("the process is gone")]
    Gone,
    /// The ranges are larger than any memory.
    #[error("{asked:?} were asked for, more than there can be in RAM")]
    TooMuch {
        /// Their length.
        asked: Bytes,
    },
}

/// The page map of a process.
#[derive(Debug)]
pub struct PageMap {
    file: File,
    way: Way,
    page: u64,
    /// The frame of the zero page, where that is needed and known.
    zero: Option<u64>,
    /// Where they can be asked for, one by one.
    mappings: Option<Mappings>,
}

impl PageMap {
    /// Opens it, and finds out how it can be asked.
    ///
    /// # Errors
    /// [`PageMapError::Open`].
    pub fn open(pid: Pid) -> Result<Self, PageMapError> {
        let mut map = Self::open_by(pid, Way::Scan)?;
        // Of no page at all: only whether the kernel knows the question.
        if scan::scan(&map.file, 0..0, map.page, Tell::Files, &mut |_| ()).is_err() {
            map = Self { way: Way::Table, zero: table::zero_frame(map.page), mappings: None, ..map };
        }
        Ok(map)
    }

    /// Opens it to ask in one way, whether that works or not.
    ///
    /// # Errors
    /// [`PageMapError::Open`].
    pub fn open_by(pid: Pid, way: Way) -> Result<Self, PageMapError> {
        let file =
            File::open(proc::path(Path::new(proc::ROOT), pid, "pagemap")).map_err(PageMapError::Open)?;
        let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().map_or(4096, i64::cast_unsigned);
        let (zero, mappings) = match way {
            Way::Scan => (None, Mappings::open(pid)),
            Way::Table => (table::zero_frame(page), None),
        };
        Ok(Self { file, way, page, zero, mappings })
    }

    /// How it is asked.
    #[must_use]
    pub const fn way(&self) -> Way {
        self.way
    }

    /// What there is in each of these ranges, however they lie. It takes as long as they are large; where that
    /// is too long there is [`Survey`].
    ///
    /// # Errors
    /// [`PageMapError`].
    pub fn pages(&self, ranges: &[(Address, Bytes)]) -> Result<Vec<Pages>, PageMapError> {
        let mut survey = self.survey(ranges)?;
        while !survey.step(self)? {}
        Ok(survey.finish())
    }

    /// A walk over these ranges, at whose beginning it is.
    ///
    /// # Errors
    /// [`PageMapError::TooMuch`].
    pub fn survey(&self, ranges: &[(Address, Bytes)]) -> Result<Survey, PageMapError> {
        let asked = ranges.iter().fold(Bytes(0), |sum, (_, len)| sum + *len);
        if asked > MOST {
            return Err(PageMapError::TooMuch { asked });
        }
        let tally = Tally::new(ranges, self.way == Way::Scan);
        let spans = spans(tally.ranges(), self.page);
        let at = spans.first().map_or(0, |span| span.start);
        Ok(Survey { tally, at, spans, next: 0, mapping: None })
    }

    /// The first runs of a range, which is mapped in one way, and where to go on before its end, if there is more.
    fn runs(
        &self,
        range: Range<u64>,
        tell: Tell,
        found: &mut dyn FnMut(Run),
    ) -> Result<Option<u64>, PageMapError> {
        let Range { start, end } = range;
        let failed = |error| PageMapError::Read { at: Address(start), error };
        match self.way {
            Way::Scan => match scan::scan(&self.file, range, self.page, tell, found) {
                // No process can have memory there.
                Err(Errno::EFAULT) => Ok(None),
                Err(Errno::ESRCH) => Err(PageMapError::Gone),
                answer => answer.map_err(|errno| failed(errno.into())),
            },
            Way::Table if start >= table::ADDRESSES => Ok(None),
            Way::Table => match table::read(&self.file, (start, end), self.page, self.zero, found) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(PageMapError::Gone),
                answer => answer.map_err(failed),
            },
        }
    }
}

/// A walk over ranges.
#[derive(Clone, Debug)]
pub struct Survey {
    tally: Tally,
    /// What is walked, by address: the ranges, to whole pages, and small gaps between them.
    spans: Vec<Range<u64>>,
    /// Which of them is next, or under way.
    next: usize,
    /// Where in it.
    at: u64,
    /// What is mapped there, or was before.
    mapping: Option<Mapping>,
}

impl Survey {
    /// Goes on for less than a millisecond, and says whether the end was reached.
    ///
    /// # Errors
    /// [`PageMapError`]; then there is nothing to go on with.
    pub fn step(&mut self, map: &PageMap) -> Result<bool, PageMapError> {
        let Some(span) = self.spans.get(self.next) else { return Ok(true) };
        let end = span.end;
        let (until, tell) = self.alike(map, end);
        let more = map.runs(self.at..until, tell, &mut |run| self.tally.add(run))?;
        match more.or_else(|| (until < end).then_some(until)) {
            Some(at) => self.at = at,
            None => {
                self.next += 1;
                self.at = self.spans.get(self.next).map_or(0, |span| span.start);
            }
        }
        Ok(self.next >= self.spans.len())
    }

    /// How far the mapping reaches that it is in, or to the end, and what is to be told of it. A table that stays
    /// where it is stays in its mapping.
    fn alike(&mut self, map: &PageMap, end: u64) -> (u64, Tell) {
        let Some(mappings) = &map.mappings else { return (end, Tell::Files) };
        if !self.mapping.as_ref().is_some_and(|mapping| mapping.range.contains(&self.at)) {
            self.mapping = mappings.at(self.at);
        }
        match &self.mapping {
            Some(Mapping { range, has_files: false }) => (end.min(range.end), Tell::NoFiles),
            Some(Mapping { range, has_files: true }) => (end.min(range.end), Tell::Files),
            None => (end, Tell::Files),
        }
    }

    /// What there was in each range, in the order in which they were asked for.
    #[must_use]
    pub fn finish(self) -> Vec<Pages> {
        self.tally.pages()
    }
}

/// Ranges to whole pages, merged where they lie close together, by address.
fn spans(ranges: &[Range<u64>], page: u64) -> Vec<Range<u64>> {
    let last = u64::MAX / page * page;
    let whole = |range: &Range<u64>| {
        let end = range.end.div_ceil(page).saturating_mul(page).min(last);
        range.start / page * page..end
    };
    let mut all: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).map(whole).collect();
    all.sort_unstable_by_key(|span| span.start);
    let mut spans: Vec<Range<u64>> = Vec::new();
    for span in all {
        match spans.last_mut().filter(|last| span.start.saturating_sub(last.end) <= GAP * page) {
            Some(last) => last.end = last.end.max(span.end),
            None => spans.push(span),
        }
    }
    spans
}
