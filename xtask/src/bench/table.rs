//! The figures as lines for a person, at most 100 columns.

use super::figure::{Figure, Spread};

/// Width of the column that says what was measured.
const WHAT: usize = 38;

/// The heading of a part.
pub(crate) fn heading(part: &str, about: &str, with_looks: bool) -> [String; 2] {
    let columns = format!("{:<WHAT$}{:>9}{:>9}{:>9} {:<6}{:>7}", "", "median", "min", "max", "", "aim");
    let columns = if with_looks { format!("{columns}{:>7}{:>7}", "wall", "best") } else { columns };
    [format!("\n{part}: {about}"), columns]
}

/// One line.
pub(crate) fn line(figure: &Figure) -> String {
    let Figure { what, unit, spread, beside, .. } = figure;
    let Spread { median, min, max, .. } = *spread;
    let aim = figure.at_most.map_or(String::new(), |aim| format!("<={}", number(aim, unit)));
    let looks = beside.map_or([String::new(), String::new()], |beside| {
        [beside.wall.median, beside.best].map(|value| number(value, unit))
    });
    let [wall, best] = looks;
    let mark = if figure.missed { "MISSED" } else { "" };
    let [median, min, max] = [median, min, max].map(|value| number(value, unit));
    let line = format!("{what:<WHAT$}{median:>9}{min:>9}{max:>9} {unit:<6}{aim:>7}{wall:>7}{best:>7} {mark}");
    line.trim_end().to_owned()
}

/// Every aim that was missed, and how many there are.
pub(crate) fn verdict(figures: &[Figure]) -> Vec<String> {
    let missed: Vec<&Figure> = figures.iter().filter(|figure| figure.missed).collect();
    let aims = figures.iter().filter(|figure| figure.at_most.is_some()).count();
    let head = format!("\n{} of {aims} aims met", aims - missed.len());
    let name = |figure: &&Figure| {
        let aim = figure.at_most.map_or(String::new(), |aim| number(aim, figure.unit));
        let median = number(figure.spread.median, figure.unit);
        format!("  missed: {}: {}: {median} {}, aim {aim}", figure.part, figure.what, figure.unit)
    };
    [head].into_iter().chain(missed.iter().map(name)).collect()
}

/// As many decimals as the unit deserves.
fn number(value: f64, unit: &str) -> String {
    match unit {
        "x" => format!("{value:.3}"),
        "% CPU" | "%" => format!("{value:.2}"),
        "MiB" | "ms" => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figure::Beside;

    fn figure(median: f64) -> Figure {
        let spread = Spread::of([0.99, median, 1.2]).unwrap();
        let what = "stalled_evacuation (1.04 s), default";
        Figure::new("slowdown", what, "x", spread).beside(Beside { wall: spread, best: 1.002 }).at_most(1.03)
    }

    #[test]
    fn a_line_fits_and_marks_what_was_missed() {
        let line = line(&figure(1.05));
        assert!(line.chars().count() <= 100, "{line}");
        assert!(line.contains("1.050    0.990    1.200 x     <=1.030  1.050  1.002 MISSED"), "{line}");
        assert!(!super::line(&figure(1.01)).contains("MISSED"));
    }

    #[test]
    fn the_verdict_names_what_was_missed() {
        let lines = verdict(&[figure(1.05), figure(1.0)]);
        assert_eq!(lines[0].trim(), "1 of 2 aims met");
        assert_eq!(lines.len(), 2);
        assert!(
            lines[1].ends_with("stalled_evacuation (1.04 s), default: 1.050 x, aim 1.030"),
            "{}",
            lines[1]
        );
    }
}
