//! The page for a browser, read as a browser reads it: which elements, attributes and scripts there are whatever a
//! target calls things, what is inside, and how large it gets.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Instant;

use auditor::audit::report::{Episode, Finding, Map, Moment, Report, Severity, Undecided};
use auditor::audit::unit::{Address, Bytes, Nanos};
use auditor::render::{Format, headline, human, outlook};

use super::{every_report, rendered, samples};

/// What a target could be called to get out of text, of an attribute, of a script or of a comment.
const HOSTILE: &[&str] = &[
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\" onmouseover=\"alert(1)\" x=\"",
    "' onfocus='alert(1)' autofocus='",
    "</style></title></textarea><!--<script>",
    "]]>--><svg onload=alert(1)>",
    "&lt;script&gt;&#60;script&#62;",
    "javascript:alert(1)",
    "\u{202e}evil\u{2066}\u{200f}\u{feff}\0\u{1b}[2J",
];

/// One element's beginning: its name and its attributes.
struct Tag {
    name: String,
    attributes: BTreeMap<String, String>,
}

/// A document taken apart.
struct Page {
    tags: Vec<Tag>,
    /// What stands between tags, references resolved, with a space in place of each tag.
    text: String,
    /// What stands in scripts and styles, by name of the element.
    raw: Vec<(String, String)>,
}

/// Reads a document as the HTML standard's tokenizer does, and panics at what we never write.
fn read(html: &str) -> Page {
    let mut page = Page { tags: vec![], text: String::new(), raw: vec![] };
    let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a browser reads it in standards mode");
    while let Some(at) = rest.find('<') {
        page.text += &resolved(&rest[..at]);
        page.text.push(' ');
        rest = &rest[at + 1..];
        if let Some(end) = rest.strip_prefix('/') {
            let (name, after) = end.split_once('>').expect("an end tag ends");
            assert!(name.chars().all(|letter| letter.is_ascii_alphanumeric()), "{name}");
            rest = after;
            continue;
        }
        let (tag, after) = begins(rest);
        rest = after;
        if ["script", "style"].contains(&tag.name.as_str()) {
            let (inside, after) = rest.split_once(&format!("</{}>", tag.name)).expect("it ends");
            page.raw.push((tag.name.clone(), inside.to_owned()));
            rest = after;
        }
        page.tags.push(tag);
    }
    page.text += &resolved(rest);
    page
}

fn begins(from: &str) -> (Tag, &str) {
    let end = from.find(|letter: char| !letter.is_ascii_alphanumeric()).expect("a tag ends");
    let mut tag = Tag { name: from[..end].to_owned(), attributes: BTreeMap::new() };
    assert!(!tag.name.is_empty(), "a bare < in {:?}", &from[..from.len().min(60)]);
    let mut rest = &from[end..];
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('>').or_else(|| rest.strip_prefix("/>")) {
            return (tag, after);
        }
        let end = rest.find(['=', '>', ' ', '/']).expect("an attribute ends");
        let name = rest[..end].to_owned();
        assert!(
            name.chars().all(|letter| letter.is_ascii_lowercase()
                || letter == '-'
                || ["viewBox", "preserveAspectRatio"].contains(&name.as_str())),
            "{name:?}"
        );
        rest = &rest[end..];
        let mut value = "";
        if let Some(after) = rest.strip_prefix("=\"") {
            (value, rest) = after.split_once('"').expect("a quote ends");
        } else if let Some(after) = rest.strip_prefix('=') {
            let end = after.find([' ', '>']).expect("a value ends");
            (value, rest) = after.split_at(end);
            assert!(!value.contains(['"', '\'', '<', '=', '`', '&']), "{value}");
            // Of `a=b/>` the slash would be the value's: nothing of ours ends so but what closes itself.
            if let Some(shorter) = value.strip_suffix('/') {
                value = shorter;
            }
        }
        assert!(tag.attributes.insert(name.clone(), resolved(value)).is_none(), "{name} is there twice");
    }
}

fn resolved(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&amp;", "&")
}

fn page(report: &Report) -> Page {
    read(&rendered(report, Format::Html))
}

/// A page in lines that can be reviewed, without style and script: those are files of their own.
pub(super) fn in_lines(html: &str) -> String {
    let cut = |text: &str, element: &str| {
        let (from, to) = (format!("<{element}>"), format!("</{element}>"));
        let at = text
            .rfind(&from)
            .filter(|_| element == "script")
            .or_else(|| text.find(&from))
            .expect("it is there");
        let end = at + text[at..].find(&to).expect("it ends");
        format!("{}{}", &text[..at + from.len()], &text[end..])
    };
    let mut text = cut(&cut(html, "style"), "script");
    for tag in [
        "section", "details", "article", "header", "nav", "main", "figure", "table", "tr", "p", "li", "dt",
        "h1", "h2", "h3", "div", "svg", "p", "script", "meta",
    ] {
        for after in [" ", ">"] {
            text = text.replace(&format!("<{tag}{after}"), &format!("\n<{tag}{after}"));
        }
    }
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines.join("\n") + "\n"
}

