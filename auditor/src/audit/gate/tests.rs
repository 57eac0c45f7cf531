//! Tests of the language of gates; what becomes of whole reports is tested in `tests/gate.rs`.

use proptest::prelude::*;

use super::filter::{Field, Test, pattern};
use super::metric::METRICS;
use super::*;

fn read(text: &str) -> Result<Gate, ParseError> {
    text.parse()
}

fn wrong(text: &str) -> ParseError {
    read(text).map(|gate| gate.to_string()).expect_err(text)
}

#[test]
fn gates_are_read_as_they_are_meant() {
    for (text, spelled) in [
        ("stranded<40MiB", "stranded<40MiB"),
        (" peak_rss  <=  1.5 GiB ", "peak_rss<=1536MiB"),
        ("peak_rss<=baseline+10%", "peak_rss<=baseline+10%"),
        ("rss<baseline - 0.5 %", "rss<baseline-0.5%"),
        ("rss<baseline+64MiB", "rss<baseline+64MiB"),
        ("growths==baseline", "growths=baseline"),
        ("growths(type=~\"Session\")<=3", "growths(type=~Session)<=3"),
        (
            "maps(type=map[string]int , owner!=\"a\"\"b\")<5",
            "maps(type=\"map[string]int\",owner!=\"a\"\"b\")<5",
        ),
        ("findings(severity>=warning,rule!~\"^key_\")=0", "findings(severity>=warning,rule!~\"^key_\")=0"),
        ("gc_pause<10ms", "gc_pause<10ms"),
        ("gc_pause<1500µs", "gc_pause<1500us"),
        ("peak_of_limit<82.5%", "peak_of_limit<82.5%"),
        ("lost=0", "lost=0"),
        ("stranded=0", "stranded=0B"),
    ] {
        assert_eq!(read(text).map(|gate| gate.to_string()).as_deref(), Ok(spelled), "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_column_and_a_hint() {
    for (text, column, problem, hint) in [
        ("", 1, "a metric is missing", "auditor explain gate"),
        ("strandd<40MiB", 1, "there is no metric strandd", "did you mean stranded"),
        ("stranded", 9, "a comparison is missing", "write <"),
        ("stranded<", 10, "a limit is missing", "40MiB"),
        ("stranded<40", 10, "40 of what?", "40MiB"),
        ("stranded<40MB", 10, "MB is no unit here", "40MiB"),
        ("stranded<1.2.3MiB", 10, "1.2.3 is no number", "40MiB"),
        ("stranded<40MiB,lost=0", 15, "more than one gate", "repeat --gate"),
        ("rss(type=x)<1MiB", 5, "rss is of the whole process", "no filter"),
        ("maps(typ=x)<1", 6, "there is no filter typ", "did you mean type"),
        ("maps(type~x)<1", 10, "type is compared by", "type=~\"Session\""),
        ("maps(type>=x)<1", 10, "type is compared by", "type=~\"Session\""),
        ("maps(type=\"x)<1", 11, "the quote does not end", "a text ends with"),
        ("maps(type=x<1", 5, "the filters do not end", "separated by commas"),
        ("maps(type=~\"(\")<1", 12, "not a regular expression: unclosed group", "\\["),
        ("maps(verdict=strandedd)<1", 14, "no verdict of that name", "stranded_until_rebuilt"),
        ("findings(severity>=bad)=0", 20, "no severity of that name", "info, warning, critical"),
        ("rss<baselin", 5, "baselin is no limit", "did you mean baseline"),
        ("rss<baseline+", 14, "a limit is missing", "10%"),
        ("rss<baseline-101%", 14, "less than nothing", "100%"),
    ] {
        let error = wrong(text);
        assert!(error.problem.contains(problem), "{text}: {error:?}");
        assert!(error.hint.contains(hint), "{text}: {error:?}");
        assert_eq!(error.column, column, "{text}: {error:?}");
    }
}

#[test]
fn an_error_marks_the_place() {
    let expected = "--gate: column 9: a comparison is missing\n  stranded\n          ^\nwrite <, <=, >, >=, = or !=, and a limit";
    assert_eq!(wrong("stranded").to_string(), expected);
    let far = wrong(&format!("maps(type={})!5", "x".repeat(500))).to_string();
    assert!(far.lines().all(|line| line.chars().count() < 100), "{far}");
    let mark = far.lines().nth(2).and_then(|line| line.find('^'));
    assert_eq!(mark.and_then(|at| far.lines().nth(1)?.chars().nth(at)), Some('!'), "{far}");
}

#[test]
fn a_pattern_cannot_take_the_memory_of_the_gate() {
    for greedy in ["x{1000}{1000}{1000}", &"(".repeat(200), &"x".repeat(4090)] {
        let error = wrong(&format!("maps(type=~\"{greedy}\")=0"));
        assert!(error.to_string().len() < 1000, "{error}");
    }
}

fn any_filter(fields: &'static [Field]) -> impl Strategy<Value = Filter> {
    (prop::sample::select(fields), 0..4, ".{0,12}", any::<prop::sample::Index>()).prop_map(
        |(field, test, text, pick)| {
            let text = field.values().map_or(text, |values| values[pick.index(values.len())].to_owned());
            let escaped = regex::escape(&text);
            let test = match test {
                0 => Test::Is(text),
                1 => Test::IsNot(text),
                2 => Test::Matches(pattern(&escaped).unwrap()),
                _ if field == Field::Severity => Test::AtLeast(text),
                _ => Test::MatchesNot(pattern(&escaped).unwrap()),
            };
            Filter { field, test }
        },
    )
}

fn any_gate() -> impl Strategy<Value = Gate> {
    use Comparison::{AtLeast, AtMost, Equal, Less, More, Unequal};
    let comparison = prop::sample::select(vec![Less, AtMost, More, AtLeast, Equal, Unequal]);
    let sign = prop::sample::select(vec![Sign::Plus, Sign::Minus]);
    let by = prop_oneof![any::<u64>().prop_map(By::Amount), (0..100_001_u64).prop_map(By::Percent)];
    let shift = prop::option::of((sign, by).prop_map(|(sign, by)| Shift { sign, by }));
    let limit = prop_oneof![any::<u64>().prop_map(Limit::Fixed), shift.prop_map(Limit::Baseline)];
    (prop::sample::select(METRICS), comparison, limit).prop_flat_map(|(metric, comparison, limit)| {
        let most = if metric.fields().is_empty() { 0 } else { 4 };
        let fields = if most == 0 { Field::OF_MAPS } else { metric.fields() };
        prop::collection::vec(any_filter(fields), 0..=most).prop_map(move |filters| {
            // A share of a share is always written with a %, so it is read as one of the baseline.
            let limit = match limit {
                Limit::Baseline(Some(Shift { sign, by: By::Amount(amount) }))
                    if metric.kind == Kind::MilliPercent =>
                {
                    Limit::Baseline(Some(Shift { sign, by: By::Percent(amount % 100_001) }))
                }
                limit => limit,
            };
            let metric = METRICS.iter().find(|row| row.name == metric.name).unwrap();
            Gate { metric, filters, comparison, limit }
        })
    })
}

proptest! {
    #[test]
    fn a_gate_that_is_printed_is_read_as_the_same(gate in any_gate()) {
        prop_assert_eq!(read(&gate.to_string()), Ok(gate));
    }

    #[test]
    fn no_expression_panics(text in ".{0,60}", start in "(maps|findings|rss|stranded)?[(]?(type|severity)?[=~!<>]{0,2}") {
        for text in [text.clone(), format!("{start}{text}"), format!("maps(type=~\"{text}\")<{text}")] {
            if let Err(error) = read(&text) {
                prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1, "{:?}", error);
                prop_assert!(error.to_string().chars().all(|letter| letter == '\n' || !letter.is_control()));
            }
        }
    }
}

#[test]
fn every_metric_has_a_name_of_its_own_that_can_be_asked_for() {
    for metric in METRICS {
        assert_eq!(METRICS.iter().filter(|row| row.name == metric.name).count(), 1, "{}", metric.name);
        assert!(read(&format!("{}<baseline", metric.name)).is_ok(), "{}", metric.name);
    }
}

#[test]
fn a_limit_lies_as_far_from_the_baseline_as_was_asked() {
    let apply = |sign, by| Shift { sign, by }.apply(1_000);
    assert_eq!(apply(Sign::Plus, By::Percent(10_000)), 1_100);
    assert_eq!(apply(Sign::Minus, By::Percent(100_000)), 0);
    assert_eq!(apply(Sign::Minus, By::Amount(5_000)), 0);
    assert_eq!(Shift { sign: Sign::Plus, by: By::Percent(u64::MAX) }.apply(u64::MAX), u64::MAX);
}
