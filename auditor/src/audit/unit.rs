//! Units that cannot be mixed up. JSON shows addresses as `"0x..."`, everything else as integers;
//! binary recordings hold plain integers.

use std::fmt;
use std::ops::{Add, AddAssign};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident($repr:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $repr);
    };
}

unit!(
    /// A size in bytes.
    Bytes(u64)
);
unit!(
    /// A time of CLOCK_BOOTTIME, or a span of time, in nanoseconds.
    Nanos(u64)
);
unit!(
    /// A process: the tgid in the root pid namespace.
    Pid(u32)
);
unit!(
    /// A thread: the id in the root pid namespace.
    Tid(u32)
);

impl Add for Bytes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Bytes {
    /// How much more than `before` it is; negative: less.
    #[must_use]
    pub fn change_from(self, before: Self) -> i64 {
        let size = i64::try_from(self.0.abs_diff(before.0)).unwrap_or(i64::MAX);
        if self < before { -size } else { size }
    }

    /// The difference, or 0 where it would be negative.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Nanos {
    /// The span from `earlier` to `self`, or 0 where that is in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// This many nanoseconds later.
    #[must_use]
    pub const fn plus(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// An address in the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u64);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Address {
    /// The address `offset` bytes further, or `None` where the address space ends before.
    #[must_use]
    pub fn plus(self, offset: u64) -> Option<Self> {
        self.0.checked_add(offset).map(Self)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return u64::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        text.strip_prefix("0x")
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("{text:?} is not an address such as \"0x7f00\"")))
    }
}
