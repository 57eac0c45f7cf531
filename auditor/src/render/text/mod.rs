//! The report as an incident note: what holds the memory first, the evidence after it, and at the
//! end how far to trust it. Lines fit the [`Paper`].

mod interval;
pub(super) mod maps;
pub(super) mod memory;
pub(super) mod opening;
mod page;
mod sections;
pub(super) mod trust;
pub(super) mod writers;

use std::io::{self, Write};

use super::style::Paper;
use crate::audit::report::Report;
use page::Page;

pub use interval::interval;

/// The whole note.
///
/// # Errors
/// Those of `out`.
pub fn report(report: &Report, paper: Paper, out: &mut dyn Write) -> io::Result<()> {
    let page = &mut Page::new(paper);
    sections::of(report).iter().for_each(|section| section(report, page));
    out.write_all(page.as_bytes())
}
