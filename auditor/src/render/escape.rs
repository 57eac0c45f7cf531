//! The one door for text that comes from a target: names, paths, symbols, notes. Whatever a process
//! calls itself, it cannot move the cursor, colour the screen, reverse the line, hide characters or
//! fill the page.
//!
//! Kept as they are: printable ASCII, the Latin, Greek and Cyrillic scripts with common punctuation
//! and arrows (one cell each), and the Chinese, Japanese and Korean blocks (two cells each).
//! Everything else is written as Rust escapes it (`\n`, `\u{1b}`): controls, bidirectional marks,
//! what is drawn on top of its neighbour, right-to-left scripts, and characters on whose width
//! terminals disagree. A backslash is doubled, so that no text can pass for an escaped one.

/// What stands for what was cut off. One cell.
pub const CUT: char = '…';

/// Text made harmless and at most `cells` wide; what is too long loses its end.
#[must_use]
pub fn visible(text: &str, cells: usize) -> String {
    plain(text, cells).unwrap_or_else(|| careful(text, cells))
}

/// [`visible`], character by character.
fn careful(text: &str, cells: usize) -> String {
    let (mut pieces, whole) = fitting(text.chars(), cells);
    if !whole {
        make_room(&mut pieces, cells);
        pieces.push(CUT.to_string());
    }
    bounded(pieces, cells)
}

/// As [`visible`], but what is too long loses its beginning: the end of a path says more.
#[must_use]
pub fn visible_tail(text: &str, cells: usize) -> String {
    let (mut pieces, whole) = fitting(text.chars().rev(), cells);
    if !whole {
        make_room(&mut pieces, cells);
        pieces.push(CUT.to_string());
    }
    pieces.reverse();
    bounded(pieces, cells)
}

/// As [`visible`], but what is too long loses its middle: a path says most at its two ends.
#[must_use]
pub fn visible_middle(text: &str, cells: usize) -> String {
    plain_middle(text, cells).unwrap_or_else(|| careful_middle(text, cells))
}

/// [`visible_middle`], character by character.
fn careful_middle(text: &str, cells: usize) -> String {
    let (pieces, whole) = fitting(text.chars(), cells);
    if whole || cells == 0 {
        return bounded(pieces, cells);
    }
    let room = cells - width(CUT.encode_utf8(&mut [0; 4]));
    let (head, _) = fitting(text.chars(), room / 2);
    let (tail, _) = fitting(text.chars().rev(), room - room / 2);
    let tail = tail.into_iter().rev();
    head.into_iter().chain([CUT.to_string()]).chain(tail).collect()
}

/// Cuts text that is harmless already.
#[must_use]
pub fn clip(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for letter in text.chars() {
        used += cells_of(letter);
        if used > cells {
            break;
        }
        kept.push(letter);
    }
    if cells > 0 {
        kept.push(CUT);
    }
    kept
}

/// How many cells harmless text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(cells_of).sum() }
}

/// How many cells a kept character takes.
const fn cells_of(letter: char) -> usize {
    if is_wide(letter) { 2 } else { 1 }
}

/// [`visible`] of a text that is shown as it is, as most names are; `None`: it takes more care.
fn plain(text: &str, cells: usize) -> Option<String> {
    if is_plain_so_far(text, cells)? {
        return Some(text.to_owned());
    }
    let kept = text.get(..cells.checked_sub(1)?)?;
    Some([kept, CUT.encode_utf8(&mut [0; 4])].concat())
}

/// [`visible_middle`] of such a text.
fn plain_middle(text: &str, cells: usize) -> Option<String> {
    if is_plain_so_far(text, cells)? {
        return Some(text.to_owned());
    }
    let room = cells.checked_sub(1)?;
    let head = text.get(..room / 2)?;
    let tail = text.get(text.len() - (room - room / 2)..)?;
    is_plain(tail.as_bytes()).then(|| [head, CUT.encode_utf8(&mut [0; 4]), tail].concat())
}

/// Whether a text fits as it is; `None`: not all of it that matters to that is shown as it is.
fn is_plain_so_far(text: &str, cells: usize) -> Option<bool> {
    let whole = text.len() <= cells;
    let so_far = if whole { text.as_bytes() } else { text.as_bytes().get(..=cells)? };
    is_plain(so_far).then_some(whole)
}

/// Whether each byte is a character that is shown as it is, in one cell.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\')
}

/// The escaped characters that fit, and whether that was all. Reads no further than it must.
fn fitting(letters: impl Iterator<Item = char>, cells: usize) -> (Vec<String>, bool) {
    let mut pieces = Vec::new();
    let mut used = 0;
    for letter in letters {
        let piece = escaped(letter);
        used += width(&piece);
        if used > cells {
            return (pieces, false);
        }
        pieces.push(piece);
    }
    (pieces, true)
}

/// Takes pieces away until the cut mark fits.
fn make_room(pieces: &mut Vec<String>, cells: usize) {
    while !pieces.is_empty() && pieces.iter().map(|piece| width(piece)).sum::<usize>() >= cells {
        pieces.pop();
    }
}

/// Joins the pieces; where not even the mark fits, there is nothing.
fn bounded(pieces: Vec<String>, cells: usize) -> String {
    if cells == 0 { String::new() } else { pieces.concat() }
}

