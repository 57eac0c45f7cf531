//! How long attaching to a large program takes: a stripped Go program of a hundred megabytes, in turns with
//! bpftrace on its unstripped twin, where the names are that bpftrace needs.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::attach::{self, Rivals};
use super::child::{Listen, Running};
use super::watcher::{auditor_until_report, bpftrace_on};
use super::{Scope, Show, go};
use crate::toolchain::go as toolchain;
use crate::{process, say, workspace};

/// The name of this part.
pub(crate) const PART: &str = "go-attach";
const LIMIT: Duration = Duration::from_secs(30);
/// The program: so many packages of so many functions of so many statements, and bytes of data.
const PACKAGES: usize = 24;
const FUNCTIONS: usize = 1500;
const STATEMENTS: usize = 3;
const DATA: usize = 88_000_000;
/// What one would follow growths by: they exist in all programs of that release.
const SYMBOLS: &[&str] = &[
    "internal/runtime/maps.(*table).split",
    "runtime.gcStart",
    "runtime.(*mheap).grow",
    "runtime.(*mcache).allocLarge",
];

/// Measures in turns.
pub(crate) fn measure(scope: &Scope, show: Show<'_>) -> Result<()> {
    let step = say::step("a Go program of a hundred megabytes");
    let folder = workspace::target().join("bench/large");
    write_program(&folder)?;
    let (stripped, twin) = (build(&folder, "stripped", &["-ldflags=-s -w"])?, build(&folder, "twin", &[])?);
    let megabytes = fs::metadata(&stripped)?.len() / 1_000_000;
    step.done(format!("{megabytes} MB, {} functions", PACKAGES * FUNCTIONS));
    let [ours, theirs] = [&stripped, &twin].map(|program| start(program));
    let (ours, theirs) = (ours?, theirs?);
    let rivals = Rivals {
        part: PART,
        ours: &|| auditor_until_report(ours.pid()),
        theirs: &|| bpftrace_on(&twin, SYMBOLS, theirs.pid()),
    };
    attach::in_turns(&rivals, scope, show)
}

fn build(folder: &Path, name: &str, flags: &[&str]) -> Result<PathBuf> {
    let program = folder.join(name);
    let mut command = go::command(go::NEWEST)?;
    command.current_dir(folder.join("source")).arg("build").args(flags).arg("-o").args([&program]).arg(".");
    process::output(&mut command)?;
    Ok(program)
}

fn start(program: &Path) -> Result<Running> {
    let mut running = Running::start(&mut Command::new(program), Listen::Stdout)?;
    running.wait_for("ready", LIMIT)?;
    Ok(running)
}

/// Writes its source, unless it is there.
fn write_program(folder: &Path) -> Result<()> {
    toolchain::ensure(toolchain::Which::Usual)?;
    let source = folder.join("source");
    let main = source.join("main.go");
    let text = main_source();
    if fs::read_to_string(&main).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let write = |path: PathBuf, text: &[u8]| {
        fs::create_dir_all(path.parent().unwrap_or(&source))?;
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    write(source.join("go.mod"), b"module large\n\ngo 1.18\n")?;
    write(source.join("data.bin"), &vec![0x5a; DATA])?;
    for package in 0..PACKAGES {
        write(source.join(format!("p{package}/p.go")), package_source(package)?.as_bytes())?;
    }
    write(main, text.as_bytes())
}

/// Functions that the compiler cannot merge or leave out.
fn package_source(package: usize) -> Result<String> {
    let mut text = format!("package p{package}\n\nvar All = []func(a, b uint64, s *[8]uint64) uint64{{\n");
    for function in 0..FUNCTIONS {
        writeln!(text, "\tf{function},")?;
    }
    text.push_str("}\n");
    for function in 0..FUNCTIONS {
        writeln!(text, "\nfunc f{function}(a, b uint64, s *[8]uint64) uint64 {{")?;
        for statement in 0..STATEMENTS {
            let number = (package * FUNCTIONS + function) * STATEMENTS + statement + 1;
            writeln!(text, "\ta = a*{} + b ^ {}", number * 2 + 1, number * 7)?;
            writeln!(text, "\tif a&{} == 0 {{\n\t\ts[a&7] += b\n\t}}", number % 61 + 2)?;
        }
        text.push_str("\treturn a ^ b\n}\n");
    }
    Ok(text)
}

fn main_source() -> String {
    let all = |line: fn(usize) -> String| (0..PACKAGES).map(line).collect::<String>();
    let (imports, tables) = (all(|p| format!("\t\"large/p{p}\"\n")), all(|p| format!("\t\tp{p}.All,\n")));
    format!(
        "package main

import (
\t_ \"embed\"
\t\"fmt\"
\t\"time\"

{imports})

//go:embed data.bin
var data string

func main() {{
\tvar s [8]uint64
\tcounts := map[uint64]uint64{{}}
\tfor _, all := range [][]func(a, b uint64, s *[8]uint64) uint64{{
{tables}\t}} {{
\t\tfor i, f := range all {{
\t\t\tcounts[f(uint64(i), 1, &s)]++
\t\t}}
\t}}
\tfmt.Println(\"ready\", len(counts), len(data))
\tfor {{
\t\ttime.Sleep(time.Hour)
\t}}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_functions_are_alike_and_all_are_listed() {
        let text = package_source(1).unwrap();
        assert_eq!(text.matches("\nfunc f").count(), FUNCTIONS);
        let bodies: std::collections::BTreeSet<&str> = text
            .split("\nfunc f")
            .skip(1)
            .filter_map(|body| body.split_once('('))
            .map(|body| body.1)
            .collect();
        assert_eq!(bodies.len(), FUNCTIONS);
        assert_eq!(main_source().matches(".All,").count(), PACKAGES);
    }
}
