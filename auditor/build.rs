//! Puts the BPF object into `OUT_DIR/auditor.bpf.o`, where `probes/object.rs` includes it.
//!
//! It never builds it: `cargo xtask build` does, with a compiler of its own (docs/decisions/0001).
//! `AUDITOR_EBPF_OBJECT` names another object than `target/ebpf/auditor.bpf.o`.
//! `AUDITOR_SKIP_EBPF=1` puts an empty one there and sets `cfg(no_ebpf_object)`, so that lints, tests
//! and documentation need no BPF toolchain; the program then says so when it is to attach.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// ELF, 64 bits, little-endian.
const ELF64_LE: [u8; 6] = [0x7f, b'E', b'L', b'F', 2, 1];
/// `e_machine` at this offset of the ELF header.
const MACHINE_AT: usize = 18;
/// `EM_BPF`, little-endian.
const BPF: [u8; 2] = [247, 0];

fn main() {
    say("rustc-check-cfg", "cfg(no_ebpf_object)");
    say("rerun-if-changed", "build.rs");
    for name in ["AUDITOR_EBPF_OBJECT", "AUDITOR_SKIP_EBPF"] {
        say("rerun-if-env-changed", name);
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("auditor.bpf.o");
    if env::var_os("AUDITOR_SKIP_EBPF").is_some_and(|value| value == "1") {
        say("rustc-cfg", "no_ebpf_object");
        fs::write(&out, []).expect("OUT_DIR is writable");
        return;
    }
    if let Err(problem) = embed(&out) {
        say("error", problem);
    }
}

/// Checks the object and copies it.
fn embed(out: &Path) -> Result<(), String> {
    // From this package's folder, where cargo runs it: a target folder may have been copied from where it
    // was built, and would go on looking there.
    let workspace = Path::new("..");
    let usual = workspace.join("target/ebpf/auditor.bpf.o");
    let object = env::var_os("AUDITOR_EBPF_OBJECT").map_or(usual, PathBuf::from);
    say("rerun-if-changed", object.display());
    let bytes = fs::read(&object).map_err(|error| {
        format!("the BPF object is missing: run `cargo xtask build` ({}: {error})", object.display())
    })?;
    check(&bytes).map_err(|problem| format!("{} {problem}: run `cargo xtask build`", object.display()))?;
    warn_if_old(&object, &workspace.join("auditor-ebpf"));
    fs::write(out, bytes).map_err(|error| format!("writing {}: {error}", out.display()))
}

/// Whether this is a BPF object for a little-endian machine.
fn check(bytes: &[u8]) -> Result<(), &'static str> {
    if !bytes.starts_with(&ELF64_LE) {
        return Err("is no 64-bit little-endian ELF file");
    }
    if bytes.get(MACHINE_AT..MACHINE_AT + BPF.len()) != Some(&BPF[..]) {
        return Err("is an ELF file, but not for BPF");
    }
    Ok(())
}

/// Warns when the sources have changed since the object was made.
fn warn_if_old(object: &Path, sources: &Path) {
    say("rerun-if-changed", sources.display());
    if newest(object) < newest(sources) {
        say("warning", "the BPF object is older than its sources: run `cargo xtask build`");
    }
}

/// When the file, or the newest file in the folder, was changed.
fn newest(path: &Path) -> Option<SystemTime> {
    if !path.is_dir() {
        return fs::metadata(path).and_then(|about| about.modified()).ok();
    }
    let entries = fs::read_dir(path).ok()?;
    entries.filter_map(|entry| newest(&entry.ok()?.path())).max()
}

/// An instruction to cargo.
fn say(what: &str, value: impl std::fmt::Display) {
    println!("cargo::{what}={value}");
}
