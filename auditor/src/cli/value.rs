//! Single values: text to a type with a unit. Each error says what to write instead.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;

use super::request::{Budget, RuntimeChoice};
use crate::audit::unit::{Address, Bytes, Pid};

/// The kernel's `PID_MAX_LIMIT` on 64 bits, `include/linux/threads.h`.
const PID_MAX: u32 = 1 << 22;
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(60 * 60);
/// A year: far from where adding it to a clock could overflow.
const DURATION: RangeInclusive<Duration> =
    Duration::from_millis(50)..=Duration::from_secs(365 * 24 * 60 * 60);
/// Shorter, and nothing is seen to move; longer, and it does not fit into memory.
const RING: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(24 * 60 * 60);
/// Longer, and it is no moment; a write takes longer meanwhile.
const MOMENT: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(10);
/// One page, to what a 32-bit global of the kernel side holds with room to spare.
const RSS_STEP: RangeInclusive<u64> = 4 << 10..=1 << 30;
const SHARDS: RangeInclusive<u64> = 1..=1 << 20;
/// Requests a second: from one in days to more than any memory serves.
const RATE: RangeInclusive<f64> = 1e-6..=1e12;
/// What has been fitted to caches lies between 0.5 and 1.5.
const SKEW: RangeInclusive<f64> = 0.01..=10.0;
const BUDGET_PERCENT: RangeInclusive<f64> = 0.01..=100.0;

pub(super) fn pid(text: &str) -> Result<Pid, String> {
    match text.trim().parse() {
        Ok(pid @ 1..=PID_MAX) => Ok(Pid(pid)),
        Ok(pid) => Err(format!("{pid} is never a process: pids go from 1 to {PID_MAX}")),
        Err(_) => Err("not a pid: write a number such as 4711, or take -n for a name".to_owned()),
    }
}

pub(super) fn name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("write the name of a process, as `ps -o comm` shows it".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    within(time(text)?, &DURATION, "from 50ms to 365d")
}

/// A time since a beginning, which may be that itself.
pub(super) fn since(text: &str) -> Result<Duration, String> {
    within(time(text)?, &(Duration::ZERO..=*DURATION.end()), "to 365d")
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    within(time(text)?, &INTERVAL, "from 50ms to 1h")
}

pub(super) fn ring(text: &str) -> Result<Duration, String> {
    within(time(text)?, &RING, "from 10s to 24h")
}

pub(super) fn moment(text: &str) -> Result<Duration, String> {
    within(time(text)?, &MOMENT, "from 50ms to 10s")
}

pub(super) fn address(text: &str) -> Result<Address, String> {
    let digits = text.trim().strip_prefix("0x").filter(|digits| !digits.starts_with('+'));
    match digits.map(|digits| u64::from_str_radix(digits, 16)) {
        Some(Ok(address)) => Ok(Address(address)),
        _ => Err("not an address: write it as the report does, such as 0xc000012345".to_owned()),
    }
}

pub(super) fn size(text: &str) -> Result<Bytes, String> {
    match text.trim().parse::<ByteSize>() {
        Ok(size) => Ok(Bytes(size.0)),
        Err(_) => Err("not a size: write 16KiB, 1MiB or a number of bytes".to_owned()),
    }
}

pub(super) fn rss_step(text: &str) -> Result<Bytes, String> {
    let Bytes(bytes) = size(text)?;
    within(bytes, &RSS_STEP, "from 4KiB to 1GiB").map(Bytes)
}

pub(super) fn budget(text: &str) -> Result<Budget, String> {
    let Some(number) = text.trim().strip_suffix('%') else {
        return Err("write it with a percent sign, such as 1% or 0.5%".to_owned());
    };
    let percent: f64 =
        number.trim().parse().map_err(|_not_a_number| "not a percentage: write 1% or 0.5%".to_owned())?;
    within(percent, &BUDGET_PERCENT, "from 0.01% to 100%").map(Budget::from_percent)
}

/// How many; none would be nothing to ask about.
pub(super) fn count(text: &str) -> Result<u64, String> {
    match text.trim().parse() {
        Ok(0) => Err("it begins with 1".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("not a number: write it without signs and units, such as 1000000".to_owned()),
    }
}

pub(super) fn shards(text: &str) -> Result<u64, String> {
    within(count(text)?, &SHARDS, "from 1 to 1048576")
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    within(number(text)?, &RATE, "from 0.000001 to 1000000000000")
}

pub(super) fn skew(text: &str) -> Result<f64, String> {
    within(number(text)?, &SKEW, "from 0.01 to 10")
}

fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_not_a_number| "not a number: write it as 1.1 or 20000".to_owned())
}

pub(super) fn runtime(text: &str) -> Result<RuntimeChoice, String> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match names.as_slice() {
        [only] if only == "auto" => Ok(RuntimeChoice::Auto),
        names if names.iter().any(|name| name.is_empty() || name == "auto") => {
            Err("write auto, or the names of runtimes and FILE.toml, separated by commas".to_owned())
        }
        _ => Ok(RuntimeChoice::Named(names)),
    }
}

