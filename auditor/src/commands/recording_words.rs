//! What `auditor explain` knows of recordings: `--record`, `--ring`, `auditor replay`.

use super::topics::Topic;

/// Both.
pub(super) const RECORDING_WORDS: &[Topic] = &[
    Topic {
        name: "recording",
        also: &["record", "replay", "from", "to"],
        line: "a file of facts, from --record",
        text: "
Readable at any moment up to the last whole frame, also after kill -9 or on a full disk; a
replay says where it breaks off and exits with 0, or with 4 under --strict. A damaged one gives
a report of what comes before the damage, and status 2. Mode 0600: it holds addresses, names
and call stacks of the target, but no keys or values.
replay --from 2m --to 5m takes a part: what came before stands at its beginning, as if the audit
had begun there. --filter 'type=~\"Session\"' shows the maps that fit (auditor explain filter).",
    },
    Topic {
        name: "ring",
        also: &["trigger", "triggers", "flight"],
        line: "a flight recorder: the last minutes, written when something happens",
        text: "
--ring 10m --record FILE keeps the facts of the last 10 minutes in memory, 64 MiB at most, and
writes a recording when a condition becomes true:
  --trigger 'rss+25%'         RSS is so much above the lowest that it was in the ring
  --trigger 'rss>2GiB'        RSS is above it
  --trigger 'limit>90%'       so much of the memory limit is taken, less what can be given up
  --trigger 'growth>512MiB'   a map asks for a table of more than that
Whatever the conditions, it is written when the kernel chooses the target to be killed for want
of memory, and when the target ends. Without a condition it is also written when the audit ends.
A condition fires again after it was false; between two recordings lies half of the ring, and
conditions make 16 at most: FILE, FILE-2 and so on, or other names by %t, the time of writing. A
recording begins with what was known then of every map, as if the audit had begun there. Of an
auditor that is killed nothing is kept: without --ring a recording is in its file at once.",
    },
];
