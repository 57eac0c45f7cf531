//! Which two reports are held against each other.

use std::path::PathBuf;

use super::Output;
use crate::cli::args::Format;
use crate::cli::comparing::{self, DiffFormat};

/// Tell two reports apart, map by map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// A recording or a report.
    pub before: PathBuf,
    /// A later one, or one of a changed program.
    pub after: PathBuf,
    /// How it looks, and where it goes: [`Format::Text`] or [`Format::Json`].
    pub output: Output,
    /// Maps that the text lists.
    pub rows: usize,
}

impl Diff {
    pub(super) fn new(args: comparing::Diff) -> Self {
        let format = match args.format {
            DiffFormat::Text => Format::Text,
            DiffFormat::Json => Format::Json,
        };
        let output = Output::new(format, args.output);
        Self { before: args.before, after: args.after, output, rows: args.rows.top as usize }
    }
}
