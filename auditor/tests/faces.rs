//! Golden tests of every face of a report: each format, and the screen at three sizes, drawn from
//! reports made by hand (`data/faces/samples.rs`). Review a changed snapshot as you would review a
//! changed page: by reading it.

#[path = "data/faces/page.rs"]
mod page;
#[path = "data/faces/samples.rs"]
mod samples;

use auditor::audit::Audit;
use auditor::audit::fact::GrowthKind;
use auditor::audit::report::{Confidence, Episode, Evacuation, Faults, Map, MapBytes, Report, Window};
use auditor::audit::unit::{Address, Bytes, Nanos};
use auditor::audit::whatif::{self, Ask, Traffic};
use auditor::render::columns::maps;
use auditor::render::style::{Paper, Style};
use auditor::render::{self, FORMATS, Format, Kind, escape, headline, look, render, render_on, text};
use auditor::tui::view::View;
use auditor::tui::{Action, Input, Motion, Reel, Travel};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

/// What a format makes of a report.
fn rendered(report: &Report, format: Format) -> String {
    let mut out = Vec::new();
    render(report, format, &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("formats are UTF-8")
}

/// The same, in lines that can be reviewed.
fn reviewable(report: &Report, format: Format) -> String {
    let face = rendered(report, format);
    if format == Format::Html { page::in_lines(&face) } else { face }
}

/// The formats that are text; what is not is read back in exports.rs.
fn texts() -> impl Iterator<Item = &'static render::Row> {
    FORMATS.iter().filter(|row| row.kind != Kind::Binary)
}

/// Every report there is a sample of.
fn every_report() -> [Report; 7] {
    [
        samples::rich(),
        samples::empty(),
        samples::hostile(),
        samples::go::look(),
        samples::go::small_look(),
        samples::go::attached(),
        samples::go::hostile(samples::HOSTILE),
    ]
}

/// One interval's block.
fn interval(now: &Report, before: Option<&Report>) -> String {
    let mut out = Vec::new();
    text::interval(now, before, Style::Plain.into(), &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("formats are UTF-8")
}

/// An interval shows nothing that an outline of the report ([`auditor::audit::Extent`]) leaves out.
#[test]
fn an_interval_needs_no_more_than_an_outline() {
    for mut report in every_report() {
        let whole = interval(&report, None);
        let maps = report.maps.iter_mut();
        maps.for_each(|map| (map.verdict, map.outlook) = (None, None));
        (report.memory.verdict, report.memory.outlook, report.memory.changes) = (None, None, None);
        (report.episodes, report.findings, report.lags) = (Vec::new(), Vec::new(), Vec::new());
        (report.forecast, report.timeline, report.writers) = (Default::default(), None, None);
        assert_eq!(interval(&report, None), whole);
    }
}

/// Compares with `data/faces/NAME.snap`.
fn golden(name: &str, face: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("data/faces");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, face));
}

fn assert_harmless(face: &str) {
    let ours = |letter: char| matches!(letter, '\n' | ' '..='~' | '▁'..='█' | '▉'..='▏' | '░' | '▲' | '▼');
    let obeyed = face.chars().find(|letter| !ours(*letter) && !escape::is_harmless(*letter));
    assert_eq!(obeyed, None, "a terminal would obey {obeyed:?}");
}

#[test]
fn every_format_of_a_rich_report_is_as_reviewed() {
    for row in texts() {
        golden(&format!("rich.{}", row.name), &reviewable(&samples::rich(), row.format));
    }
}

#[test]
fn a_family_tells_its_maps_apart_by_its_members() {
    golden("family.text", &rendered(&samples::family(), Format::Text));
    let metrics = rendered(&samples::family(), Format::OpenMetrics);
    for member in ["member=\"17\"", "member=\"18\""] {
        assert!(metrics.contains(member), "{metrics}");
    }
}

