//! Profiles, right and wrong.
