//! What `auditor explain` knows of verdicts and of what rules judge by. The rules explain themselves.

use super::topics::Topic;

/// Each verdict, and what goes with all of them.
pub(super) const VERDICTS: &[Topic] = &[
    Topic {
        name: "verdict",
        also: &["outlook", "mechanism", "expected_within", "frees", "disproof", "comes_back", "comes back"],
        line: "what a verdict rests on, how soon, and what would overturn it",
        text: "
mechanism is what gives the memory back, or what keeps it. expected_within is how soon; null:
not by itself, or nobody can say. frees is how much; null: nothing, or not known. disproof is
what to look at, and what it would have to show for the verdict to be wrong. Of a map it is
about the map's memory, in memory about RSS: there the largest part decides that may come back.",
    },
    Topic {
        name: "in_use",
        also: &[],
        line: "verdict: the memory is needed as it is",
        text: "
The live entries need about what the map holds, or it has room that is filling. It does not
come back while the entries are there. (gc.in_use is another thing: see gc.)",
    },
    Topic {
        name: "coming_back_now",
        also: &[],
        line: "verdict: the memory is on its way back",
        text: "
A map whose entries move to a new table, after which the old one goes; expected_within is at
the rate so far. Or a managed heap with free spans that its scavenger gives back: Go's takes
some 10 s, and keeps a tenth over the goal of the next cycle. From Go 1.21 on it leaves 4 MiB
chunks alone that were nearly full before the last cycle: they go after the next one, which an
idle program runs within 2 minutes.",
    },
    Topic {
        name: "after_next_gc",
        also: &[],
        line: "verdict: the next cycle of the collector frees it",
        text: "
Nothing refers to the map. A Go program that does nothing else runs a cycle every 2 minutes; one
that allocates runs it sooner; with GOGC=off it runs none by itself. After that its memory is
free for the program, and with the kernel some 10 s later, from Go 1.21 on partly after one
cycle more: of RSS, expected_within counts that, too. With GOGC=off free spans wait likewise.",
    },
    Topic {
        name: "held_by_allocator",
        also: &[],
        line: "verdict: maps let it go, and the allocator kept it",
        text: "
Only said where tables were seen to go, the kernel was seen not to get as much back, and RSS has
that much which no map holds. What makes an allocator give it back: see allocator_retention.",
    },
    Topic {
        name: "lazily_freed",
        also: &[],
        line: "verdict: left to the kernel, and RSS shows it until the kernel takes it",
        text: "
MADV_FREE leaves pages where they are until the kernel is short of memory, so RSS is no leak
here. LazyFree in /proc/PID/smaps tells how many there are. Free spans of a heap that gives
back so are among frees: they will not leave RSS by themselves either.",
    },
    Topic {
        name: "stranded_until_rebuilt",
        also: &[],
        line: "verdict: only a new map in place of this one frees it",
        text: "
The map has far more room than entries, it is left alone, and maps of its kind do not shrink.
frees is what it holds less what its entries need in a map just rebuilt: resident bytes, or
allocated ones where the page map was not read.",
    },
    Topic {
        name: "stalled",
        also: &[],
        line: "verdict: it would come back, but what brings it back has stopped",
        text: "
An old table is held and no entry has moved for 5 s: only writes move entries. See
stalled_evacuation for what to do.",
    },
    Topic {
        name: "too_early",
        also: &["undecided"],
        line: "verdict, or answer of a rule: not seen for long enough to say",
        text: "
A map that was left alone for a second may be about to fill. undecided lists the rules that
suspect something and cannot tell yet, each with what is missing. Watch for longer.",
    },
    Topic {
        name: "thresholds",
        also: &["rules", "expect", "settled", "quiet", "watch"],
        line: "from where on a rule speaks: --rules FILE and --expect TYPE=N",
        text: "
A file in TOML, a section for each rule; what it does not name stays as it is:
  [never_shrinks]
  full = \"10%\"
  least = \"64MiB\"
  [expect]
  \"map[string]*main.Session\" = 1000
docs/findings.md lists all of them. A recording keeps what was asked for, so that its replay
says the same; replay --rules FILE judges it by another file.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::report::Verdict;

    #[test]
    fn every_verdict_is_explained_under_its_word() {
        for verdict in Verdict::ALL {
            let topic = VERDICTS.iter().find(|topic| topic.name == verdict.word());
            assert!(topic.is_some_and(|topic| topic.line.starts_with("verdict")), "{verdict:?}");
            let word = serde_json::to_string(&verdict).unwrap();
            assert_eq!(word, format!("{:?}", verdict.word()));
        }
    }
}