/// What would become of the largest map of a report.
fn answers(report: &Report, ask: &Ask, columns: usize) -> String {
    let answers = whatif::answer(report, report.maps[0].address, ask).expect("it is listed");
    let mut out = Vec::new();
    let paper = Paper::of(Style::Plain, columns);
    render::whatif::render(&answers, Format::Text, paper, &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("formats are UTF-8")
}

/// The map of the incident and its traffic.
fn asked() -> Ask {
    let traffic = Some(Traffic { qps: 20_000.0, skew: 1.1, window: Nanos(60_000_000_000) });
    Ask { keys: Some(5_000_000), traffic, ..Ask::default() }
}

#[test]
fn what_would_become_of_a_map_is_as_reviewed() {
    golden("whatif.text", &answers(&samples::rich(), &asked(), 100));
    golden("whatif-80.text", &answers(&samples::rich(), &Ask::default(), 80));
    let mut unknown = samples::rich();
    unknown.sizes.clear();
    golden("whatif-unknown.text", &answers(&unknown, &asked(), 80));
    golden("whatif-hostile.text", &answers(&samples::hostile(), &asked(), 80));
}

#[test]
fn what_would_become_of_a_map_fits_its_page_and_drives_no_terminal() {
    for report in [samples::rich(), samples::hostile(), samples::go::look()] {
        for columns in [0, 60, 80, 100, 200] {
            for ask in [asked(), Ask::default(), Ask { keys: Some(u64::MAX), ..asked() }] {
                let face = answers(&report, &ask, columns);
                assert_harmless(&face);
                let widest = face.lines().map(escape::width).max().unwrap_or_default();
                assert!(widest <= columns.clamp(60, 100), "{columns}: {face}");
                assert!(face.lines().count() < 100, "{face}");
            }
        }
    }
}

#[test]
fn every_format_of_an_empty_report_is_as_reviewed() {
    for row in texts() {
        golden(&format!("empty.{}", row.name), &reviewable(&samples::empty(), row.format));
    }
}

#[test]
fn the_text_of_a_hostile_report_is_as_reviewed() {
    golden("hostile.text", &rendered(&samples::hostile(), Format::Text));
}

#[test]
fn every_face_of_go_programs_is_as_reviewed() {
    for row in texts() {
        golden(&format!("go.{}", row.name), &reviewable(&samples::go::look(), row.format));
    }
    golden("go-small.text", &rendered(&samples::go::small_look(), Format::Text));
    golden("go-attached.text", &rendered(&samples::go::attached(), Format::Text));
    golden("go-hostile.text", &rendered(&samples::go::hostile(samples::HOSTILE), Format::Text));
    golden("go-attached.interval", &interval(&samples::go::attached(), None));
    for size in SIZES {
        for (name, report) in [("go", samples::go::look()), ("go-attached", samples::go::attached())] {
            let face = screen(&mut viewing(&report, Style::Plain), size);
            golden(&format!("{name}.screen-{}x{}", size.0, size.1), &face);
        }
    }
}

#[test]
fn the_text_of_one_look_is_as_reviewed_at_every_width() {
    for columns in [80, 120, 200] {
        let mut out = Vec::new();
        let paper = Paper::of(Style::Plain, columns);
        render_on(&samples::go::look(), Format::Text, paper, &mut out).expect("a vector takes everything");
        golden(&format!("go.text-{columns}"), &String::from_utf8(out).expect("formats are UTF-8"));
    }
}

#[test]
fn an_interval_is_as_reviewed() {
    let mut before = samples::rich();
    before.memory.rss.last = before.memory.rss.first;
    before.events.grow = Some(29);
    before.maps.remove(1);
    golden("rich.interval", &interval(&samples::rich(), Some(&before)));
    golden("first.interval", &interval(&samples::empty(), None));
}

#[test]
fn no_format_lets_a_terminal_be_driven() {
    for row in texts() {
        assert_harmless(&rendered(&samples::hostile(), row.format));
        assert_harmless(&rendered(&samples::go::hostile(samples::HOSTILE), row.format));
    }
    assert_harmless(&interval(&samples::hostile(), Some(&samples::hostile())));
}

#[test]
fn text_fits_a_narrow_terminal_too() {
    for columns in [0, 60, 80, 99] {
        for report in every_report() {
            let mut out = Vec::new();
            let paper = Paper::of(Style::Plain, columns);
            render_on(&report, Format::Text, paper, &mut out).expect("a vector takes everything");
            text::interval(&report, None, paper, &mut out).expect("a vector takes everything");
            let face = String::from_utf8(out).expect("formats are UTF-8");
            let widest = face.lines().max_by_key(|line| escape::width(line)).unwrap_or_default();
            assert!(escape::width(widest) <= columns.max(60), "{columns}: {widest}");
        }
    }
}

#[test]
fn text_fits_a_hundred_columns_whatever_the_target_is_called() {
    for report in every_report() {
        for face in [rendered(&report, Format::Text), interval(&report, None)] {
            let widest = face.lines().max_by_key(|line| escape::width(line)).unwrap_or_default();
            assert!(escape::width(widest) <= 100, "{widest}");
        }
    }
}

#[test]
fn a_hostile_target_cannot_fill_the_page() {
    for report in [samples::hostile(), samples::go::hostile(samples::HOSTILE)] {
        let lines = rendered(&report, Format::Text).lines().count();
        assert!(lines < 610, "{lines}");
    }
}

#[test]
fn json_reads_back_as_the_same_report() {
    for report in every_report() {
        for format in [Format::Json, Format::Ndjson] {
            let read: Report = serde_json::from_str(&rendered(&report, format)).expect("it is JSON");
            assert_eq!(read, report);
        }
    }
}

#[test]
fn json_of_an_honest_target_is_byte_for_byte_what_serde_writes() {
    let report = samples::rich();
    let pretty = serde_json::to_string_pretty(&report).expect("a report is plain data");
    let line = serde_json::to_string(&report).expect("a report is plain data");
    assert_eq!(rendered(&report, Format::Json), pretty + "\n");
    assert_eq!(rendered(&report, Format::Ndjson), line + "\n");
}

#[test]
fn colour_adds_escapes_and_changes_nothing_else() {
    let mut coloured = Vec::new();
    render_on(&samples::rich(), Format::Text, Style::Colour.into(), &mut coloured)
        .expect("a vector takes everything");
    let coloured = String::from_utf8(coloured).expect("formats are UTF-8");
    let mut plain = String::new();
    for (index, piece) in coloured.split('\u{1b}').enumerate() {
        let text = if index == 0 { piece } else { piece.split_once('m').expect("a colour ends with m").1 };
        plain.push_str(text);
    }
    assert!(coloured.contains('\u{1b}'));
    assert_eq!(trimmed(&plain), rendered(&samples::rich(), Format::Text));
}

/// Colours keep the spaces before the end of a line.
fn trimmed(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The sizes a screen is reviewed at.
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// A view of a report that came as the last of several: RSS has a history.
fn viewing(report: &Report, style: Style) -> View {
    let mut view = View::new(style);
    let (first, last) = (report.memory.rss.first, report.memory.rss.last);
    let Window { start, end, .. } = report.window;
    for step in 1..=20_u64 {
        let mut earlier = report.clone();
        earlier.window.end = Nanos(start.0 + end.since(start).0 / 20 * step);
        earlier.memory.rss.last =
            first.zip(last).map(|(first, last)| Bytes(first.0 + last.less(first).0 / 20 * step));
        if step == 20 {
            earlier = report.clone();
        }
        view.feed(earlier.into());
    }
    view
}

/// What a key is typed as: arrows stand for themselves, a tilde for Escape.
fn typed(view: &mut View, keys: &str) -> Action {
    let input = |key| match key {
        '\n' => Input::Enter,
        '~' => Input::Escape,
        '←' => Input::Left,
        '→' => Input::Right,
        letter => Input::Letter(letter),
    };
    keys.chars().map(input).fold(Action::Ignore, |_, input| view.press(input))
}

/// The screen as text, one line a row.
fn screen(view: &mut View, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test backend never fails");
    terminal.draw(|frame| view.draw(frame)).expect("a test backend never fails");
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width.max(1)));
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned() + "\n")
        .collect()
}

