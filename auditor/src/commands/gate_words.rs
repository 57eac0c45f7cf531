//! What `auditor explain` knows of gates and of differences: `auditor check`, `auditor diff`.

use super::topics::Topic;

/// Both.
pub(super) const GATE_WORDS: &[Topic] = &[
    Topic {
        name: "gate",
        also: &[
            "gates",
            "check",
            "metric",
            "metrics",
            "baseline",
            "filter",
            "filters",
            "junit",
            "github",
            "peak_rss",
            "peak_of_limit",
            "oom_kills",
            "largest_map",
            "growth_wait",
            "gc_cycles",
            "gc_cycles_per_minute",
            "gc_pause",
            "gc_pause_p99",
            "unplaced",
            "duration",
            "probe_cost",
        ],
        line: "check: a condition that a build fails on, METRIC (FILTERS) OP LIMIT",
        text: "
Such as 'stranded<40MiB', 'growths(type=~\"Session\")<=3', 'peak_rss<=baseline+10%'. OP is one of
< <= > >= = and !=. What is not known passes no gate. The metrics:
  peak_rss              the highest RSS that was seen
  rss                   RSS at the last reading
  peak_of_limit         the highest RSS, in percent of the memory limit
  swap                  what is swapped out
  headroom              how much more fits
  unexplained           RSS that no row of the ladder explains
  oom_kills             tasks of its cgroup that the kernel killed for want of memory
  stranded              bytes in RAM that the entries would not need in maps just rebuilt
  allocated             all bytes that maps hold
  resident              the part of allocated that is in RAM
  old_table             tables that are still held while they are evacuated
  largest_map           allocated of the largest map
  live                  entries that a lookup could find
  capacity              slots in the current tables
  maps                  maps that live
  growths               growths of all kinds, first tables and dropped maps too
  growth_wait           the longest that a thread waited for the tables of one growth
  findings              what the rules found
  undecided             what the rules suspect and cannot tell
  gc_cycles             cycles of the collector in the window
  gc_cycles_per_minute  cycles of the collector in a minute
  gc_pause              the longest pause of the world
  gc_pause_p99          99 % of the pauses were no longer
  lost                  events that were lost
  late                  events that came after later ones
  unplaced              hooks that were refused or taken out
  duration              how long the audit went on
  probe_cost            what the hooks took from the target, in percent of one CPU
Those from stranded to growth_wait are of the maps that all filters fit: type, owner, name,
runtime, verdict, each with = != =~ or !~ (regular expressions). findings takes severity (also
with >= and <=) and rule. Sizes need B, KiB, MiB, GiB or TiB, times ns, us, ms, s, m or h, and
shares %. `replay --filter` shows the maps that such filters fit.
docs/gate.md has the grammar.",
    },
    Topic {
        name: "diff",
        also: &["release", "release_checks", "matched"],
        line: "diff: two reports, map by map, and three checks of a release",
        text: "
Maps are found again by type, name, owner and the functions that they grew from, since addresses
differ from run to run. Several that are alike in all of that are matched by rank and told
together. The checks: RSS fell by what the first report's outlook promised (within 5 %, and as
much as the time since allows); no thread waits longer at p99 than before, or than 10 ms, in
growths or pauses of the collector; the mean interval of the collector differs by less than 8 %.
unknown: the reports do not tell, and why. docs/diff.md has the fields.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::gate::metric::METRICS;
    use crate::commands::topics::all;

    #[test]
    fn every_metric_of_gates_is_explained_in_the_words_of_its_row() {
        for metric in METRICS {
            let row = format!("  {:<22}{}", metric.name, metric.about);
            assert!(GATE_WORDS[0].text.lines().any(|line| line == row), "{row}");
            assert!(all().any(|topic| topic.names().any(|name| name == metric.name)), "{}", metric.name);
        }
    }
}
