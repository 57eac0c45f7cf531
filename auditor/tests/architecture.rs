//! The architecture, checked: who may name whom, which crate may be used where, where unsafe code may
//! be, and how long a file and a function may grow. ARCHITECTURE.md draws what these tables say.
//!
//! A rule is changed here, in a diff that can be seen, and not by breaking it. `source` reads the files,
//! `rules` holds the tables and judges, and the tests at the end show that planted violations are found.

#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use rules::{File, judge, judge_dependencies};
use source::Source;

/// The source folders of the workspace.
const FOLDERS: [&str; 4] = ["auditor/src", "auditor-ebpf/src", "target-demo/src", "xtask/src"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member of the workspace").to_owned()
}

/// Every Rust file below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the source folders are there");
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a folder of ours can be read").path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    found.sort();
    found
}

fn every_file() -> Vec<File> {
    let root = workspace();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("our sources can be read");
        let name =
            path.strip_prefix(&root).expect("it lies below the workspace").to_string_lossy().into_owned();
        File { name, source: Source::read(&text) }
    };
    let all: Vec<File> = FOLDERS.iter().flat_map(|folder| files(&root.join(folder))).map(read).collect();
    let tests_only: Vec<String> = all.iter().flat_map(test_files).collect();
    all.into_iter().filter(|file| !tests_only.contains(&file.name)).collect()
}

/// The files that a file declares for tests only: `mod.rs` has them beside it, `x.rs` in a folder `x`.
fn test_files(file: &File) -> Vec<String> {
    let stem = file.name.trim_end_matches(".rs");
    let folder = ["/mod", "/lib", "/main"].iter().find_map(|end| stem.strip_suffix(end)).unwrap_or(stem);
    file.source.test_modules.iter().map(|name| format!("{folder}/{name}.rs")).collect()
}

