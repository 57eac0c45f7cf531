//! How a tone looks on a screen, and putting lines there. Without colours, bold, dim and reverse
//! video say the same.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style as Look};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::render::escape;
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

/// A line of one tone.
pub(super) fn line(style: Style, tone: Tone, text: impl Into<String>) -> Line<'static> {
    Line::from(span(style, tone, text))
}

/// Puts lines below each other; what is too wide or too many is cut.
pub(super) fn lines(lines: Vec<Line<'_>>, area: Rect, frame: &mut Frame<'_>) {
    frame.render_widget(Paragraph::new(lines), area);
}

/// As many pieces as fit, apart from each other. What does not fit is left out; where nothing would be
/// left, the first is cut.
pub(super) fn fitting(
    style: Style,
    pieces: impl IntoIterator<Item = (String, Tone)>,
    cells: usize,
) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    let mut used = 0;
    for (piece, tone) in pieces {
        let gap = if spans.is_empty() { 0 } else { 2 };
        let width = escape::width(&piece);
        if used + gap + width > cells && !spans.is_empty() {
            continue;
        }
        spans.push(Span::raw(" ".repeat(gap)));
        spans.push(span(style, tone, escape::clip(&piece, cells)));
        used += gap + width;
    }
    Line::from(spans)
}

/// Pieces that are nothing special.
pub(super) fn normal(pieces: impl IntoIterator<Item = String>) -> impl Iterator<Item = (String, Tone)> {
    pieces.into_iter().map(|piece| (piece, Tone::Normal))
}

/// Eighths of a cell from below, as spark lines have them.
pub(super) const LEVELS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar of so many cells, exact to an eighth of a cell.
pub(super) fn bar(permille: u64, cells: usize) -> String {
    const EIGHTHS: [char; 8] = ['░', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = usize::try_from(permille.min(1000)).unwrap_or(1000) * cells * 8 / 1000;
    let cell = |index: usize| match eighths.saturating_sub(index * 8) {
        8.. => '█',
        part => EIGHTHS[part],
    };
    (0..cells).map(cell).collect()
}

/// A title in reverse video, over the whole width, with a word at its right end.
pub(super) fn title(left: &str, right: &str, cells: usize) -> Line<'static> {
    let right = escape::clip(right, cells);
    let room = cells.saturating_sub(escape::width(&right) + 1);
    let left = escape::clip(left, room);
    let gap = " ".repeat(cells.saturating_sub(escape::width(&left) + escape::width(&right)));
    Line::from(Span::styled(format!("{left}{gap}{right}"), REVERSED))
}

/// The whole width in reverse video.
pub(super) fn selected(line: Line<'static>, cells: usize) -> Line<'static> {
    let room = cells.saturating_sub(line.width());
    let mut spans = line.spans;
    spans.push(Span::raw(" ".repeat(room)));
    Line::from(spans).style(REVERSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_exact_to_an_eighth_of_a_cell() {
        assert_eq!(bar(0, 4), "░░░░");
        assert_eq!(bar(625, 4), "██▌░");
        assert_eq!(bar(1000, 4), "████");
        assert_eq!(bar(u64::MAX, 4), "████");
    }
}
