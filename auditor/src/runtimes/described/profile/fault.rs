//! What is wrong with a profile: line, column, a mark below it, and what to write instead.

use std::fmt;
use std::ops::Range;

use crate::audit::nearest::nearest;
use crate::runtimes::described::expression::Fault;

/// Characters of a line that are shown on each side of what is wrong.
const SHOWN: usize = 48;

/// What is wrong with a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileError {
    /// In which line, from 1.
    pub line: usize,
    /// In which column it begins, from 1.
    pub column: usize,
    /// How many columns it takes, at least 1.
    pub width: usize,
    /// What is wrong.
    pub problem: String,
    /// What to write instead; may be empty.
    pub hint: String,
    /// The line.
    pub source: String,
}

impl std::error::Error for ProfileError {}

impl ProfileError {
    /// The error as compilers write theirs: `file:line:column: problem`, the line, the mark, the hint.
    #[must_use]
    pub fn in_file(&self, file: &str) -> String {
        format!("{file}:{}:{}: {}", self.line, self.column, self.body())
    }

    fn body(&self) -> String {
        let plain = |text: &str| -> String {
            text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
        };
        let start = (self.column - 1).saturating_sub(SHOWN);
        let line: String = self.source.chars().skip(start).take(2 * SHOWN).collect();
        let indent = " ".repeat(self.column - 1 - start);
        let marks = "^".repeat(self.width.clamp(1, SHOWN));
        let hint = if self.hint.is_empty() { String::new() } else { format!("\n{}", plain(&self.hint)) };
        format!("{}\n  {}\n  {indent}{marks}{hint}", plain(&self.problem), plain(&line))
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.body())
    }
}

/// The text of a profile, to say where in it something is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a>(pub(super) &'a str);

impl Source<'_> {
    /// An error at some bytes of the text.
    pub(super) fn error(
        self,
        at: &Range<usize>,
        problem: impl Into<String>,
        hint: impl Into<String>,
    ) -> ProfileError {
        let text = self.0;
        let start = floor(text, at.start);
        let from = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let source = text[from..].lines().next().unwrap_or_default().to_owned();
        let marked = text[start..floor(text, at.end).max(start)].lines().next().unwrap_or_default();
        ProfileError {
            line: self.line(start),
            column: text[from..start].chars().count() + 1,
            width: marked.chars().count().max(1),
            problem: problem.into(),
            hint: hint.into(),
            source,
        }
    }

    /// In which line a byte is, from 1.
    pub(super) fn line(self, at: usize) -> usize {
        self.0[..floor(self.0, at)].bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    /// What is wrong with an expression that is a string of the file.
    pub(super) fn within(self, string: &Range<usize>, fault: Fault) -> ProfileError {
        let place = |offset| raw_offset(&self.0[string.clone()], offset) + string.start;
        let at = place(fault.at.start)..place(fault.at.end);
        self.error(&at, fault.problem, fault.hint)
    }

    /// What the reader of TOML found. It tells unknown keys with all that it expected: the nearest is named.
    pub(super) fn of_toml(self, error: &toml::de::Error) -> ProfileError {
        let at = error.span().unwrap_or(0..0);
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        match message.split_once(", expected ") {
            Some((problem, expected)) if problem.starts_with("unknown ") => {
                let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
                let word = problem.split('`').nth(1).unwrap_or_default();
                let problem = problem.replacen("unknown field", "unknown key", 1).replacen(
                    "unknown variant",
                    "unknown word",
                    1,
                );
                self.error(&at, problem, meant(word, known.iter().copied()))
            }
            _ => self.error(&at, message.replacen("missing field", "missing key", 1), ""),
        }
    }
}

/// What a word may have meant, or all that it could be.
pub(super) fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let quoted = |words: Vec<&str>, between| {
        words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(between)
    };
    let near = nearest(word, known.clone());
    match near.is_empty() {
        false => format!("did you mean {}?", quoted(near, " or ")),
        true => format!("it can be {}", quoted(known.collect(), ", ")),
    }
}

/// The last boundary between characters at or before an offset.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Where in a string as it is written in TOML, with its quotes, a byte of its value is.
fn raw_offset(raw: &str, offset: usize) -> usize {
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| raw.starts_with(quotes));
    let Some(quotes) = quotes else { return offset };
    let mut at = quotes.len();
    if quotes.len() == 3 {
        at += ["\r\n", "\n"].into_iter().find(|end| raw[at..].starts_with(end)).map_or(0, str::len);
    }
    let mut value = 0;
    while value < offset {
        let Some((bytes, means)) = letter(&raw[at..], quotes.starts_with('"')) else { break };
        at += bytes;
        value += means;
    }
    at
}

/// How many bytes the next letter takes as it is written, and how many bytes of the value it means.
fn letter(raw: &str, escapes: bool) -> Option<(usize, usize)> {
    let first = raw.chars().next()?;
    if first != '\\' || !escapes {
        return Some((first.len_utf8(), first.len_utf8()));
    }
    let digits = match raw[1..].chars().next()? {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        // The end of a line, with all that is blank after it, means nothing.
        blank if blank.is_whitespace() => return Some((raw.len() - raw[1..].trim_start().len(), 0)),
        other => return Some((1 + other.len_utf8(), 1)),
    };
    let code = raw.get(2..2 + digits).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    Some((2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8)))
}
