//! The profiles that come with the auditor: one row each.

/// File name and text of each.
pub const BUILTIN: &[(&str, &str)] = &[];
