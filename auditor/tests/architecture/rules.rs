//! The rules as tables, and the judgement of one file by them. To add a module, a crate or an exception,
//! add a row.

use super::source::Source;

/// A file of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Its path from the root of the workspace.
    pub(crate) name: String,
    /// What it holds.
    pub(crate) source: Source,
}

/// Which modules of the auditor a module may name besides itself. A longer path allows only what lies
/// below it.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("audit", &[]),
    ("target", &["audit::unit", "audit::fact"]),
    ("runtimes", &["audit::unit", "audit::fact", "audit::nearest", "target"]),
    ("probes", &["audit::unit", "audit::fact", "runtimes", "target"]),
    ("recording", &["audit"]),
    ("render", &["audit"]),
    ("tui", &["audit", "render"]),
    ("cli", &["audit::unit", "render"]),
    ("output", &["audit::unit", "cli"]),
    ("session", &["audit", "probes", "recording", "runtimes", "target", "tui"]),
    ("commands", &[EVERYTHING]),
    ("main", &["cli", "commands"]),
    ("lib", &[EVERYTHING]),
];

const EVERYTHING: &str = "";

/// Where in the auditor each external crate may be used.
const MAY_USE: &[(&str, &[&str])] = &[
    ("anyhow", &["commands/", "main.rs"]),
    ("auditor_ebpf", &["probes/", "runtimes/", "session"]),
    ("aya", &["probes/"]),
    ("aya_log", &["probes/"]),
    ("aya_obj", &["probes/"]),
    ("base64", &["render/html/"]),
    ("blazesym", &["target/"]),
    ("bytesize", &[ANYWHERE]),
    ("clap", &["cli/", "commands/completions.rs", "commands/man.rs", "main.rs"]),
    ("clap_mangen", &["commands/man.rs"]),
    ("clap_complete", &["cli/", "commands/completions.rs"]),
    ("cpp_demangle", &["target/elf/"]),
    ("crc32fast", &["recording/", "target/donor/"]),
    ("crossterm", &["tui/"]),
    ("csv", &["render/export/"]),
    ("env_logger", &["commands/", "main.rs"]),
    ("flate2", &["render/"]),
    ("humantime", &[ANYWHERE]),
    ("iced_x86", &["target/", "probes/site/"]),
    ("jiff", &[ANYWHERE]),
    ("libc", &["commands/", "main.rs", "probes/", "session", "target/"]),
    ("log", &[ANYWHERE]),
    ("lz4_flex", &["recording/"]),
    ("lzma_rust2", &["target/donor/"]),
    ("maud", &["render/html/"]),
    ("nix", &["commands/", "main.rs", "output.rs", "probes/", "session", "target/"]),
    ("object", &["target/"]),
    ("postcard", &["recording/"]),
    ("procfs", &["target/"]),
    ("prometheus_client", &["render/export/"]),
    ("prost", &["render/export/"]),
    ("quick_xml", &["render/gate/junit.rs"]),
    ("ratatui", &["tui/"]),
    ("regex", &["audit/gate/", "runtimes/described/"]),
    ("rustc_demangle", &["target/elf/"]),
    ("rustc_hash", &[ANYWHERE]),
    ("serde", &[ANYWHERE]),
    ("serde_json", &["commands/", "render/"]),
    ("sha2", &["render/html/"]),
    ("slab", &["audit/episodes.rs", "audit/here.rs"]),
    ("strsim", &["audit/nearest.rs"]),
    ("thiserror", &[ANYWHERE]),
    ("tokio", &["probes/readiness.rs", "session"]),
    ("toml", &["audit/findings/thresholds.rs", "runtimes/described/profile/"]),
];

const ANYWHERE: &str = "";

/// Where unsafe code may be, and why.
const MAY_BE_UNSAFE: &[(&str, &str)] = &[
    ("auditor/src/probes/", "wire bytes become types, and aya's globals and rings want promises"),
    ("auditor/src/target/launch.rs", "between fork and exec"),
    ("auditor/src/target/memory.rs", "process_vm_readv"),
    ("auditor/src/target/own.rs", "malloc_trim has no safe wrapper"),
    (
        "auditor/src/target/page_map/",
        "PAGEMAP_SCAN and PROCMAP_QUERY have no safe wrapper; the tests map memory of all kinds",
    ),
    ("auditor/src/target/pidfd.rs", "pidfd_open has no safe wrapper"),
    ("auditor-ebpf/", "a BPF program is made of helper calls"),
    ("target-demo/", "its map is built by hand, so that it is laid out as Go's"),
];

/// The most lines of a file, tests not counted: the first row that fits.
const FILE_LINES: &[(&str, usize)] =
    &[("auditor/src/main.rs", 40), ("xtask/src/main.rs", 60), ("auditor-ebpf/src/programs/", 120), ("", 400)];

