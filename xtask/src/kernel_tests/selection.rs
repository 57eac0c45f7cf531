//! Which tests of the kernel tier run on which kernel, and which of them in a virtual machine: no test
//! decides for itself. The row with the longest beginning of a test's name is the test's.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::{Result, ensure};

/// Release of a kernel, as (major, minor).
pub(crate) type Release = (u32, u32);

/// Where tests may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// The one that this is.
    Real,
    /// One that qemu emulates: slow, and without gcc, strace or tmux.
    Virtual,
}

/// Where the tests whose names begin alike run, and why nowhere else.
#[derive(Debug)]
struct Row {
    tests: &'static str,
    kernels: Range<Release>,
    machines: &'static [Machine],
    why: &'static str,
}

const BEFORE_ALL: Release = (0, 0);
/// bpf_get_attach_cookie: the first kernel that the auditor accepts.
const COOKIES: Release = (5, 15);
/// uprobe_multi links whose pid filter is right.
const MULTI_LINKS: Release = (6, 10);
/// sched_process_exit comes before the memory goes.
const LAST_LOOK: Release = (6, 16);
const AFTER_ALL: Release = (u32::MAX, 0);

const ANYWHERE: &[Machine] = &[Machine::Real, Machine::Virtual];
const HERE: &[Machine] = &[Machine::Real];

const TOO_OLD: &str = "this kernel is refused: it has no attach cookies (5.15)";
const ENDS_WITH_THE_TARGET: &str = "what the target held at its end is known from the last look (6.16)";

const fn row(
    tests: &'static str,
    kernels: Range<Release>,
    machines: &'static [Machine],
    why: &'static str,
) -> Row {
    Row { tests, kernels, machines, why }
}

