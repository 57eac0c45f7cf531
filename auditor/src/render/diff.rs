//! What changed between two reports: why they may not be comparable first, then RSS and what it is made of, the
//! maps that changed most, lags, findings, and the three checks of a release.

use std::io::{self, Write};

use super::style::{Paper, Tone};
use super::{Format, escape, human, json, phrases, wrap};
use crate::audit::diff::{Check, Diff, FindingChange, LagPair, Matched, Of, Pair, Row, Side, Verdict};
use crate::audit::unit::Bytes;

/// Cells of a name, and of a sentence.
const NAME: usize = 60;
const SENTENCE: usize = 300;
/// Rows of lags and of findings.
const ROWS: usize = 10;
const INDENT: usize = 2;
const GAP: &str = "  ";
/// Between two figures that differ.
const CHANGED: &str = " -> ";
/// Cells of a name in a table.
const LABEL: usize = 28;

/// Writes a difference; on this paper, where it is for people.
///
/// # Errors
/// Those of `out`.
pub fn render(diff: &Diff, format: Format, paper: Paper, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Json => json::many_lines(diff, out),
        Format::Ndjson => json::one_line(diff, out),
        _ => out.write_all(text(diff, paper).as_bytes()),
    }
}

fn text(diff: &Diff, paper: Paper) -> String {
    let mut page = Page { text: String::new(), paper };
    page.sentence(0, Tone::Heading, &opening(diff));
    for caveat in &diff.caveats {
        page.sentence(INDENT, Tone::Warn, &format!("! {}", said(caveat)));
    }
    page.heading("Memory");
    page.table(["", "before", "after", "change"], &memory(diff));
    page.heading("Maps");
    page.sentence(INDENT, Tone::Quiet, &matching(diff));
    let changed: Vec<&Row> = diff.maps.iter().filter(|row| has_changed(row)).collect();
    changed.iter().take(paper.rows()).for_each(|row| page.map(row));
    page.and_more(changed.len(), paper.rows(), "more row");
    let same = (diff.maps.len() - changed.len()) as u64;
    if same > 0 {
        page.sentence(INDENT, Tone::Quiet, &format!("{} as before", human::plural(same, "row")));
    }
    let lags: Vec<[String; 4]> = diff.lags.iter().take(ROWS).map(lag).collect();
    if !lags.is_empty() {
        page.heading("Lags (median)");
        page.table(["", "before", "after", "change"], &lags);
        page.and_more(diff.lags.len(), ROWS, "more pair");
    }
    page.heading("Findings");
    if diff.findings.is_empty() {
        page.sentence(INDENT, Tone::Normal, "none in either");
    }
    for change in diff.findings.iter().take(ROWS) {
        let (tone, told) = finding(change);
        page.sentence(INDENT, tone, &told);
    }
    page.and_more(diff.findings.len(), ROWS, "more finding");
    page.heading("Release checks");
    for check in &diff.checks {
        let (tone, told) = checked(check);
        page.sentence(INDENT, tone, &told);
    }
    page.text
}

/// Text under construction.
struct Page {
    text: String,
    paper: Paper,
}

impl Page {
    fn heading(&mut self, title: &str) {
        self.text.push('\n');
        self.sentence(0, Tone::Heading, title);
    }

    fn sentence(&mut self, indent: usize, tone: Tone, sentence: &str) {
        for line in wrap::wrap(sentence, self.paper.columns() - indent) {
            self.line(indent, tone, &line);
        }
    }

    fn line(&mut self, indent: usize, tone: Tone, line: &str) {
        let line = escape::clip(line.trim_end(), self.paper.columns() - indent);
        self.text += &format!("{}{}\n", " ".repeat(indent), self.paper.style.paint(tone, &line));
    }

    /// A name at the left, numbers at the right.
    fn table(&mut self, titles: [&str; 4], rows: &[[String; 4]]) {
        let titles = titles.map(str::to_owned);
        let all = || rows.iter().chain([&titles]);
        let widths = [0, 1, 2, 3].map(|n| all().map(|row| escape::width(&row[n])).max().unwrap_or_default());
        for (number, row) in [&titles].into_iter().chain(rows).enumerate() {
            let cells = [0, 1, 2, 3].map(|n| {
                let room = " ".repeat(widths[n].saturating_sub(escape::width(&row[n])));
                if n == 0 { format!("{}{room}", row[n]) } else { format!("{room}{}", row[n]) }
            });
            let tone = if number == 0 { Tone::Quiet } else { Tone::Normal };
            self.line(INDENT, tone, &cells.join(GAP));
        }
    }

