//! Where facts are kept: all of them in a file as they come, or the last minutes in memory until something makes
//! them worth a file. What goes wrong with that is said, and the audit goes on.

use std::error::Error;
use std::io;

use super::live::whole;
use super::scribe::{Scribe, Shelf};
use crate::audit::fact::{Ended, Fact, What};
use crate::audit::unit::Nanos;
use crate::recording::Writer;
use crate::recording::flight::Flight;
use crate::recording::flight::trigger::{Trigger, Watch};

/// Recordings that conditions make in one audit, at most, so that no disk is filled.
const MOST_FILES: u32 = 16;
/// Between two recordings that conditions make lies this part of the time that is kept, at least.
const APART: u64 = 2;
/// Recordings that may be on their way to the disk when another is asked for: each holds on to what was in memory
/// when it was. What a condition asks for waits until there is none; a victim of the OOM killer does not.
const BESIDE_VICTIM: usize = 1;
/// A target that was chosen to be killed is gone so soon, mostly: its end needs no recording of its own then.
const DYING: Nanos = Nanos(10_000_000_000);

/// Where facts are kept.
#[derive(Debug)]
pub enum Keep {
    /// All of them, in a file.
    All(Writer),
    /// The last ones, in memory.
    Last(Box<Recorder>),
}

/// A flight recorder, with what makes it write.
#[derive(Debug)]
pub struct Recorder {
    flight: Flight,
    watch: Watch,
    /// Without conditions the end is what it waits for, whatever it is.
    has_triggers: bool,
    window: Nanos,
    scribe: Scribe,
    /// When what it wrote last was frozen.
    wrote: Option<Nanos>,
    /// The same, because the target was chosen to be killed.
    marked: Option<Nanos>,
    /// Recordings so far, and how many of them conditions made.
    files: u32,
    by_condition: u32,
    /// What became true too soon after that, or while that was still being written.
    waits: Option<String>,
    /// The time of the last fact.
    now: Nanos,
    is_broken: bool,
}

impl Keep {
    /// The last facts only, as far back as `window`, until one of the conditions becomes true.
    ///
    /// # Errors
    /// When the thread that writes them cannot be started.
    pub fn last(window: Nanos, triggers: &[Trigger], shelf: Box<dyn Shelf>) -> io::Result<Self> {
        Ok(Self::Last(Box::new(Recorder {
            flight: Flight::new(window),
            watch: Watch::new(triggers, window),
            has_triggers: !triggers.is_empty(),
            window,
            scribe: Scribe::new(shelf)?,
            wrote: None,
            marked: None,
            files: 0,
            by_condition: 0,
            waits: None,
            now: Nanos(0),
            is_broken: false,
        })))
    }

    /// Takes a fact in.
    pub(super) fn take(&mut self, fact: &Fact) {
        match self {
            Self::All(writer) => {
                writer.append(fact).unwrap_or_else(|error| goes_on_without(&error));
            }
            Self::Last(recorder) => recorder.take(fact),
        }
    }

    /// What was taken in survives the end of this process from here on, if it is meant to.
    pub(super) fn flush(&mut self) {
        if let Self::All(writer) = self {
            writer.flush().unwrap_or_else(|error| goes_on_without(&error));
        }
    }

    /// The audit has ended.
    pub(super) fn finish(self, why: Ended) {
        match self {
            Self::All(writer) => {
                if let Err(error) = writer.finish() {
                    log::error!("{}; the recording is not whole", whole(&error));
                }
            }
            Self::Last(mut recorder) => recorder.finish(why),
        }
    }
}

fn goes_on_without(error: &dyn Error) {
    log::error!("{}; the audit goes on without the recording", whole(error));
}

impl Recorder {
    fn take(&mut self, fact: &Fact) {
        self.now = self.now.max(fact.at);
        if let Err(error) = self.flight.push(fact) {
            self.say_once(&error);
        }
        if let Some(why) = self.watch.see(fact) {
            if fact.what == What::OomMark && self.scribe.unwritten() <= BESIDE_VICTIM {
                // The next victim may be the auditor.
                self.write(why);
                self.marked = self.wrote;
                return;
            }
            self.waits.get_or_insert(why);
        }
        let is_apart = self.wrote.is_none_or(|wrote| wrote.plus(Nanos(self.window.0 / APART)) <= self.now);
        let is_free = || self.scribe.unwritten() == 0;
        if is_apart
            && self.waits.is_some()
            && is_free()
            && let Some(why) = self.waits.take()
        {
            self.write_if_few(why);
        }
    }

    fn say_once(&mut self, error: &dyn Error) {
        if !std::mem::replace(&mut self.is_broken, true) {
            log::error!("{}; such facts are missing in what is kept", whole(error));
        }
    }

    fn write_if_few(&mut self, why: String) {
        if self.by_condition < MOST_FILES {
            self.by_condition += 1;
            self.write(why);
        } else {
            log::warn!("{why}: not kept, as {MOST_FILES} recordings were");
        }
    }

