//! RSS over time: what it was made of, stacked, with the limit, growths and cycles of the collector on one axis.
//! What can be read from the picture can be read from the table below it, and the script takes its words from there.

use maud::{Markup, PreEscaped, html};

use super::Part;
use super::ladder::colour;
use super::table::short_row;
use crate::audit::report::{Moment, Report, Timeline, Window};
use crate::audit::unit::{Bytes, Nanos};
use crate::render::{escape, headline, human};

/// Units of the picture from left to right, and from bottom to top.
const WIDTH: u64 = 10_000;
const HEIGHT: u64 = 1_000;
/// Units of the lanes below it.
const LANE: u64 = 100;
/// Rows of the ladder that are drawn one by one: those that were largest at some time, and no thinner then than
/// this share of the highest RSS.
const BANDS: usize = 8;
const THINNEST: u64 = 100;
/// Marks that are told apart in a lane.
const BINS: u64 = 1_000;
/// Labels of the axis of time.
const TIMES: u64 = 5;
/// Most lines across.
const LINES: u64 = 5;
/// Cells of a row's name.
const NAME: usize = 40;

/// Where things are in the picture.
struct Scale {
    start: Nanos,
    span: u64,
    /// What the upper edge is.
    top: u64,
    /// Bytes from line to line.
    step: u64,
}

/// One row of the ladder, or several together.
struct Band {
    name: String,
    colour: &'static str,
    /// At each moment.
    sizes: Vec<Option<Bytes>>,
}

impl Scale {
    fn new(timeline: &Timeline, limit: Option<Bytes>) -> Self {
        let start = timeline.moments.first().map_or(Nanos(0), |moment| moment.at);
        let end = timeline.moments.last().map_or(Nanos(0), |moment| moment.at);
        let most = timeline.moments.iter().map(|moment| moment.rss).max().unwrap_or_default();
        let most = most.max(limit.filter(|limit| is_near(*limit, most)).unwrap_or_default()).0.max(1);
        let step = step(most);
        Self { start, span: end.since(start).0.max(1), top: step.saturating_mul(most.div_ceil(step)), step }
    }

    fn x(&self, at: Nanos) -> u64 {
        scaled(at.since(self.start).0, WIDTH, self.span)
    }

    /// From the top: pictures grow downwards.
    fn y(&self, size: u64) -> u64 {
        HEIGHT - scaled(size, HEIGHT, self.top)
    }
}

/// `value * to / of`, at most `to`.
fn scaled(value: u64, to: u64, of: u64) -> u64 {
    let scaled = u128::from(value) * u128::from(to) / u128::from(of.max(1));
    u64::try_from(scaled).unwrap_or(to).min(to)
}

/// Whether a limit is drawn: one far above would press all else flat.
fn is_near(limit: Bytes, most: Bytes) -> bool {
    limit.0 <= most.0.saturating_mul(2)
}

/// A round number of bytes, so that there are [`LINES`] lines at most.
fn step(most: u64) -> u64 {
    let units = (0..6).map(|power| 1_u64 << (10 * power));
    let steps = units.flat_map(|unit| [1, 2, 5, 10, 20, 50, 100, 200, 500].map(|times| unit * times));
    steps.into_iter().find(|step| most.div_ceil(*step) <= LINES).unwrap_or(u64::MAX)
}

/// The picture and what it says in words; `None`: there were less than two readings.
pub(super) fn timeline(report: &Report) -> Option<Part> {
    let timeline = report.timeline.as_ref().filter(|timeline| timeline.moments.len() > 1)?;
    let limit = timeline.moments.iter().rev().find_map(|moment| moment.limit);
    let scale = Scale::new(timeline, limit);
    let bands = bands(timeline);
    let far = limit.filter(|limit| limit.0 > scale.top);
    let body = html! {
        figure #chart aria-labelledby="chart-words" {
            p.tools hidden { (tools()) }
            (legend(&bands, limit))
            div.picture tabindex="0" role="group" aria-label="RSS over time. Arrow keys step from reading to reading, plus and minus zoom, 0 shows all. The same is in the table below." {
                (axis(&scale))
                div.plot {
                    (plot(timeline, &bands, &scale, limit, report))
                    div.cursor hidden {} div.chosen hidden {}
                }
                (lanes(timeline, &scale, report))
                div.times { (times(&scale, &report.window)) }
            }
            output #reading aria-live="polite" {}
            figcaption #chart-words {
                (headline::rss(report))
                @if let Some(limit) = far { " The limit of " (human::bytes(limit)) " is far above what is drawn." }
            }
            details {
                summary { "Every reading, as a table (" (human::count(timeline.moments.len() as u64)) ")" }
                (readings(timeline, &bands, &scale, report))
            }
        }
    };
    Some(Part { id: "timeline", title: "RSS over time".to_owned(), short: "Timeline", body })
}

