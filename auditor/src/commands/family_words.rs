//! What `auditor explain` knows of families: the words of their members.

use super::topics::Topic;

/// What a family is, and what its members share.
pub(super) const FAMILY_WORDS: &[Topic] = &[Topic {
    name: "members",
    also: &["member", "family", "follow", "parent", "sight", "left", "part", "private", "shmem"],
    line: "report: the processes of a family, which are one target",
    text: "
census -p PID --follow looks at a process and at all that came of it by fork and still run its
program, such as PostgreSQL's backends; attach -p PID --follow follows them, and all that are
forked meanwhile, from their first instruction on. maps, growths and findings say by pid whose
they are: a forked process has its maps at the addresses of its parent's. sight is asked, found
or forked; left says why one is followed no more: exited, replaced (it ran another program), or
why it could not be looked at.
rss of a member has all pages that it maps; private those that nobody else maps; part divides
each page by how many processes map it, as smaps_rollup says (Pss), and shmem is what of that is
shared memory. RSS of the family is the sum of the parts: what members share is in it once.
Limits and pressure are those of the process that was asked for.",
}];
