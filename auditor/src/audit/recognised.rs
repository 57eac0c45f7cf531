//! The runtimes recognised in the target, and the names by which looks refer to them.

use super::fact;
use super::report;

/// How many names are kept apart; a target has one or two.
const MOST: usize = 64;
/// The name where nothing told whose a map is.
const UNKNOWN: &str = "unknown";

/// Runtimes so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Recognised {
    runtimes: Vec<fact::Runtime>,
    names: Vec<String>,
}

/// Which name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RuntimeId(u8);

impl Recognised {
    /// One was recognised, or is now better known.
    pub(super) fn add(&mut self, runtime: &fact::Runtime) {
        let known = self.runtimes.iter_mut().find(|known| known.name == runtime.name);
        if let Some(known) = known {
            known.clone_from(runtime);
        } else if self.runtimes.len() < MOST {
            self.runtimes.push(runtime.clone());
        }
    }

    /// The number of a name; `None` when there are too many.
    pub(super) fn id(&mut self, name: &str) -> Option<RuntimeId> {
        let known = self.names.iter().position(|known| known == name);
        let index = known.or_else(|| {
            let index = Some(self.names.len()).filter(|index| *index < MOST)?;
            self.names.push(name.to_owned());
            Some(index)
        })?;
        u8::try_from(index).ok().map(RuntimeId)
    }

    /// The name of a map's runtime. A map that was never looked at belongs to the only one there is.
    pub(super) fn name(&self, id: Option<RuntimeId>) -> &str {
        match (id, self.runtimes.as_slice()) {
            (Some(id), _) => &self.names[usize::from(id.0)],
            (None, [only]) => &only.name,
            (None, _) => UNKNOWN,
        }
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.runtimes.is_empty()
    }

    /// Whether all layouts passed their self-checks. `None`: some have not been checked, or there
    /// are none.
    pub(super) fn verified(&self) -> Option<bool> {
        let verdicts = || self.runtimes.iter().map(|runtime| runtime.verified);
        if verdicts().any(|verified| verified == Some(false)) {
            return Some(false);
        }
        (!self.is_empty() && verdicts().all(|verified| verified == Some(true))).then_some(true)
    }

    /// For the report, by name.
    pub(super) fn report(&self) -> Vec<report::Runtime> {
        let mut rows: Vec<_> = self.runtimes.iter().map(row).collect();
        rows.sort_by(|one, other| one.name.cmp(&other.name));
        rows
    }
}

fn row(runtime: &fact::Runtime) -> report::Runtime {
    report::Runtime {
        name: runtime.name.clone(),
        version: runtime.version.clone(),
        evidence: runtime.evidence.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(name: &str, verified: Option<bool>) -> fact::Runtime {
        fact::Runtime { name: name.to_owned(), version: None, evidence: "a symbol".to_owned(), verified }
    }

    #[test]
    fn the_later_verdict_stands() {
        let mut recognised = Recognised::default();
        recognised.add(&runtime("demo", None));
        assert_eq!(recognised.verified(), None);
        recognised.add(&runtime("demo", Some(true)));
        assert_eq!(recognised.verified(), Some(true));
        recognised.add(&runtime("other", None));
        assert_eq!(recognised.verified(), None);
        recognised.add(&runtime("other", Some(false)));
        assert_eq!(recognised.verified(), Some(false));
    }

    #[test]
    fn a_map_that_was_never_looked_at_belongs_to_the_only_runtime() {
        let mut recognised = Recognised::default();
        assert_eq!(recognised.name(None), UNKNOWN);
        recognised.add(&runtime("demo", None));
        assert_eq!(recognised.name(None), "demo");
        recognised.add(&runtime("other", None));
        assert_eq!(recognised.name(None), UNKNOWN);
    }
}
