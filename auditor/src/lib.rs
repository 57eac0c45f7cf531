//! The auditor, in reading order: [`target`] looks at a process, [`runtimes`] know what a map looks
//! like, [`probes`] see what happens, all of it becomes [`audit::fact`]s; [`audit`] folds them into
//! a [`audit::report::Report`]; [`render`] and [`tui`] draw it; [`recording`] keeps the facts.
//! [`cli`] says what was asked for, [`commands`] does it, [`session`] is the live loop.
//!
//! ARCHITECTURE.md has the picture and the table of who may name whom; `tests/architecture.rs`
//! holds it.

pub mod audit;
pub mod cli;
pub mod commands;
pub mod output;
pub mod probes;
pub mod recording;
pub mod render;
pub mod runtimes;
pub mod session;
pub mod target;
pub mod tui;
