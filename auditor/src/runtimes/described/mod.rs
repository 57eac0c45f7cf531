//! Hash maps that a profile describes (docs/profiles.md): what is read of one, and how.
//!
//! [`profile`] reads a description, [`expression`] is its language of numbers, [`layout`] says what a map looks
//! like, [`sizes`] how it grows, [`label`] what it is called, [`windows`] which bytes of it tell that before and
//! after a call. [`Described`] puts them to work on a process: `detect.rs` (is it here), `places.rs` (where its
//! probes go), `arguments.rs` (what they are given there), `hooks.rs` (what they capture), `tell.rs` (what a hit means), `known.rs` (which maps there are),
//! `roots.rs` (which there were), `remarks.rs` (what is to be known of some).

pub mod expression;
pub mod label;
pub mod layout;
pub mod profile;
pub mod sizes;
pub mod windows;

mod arguments;
mod detect;
mod hooks;
mod instance;
mod known;
mod places;
mod remarks;
mod roots;
mod tell;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod hits;

use std::sync::{Arc, LazyLock};

use super::{Instance, Recognised, Runtime};
use crate::target::memory::Memory;
use crate::target::module::Module;
use profile::Profile;
use profile::builtin::BUILTIN;

/// A kind of hash map that a profile describes.
#[derive(Debug)]
pub struct Described {
    profile: Arc<Profile>,
}

impl Described {
    /// By this profile.
    #[must_use]
    pub const fn by(profile: Arc<Profile>) -> Self {
        Self { profile }
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}

/// Those that come with the auditor.
///
/// # Panics
/// Never: a test reads each of them.
pub fn builtin() -> &'static [Arc<Described>] {
    static READ: LazyLock<Vec<Arc<Described>>> = LazyLock::new(|| {
        let read = |(name, text): &(&str, &str)| match profile::parse(text) {
            Ok(profile) => Some(Arc::new(Described::by(Arc::new(profile)))),
            Err(error) => {
                log::error!("the profile {name} that is built in: {error}");
                None
            }
        };
        BUILTIN.iter().filter_map(read).collect()
    });
    &READ
}

impl Runtime for Described {
    fn name(&self) -> &str {
        &self.profile.name
    }

    fn about(&self) -> &str {
        &self.profile.about
    }

    fn recognise(&self, module: &Module, _: &dyn Memory) -> Option<Recognised> {
        let evidence = match detect::recognise(&self.profile, module)? {
            Ok(evidence) => evidence,
            Err(unusable) => return Some(Err(unusable)),
        };
        let instance = instance::DescribedInstance::new(Arc::clone(&self.profile), evidence, module);
        // A path is no evidence: something of what the profile speaks of has to be there.
        (!self.profile.target.symbols.is_empty() || instance.finds_anything()).then(|| {
            let instance: Box<dyn Instance> = Box::new(instance);
            Ok(instance)
        })
    }
}
