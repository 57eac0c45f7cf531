//! What `auditor explain` knows of maps: the words that a row of theirs is made of.

use super::topics::Topic;

/// What a map is, what it holds, whose it is.
pub(super) const MAP_WORDS: &[Topic] = &[
    Topic {
        name: "map",
        also: &["address"],
        line: "one hash table of the target, named by its address",
        text: "
A map is named by the address of its header: Go's *hmap or *maps.Map, a Redis dict, the demo
map's header. The address may be used again after the map is gone; the report then lists two
maps, told apart by born and died.",
    },
    Topic {
        name: "table",
        also: &["tables", "old_table"],
        line: "one allocation behind a map: buckets, groups or an overflow area",
        text: "
A map holds one table in the steady state and two while it evacuates: the new one and the old
one. In the report, tables counts those asked for and let go while the audit watched, with
their bytes; bytes.old_table is what the old one still holds.",
    },
    Topic {
        name: "live",
        also: &[],
        line: "entries that a lookup could find",
        text: "
Read from the map itself, not counted from inserts, so it is right for maps that were there
before the audit. null: the map could not be read.",
    },
    Topic {
        name: "capacity",
        also: &[],
        line: "slots in the current table",
        text: "
The old table's slots do not count while a map evacuates. live against capacity says how full
a map is; most maps grow well before they are full (Go's bucket map at 6.5 of 8).",
    },
    Topic {
        name: "growth",
        also: &["growths", "first", "double", "same_size", "shrink", "split", "other", "grow"],
        line: "from asking for a new table to letting the old one go",
        text: "
Kinds:
  first      the first table of a map
  double     twice the buckets, because it became too full
  same_size  as many buckets, to get rid of overflow or tombstones
  shrink     fewer buckets
  split      one of several tables is split in two
  other      none of these
While a growth lasts the map holds both tables: that is the peak. Maps that grow in steps keep
the old table until enough writes have come.",
    },
    Topic {
        name: "evacuation",
        also: &["evacuate", "moved", "in_progress", "stalled_for"],
        line: "moving entries from the old table to the new",
        text: "
Many maps move a few old buckets at each write, so a map that is no longer written to keeps
both tables for as long as it lives. moved and total count old buckets; stalled_for is how long
nothing has moved while the old table is still held. --evacuation probe counts every move, poll
reads the map's own progress at each interval.",
    },
    Topic {
        name: "tombstones",
        also: &[],
        line: "slots that are empty but may not be reused freely",
        text: "
A delete leaves one where lookups of other keys pass through. They make lookups longer and can
start a growth even though few entries are live. null: this map does not have them or they
cannot be read.",
    },
    Topic {
        name: "overflow",
        also: &[],
        line: "buckets chained behind full ones",
        text: "
They are part of what a map holds. Many of them with few live entries mean that a map was once
fuller: a rebuilt map would need less.",
    },
    Topic {
        name: "allocated",
        also: &["bytes", "peak"],
        line: "all bytes a map itself holds",
        text: "
Header, directory, tables, overflow and old table, as the allocator rounds them. Not what keys
and values point to. peak is the most that was seen.",
    },
    Topic {
        name: "resident",
        also: &[],
        line: "the part of allocated that is in RAM now",
        text: "
From the page map, so a table that was never written to counts as little as it takes. The
largest maps are asked for first, in a hundredth of the time; null: it was not this one's turn
yet. Overflow buckets beside the arrays are looked for if a hook saw them allocated, what lies
behind pointers is not.",
    },
    Topic {
        name: "needed",
        also: &[],
        line: "bytes for the live entries, had the map just been rebuilt",
        text: "
What the same runtime would hold for as many live entries in a new map. Rebuilding a map and
letting the old one go brings allocated down to this. Overflow buckets (of classic Go maps and
the demo's) are in it, as many as are expected if the hash spreads the entries as chance would.",
    },
    Topic {
        name: "stranded",
        also: &[],
        line: "resident less needed: what a rebuild would free",
        text: "
max(0, resident - needed). Memory that the map holds and its entries do not need. null: one of
the two is unknown.",
    },
    Topic {
        name: "type",
        also: &["candidates"],
        line: "what a map maps to what, as its runtime writes it",
        text: "
Such as map[string]*main.User. Where the memory does not tell, candidates lists the types that
it may be of: maps of equally large keys and values without pointers look alike. Who holds it,
or its next growth, may tell later. null: not known.",
    },
    Topic {
        name: "owner",
        also: &["reachable", "garbage"],
        line: "who holds a map: the path from a root to it",
        text: "
Such as main.cache -> (main.Cache).Inner: a global variable or a goroutine's stack, and the
fields that lead from there. reachable says whether any root leads to a map: false is garbage,
which takes memory until the next collection and is nobody's fault; it is listed apart and
never blamed. null: nobody looked, or the looking was cut short.",
    },
    Topic {
        name: "census",
        also: &["one_look"],
        line: "one look at every map of a process",
        text: "
`auditor census` reads the memory of a running process, places nothing in it and does not stop
it: which maps hold the memory now, of what type, who holds them, how full they are. It takes
the right to read that memory (CAP_SYS_PTRACE) and no other. What happened before and what
comes after it cannot know: growths, events and rates are null. An audit takes a census, too,
when it attaches.",
    },
    Topic {
        name: "origin",
        also: &["observed", "before_attach", "before-attach", "born", "died"],
        line: "whether a map was born while the audit watched",
        text: "
observed: its first table was seen, so its counts are those of its whole life; or a census
found it where the one before had found none, and born is the time of that census.
before-attach: it was there, or nothing shows that it was not; born is null then.",
    },
];