#[test]
fn the_screen_of_a_rich_report_is_as_reviewed_at_every_size() {
    let report = samples::rich();
    for size in SIZES {
        let face = screen(&mut viewing(&report, Style::Plain), size);
        golden(&format!("rich.screen-{}x{}", size.0, size.1), &face);
    }
}

#[test]
fn the_screens_of_an_empty_and_a_hostile_report_are_as_reviewed() {
    golden("empty.screen-80x24", &screen(&mut viewing(&samples::empty(), Style::Plain), (80, 24)));
    let hostile = samples::hostile();
    golden("hostile.screen-80x24", &screen(&mut viewing(&hostile, Style::Plain), (80, 24)));
}

#[test]
fn what_opens_over_the_table_is_as_reviewed() {
    let report = samples::rich();
    for (name, keys) in [
        ("details", "\n"),
        ("help", "?"),
        ("filter", "/sess"),
        ("paused", "srp"),
        ("findings", "f"),
        ("columns", "cjjxjs"),
        ("past", "←←"),
        ("jump", "t12.5s"),
    ] {
        let mut view = viewing(&report, Style::Plain);
        typed(&mut view, keys);
        golden(&format!("rich.screen-{name}"), &screen(&mut view, (80, 24)));
    }
}

#[test]
fn a_recording_on_the_screen_says_where_it_is_and_leaves_time_to_its_player() {
    let report = samples::rich();
    let mut view = viewing(&report, Style::Plain);
    view.run(Reel { length: Nanos(63_000_000_000), motion: Motion::Plays, speed: 200, winding: None });
    golden("rich.screen-replay", &screen(&mut view, (80, 24)));
    assert_eq!(typed(&mut view, "←"), Action::Travel(Travel::Back(1)));
    assert_eq!(typed(&mut view, "+"), Action::Travel(Travel::Faster));
    assert_eq!(typed(&mut view, "t3m\n"), Action::Travel(Travel::To(Nanos(180_000_000_000))));
}

