//! Command lines in, requests or errors out.

use std::path::PathBuf;

use super::*;
use crate::cli::{self, Names};

const TERMINAL: Surroundings = Surroundings { stdout: Stdout::Terminal, color: true };
const PIPE: Surroundings = Surroundings { stdout: Stdout::Other, color: true };

fn parse(line: &str, around: Surroundings) -> Result<Request, clap::Error> {
    let words = format!("auditor {line}").split_whitespace().map(OsString::from).collect::<Vec<_>>();
    cli::parse(words, around)
}

fn attach(line: &str, around: Surroundings) -> Attach {
    match parse(&format!("attach {line}"), around).unwrap().verb {
        Verb::Attach(attach) => attach,
        other => panic!("{other:?}"),
    }
}

fn refusal(line: &str, around: Surroundings) -> String {
    let error = parse(line, around).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{line}");
    error.to_string()
}

#[test]
fn the_defaults_are_those_of_the_help() {
    let Attach { targets, audit } = attach("-p 4711", PIPE);
    assert_eq!(targets, Targets::Pids(vec![Pid(4711)]));
    assert_eq!(audit.duration, None);
    assert_eq!(audit.interval, Duration::from_secs(1));
    assert_eq!(audit.output.to, Destination::Stdout);
    assert_eq!(audit.output.existing, Overwrite::Refuse);
    assert_eq!(audit.record, None);
    assert_eq!((audit.runtime, audit.symbols), (RuntimeChoice::Auto, Vec::new()));
    assert_eq!(audit.evacuation, Evacuation::Auto);
    assert_eq!(audit.budget.parts_per_million(), 10_000);
    assert_eq!(audit.min_bytes, Bytes(16 << 10));
    assert_eq!(audit.rss_step, Bytes(1 << 20));
    assert!(!audit.dry_run && !audit.strict && audit.without_features.is_empty());
}

#[test]
fn every_flag_arrives() {
    let line = "-n redis --duration 30s -i 200ms -f json -o r-%p.json --force --record f-%p.rec \
                --runtime demo --symbols a.debug --symbols b.debug --evacuation poll --budget 0.5% --min-bytes 1MiB --rss-step 64KiB --dry-run \
                --strict --no-feature uprobe_multi --no-feature cookies";
    let Attach { targets, audit } = attach(line, TERMINAL);
    assert_eq!(targets, Targets::Name("redis".to_owned()));
    assert_eq!(audit.duration, Some(Duration::from_secs(30)));
    assert_eq!(audit.interval, Duration::from_millis(200));
    assert_eq!(audit.output.format, Format::Json);
    assert_eq!(audit.output.existing, Overwrite::Replace);
    assert_eq!(audit.runtime, RuntimeChoice::Named(vec!["demo".to_owned()]));
    assert_eq!(audit.symbols, ["a.debug", "b.debug"].map(PathBuf::from));
    assert_eq!(audit.evacuation, Evacuation::Poll);
    assert_eq!(audit.budget.parts_per_million(), 5_000);
    assert_eq!(audit.min_bytes, Bytes(1 << 20));
    assert_eq!(audit.rss_step, Bytes(64 << 10));
    assert!(audit.dry_run && audit.strict);
    assert_eq!(audit.without_features, ["uprobe_multi", "cookies"]);
    let names = Names { pid: Pid(7), host: String::new(), time: String::new() };
    assert_eq!(audit.record.unwrap().expand(&names), PathBuf::from("f-7.rec"));
}

#[test]
fn the_screen_is_the_default_only_where_somebody_looks() {
    let format = |line, around| attach(line, around).audit.output.format;
    assert_eq!(format("-p 1", TERMINAL), Format::Live);
    assert_eq!(format("-p 1", PIPE), Format::Text);
    assert_eq!(format("-p 1 -o file", TERMINAL), Format::Text);
    assert_eq!(format("-p 1 -o -", PIPE), Format::Text);
    assert_eq!(format("-p 1 -f ndjson", TERMINAL), Format::Ndjson);
}

