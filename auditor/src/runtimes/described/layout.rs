//! What a described map looks like: its fields, checks and metrics, on live memory or on what was captured. One
//! evaluator serves both.

use super::expression::{Expression, Name, Scope, Unknown, Value};
use super::profile::{Check, Identity, MOST_SLOTS, Metric, Profile};
use super::sizes::{self, SizesKey};
use crate::audit::fact::{Next, Progress, Shape, SizesId};
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::LayoutError;
use crate::target::memory::Memory;

/// What errors call it.
const WHAT: &str = "the described map";

/// What could be said of a map at one moment. `None`: not known, or the profile does not tell; never 0 for that.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Entries that a lookup could find.
    pub live: Option<u64>,
    /// Buckets of the current table.
    pub buckets: Option<u64>,
    /// Slots of the current table.
    pub capacity: Option<u64>,
    /// Slots that are empty but may not be reused freely.
    pub tombstones: Option<u64>,
    /// Overflow buckets in use.
    pub overflow: Option<u64>,
    /// The current table: `Some(Address(0))` says that there is none.
    pub table: Option<Address>,
    /// Its bytes.
    pub table_bytes: Option<Bytes>,
    /// The old table: `Some(Address(0))` says that there is none.
    pub old_table: Option<Address>,
    /// Its bytes.
    pub old_bytes: Option<Bytes>,
    /// Bytes of the map's own header.
    pub header: Option<Bytes>,
    /// Bytes of its entries that are allocated one by one: part of all that it holds.
    pub entries: Option<Bytes>,
    /// Bytes of its entries that it does not hold itself.
    pub behind: Option<Bytes>,
    /// All bytes it holds.
    pub allocated: Option<Bytes>,
    /// What it would hold had it just been rebuilt.
    pub needed: Option<Bytes>,
    /// Old buckets moved and in all, while it evacuates.
    pub evacuation: Option<Progress>,
    /// Whether it says of itself that it is dropped.
    pub dropped: Option<bool>,
    /// Its next growth.
    pub next: Option<Next>,
    /// What tells its kind of sizes from others of the profile.
    pub kind: Option<SizesKey>,
    /// Texts of the checks that could not be evaluated here.
    pub unchecked: Vec<String>,
}

/// A map that was looked at.
#[derive(Clone, Debug)]
pub struct Look {
    /// For the report. `sizes` is number 0 where all maps of the profile are of one kind, else none.
    pub shape: Shape,
    /// In full.
    pub figures: Figures,
    /// `self`, the fields and metrics, so that label, identity and what a probe tells can be evaluated.
    pub scope: Scope,
}

/// A map, and what is known of it before it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `self`.
    pub own: Address,
    /// Bytes of an element; 0: not to be found.
    pub element: Option<u64>,
}

impl From<Address> for Seen {
    fn from(own: Address) -> Self {
        Self { own, element: None }
    }
}

/// Looks at a map. All checks must hold; live entries, capacity and bytes must be known.
///
/// # Errors
/// [`LayoutError`] names the check that failed, with the values in it.
pub fn look(profile: &Profile, map: impl Into<Seen>, memory: &dyn Memory) -> Result<Look, LayoutError> {
    let map = map.into();
    let (figures, scope) = figures(profile, map, memory)?;
    let reader = Reader { profile, own: map.own, scope: &scope, memory };
    for check in profile.checks.iter().filter(|check| figures.unchecked.contains(&check.text)) {
        // It is evaluated again for the reason alone.
        if let Err(unknown) = check.expression.eval(&scope, memory) {
            return Err(reader.not_known(&format!("whether {}", check.text), unknown));
        }
    }
    let live = reader.required(Metric::Live, figures.live)?;
    let capacity = reader.required(Metric::Capacity, figures.capacity)?;
    let allocated = reader.required(Metric::Allocated, figures.allocated)?;
    let address = |table: Option<Address>| table.filter(|at| at.0 != 0);
    let one_kind = profile.growth.as_ref().is_some_and(|growth| growth.fields.is_empty());
    let shape = Shape {
        live,
        capacity,
        tombstones: figures.tombstones,
        overflow: figures.overflow,
        table: address(figures.table),
        old_table: address(figures.old_table),
        allocated,
        old_bytes: figures.old_bytes.unwrap_or_default(),
        entries: figures.entries.unwrap_or_default(),
        behind: figures.behind.unwrap_or_default(),
        needed: figures.needed,
        evacuation: figures.evacuation,
        counted: None,
        dropped: figures.dropped.unwrap_or(false),
        next: figures.next,
        sizes: one_kind.then_some(SizesId(0)),
    };
    Ok(Look { shape, figures, scope })
}

