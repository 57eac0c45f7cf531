//! Without uprobe_multi links, as on kernels before 6.6, the report is the same.

use crate::exact::{attached, launched};
use crate::harness::links::PERF;

#[test]
#[ignore = "needs root: cargo xtask test"]
fn with_perf_links_the_report_is_as_exact() {
    let mut found = Vec::new();
    for scenario in ["grow", "churn", "many_threads", "stalled_evacuation"] {
        found.extend(launched(scenario, PERF));
    }
    found.extend(attached("sliding_window", PERF));
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}
