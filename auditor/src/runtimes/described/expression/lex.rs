//! A text into words, numbers and signs, each with its place.

use std::ops::Range;

use super::parse::Fault;
use super::types::Value;

/// Signs of the language, the long ones first.
const SIGNS: &[&str] = &[
    "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+", "-", "*", "/", "%", "<", ">", "&", "|", "^", "~",
    "!", "?", ":", "(", ")", "[", "]", ",",
];

/// One word, number or sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A name, a type or a function.
    Word(&'a str),
    /// A number, or `true` or `false`.
    Literal(Value),
    /// A sign.
    Sign(&'static str),
    /// Nothing follows.
    End,
}

/// A token with the bytes of the text that it takes.
pub(super) type Placed<'a> = (Token<'a>, Range<usize>);

/// All tokens of a text, with [`Token::End`] as the last.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, Fault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else {
            tokens.push((Token::End, at..at));
            return Ok(tokens);
        };
        let (token, len) = match first {
            'a'..='z' | 'A'..='Z' | '_' => word(rest),
            '0'..='9' => number(rest, at)?,
            _ => sign(rest).ok_or_else(|| stray(first, at))?,
        };
        tokens.push((token, at..at + len));
        at += len;
    }
}

/// How many bytes from the start on satisfy a condition.
fn run(text: &str, is: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is(*byte)).count()
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn word(text: &str) -> (Token<'_>, usize) {
    let word = &text[..run(text, is_of_word)];
    let token = match word {
        "true" => Token::Literal(Value::Bool(true)),
        "false" => Token::Literal(Value::Bool(false)),
        _ => Token::Word(word),
    };
    (token, word.len())
}

fn sign(text: &str) -> Option<(Token<'_>, usize)> {
    SIGNS.iter().find(|sign| text.starts_with(**sign)).map(|sign| (Token::Sign(sign), sign.len()))
}

/// `12`, `0x1f`, `1_000`, `0.875`.
fn number(text: &str, at: usize) -> Result<(Token<'_>, usize), Fault> {
    let whole = run(text, is_of_word);
    let fraction = text[whole..].strip_prefix('.').map_or(0, |rest| 1 + run(rest, is_of_word));
    let len = whole + fraction;
    let digits = text[..len].replace('_', "");
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|number| Value::Int(number.into())),
        None if fraction == 0 => digits.parse::<u64>().ok().map(|number| Value::Int(number.into())),
        None => digits.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Float),
    };
    let value = value.ok_or_else(|| Fault {
        at: at..at + len,
        problem: "this is no number of at most 64 bits".to_owned(),
        hint: "numbers are written as 24, 0x18, 1_000 or 0.875".to_owned(),
    })?;
    Ok((Token::Literal(value), len))
}

fn stray(letter: char, at: usize) -> Fault {
    let hint = match letter {
        '=' => "equality is written ==",
        '"' | '\'' => "there are no texts in expressions",
        '.' => "numbers begin with a digit: 0.5",
        _ => "",
    };
    Fault {
        at: at..at + letter.len_utf8(),
        problem: format!("{letter:?} means nothing here"),
        hint: hint.to_owned(),
    }
}