    fn write(&mut self, why: String) {
        self.wrote = Some(self.now);
        self.files += 1;
        self.scribe.write(self.flight.freeze(&why), why);
    }

    /// What ends by itself is worth keeping; so is what waits. With conditions, an end that was asked for is not.
    /// Whatever is not written yet is waited for, by going out of scope.
    fn finish(&mut self, why: Ended) {
        let by_itself = match why {
            Ended::TargetExited => Some("the target ended"),
            Ended::TargetReplaced => Some("the target replaced its program"),
            Ended::Stopped | Ended::Duration | Ended::OneLook if !self.has_triggers => {
                Some("the audit ended")
            }
            Ended::Stopped | Ended::Duration | Ended::OneLook => None,
        };
        let why = self.waits.take().or_else(|| by_itself.map(str::to_owned));
        let is_kept = self.marked.is_some_and(|marked| self.now.since(marked) < DYING);
        match why {
            Some(why) if !is_kept => self.write(why),
            None if self.files == 0 => log::info!("no condition became true: no recording was kept"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;
    use std::path::{Path, PathBuf};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::audit::fact::{Allocate, Memory, Part};
    use crate::audit::unit::{Address, Bytes};
    use crate::recording;

    const SECOND: u64 = 1_000_000_000;
    const WINDOW: u64 = 60;

    /// Numbers files in a folder, and counts what was asked for.
    #[derive(Debug)]
    struct Folder {
        folder: tempfile::TempDir,
        asked: Arc<Mutex<u32>>,
    }

    impl Shelf for Folder {
        fn next(&mut self) -> Result<(File, PathBuf), Box<dyn Error + Send + Sync>> {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            let path = self.folder.path().join(asked.to_string());
            Ok((File::create_new(&path)?, path))
        }
    }

    /// A recorder, and how often it asked for a file.
    struct Bench {
        keep: Keep,
        asked: Arc<Mutex<u32>>,
        folder: PathBuf,
    }

    impl Bench {
        fn new(triggers: &[&str]) -> Self {
            let (folder, asked) = (tempfile::tempdir().unwrap(), Arc::default());
            let path = folder.path().to_owned();
            let shelf = Folder { folder, asked: Arc::clone(&asked) };
            let triggers: Vec<Trigger> = triggers.iter().map(|text| text.parse().unwrap()).collect();
            let keep = Keep::last(Nanos(WINDOW * SECOND), &triggers, Box::new(shelf)).unwrap();
            Self { keep, asked, folder: path }
        }

        /// Once all that was to be written is.
        fn asked(&self) -> u32 {
            let Keep::Last(recorder) = &self.keep else { panic!("{:?}", self.keep) };
            while recorder.scribe.unwritten() > 0 {
                std::thread::yield_now();
            }
            *self.asked.lock().unwrap()
        }

        fn take(&mut self, second: u64, what: What) -> u32 {
            self.keep.take(&Fact { at: Nanos(second * SECOND), thread: None, what });
            self.asked()
        }

        fn ended(self, why: Ended) -> u32 {
            self.keep.finish(why);
            *self.asked.lock().unwrap()
        }

        /// The notes of the recording of that number.
        fn notes(&self, number: u32) -> Vec<String> {
            let path: &Path = &self.folder.join(number.to_string());
            let facts = recording::open(path).unwrap().map(Result::unwrap);
            let notes = facts.filter_map(|fact| match fact.what {
                What::Note(note) => Some(note),
                _ => None,
            });
            notes.collect()
        }
    }

    fn growth(bytes: u64) -> What {
        let (map, bytes, part) = (Address(1), Bytes(bytes), Part::Buckets);
        What::Allocate(Allocate { map, table: None, bytes, part, stack: None, took: None })
    }

    #[test]
    fn what_becomes_true_too_soon_is_written_half_a_ring_later_and_says_why() {
        let mut bench = Bench::new(&["growth>1MiB"]);
        assert_eq!(bench.take(100, growth(1 << 20)), 0);
        assert_eq!(bench.take(101, growth(2 << 20)), 1);
        assert_eq!(bench.take(102, growth(3 << 20)), 1);
        assert_eq!(bench.take(130, What::Tick), 1);
        assert_eq!(bench.take(131, What::Tick), 2);
        assert_eq!(bench.take(200, What::Tick), 2);
        for (number, size) in [(1, "2.0 MiB"), (2, "3.0 MiB")] {
            let notes = bench.notes(number).join(" ");
            assert!(notes.contains(&format!("growth>1MiB: a map asked for {size}")), "{notes}");
        }
    }

    #[test]
    fn conditions_fill_no_disk() {
        let mut bench = Bench::new(&["growth>1MiB"]);
        for number in 0..100 {
            bench.take(1000 * number, growth(2 << 20));
        }
        assert_eq!(bench.asked(), MOST_FILES);
        assert_eq!(bench.take(200_000, What::OomMark), MOST_FILES + 1);
    }

    #[test]
    fn a_victim_is_written_at_once_and_its_death_not_again() {
        let mut bench = Bench::new(&["growth>1MiB"]);
        assert_eq!(bench.take(100, growth(2 << 20)), 1);
        assert_eq!(bench.take(101, What::OomMark), 2);
        assert_eq!(bench.take(102, What::Tick), 2);
        assert_eq!(bench.ended(Ended::TargetExited), 2);
        let mut spared = Bench::new(&["growth>1MiB"]);
        assert_eq!(spared.take(100, What::OomMark), 1);
        assert_eq!(spared.take(200, What::Tick), 1);
        assert_eq!(spared.ended(Ended::TargetExited), 2);
    }

    #[test]
    fn an_end_that_was_asked_for_is_worth_a_file_only_without_conditions() {
        let memory = || What::Memory(Memory { anon: Bytes(1), ..Memory::default() });
        for (triggers, why, files) in [
            (&[] as &[&str], Ended::Stopped, 1),
            (&[], Ended::TargetExited, 1),
            (&["rss>1GiB"], Ended::Stopped, 0),
            (&["rss>1GiB"], Ended::Duration, 0),
            (&["rss>1GiB"], Ended::TargetExited, 1),
            (&["rss>1GiB"], Ended::TargetReplaced, 1),
        ] {
            let mut bench = Bench::new(triggers);
            assert_eq!(bench.take(100, memory()), 0);
            assert_eq!(bench.ended(why), files, "{triggers:?} {why:?}");
        }
    }
    /// A disk that takes nothing until somebody reads.
    #[derive(Debug)]
    struct Stuck(PathBuf, Arc<Mutex<u32>>);

    impl Shelf for Stuck {
        fn next(&mut self) -> Result<(File, PathBuf), Box<dyn Error + Send + Sync>> {
            *self.1.lock().unwrap() += 1;
            // Open for reading too, so that opening it does not wait for a reader.
            Ok((File::options().read(true).write(true).open(&self.0)?, self.0.clone()))
        }
    }

    #[test]
    fn a_disk_that_hangs_holds_no_fact_up_and_what_is_written_is_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let (path, asked) = (folder.path().join("pipe"), Arc::default());
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut reader = File::options().read(true).write(true).open(&path).unwrap();
        let triggers = ["growth>1MiB".parse().unwrap()];
        let shelf = Stuck(path.clone(), Arc::clone(&asked));
        let mut keep = Keep::last(Nanos(1000 * SECOND), &triggers, Box::new(shelf)).unwrap();
        let mut chance = 1_u64;
        let mut take = |keep: &mut Keep, second: u64| {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            keep.take(&Fact {
                at: Nanos(second * SECOND + chance % SECOND),
                thread: None,
                what: growth(chance >> 45),
            });
        };
        (0..20_000).for_each(|fact| take(&mut keep, fact / 100));
        keep.take(&Fact { at: Nanos(201 * SECOND), thread: None, what: growth(2 << 20) });
        // Were it written here, this would never come back: a pipe holds 64 KiB.
        (20_000..90_000).for_each(|fact| take(&mut keep, 2 + fact / 100));
        keep.take(&Fact { at: Nanos(903 * SECOND), thread: None, what: growth(3 << 20) });
        assert_eq!(*asked.lock().unwrap(), 1, "a condition waits for the one before");
        keep.take(&Fact { at: Nanos(904 * SECOND), thread: None, what: What::OomMark });
        keep.take(&Fact { at: Nanos(905 * SECOND), thread: None, what: What::OomMark });
        let Keep::Last(recorder) = &keep else { panic!("{keep:?}") };
        assert_eq!(recorder.scribe.unwritten(), 2, "a victim does not, and more than two are never held");
        let reads = std::thread::spawn(move || {
            let mut all = Vec::new();
            let mut block = vec![0; 1 << 16];
            while !all.ends_with(b"over") {
                let read = reader.read(&mut block).unwrap();
                all.extend_from_slice(&block[..read]);
            }
            all
        });
        keep.finish(Ended::Stopped);
        std::fs::write(&path, "over").unwrap();
        let all = reads.join().unwrap();
        let header = |at: usize| all[at..].starts_with(b"\xADREC\x01");
        let files: Vec<usize> = (0..all.len()).filter(|at| header(*at)).collect();
        let facts = |from: usize, to: usize| -> Vec<Fact> {
            let read = recording::read(&all[from..to], &path).unwrap();
            read.map(Result::unwrap).collect()
        };
        let first = facts(files[0], files[1]);
        // The facts, why they were kept, and the end.
        assert_eq!(first.len(), 20_001 + 2);
        assert!(first.windows(2).all(|two| two[0].at.0 / SECOND <= two[1].at.0 / SECOND));
        let second = facts(files[1], files.get(2).copied().unwrap_or(all.len() - 4));
        assert_eq!(second.len(), 90_003 + 2);
        assert_eq!(first[..20_001], second[..20_001]);
    }
}
