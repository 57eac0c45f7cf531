//! Writes what a flight recorder has frozen, on a thread of its own: a disk may take its time, and meanwhile the
//! ring of the kernel side must be drained.

use std::error::Error;
use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use super::live::whole;
use crate::recording::flight::frozen::Frozen;

/// Gives each recording a file of its own.
pub trait Shelf: Debug + Send {
    /// The next file, new and empty, and its name.
    ///
    /// # Errors
    /// When there is none, and what to do about it.
    fn next(&mut self) -> Result<(File, PathBuf), Box<dyn Error + Send + Sync>>;
}

/// What is to be written, and why.
type Job = (Frozen, String);

/// Takes what is to be written, in order. Dropping it waits until all of it is.
#[derive(Debug)]
pub(super) struct Scribe {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// What was given and is not written yet: who gives bounds it.
    unwritten: Arc<AtomicUsize>,
}

impl Scribe {
    /// Starts the thread: when memory is short, it is there already.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn new(shelf: Box<dyn Shelf>) -> io::Result<Self> {
        let (jobs, given) = channel();
        let unwritten = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&unwritten);
        let thread =
            Builder::new().name("recorder".to_owned()).spawn(move || work(shelf, &given, &counted))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), unwritten })
    }

    /// Has it written. Waits for nothing.
    pub(super) fn write(&self, frozen: Frozen, why: String) {
        self.unwritten.fetch_add(1, Ordering::AcqRel);
        if self.jobs.as_ref().is_none_or(|jobs| jobs.send((frozen, why)).is_err()) {
            log::error!("the thread that writes recordings is gone: this one is not kept");
        }
    }

    /// How many are not written yet.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.load(Ordering::Acquire)
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("writing a recording ended in a panic");
        }
    }
}

fn work(mut shelf: Box<dyn Shelf>, given: &Receiver<Job>, unwritten: &AtomicUsize) {
    for (frozen, why) in given {
        write(&mut *shelf, frozen, &why);
        unwritten.fetch_sub(1, Ordering::AcqRel);
    }
}

fn write(shelf: &mut dyn Shelf, frozen: Frozen, why: &str) {
    let (file, path) = match shelf.next() {
        Ok(next) => next,
        Err(error) => return log::error!("{why}: not kept: {}", whole(&*error)),
    };
    match frozen.write(file, &path) {
        Ok(_) => log::info!("{why}: kept in {}", path.display()),
        Err(error) => log::error!("{why}: {}", whole(&error)),
    }
}
