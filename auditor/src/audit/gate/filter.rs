//! Which maps, or which findings, a metric is to count. What a map does not say of itself is not known to
//! fit nor not to.

use std::fmt;

use regex::{Regex, RegexBuilder};

use crate::audit::report::{Map, Population, Severity, Verdict};

/// Bytes of a compiled pattern, and of the tables that it may fill while it runs.
const PATTERN_BYTES: usize = 1 << 20;
/// How deep a pattern may nest.
const PATTERN_DEPTH: u32 = 50;

/// What a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// A map's type; of one whose type is not known, each that it may be of.
    Type,
    /// The path from a root to a map.
    Owner,
    /// The name that a map bears.
    Name,
    /// Whose map it is.
    Runtime,
    /// What will become of a map's memory.
    Verdict,
    /// How bad a finding is.
    Severity,
    /// Which rule found it.
    Rule,
}

impl Field {
    /// Those of maps.
    pub(super) const OF_MAPS: &[Self] = &[Self::Type, Self::Owner, Self::Name, Self::Runtime, Self::Verdict];
    /// Those of findings.
    pub(super) const OF_FINDINGS: &[Self] = &[Self::Severity, Self::Rule];

    /// How it is written.
    #[must_use]
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Owner => "owner",
            Self::Name => "name",
            Self::Runtime => "runtime",
            Self::Verdict => "verdict",
            Self::Severity => "severity",
            Self::Rule => "rule",
        }
    }

    /// The values that it can have, where those are few.
    pub(super) fn values(self) -> Option<Vec<&'static str>> {
        match self {
            Self::Verdict => Some(Verdict::ALL.iter().map(|verdict| verdict.word()).collect()),
            Self::Severity => Some(SEVERITIES.iter().map(|(word, _)| *word).collect()),
            _ => None,
        }
    }
}

/// The severities, as they are written.
const SEVERITIES: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];

/// How a severity is written.
#[must_use]
pub fn severity_word(severity: Severity) -> &'static str {
    SEVERITIES.iter().find(|(_, known)| *known == severity).map_or("info", |(word, _)| word)
}

/// How bad a word says something is: the worse, the more.
fn badness(word: &str) -> Option<usize> {
    SEVERITIES.iter().position(|(known, _)| *known == word)
}

/// How a filter compares.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Is(String),
    IsNot(String),
    Matches(Regex),
    MatchesNot(Regex),
    AtLeast(String),
    AtMost(String),
}

/// One condition.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) field: Field,
    pub(super) test: Test,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        (self.field, self.parts()) == (other.field, other.parts())
    }
}

impl Filter {
    /// What it looks for, and the sign before it.
    fn parts(&self) -> (&'static str, &str) {
        match &self.test {
            Test::Is(text) => ("=", text),
            Test::IsNot(text) => ("!=", text),
            Test::Matches(pattern) => ("=~", pattern.as_str()),
            Test::MatchesNot(pattern) => ("!~", pattern.as_str()),
            Test::AtLeast(text) => (">=", text),
            Test::AtMost(text) => ("<=", text),
        }
    }

    /// Whether a text fits.
    fn fits(&self, text: &str) -> bool {
        match &self.test {
            Test::Is(wanted) => text == wanted,
            Test::IsNot(wanted) => text != wanted,
            Test::Matches(pattern) => pattern.is_match(text),
            Test::MatchesNot(pattern) => !pattern.is_match(text),
            Test::AtLeast(least) => badness(text) >= badness(least),
            Test::AtMost(most) => badness(text) <= badness(most),
        }
    }

    /// Whether something of these texts fits, of which one is its own; `None`: that is not known.
    fn fits_one_of<'a>(&self, mut texts: impl Iterator<Item = &'a str>) -> Option<bool> {
        let first = self.fits(texts.next()?);
        texts.all(|text| self.fits(text) == first).then_some(first)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, text) = self.parts();
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if !text.is_empty() && text.chars().all(is_word) {
            return write!(f, "{}{sign}{text}", self.field.word());
        }
        write!(f, "{}{sign}\"{}\"", self.field.word(), text.replace('"', "\"\""))
    }
}

/// A pattern that takes bounded memory, and time in proportion to the text.
pub(super) fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES)
        .nest_limit(PATTERN_DEPTH)
        .build()
}

/// Whether all fit; `None`: one of them is not known to, and none is known not to.
fn all(filters: &[Filter], fits: impl Fn(&Filter) -> Option<bool>) -> Option<bool> {
    let answers: Vec<Option<bool>> = filters.iter().map(fits).collect();
    if answers.contains(&Some(false)) {
        return Some(false);
    }
    answers.iter().all(Option::is_some).then_some(true)
}

/// Whether a map is meant.
pub(super) fn means_map(filters: &[Filter], map: &Map) -> Option<bool> {
    all(filters, |filter| {
        let text = match filter.field {
            Field::Type if map.type_name.is_none() => {
                return filter.fits_one_of(map.candidates.iter().map(String::as_str));
            }
            Field::Type => map.type_name.as_deref(),
            Field::Owner => map.owner.as_deref(),
            Field::Name => map.name.as_deref(),
            Field::Runtime => Some(map.runtime.as_str()),
            Field::Verdict => map.verdict.map(Verdict::word),
            Field::Severity | Field::Rule => None,
        };
        text.map(|text| filter.fits(text))
    })
}

/// Whether all maps of a population are meant.
pub(super) fn means_crowd(filters: &[Filter], crowd: &Population) -> Option<bool> {
    all(filters, |filter| {
        let text = match filter.field {
            Field::Type => crowd.type_name.as_deref(),
            Field::Owner => crowd.owner.as_deref(),
            Field::Runtime => Some(crowd.runtime.as_str()),
            Field::Name | Field::Verdict | Field::Severity | Field::Rule => None,
        };
        text.map(|text| filter.fits(text))
    })
}

/// Whether a finding is meant.
pub(super) fn means_finding(filters: &[Filter], severity: Severity, rule: &str) -> bool {
    filters.iter().all(|filter| match filter.field {
        Field::Severity => filter.fits(severity_word(severity)),
        Field::Rule => filter.fits(rule),
        _ => false,
    })
}