    fn map(&mut self, row: &Row) {
        self.line(INDENT, Tone::Heading, &label(row));
        for line in wrap::wrap(&figures(row), self.paper.columns() - 2 * INDENT) {
            self.line(2 * INDENT, Tone::Normal, &line);
        }
    }

    fn and_more(&mut self, all: usize, shown: usize, thing: &str) {
        if all > shown {
            self.sentence(
                INDENT,
                Tone::Quiet,
                &format!("and {}", human::plural((all - shown) as u64, thing)),
            );
        }
    }
}

fn said(text: &str) -> String {
    escape::visible(text, SENTENCE)
}

fn opening(diff: &Diff) -> String {
    let of = |of: &Of| {
        let confidence = phrases::confidence(of.confidence).0;
        let comm = escape::visible(&of.subject.comm, NAME);
        format!("{comm} ({}), {}, confidence {confidence}", of.subject.pid.0, human::span(of.duration))
    };
    format!("BEFORE {}. AFTER {}.", of(&diff.before), of(&diff.after))
}

fn memory(diff: &Diff) -> Vec<[String; 4]> {
    let row = |name: &str, pair: Pair<Option<Bytes>>| {
        [escape::visible(name, LABEL), size(pair.before), size(pair.after), moved(pair)]
    };
    let ladder = diff.ladder.iter().map(|rung| row(&rung.name, rung.pair));
    [row("RSS", diff.rss), row("RSS, peak", diff.peak)].into_iter().chain(ladder).collect()
}

fn size(size: Option<Bytes>) -> String {
    human::known(size, human::bytes)
}

fn moved(pair: Pair<Option<Bytes>>) -> String {
    human::known(pair.before.zip(pair.after), |(before, after)| human::moved(before, after))
}

