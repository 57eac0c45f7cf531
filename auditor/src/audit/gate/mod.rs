//! Gates: conditions on a report that a build fails with, `growths(type=~"Session")<=3`. Pure: an expression
//! and a report in, a verdict out. What is not known never passes.
//!
//! `parse.rs` reads an expression, `metric.rs` lists what can be asked for, `filter.rs` says which maps are
//! meant, `figure.rs` adds them up in a `range.rs`, in units of `kind.rs`; `lacks.rs` says what was not seen,
//! `outcome.rs` is what comes out. `selection.rs` shows only what filters mean. The grammar and the fields of the outcome are in `docs/gate.md`.

mod figure;
mod filter;
pub mod kind;
mod lacks;
pub mod metric;
mod outcome;
mod parse;
pub mod range;
mod selection;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use filter::Filter;
use kind::{Kind, PERCENT};
use metric::Metric;
use range::Range;

use super::report::Report;
use figure::Figure;
pub use filter::severity_word;
pub use lacks::lacks;
pub use outcome::Result as GateResult;
pub use outcome::{CommandEnd, Judged, Outcome, Part, SCHEMA, Subject, check};
pub use parse::ParseError;
pub use selection::Selection;

/// A condition on a report.
#[derive(Clone, Debug)]
pub struct Gate {
    metric: &'static Metric,
    filters: Vec<Filter>,
    comparison: Comparison,
    limit: Limit,
}

/// How a figure is held against its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

/// What a figure is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// A number.
    Fixed(u64),
    /// The same figure of another report, and how far from it.
    Baseline(Option<Shift>),
}

/// How far a limit lies from the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shift {
    sign: Sign,
    by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// In units of the metric.
    Amount(u64),
    /// In thousandths of a percent of the baseline.
    Percent(u64),
}

impl Gate {
    /// What holds where no gate is asked for.
    pub const DEFAULT: &'static str = "findings(severity>=warning)=0";

    /// Whether it needs another report.
    #[must_use]
    pub const fn needs_baseline(&self) -> bool {
        matches!(self.limit, Limit::Baseline(_))
    }

    /// The figure of a report that it looks at.
    fn figure(&self, report: &Report) -> Figure {
        figure::of(self.metric, &self.filters, report)
    }

    /// What the figure is held against; unknown where there is no baseline.
    fn limit(&self, baseline: Option<&Report>) -> Range {
        match (self.limit, baseline) {
            (Limit::Fixed(limit), _) => Range::exact(limit),
            (Limit::Baseline(_), None) => Range::UNKNOWN,
            (Limit::Baseline(shift), Some(baseline)) => {
                let range = self.figure(baseline).range;
                shift.map_or(range, |shift| range.map(|value| shift.apply(value)))
            }
        }
    }

    /// Whether a figure passes; `None`: that depends on what is not known.
    fn passes(&self, figure: Range, limit: Range) -> Option<bool> {
        match self.comparison {
            Comparison::Less => figure.is_below(limit),
            Comparison::AtLeast => figure.is_below(limit).map(|below| !below),
            Comparison::More => limit.is_below(figure),
            Comparison::AtMost => limit.is_below(figure).map(|below| !below),
            Comparison::Equal => figure.is_same(limit),
            Comparison::Unequal => figure.is_same(limit).map(|same| !same),
        }
    }
}

impl Shift {
    /// Parts of a unit are left out.
    fn apply(self, value: u64) -> u64 {
        let by = match self.by {
            By::Amount(amount) => amount,
            By::Percent(share) => {
                let by = u128::from(value) * u128::from(share) / (100 * u128::from(PERCENT));
                u64::try_from(by).unwrap_or(u64::MAX)
            }
        };
        match self.sign {
            Sign::Plus => value.saturating_add(by),
            Sign::Minus => value.saturating_sub(by),
        }
    }
}

impl FromStr for Gate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse::parse(text)
    }
}

impl PartialEq for Gate {
    fn eq(&self, other: &Self) -> bool {
        self.metric.name == other.metric.name
            && self.filters == other.filters
            && self.comparison == other.comparison
            && self.limit == other.limit
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric.name)?;
        if !self.filters.is_empty() {
            let filters: Vec<String> = self.filters.iter().map(ToString::to_string).collect();
            write!(f, "({})", filters.join(","))?;
        }
        write!(f, "{}{}", self.comparison.sign(), self.limit.spelled(self.metric.kind))
    }
}

impl Comparison {
    const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Equal => "=",
            Self::Unequal => "!=",
        }
    }
}

impl Limit {
    fn spelled(self, kind: Kind) -> String {
        match self {
            Self::Fixed(limit) => kind.spell(limit),
            Self::Baseline(None) => "baseline".to_owned(),
            Self::Baseline(Some(Shift { sign, by })) => {
                let sign = if sign == Sign::Plus { "+" } else { "-" };
                let by = match by {
                    By::Amount(amount) => kind.spell(amount),
                    By::Percent(share) => Kind::MilliPercent.spell(share),
                };
                format!("baseline{sign}{by}")
            }
        }
    }
}
