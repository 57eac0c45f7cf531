//! Where the time goes between our start and the first report: said with `-v`. What takes so long that
//! somebody might wonder is said at once.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long nobody wonders.
const PATIENCE: Duration = Duration::from_secs(1);

/// Does it, and says how long that took.
pub fn timed<T>(what: &str, does: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = does();
    log::debug!("{what}: {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    done
}

/// Does it, and says that it goes on every time that `PATIENCE` has doubled.
pub fn watched<T>(what: &str, does: impl FnOnce() -> T) -> T {
    let (done, ends) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let (began, mut wait) = (Instant::now(), PATIENCE);
            while ends.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                log::info!("{what}: {} s so far", began.elapsed().as_secs());
                wait *= 2;
            }
        });
        let answer = does();
        drop(done);
        answer
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quick_is_not_waited_for() {
        let began = Instant::now();
        assert_eq!(watched("nothing", || 7), 7);
        assert!(began.elapsed() < PATIENCE);
    }
}
