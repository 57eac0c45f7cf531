//! The language of gates: `METRIC [(FILTER, ...)] OP LIMIT`. The grammar is in docs/gate.md. What is wrong
//! with an expression is told with the column, a mark below it and a hint.

use std::fmt;

use super::filter::{self, Field, Filter, Test};
use super::kind::{Kind, PERCENT};
use super::metric::{self, METRICS, Metric};
use super::{By, Comparison, Gate, Limit, Shift, Sign};
use crate::audit::nearest::nearest;

/// Characters of an expression.
const LONGEST: usize = 4096;
/// Filters of one metric.
const MOST_FILTERS: usize = 32;
/// Characters of an expression that are shown on each side of what is wrong.
const SHOWN: usize = 40;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// In which column it begins, from 1.
    pub column: usize,
    /// How many columns it takes, at least 1.
    pub width: usize,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub hint: String,
    /// The expression.
    expression: String,
    /// The flag that it was given to.
    flag: &'static str,
}

impl std::error::Error for ParseError {}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, width, problem, hint, expression, flag } = self;
        let letters: Vec<char> =
            expression.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
        let start = (column - 1).saturating_sub(SHOWN);
        let shown: String = letters.iter().skip(start).take(2 * SHOWN).collect();
        let marks = "^".repeat((*width).clamp(1, SHOWN));
        let before = " ".repeat(column - 1 - start);
        write!(f, "{flag}: column {column}: {problem}\n  {shown}\n  {before}{marks}\n{hint}")
    }
}

/// Reads a gate.
///
/// # Errors
/// [`ParseError`], with the column.
pub(super) fn parse(text: &str) -> Result<Gate, ParseError> {
    let mut reader = Reader::of(text, "--gate")?;
    let metric = reader.metric()?;
    let filters = if reader.take("(") { reader.filters(metric)? } else { Vec::new() };
    let comparison = reader.comparison()?;
    let limit = reader.limit(metric)?;
    reader.skip_spaces();
    if reader.at < reader.letters.len() {
        let rest = reader.letters.len() - reader.at;
        let problem = "there is more than one gate, or something too much".to_owned();
        return Err(reader.error((reader.at, rest), problem, "repeat --gate for another gate".to_owned()));
    }
    Ok(Gate { metric, filters, comparison, limit })
}

/// Reads filters of maps, separated by commas.
///
/// # Errors
/// [`ParseError`], with the column.
pub(super) fn filters(text: &str) -> Result<Vec<Filter>, ParseError> {
    let mut reader = Reader::of(text, "--filter")?;
    let mut filters = Vec::new();
    loop {
        filters.push(reader.filter(Field::OF_MAPS, "maps")?);
        reader.skip_spaces();
        if reader.at == reader.letters.len() {
            return Ok(filters);
        }
        if filters.len() == MOST_FILTERS || !reader.take(",") {
            let hint = format!("filters are separated by commas, and there are at most {MOST_FILTERS}");
            return Err(reader.error((reader.at, 1), "there is something too much".to_owned(), hint));
        }
    }
}

/// An expression, and how far it is read.
struct Reader {
    letters: Vec<char>,
    at: usize,
    /// The flag that it was given to.
    flag: &'static str,
}

impl Reader {
    fn of(text: &str, flag: &'static str) -> Result<Self, ParseError> {
        let reader = Self { letters: text.chars().collect(), at: 0, flag };
        if reader.letters.len() > LONGEST {
            let hint = format!("at most {LONGEST} characters");
            return Err(reader.error((LONGEST, 1), "it is too long".to_owned(), hint));
        }
        Ok(reader)
    }

    fn error(&self, (start, width): (usize, usize), problem: String, hint: String) -> ParseError {
        let expression = self.letters.iter().collect();
        ParseError { column: start + 1, width: width.max(1), problem, hint, expression, flag: self.flag }
    }

    fn skip_spaces(&mut self) {
        self.at += self.letters[self.at..].iter().take_while(|letter| letter.is_whitespace()).count();
    }

    /// Takes a sign, and the spaces before it.
    fn take(&mut self, sign: &str) -> bool {
        self.skip_spaces();
        let is_next = self.letters[self.at..].iter().copied().take(sign.len()).eq(sign.chars());
        self.at += if is_next { sign.len() } else { 0 };
        is_next
    }

    /// The first of these signs that comes next; longer ones stand first.
    fn sign<T: Copy>(&mut self, signs: &[(&str, T)]) -> Option<T> {
        signs.iter().find(|(sign, _)| self.take(sign)).map(|(_, meaning)| *meaning)
    }