#[test]
fn the_tree_keeps_its_rules() {
    let violations: Vec<String> = every_file().iter().flat_map(judge).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn every_dependency_has_its_place() {
    let manifest = fs::read_to_string(workspace().join("auditor/Cargo.toml")).expect("our manifest");
    let violations = judge_dependencies(&manifest);
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

/// An exception that is no longer needed is taken off the list.
#[test]
fn every_exception_is_still_needed() {
    let all = every_file();
    let unneeded = rules::unneeded_exceptions(&all);
    assert!(unneeded.is_empty(), "\n{}\n", unneeded.join("\n"));
}

/// The rules find what is planted. What is written here is read as text and never compiled.
mod planted {
    use super::*;

    fn violations(name: &str, code: &str) -> Vec<String> {
        judge(&File { name: name.to_owned(), source: Source::read(&format!("//! Planted.\n{code}")) })
    }

    fn finds(name: &str, code: &str, what: &str) {
        let found = violations(name, code);
        assert!(found.iter().any(|violation| violation.contains(what)), "{code}: {found:?}");
    }

    #[test]
    fn clean_code_breaks_no_rule() {
        let code = "use super::unit::Bytes;\nuse crate::audit::fact::Fact;\nfn small() {}\n";
        assert_eq!(violations("auditor/src/audit/ledger.rs", code), Vec::<String>::new());
    }

    #[test]
    fn naming_a_module_across_a_boundary_is_found() {
        let ledger = "auditor/src/audit/ledger.rs";
        finds(ledger, "use crate::probes::ring::Ring;", "may not name probes::ring");
        finds(ledger, "use crate::{audit::unit::Bytes, target::memory};", "may not name target::memory");
        finds(ledger, "use super::super::render;", "may not name render");
        finds(ledger, "fn f() { crate::session::run() }", "may not name session::run");
        finds("auditor/src/runtimes/demo/hooks.rs", "use crate::audit::report::Report;", "audit::report");
        finds("auditor/src/probes/plan.rs", "use crate::tui;", "may not name tui");
    }

    #[test]
    fn what_is_in_comments_strings_and_tests_is_not_named() {
        let code = "/// Like [`crate::probes`].\nfn f() -> &'static str { \"crate::probes::x\" }\n\
                    /* crate::tui */\n#[cfg(test)]\nmod tests { use crate::probes::ring; }\n";
        assert_eq!(violations("auditor/src/audit/ledger.rs", code), Vec::<String>::new());
    }

    #[test]
    fn a_crate_outside_its_folder_is_found() {
        finds("auditor/src/session.rs", "use aya::Ebpf;", "may not use aya");
        finds("auditor/src/render/text.rs", "fn f() { ratatui::init(); }", "may not use ratatui");
        finds("auditor/src/audit/mod.rs", "use tokio;", "may not use tokio");
        finds("auditor/src/probes/plan.rs", "use iced_x86::Decoder;", "may not use iced_x86");
        let allowed = "use aya::Ebpf;\nuse crate::target::{object::Image};\n";
        assert_eq!(violations("auditor/src/probes/object.rs", allowed), Vec::<String>::new());
        let ours = "use super::object::{self, Settings};\nfn f() { object::load(); }\n";
        assert_eq!(violations("auditor/src/probes/kernel.rs", ours), Vec::<String>::new());
        finds("auditor/src/probes/kernel.rs", "fn f() { object::load(); }", "may not use object");
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        assert!(judge_dependencies("[dependencies]\nserde.workspace = true\n").is_empty());
        assert_eq!(judge_dependencies("[dependencies]\nleft-pad = \"1\"\n").len(), 1);
        assert!(judge_dependencies("[dev-dependencies]\nleft-pad = \"1\"\n").is_empty());
    }

    #[test]
    fn unsafe_code_out_of_its_place_is_found() {
        let code = "fn f() { unsafe { read() } }";
        finds("auditor/src/main.rs", code, "unsafe");
        finds("auditor/src/session.rs", code, "unsafe");
        assert_eq!(violations("auditor/src/target/memory.rs", code), Vec::<String>::new());
        assert_eq!(
            violations("auditor/src/cli/mod.rs", "#![deny(unsafe_code)] // unsafe"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_lint_that_is_allowed_without_a_reason_is_found() {
        finds("auditor/src/cli/mod.rs", "#[allow(dead_code)]\nfn f() {}", "allow");
        finds("auditor/src/cli/mod.rs", "#![allow(dead_code, reason = \"x\")]", "allow");
        finds("auditor/src/cli/mod.rs", "#[cfg_attr(test, allow(dead_code))]\nfn f() {}", "allow");
        assert_eq!(violations("auditor/src/cli/mod.rs", "fn g() { allow(1); }"), Vec::<String>::new());
    }

    #[test]
    fn what_has_grown_too_long_is_found() {
        let function = format!("fn long() {{\n{}}}\n", "    work();\n".repeat(60));
        finds("auditor/src/cli/mod.rs", &function, "fn long has 62 lines");
        let lines = "const X: u8 = 1;\n".repeat(130);
        finds("auditor-ebpf/src/programs/hook.rs", &lines, "131 lines, at most 120");
        finds("auditor/src/main.rs", &lines, "131 lines, at most 40");
        finds("auditor/src/cli/mod.rs", &"const X: u8 = 1;\n".repeat(400), "401 lines, at most 400");
        let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn t() {}\n".repeat(400));
        assert_eq!(violations("auditor/src/cli/mod.rs", &tested), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_is_found() {
        let file = File { name: "auditor/src/cli/mod.rs".to_owned(), source: Source::read("fn f() {}\n") };
        assert!(judge(&file).iter().any(|violation| violation.contains("//!")));
    }

    #[test]
    fn a_file_for_tests_only_is_known_by_its_declaration() {
        let text =
            "//! Planted.\nmod reader;\n#[cfg(test)]\npub(crate) mod samples;\n#[cfg(test)]\nmod tests {}\n";
        let file = File { name: "auditor/src/recording/mod.rs".to_owned(), source: Source::read(text) };
        assert_eq!(test_files(&file), ["auditor/src/recording/samples.rs"]);
    }

    #[test]
    fn literals_do_not_confuse_the_reader() {
        let code = r####"fn f<'a>(x: &'a str) -> char { let _ = ("{", r#"""{"#, b'{', '\'', '\u{7b}', '"'); '}' }
fn g() { }
"####;
        let functions = Source::read(code).functions();
        assert_eq!(
            functions.iter().map(|f| (f.name.as_str(), f.lines)).collect::<Vec<_>>(),
            [("f", 1), ("g", 1)]
        );
    }
}