/// One character as it is shown.
fn escaped(letter: char) -> String {
    match letter {
        '\\' => r"\\".to_owned(),
        ' '..='~' => letter.to_string(),
        _ if is_harmless(letter) => letter.to_string(),
        _ => letter.escape_default().to_string(),
    }
}

/// Whether a character beyond ASCII is drawn on its own, left to right, in a known number of cells.
#[must_use]
pub fn is_harmless(letter: char) -> bool {
    // The standard library knows what is unassigned, a format control or a combining mark.
    let drawn = || letter.escape_debug().count() == 1;
    (is_narrow(letter) || is_wide(letter)) && drawn()
}

/// Latin, Greek, Cyrillic; punctuation; arrows.
const fn is_narrow(letter: char) -> bool {
    matches!(letter, '\u{a1}'..='\u{52f}' | '\u{2010}'..='\u{2027}' | '\u{2190}'..='\u{21ff}')
}

/// Chinese, Japanese, Korean: the blocks all of whose drawn characters are wide in Unicode's
/// EastAsianWidth.txt.
const fn is_wide(letter: char) -> bool {
    matches!(
        letter,
        '\u{2e80}'..='\u{303e}'
            | '\u{3041}'..='\u{3163}'
            | '\u{3165}'..='\u{3247}'
            | '\u{3250}'..='\u{a4c6}'
            | '\u{ac00}'..='\u{d7a3}'
            | '\u{ff01}'..='\u{ff60}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::text::Span;

    use super::*;

    #[test]
    fn a_terminal_escape_is_shown_and_not_obeyed() {
        assert_eq!(visible("\u{1b}[2J\u{1b}]0;root\u{7}", 80), r"\u{1b}[2J\u{1b}]0;root\u{7}");
    }

    #[test]
    fn the_eight_bit_escape_is_shown_too() {
        assert_eq!(visible("\u{9b}31m", 80), r"\u{9b}31m");
    }

    #[test]
    fn line_ends_do_not_end_lines() {
        assert_eq!(visible("a\r\nb\u{2028}c\u{85}", 80), r"a\r\nb\u{2028}c\u{85}");
    }

    #[test]
    fn marks_that_turn_or_hide_text_are_shown() {
        assert_eq!(visible("a\u{202e}b\u{200b}c\u{ad}\u{feff}", 80), r"a\u{202e}b\u{200b}c\u{ad}\u{feff}");
    }

    #[test]
    fn combining_marks_cannot_climb_out_of_their_line() {
        assert_eq!(visible("e\u{301}", 80), r"e\u{301}");
    }

    #[test]
    fn text_that_looks_escaped_cannot_pass_for_an_escaped_one() {
        assert_ne!(visible(r"\u{1b}", 80), visible("\u{1b}", 80));
    }

    #[test]
    fn names_of_real_types_stay_readable() {
        for name in ["map[string]*main.Session", "main.Cache[go.shape.int·1]", "Größe→値"] {
            assert_eq!(visible(name, 80), name);
        }
    }

    #[test]
    fn long_text_loses_its_end_and_long_paths_their_beginning() {
        assert_eq!(visible("abcdefgh", 5), "abcd…");
        assert_eq!(visible_tail("/usr/bin/demo", 6), "…/demo");
        assert_eq!(visible("abc", 3), "abc");
        assert_eq!(visible("abc", 0), "");
    }

    #[test]
    fn a_long_path_keeps_both_its_ends() {
        assert_eq!(visible_middle("main.cache.inner.idx", 11), "main.…r.idx");
        assert_eq!(visible_middle("main.cache", 10), "main.cache");
        assert_eq!([0, 1, 2].map(|cells| visible_middle("abc", cells)), ["", "…", "…c"]);
    }

    #[test]
    fn an_escape_is_cut_away_whole() {
        assert_eq!(visible("ab\u{1b}", 6), "ab…");
    }

    #[test]
    fn every_kept_character_takes_the_cells_a_terminal_gives_it() {
        for letter in ('\u{a1}'..=char::MAX).filter(|letter| is_harmless(*letter)) {
            assert_eq!(cells_of(letter), Span::raw(letter.to_string()).width(), "{letter:?}");
        }
    }

    proptest! {
        #[test]
        fn plain_text_is_shown_as_careful_reading_shows_it(text in r"[ -~]{0,30}|[a-z\\値\n]{0,30}", cells in 0_usize..40) {
            prop_assert_eq!(visible(&text, cells), careful(&text, cells));
            prop_assert_eq!(visible_middle(&text, cells), careful_middle(&text, cells));
        }

        #[test]
        fn whatever_comes_in_what_goes_out_is_harmless_and_bounded(text in any::<String>(), cells in 0_usize..40) {
            for shown in [visible(&text, cells), visible_tail(&text, cells), visible_middle(&text, cells)] {
                prop_assert!(width(&shown) <= cells);
                prop_assert!(shown.chars().all(|letter| matches!(letter, ' '..='~') || is_harmless(letter)));
            }
        }

        #[test]
        fn clipping_keeps_within_its_cells(text in "[a-z値]{0,30}", cells in 0_usize..40) {
            prop_assert!(width(&clip(&text, cells)) <= cells);
        }
    }
}
