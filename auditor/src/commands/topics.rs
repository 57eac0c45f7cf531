//! What `auditor explain` knows: one row a topic. The words are those of the report and of its
//! format; what is not in this auditor is not explained here.

use super::family_words::FAMILY_WORDS;
use super::gate_words::GATE_WORDS;
use super::map_words::MAP_WORDS;
use super::recording_words::RECORDING_WORDS;
use super::verdicts::VERDICTS;
use crate::audit::findings::RULES;

/// One thing that can be explained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Topic {
    /// What it is called, in lower case with underscores.
    pub(super) name: &'static str,
    /// Names that lead here too.
    pub(super) also: &'static [&'static str],
    /// In one line, without a full stop.
    pub(super) line: &'static str,
    /// The rest, in lines of at most 90 characters.
    pub(super) text: &'static str,
}

impl Topic {
    /// All names that lead here.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.also.iter().copied())
    }
}

/// All that can be explained: words of maps, the groups of the report, verdicts, rules.
pub(super) fn all() -> impl Iterator<Item = Topic> {
    let rules =
        RULES.iter().map(|rule| Topic { name: rule.name, also: &[], line: rule.line, text: rule.text });
    MAP_WORDS
        .iter()
        .chain(FAMILY_WORDS)
        .chain(TOPICS)
        .chain(GATE_WORDS)
        .chain(RECORDING_WORDS)
        .chain(VERDICTS)
        .copied()
        .chain(rules)
}

