//! What the user typed, checked.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};

use crate::scenarios::{self, Scenario};
use crate::stage::Settings;

/// A hundred years: far enough away, and the clock can still count to it.
const LONGEST_HOLD: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Plays one incident on hash maps built as Go's, for an auditor to watch, and tells the truth about it.
#[derive(Debug, Parser)]
#[command(name = "target-demo", version, after_help = scenarios::help())]
struct Arguments {
    /// What to play, one of those below
    #[arg(value_parser = scenarios::named)]
    scenario: &'static Scenario,
    /// Entries, over all maps
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    entries: u64,
    /// Maps to spread them over [default: the scenario's]
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    maps: Option<u64>,
    /// Rounds [default: the scenario's]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    rounds: Option<u64>,
    /// Where all chance comes from: the same seed, the same run
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Threads of many_threads
    #[arg(long, value_name = "T", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: u16,
    /// Operations a second, over all threads [default: unlimited]
    #[arg(long, value_name = "OPS", value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    rate: Option<u64>,
    /// Keep the maps alive this long at the end
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    hold: Duration,
    /// Where the truth goes [default: stdout]
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Start when a line arrives on stdin, or its end
    #[arg(long)]
    wait: bool,
}

/// A checked request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) scenario: &'static Scenario,
    pub(crate) settings: Settings,
    pub(crate) hold: Duration,
    pub(crate) truth: Option<PathBuf>,
    pub(crate) wait: bool,
}

/// The request of this process's command line. Ends the process with status 2 where it makes no sense.
pub(crate) fn request() -> Request {
    checked(Arguments::parse()).unwrap_or_else(|error| error.exit())
}

fn checked(arguments: Arguments) -> Result<Request, clap::Error> {
    let Arguments { scenario, entries, seed, hold, truth, wait, .. } = arguments;
    let maps = arguments.maps.unwrap_or(scenario.maps.min(entries));
    if maps > entries {
        let message = format!("--maps {maps} needs at least as many --entries, not {entries}");
        return Err(Arguments::command().error(ErrorKind::ValueValidation, message));
    }
    let settings = Settings {
        entries,
        maps,
        rounds: arguments.rounds.unwrap_or(scenario.rounds),
        seed,
        threads: arguments.threads.into(),
        rate: arguments.rate.map(|rate| rate as f64),
    };
    Ok(Request { scenario, settings, hold, truth, wait })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    let hold = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if hold > LONGEST_HOLD { Err(format!("more than {} s", LONGEST_HOLD.as_secs())) } else { Ok(hold) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, clap::Error> {
        checked(Arguments::try_parse_from(line.split(' '))?)
    }

    #[test]
    fn defaults_are_the_scenarios() {
        let request = parse("target-demo many_small").unwrap();
        assert_eq!((request.settings.maps, request.settings.entries), (1_000, 1_000_000));
        assert!(request.hold.is_zero());
    }

    #[test]
    fn few_entries_bring_the_default_number_of_maps_down() {
        assert_eq!(parse("target-demo many_small --entries 10").unwrap().settings.maps, 10);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_status_2() {
        for line in [
            "target-demo",
            "target-demo nonsense",
            "target-demo grow --entries 0",
            "target-demo grow --entries 5 --maps 6",
            "target-demo grow --hold -1",
            "target-demo grow --hold nan",
            "target-demo grow --hold 1e18",
            "target-demo grow --threads 0",
            "target-demo grow --rate 0",
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn the_command_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
