//! A report of some of the maps only: those that filters mean.

use std::collections::BTreeSet;

use super::filter::{Filter, means_crowd, means_map};
use super::parse::{self, ParseError};
use crate::audit::report::Report;

/// Which maps are wanted; by default all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection(Vec<Filter>);

impl Selection {
    /// Those that all filters fit. Each text has one or several, separated by commas.
    ///
    /// # Errors
    /// [`ParseError`], with the column.
    pub fn of(texts: &[String]) -> Result<Self, ParseError> {
        let filters: Vec<_> = texts.iter().map(|text| parse::filters(text)).collect::<Result<_, _>>()?;
        Ok(Self(filters.concat()))
    }

    /// Leaves out of a report maps that are known not to fit, with their growths and findings. What is of the
    /// whole process stays as it is.
    pub fn apply(&self, report: &mut Report) {
        if self.0.is_empty() {
            return;
        }
        let (maps, crowds) = (report.maps.len(), report.populations.len());
        let mut others = BTreeSet::new();
        report.maps.retain(|map| {
            let is_wanted = means_map(&self.0, map) != Some(false);
            if !is_wanted {
                others.insert(map.place());
            }
            is_wanted
        });
        // A place may have been that of several maps.
        for map in &report.maps {
            others.remove(&map.place());
        }
        report.populations.retain(|crowd| means_crowd(&self.0, crowd) != Some(false));
        report.episodes.retain(|episode| !others.contains(&episode.place()));
        report.findings.retain(|finding| finding.place().is_none_or(|map| !others.contains(&map)));
        report.coverage.notes.push(format!(
            "--filter shows {} of {maps} maps and {} of {crowds} kinds of small maps; memory and events are of all",
            report.maps.len(),
            report.populations.len(),
        ));
    }
}