/// The groups of the report, then how to read and end it all.
const TOPICS: &[Topic] = &[
    Topic {
        name: "fact",
        also: &["facts"],
        line: "one thing learnt about the target, with its time",
        text: "
Everything a probe or a look at memory tells becomes a fact. The report is made of facts alone,
and a recording is a file of them: that is why a replay gives the same report.",
    },
    Topic {
        name: "host",
        also: &["auditor", "schema", "page_size", "kernel"],
        line: "report: where it was seen, and by which auditor",
        text: "
host has the kernel release, the machine and the page size; auditor the version that saw the
facts, not the one that draws them; schema the name and version of the report's format.",
    },
    Topic {
        name: "target",
        also: &["runtimes", "runtime", "pid", "comm", "exe", "build_id", "allocator"],
        line: "report: the process and the runtimes recognised in it",
        text: "
runtimes lists the kinds of hash map that were found, each with its version and the evidence.
allocator is what is behind malloc: glibc, jemalloc, tcmalloc or mimalloc, by what the mapped
files export; null: none of these, or two that exclude each other.
--runtime NAME looks for one of them only; NAME,NAME for several; FILE.toml for one that the
file describes. Without it, maps that are built in (demo, Go) are looked for first, then all
that are described, in every mapped file. auditor profiles lists them.",
    },
    Topic {
        name: "profile",
        also: &["profiles", "described"],
        line: "a file that describes a hash map: where it is and how it looks",
        text: "
A profile is TOML: in which files the map is found, what is read of it, what that means, which
functions change it, and what must hold. auditor profiles lists those that are built in,
auditor profile show NAME prints one, auditor profile check FILE -p PID tries one. Its checks
are made at every look: where one fails, nothing of the map is told. A map that no root leads to
is met when a probe tells of it; its tables are compared before and after each call that grows
it. docs/describe-your-map.md walks through a profile, docs/profiles.md has the language.",
    },
    Topic {
        name: "window",
        also: &["wall_start", "ended"],
        line: "report: from when to when",
        text: "
start and end are nanoseconds of CLOCK_BOOTTIME, wall_start is the clock on the wall at start
(RFC 3339, UTC). ended says why the audit ended; null: it goes on, or the recording breaks off.",
    },
    Topic {
        name: "memory",
        also: &[
            "rss",
            "ladder",
            "limit",
            "swap",
            "unexplained",
            "headroom",
            "pressure",
            "arenas",
            "system",
            "top",
            "fast",
            "binned",
            "whole",
        ],
        line: "report: RSS over time and what it is made of",
        text: "
rss has the first, the last and the highest value that was seen. ladder explains rss.last row
by row and adds up to it; its last row, unexplained, is what no row above accounts for. Each
row says by what evidence: the page map knows what is in RAM; a runtime's counters and the
sizes of maps do not, so such a row is at most what is left of RSS. limit is the smallest
memory limit of the target's cgroups; null: none. headroom is how much more fits: what that
limit leaves, page cache that is given up easily not counted, and no more than the host has;
of a target that was killed, what was left before: its death leaves the whole group empty.
pressure is what the cgroup was charged and how long its tasks waited for memory.
arenas are those of glibc's malloc: system is what it took of the kernel, free of it are top (at
the end of each), fast (small chunks that are not merged) and binned (all others); whole: these
are all. Free chunks go back to the kernel when whole pages are free and somebody asks for it.",
    },
    Topic {
        name: "changes",
        also: &[
            "rose",
            "rose_unexplained",
            "fell",
            "fell_unexplained",
            "omitted",
            "largest",
            "parts",
            "lags",
            "timeline",
            "moments",
        ],
        line: "report: why RSS moved, and how long after what",
        text: "
What RSS is made of is kept at each interval. A change goes from one turning point of RSS to the
next; what differs between the two are its parts: maps one by one, the other rows of the ladder.
Parts and unexplained add up to it. growths counts those of a map that were under way meanwhile,
cycles those of the collector. lags tells how long after one kind of event another came, in all:
count, median, p99, max. timeline has RSS and its rows over the whole audit, in 256 moments at
most: when there are more, of two neighbours the one with the higher RSS stays.",
    },
    Topic {
        name: "syscalls",
        also: &["mmap", "munmap", "mremap", "brk", "madvise", "by_advice"],
        line: "report: how the target asked the kernel for memory and gave it back",
        text: "
Calls that were seen to end; failed ones count as calls but not as bytes. madvise is split by
advice: DONTNEED gives pages back at once, FREE lets the kernel take them when it wants to, so
RSS stays up.",
    },
    Topic {
        name: "events",
        also: &["allocate", "free", "insert", "delete", "clear", "cleared"],
        line: "report: how many of each event were seen, over all maps",
        text: "
allocate tables asked for, grow growths started, evacuate old buckets moved, free tables let go,
insert and delete keys put in and taken out, clear maps emptied at once (cleared: how often one
was), which keeps their tables. null: not counted in this audit, which is not 0.",
    },
    Topic {
        name: "maps",
        also: &["site", "next_growth"],
        line: "report: the maps, largest first",
        text: "
Those that wait for the collector come behind those that something leads to, dropped ones last.
site is the call stack of a map's largest growth. next_growth says with how many live entries
it grows, how large the new table is and how much is held on top meanwhile; eta is when, at the
measured rate.",
    },
    Topic {
        name: "forecast",
        also: &["eta", "fits", "peak_extra", "at_live", "new_table"],
        line: "report: the growths to come, and how well those that came were foretold",
        text: "
growths lists what is to come: first the maps that are filling, by the time at the rate of
their last eight looks; then those that would need most. peak_extra is what is held on top while
old and new tables are both there, fits whether memory.headroom has room for it after those
before it. at_live, new_table and eta say how far off forecasts were of growths that have come
since, in thousandths: with how many entries, how large, how long until then.",
    },
    Topic {
        name: "populations",
        also: &["near_empty", "over_presized", "min_bytes"],
        line: "report: small maps, added up by type and owner",
        text: "
Maps whose tables never reached --min-bytes are not listed one by one: a thousand small maps
can hold more than one large one, and here they are seen together. near_empty are those whose
live entries fill less than an eighth of their slots, over_presized those among them that never
grew: they were made that large.",
    },
    Topic {
        name: "sizes",
        also: &["steps", "beside", "behind", "header", "slot"],
        line: "report: what maps of each kind take at any size",
        text: "
As the runtime makes them: steps are the tables a map can have, each with the most entries it is
made for, and what of the step before is held beside it while a map grows there. Each map says
which sizes it has. `auditor whatif` answers from them.",
    },
    Topic {
        name: "whatif",
        also: &[
            "what_if",
            "presize",
            "shards",
            "flat_array",
            "hot_set",
            "needs_meanwhile",
            "growths_avoided",
        ],
        line: "what rebuilding, presizing, sharding or a flat array would do for a map",
        text: "
auditor whatif -p PID|FILE --map ADDRESS. frees is what is held now less what is held after;
needs meanwhile is the new table beside the old one, and must fit into memory.headroom; growths
avoided are those from now to --keys entries. peak - is what growing there step by step would
hold on top, growth the old and new table of one shard. hot keys are those that --qps requests
with Zipf's --skew touch within --window. ~ marks an estimate, and the sentence below the table
says what it rests on. docs/whatif.md has the formulas.",
    },
    Topic {
        name: "episodes",
        also: &["rss_delta", "rss_lag", "mmap_lag", "stall", "waited", "faults", "cause"],
        line: "report: the growths, with what they did to RSS",
        text: "
One growth each, in the order in which they started: the new tables, what mmap gave for them,
how RSS moved from start to end, and after how long. end is null while the old table is held;
stall is the longest time without a move, waited how long threads were in the calls that gave
it its tables, cycles how many of the collector ended meanwhile. faults are the page faults of
the whole target, minor and major, between the readings just before it and just after it.",
    },
    Topic {
        name: "gc",
        also: &[
            "cycles",
            "pauses",
            "heap",
            "heap_live",
            "heap_goal",
            "waits",
            "released",
            "stacks",
            "percent",
            "gives_back_lazily",
            "size_classes",
            "world_stops",
            "extended",
            "large_objects",
        ],
        line: "report: the managed heap and its garbage collector",
        text: "
null where the target has none or it was not looked at. A map that was let go is free for the
target only after a cycle, and for the kernel only when it is released.
in_use is spans with objects in them, allocated the objects: the difference is room between
them that only objects of the same size class can take. free is kept for later, waits what of
it goes back only after the next cycle, released given back. percent is Go's GOGC, limit its
GOMEMLIMIT. All pauses of one cycle count as one.
gives_back_lazily: RSS stays up until the kernel wants the pages (madvise FREE).
world_stops counts whoever stops the world: a cycle of Go does so twice, what is more is asked
for by the program (runtime.ReadMemStats, profiles). extended is memory mapped for the heap on
top of what it had; large_objects are those with pages of their own, with the call stack of the
largest. null: no hook tells.",
    },
    Topic {
        name: "writers",
        also: &["goroutine", "goroutines", "turns", "threads", "by", "cut_short", "writes"],
        line: "report: who writes one map, for a moment (--writers ADDRESS)",
        text: "
by has each goroutine with each place it writes from, turns is how often the writer changed.
Only where writes begin is seen, not whether two overlap. cut_short: the budget ended it.",
    },
    Topic {
        name: "findings",
        also: &["severity", "evidence", "remedy", "reclaimable"],
        line: "report: what the rules found",
        text: "
Each with the rule, how bad it is (critical, warning, info), the evidence it rests on, what to
do, and what that frees.",
    },
    Topic {
        name: "coverage",
        also: &["lost", "late", "notes", "layout_verified"],
        line: "report: what was not seen",
        text: "
lost are events that found the buffer full, late those that came after later ones had been
counted. layout_verified says whether the maps' layout passed its self-check on this target:
nothing is reported of a layout that did not. notes say in words what else is missing.",
    },
    Topic {
        name: "confidence",
        also: &["exact", "at_least", "insufficient"],
        line: "report: how far the numbers can be trusted",
        text: "
exact         everything was seen
at_least      something was lost: totals are lower bounds, the truth is that or more
insufficient  too little was seen to say
With --strict anything but exact ends with status 4.",
    },
    Topic {
        name: "hooks",
        also: &["hook", "probes", "attached", "refused", "disabled", "hits", "where", "reason"],
        line: "report: where the auditor looks, and where it could not",
        text: "
attached  in place
refused   never placed; reason says why
disabled  placed, then taken away while the target ran, mostly because it cost too much
hits is how often it was hit while it was in place. `auditor doctor` and --dry-run say the same
before anything is attached.",
    },
    Topic {
        name: "cost",
        also: &["budget", "probe_hits", "target_time_estimate", "agent_cpu", "agent_rss", "bpf_memory"],
        line: "report: what the audit took from target and host",
        text: "
target_time_estimate is hits times the cost of a hit at that kind of place: an estimate, not a
measurement. agent_cpu, agent_rss and bpf_memory are what the auditor itself uses. --budget 1%
bounds the estimate: over it, the costliest hooks are disabled.",
    },
    Topic {
        name: "null",
        also: &["unknown"],
        line: "not known, and never 0",
        text: "
A 0 was counted or measured. null was not looked at, could not be read, or does not exist for
this kind of map; coverage says which.",
    },
    Topic {
        name: "format",
        also: &["formats", "html", "openmetrics", "pprof", "perfetto", "folded", "csv"],
        line: "in what the report is written: -f FORMAT, more in docs/exports.md",
        text: "
live         a screen that follows the target; a terminal's default
text         an incident note for people; else the default
json         one object
ndjson       one object a line: one an interval, and the last one
html         one page for a browser
openmetrics  gauges for Prometheus: node_exporter's textfile collector, promtool
pprof        go tool pprof FILE; sample types bytes, stranded, live, growths
perfetto     a trace for ui.perfetto.dev: a track a map, RSS, the collector
folded       call stacks with the bytes that growths asked for: flamegraph.pl, inferno
csv          a row a map, headed by the names of json
From html on they are written once, at the end. pprof and perfetto are no text: -o FILE.",
    },
    Topic {
        name: "exit",
        also: &["status", "exit_status", "strict"],
        line: "what the exit status means",
        text: "
  0  done; also when whoever read the output has gone
  1  check: a gate failed, or is not known to hold; or the command failed
  2  bad usage, or a file that cannot be read or written
  3  cannot attach, or no right to
  4  the data are incomplete, and it was check, or --strict was given
130  a second Ctrl-C: no report",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::value::Error;
    use serde::de::{Deserialize as _, Deserializer, Error as _, Visitor};
    use serde::forward_to_deserialize_any;

    use super::*;
    use crate::audit::report::{Coverage, Report};
    use crate::commands::Exit;

    /// Takes the names of a struct's fields from its `Deserialize`.
    struct Fields<'a>(&'a mut Vec<&'static str>);

    impl<'de> Deserializer<'de> for Fields<'_> {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom("only structs have fields"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            self.0.extend(fields);
            Err(Error::custom("that was all"))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    #[test]
    fn every_group_of_the_report_and_every_field_of_coverage_is_explained() {
        let mut fields = Vec::new();
        assert!(Report::deserialize(Fields(&mut fields)).is_err());
        assert!(Coverage::deserialize(Fields(&mut fields)).is_err());
        assert!(fields.len() > 15, "{fields:?}");
        let known: BTreeSet<_> = all().flat_map(|topic| topic.names()).collect();
        for field in fields {
            assert!(known.contains(field), "nothing explains {field:?}");
        }
    }

    #[test]
    fn no_name_leads_to_two_topics() {
        let mut known = BTreeSet::new();
        for name in all().flat_map(|topic| topic.names()) {
            assert!(known.insert(name), "{name} is there twice");
        }
    }

    #[test]
    fn every_topic_fits_a_terminal() {
        for topic in all() {
            assert!(topic.line.len() <= 72 && !topic.line.ends_with('.'), "{}", topic.name);
            assert!(topic.text.lines().all(|line| line.len() <= 96), "{}", topic.name);
            assert!(topic.text.len() > 80, "{} says nothing", topic.name);
        }
    }

    #[test]
    fn every_exit_status_is_explained() {
        let exit = TOPICS.iter().find(|topic| topic.name == "exit").unwrap();
        let all = [
            Exit::Clean,
            Exit::Findings,
            Exit::Usage,
            Exit::CannotAttach,
            Exit::Incomplete,
            Exit::Interrupted,
        ];
        for status in all {
            let row = format!("{:>3}  ", status as u8);
            assert!(exit.text.lines().any(|line| line.starts_with(&row)), "{status:?}");
        }
    }
}
