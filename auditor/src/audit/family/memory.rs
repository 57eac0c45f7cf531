//! What a family holds. A page that several members map is there once: each counts with its part of it, the page
//! divided by how many map it.

use super::super::fact::Shares;
use super::super::ladder::{ROLLUP, ROWS, UNEXPLAINED};
use super::super::report::{self, Rss, Rung};
use super::super::unit::{Bytes, Nanos};

/// The rows that `smaps_rollup` tells apart.
const FILES: &str = ROWS[0];
const SHMEM: &str = ROWS[1];

/// What the family held so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    rss: Rss,
}

/// What a living member holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holding<'a> {
    pub(super) shares: Option<Shares>,
    pub(super) memory: &'a report::Memory,
}

impl Memory {
    /// The sum over all members at that time, as far as it is known.
    pub(super) fn read(&mut self, at: Nanos, sum: Option<Bytes>) {
        let Some(sum) = sum else { return };
        self.rss.first.get_or_insert(sum);
        self.rss.last = Some(sum);
        if self.rss.peak.is_none_or(|peak| peak < sum) {
            (self.rss.peak, self.rss.peak_at) = (Some(sum), Some(at));
        }
    }

    /// As the report has it. Limits and pressure are those of the first member: a family is in one group, or what
    /// is left of it is not known.
    pub(super) fn report(&self, living: &[Holding<'_>], first: &report::Memory) -> report::Memory {
        let swap = living.iter().map(|it| it.memory.swap).reduce(|sum, swap| Some(sum? + swap?)).flatten();
        report::Memory {
            rss: self.rss.clone(),
            limit: first.limit,
            swap,
            headroom: None,
            pressure: first.pressure,
            ladder: self.ladder(living),
            // Of one process alone: look at one member for it.
            arenas: None,
            changes: None,
            verdict: None,
            outlook: None,
        }
    }

    /// The rows of all members added up, each at most what those above it have left.
    fn ladder(&self, living: &[Holding<'_>]) -> Vec<Rung> {
        let Some(mut rest) = self.rss.last else { return Vec::new() };
        let mut rungs = Vec::new();
        for name in ROWS.into_iter().filter(|name| *name != UNEXPLAINED) {
            let rows: Vec<(Bytes, &str)> = living.iter().filter_map(|it| it.row(name)).collect();
            let Some((_, evidence)) = rows.first() else { continue };
            let bytes = rows.iter().fold(Bytes(0), |sum, (bytes, _)| sum + *bytes).min(rest);
            rest = rest.less(bytes);
            rungs.push(Rung { name: name.to_owned(), bytes, evidence: (*evidence).to_owned() });
        }
        rungs.push(Rung {
            name: UNEXPLAINED.to_owned(),
            bytes: rest,
            evidence: super::super::ladder::REST.to_owned(),
        });
        rungs
    }
}

impl Holding<'_> {
    /// A row of anonymous memory. After a fork its pages are shared until somebody writes to them, and which are is
    /// not told row by row: each row has its part in the proportion of all.
    fn part_of(&self, row: Bytes) -> Bytes {
        let Some(shares) = self.shares else { return row };
        let rows = self.memory.ladder.iter().filter(|rung| ![FILES, SHMEM].contains(&rung.name.as_str()));
        let all: u128 = rows.map(|rung| u128::from(rung.bytes.0)).sum();
        let part = u128::from(row.0) * u128::from(shares.anon.0) / all.max(1);
        Bytes(u64::try_from(part).unwrap_or(u64::MAX)).min(row)
    }

    fn row(&self, name: &str) -> Option<(Bytes, &str)> {
        match (self.shares, name) {
            (Some(shares), FILES) => Some((shares.file, ROLLUP)),
            (Some(shares), SHMEM) => Some((shares.shmem, ROLLUP)),
            _ => {
                let rung = self.memory.ladder.iter().find(|rung| rung.name == name)?;
                Some((self.part_of(rung.bytes), &rung.evidence))
            }
        }
    }
}