/// For the script: without it they do nothing.
fn tools() -> Markup {
    let all = [
        ("in", "Zoom in"),
        ("out", "Zoom out"),
        ("left", "Earlier"),
        ("right", "Later"),
        ("all", "Show all"),
    ];
    html! {
        @for (does, words) in all { button type="button" data-zoom=(does) { (words) } " " }
        span.q { "or drag over the picture" }
    }
}

fn legend(bands: &[Band], limit: Option<Bytes>) -> Markup {
    html! {
        ul.legend {
            @for band in bands.iter().rev() { li { span.key.(band.colour) {} (band.name) } }
            @if limit.is_some() { li { span.key.k-limit {} "limit" } }
        }
    }
}

/// The rows that were largest at some time, in the order of the ladder; the others together.
fn bands(timeline: &Timeline) -> Vec<Band> {
    let sizes =
        |row: usize| timeline.moments.iter().map(move |moment| moment.ladder.get(row).copied().flatten());
    let mut rows: Vec<usize> = (0..timeline.rows.len()).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(sizes(*row).max()));
    let highest = timeline.moments.iter().map(|moment| moment.rss.0).max().unwrap_or(0);
    let is_thick =
        |row: &&usize| sizes(**row).flatten().max().is_some_and(|size| size.0 > highest / THINNEST);
    let thick = rows.iter().take(BANDS).filter(is_thick).count();
    let (large, small) = rows.split_at(thick);
    let mut large = large.to_vec();
    large.sort_unstable();
    let mut bands: Vec<Band> = large
        .into_iter()
        .map(|row| {
            let name = &timeline.rows[row];
            Band { name: escape::visible(name, NAME), colour: colour(name), sizes: sizes(row).collect() }
        })
        .collect();
    if !small.is_empty() {
        let together = |moment: &Moment| {
            let sizes = small.iter().filter_map(|row| moment.ladder.get(*row).copied().flatten());
            sizes.reduce(|sum, size| sum + size)
        };
        let sizes = timeline.moments.iter().map(together).collect();
        bands.insert(0, Band { name: "other rows".to_owned(), colour: "c-rest", sizes });
    }
    bands
}

/// What a line across stands for.
fn axis(scale: &Scale) -> Markup {
    let lines = (0..=scale.top / scale.step).map(|line| line.saturating_mul(scale.step));
    html! { div.sizes aria-hidden="true" { @for size in lines {
        span style={ "top:" (percent(scale.y(size), HEIGHT)) } { (human::bytes(Bytes(size))) }
    } } }
}

fn times(scale: &Scale, window: &Window) -> Markup {
    html! { @for number in 0..=TIMES {
        @let since = scale.span / TIMES * number;
        span style={ "left:" (percent(number, TIMES)) } { (human::offset(window, Nanos(scale.start.0.saturating_add(since)))) }
    } }
}

fn percent(part: u64, of: u64) -> String {
    let permille = scaled(part, 1000, of);
    format!("{}.{}%", permille / 10, permille % 10)
}

/// An image as high as that, which the script zooms in by changing its window.
fn image(height: u64, inside: &str) -> Markup {
    PreEscaped(format!(
        "<svg class=z viewBox=\"0 0 {WIDTH} {height}\" preserveAspectRatio=none aria-hidden=true>{inside}</svg>"
    ))
}

/// Bands from the bottom to the top, lines across, the limit, RSS.
fn plot(timeline: &Timeline, bands: &[Band], scale: &Scale, limit: Option<Bytes>, report: &Report) -> Markup {
    let xs: Vec<u64> = timeline.moments.iter().map(|moment| scale.x(moment.at)).collect();
    let mut inside = String::new();
    let mut below: Vec<u64> = vec![0; xs.len()];
    for band in bands {
        let above: Vec<u64> = below
            .iter()
            .zip(&band.sizes)
            .map(|(below, size)| below.saturating_add(size.map_or(0, |size| size.0)))
            .collect();
        let upper = xs.iter().zip(&above).map(|(x, size)| format!("{x},{}", scale.y(*size)));
        let lower = xs.iter().zip(&below).rev().map(|(x, size)| format!("{x},{}", scale.y(*size)));
        let points: Vec<String> = upper.chain(lower).collect();
        inside += &format!("<polygon class={} points=\"{}\"/>", band.colour, points.join(" "));
        below = above;
    }
    let lines = (1..scale.top / scale.step).map(|line| scale.y(line.saturating_mul(scale.step)));
    let lines: String = lines.map(|y| format!("M0 {y}H{WIDTH}")).collect();
    inside += &format!("<path class=k-line d=\"{lines}\"/>");
    inside += &format!("<path class=k-growth d=\"{}\"/>", large_growths(scale, report));
    if let Some(limit) = limit.filter(|limit| limit.0 <= scale.top) {
        inside += &format!("<path class=k-limit d=\"M0 {0}H{WIDTH}\"/>", scale.y(limit.0));
    }
    let rss = timeline.moments.iter().zip(&xs).map(|(moment, x)| format!("{x},{}", scale.y(moment.rss.0)));
    inside += &format!("<polyline class=k-rss points=\"{}\"/>", rss.collect::<Vec<_>>().join(" "));
    image(HEIGHT, &inside)
}

