//! Breaking sentences into lines.

use super::escape;

/// `text` in lines of at most `cells`, broken at spaces, or within a word that fits on no line.
/// A number stays with the word after it: `63.0` and `MiB` are one. `text` must be harmless already.
/// Never returns no line.
#[must_use]
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut words = text.split(' ').filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        let unit = words.next_if(|unit| ends_in_digit(word) && !ends_in_digit(unit));
        let whole = unit.map_or_else(|| word.to_owned(), |unit| format!("{word} {unit}"));
        for piece in pieces(&whole, cells.max(2)) {
            add(&mut lines, piece.trim_start(), cells);
        }
    }
    lines
}

fn ends_in_digit(word: &str) -> bool {
    word.ends_with(|letter: char| letter.is_ascii_digit())
}

/// Puts a word on the last line, or on a new one.
fn add(lines: &mut Vec<String>, word: &str, cells: usize) {
    match lines.last_mut() {
        Some(line) if line.is_empty() => line.push_str(word),
        Some(line) if escape::width(line) + 1 + escape::width(word) <= cells => {
            line.push(' ');
            line.push_str(word);
        }
        _ => lines.push(word.to_owned()),
    }
}

/// A word in pieces of at most `cells`.
fn pieces(mut word: &str, cells: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while escape::width(word) > cells {
        let mut used = 0;
        let end = word.char_indices().find(|(_, letter)| {
            used += escape::width(letter.encode_utf8(&mut [0; 4]));
            used > cells
        });
        let Some((at, _)) = end else { break };
        let (head, tail) = word.split_at(at);
        pieces.push(head);
        word = tail;
    }
    pieces.push(word);
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    }

    #[test]
    fn a_word_that_fits_nowhere_is_broken() {
        assert_eq!(wrap("a abcdef", 4), ["a", "abcd", "ef"]);
    }

    #[test]
    fn a_number_stays_with_its_unit() {
        assert_eq!(wrap("it holds 63.0 MiB", 13), ["it holds", "63.0 MiB"]);
    }

    #[test]
    fn nothing_is_one_empty_line() {
        assert_eq!(wrap("", 10), [""]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_long_and_no_letter_is_lost(text in "[a-z1値 ]{0,60}", cells in 2_usize..30) {
            let lines = wrap(&text, cells);
            prop_assert!(lines.iter().all(|line| escape::width(line) <= cells));
            prop_assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
    }
}