    /// Takes letters, and the spaces before them; where they begin.
    fn word(&mut self, belongs: impl Fn(char) -> bool) -> (usize, String) {
        self.skip_spaces();
        let start = self.at;
        let word: String =
            self.letters[start..].iter().copied().take_while(|letter| belongs(*letter)).collect();
        self.at += word.chars().count();
        (start, word)
    }

    fn metric(&mut self) -> Result<&'static Metric, ParseError> {
        let (start, name) = self.word(|letter| letter.is_alphanumeric() || letter == '_');
        let names = || METRICS.iter().map(|metric| metric.name);
        metric::find(&name).ok_or_else(|| {
            let problem = if name.is_empty() {
                "a metric is missing".to_owned()
            } else {
                format!("there is no metric {name}")
            };
            self.error(
                (start, name.chars().count()),
                problem,
                meant(&name, names(), "auditor explain gate lists them"),
            )
        })
    }

    fn filters(&mut self, metric: &'static Metric) -> Result<Vec<Filter>, ParseError> {
        let opened = self.at - 1;
        let mut filters = Vec::new();
        loop {
            if filters.len() == MOST_FILTERS {
                let hint = format!("at most {MOST_FILTERS}; one =~ with | says as much");
                return Err(self.error((self.at, 1), "there are too many filters".to_owned(), hint));
            }
            filters.push(self.filter(metric.fields(), metric.name)?);
            if self.take(")") {
                return Ok(filters);
            }
            if !self.take(",") {
                let hint = "filters are separated by commas and end with )".to_owned();
                let at = if self.at < self.letters.len() { self.at } else { opened };
                return Err(self.error((at, 1), "the filters do not end".to_owned(), hint));
            }
        }
    }

    fn filter(&mut self, fields: &[Field], of: &str) -> Result<Filter, ParseError> {
        let field = self.field(fields, of)?;
        let signs =
            [("=~", "=~"), ("!~", "!~"), ("!=", "!="), ("==", "="), (">=", ">="), ("<=", "<="), ("=", "=")];
        let sign_at = self.at;
        let ordered = field == Field::Severity;
        let Some(sign) = self.sign(&signs).filter(|sign| ordered || !matches!(*sign, ">=" | "<=")) else {
            let signs = if ordered { "=, !=, =~, !~, >= or <=" } else { "=, !=, =~ or !~" };
            let problem = format!("{} is compared by {signs}", field.word());
            return Err(self.error((sign_at, 1), problem, format!("such as {}", example(field))));
        };
        let (start, text) = self.text(field)?;
        let width = self.at - start;
        if !sign.ends_with('~')
            && let Some(values) = field.values().filter(|values| !values.contains(&text.as_str()))
        {
            let problem = format!("there is no {} of that name", field.word());
            let all = format!("there are {}", values.join(", "));
            return Err(self.error((start, width), problem, meant(&text, values.into_iter(), &all)));
        }
        let pattern = |reader: &Self| {
            filter::pattern(&text).map_err(|error| {
                // The last line of such an error says what is wrong; those before it draw the pattern.
                let told = error.to_string();
                let why = told.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let hint = "\\ before a sign of regular expressions, such as \\[, takes it as it stands; = compares texts".to_owned();
                reader.error((start, width), format!("not a regular expression: {why}"), hint)
            })
        };
        let test = match sign {
            "=~" => Test::Matches(pattern(self)?),
            "!~" => Test::MatchesNot(pattern(self)?),
            "!=" => Test::IsNot(text),
            ">=" => Test::AtLeast(text),
            "<=" => Test::AtMost(text),
            _ => Test::Is(text),
        };
        Ok(Filter { field, test })
    }

    fn field(&mut self, fields: &[Field], of: &str) -> Result<Field, ParseError> {
        let (start, name) = self.word(|letter| letter.is_alphanumeric() || letter == '_');
        if let Some(field) = fields.iter().find(|field| field.word() == name) {
            return Ok(*field);
        }
        let width = name.chars().count();
        if fields.is_empty() {
            let problem = format!("{of} is of the whole process");
            return Err(self.error((start, width), problem, "it takes no filter".to_owned()));
        }
        let names: Vec<&str> = fields.iter().map(|field| field.word()).collect();
        let all = format!("filters of {of} are {}", names.join(", "));
        let problem = if name.is_empty() {
            "a filter is missing".to_owned()
        } else {
            format!("there is no filter {name}")
        };
        Err(self.error((start, width), problem, meant(&name, names.into_iter(), &all)))
    }

    /// A quoted text, in which a doubled quote is one; or a bare word.
    fn text(&mut self, field: Field) -> Result<(usize, String), ParseError> {
        if !self.take("\"") {
            let (start, word) = self.word(|letter| !letter.is_whitespace() && !"\"(),".contains(letter));
            return match word.as_str() {
                "" => {
                    let hint = format!("such as {}", example(field));
                    Err(self.error((start, 1), format!("the {} is missing", field.word()), hint))
                }
                _ => Ok((start, word)),
            };
        }
        let start = self.at - 1;
        let mut text = String::new();
        while let Some(letter) = self.letters.get(self.at) {
            self.at += 1;
            match (letter, self.letters.get(self.at)) {
                ('"', Some('"')) => {
                    self.at += 1;
                    text.push('"');
                }
                ('"', _) => return Ok((start, text)),
                _ => text.push(*letter),
            }
        }
        let hint = "a text ends with \", and \"\" is a quote in it".to_owned();
        Err(self.error((start, 1), "the quote does not end".to_owned(), hint))
    }

    fn comparison(&mut self) -> Result<Comparison, ParseError> {
        use Comparison::{AtLeast, AtMost, Equal, Less, More, Unequal};
        let signs = [
            ("<=", AtMost),
            (">=", AtLeast),
            ("==", Equal),
            ("!=", Unequal),
            ("<", Less),
            (">", More),
            ("=", Equal),
        ];
        self.sign(&signs).ok_or_else(|| {
            let hint = "write <, <=, >, >=, = or !=, and a limit".to_owned();
            self.error((self.at, 1), "a comparison is missing".to_owned(), hint)
        })
    }

    fn limit(&mut self, metric: &'static Metric) -> Result<Limit, ParseError> {
        let is_of = |letter: char| letter.is_alphanumeric() || letter == '_';
        let before = self.at;
        let (start, word) = self.word(is_of);
        if word == "baseline" {
            let sign = self.sign(&[("+", Sign::Plus), ("-", Sign::Minus)]);
            let shift = sign.map(|sign| self.shift(metric, sign)).transpose()?;
            return Ok(Limit::Baseline(shift));
        }
        if word.starts_with(|letter: char| letter.is_alphabetic()) {
            let problem = format!("{word} is no limit");
            let all = format!("write {}, or baseline", metric.kind.example());
            return Err(self.error(
                (start, word.chars().count()),
                problem,
                meant(&word, ["baseline"].into_iter(), &all),
            ));
        }
        self.at = before;
        self.amount(metric.kind).map(Limit::Fixed)
    }

    /// By how much the limit lies over or under the baseline.
    fn shift(&mut self, metric: &'static Metric, sign: Sign) -> Result<Shift, ParseError> {
        let before = self.at;
        let share = self.amount(Kind::MilliPercent);
        let by = match share {
            Ok(share) if sign == Sign::Minus && share > 100 * PERCENT => {
                let hint = "at most 100% less".to_owned();
                return Err(self.error((before, self.at - before), "less than nothing".to_owned(), hint));
            }
            Ok(share) if self.letters[before..self.at].contains(&'%') => By::Percent(share),
            _ => {
                self.at = before;
                By::Amount(self.amount(metric.kind).map_err(|error| ParseError {
                    hint: format!("write {}, or a share such as 10%", metric.kind.example()),
                    ..error
                })?)
            }
        };
        Ok(Shift { sign, by })
    }

    fn amount(&mut self, kind: Kind) -> Result<u64, ParseError> {
        let (start, number) = self.word(|letter| letter.is_ascii_digit() || letter == '.');
        let (_, unit) = self.word(|letter| letter.is_alphabetic() || letter == '%');
        let is_number = number.starts_with(|digit: char| digit.is_ascii_digit())
            && number.ends_with(|digit: char| digit.is_ascii_digit())
            && number.matches('.').count() < 2;
        let value = if is_number {
            // `µ` and `μ` are drawn alike.
            kind.read(&number, &unit.replace(['µ', 'μ'], "u"))
        } else if number.is_empty() {
            Err("a limit is missing".to_owned())
        } else {
            Err(format!("{number} is no number"))
        };
        value.map_err(|problem| {
            let end = self.at.max(start + 1);
            self.error((start, end - start), problem, format!("write {}", kind.example()))
        })
    }
}

/// A filter as it may be written.
const fn example(field: Field) -> &'static str {
    match field {
        Field::Type => "type=~\"Session\"",
        Field::Owner => "owner=\"main.cache.sessions\"",
        Field::Name => "name=\"sessions\"",
        Field::Runtime => "runtime=\"go-swiss\"",
        Field::Verdict => "verdict=\"stranded_until_rebuilt\"",
        Field::Severity => "severity>=warning",
        Field::Rule => "rule=\"key_leak\"",
    }
}

/// What may have been meant, else what there is.
fn meant<'a>(word: &str, names: impl Iterator<Item = &'a str>, otherwise: &str) -> String {
    match nearest(word, names).as_slice() {
        [] => otherwise.to_owned(),
        near => format!("did you mean {}? {otherwise}", near.join(" or ")),
    }
}
