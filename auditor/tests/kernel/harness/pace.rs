//! How fast this machine is. On an emulated one everything takes many times longer, and the tests of
//! exactness, which do not depend on size, play with as many times fewer entries.

use std::env;

/// How many times slower than a real machine this one is; unset on a real one. `cargo xtask vm` sets it.
const SLOWER: &str = "AUDITOR_TEST_SLOWER";

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