/// How many were matched how.
fn matching(diff: &Diff) -> String {
    let told = diff.matching.iter().map(|(matched, count)| {
        let maps = |maps: u64| human::plural(maps, "map");
        match matched {
            Matched::All => format!("{} by type, owner and site", maps(count.rows)),
            Matched::Owner => {
                format!("{} by type and owner (they grew from elsewhere, or not)", maps(count.rows))
            }
            Matched::Site => format!("{} by type and site (owners differ)", maps(count.rows)),
            Matched::Rank => format!(
                "{} before and {} after by rank in {}: which is which is not known",
                maps(count.before),
                human::count(count.after),
                human::plural(count.rows, "group")
            ),
            Matched::Population => {
                format!("{} of small maps by type and owner", human::plural(count.rows, "population"))
            }
            Matched::Gone => format!("{} only before", maps(count.before)),
            Matched::New => format!("{} only after", maps(count.after)),
        }
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { "no map in either".to_owned() } else { format!("Matched: {}.", told.join("; ")) }
}

/// Whether a figure that is shown of it differs.
fn has_changed(row: &Row) -> bool {
    row.pair.before.is_none() || row.pair.after.is_none() || figures(row).contains(CHANGED)
}

/// What a row is called, and what is special about it.
fn label(row: &Row) -> String {
    let stated = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let name = stated(&row.key.name).or_else(|| stated(&row.key.owner));
    let texts: Vec<String> = [name, stated(&row.key.type_name)]
        .into_iter()
        .flatten()
        .map(|text| escape::visible_middle(&text, LABEL * 2))
        .collect();
    let address = [row.pair.after, row.pair.before].into_iter().flatten().find_map(|side| side.address);
    let called = match (texts.is_empty(), address) {
        (false, _) => texts.join(", "),
        (true, Some(address)) => address.to_string(),
        (true, None) => format!("maps of {}", escape::visible(&row.key.runtime, LABEL)),
    };
    let note = match row.matched {
        Matched::All | Matched::Owner => String::new(),
        Matched::Site => "  [owner differs]".to_owned(),
        Matched::Rank => "  [several alike, together]".to_owned(),
        Matched::Population => "  [small maps]".to_owned(),
        Matched::Gone => "  [only before]".to_owned(),
        Matched::New => "  [only after]".to_owned(),
    };
    format!("{called}{note}")
}

/// Each figure of a row that is known in one of both: `allocated 40.1 MiB -> 20.0 MiB (-20.1 MiB)`; of a row
/// that is in one of both, `allocated 40.1 MiB`.
fn figures(row: &Row) -> String {
    let bytes = |name: &str, of: fn(&Side) -> Option<Bytes>| {
        let pair = sides(row, of);
        let change = pair.before.zip(pair.after).filter(|(before, after)| before != after);
        let change = change.map(|(before, after)| format!(" ({})", human::moved(before, after)));
        told(name, &size(pair.before), &size(pair.after), &change.unwrap_or_default())
    };
    let count = |name: &str, of: fn(&Side) -> Option<u64>| {
        let pair = sides(row, of);
        let shown = |count| human::known(count, human::count);
        told(name, &shown(pair.before), &shown(pair.after), "")
    };
    let several = row.pair.before.into_iter().chain(row.pair.after).any(|side| side.maps != 1);
    let maps = several.then(|| count("maps", |side| Some(side.maps))).flatten();
    let all = [
        maps,
        bytes("allocated", |side| side.allocated),
        bytes("stranded", |side| side.stranded),
        bytes("peak", |side| side.peak),
        count("live", |side| side.live),
        count("capacity", |side| side.capacity),
        count("growths", |side| side.growths),
    ];
    let told = all.into_iter().flatten().collect::<Vec<_>>().join("; ");
    if told.is_empty() { "no figure of it is known".to_owned() } else { told }
}

/// A figure of both; of a row that is in one of both, of that one twice.
fn sides<T: Copy>(row: &Row, of: fn(&Side) -> Option<T>) -> Pair<Option<T>> {
    let Pair { before, after } = row.pair;
    let figure = |side: Option<Side>, other: Option<Side>| side.or(other).as_ref().and_then(of);
    Pair { before: figure(before, after), after: figure(after, before) }
}

/// One figure; `None`: it is known in neither.
fn told(name: &str, before: &str, after: &str, change: &str) -> Option<String> {
    match (before, after) {
        (human::UNKNOWN, human::UNKNOWN) => None,
        (one, other) if one == other => Some(format!("{name} {one}")),
        _ => Some(format!("{name} {before}{CHANGED}{after}{change}")),
    }
}

fn lag(pair: &LagPair) -> [String; 4] {
    let name = format!("{} -> {}", escape::visible(&pair.from, LABEL), escape::visible(&pair.to, LABEL));
    let Pair { before, after } = &pair.pair;
    let median = |lag: &Option<crate::audit::report::Lag>| {
        human::known(lag.as_ref(), |lag| {
            format!("{} ({}x)", human::span(lag.median), human::short(lag.count))
        })
    };
    let change = before.as_ref().zip(after.as_ref()).map(|(before, after)| {
        let sign = if after.median > before.median { "+" } else { "-" };
        let by = crate::audit::unit::Nanos(after.median.0.abs_diff(before.median.0));
        if by.0 == 0 { "0 s".to_owned() } else { format!("{sign}{}", human::span(by)) }
    });
    [name, median(before), median(after), human::known(change, |change| change)]
}

fn finding(change: &FindingChange) -> (Tone, String) {
    let word = |severity| phrases::severity(severity).0;
    let (tone, told) = match (change.pair.before, change.pair.after) {
        (None, Some(severity)) => (phrases::severity(severity).1, format!("came: {}", word(severity))),
        (Some(severity), None) => (Tone::Good, format!("went: {}", word(severity))),
        (Some(one), Some(other)) if one != other => {
            (phrases::severity(other).1, format!("was {}, is {}", word(one), word(other)))
        }
        (Some(severity), _) => (Tone::Quiet, format!("stayed: {}", word(severity))),
        (None, None) => (Tone::Quiet, String::new()),
    };
    let rule = escape::visible(&change.rule, NAME);
    (tone, format!("{told} {rule}: {}", said(&change.summary)))
}

fn checked(check: &Check) -> (Tone, String) {
    let (word, tone) = match check.verdict {
        Verdict::Pass => ("pass", Tone::Good),
        Verdict::Fail => ("FAIL", Tone::Bad),
        Verdict::Unknown => ("unknown", Tone::Quiet),
    };
    (tone, format!("{word}: {}: {}", said(&check.name), said(&check.reason)))
}
