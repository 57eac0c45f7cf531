//! How fast operations may go on, and how many there were.

use std::time::{Duration, Instant};

use crate::stop::{self, Stopped};

/// Operations between two looks at the clock and the stop flag, at most: some 10 us of work.
const LONGEST_BATCH: u32 = 256;
/// Batches a second that a slow rate is cut into.
const BATCHES_PER_SECOND: f64 = 100.0;

/// Grants operations, in batches, at a rate.
#[derive(Debug)]
pub(crate) struct Pace {
    began: Instant,
    /// Operations a second.
    rate: Option<f64>,
    batch: u32,
    granted: u64,
    left: u32,
}

impl Pace {
    /// At `rate` operations a second; `None`: as fast as they come.
    pub(crate) fn new(rate: Option<f64>) -> Self {
        let batch = rate.map_or(LONGEST_BATCH, |rate| {
            (rate / BATCHES_PER_SECOND).clamp(1.0, f64::from(LONGEST_BATCH)) as u32
        });
        Self { began: Instant::now(), rate, batch, granted: 0, left: 0 }
    }

    /// One of `parts` equal shares of this pace, from now on.
    pub(crate) fn share(&self, parts: usize) -> Self {
        Self::new(self.rate.map(|rate| rate / parts as f64))
    }

    /// Before each operation: waits for its turn.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<(), Stopped> {
        if self.left == 0 {
            self.grant()?;
        }
        self.left -= 1;
        Ok(())
    }

    /// Operations done so far.
    pub(crate) fn operations(&self) -> u64 {
        self.granted - u64::from(self.left)
    }

    /// Counts the operations that were done on another pace.
    pub(crate) fn include(&mut self, other: &Self) {
        self.granted += other.operations();
    }

    #[cold]
    fn grant(&mut self) -> Result<(), Stopped> {
        stop::check()?;
        if let Some(rate) = self.rate {
            stop::sleep_until(self.began + Duration::from_secs_f64(self.granted as f64 / rate))?;
        }
        self.granted += u64::from(self.batch);
        self.left = self.batch;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept() {
        let began = Instant::now();
        let mut pace = Pace::new(Some(1_000.0));
        (0..201).for_each(|_| pace.step().unwrap());
        assert!(began.elapsed() >= Duration::from_millis(200));
        assert_eq!(pace.operations(), 201);
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let began = Instant::now();
        let mut pace = Pace::new(None);
        (0..100_000).for_each(|_| pace.step().unwrap());
        assert!(began.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn shares_add_up() {
        let mut whole = Pace::new(Some(1e9));
        let mut half = whole.share(2);
        (0..10).for_each(|_| half.step().unwrap());
        (0..3).for_each(|_| whole.step().unwrap());
        whole.include(&half);
        assert_eq!(whole.operations(), 13);
    }
}
