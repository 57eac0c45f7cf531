//! What a profile says is to be known of some maps: told once, with a few of their names.

use super::expression::{Scope, Value};
use super::label::{self, Called};
use super::profile::Profile;
use crate::audit::unit::Address;
use crate::target::memory::Memory;

/// Maps that are named with a remark.
const NAMED: usize = 3;

/// Which maps the remarks of a profile are about.
#[derive(Debug)]
pub(super) struct Remarks<'a> {
    profile: &'a Profile,
    /// For each of them: how many maps, and the first ones' names.
    about: Vec<(usize, Vec<String>)>,
}

impl<'a> Remarks<'a> {
    pub(super) fn of(profile: &'a Profile) -> Self {
        Self { profile, about: vec![(0, Vec::new()); profile.notes.len()] }
    }

    /// A map was looked at.
    pub(super) fn take(&mut self, scope: &Scope, own: Address, memory: &dyn Memory) {
        for (note, (count, names)) in self.profile.notes.iter().zip(&mut self.about) {
            if note.expression.eval(scope, memory).ok().and_then(Value::truth) != Some(true) {
                continue;
            }
            *count += 1;
            if names.len() < NAMED {
                names.push(match label::called(self.profile, scope, memory) {
                    Some(Called::Text(name)) => name,
                    _ => own.to_string(),
                });
            }
        }
    }

    /// What there is to be told.
    pub(super) fn told(&self) -> impl Iterator<Item = String> {
        let about = self.profile.notes.iter().zip(&self.about).filter(|(_, (count, _))| *count > 0);
        about.map(|(note, (count, names))| {
            let more = if *count > names.len() { ", ..." } else { "" };
            format!("{}: {}{more}: {}", self.profile.name, names.join(", "), note.text)
        })
    }
}