#[test]
fn a_screen_cannot_go_where_no_screen_is() {
    assert!(refusal("attach -p 1 -f live -o file", TERMINAL).contains("cannot go into a file"));
    assert!(refusal("attach -p 1 -f live", PIPE).contains("needs a terminal"));
    assert!(refusal("replay a.rec -f live", PIPE).contains("needs a terminal"));
    assert!(refusal("replay a.rec -f live -o file", TERMINAL).contains("cannot go into a file"));
    assert!(refusal("replay a.rec -t 3m -f json", TERMINAL).contains("where the live screen starts"));
    assert!(refusal("replay a.rec -t 3m", PIPE).contains("where the live screen starts"));
    assert!(refusal("census -p 1 -f live", TERMINAL).contains("census cannot draw"));
}

#[test]
fn what_is_no_text_needs_a_file_where_somebody_looks() {
    for format in ["pprof", "perfetto"] {
        let lines = ["attach -p 1", "run -- true", "census -p 1", "replay a.rec"];
        for line in lines.map(|line| line.replacen(' ', &format!(" -f {format} "), 1)) {
            let error = refusal(&line, TERMINAL);
            assert!(error.contains(&format!("-f {format} is not text")), "{error}");
            assert!(error.contains("write it to a file with -o FILE"), "{error}");
            parse(&line, PIPE).unwrap();
        }
        assert!(refusal(&format!("replay a.rec -f {format} -o -"), TERMINAL).contains("-o FILE"));
        parse(&format!("replay a.rec -f {format} -o a.out"), TERMINAL).unwrap();
    }
    for format in ["html", "openmetrics", "folded", "csv"] {
        parse(&format!("replay a.rec -f {format}"), TERMINAL).unwrap();
    }
}

#[test]
fn whole_files_do_not_run_into_each_other() {
    for format in ["html", "openmetrics", "pprof", "perfetto", "folded", "csv"] {
        let error = refusal(&format!("attach -p 1,2 -f {format}"), PIPE);
        assert!(error.contains("-o FILE with %p in its name"), "{error}");
        parse(&format!("attach -p 1,2 -f {format} -o %p.out"), PIPE).unwrap();
    }
    parse("attach -p 1,2 -f json", PIPE).unwrap();
}

#[test]
fn a_format_of_what_was_not_seen_is_refused() {
    assert!(refusal("census -p 1 -f folded", PIPE).contains("one look sees none: take attach or run"));
    for format in ["html", "csv", "pprof"] {
        let answers = refusal(&format!("whatif a.rec --map 0xc000 -f {format}"), PIPE);
        assert!(answers.contains("is of a whole report: take -f text, json or ndjson"), "{answers}");
    }
}

#[test]
fn several_processes_need_several_files() {
    let error = refusal("attach -p 1,2 --record a.rec", PIPE);
    assert!(error.contains("--record a.rec would take 2 processes into one file: put %p"), "{error}");
    assert!(refusal("attach -p 1 -p 2 -o a.json", PIPE).contains("-o a.json"));
    let both = attach("-p 1,2,1 --record %p.rec -o %p.txt", PIPE);
    assert_eq!(both.targets, Targets::Pids(vec![Pid(1), Pid(2)]));
    let named = attach("-n redis --record a.rec", PIPE).audit;
    assert_eq!(named.check_files(1), Ok(()));
    assert!(named.check_files(2).is_err());
    attach("-p 1,1 --record a.rec", PIPE);
}

#[test]
fn the_report_and_the_recording_are_two_files() {
    assert!(refusal("attach -p 1 -o a --record a", PIPE).contains("both name a"));
    assert!(refusal("attach -p 1 --record -", PIPE).contains("--record needs a file"));
}

#[test]
fn writers_are_those_of_one_map_of_one_process() {
    let second = Duration::from_secs(1);
    assert_eq!(attach("-p 1 --writers 0xc000", PIPE).audit.writers, Some((Address(0xc000), second)));
    let audit = attach("-p 1,1 --writers 0xc000 --writers-for 50ms", PIPE).audit;
    assert_eq!(audit.writers, Some((Address(0xc000), Duration::from_millis(50))));
    assert!(refusal("attach -p 1,2 --writers 0xc000", PIPE).contains("a map of one process, and -p names 2"));
    assert!(refusal("attach -n redis --writers 0xc000", PIPE).contains("cannot be used with"));
    assert!(refusal("attach -p 1 --writers-for 1s", PIPE).contains("--writers"));
}

