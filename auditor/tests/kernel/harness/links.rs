//! The kinds of link by which this kernel can hold hooks.

use auditor::probes::host::Host;
use auditor::probes::kernel::Multi;

/// Flags that ask for perf links where there are others.
pub(crate) const PERF: &[&str] = &["--no-feature", "uprobe_multi"];

/// The flags for each kind that there is: without any, the auditor takes the best.
pub(crate) fn kinds() -> Vec<&'static [&'static str]> {
    if Host::ask().has_sound_multi_links() { vec![&[], PERF] } else { vec![&[]] }
}

/// The kinds that there are, best first, for those who load the kernel side themselves.
pub(crate) fn multi() -> Vec<Multi> {
    if Host::ask().has_sound_multi_links() {
        vec![Multi::Allowed, Multi::Forbidden]
    } else {
        vec![Multi::Forbidden]
    }
}
