//! Who wrote one map: the last such look, with the names of its places.

use super::fact::Written;
use super::report::{Writer, Writers};
use super::stacks::Stacks;

/// Writers that are kept.
const MOST: usize = 4096;
/// Longest reason that is kept, in bytes.
const MOST_REASON: usize = 1024;

/// As it is kept: no more than there is room for.
pub(super) fn bounded(written: &Written) -> Box<Written> {
    let mut kept = Box::new(written.clone());
    kept.writers.truncate(MOST);
    if let Some(reason) = &mut kept.cut_short {
        reason.truncate(reason.floor_char_boundary(MOST_REASON));
    }
    kept
}

/// As the report has it.
pub(super) fn report(written: &Written, stacks: &Stacks) -> Writers {
    let mut by: Vec<Writer> = written
        .writers
        .iter()
        .map(|writer| Writer {
            goroutine: writer.goroutine,
            writes: writer.writes,
            threads: writer.threads,
            site: writer.site.map_or_else(Vec::new, |site| stacks.frames(site)),
        })
        .collect();
    by.sort_by(|one, other| {
        let rank = |writer: &Writer| (std::cmp::Reverse(writer.writes), writer.goroutine);
        (rank(one), &one.site).cmp(&(rank(other), &other.site))
    });
    Writers {
        map: written.map,
        start: written.from,
        end: written.to,
        cut_short: written.cut_short.clone(),
        writes: written.writes,
        turns: written.turns,
        goroutines: written.goroutines,
        by,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fact::{Stack, StackId, Writer as Fact};
    use super::super::unit::{Address, Nanos};
    use super::*;

    #[test]
    fn writers_come_by_their_writes_with_the_names_of_their_places() {
        let writer =
            |goroutine, writes, site| Fact { goroutine, writes, threads: 1, site: Some(StackId(site)) };
        let written = Written {
            map: Address(0x10),
            from: Nanos(1),
            to: Nanos(9),
            cut_short: Some("x".repeat(5000)),
            writes: 12,
            turns: 3,
            goroutines: Some(2),
            writers: vec![writer(Some(7), 2, 1), writer(None, 5, 9), writer(Some(4), 5, 1)],
        };
        let mut stacks = Stacks::default();
        stacks.add(&Stack { id: StackId(1), frames: vec!["main.put".to_owned()] });
        let report = report(&bounded(&written), &stacks);
        let by: Vec<_> = report.by.iter().map(|one| (one.goroutine, one.writes, one.site.len())).collect();
        assert_eq!(by, [(None, 5, 0), (Some(4), 5, 1), (Some(7), 2, 1)]);
        assert_eq!(report.cut_short.unwrap().len(), MOST_REASON);
    }
}