#[test]
fn a_target_is_needed_and_only_one_way_of_naming_it() {
    assert!(refusal("attach", PIPE).contains("--pid"));
    assert!(refusal("attach -p 1 -n redis", PIPE).contains("cannot be used with"));
    assert!(refusal("run", PIPE).contains("CMD"));
    assert!(refusal("run sleep 1", PIPE).contains("auditor run [OPTIONS] -- <CMD>..."));
    assert!(refusal("replay", PIPE).contains("FILE"));
}

#[test]
fn what_comes_after_the_dashes_belongs_to_the_command() {
    match parse("run --strict -- redis-server --no-color -v --port 1", PIPE).unwrap() {
        Request { verb: Verb::Run(run), console } => {
            assert_eq!(run.command, ["redis-server", "--no-color", "-v", "--port", "1"]);
            assert!(run.audit.strict);
            assert_eq!(console, Console { verbosity: Verbosity::Normal, color: true });
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_console_flags_work_before_and_behind_the_verb() {
    let console = |line| parse(line, TERMINAL).unwrap().console;
    assert_eq!(console("-v explain").verbosity, Verbosity::Verbose);
    assert_eq!(console("explain -vv").verbosity, Verbosity::Debug);
    assert_eq!(console("explain -q").verbosity, Verbosity::Quiet);
    assert!(!console("explain --no-color").color);
    let plain = Surroundings { color: false, ..TERMINAL };
    assert!(!parse("explain", plain).unwrap().console.color);
    assert!(refusal("explain -q -v", PIPE).contains("cannot be used with"));
}

#[test]
fn replay_and_the_small_verbs_arrive() {
    let verb = |line| parse(line, TERMINAL).unwrap().verb;
    match verb("replay a.rec --strict") {
        Verb::Replay(replay) => {
            assert_eq!(replay.file, PathBuf::from("a.rec"));
            assert_eq!((replay.output.format, replay.at), (Format::Live, None));
            assert!(replay.strict);
        }
        other => panic!("{other:?}"),
    }
    match verb("replay a.rec -t 1m30s") {
        Verb::Replay(replay) => assert_eq!(replay.at, Some(Duration::from_secs(90))),
        other => panic!("{other:?}"),
    }
    assert_eq!(verb("doctor"), Verb::Doctor(Doctor { pid: None }));
    assert_eq!(verb("doctor -p 9"), Verb::Doctor(Doctor { pid: Some(Pid(9)) }));
    assert_eq!(verb("explain tombstones"), Verb::Explain(Explain { topic: Some("tombstones".to_owned()) }));
    assert_eq!(verb("completions zsh"), Verb::Completions(Shell::Zsh));
}

#[test]
fn a_census_arrives_with_its_files() {
    let census = |line: &str| match parse(line, TERMINAL).unwrap().verb {
        Verb::Census(census) => census,
        other => panic!("{other:?}"),
    };
    let plain = census("census -p 7");
    assert_eq!(
        (plain.targets, plain.rows, plain.min_bytes),
        (Targets::Pids(vec![Pid(7)]), 20, Bytes(16 << 10))
    );
    assert_eq!((plain.output.format, plain.output.to), (Format::Text, Destination::Stdout));
    assert_eq!((plain.record, plain.runtime, plain.strict), (None, RuntimeChoice::Auto, false));
    let full = census(
        "census -n orders -f json -o %p.json --force --record %p.rec --runtime demo --min-bytes 0 --top 50 --strict",
    );
    assert_eq!((full.targets, full.rows), (Targets::Name("orders".to_owned()), 50));
    assert!(full.strict && full.record.is_some());
    assert!(refusal("census -p 1,2 -o a.txt", PIPE).contains("put %p"));
    assert!(refusal("census -p 1 -o a --record a", PIPE).contains("both name a"));
    assert!(refusal("census", PIPE).contains("--pid"));
    assert!(refusal("census -p 1 --top 0", PIPE).contains("--top"));
}

#[test]
fn the_grammar_is_consistent() {
    cli::grammar(clap::ColorChoice::Never).debug_assert();
}
