//! Values of thresholds with their units. Each error says what to write instead.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::audit::unit::{Bytes, Nanos};

/// A share, in percent: `"25%"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) struct Percent(pub(in crate::audit) u64);

/// A size: `"1MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) struct Size(pub(in crate::audit) Bytes);

/// A span of time: `"10s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) struct Span(pub(in crate::audit) Nanos);

/// The most that a share may be: churn has shares over one.
const MOST_PERCENT: u64 = 1_000_000;

impl Percent {
    /// So much of `whole`, rounded down.
    pub(in crate::audit) fn of(self, whole: u64) -> u64 {
        u64::try_from(u128::from(whole) * u128::from(self.0) / 100).unwrap_or(u64::MAX)
    }

    /// So much of a size.
    pub(in crate::audit) fn of_size(self, whole: Bytes) -> Bytes {
        Bytes(self.of(whole.0))
    }

    /// Whether `part` is less of `whole`.
    pub(in crate::audit) fn is_more_than(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 100 < u128::from(whole) * u128::from(self.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let number = text.trim().strip_suffix('%')?.trim_end();
        number.parse().ok().filter(|percent| *percent <= MOST_PERCENT).map(Self)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text);
        let shift = match unit {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return None,
        };
        let number: u64 = number.parse().ok()?;
        number.checked_mul(1 << shift).map(|bytes| Self(Bytes(bytes)))
    }
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text);
        let one: u64 = match unit {
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let number: u64 = number.parse().ok()?;
        number.checked_mul(one).map(|nanos| Self(Nanos(nanos)))
    }
}

/// A number and its unit.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

/// Reads texts of one kind.
struct Reader<T> {
    expected: &'static str,
    parse: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::custom(format!("{text:?} is not {}", self.expected)))
    }
}

macro_rules! read_from_text {
    ($($name:ident: $expected:literal,)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Reader { expected: $expected, parse: Self::parse })
            }
        }
    )*};
}

read_from_text! {
    Percent: "a share in whole percent, such as \"25%\"",
    Size: "a size with B, KiB, MiB or GiB, such as \"1MiB\"",
    Span: "a time with ms, s, m or h, such as \"10s\"",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_need_their_units() {
        assert_eq!(Size::parse("16 KiB"), Some(Size(Bytes(16 << 10))));
        assert_eq!(Span::parse("250ms"), Some(Span(Nanos(250_000_000))));
        assert_eq!(Percent::parse("12 %"), Some(Percent(12)));
        for text in ["", "5", "5KB", "5s", "-1MiB", "1.5MiB", "99999999999GiB", "MiB"] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
        for text in ["", "5", "5 days", "5MiB", "99999999999999h", "s"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
        for text in ["", "5", "-5%", "5.5%", "%", "1000001%"] {
            assert_eq!(Percent::parse(text), None, "{text}");
        }
    }

    #[test]
    fn shares_do_not_overflow() {
        assert_eq!(Percent(25).of(200), 50);
        assert_eq!(Percent(200).of(u64::MAX), u64::MAX);
        assert!(Percent(25).is_more_than(24, 100) && !Percent(25).is_more_than(25, 100));
        assert!(!Percent(100).is_more_than(u64::MAX, u64::MAX));
    }
}
