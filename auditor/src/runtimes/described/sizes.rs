//! How a described map grows: its ladder of tables, the next one, and what its entries would need in a map just
//! rebuilt.

use super::expression::{Expression, Scope, Type, Unknown, Value};
use super::profile::{Growth, Metric, Moves, Profile};
use crate::audit::fact::{Next, Sizes, SizesId, Step};
use crate::audit::unit::Bytes;
use crate::target::memory::CapturedMemory;

/// Tables that are told of one kind: as many as the audit keeps.
pub const MOST_RUNGS: usize = 96;

/// One table that a map can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Its slots.
    pub slots: u64,
    /// Entries that it holds before the map asks for the next.
    pub live: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// The values of the fields that a profile's `[sizes]` name; none where it names none. Maps with the same ones
/// are of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SizesKey(pub Vec<i128>);

/// What tells the kind of the map that a scope is of. `None`: a field is not known, or the profile tells no sizes.
#[must_use]
pub fn key(profile: &Profile, scope: &Scope) -> Option<SizesKey> {
    let growth = profile.growth.as_ref()?;
    let values = growth.fields.iter().map(|field| match scope.fields.get(usize::from(*field))? {
        Ok(Value::Int(number)) => Some(*number),
        Ok(Value::Bool(truth)) => Some((*truth).into()),
        Ok(Value::Float(number)) => Some(number.to_bits().into()),
        Err(_) => None,
    });
    values.collect::<Option<_>>().map(SizesKey)
}

/// How maps of one kind are sized. `None`: the profile does not tell, or it cannot be computed for that kind.
#[must_use]
pub fn sizes(profile: &Profile, id: SizesId, key: &SizesKey) -> Option<Sizes> {
    let growth = profile.growth.as_ref()?;
    let scope = scope_of(profile, growth, key)?;
    let rungs = ladder(growth, &scope).ok()?;
    let known = |expression: Option<&Expression>| number(expression?, &scope).ok().map(Bytes);
    let beside = |index: usize| match profile.moves {
        Moves::Linear => Bytes(0),
        Moves::Incremental | Moves::AtOnce => {
            Bytes(index.checked_sub(1).map_or(0, |index| rungs[index].bytes))
        }
    };
    let step = |(index, rung): (usize, &Rung)| Step {
        live: rung.live,
        slots: rung.slots,
        tables: 1,
        bytes: Bytes(rung.bytes),
        spare: 0,
        together: 0,
        beside: Some(beside(index)),
    };
    Some(Sizes {
        id,
        header: known(profile.metric(Metric::Header)).unwrap_or_default(),
        slot: known(growth.slot.as_ref()),
        behind: known(growth.entry.as_ref()).unwrap_or_default(),
        overflow: None,
        listed: Bytes(0),
        steps: rungs.iter().enumerate().map(step).collect(),
    })
}

/// A scope with the fields of a key and nothing else.
fn scope_of(profile: &Profile, growth: &Growth, key: &SizesKey) -> Option<Scope> {
    let mut fields = vec![Err(Unknown::NotGiven); profile.fields.len()];
    for (field, value) in growth.fields.iter().zip(&key.0) {
        let field = usize::from(*field);
        *fields.get_mut(field)? = Ok(match profile.fields[field].expression.kind() {
            Type::Int => Value::Int(*value),
            Type::Bool => Value::Bool(*value != 0),
            Type::Float => Value::Float(f64::from_bits(u64::try_from(*value).ok()?)),
        });
    }
    (growth.fields.len() == key.0.len()).then(|| Scope { fields, ..Scope::default() })
}

/// The tables that a map can have, the smallest first, as far as they can be computed: at least one.
///
/// # Errors
/// [`Unknown`] when not even the first one can.
pub fn ladder(growth: &Growth, scope: &Scope) -> Result<Vec<Rung>, Unknown> {
    if !growth.rungs.is_empty() {
        return Ok(growth.rungs.clone());
    }
    let mut scope = Scope { fields: scope.fields.clone(), ..Scope::default() };
    let mut rungs = vec![rung(growth, &mut scope, growth.first)?];
    while let Some(last) = rungs.last().copied().filter(|_| rungs.len() < MOST_RUNGS) {
        let next = after(growth, &mut scope, last.slots, last.live);
        let Ok(slots) = next.and_then(|slots| rising(slots, last.slots, growth.most)) else { break };
        match rung(growth, &mut scope, slots) {
            Ok(rung) if rung.live >= last.live && rung.bytes >= last.bytes => rungs.push(rung),
            _ => break,
        }
    }
    Ok(rungs)
}

fn rising(slots: u64, before: u64, most: u64) -> Result<u64, Unknown> {
    if slots > before && slots <= most { Ok(slots) } else { Err(Unknown::Overflow) }
}

fn rung(growth: &Growth, scope: &mut Scope, slots: u64) -> Result<Rung, Unknown> {
    scope.slots = Some(slots.into());
    Ok(Rung { slots, live: number(&growth.live, scope)?, bytes: number(&growth.bytes, scope)? })
}

/// Slots after a growth of a table of `slots` that `live` entries ask for.
fn after(growth: &Growth, scope: &mut Scope, slots: u64, live: u64) -> Result<u64, Unknown> {
    scope.slots = Some(slots.into());
    scope.full = Some(live.into());
    number(&growth.next, scope)
}

/// A number that memory is not asked for.
fn number(expression: &Expression, scope: &Scope) -> Result<u64, Unknown> {
    let value = expression.eval(scope, &CapturedMemory::new())?;
    value.word().ok_or(Unknown::Overflow)
}

/// The next growth of a map with so many slots, live entries and tombstones; `None`: not known.
///
/// Tombstones take the room of entries until it grows. A map without a table asks for its first.
#[must_use]
pub fn next(growth: &Growth, scope: &Scope, (slots, live, tombstones): (u64, u64, u64)) -> Option<Next> {
    let mut scope = Scope { fields: scope.fields.clone(), ..Scope::default() };
    if slots == 0 {
        let first = rung(growth, &mut scope, growth.first).ok()?;
        return Some(Next { at_live: live, tables: Bytes(first.bytes), slots: first.slots });
    }
    let full = rung(growth, &mut scope, slots).ok()?.live;
    let at_live = full.saturating_sub(tombstones).max(live);
    let slots = after(growth, &mut scope, slots, at_live).ok().filter(|slots| *slots <= growth.most)?;
    let table = rung(growth, &mut scope, slots).ok()?;
    Some(Next { at_live, tables: Bytes(table.bytes), slots })
}

/// Bytes of the smallest table for so many entries; 0 for none. `None`: not known.
#[must_use]
pub fn table_for(growth: &Growth, scope: &Scope, live: u64) -> Option<Bytes> {
    if live == 0 {
        return Some(Bytes(0));
    }
    let fits = |rungs: &[Rung]| rungs.iter().find(|rung| rung.live >= live).map(|rung| Bytes(rung.bytes));
    match growth.rungs.is_empty() {
        false => fits(&growth.rungs),
        true => fits(&ladder(growth, scope).ok()?),
    }
}
