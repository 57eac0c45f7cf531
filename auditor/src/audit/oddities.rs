//! What happened to maps that should not have: each kind is counted, and said in the report.

use super::doubt::Doubt;

/// How often each oddity was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Oddities {
    /// Maps first seen with tables whose allocation had not been seen.
    pub(super) missed_births: u64,
    /// Tables let go that had not been seen asked for, of maps seen whole.
    pub(super) unknown_frees: u64,
    /// Tables let go of maps that were already gone, or never known.
    pub(super) stray_frees: u64,
    /// Tables handed out again before they were seen let go.
    pub(super) missed_frees: u64,
    /// Tables let go with another size than they were asked for with.
    pub(super) other_sizes: u64,
    /// Looks that contradicted the ledger.
    pub(super) disagreements: u64,
    /// Maps that ended without a last reading of their counters.
    pub(super) unread_ends: u64,
    /// Maps that were not followed because there were too many.
    pub(super) not_followed: u64,
    /// Types and owners that were not kept because there were too many.
    pub(super) undescribed: u64,
}

impl Oddities {
    /// In words. All make totals lower bounds but the strays: those are counted, only whose they
    /// were is not known, as when a map is dropped while the audit attaches.
    pub(super) fn doubts(&self, counters_are_shown: bool) -> impl Iterator<Item = Doubt> {
        let unread_ends = if counters_are_shown { self.unread_ends } else { 0 };
        let rows = [
            (self.missed_births, "maps were first seen with tables whose allocation was not seen"),
            (self.unknown_frees, "tables were let go that had not been seen asked for"),
            (self.missed_frees, "tables were handed out again before they were seen let go"),
            (self.other_sizes, "tables were let go with another size than they were asked for with"),
            (self.disagreements, "looks at a map contradicted the tables seen"),
            (unread_ends, "maps ended without a last reading of what they had counted"),
            (self.not_followed, "maps were not followed: too many live at once"),
        ];
        let strays = "tables were let go of maps that were not known, or already gone";
        let undescribed = "types and owners of maps were not kept: too many";
        let said = |(count, words): &(u64, &str)| (*count > 0).then(|| format!("{count} {words}"));
        let lowering = rows.into_iter().filter_map(move |row| said(&row)).map(Doubt::lowering);
        let remarks = [(self.stray_frees, strays), (self.undescribed, undescribed)];
        lowering.chain(remarks.into_iter().filter_map(move |row| said(&row)).map(Doubt::remark))
    }
}