/// Looks at what is at hand of a map: what is not known is left out. A check that fails is an error, one that
/// cannot be evaluated is told.
///
/// # Errors
/// [`LayoutError`] names the check that failed, with the values in it.
pub fn figures(
    profile: &Profile,
    map: impl Into<Seen>,
    memory: &dyn Memory,
) -> Result<(Figures, Scope), LayoutError> {
    let map = map.into();
    let scope = scope(profile, map, memory);
    let reader = Reader { profile, own: map.own, scope: &scope, memory };
    let unchecked = reader.check()?;
    let mut figures = reader.figures()?;
    figures.unchecked = unchecked;
    Ok((figures, scope))
}

/// The map's fields and metrics, as far as they can be read.
#[must_use]
pub fn scope(profile: &Profile, map: impl Into<Seen>, memory: &dyn Memory) -> Scope {
    let map = map.into();
    let mut scope = Scope { element: map.element, ..Scope::of_map(map.own.0) };
    for field in &profile.fields {
        let value = field.expression.eval(&scope, memory);
        scope.fields.push(value);
    }
    for (metric, expression) in &profile.metrics {
        let value = expression.eval(&scope, memory);
        scope.metrics.insert(*metric, value);
    }
    scope
}

/// Bytes of an element as its block says, for a scope whose other fields are read. `None`: the profile does not ask,
/// or no block answers.
#[must_use]
pub fn element(profile: &Profile, scope: &Scope, memory: &dyn Memory) -> Option<u64> {
    let field = profile.fields.get(usize::from(profile.element?))?;
    field.expression.eval(scope, memory).ok()?.word().filter(|size| *size > 0)
}

/// The same of a scope that has it.
#[must_use]
pub fn element_of(profile: &Profile, scope: &Scope) -> Option<u64> {
    let value = scope.fields.get(usize::from(profile.element?))?.as_ref().ok()?;
    value.word().filter(|size| *size > 0)
}

/// The address that is the map's identity: its own, or its table's. `None`: not known, or it has no table.
#[must_use]
pub fn identity(profile: &Profile, scope: &Scope, memory: &dyn Memory) -> Option<Address> {
    match &profile.identity {
        Identity::Map => scope.own.map(Address),
        Identity::Table(key) => key.eval(scope, memory).ok()?.word().filter(|at| *at != 0).map(Address),
    }
}

struct Reader<'a> {
    profile: &'a Profile,
    own: Address,
    scope: &'a Scope,
    memory: &'a dyn Memory,
}