#[test]
fn ten_thousand_maps_are_redrawn_within_a_frame() {
    let map = samples::rich().maps[0].clone();
    let maps = (0..10_000).map(|at| Map { address: Address(at), live: Some(at), ..map.clone() }).collect();
    let mut view = one_report(&Report { maps, ..samples::rich() });
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).expect("a test backend never fails");
    let mut redraw = || {
        let start = std::time::Instant::now();
        view.press(Input::Down);
        terminal.draw(|frame| view.draw(frame)).expect("a test backend never fails");
        start.elapsed()
    };
    let best = (0..10).map(|_| redraw()).min().unwrap_or_default();
    println!("a key and its redraw: {best:?}");
    // Unoptimised code on a loaded machine takes many times as long.
    let most = if cfg!(debug_assertions) { 1000 } else { 16 };
    assert!(best < std::time::Duration::from_millis(most), "{best:?}");
}

#[test]
fn a_corner_of_a_screen_still_says_rss() {
    let report = samples::rich();
    golden("rich.screen-20x5", &screen(&mut viewing(&report, Style::Plain), (20, 5)));
    assert!(screen(&mut viewing(&report, Style::Plain), (12, 1)).contains("RSS 88.4 MiB"));
}

#[test]
fn a_paused_screen_stands_still_and_shows_the_latest_afterwards() {
    let report = samples::rich();
    let mut later = report.clone();
    later.memory.rss.last = Some(Bytes(77 << 20));
    let mut view = viewing(&report, Style::Plain);
    typed(&mut view, "p");
    view.feed(later.into());
    assert!(screen(&mut view, (80, 24)).contains("RSS 88.4 MiB"));
    typed(&mut view, "p");
    assert!(screen(&mut view, (80, 24)).contains("RSS 77.0 MiB"));
}

#[test]
fn a_filter_leaves_only_what_it_names() {
    let report = samples::rich();
    let mut view = viewing(&report, Style::Plain);
    typed(&mut view, "/SESSION\n");
    let face = screen(&mut view, (80, 24));
    assert!(face.contains("ession …345600") && !face.contains("startup-index"));
}

#[test]
fn without_colours_nothing_is_coloured_and_with_them_something_is() {
    for (style, coloured) in [(Style::Plain, false), (Style::Colour, true)] {
        let report = samples::rich();
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).expect("a test backend never fails");
        let mut view = viewing(&report, style);
        terminal.draw(|frame| view.draw(frame)).expect("a test backend never fails");
        let cells = terminal.backend().buffer().content();
        assert_eq!(cells.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset), coloured);
    }
}

#[test]
fn no_screen_lets_a_terminal_be_driven() {
    let report = samples::hostile();
    for keys in ["", "\n", "?", "f", "c", "←", "/\u{1b}[2J", "t\u{9b}"] {
        let mut view = viewing(&report, Style::Plain);
        typed(&mut view, keys);
        for size in SIZES {
            assert_harmless(&screen(&mut view, size));
        }
    }
}

