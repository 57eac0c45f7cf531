//! How fast this machine is. On an emulated one (`cargo xtask vm`) everything takes many times longer:
//! there the tests play with fewer entries, fewer scenarios and fewer rounds. What a test demands stays
//! the same.

use std::env;

/// How many times slower than a real machine this one is; unset on a real one.
const SLOWER: &str = "AUDITOR_TEST_SLOWER";
/// The scenarios of an emulated machine: every way to grow, to move and to die is among them.
const FEW: [&str; 7] =
    ["grow", "shrink", "sliding_window", "stalled_evacuation", "many_small", "churn", "many_threads"];

fn slower() -> u64 {
    let Ok(told) = env::var(SLOWER) else { return 1 };
    told.parse().unwrap_or_else(|error| panic!("{SLOWER}={told}: {error}"))
}

/// The entries of a run on a real machine, or what takes as long here.
pub(crate) fn entries(usual: u64) -> String {
    (usual / slower()).to_string()
}

/// How often something is repeated, at least once.
pub(crate) fn times(usual: u64) -> u64 {
    (usual / slower()).max(1)
}

/// Those that are played here.
pub(crate) fn played(mut scenarios: Vec<String>) -> Vec<String> {
    if slower() > 1 {
        scenarios.retain(|scenario| FEW.contains(&scenario.as_str()));
        assert_eq!(scenarios.len(), FEW.len(), "a scenario has another name now");
    }
    scenarios
}