const ROWS: &[Row] = &[
    row("bad_input::", COOKIES..AFTER_ALL, HERE, "it needs gcc, mount and unshare, and no kernel differs"),
    row("bad_input::a_target_that_dies_while", COOKIES..AFTER_ALL, ANYWHERE, TOO_OLD),
    row("bad_input::three_capabilities", MULTI_LINKS..AFTER_ALL, ANYWHERE, "perf links need CAP_SYS_ADMIN"),
    row("bad_input::without_the_rights", COOKIES..AFTER_ALL, ANYWHERE, TOO_OLD),
    row("allocator::", COOKIES..AFTER_ALL, HERE, "it needs gcc and the Go toolchains, and no kernel differs"),
    row("census::", BEFORE_ALL..AFTER_ALL, HERE, "it needs strace, and no kernel differs"),
    row("census::every_map", BEFORE_ALL..AFTER_ALL, ANYWHERE, "every kernel lets memory be read"),
    row("changes::", COOKIES..AFTER_ALL, HERE, "it measures time, which an emulated machine has not"),
    row("comes_back::", COOKIES..AFTER_ALL, HERE, "it needs the Go toolchains, and measures time"),
    row("described::", BEFORE_ALL..AFTER_ALL, HERE, "it needs servers and compilers, and no kernel differs"),
    row(
        "doctor::a_kernel_without_attach_cookies",
        BEFORE_ALL..COOKIES,
        ANYWHERE,
        "this kernel has them (5.15)",
    ),
    row("doctor::doctor_says", COOKIES..AFTER_ALL, ANYWHERE, TOO_OLD),
    row("exact::", LAST_LOOK..AFTER_ALL, ANYWHERE, ENDS_WITH_THE_TARGET),
    row("exit::", LAST_LOOK..AFTER_ALL, ANYWHERE, ENDS_WITH_THE_TARGET),
    row("exit::a_target_that_replaces", COOKIES..AFTER_ALL, ANYWHERE, TOO_OLD),
    row("exports::", LAST_LOOK..AFTER_ALL, HERE, "it needs Go, promtool and Python, and no kernel differs"),
    row("fallback::", LAST_LOOK..AFTER_ALL, ANYWHERE, ENDS_WITH_THE_TARGET),
    row("findings::", LAST_LOOK..AFTER_ALL, HERE, "whole runs of a million entries, by their final figures"),
    row("forecast_go::", COOKIES..AFTER_ALL, HERE, "it needs the Go toolchains, and measures time"),
    row("gate::", COOKIES..AFTER_ALL, HERE, "whole runs of two million entries, and no kernel differs"),
    row("generic::", COOKIES..AFTER_ALL, ANYWHERE, TOO_OLD),
    row(
        "generic::a_header_comes_with_the_hit",
        LAST_LOOK..AFTER_ALL,
        ANYWHERE,
        "there is no last look (6.16)",
    ),
    row("go::", COOKIES..AFTER_ALL, HERE, "it needs the Go toolchains, and no kernel differs"),
    row("go_kinds::", COOKIES..AFTER_ALL, HERE, "it needs the Go toolchains, and no kernel differs"),
    row("go_twins::", COOKIES..AFTER_ALL, HERE, "it needs the Go toolchains, and no kernel differs"),
    row("go_writers::", COOKIES..AFTER_ALL, HERE, "it needs the Go toolchains, and no kernel differs"),
    row("go_program::", BEFORE_ALL..AFTER_ALL, HERE, "it needs the Go toolchains, and no kernel differs"),
    row("governor::", COOKIES..AFTER_ALL, HERE, "it measures time, which an emulated machine has not"),
    row("harmless::", COOKIES..AFTER_ALL, ANYWHERE, TOO_OLD),
    row("harmless::fast_attaching", COOKIES..AFTER_ALL, HERE, "on an emulated machine nothing is fast"),
    row("harness::fixture::", BEFORE_ALL..AFTER_ALL, HERE, "it needs gcc"),
    row(
        "limits::",
        LAST_LOOK..AFTER_ALL,
        HERE,
        "it needs a cgroup hierarchy, which the init of the virtual one does not mount",
    ),
    row("midrun::all_that_was_there", COOKIES..AFTER_ALL, ANYWHERE, TOO_OLD),
    row(
        "midrun::maps_that_go_on",
        LAST_LOOK..AFTER_ALL,
        HERE,
        "the target must outlive the attach and not more",
    ),
    row("places::", BEFORE_ALL..AFTER_ALL, HERE, "it needs gcc and binutils, and no kernel differs"),
    row("promptness::", COOKIES..AFTER_ALL, HERE, "it needs tmux, and an emulated machine is never prompt"),
    row("replay::", COOKIES..AFTER_ALL, HERE, "a recording is read, and no kernel differs"),
    row("resident::", COOKIES..AFTER_ALL, HERE, "it needs the Go toolchains"),
    row("resident::a_table", BEFORE_ALL..AFTER_ALL, ANYWHERE, "every kernel has a page map"),
    row("resident::of_a_table", BEFORE_ALL..AFTER_ALL, ANYWHERE, "every kernel has a page map"),
    row("ring::", COOKIES..AFTER_ALL, HERE, "facts are kept, and no kernel differs"),
    row("rss::", COOKIES..AFTER_ALL, ANYWHERE, TOO_OLD),
    row("screen::", COOKIES..AFTER_ALL, HERE, "it needs tmux, and no kernel differs"),
    row("stopped::", COOKIES..AFTER_ALL, ANYWHERE, TOO_OLD),
    row(
        "stopped::a_kernel_that_gives_no_last_look",
        COOKIES..LAST_LOOK,
        ANYWHERE,
        "this kernel gives one (6.16)",
    ),
    row("syscalls::calls_in_known_numbers", COOKIES..AFTER_ALL, ANYWHERE, TOO_OLD),
    row("syscalls::strace_sees", COOKIES..AFTER_ALL, HERE, "it needs strace"),
    row(
        "syscalls::where_functions",
        COOKIES..AFTER_ALL,
        &[Machine::Virtual],
        "the kernels of Debian let their functions be heard, and this one need not",
    ),
    row("whatif::", COOKIES..AFTER_ALL, HERE, "it needs the Go toolchains, and no kernel differs"),
];

/// The tests for one kernel on one machine.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Those that run.
    pub(crate) chosen: Vec<String>,
    /// How many do not, by the reason.
    pub(crate) left_out: BTreeMap<&'static str, usize>,
}