impl Reader<'_> {
    fn fails(&self, check: String) -> LayoutError {
        LayoutError::Check { what: WHAT, at: self.own, check: format!("{}: {check}", self.profile.name) }
    }

    fn not_known(&self, what: &str, unknown: Unknown) -> LayoutError {
        match unknown {
            Unknown::Unreadable(error) => LayoutError::Unreadable { what: WHAT, error },
            other => self.fails(format!("{what} is not known: {other}")),
        }
    }

    /// All checks; the texts of those that cannot be evaluated.
    fn check(&self) -> Result<Vec<String>, LayoutError> {
        let mut unchecked = Vec::new();
        for check in &self.profile.checks {
            match check.expression.eval(self.scope, self.memory).map(Value::truth) {
                Ok(Some(true)) => {}
                Ok(_) => return Err(self.failed(check)),
                Err(_unknown) => unchecked.push(check.text.clone()),
            }
        }
        Ok(unchecked)
    }

    fn failed(&self, check: &Check) -> LayoutError {
        let values: Vec<String> = self.values(&check.expression);
        let with = if values.is_empty() { String::new() } else { format!(", with {}", values.join(", ")) };
        self.fails(format!("not so: {} ({}){with}", check.text, check.source))
    }

    /// The values of fields and metrics that an expression names.
    fn values(&self, expression: &Expression) -> Vec<String> {
        let value = |name: Name| match name {
            Name::Field(index) => {
                let field = self.profile.fields.get(usize::from(index))?;
                let value = self.scope.fields.get(usize::from(index))?.as_ref().ok()?;
                Some(format!("{} = {value}", field.name))
            }
            Name::Metric(metric) => {
                Some(format!("{} = {}", metric.text(), self.scope.metrics.get(&metric)?.as_ref().ok()?))
            }
            _ => None,
        };
        expression.names().into_iter().filter_map(value).collect()
    }

    fn required<T>(&self, metric: Metric, value: Option<T>) -> Result<T, LayoutError> {
        value.ok_or_else(|| match self.scope.metrics.get(&metric) {
            Some(Err(unknown)) => self.not_known(metric.text(), unknown.clone()),
            _ => self.fails(format!("{} is not known", metric.text())),
        })
    }

    /// A metric; an error where it is no number that could be one.
    fn number(&self, metric: Metric) -> Result<Option<u64>, LayoutError> {
        let Some(Ok(value)) = self.scope.metrics.get(&metric) else { return Ok(None) };
        let is_address = matches!(metric, Metric::Table | Metric::OldTable);
        let most = if is_address { u64::MAX } else { MOST_SLOTS };
        match value.word().filter(|word| *word <= most) {
            Some(word) => Ok(Some(word)),
            None => Err(self.fails(format!("{} cannot be {value}", metric.text()))),
        }
    }

    fn figures(&self) -> Result<Figures, LayoutError> {
        let bytes = |metric| Ok::<_, LayoutError>(self.number(metric)?.map(Bytes));
        let address = |metric| Ok::<_, LayoutError>(self.number(metric)?.map(Address));
        let mut figures = Figures {
            live: self.number(Metric::Live)?,
            buckets: self.number(Metric::Buckets)?,
            capacity: self.number(Metric::Capacity)?,
            tombstones: self.number(Metric::Tombstones)?,
            overflow: self.number(Metric::Overflow)?,
            table: address(Metric::Table)?,
            table_bytes: bytes(Metric::TableBytes)?,
            old_table: address(Metric::OldTable)?,
            old_bytes: bytes(Metric::OldBytes)?,
            header: bytes(Metric::Header)?,
            entries: bytes(Metric::Entries)?,
            behind: bytes(Metric::Behind)?,
            allocated: bytes(Metric::Allocated)?,
            needed: bytes(Metric::Needed)?,
            evacuation: self.evacuation()?,
            dropped: self.scope.metrics.get(&Metric::Dropped).and_then(|value| value.as_ref().ok()?.truth()),
            ..Figures::default()
        };
        if figures.old_bytes > figures.allocated && figures.allocated.is_some() {
            return Err(self.fails("the old table is larger than all of the map".to_owned()));
        }
        if figures.entries > figures.allocated && figures.allocated.is_some() {
            return Err(self.fails("the entries are larger than all of the map".to_owned()));
        }
        self.foresee(&mut figures);
        Ok(figures)
    }

    fn evacuation(&self) -> Result<Option<Progress>, LayoutError> {
        let (moved, total) = (self.number(Metric::Moved)?, self.number(Metric::Total)?);
        match (moved, total) {
            (Some(moved), Some(total)) if total > 0 && moved > total => {
                Err(self.fails(format!("{moved} of {total} old buckets cannot have moved")))
            }
            (Some(moved), Some(total)) if total > 0 => Ok(Some(Progress { moved, total })),
            _ => Ok(None),
        }
    }

    /// What follows from how it grows.
    fn foresee(&self, figures: &mut Figures) {
        let Some(growth) = &self.profile.growth else { return };
        figures.kind = sizes::key(self.profile, self.scope);
        let (Some(slots), Some(live)) = (figures.capacity, figures.live) else { return };
        // A metric that the profile has but that is not known makes the forecast unknown too.
        let has_tombstones = self.profile.metric(Metric::Tombstones).is_some();
        let tombstones = if has_tombstones { figures.tombstones } else { Some(0) };
        figures.next = tombstones.and_then(|dead| sizes::next(growth, self.scope, (slots, live, dead)));
        if self.profile.metric(Metric::Needed).is_none() {
            let parts = figures.header.zip(figures.entries).zip(sizes::table_for(growth, self.scope, live));
            figures.needed = parts.map(|((header, entries), table)| header + table + entries);
        }
    }
}
