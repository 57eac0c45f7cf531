//! How a tone looks on a screen, and putting lines there. Without colours, bold, dim and reverse
//! video say the same.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style as Look};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::render::style::{Style, Tone};

/// How a tone looks.
pub(super) const fn look(style: Style, tone: Tone) -> Look {
    let look = Look::new();
    match (style, tone) {
        (_, Tone::Normal) | (Style::Plain, Tone::Good) => look,
        (_, Tone::Heading) | (Style::Plain, Tone::Warn) => look.add_modifier(Modifier::BOLD),
        (_, Tone::Quiet) => look.add_modifier(Modifier::DIM),
        (Style::Plain, Tone::Bad) => look.add_modifier(Modifier::BOLD).add_modifier(Modifier::REVERSED),
        (Style::Colour, Tone::Good) => look.fg(Color::Green),
        (Style::Colour, Tone::Warn) => look.fg(Color::Yellow),
        (Style::Colour, Tone::Bad) => look.fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}

/// How titles and selected rows look.
pub(super) const REVERSED: Look = Look::new().add_modifier(Modifier::REVERSED);

/// Text with a tone.
pub(super) fn span(style: Style, tone: Tone, text: impl Into<String>) -> Span<'static> {
    Span::styled(text.into(), look(style, tone))
}

/// Puts lines below each other; what is too wide or too many is cut.
pub(super) fn lines(lines: Vec<Line<'_>>, area: Rect, frame: &mut Frame<'_>) {
    frame.render_widget(Paragraph::new(lines), area);
}

/// As many pieces as fit, apart from each other.
pub(super) fn fitting(pieces: impl IntoIterator<Item = String>, cells: usize) -> String {
    let mut line = String::new();
    for piece in pieces {
        let gap = if line.is_empty() { "" } else { "  " };
        let wider = format!("{line}{gap}{piece}");
        if crate::render::escape::width(&wider) <= cells {
            line = wider;
        }
    }
    line
}
