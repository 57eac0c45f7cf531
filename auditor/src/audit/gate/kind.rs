//! What a figure is measured in: how a limit is written, exactly, and how both are shown to people.

use serde::{Deserialize, Serialize};

use super::range::Range;
use crate::audit::unit::{Bytes, Nanos};
use crate::audit::words;

/// Digits after the point of a number.
const DECIMALS: usize = 9;
/// Thousandths of a percent in a percent.
pub(super) const PERCENT: u64 = 1000;

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Nanos,
    /// How many.
    Count,
    /// Thousandths of a percent.
    MilliPercent,
}

impl Kind {
    /// Units from the smallest, with what one of them is.
    const fn units(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Bytes => {
                &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)]
            }
            Self::Nanos => &[
                ("ns", 1),
                ("us", 1000),
                ("ms", 1_000_000),
                ("s", 1_000_000_000),
                ("m", 60_000_000_000),
                ("h", 3_600_000_000_000),
            ],
            Self::Count => &[("", 1)],
            Self::MilliPercent => &[("%", PERCENT)],
        }
    }

    /// How a limit is written, for hints.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Bytes => "a size such as 40MiB, 1.5GiB or 512B",
            Self::Nanos => "a time such as 10ms, 1.5s or 2m",
            Self::Count => "a whole number such as 3",
            Self::MilliPercent => "a share such as 80%",
        }
    }

    /// A number and its unit, in units of this kind. Without a unit only 0 means something, and counts do.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(super) fn read(self, number: &str, unit: &str) -> Result<u64, String> {
        let known = self.units().iter().find(|(name, _)| *name == unit).map(|(_, one)| *one);
        let is_zero = unit.is_empty() && number.chars().all(|digit| digit == '0');
        let Some(one) = known.or(is_zero.then_some(1)) else {
            return Err(match unit {
                "" => format!("{number} of what?"),
                _ => format!("{unit} is no unit here"),
            });
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if part.len() > DECIMALS {
            return Err(format!("more than {DECIMALS} digits after the point"));
        }
        let too_large = || format!("{number}{unit} is more than can be counted");
        let digits: u128 = format!("{whole}{part}").parse().map_err(|_not_a_number| too_large())?;
        let scale = 10_u128.pow(part.len() as u32);
        let product = digits.checked_mul(u128::from(one)).ok_or_else(too_large)?;
        if !product.is_multiple_of(scale) && one == self.units()[0].1 {
            return Err("a part of the smallest unit".to_owned());
        }
        u64::try_from(product / scale).map_err(|_too_large| too_large())
    }

    /// Exactly, as a gate is read.
    #[must_use]
    pub fn spell(self, value: u64) -> String {
        if self == Self::MilliPercent {
            let (whole, part) = (value / PERCENT, value % PERCENT);
            let part = format!("{part:03}");
            let part = part.trim_end_matches('0');
            return if part.is_empty() { format!("{whole}%") } else { format!("{whole}.{part}%") };
        }
        let fitting = self.units().iter().rev().find(|(_, one)| value > 0 && value.is_multiple_of(*one));
        let (name, one) = fitting.unwrap_or(&self.units()[0]);
        format!("{}{name}", value / one)
    }

    /// For people, as every face shows such a figure.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        match self {
            Self::Bytes => words::bytes(Bytes(value)),
            Self::Nanos => words::span(Nanos(value)),
            Self::Count => words::count(value),
            Self::MilliPercent => format!("{}.{} %", value / PERCENT, value % PERCENT / 100),
        }
    }

    /// A range for people: `63.0 MiB`, `at most 9.6 MiB`, `2 to 5`, `about 36.0 MiB`, `at least 3`, `unknown`.
    #[must_use]
    pub fn show_range(self, range: Range) -> String {
        let Range { least, most } = range;
        match most {
            _ if range.is_unknown() => "unknown".to_owned(),
            None => format!("at least {}", self.show(least)),
            Some(most) if most == least => self.show(least),
            Some(most) if least == 0 => format!("at most {}", self.show(most)),
            Some(most) => match (self.show(least), self.show(most)) {
                (one, other) if one == other => format!("about {one}"),
                (one, other) => format!("{one} to {other}"),
            },
        }
    }

    /// Two ranges for people; exactly, where they would look alike and are not.
    #[must_use]
    pub fn show_both(self, one: Range, other: Range) -> [String; 2] {
        let shown = [one, other].map(|range| self.show_range(range));
        let exactly = |range: Range| range.value().map(|value| self.spell(value));
        match (exactly(one), exactly(other)) {
            (Some(first), Some(second)) if shown[0] == shown[1] && one != other => [first, second],
            _ => shown,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [Kind; 4] = [Kind::Bytes, Kind::Nanos, Kind::Count, Kind::MilliPercent];

    #[test]
    fn limits_are_exact_and_need_their_unit() {
        assert_eq!(Kind::Bytes.read("1.5", "GiB"), Ok(3 << 29));
        assert_eq!(Kind::Nanos.read("2.5", "ms"), Ok(2_500_000));
        assert_eq!(Kind::MilliPercent.read("2.5", "%"), Ok(2500));
        assert_eq!(Kind::Bytes.read("0", ""), Ok(0));
        assert_eq!(Kind::Bytes.read("40", ""), Err("40 of what?".to_owned()));
        assert_eq!(Kind::Bytes.read("40", "MB"), Err("MB is no unit here".to_owned()));
        for (kind, number, unit) in
            [(Kind::Count, "1.5", ""), (Kind::Bytes, "0.5", "B"), (Kind::Count, "3", "s")]
        {
            assert!(kind.read(number, unit).is_err(), "{number}{unit}");
        }
        assert!(Kind::Bytes.read("99999999999", "TiB").is_err());
        assert!(Kind::Bytes.read("99999999999999999999999999999999999999999", "B").is_err());
    }

    #[test]
    fn two_figures_that_differ_never_look_alike() {
        let shown = Kind::Bytes.show_both(Range::exact((40 << 20) + 1), Range::exact(40 << 20));
        assert_eq!(shown, ["41943041B", "40MiB"]);
        assert_eq!(Kind::Bytes.show_both(Range::exact(1), Range::UNKNOWN), ["1 B", "unknown"]);
    }

    #[test]
    fn a_range_that_looks_like_one_figure_is_about_that() {
        let range = |least, most| Kind::Bytes.show_range(Range { least, most: Some(most) });
        assert_eq!(range(36 << 20, (36 << 20) + 9), "about 36.0 MiB");
        assert_eq!(range(36 << 20, 37 << 20), "36.0 MiB to 37.0 MiB");
    }

    proptest! {
        #[test]
        fn what_is_spelled_is_read_as_the_same(value in any::<u64>(), shift in 0_u32..64) {
            for kind in KINDS {
                let value = value >> shift;
                let text = kind.spell(value);
                let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
                prop_assert_eq!(kind.read(&text[..digits], &text[digits..]), Ok(value), "{}", text);
            }
        }
    }
}
