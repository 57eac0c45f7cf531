//! Profiles, right and wrong: what is read, what is refused and how that is said, and that no text makes it fail.

use proptest::prelude::*;

use super::builtin::BUILTIN;
use super::*;
use crate::runtimes::described::expression::{Start, Step, Width};

const PAGE: &str = include_str!("../../../../../docs/profiles.md");

/// A profile with a bit of everything.
const BASE: &str = r#"[profile]
name = "my-map"
about = "a map of mine"
moves = "incremental"
returns = "never"
remedy = "restart it"

[target]
file = '/mine$'
symbols = ["my_grow"]

[constants]
entry = 24
twice = "2 * entry"

[fields]
used = "u64[self+8]"
power = "u8[self+16]"
"tables" = "u64[self+24]"
far = "u32[tables+4]"

[metrics]
live = "used"
buckets = "1 << power"
table = "tables"
header = 32

[sizes]
first = 4
next = "slots * 2"
live = "slots"
bytes = "8 * slots"

[label]
kind = "cstr"
expr = "tables"

[check]
"it is small" = "power <= 40"

[[probe]]
event = "resize"
at = { symbol = "my_grow" }
self = "arg0"
min = { field = "used", value = 1000 }

[[root]]
symbol = "maps"
each = [{ base = "u64[sym]", count = 16, stride = 80 }]
map = ["u64[it]"]
"#;

fn base() -> Profile {
    parse(BASE).unwrap_or_else(|error| panic!("{error}"))
}

/// The base with one text in place of another.
fn with(from: &str, to: &str) -> Result<Profile, ProfileError> {
    assert_eq!(BASE.matches(from).count(), 1, "{from}");
    parse(&BASE.replace(from, to))
}

/// The base with more at its end.
fn and(more: &str) -> Result<Profile, ProfileError> {
    parse(&format!("{BASE}{more}"))
}

#[test]
fn every_profile_that_comes_with_it_is_one() {
    assert!(BUILTIN.len() >= 8);
    for (name, text) in BUILTIN {
        let profile = parse(text).unwrap_or_else(|error| panic!("{}", error.in_file(name)));
        assert_eq!(profile.name, *name);
        assert!(profile.remedy.is_some(), "{name}");
        assert!(!profile.probes.is_empty() || !profile.roots.is_empty(), "{name}");
        assert!(profile.checks.len() >= 3, "{name}");
        assert!(profile.metric(Metric::Allocated).is_some(), "{name}");
    }
}

