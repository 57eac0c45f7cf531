//! What the demo can play: each file one incident (or its remedy, or the absence of both), each with
//! the load of a service: for every write several reads, mostly of what was written last.
//!
//! Adding one is a file and a row in [`ALL`].

mod array_bitmap;
mod bad_hash;
mod burst;
mod churn;
mod grow;
mod grow_then_delete;
mod leak;
mod many_small;
mod many_threads;
mod rebuild;
mod shrink;
mod sliding_window;
mod stalled_evacuation;
mod steady;
mod tombstones;

use crate::stage::Stage;

/// One scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// What the user types.
    pub(crate) name: &'static str,
    /// What happens, in one line.
    pub(crate) about: &'static str,
    /// Maps, unless the user says.
    pub(crate) maps: u64,
    /// Rounds, unless the user says.
    pub(crate) rounds: u64,
    /// What one round is.
    pub(crate) round: &'static str,
    /// Plays it. The maps left on the stage are those it ends with.
    pub(crate) run: fn(&mut Stage) -> anyhow::Result<()>,
}

/// All there are, in the order of the help.
pub(crate) static ALL: [&Scenario; 15] = [
    &grow::SCENARIO,
    &grow_then_delete::SCENARIO,
    &shrink::SCENARIO,
    &rebuild::SCENARIO,
    &array_bitmap::SCENARIO,
    &sliding_window::SCENARIO,
    &tombstones::SCENARIO,
    &stalled_evacuation::SCENARIO,
    &burst::SCENARIO,
    &many_small::SCENARIO,
    &leak::SCENARIO,
    &churn::SCENARIO,
    &bad_hash::SCENARIO,
    &many_threads::SCENARIO,
    &steady::SCENARIO,
];

/// The scenario of that name, or what to say when there is none.
pub(crate) fn named(name: &str) -> Result<&'static Scenario, String> {
    let names = || ALL.map(|scenario| scenario.name).join(", ");
    ALL.into_iter().find(|scenario| scenario.name == name).ok_or_else(|| format!("there are: {}", names()))
}

/// The scenarios for the help: a line each for what happens, and one for its defaults.
pub(crate) fn help() -> String {
    let about = ALL.map(|scenario| format!("  {:<19} {}\n", scenario.name, scenario.about)).concat();
    let defaults = ALL.map(|Scenario { name, maps, rounds, round, .. }| {
        format!("  {name:<19} {maps:>4}, {rounds:>2}: {round}\n")
    });
    format!("Scenarios:\n{about}\nDefault --maps and --rounds, and what one round is:\n{}", defaults.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_told_of_in_both_tables() {
        for scenario in ALL {
            assert_eq!(named(scenario.name).unwrap().about, scenario.about);
            let lines =
                help().lines().filter(|line| line.starts_with(&format!("  {} ", scenario.name))).count();
            assert_eq!(lines, 2, "{}", scenario.name);
        }
    }

    #[test]
    fn every_line_of_the_help_fits_a_hundred_columns() {
        for line in help().lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        assert!(named("shrug").unwrap_err().contains("sliding_window"));
    }
}
