//! What the report's words of confidence rest on.

use super::Audit;
use super::coverage::Evidence;
use super::doubt::Doubt;
use super::fact::Ended;
use super::ladder::Ladder;

impl Audit {
    /// What is doubtful, what was placed, and what was seen at all.
    pub(super) fn evidence(
        &self,
        omitted_episodes: u64,
        counters_are_shown: bool,
        ladder: &Ladder,
    ) -> Evidence {
        let mut doubts: Vec<Doubt> = self.hooks.doubts(self.head.start()).collect();
        doubts.extend(self.lives.oddities().doubts(counters_are_shown));
        doubts.extend(self.looked_once());
        doubts.extend(self.born.map(counted_births));
        doubts.extend(ladder.beyond_ram());
        doubts.extend(ladder.entries_beyond_ram());
        if !self.recognised.is_empty() && self.recognised.verified().is_none() {
            doubts.push(Doubt::lowering("the layout of a runtime has not been checked".to_owned()));
        }
        if !self.lives.are_balanced() {
            doubts.push(Doubt::lowering("the ledger does not balance".to_owned()));
        }
        if self.head.end() == Some(Ended::TargetExited) {
            doubts.extend(self.unread_at_the_exit(counters_are_shown));
        }
        if omitted_episodes > 0 {
            doubts.push(Doubt::remark(format!("{omitted_episodes} smaller episodes are left out")));
        }
        Evidence {
            doubts,
            probes: self.hooks.report(),
            layout_verified: self.recognised.verified(),
            maps_were_seen: self.maps_were_seen(),
        }
    }

    /// A census that found no map has seen that there is none.
    fn maps_were_seen(&self) -> bool {
        let counted = self.crowds.is_some() || self.head.end() == Some(Ended::OneLook);
        counted || self.lives.were_looked_at() || self.hooks.told_of_maps()
    }

    /// What is not known of maps that lived to the target's exit and were not read then. That lowers totals
    /// where any is taken from what maps count, or from tables that are told one by one. Where maps are only
    /// read, what they held is of the last reading, and nothing adds up to too little.
    fn unread_at_the_exit(&self, counters_are_shown: bool) -> Option<Doubt> {
        let unread = self.lives.living().filter(|life| life.missed_the_last_look()).count();
        let said = |what| {
            format!("{unread} maps were not read at the exit: what they {what} is as of the last poll")
        };
        (unread > 0).then(|| match self.told.births() || counters_are_shown {
            true => Doubt::lowering(said("held and counted")),
            false => Doubt::remark(said("held")),
        })
    }

    /// That there was one look, and no more.
    fn looked_once(&self) -> Option<Doubt> {
        let words = "one look: no probe was placed, and what happened before and after it was not seen";
        (self.head.end() == Some(Ended::OneLook)).then(|| Doubt::remark(words.to_owned()))
    }
}

/// What censuses alone can say of births.
fn counted_births(maps: u64) -> Doubt {
    Doubt::remark(format!(
        "{maps} maps were born since the first census and lived to a later one; those that lived and died between two censuses were not seen"
    ))
}
