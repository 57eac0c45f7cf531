//! The kernel tier: the released programs from outside, with real probes in this kernel, held against
//! what the targets say of themselves and what other observers (strace, /proc) see. Needs root, and
//! gcc, strace, tmux, Go toolchains and the readers of exports for some tests. `cargo xtask test` runs it, one
//! test at a time.
//!
//! `harness/` starts programs and ends them again and compares reports with truths; `fixtures/` are
//! small C programs with the symbols of docs/demo-map.md that do what target-demo never does. Every
//! other file is one subject.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod allocator;
mod bad_input;
mod census;
mod changes;
mod comes_back;
mod described;
mod doctor;
mod exact;
mod exit;
mod exports;
mod fallback;
mod findings;
mod forecast_go;
mod gate;
mod generic;
mod go;
mod go_kinds;
mod go_program;
mod go_twins;
mod go_writers;
mod governor;
mod harmless;
mod harness;
mod limits;
mod midrun;
mod places;
mod promptness;
mod replay;
mod resident;
mod ring;
mod rss;
mod screen;
mod stopped;
mod syscalls;
mod whatif;