/// How many entries maps of a type, or a name, are to have. A type may have any sign but the last `=`.
pub(super) fn expected(text: &str) -> Result<(String, u64), String> {
    let (name, entries) = text.rsplit_once('=').unwrap_or_default();
    match (name, entries.trim().parse()) {
        (name, Ok(entries)) if !name.is_empty() => Ok((name.to_owned(), entries)),
        _ => Err("write a type or a name and how many entries, such as 'map[string]int=1000'".to_owned()),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.parse::<f64>().is_ok() {
        return Err(format!("{text} of what? write {text}s, {text}m or {text}h"));
    }
    humantime::parse_duration(text)
        .map_err(|_not_a_time| "not a time: write 500ms, 30s, 5m or 1h30m".to_owned())
}

fn within<T: PartialOrd>(value: T, range: &RangeInclusive<T>, words: &str) -> Result<T, String> {
    if range.contains(&value) { Ok(value) } else { Err(format!("it goes {words}")) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_need_a_unit_and_a_sensible_size() {
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(interval("50ms"), Ok(Duration::from_millis(50)));
        assert_eq!(duration("30"), Err("30 of what? write 30s, 30m or 30h".to_owned()));
        assert_eq!(interval("49ms"), Err("it goes from 50ms to 1h".to_owned()));
        assert_eq!(interval("2h"), Err("it goes from 50ms to 1h".to_owned()));
        assert_eq!(duration("0s"), Err("it goes from 50ms to 365d".to_owned()));
        for bad in ["", "s", "half an hour", "-5s", "99999999999999999999y"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_written_as_the_report_writes_it() {
        assert_eq!(address("0xc000012345"), Ok(Address(0xc0_0001_2345)));
        for bad in ["", "c000012345", "0x", "0x+1", "0xg", "12", "0x10000000000000000"] {
            assert!(address(bad).is_err(), "{bad:?}");
        }
        assert_eq!(moment("11s"), Err("it goes from 50ms to 10s".to_owned()));
    }

    #[test]
    fn sizes_are_exact() {
        assert_eq!(size("16KiB"), Ok(Bytes(16_384)));
        assert_eq!(size("16KB"), Ok(Bytes(16_000)));
        assert_eq!(size("1500000001"), Ok(Bytes(1_500_000_001)));
        assert_eq!(size("0"), Ok(Bytes(0)));
        assert!(size("much").is_err() && size("-1").is_err() && size("").is_err());
        assert!(rss_step("4095").is_err() && rss_step("2GiB").is_err());
        assert_eq!(rss_step("1MiB"), Ok(Bytes(1 << 20)));
    }

    #[test]
    fn a_budget_is_a_percentage() {
        assert_eq!(budget("1%").map(Budget::parts_per_million), Ok(10_000));
        assert_eq!(budget("0.01 %").map(Budget::parts_per_million), Ok(100));
        assert_eq!(budget("100%").map(Budget::parts_per_million), Ok(1_000_000));
        for bad in ["1", "0%", "101%", "NaN%", "inf%", "%", "-1%"] {
            assert!(budget(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_expectation_is_a_type_and_a_number() {
        assert_eq!(expected("map[string]int=1000"), Ok(("map[string]int".to_owned(), 1000)));
        assert_eq!(expected("a=b=1"), Ok(("a=b".to_owned(), 1)));
        for bad in ["", "=1", "map", "map=", "map=-1", "map=many"] {
            assert!(expected(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_of_what_if_are_finite_and_over_nothing() {
        assert_eq!((count("1000000"), count("18446744073709551615")), (Ok(1_000_000), Ok(u64::MAX)));
        for bad in ["0", "-1", "1e6", "18446744073709551616", "", "many", "1.5"] {
            assert!(count(bad).is_err(), "{bad:?}");
        }
        assert_eq!((shards("1048576"), shards("1048577").is_err()), (Ok(1 << 20), true));
        assert_eq!((rate("2e4"), skew("0.99")), (Ok(20_000.0), Ok(0.99)));
        for bad in ["0", "-1", "NaN", "inf", "1e300", "1e-300", "-0", ""] {
            assert!(rate(bad).is_err() && skew(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_pid_is_one_that_the_kernel_gives_out() {
        assert_eq!(pid("4711"), Ok(Pid(4711)));
        assert!(pid("0").is_err() && pid("4194305").is_err() && pid("-1").is_err() && pid("redis").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,30}", number in any::<u64>(), unit in "[a-zA-Z%. ]{0,4}") {
            for text in [text, format!("{number}{unit}"), format!("0.{number}{unit}")] {
                for refused in [pid(&text).is_err(), duration(&text).is_err(), size(&text).is_err()] {
                    let _: bool = refused;
                }
                let _: bool = budget(&text).is_err() && interval(&text).is_err() && rss_step(&text).is_err();
            }
        }
    }
}