/// A view of one report without a history.
fn one_report(report: &Report) -> View {
    let mut view = View::default();
    view.feed(report.clone().into());
    view
}

fn any_map() -> impl Strategy<Value = Map> {
    let numbers = prop::array::uniform8(prop::option::of(any::<u64>()));
    (any::<u64>(), prop::option::of(".{0,40}"), numbers, any::<[u64; 3]>()).prop_map(
        |(address, name, sizes, some)| {
            let [live, capacity, died, sizes @ ..] = sizes;
            let [allocated, resident, old_table, peak, stranded] = sizes.map(|size| size.map(Bytes));
            let [moved, total, stalled] = some;
            let bytes = MapBytes { allocated, resident, old_table, peak, stranded, needed: None };
            let stalled_for = Some(Nanos(stalled));
            let evacuation = Some(Evacuation { moved, total, in_progress: moved < total, stalled_for });
            let died = died.map(Nanos);
            Map { name, live, capacity, died, bytes, evacuation, ..samples::unknown_map(address) }
        },
    )
}

fn any_episode() -> impl Strategy<Value = Episode> {
    (any::<[u64; 4]>(), any::<i64>()).prop_map(|([map, start, end, size], delta)| Episode {
        map: Address(map),
        pid: None,
        kind: GrowthKind::Split,
        start: Nanos(start),
        end: Some(Nanos(end)),
        allocated: Bytes(size),
        mmap: Bytes(size),
        rss_delta: Some(delta),
        rss_lag: Some(Nanos(end)),
        mmap_lag: None,
        evacuated: size,
        stall: None,
        cycles: None,
        waited: None,
        faults: Some(Faults { minor: size, major: 0, within: Nanos(end) }),
        cause: None,
    })
}

