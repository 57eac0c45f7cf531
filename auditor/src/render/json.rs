//! The report as JSON: exactly what serde makes of it. Only the spelling of strings differs:
//! characters that a terminal would obey and that JSON lets through (`U+009B`, `U+202E`) are written
//! as `\u` escapes, so that `cat` of a report is safe and a parser reads the same string.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::escape;
use super::style::Paper;
use crate::audit::report::Report;

/// One object over many lines.
pub(super) fn pretty(report: &Report, _: Paper, out: &mut dyn Write) -> io::Result<()> {
    many_lines(report, out)
}

/// One object on one line.
pub(super) fn line(report: &Report, _: Paper, out: &mut dyn Write) -> io::Result<()> {
    one_line(report, out)
}

/// Any object over many lines.
pub(super) fn many_lines(object: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    write(object, PrettyFormatter::new(), out)
}

/// Any object on one line.
pub(super) fn one_line(object: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    write(object, CompactFormatter, out)
}

fn write(object: &impl Serialize, layout: impl Formatter, out: &mut dyn Write) -> io::Result<()> {
    // serde_json writes token by token: without a buffer a pipe would see each of them.
    let mut buffered = io::BufWriter::with_capacity(1 << 16, out);
    let mut serializer = serde_json::Serializer::with_formatter(&mut buffered, Harmless(layout));
    object.serialize(&mut serializer)?;
    buffered.write_all(b"\n")?;
    buffered.flush()
}

/// A layout whose strings a terminal does not obey.
struct Harmless<Layout>(Layout);

/// Hands a method that only lays out to the inner formatter.
macro_rules! as_inner {
    ($($method:ident($($argument:ident: $kind:ty),*);)*) => {
        $(
            fn $method<W: ?Sized + Write>(&mut self, out: &mut W $(, $argument: $kind)*) -> io::Result<()> {
                self.0.$method(out $(, $argument)*)
            }
        )*
    };
}

impl<Layout: Formatter> Formatter for Harmless<Layout> {
    as_inner! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        // All bytes are looked at, whichever comes first: so the compiler takes many at once.
        if fragment.bytes().fold(true, |so_far, byte| so_far & matches!(byte, b' '..=b'~')) {
            return out.write_all(fragment.as_bytes());
        }
        fragment.chars().try_for_each(|letter| write_letter(out, letter))
    }
}

/// One character: as it is, or as its UTF-16 units.
fn write_letter<W: ?Sized + Write>(out: &mut W, letter: char) -> io::Result<()> {
    if matches!(letter, ' '..='~') || escape::is_harmless(letter) {
        return out.write_all(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
    letter.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, Harmless(CompactFormatter));
        text.serialize(&mut serializer).expect("a vector takes everything");
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn a_parser_reads_back_what_a_terminal_does_not_obey() {
        let hostile = "\u{1b}[2J \u{9b}31m \u{202e} \u{7f} \u{1f600} \"\\ Größe 値";
        let text = written(hostile);
        assert!(text.chars().all(|letter| matches!(letter, ' '..='~') || escape::is_harmless(letter)));
        assert_eq!(serde_json::from_str::<String>(&text).ok().as_deref(), Some(hostile));
    }

    #[test]
    fn ordinary_text_is_spelled_as_serde_spells_it() {
        assert_eq!(written("map[string]*main.Session"), "\"map[string]*main.Session\"");
    }
}
