//! Several threads write the same maps, each under its lock, and grow them while others wait.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Context as _;

use super::Scenario;
use crate::pace::Pace;
use crate::random::{Keys, Random};
use crate::stage::Stage;
use crate::stop::Stopped;
use crate::truth::Account;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "many_threads",
    about: "--threads threads write and read the same maps, each map behind a lock",
    maps: 8,
    rounds: 1,
    round: "entries put in, over all threads",
    run,
};

const READS_PER_WRITE: u64 = 24;

/// One thread's part: of `requests` requests it serves each `threads`-th, from its own number on.
struct Worker {
    number: u64,
    threads: u64,
    requests: u64,
    keys: Keys,
    random: Random,
    pace: Pace,
    wrong_reads: u64,
}

fn run(stage: &mut Stage) -> anyhow::Result<()> {
    stage.maps("shared");
    let mut workers = workers(stage);
    let shared: Vec<_> = stage.hand_out().into_iter().map(Mutex::new).collect();
    let outcome = work(&mut workers, &shared);
    stage.take_back(
        shared.into_iter().map(|map| map.into_inner().unwrap_or_else(PoisonError::into_inner)).collect(),
    );
    for worker in workers {
        stage.pace.include(&worker.pace);
        stage.add_wrong_reads(worker.wrong_reads);
    }
    outcome
}

fn workers(stage: &Stage) -> Vec<Worker> {
    let threads = stage.settings.threads;
    let worker = |number| Worker {
        number,
        threads: threads as u64,
        requests: stage.settings.entries * stage.settings.rounds,
        keys: stage.keys,
        random: Random::new(stage.settings.seed, number),
        pace: stage.pace.share(threads),
        wrong_reads: 0,
    };
    (0..threads as u64).map(worker).collect()
}

fn work(workers: &mut [Worker], shared: &[Mutex<Account>]) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let mut running = Vec::new();
        for worker in workers {
            let name = format!("worker-{}", worker.number);
            let thread = thread::Builder::new().name(name).spawn_scoped(scope, || worker.serve_all(shared));
            running.push(thread.context("starting a worker thread")?);
        }
        for thread in running {
            thread.join().map_err(|_panic| anyhow::anyhow!("a worker thread panicked"))??;
        }
        Ok(())
    })
}

impl Worker {
    fn serve_all(&mut self, shared: &[Mutex<Account>]) -> Result<(), Stopped> {
        let mut request = self.number;
        while request < self.requests {
            let map = &shared[(request % shared.len() as u64) as usize];
            self.serve(
                request,
                shared.len() as u64,
                &mut map.lock().unwrap_or_else(PoisonError::into_inner),
            )?;
            request += self.threads;
        }
        Ok(())
    }

    /// Puts one key in and reads some that this thread put into the same map.
    fn serve(&mut self, request: u64, maps: u64, map: &mut Account) -> Result<(), Stopped> {
        self.pace.step()?;
        map.insert(self.keys.at(request), request);
        // This thread comes back to this map every so many requests.
        let period = least_common_multiple(maps, self.threads);
        let served = request / period + 1;
        for _ in 0..READS_PER_WRITE {
            self.pace.step()?;
            let read = request - period * (served - 1 - self.random.newest_of(&(0..served)));
            self.wrong_reads += u64::from(black_box(map.get(self.keys.at(read))) != Some(read));
        }
        Ok(())
    }
}

const fn least_common_multiple(a: u64, b: u64) -> u64 {
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    a / divisor * b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_meet_their_maps_again_after_the_least_common_multiple() {
        assert_eq!(
            [(8, 4), (8, 3), (1, 5), (6, 4)].map(|(a, b)| least_common_multiple(a, b)),
            [8, 24, 5, 12]
        );
    }
}
