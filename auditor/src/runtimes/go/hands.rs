//! Whether a second thread helps with a census. One that somebody waits for is done sooner with the halves of the
//! heap side by side; those that follow while a process is audited run beside it, and leave it its CPUs.

use std::panic::resume_unwind;
use std::sync::Mutex;
use std::thread;

/// How many threads work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hands {
    /// This one alone.
    One,
    /// Another one beside it.
    Two,
}

impl Hands {
    /// Two, where there are CPUs for both.
    #[must_use]
    pub fn free() -> Self {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        if cpus > 1 { Self::Two } else { Self::One }
    }

    /// Does both, the second on the other thread. Without one, or if none can be had, one after the other.
    pub fn both<A, B: Send>(self, first: impl FnOnce() -> A, second: impl FnOnce() -> B + Send) -> (A, B) {
        if self == Self::One {
            return (first(), second());
        }
        let second = Mutex::new(Some(second));
        let once = || {
            let second = second.lock().ok().and_then(|mut second| second.take());
            second.map(|second| second())
        };
        let (first, done) = thread::scope(|scope| {
            let other = thread::Builder::new().spawn_scoped(scope, once).ok();
            let first = first();
            (first, other.and_then(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic))))
        });
        (first, done.or_else(once).expect("it is taken once, here or there"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_done_and_the_second_on_another_thread_if_there_is_one() {
        let here = thread::current().id();
        let who = || thread::current().id();
        assert_eq!(Hands::One.both(who, who), (here, here));
        let (first, second) = Hands::Two.both(who, who);
        assert!(first == here && second != here);
    }

    #[test]
    #[should_panic(expected = "told")]
    fn a_panic_on_the_other_thread_is_not_lost() {
        Hands::Two.both(|| (), || panic!("told"));
    }
}