fn any_report() -> impl Strategy<Value = Report> {
    let maps = prop::collection::vec(any_map(), 0..30);
    let episodes = prop::collection::vec(any_episode(), 0..30);
    let rss = prop::array::uniform4(prop::option::of(any::<u64>()));
    (maps, episodes, rss, any::<[u64; 3]>(), ".{0,60}").prop_map(|(maps, episodes, rss, times, comm)| {
        let mut report = Report { maps, episodes, ..samples::rich() };
        let [first, last, peak, peak_at] = rss;
        [report.memory.rss.first, report.memory.rss.last, report.memory.rss.peak] =
            [first, last, peak].map(|size| size.map(Bytes));
        report.memory.rss.peak_at = peak_at.map(Nanos);
        [report.window.start, report.window.end, report.cost.target_time_estimate] = times.map(Nanos);
        report.coverage.confidence = Confidence::Insufficient;
        report.target.comm = comm;
        report
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_at_any_size_with_any_report(
        report in any_report(),
        size in (1_u16..210, 1_u16..70),
        keys in "[jksSrp/?cxftwnN←→~\n gG0-9\\[\\]]{0,16}",
    ) {
        let mut view = viewing(&report, Style::Colour);
        typed(&mut view, &keys);
        assert_harmless(&screen(&mut view, size));
        assert_harmless(&rendered(&report, Format::Text));
    }
}

#[test]
fn a_screen_of_one_cell_is_a_screen() {
    for size in [(1, 1), (1, 60), (200, 1), (40, 8), (39, 8)] {
        screen(&mut viewing(&samples::rich(), Style::Plain), size);
    }
}

#[test]
fn ten_thousand_maps_take_ten_times_as_long_as_a_thousand_and_not_a_hundred_times() {
    let many = |number: u64| Report {
        maps: (0..number).map(|index| Map { live: Some(index), ..samples::rich().maps[0].clone() }).collect(),
        ..samples::rich()
    };
    let (few, lots) = (many(1000), many(10_000));
    for format in [Format::Text, Format::Json] {
        assert_linear(|report| drop(rendered(report, format)), &few, &lots);
    }
    assert_linear(|report| drop(screen(&mut one_report(report), (200, 60))), &few, &lots);
}

/// Time on a loaded machine is a poor witness: the best of five runs, and three times too much is fine.
fn assert_linear(face: impl Fn(&Report), few: &Report, lots: &Report) {
    let best = |report: &Report| {
        let run = || {
            let start = std::time::Instant::now();
            face(report);
            start.elapsed()
        };
        (0..5).map(|_| run()).min().unwrap_or_default()
    };
    let (few, lots) = (best(few), best(lots));
    assert!(lots < few * 30, "1,000 maps {few:?}, 10,000 maps {lots:?}");
}

#[test]
#[ignore = "measures"]
fn a_large_census_is_folded_and_drawn_in_a_moment() {
    let facts = samples::go::large();
    let run = || {
        let start = std::time::Instant::now();
        let mut audit = Audit::new();
        facts.iter().for_each(|fact| audit.apply(fact));
        let applied = start.elapsed();
        let report = audit.report();
        let reported = start.elapsed() - applied;
        assert_eq!((report.maps.len(), report.populations.len()), (20_000, 4096));
        assert!(rendered(&report, Format::Text).contains("Maps (17,142"));
        (applied + reported, applied, reported, start.elapsed() - applied - reported)
    };
    let (both, applied, reported, written) = (0..5).map(|_| run()).min().unwrap_or_default();
    println!("{} facts: {applied:?}; the report: {reported:?}; its text: {written:?}", facts.len());
    let most = if cfg!(debug_assertions) { 2000 } else { 100 };
    assert!(both < std::time::Duration::from_millis(most), "{both:?}");
}

/// The rich report with other maps.
fn with_maps(maps: Vec<Map>) -> Report {
    Report { maps, ..samples::rich() }
}

fn holding(address: u64, bytes: MapBytes) -> Map {
    Map { name: Some("cache".to_owned()), bytes, ..samples::unknown_map(address) }
}

#[test]
fn what_is_only_allocated_is_not_said_to_be_in_ram() {
    let size = |mib: u64| MapBytes { allocated: Some(Bytes(mib << 20)), ..MapBytes::default() };
    let said = |mib| headline::holder(&with_maps(vec![holding(1, size(mib))]));
    assert_eq!(said(44), "cache holds 44.0 MiB, 49 % of RSS if all of it is in RAM.");
    assert_eq!(said(900), "cache holds 900.0 MiB, more than RSS (88.4 MiB): not all of it is in RAM.");
}

#[test]
fn the_sum_of_all_maps_says_what_it_does_not_know() {
    let resident = |mib: u64| MapBytes { resident: Some(Bytes(mib << 20)), ..MapBytes::default() };
    let mut report = with_maps(vec![holding(1, resident(40)), holding(2, resident(4))]);
    report.populations.clear();
    let said = headline::together(&report);
    assert_eq!(said.as_deref(), Some("All maps together hold 44.0 MiB, 49 % of RSS."));
    report.maps.push(samples::unknown_map(3));
    let said = headline::together(&report);
    let expected =
        "All maps together hold 44.0 MiB, 49 % of RSS if all of it is in RAM; 1 map not counted: not read.";
    assert_eq!(said.as_deref(), Some(expected));
}

#[test]
fn when_every_map_is_dropped_the_headline_says_so_and_names_the_largest() {
    let peak = MapBytes { peak: Some(Bytes(24 << 20)), ..MapBytes::default() };
    let dead = Map { died: Some(Nanos(9)), ..holding(1, peak) };
    let said = headline::holder(&with_maps(vec![dead]));
    assert_eq!(said, "No map is alive; the largest was cache, which held 24.0 MiB at most.");
}

/// One look at maps of these sizes in MiB.
fn look_at(sizes: &[u64]) -> Report {
    let sized = |(n, mib): (u64, &u64)| {
        let bytes = MapBytes { allocated: Some(Bytes(mib << 20)), ..MapBytes::default() };
        let [live, capacity] = [Some(1), Some(4)];
        Map { name: Some(format!("m{n}")), live, capacity, ..holding(n, bytes) }
    };
    let mut report = with_maps((0..).zip(sizes).map(sized).collect());
    report.populations.clear();
    report.memory.rss.last = Some(Bytes(500 << 20));
    report
}

#[test]
fn one_look_names_who_holds_the_memory_and_nobody_where_it_is_spread() {
    let said = |sizes: &[u64]| look::holders(&look_at(sizes));
    assert_eq!(said(&[300, 2]), "m0, 25 % full, holds 300.0 MiB with RSS at 500.0 MiB.");
    let three = "3 maps hold 120.0 MiB with RSS at 500.0 MiB; m0 alone 50.0 MiB, 25 % full.";
    assert_eq!(said(&[50, 40, 30]), three);
    let of_six = "3 of 6 maps hold 60.0 MiB with RSS at 500.0 MiB; m0 alone 20.0 MiB, 25 % full.";
    assert_eq!(said(&[20, 20, 20, 9, 9, 9]), of_six);
    let spread = "10 maps hold 100.0 MiB with RSS at 500.0 MiB; the largest, m0, 10.0 MiB, 25 % full.";
    assert_eq!(said(&[10; 10]), spread);
    let swapped = "m0, 25 % full, holds 600.0 MiB, more than RSS (500.0 MiB): not all of it is in RAM.";
    assert_eq!(said(&[600]), swapped);
}

#[test]
fn one_look_at_small_maps_only_says_what_they_come_to() {
    let mut report = look_at(&[]);
    report.populations = samples::rich().populations;
    let small = "1,204 small maps hold 409.6 KiB with RSS at 500.0 MiB; none is large enough to be listed.";
    assert_eq!(look::holders(&report), small);
    assert_eq!(look::holders(&look_at(&[])), "No map was seen.");
    report.populations.clear();
    let garbage = Map { reachable: Some(false), ..look_at(&[9]).maps.remove(0) };
    assert_eq!(look::holders(&with_maps_only(vec![garbage])), "No listed map is held by anything.");
}

fn with_maps_only(maps: Vec<Map>) -> Report {
    Report { maps, ..look_at(&[]) }
}

#[test]
fn rss_that_only_rose_has_no_peak_of_its_own() {
    let mut report = samples::rich();
    report.memory.rss.peak = report.memory.rss.last;
    assert_eq!(headline::rss(&report), "RSS went from 12.1 MiB to 88.4 MiB (+76.3 MiB).");
    report.memory.rss.first = report.memory.rss.last;
    assert_eq!(headline::rss(&report), "RSS stayed at 88.4 MiB.");
}

#[test]
fn an_address_that_is_used_again_names_the_map_that_lived_then() {
    let old = Map { born: Some(Nanos(10)), died: Some(Nanos(20)), ..samples::unknown_map(1) };
    let new = Map { born: Some(Nanos(30)), ..samples::unknown_map(1) };
    let report = with_maps(vec![new, old]);
    let born = |time| maps::at(&report, (None, Address(1)), Nanos(time)).and_then(|map| map.born);
    assert_eq!((born(15), born(35)), (Some(Nanos(10)), Some(Nanos(30))));
}

#[test]
fn maps_of_one_type_are_told_apart_by_their_addresses() {
    let map = Map { type_name: Some("map[string]int".to_owned()), ..samples::unknown_map(0xc000_1234_5600) };
    assert_eq!(maps::label(&map, 40), "map[string]int 0xc00012345600");
    assert_eq!(maps::label(&map, 16), "map…]int …345600");
    assert_eq!(escape::width(&maps::label(&map, 3)), 3);
}

#[test]
fn a_map_that_was_not_read_is_not_called_steady() {
    let state = |map: Map| maps::state(&map).text;
    let evacuation = Evacuation { moved: 1, total: 4, in_progress: true, stalled_for: Some(Nanos(5)) };
    let map = || samples::unknown_map(1);
    assert_eq!(state(map()), "not read");
    assert_eq!(state(Map { live: Some(0), ..map() }), "steady");
    assert_eq!(state(Map { evacuation: Some(evacuation), ..map() }), "moving 25%");
    assert_eq!(state(Map { died: Some(Nanos(1)), evacuation: Some(evacuation), ..map() }), "dropped");
}

#[test]
fn what_is_unknown_is_sorted_last_in_both_directions() {
    let report = with_maps(vec![samples::unknown_map(7), samples::rich().maps[0].clone()]);
    for keys in ["", "r"] {
        let mut view = one_report(&report);
        typed(&mut view, keys);
        let face = screen(&mut view, (80, 24));
        assert!(face.find("sessions   ") < face.find("0x7 "), "{face}");
    }
}
