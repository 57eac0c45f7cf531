//! Numbers in words, for findings and for every face of the report. Integer arithmetic only: the same
//! number is the same text anywhere. How they look, and the tests: `render/human.rs`.

use super::unit::{Bytes, Nanos};

/// What is shown where nothing is known.
pub const UNKNOWN: &str = "-";

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// What is known as `show` writes it, or [`UNKNOWN`].
#[must_use]
pub fn known<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), show)
}

/// A size: `512 B`, `63.0 MiB`. At most 9 cells.
#[must_use]
pub fn bytes(size: Bytes) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if size.0 < 1024 {
        return format!("{} B", size.0);
    }
    let mut unit = 1_u128;
    let mut name = "";
    for candidate in UNITS {
        unit *= 1024;
        name = candidate;
        // Half a unit below the next one is rounded up to it.
        if u128::from(size.0) + unit / 2 < unit * 1024 {
            break;
        }
    }
    scaled(size.0, unit, name)
}

/// `value` in a unit, with one decimal below 1000.
fn scaled(value: u64, unit: u128, name: &str) -> String {
    let tenths = (u128::from(value) * 10 + unit / 2) / unit;
    if tenths < 10_000 {
        return format!("{}.{} {name}", tenths / 10, tenths % 10);
    }
    format!("{} {name}", (u128::from(value) + unit / 2) / unit)
}

/// A span of time. At most 8 cells.
#[must_use]
pub fn span(time: Nanos) -> String {
    let seconds = time.0 / SECOND;
    match time.0 {
        0 => "0 s".to_owned(),
        1..1_000 => format!("{} ns", time.0),
        1_000..999_950 => scaled(time.0, 1_000, "µs"),
        999_950..999_950_000 => scaled(time.0, 1_000_000, "ms"),
        999_950_000..59_950_000_000 => scaled(time.0, u128::from(SECOND), "s"),
        _ => long_span(seconds.max(60)),
    }
}

/// A span of a minute or more.
fn long_span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86400 => format!("{hours}h{:02}m", minutes % 60),
        86400..86_400_000 => format!("{days}d{:02}h", hours % 24),
        _ => format!("{days}d"),
    }
}

/// A count in full: `1,048,576`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `thing` or `things`, with how many.
#[must_use]
pub fn plural(value: u64, thing: &str) -> String {
    let ending = if value == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", count(value))
}

/// Thousandths that `part` is of `whole`, rounded down; `None` of nothing.
#[must_use]
pub fn permille(part: u64, whole: u64) -> Option<u64> {
    let thousandths = (u128::from(part) * 1000).checked_div(u128::from(whole))?;
    Some(u64::try_from(thousandths).unwrap_or(u64::MAX))
}

/// What share `part` is of `whole`: `71 %`, `3.2 %`, `<0.1 %`, `>999 %`. At most 6 cells.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    known(permille(part, whole), |thousandths| match thousandths {
        0 if part == 0 => "0 %".to_owned(),
        0 => "<0.1 %".to_owned(),
        1..100 => format!("{}.{} %", thousandths / 10, thousandths % 10),
        100..10_000 => format!("{} %", thousandths / 10),
        _ => ">999 %".to_owned(),
    })
}

/// `1 entry`, `2 entries`.
#[must_use]
pub fn entries(value: u64) -> String {
    if value == 1 { "1 entry".to_owned() } else { format!("{} entries", count(value)) }
}