/// The most lines of a function.
const FUNCTION_LINES: usize = 60;

/// Files and functions (`file: fn name`) that may be longer, with the most lines and the reason.
const LONGER: &[(&str, usize, &str)] = &[
    ("auditor-ebpf/src/lib.rs", 500, "the wire: all that crosses from the kernel, read as a whole"),
    ("auditor/src/audit/fact/mod.rs", 530, "the vocabulary: one list of plain types, read as a whole"),
    (
        "auditor/src/audit/report/mod.rs",
        575,
        "the report: one list of plain types, read beside docs/report.md",
    ),
];

/// What is wrong with a file.
pub(crate) fn judge(file: &File) -> Vec<String> {
    let mut violations = Vec::new();
    if !file.source.has_header {
        violations.push(format!("{}: does not begin with //! and what lives here", file.name));
    }
    if file.source.allows_lints() {
        violations.push(format!("{}: #[allow(...)]; use #[expect(lint, reason = \"...\")]", file.name));
    }
    if file.source.has_word("unsafe") && !MAY_BE_UNSAFE.iter().any(|(place, _)| file.name.starts_with(place))
    {
        violations.push(format!("{}: unsafe code may not be here", file.name));
    }
    violations.extend(lengths(file).into_iter().filter_map(Length::violation));
    if let Some(place) = file.name.strip_prefix("auditor/src/") {
        violations.extend(forbidden_names(file, place));
        violations.extend(forbidden_crates(file, place));
    }
    violations
}

/// The crates among the dependencies that [`MAY_USE`] gives no place.
pub(crate) fn judge_dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let rows = section.lines().take_while(|line| !line.starts_with('['));
    let names = rows.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty());
    names
        .map(|name| name.replace('-', "_"))
        .filter(|name| !MAY_USE.iter().any(|(known, _)| known == name))
        .map(|name| format!("{name} has no row in MAY_USE that says where it may be used"))
        .collect()
}

/// Rows of [`LONGER`] for which the usual limit would do.
pub(crate) fn unneeded_exceptions(files: &[File]) -> Vec<String> {
    let lengths: Vec<Length> = files.iter().flat_map(lengths).collect();
    let needed = |what: &str| lengths.iter().any(|length| length.what == what && length.lines > length.usual);
    LONGER
        .iter()
        .filter(|(what, _, reason)| reason.is_empty() || !needed(what))
        .map(|(what, _, _)| format!("{what}: this exception is not needed, or gives no reason"))
        .collect()
}

fn starts_with_any(name: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| name.starts_with(start))
}

/// The path of the module that a file of the auditor is: `audit/fact.rs` is `[audit, fact]`.
fn module_of(place: &str) -> Vec<String> {
    let path = place.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

fn forbidden_names(file: &File, place: &str) -> Vec<String> {
    let module = module_of(place);
    let own = module.first().map_or("", String::as_str);
    let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == own) else {
        return vec![format!("{}: the module {own} has no row in MAY_NAME", file.name)];
    };
    let paths = file.source.own_paths(&module, "auditor");
    let forbidden = paths.iter().filter(|path| path.first().is_some_and(|first| first != own));
    forbidden
        .map(|path| path.join("::"))
        .filter(|path| !allowed.iter().any(|prefix| lies_below(path, prefix)))
        .map(|path| format!("{}: {own} may not name {path}", file.name))
        .collect()
}

fn lies_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with("::"))
}

fn forbidden_crates(file: &File, place: &str) -> Vec<String> {
    let known: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    let used = file.source.crates(&known);
    let rows = MAY_USE.iter().filter(|(name, places)| used.contains(name) && !starts_with_any(place, places));
    rows.map(|(name, places)| format!("{}: may not use {name}, only {} may", file.name, places.join(", ")))
        .collect()
}

/// How long something is, and how long it may be.
#[derive(Clone, Debug)]
struct Length {
    what: String,
    lines: usize,
    usual: usize,
}

/// The lengths of a file and of its functions.
fn lengths(file: &File) -> Vec<Length> {
    let usual =
        FILE_LINES.iter().find(|(start, _)| file.name.starts_with(start)).map_or(0, |(_, most)| *most);
    let whole = Length { what: file.name.clone(), lines: file.source.lines(), usual };
    let functions = file.source.functions().into_iter().map(|function| Length {
        what: format!("{}: fn {}", file.name, function.name),
        lines: function.lines,
        usual: FUNCTION_LINES,
    });
    [whole].into_iter().chain(functions).collect()
}

impl Length {
    fn violation(self) -> Option<String> {
        let Self { what, lines, usual } = self;
        let most = LONGER.iter().find(|(longer, _, _)| *longer == what).map_or(usual, |(_, most, _)| *most);
        (lines > most).then(|| format!("{what} has {lines} lines, at most {most}"))
    }
}