#[test]
fn the_files_of_profiles_are_those_of_the_programs() {
    let file = |name: &str, path: &str| {
        let (_, text) = BUILTIN.iter().find(|(known, _)| *known == name).unwrap();
        parse(text).unwrap().target.file.is_match(path)
    };
    assert!(file("redis-dict-7", "/usr/bin/redis-check-rdb") && file("redis-dict-7", "/opt/redis-server"));
    assert!(!file("redis-dict-7", "/usr/bin/redis-cli"));
    assert!(file("cpp-unordered", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30"));
    assert!(
        file("cpython-dict-3.11", "/usr/bin/python3.11") && !file("cpython-dict-3.11", "/usr/bin/python3.12")
    );
    assert!(file("postgres-dynahash-15", "/usr/lib/postgresql/15/bin/postgres"));
}

#[test]
fn what_is_written_is_what_is_read() {
    let profile = base();
    assert_eq!((profile.moves, profile.returns), (Moves::Incremental, Returns::Never));
    assert_eq!(profile.constants[1], ("twice".to_owned(), Value::Int(48)));
    let names: Vec<&str> = profile.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["used", "power", "tables", "far"], "in the order of the file");
    let step = |offset, width| Step { offset, width };
    let far = Chain { start: Start::Own, steps: vec![step(24, Width::U64), step(4, Width::U32)], add: 0 };
    assert_eq!(profile.fields[3].chain, Some(far));
    let metrics: Vec<Metric> = profile.metrics.iter().map(|(metric, _)| *metric).collect();
    let defaults = [Metric::Capacity, Metric::TableBytes, Metric::OldTable, Metric::OldBytes];
    assert_eq!(metrics[..4], [Metric::Live, Metric::Buckets, Metric::Table, Metric::Header]);
    assert_eq!(metrics[4..8], defaults);
    assert_eq!(metrics[8..], [Metric::Entries, Metric::Behind, Metric::Allocated]);
    let growth = profile.growth.unwrap();
    assert_eq!((growth.rungs[0].slots, growth.rungs[3].bytes, growth.fields), (4, 256, vec![]));
    let probe = &profile.probes[0];
    assert_eq!((probe.event, probe.when, probe.line), (Event::Resize, When::Both, 41));
    assert_eq!(probe.own, Own::Chain(Chain::of(Start::Argument(0))));
    assert_eq!(probe.min.as_ref().map(|min| (min.field, min.value)), Some((0, 1000)));
    let [level] = &profile.roots[0].levels[..] else { panic!("{:?}", profile.roots[0]) };
    assert!(matches!(level.walk, Walk::Array { stride: 80, .. }));
    assert!(!profile.roots[0].is_shared);
}

#[test]
fn a_probe_looks_at_the_return_where_the_event_or_what_it_tells_needs_it() {
    let when = |probe: &str| {
        let profile = and(&format!("[[probe]]\n{probe}")).unwrap_or_else(|error| panic!("{error}"));
        profile.probes.last().unwrap().when
    };
    assert_eq!(when("event = 'resize'\nat = { symbol = 'f' }\nself = 'arg0'"), When::Both);
    assert_eq!(when("event = 'grow'\nat = { symbol = 'f' }\nself = 'arg0'\nto = 'arg1'"), When::Entry);
    assert_eq!(when("event = 'grow'\nat = { symbol = 'f' }\nself = 'arg0'\nto = 'ret'"), When::Both);
    assert_eq!(when("event = 'create'\nat = { symbol = 'f' }\nself = 'ret'"), When::Both);
    assert_eq!(when("event = 'dropped'\nat = { regex = '^f' }\nself = 'u64[arg0+8]-16'"), When::Entry);
    assert_eq!(when("event = 'clear'\nwhen = 'both'\nat = { symbol = 'f' }\nself = 'arg0'"), When::Both);
}

#[test]
fn there_are_six_ways_to_say_where() {
    let place = |at: &str| {
        let text = format!("[[probe]]\nevent = 'dropped'\nat = {{ {at} }}\nself = 'arg0'");
        let profile = and(&text).unwrap_or_else(|error| panic!("{error}"));
        format!("{:?}", profile.probes.last().unwrap().at)
    };
    assert_eq!(place("symbol = 'f'"), r#"Symbol("f")"#);
    assert_eq!(place("regex = '^a.*b$'"), r#"Regex(Regex("^a.*b$"))"#);
    assert_eq!(place("usdt = 'p:n'"), r#"Usdt { provider: "p", name: "n" }"#);
    assert_eq!(
        place("offset = 0x1234, build_id = 'ABCD1234'"),
        r#"Offset { offset: 4660, build_id: Some("abcd1234") }"#
    );
    assert_eq!(place("callee_of = 'f', nth = 2"), r#"Callee { of: "f", nth: 2 }"#);
    assert_eq!(place("symbol = 'f', call = 'free'"), r#"Call { symbol: "f", call: "free", nth: 0 }"#);
}

#[test]
fn a_root_is_an_object_or_arrays_and_trees_within_one_another() {
    let root = |text: &str| and(&format!("[[root]]\nsymbol = 'o'\n{text}")).unwrap().roots[1].clone();
    let walks = |text: &str| -> Vec<&'static str> {
        let walk = |level: &Level| match level.walk {
            Walk::Array { .. } => "array",
            Walk::Tree { child: Some(_), .. } => "tree",
            Walk::Tree { .. } => "list",
        };
        root(text).levels.iter().map(walk).collect()
    };
    assert!(walks("map = ['sym']").is_empty());
    let nested = "each = [{ base = 'sym', count = 2, stride = 8 }, { base = 'u64[it]', count = 'u32[it+8]', stride = 16 }]\nmap = ['it']";
    assert_eq!(walks(nested), ["array", "array"]);
    let tree = "tree = { base = 'u64[sym]', child = 'u64[it+32]', next = 'u64[it+48]' }\nmap = ['u64[it]']";
    assert_eq!(walks(tree), ["tree"]);
    let chained = "each = [{ base = 'u64[sym]', count = 4, stride = 8 }, { base = 'u64[it]', next = 'u64[it]' }]\nmap = ['it']";
    assert_eq!(walks(chained), ["array", "list"]);
    assert!(root(&format!("{chained}\nshared = true")).is_shared);
}

/// Every way to get it wrong.
fn wrong() -> Vec<Result<Profile, ProfileError>> {
    let probe = |text: &str| and(&format!("\n[[probe]]\nevent = \"dropped\"\n{text}\n"));
    let root = |text: &str| and(&format!("\n[[root]]\nsymbol = \"o\"\n{text}\n"));
    let metric = |to: &str| with("header = 32", to);
    vec![
        // The file.
        parse(""),
        parse("[profile\n"),
        with("[target]", "[targets]"),
        with("remedy =", "remedies ="),
        with("\"incremental\"", "\"incrementaly\""),
        with("header = 32", "header = 32.5"),
        with("file = '/mine$'", "file = '/(mine$'"),
        with("file = '/mine$'", "file = '(a{1000}){1000}'"),
        with("name = \"my-map\"", "name = \"My map\""),
        with("about = \"a map of mine\"", "about = \"a\\nb\""),
        with("about = \"a map of mine\"", "about = \"\""),
        with("symbols = [\"my_grow\"]", "build_id = [\"xyz\"]"),
        // Names.
        with("entry = 24", "0entry = 24"),
        with("entry = 24", "self = 24"),
        with("entry = 24", "entry = \"used\""),
        with("entry = 24", "entry = \"u64[8]\""),
        with("used = \"u64[self+8]\"", "live = \"u64[self+8]\""),
        with("used = \"u64[self+8]\"", "entry = \"u64[self+8]\""),
        with("used = \"u64[self+8]\"", "used = \"u64[self+8\""),
        with("far = \"u32[tables+4]\"", "far = \"u32[table+4]\""),
        with("far = \"u32[tables+4]\"", "far = \"\\u0075\\t32[\\\"tables+4]\""),
        with("far = \"u32[tables+4]\"", "far = '''\n  u32[tables +\n  tabels]'''"),
        // Metrics.
        with("live = \"used\"", "lives = \"used\""),
        with("live = \"used\"", "needed = \"used\""),
        metric("moved = \"used\""),
        metric("old_table = \"used\""),
        metric("dropped = \"used\""),
        metric("dropped = 1"),
        metric("overflow = \"used > 1\""),
        metric("overflow = \"allocated\""),
        with("[sizes]\nfirst = 4\nnext = \"slots * 2\"\nlive = \"slots\"\nbytes = \"8 * slots\"\n", ""),
        // How it grows.
        with("first = 4", "first = 0"),
        with("first = 4", "first = -1"),
        with("next = \"slots * 2\"", "next = \"slots\""),
        with("next = \"slots * 2\"", "next = \"capacity * 2\""),
        with("bytes = \"8 * slots\"", "bytes = \"8 / (slots - 4)\""),
        // What it is called, what must hold.
        with("expr = \"tables\"", ""),
        with("kind = \"cstr\"", "kind = \"type\""),
        with("\"power <= 40\"", "\"power\""),
        and("\n[identity]\nby = \"table\"\n"),
        and("\n[identity]\nby = \"map\"\nkey = \"used\"\n"),
        // Where it changes.
        with("event = \"resize\"", "event = \"rezise\""),
        with("at = { symbol = \"my_grow\" }", "at = { symbl = \"my_grow\" }"),
        probe("at = { }\nself = \"arg0\""),
        probe("at = { symbol = \"f\", regex = \"g\" }\nself = \"arg0\""),
        probe("at = { symbol = \"f\", nth = 1 }\nself = \"arg0\""),
        probe("at = { symbol = \"f\", build_id = \"abcdef12\" }\nself = \"arg0\""),
        probe("at = { usdt = \"f\" }\nself = \"arg0\""),
        probe("at = { offset = 4096 }\nself = \"arg0\""),
        probe("at = { regex = \"[\" }\nself = \"arg0\""),
        probe("at = { symbol = \"f\" }\nself = \"u64[arg0+u8[arg0]]\""),
        probe("at = { symbol = \"f\" }\nself = \"u64[u64[u64[u64[u64[arg0]]]]]\""),
        probe("at = { symbol = \"f\" }\nself = \"used\""),
        probe("at = { symbol = \"f\" }\nself = 5"),
        probe("at = { symbol = \"f\", call = \"free\" }\nself = \"rbx\""),
        probe("at = { symbol = \"f\", call = \"free\" }\nself = \"ret\""),
        probe("at = { symbol = \"f\" }\nself = \"ret\"\nwhen = \"entry\""),
        with("self = \"arg0\"", "self = \"arg0\"\nwhen = \"entry\""),
        with("event = \"resize\"", "event = \"grow\""),
        with("self = \"arg0\"", "self = \"arg0\"\ntable = \"u64[arg1] + u64[arg1+8]\""),
        with("field = \"used\"", "field = \"usde\""),
        with("self = \"arg0\"", "self = \"arg0\"\nonly = \"used\""),
        with("self = \"arg0\"", "self = \"arg0\"\nonly = \"u64[self+8] > 1\""),
        and(
            "\n[[probe]]\nevent = \"clear\"\nat = { symbol = \"f\" }\nself = \"u64[u64[u64[arg0]]]\"\nmin = { field = \"far\", value = 1 }\n",
        ),
        parse(
            &BASE
                .replace("power = \"u8[self+16]\"", "power = \"u8[self+16] + 1\"")
                .replace("field = \"used\"", "field = \"power\""),
        ),
        // Where maps are.
        root("map = []"),
        root("map = [\"it\"]"),
        root("map = [\"self\"]"),
        root("each = [{ base = \"it\", count = 2, stride = 8 }]\nmap = [\"it\"]"),
        root("each = [{ base = \"sym\", count = 2, stride = 0 }]\nmap = [\"it\"]"),
        root("each = [{ base = \"sym\", count = 2, next = \"u64[it]\" }]\nmap = [\"it\"]"),
        root("tree = { base = \"sym\" }\nmap = [\"it\"]"),
        root(
            "each = [{ base = \"sym\", count = 2, stride = 8 }]\ntree = { base = \"sym\", next = \"u64[it]\" }\nmap = [\"it\"]",
        ),
    ]
}

#[test]
fn what_is_wrong_is_told_with_line_column_mark_and_hint() {
    let told: Vec<String> = wrong()
        .into_iter()
        .enumerate()
        .map(|(number, result)| match result {
            Ok(_) => panic!("number {number} was taken"),
            Err(error) => error.in_file("my.toml"),
        })
        .collect();
    insta::with_settings!({
        snapshot_path => "../../../../tests/data/described",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("profile_errors", told.join("\n\n"));
    });
}

#[test]
fn an_error_in_an_expression_points_into_the_string_however_it_is_written() {
    let at = |row: &str| {
        let error = with("far = \"u32[tables+4]\"", row).expect_err(row);
        (error.line, error.column, error.width)
    };
    assert_eq!(at("far = \"tables + nope\""), (20, 17, 4));
    assert_eq!(at("far = 'tables + nope'"), (20, 17, 4));
    assert_eq!(at(r#"far = "\u0074ables + nope""#), (20, 22, 4));
    assert_eq!(at(r#"far = "tables\t+ nope""#), (20, 18, 4));
    assert_eq!(at("far = '''\ntables\n + nope'''"), (22, 4, 4));
    assert_eq!(at("far = \"\"\"tables \\\n   + nope\"\"\""), (21, 6, 4));
}

#[test]
fn a_long_line_is_shown_around_what_is_wrong_and_nothing_steers_a_terminal() {
    let long =
        format!("far = \"{} + nope + {}\"", vec!["used"; 100].join(" + "), vec!["used"; 100].join(" + "));
    let told = with("far = \"u32[tables+4]\"", &long).unwrap_err().to_string();
    assert!(told.lines().all(|line| line.chars().count() < 130), "{told}");
    let mark = told.lines().nth(2).unwrap();
    let shown: String = told.lines().nth(1).unwrap().chars().skip(mark.find('^').unwrap()).take(4).collect();
    assert_eq!(shown, "nope");
    let escape = with("far = \"u32[tables+4]\"", "far = 'n\u{9b}ope'").unwrap_err().to_string();
    assert!(!escape.contains(|letter: char| letter.is_control() && letter != '\n'), "{escape:?}");
}

#[test]
fn a_profile_is_bounded_in_all_that_it_has() {
    let problem = |text: &str| parse(text).unwrap_err().problem;
    assert!(problem(&" ".repeat(LONGEST + 1)).contains("bytes are more than"));
    let rows = |count: usize, row: &dyn Fn(usize) -> String| (0..count).map(row).collect::<String>();
    let constants = rows(MOST_CONSTANTS + 1, &|n| format!("c{n} = {n}\n"));
    assert!(problem(&BASE.replace("entry = 24", &constants)).contains("at most 64 constants"));
    let fields = rows(MOST_FIELDS + 1, &|n| format!("f{n} = \"u8[self+{n}]\"\n"));
    assert!(problem(&BASE.replace("used = ", &format!("{fields}used = "))).contains("at most 64 fields"));
    let checks = rows(MOST_CHECKS + 1, &|n| format!("\"check {n}\" = \"used > {n}\"\n"));
    assert!(
        problem(&BASE.replace("\"it is small\"", &format!("{checks}\"it is small\"")))
            .contains("at most 64 checks")
    );
    let probes = rows(MOST_PROBES, &|_| {
        "[[probe]]\nevent = 'clear'\nat = { symbol = 'f' }\nself = 'arg0'\n".to_owned()
    });
    assert!(problem(&format!("{BASE}{probes}")).contains("at most 64 probes"));
    let roots = rows(MOST_ROOTS, &|_| "[[root]]\nsymbol = 'o'\nmap = ['sym']\n".to_owned());
    assert!(problem(&format!("{BASE}{roots}")).contains("at most 32 roots"));
    let level = "{ base = 'sym', count = 1, stride = 8 },";
    let levels =
        format!("[[root]]\nsymbol = 'o'\neach = [{}]\nmap = ['it']\n", level.repeat(MOST_LEVELS + 1));
    assert!(problem(&format!("{BASE}{levels}")).contains("at most 4 levels"));
    let maps = format!("[[root]]\nsymbol = 'o'\nmap = [{}]\n", "'sym',".repeat(MOST_MAPS + 1));
    assert!(problem(&format!("{BASE}{maps}")).contains("1 to 8 maps"));
    let symbols = format!("symbols = [{}]", "'s',".repeat(65));
    assert!(problem(&BASE.replace("symbols = [\"my_grow\"]", &symbols)).contains("at most 64 entries"));
    let pattern = format!("file = '{}'", "a".repeat(600));
    assert!(problem(&BASE.replace("file = '/mine$'", &pattern)).contains("at most 512 bytes"));
    assert!(problem(&BASE.replace("restart it", &"x".repeat(3000))).contains("longer than 2000 bytes"));
    // Deep nesting ends in an error of the reader of TOML.
    assert!(parse(&format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000))).is_err());
    assert!(parse(&format!("{} = 1", vec!["a"; 50_000].join("."))).is_err());
}

#[test]
fn the_page_has_a_row_for_every_word() {
    let words = [
        words(Metric::ALL.iter().map(|(_, text, about)| (*text, *about))),
        words(Event::ALL.iter().map(|(_, text, about)| (*text, *about))),
        words(Moves::ALL.iter().map(|(_, text, about)| (*text, *about))),
        words(Returns::ALL.iter().map(|(_, text, about)| (*text, *about))),
        words(LabelKind::ALL.iter().map(|(_, text, about)| (*text, *about))),
        words(When::ALL.iter().map(|(_, text, about)| (*text, *about))),
    ];
    for row in words.concat() {
        assert!(PAGE.contains(&row), "docs/profiles.md lacks {row}");
    }
}

fn words<'a>(words: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    words.map(|(text, about)| format!("| `{text}` | {} |", about.trim())).collect()
}

#[test]
fn the_page_describes_a_map_that_is_taken() {
    let text = PAGE.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let profile = parse(text).unwrap_or_else(|error| panic!("{}", error.in_file("docs/profiles.md")));
    assert_eq!(profile.name, "my-table");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_fail(text in any::<String>()) {
        prop_assert!(parse(&text).is_err());
    }

    #[test]
    fn no_change_of_a_profile_makes_it_fail(
        (cut, len, more) in (0..BASE.len(), 0_usize..20, "[\\PC\n\"\\\\'\\[\\]{}=]{0,12}"),
    ) {
        let (start, end) = (cut, (cut + len).min(BASE.len()));
        let text = format!("{}{more}{}", &BASE[..start], &BASE[end..]);
        if let Err(error) = parse(&text) {
            let lines = text.lines().count() + 1;
            prop_assert!(error.line >= 1 && error.line <= lines, "{}", error);
            prop_assert!(error.to_string().starts_with("line "));
        }
    }
}
