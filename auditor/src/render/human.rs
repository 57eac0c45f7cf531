//! Numbers as people read them. Those that findings need as well are in `audit/words.rs`. Integer arithmetic only: the same number is the same text anywhere.
//!
//! - sizes: binary units, one decimal below 1000 (`63.0 MiB`), none above (`1012 KiB`)
//! - spans: `850 ns`, `3.1 ms`, `12.3 s`, `4m05s`, `2h03m`, `5d02h`
//! - times: relative to the start of the window, `+12.3 s`
//! - counts: grouped by commas, `1,048,576`: a comma survives being wrapped and being cut by `awk`
//! - shares: rounded down, so that nothing is `100 %` before it is all
//! - unknown: `-`, never 0

use crate::audit::report::Window;
use crate::audit::unit::{Bytes, Nanos};
pub use crate::audit::words::{UNKNOWN, bytes, count, known, permille, plural, share, span};

/// A change of a size: `+21.3 MiB`, `-4.0 KiB`, `0 B`.
#[must_use]
pub fn change(delta: i64) -> String {
    let size = bytes(Bytes(delta.unsigned_abs()));
    match delta {
        0 => size,
        1.. => format!("+{size}"),
        _ => format!("-{size}"),
    }
}

/// How a size moved.
#[must_use]
pub fn moved(from: Bytes, to: Bytes) -> String {
    let sign = if to > from { "+" } else { "-" };
    match to.0.abs_diff(from.0) {
        0 => bytes(Bytes(0)),
        by => format!("{sign}{}", bytes(Bytes(by))),
    }
}

/// A time relative to the window's start: `+12.3 s`. At most 9 cells.
#[must_use]
pub fn offset(window: &Window, at: Nanos) -> String {
    if at < window.start {
        return format!("-{}", span(window.start.since(at)));
    }
    format!("+{}", span(at.since(window.start)))
}

/// The wall clock at a time, `12:03:07Z`; `None` where the window's start cannot be read.
#[must_use]
pub fn clock(window: &Window, at: Nanos) -> Option<String> {
    let start: jiff::Timestamp = window.wall_start.parse().ok()?;
    let since = i128::from(at.0) - i128::from(window.start.0);
    let then = jiff::Timestamp::from_nanosecond(start.as_nanosecond() + since).ok()?;
    let text = then.to_string();
    text.get(11..19).map(|clock| format!("{clock}Z"))
}

/// A count for a narrow column: exact below 100,000, then three digits: `1.05M`. At most 6 cells.
#[must_use]
pub fn short(value: u64) -> String {
    if value < 100_000 {
        return count(value);
    }
    let mut unit = 1_u128;
    let mut name = ' ';
    for candidate in ['k', 'M', 'G', 'T', 'P', 'E'] {
        unit *= 1000;
        name = candidate;
        if u128::from(value) + unit / 2 < unit * 1000 {
            break;
        }
    }
    let hundredths = (u128::from(value) * 100 + unit / 2) / unit;
    match hundredths {
        0..1_000 => format!("{}.{:02}{name}", hundredths / 100, hundredths % 100),
        1_000..10_000 => format!("{}.{}{name}", hundredths / 100, hundredths % 100 / 10),
        _ => format!("{}{name}", hundredths / 100),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::render::escape::width;

    fn window(start: u64) -> Window {
        let wall_start = "2026-03-01T23:59:58.5Z".to_owned();
        Window { start: Nanos(start), end: Nanos(start), wall_start, ended: None }
    }

    #[test]
    fn sizes_change_unit_where_they_would_round_up_to_it() {
        let shown = |size| bytes(Bytes(size));
        assert_eq!(shown(0), "0 B");
        assert_eq!(shown(1023), "1023 B");
        assert_eq!(shown(1024), "1.0 KiB");
        assert_eq!(shown(63 << 20), "63.0 MiB");
        assert_eq!(shown(1012 << 10), "1012 KiB");
        assert_eq!(shown((1 << 20) - 1), "1.0 MiB");
        assert_eq!(shown(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn changes_bear_their_sign() {
        assert_eq!(change(0), "0 B");
        assert_eq!(change(21 << 20), "+21.0 MiB");
        assert_eq!(change(i64::MIN), "-8.0 EiB");
        assert_eq!(moved(Bytes(u64::MAX), Bytes(0)), "-16.0 EiB");
        assert_eq!(moved(Bytes(5), Bytes(5)), "0 B");
    }

    #[test]
    fn spans_choose_their_unit() {
        let shown = |time| span(Nanos(time));
        assert_eq!(shown(0), "0 s");
        assert_eq!(shown(3_140_000), "3.1 ms");
        assert_eq!(shown(999_960), "1.0 ms");
        assert_eq!(shown(12_345_000_000), "12.3 s");
        assert_eq!(shown(59_990_000_000), "1m00s");
        assert_eq!(shown(245_000_000_000), "4m05s");
        assert_eq!(shown(7_380_000_000_000), "2h03m");
        assert_eq!(shown(u64::MAX), "213503d");
    }

    #[test]
    fn times_count_from_the_start_of_the_window_even_backwards() {
        assert_eq!(offset(&window(10), Nanos(12_300_000_010)), "+12.3 s");
        assert_eq!(offset(&window(10), Nanos(10)), "+0 s");
        assert_eq!(offset(&window(2_000_000_000), Nanos(0)), "-2.0 s");
    }

    #[test]
    fn the_wall_clock_passes_midnight() {
        assert_eq!(clock(&window(7), Nanos(2_000_000_007)).as_deref(), Some("00:00:00Z"));
        let unreadable = Window { wall_start: "yesterday".to_owned(), ..window(0) };
        assert_eq!(clock(&unreadable, Nanos(1)), None);
        assert_eq!(clock(&window(0), Nanos(u64::MAX)).map(|text| text.len()), Some(9));
    }

    #[test]
    fn counts_are_grouped_or_short() {
        assert_eq!(count(1_048_576), "1,048,576");
        assert_eq!(count(999), "999");
        assert_eq!(short(99_999), "99,999");
        assert_eq!(short(100_000), "100k");
        assert_eq!(short(1_048_576), "1.05M");
        assert_eq!(short(13_631_488), "13.6M");
        assert_eq!(short(999_999), "1.00M");
        assert_eq!(short(u64::MAX), "18.4E");
        assert_eq!(plural(1, "map"), "1 map");
        assert_eq!(plural(2000, "map"), "2,000 maps");
    }

    #[test]
    fn nothing_is_all_before_it_is() {
        assert_eq!(share(9_999, 10_000), "99 %");
        assert_eq!(share(10_000, 10_000), "100 %");
        assert_eq!(share(1, 1_000_000), "<0.1 %");
        assert_eq!(share(0, 5), "0 %");
        assert_eq!(share(32, 1000), "3.2 %");
        assert_eq!(share(5, 0), UNKNOWN);
        assert_eq!(share(u64::MAX, 1), ">999 %");
    }

    proptest! {
        #[test]
        fn no_number_outgrows_its_column(value in any::<u64>(), other in any::<u64>()) {
            prop_assert!(width(&bytes(Bytes(value))) <= 9);
            prop_assert!(width(&span(Nanos(value))) <= 8);
            prop_assert!(width(&offset(&window(other), Nanos(value))) <= 9);
            prop_assert!(width(&short(value)) <= 6);
            prop_assert!(width(&share(value, other)) <= 6);
        }

        #[test]
        fn grouping_loses_no_digit(value in any::<u64>()) {
            prop_assert_eq!(count(value).replace(',', ""), value.to_string());
        }
    }
}