/// Selects; a test that no row speaks of and a row that speaks of no test are errors.
pub(crate) fn select(tests: &[String], kernel: Release, machine: Machine) -> Result<Selection> {
    let mut selection = Selection::default();
    for test in tests {
        let row = row_of(test);
        ensure!(row.is_some(), "xtask/src/kernel_tests/selection.rs does not say where {test} runs");
        let Some(row) = row else { continue };
        if row.kernels.contains(&kernel) && row.machines.contains(&machine) {
            selection.chosen.push(test.clone());
        } else {
            *selection.left_out.entry(row.why).or_default() += 1;
        }
    }
    let spoken_of: BTreeSet<&str> = tests.iter().filter_map(|test| Some(row_of(test)?.tests)).collect();
    let speaks_of_none = |row: &&Row| !spoken_of.contains(row.tests);
    let stale: Vec<&str> = ROWS.iter().filter(speaks_of_none).map(|row| row.tests).collect();
    ensure!(stale.is_empty(), "no tests are called {}*: see selection.rs", stale.join("*, "));
    Ok(selection)
}

fn row_of(test: &str) -> Option<&'static Row> {
    ROWS.iter().filter(|row| test.starts_with(row.tests)).max_by_key(|row| row.tests.len())
}

/// Major and minor number of what `uname -r` says; `None`: it is no release.
pub(crate) fn release(name: &str) -> Option<Release> {
    let mut numbers = name.split(['.', '-', '+']).map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

impl Selection {
    /// What does not run, one line a reason.
    pub(crate) fn omissions(&self) -> impl Iterator<Item = String> {
        self.left_out.iter().map(|(why, count)| format!("{count} not run: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test for each row.
    fn tests() -> Vec<String> {
        ROWS.iter().map(|row| format!("{}_so_it_goes", row.tests)).collect()
    }

    fn chosen(kernel: Release, machine: Machine) -> Vec<String> {
        select(&tests(), kernel, machine).unwrap().chosen
    }

    fn runs(test: &str, kernel: Release, machine: Machine) -> bool {
        chosen(kernel, machine).iter().any(|one| one.starts_with(test))
    }

    #[test]
    fn a_kernel_that_is_refused_runs_the_refusal_and_what_only_reads() {
        let tests = chosen((5, 10), Machine::Virtual);
        let reading = [
            "census::every_map",
            "doctor::a_kernel_without_attach_cookies",
            "resident::a_table",
            "resident::of_a_table",
        ];
        assert_eq!(tests, reading.map(|test| format!("{test}_so_it_goes")));
        assert!(!runs("doctor::a_kernel_without", (6, 1), Machine::Virtual));
    }

    #[test]
    fn the_last_look_decides_where_a_run_to_the_end_is_exact() {
        for machine in [Machine::Real, Machine::Virtual] {
            assert!(runs("exact::", (6, 18), machine) && !runs("exact::", (6, 12), machine));
            assert!(
                !runs("stopped::a_kernel", (6, 18), machine) && runs("stopped::a_kernel", (6, 12), machine)
            );
        }
    }

    #[test]
    fn what_needs_this_machine_stays_on_it_and_everything_runs_somewhere() {
        assert!(runs("screen::", (6, 1), Machine::Real) && !runs("screen::", (6, 1), Machine::Virtual));
        let kernels = [(5, 10), (6, 1), (6, 18)];
        let on = |kernel: &Release| [Machine::Real, Machine::Virtual].map(|machine| chosen(*kernel, machine));
        let everywhere: Vec<String> = kernels.iter().flat_map(on).flatten().collect();
        assert!(tests().iter().all(|test| everywhere.contains(test)));
    }

    #[test]
    fn what_is_left_out_is_counted_by_its_reason() {
        let selection = select(&tests(), (6, 1), Machine::Virtual).unwrap();
        assert_eq!(selection.chosen.len() + selection.left_out.values().sum::<usize>(), ROWS.len());
        assert!(selection.omissions().any(|line| line.contains("1 not run: it needs strace")));
    }

    #[test]
    fn a_test_without_a_row_and_a_row_without_a_test_are_errors() {
        let mut more = tests();
        more.push("brand_new::it_works".to_owned());
        let error = select(&more, (6, 1), Machine::Real).unwrap_err().to_string();
        assert!(error.contains("brand_new::it_works"), "{error}");
        let error = select(&tests()[1..], (6, 1), Machine::Real).unwrap_err().to_string();
        assert!(error.contains("called bad_input::*:"), "{error}");
    }

    #[test]
    fn releases_are_read_from_their_names() {
        assert_eq!(release("6.1.0-50-cloud-amd64"), Some((6, 1)));
        assert_eq!(release("7.3.4+deb13-cloud-amd64"), Some((7, 3)));
        assert_eq!(release("nonsense"), None);
    }
}