/// Where growths began that asked for a twentieth of what is drawn.
fn large_growths(scale: &Scale, report: &Report) -> String {
    let large = report.episodes.iter().filter(|episode| episode.allocated.0 >= scale.top / 20);
    let mut places: Vec<u64> = large.map(|episode| scale.x(episode.start)).collect();
    places.sort_unstable();
    places.dedup();
    places.truncate(BINS as usize);
    places.iter().map(|x| format!("M{x} 0V{HEIGHT}")).collect()
}

/// When maps grew and the collector ran.
fn lanes(timeline: &Timeline, scale: &Scale, report: &Report) -> Markup {
    let growths = report.episodes.iter().map(|episode| (scale.x(episode.start), episode.allocated.0));
    let cycles = timeline.moments.windows(2).filter_map(|two| {
        let ended = two[1].cycles?.saturating_sub(two[0].cycles?);
        (ended > 0).then(|| (scale.x(two[1].at), ended))
    });
    let told = timeline.moments.iter().any(|moment| moment.cycles.is_some());
    html! {
        (lane("growths", "k-growths", growths))
        @if told { (lane("collections", "k-cycles", cycles)) }
    }
}

/// Marks, higher for what is more: each doubling adds as much.
fn lane(name: &str, class: &str, marks: impl Iterator<Item = (u64, u64)>) -> Markup {
    let mut bins = std::collections::BTreeMap::new();
    for (x, size) in marks {
        let most = bins.entry(x * BINS / WIDTH).or_insert((x, size));
        *most = (*most).max((x, size));
    }
    let most = bins.values().map(|(_, size)| *size).max().unwrap_or(0);
    let height = |size: u64| LANE / 5 + scaled(bits(size), LANE * 4 / 5, bits(most));
    let path: String =
        bins.values().map(|(x, size)| format!("M{x} {LANE}V{}", LANE - height(*size).min(LANE))).collect();
    html! { div.lane { span.name { (name) } (image(LANE, &format!("<path class={class} d=\"{path}\"/>"))) } }
}

fn bits(size: u64) -> u64 {
    u64::from(u64::BITS - size.leading_zeros())
}

/// Everything the picture shows, moment by moment.
fn readings(timeline: &Timeline, bands: &[Band], scale: &Scale, report: &Report) -> Markup {
    html! { div.scroll { table #readings.numbers {
        caption { "RSS, what it was made of, growths started and cycles of the collector so far" }
        thead { tr {
            th scope="col" { "at" } th scope="col" { "clock" } th scope="col" { "RSS" }
            @for band in bands.iter().rev() { th scope="col" { (band.name) } }
            th scope="col" { "limit" } th scope="col" { "growths" } th scope="col" { "cycles" }
        } }
        tbody { @for (at, moment) in timeline.moments.iter().enumerate() {
            (short_row(&format!(" data-x={}", scale.x(moment.at)), &reading(at, moment, bands, &report.window)))
        } }
    } } }
}

fn reading(at: usize, moment: &Moment, bands: &[Band], window: &Window) -> Vec<Markup> {
    let size = |size| human::known(size, human::bytes);
    let number = |number| human::known(number, human::count);
    let clock = human::known(human::clock(window, moment.at), |clock| clock);
    let first = [human::offset(window, moment.at), clock, human::bytes(moment.rss)];
    let sizes = bands.iter().rev().map(|band| size(band.sizes.get(at).copied().flatten()));
    let last = [size(moment.limit), number(moment.growths), number(moment.cycles)];
    first.into_iter().chain(sizes).chain(last).map(|text| html! { (text) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_across_are_few_and_round_and_the_highest_is_no_lower_than_what_is_drawn() {
        for most in [1, 5, 4096, 63 << 20, 1000 << 20, 131_000_000_000, u64::MAX] {
            let step = step(most);
            assert!(
                most.div_ceil(step) <= LINES && step.saturating_mul(most.div_ceil(step)) >= most,
                "{most}"
            );
        }
        assert_eq!(human::bytes(Bytes(step(63 << 20))), "20.0 MiB");
        assert_eq!(human::bytes(Bytes(step(3 << 30))), "1.0 GiB");
    }

    #[test]
    fn a_limit_far_above_does_not_press_the_picture_flat() {
        assert!(is_near(Bytes(200), Bytes(100)) && !is_near(Bytes(201), Bytes(100)));
    }
}
