//! Words of the language, and what a word that is none may have meant.

use super::REGISTERS;
use super::types::{Function, Width};
use crate::audit::nearest::nearest;

/// Words that have a meaning in some place, so that nothing else may be called so.
pub fn reserved(word: &str) -> bool {
    const WORDS: &[&str] =
        &["self", "sym", "it", "i", "slots", "ret", "true", "false", "sum", "if", "else", "and", "or", "not"];
    let is_argument = word.strip_prefix("arg").is_some_and(|digits| digits.parse::<u8>().is_ok());
    is_argument
        || WORDS.contains(&word)
        || REGISTERS.contains(&word)
        || Width::ALL.iter().any(|(text, _)| *text == word)
        || Function::ALL.iter().any(|(text, ..)| *text == word)
}

/// What a word may have meant, or what there is.
pub(super) fn meant(word: &str, texts: &[&str]) -> String {
    const LISTED: usize = 24;
    let near = nearest(word, texts.iter().copied());
    match near.is_empty() {
        false => format!("did you mean {}?", quoted(&near, " or ")),
        true if texts.is_empty() => "there are no names here, only numbers".to_owned(),
        true if texts.len() > LISTED => format!("there are {} and more", quoted(&texts[..LISTED], ", ")),
        true => format!("there are {}", quoted(texts, ", ")),
    }
}

fn quoted(texts: &[&str], between: &str) -> String {
    texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(between)
}

pub(super) fn widths() -> String {
    Width::ALL.map(|(text, _)| text).join(" ")
}