/// The report inside a page, as a program gets at it.
fn inside(page: &Page) -> Report {
    let scripts =
        page.tags.iter().filter(|tag| ["script", "style"].contains(&tag.name.as_str())).zip(&page.raw);
    let is_it = |tag: &Tag| tag.attributes.get("id").is_some_and(|id| id == "report");
    let (tag, (_, text)) = scripts.into_iter().find(|(tag, _)| is_it(tag)).expect("it is inside");
    if !tag.attributes.contains_key("data-encoding") {
        return serde_json::from_str(text).expect("it is JSON");
    }
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sextets = text.bytes().filter_map(|letter| letters.bytes().position(|other| other == letter));
    let bits: Vec<usize> = sextets.collect();
    let bytes = bits.chunks(4).flat_map(|four| {
        let word = four.iter().fold(0, |word, bits| word << 6 | bits) << (6 * (4 - four.len()));
        [16, 8, 0].into_iter().take(four.len() - 1).map(move |shift| (word >> shift & 255) as u8)
    });
    let bytes: Vec<u8> = bytes.collect();
    let mut json = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut json).expect("it is gzip");
    serde_json::from_str(&json).expect("it is JSON")
}

/// A report in which everything that comes from a target is called so.
fn called(name: &str) -> Report {
    let mut report = samples::go::hostile(name);
    let rich = samples::rich();
    let text = || name.to_owned();
    let hostile = |map: &Map| Map {
        name: Some(text()),
        type_name: Some(text()),
        owner: Some(text()),
        runtime: text(),
        site: vec![text(); 3],
        tables: rich.maps[0].tables,
        ..map.clone()
    };
    report.maps = rich.maps.iter().map(hostile).collect();
    report.window = rich.window;
    report.episodes =
        rich.episodes.iter().map(|episode| Episode { cause: Some(text()), ..episode.clone() }).collect();
    report.timeline = rich.timeline.map(|mut timeline| {
        timeline.rows = vec![text(); timeline.rows.len()];
        timeline
    });
    report.findings = vec![Finding {
        rule: text(),
        severity: Severity::Critical,
        map: Some(report.maps[0].address),
        pid: None,
        summary: text(),
        evidence: vec![text()],
        remedy: text(),
        reclaimable: None,
    }];
    report.undecided = vec![Undecided { rule: text(), reason: text() }];
    report.coverage.notes = vec![text()];
    report.memory.ladder.iter_mut().for_each(|rung| rung.name = text());
    report.target.comm = text();
    report
}

/// Elements and attributes, each once.
fn shape(page: &Page) -> (Vec<&str>, Vec<&str>) {
    let mut names: Vec<&str> = page.tags.iter().map(|tag| tag.name.as_str()).collect();
    let mut attributes: Vec<&str> =
        page.tags.iter().flat_map(|tag| tag.attributes.keys().map(String::as_str)).collect();
    for list in [&mut names, &mut attributes] {
        list.sort_unstable();
        list.dedup();
    }
    (names, attributes)
}

#[test]
fn whatever_a_target_is_called_it_stays_text() {
    let harmless = page(&called("harmless"));
    let (elements, attributes) = shape(&harmless);
    assert!(
        !attributes.iter().any(|name| name.starts_with("on") || ["src", "srcdoc", "action"].contains(name))
    );
    for name in HOSTILE {
        let report = called(name);
        let hostile = page(&report);
        let (its_elements, mut its_attributes) = shape(&hostile);
        // Names of some length make the report inside so large that it is compressed.
        its_attributes.retain(|name| *name != "data-encoding");
        assert_eq!((its_elements, its_attributes), (elements.clone(), attributes.clone()), "{name}");
        assert_eq!(hostile.tags.len(), harmless.tags.len(), "{name}");
        let links = hostile.tags.iter().filter_map(|tag| tag.attributes.get("href"));
        assert!(links.into_iter().all(|link| link.starts_with('#')), "{name}");
        let shown: String =
            hostile.text.chars().filter(|letter| !auditor::render::escape::is_harmless(*letter)).collect();
        assert!(shown.chars().all(|letter| matches!(letter, ' '..='~' | '\n')), "{shown:?}");
        assert_eq!(inside(&hostile), report, "{name}");
        let scripts = |page: &Page| {
            page.raw.iter().filter(|(_, text)| text.contains("use strict")).cloned().collect::<Vec<_>>()
        };
        assert_eq!(scripts(&hostile), scripts(&harmless), "{name}");
    }
}

#[test]
fn the_report_inside_is_the_report() {
    for report in every_report() {
        assert_eq!(inside(&page(&report)), report);
    }
    assert_eq!(inside(&page(&many(1_000, 10_000))), many(1_000, 10_000));
}

