//! RSS explained row by row. What no row explains is the last row, so the rows always add up.

use super::memory::Memory;
use super::report::Rung;
use super::unit::Bytes;

/// The last row.
pub const UNEXPLAINED: &str = "unexplained";

/// The rows for the last RSS known; none while it is not known.
pub(super) fn rungs(memory: &Memory) -> Vec<Rung> {
    let Some(mut rest) = memory.rss().last else { return Vec::new() };
    let known = [("file pages", memory.file()), ("shared memory", memory.shmem())];
    let mut rungs = Vec::with_capacity(known.len() + 1);
    for (name, bytes) in known {
        let Some(bytes) = bytes else { continue };
        // A row cannot explain more than there is: members are not read at the same instant.
        let bytes = bytes.min(rest);
        rest = rest.less(bytes);
        rungs.push(rung(name, bytes));
    }
    rungs.push(rung(UNEXPLAINED, rest));
    rungs
}

fn rung(name: &str, bytes: Bytes) -> Rung {
    Rung { name: name.to_owned(), bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact;
    use crate::audit::unit::Nanos;

    #[test]
    fn no_reading_gives_no_row() {
        assert_eq!(rungs(&Memory::default()), []);
    }

    #[test]
    fn the_rows_add_up_to_the_last_rss() {
        let mut memory = Memory::default();
        let seen =
            fact::Memory { anon: Bytes(7), file: Bytes(20), shmem: Bytes(3), ..fact::Memory::default() };
        memory.read(Nanos(1), &seen, false);
        let expected =
            [rung("file pages", Bytes(20)), rung("shared memory", Bytes(3)), rung(UNEXPLAINED, Bytes(7))];
        assert_eq!(rungs(&memory), expected);
    }
}