#[test]
fn the_page_says_what_the_text_says() {
    for report in [samples::rich(), samples::empty(), samples::go::attached()] {
        let page = page(&report);
        let sentences = [
            Some(headline::holder(&report)),
            Some(headline::rss(&report)),
            headline::together(&report),
            outlook::headroom(&report),
            outlook::first_that_does_not_fit(&report),
        ];
        for sentence in sentences.into_iter().flatten() {
            assert!(page.text.contains(&sentence), "{sentence}");
        }
    }
}

#[test]
fn without_a_script_all_that_is_hidden_is_what_needs_one() {
    for tag in page(&samples::rich()).tags.iter().filter(|tag| tag.attributes.contains_key("hidden")) {
        let class = tag.attributes.get("class").map(String::as_str);
        assert!(matches!(class, Some("tools" | "cursor" | "chosen")), "{class:?}");
    }
}

#[test]
fn every_table_says_what_it_is_and_every_heading_what_it_is_of() {
    let page = page(&samples::rich());
    let count = |name: &str| page.tags.iter().filter(|tag| tag.name == name).count();
    assert!(count("table") > 3);
    assert_eq!(count("table"), count("caption"));
    assert!(page.tags.iter().filter(|tag| tag.name == "th").all(|tag| tag.attributes.contains_key("scope")));
    let ids: Vec<_> = page.tags.iter().filter_map(|tag| tag.attributes.get("id")).collect();
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len());
    let links = page.tags.iter().filter_map(|tag| tag.attributes.get("href"));
    for link in links {
        assert!(ids.iter().any(|id| link == &format!("#{id}")), "{link} leads nowhere");
    }
}

/// So many maps and growths, in a likely mixture.
fn many(maps: u64, growths: u64) -> Report {
    let mut report = samples::rich();
    let map = report.maps[0].clone();
    let numbered = |number: u64| {
        Map {
        address: Address(0x7f3a_0000_0000 + number * 0x1c40),
        name: Some(format!("example.com/platform/checkout/internal/cache.(*Store).byTenant[{number}]")),
        type_name: Some(format!("map[string]*example.com/platform/checkout/internal/model.Entry{}", number % 40)),
        owner: Some(format!("example.com/platform/checkout/internal/cache.global.shards[{number}].entries")),
        live: Some(1_000 + number * 37 % 9_001),
        site: (0..20)
            .map(|frame| {
                let own = if frame < 5 { number % 50 } else { 0 };
                format!("example.com/platform/checkout/internal/layer{frame}.(*Handler).Handle{own} (handler.go:{frame})")
            })
            .collect(),
        bytes: auditor::audit::report::MapBytes {
            allocated: Some(Bytes((maps - number) * 4_096)),
            resident: Some(Bytes((maps - number) * 4_000)),
            ..map.bytes
        },
        ..map.clone()
    }
    };
    report.maps = (0..maps).map(numbered).collect();
    let episode = report.episodes[3].clone();
    let grown = |number: u64| Episode {
        map: report.maps[(number % maps) as usize].address,
        start: Nanos(report.window.start.0 + number * 4_199_993),
        end: Some(Nanos(report.window.start.0 + number * 4_199_993 + number * 7_919 % 600_011)),
        allocated: Bytes(1_024 << (number % 11)),
        ..episode.clone()
    };
    report.episodes = (0..growths).map(grown).collect();
    if let Some(timeline) = &mut report.timeline {
        let last = timeline.moments.last().cloned().expect("there are some");
        let moment = |number: u64| Moment {
            at: Nanos(report.window.start.0 + number * 164_000_000),
            rss: Bytes(last.rss.0 + number * 40_960),
            ..last.clone()
        };
        timeline.moments = (0..256).map(moment).collect();
    }
    report
}

#[test]
fn the_page_of_a_thousand_maps_with_long_names_is_well_below_a_megabyte() {
    let size = rendered(&many(1_000, 10_000), Format::Html).len();
    assert!(size < 1_000_000, "{size}");
}

#[test]
fn a_page_of_many_maps_is_bounded_and_says_what_it_leaves_out() {
    let html = rendered(&many(12_000, 10_000), Format::Html);
    assert!(html.len() < 2_500_000, "{}", html.len());
    let page = read(&html);
    assert!(page.text.contains("and 9,800 more maps, which only a script lists here; those alive hold"));
    assert!(page.text.contains("and 2,000 more maps, not on this page; those alive hold"));
    let words: Vec<&str> = page.text.split_whitespace().collect();
    let text = words.join(" ");
    assert!(text.contains("11,936 more maps have no page here"));
    assert!(text.contains("2,000 more maps left out of it"));
    assert_eq!(inside(&page).maps.len(), 10_000);
    assert!(page.text.contains(&human::count(12_000)));
}

/// `cargo test --release --test faces -- --ignored --nocapture written`
#[test]
#[ignore = "measures"]
fn a_page_of_many_maps_is_written_in_a_moment() {
    for maps in [1_000, 10_000] {
        let report = many(maps, 10_000);
        let start = Instant::now();
        let size = rendered(&report, Format::Html).len();
        println!("{maps} maps: {size} bytes in {:?}", start.elapsed());
    }
}
