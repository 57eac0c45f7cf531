//! Which bytes of a map must be captured at a probe so that its layout can be evaluated without its memory, and a
//! memory of what was captured.
//!
//! The bytes at `self` come as one block. What lies behind pointers comes as windows of 8 bytes: the whole words
//! that the loads of the profile fall into, so that fields beside each other share one. A word never crosses the
//! end of a page, so reading more of it than the profile asks for cannot fail where less would not.

use std::collections::BTreeSet;

use super::expression::{Chain, Expression, Loads, Name, Start, Step, Width};
use super::profile::{Identity, Metric, Profile};
use crate::audit::unit::Address;
use crate::target::memory::{Memory, ReadError, Request};

/// Most bytes at `self` that are captured as one block.
pub const HEADER: usize = auditor_ebpf::LOOK_BYTES;
/// Bytes of a window.
pub const WINDOW: usize = 8;

/// How much can be captured at a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Whether the bytes at `self` come as one block; if not, they are windows, too.
    pub block: bool,
    /// Windows besides that.
    pub windows: usize,
    /// Loads one behind the other, from `self` on: what the kernel side follows, less those that lead to `self`.
    pub loads: usize,
}

/// What is to be captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// How many bytes at `self`; 0: none.
    pub header: usize,
    /// Windows elsewhere, in an order in which each one's pointers come before it.
    pub windows: Vec<Window>,
    /// The metrics that can be evaluated from these.
    pub metrics: Vec<Metric>,
    /// What cannot, and why.
    pub missing: Vec<(String, Missing)>,
}

/// Why something cannot be evaluated from what is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// It reads at an address that is computed.
    #[error("it reads at an address that is computed")]
    Computed,
    /// More loads one behind the other than the kernel side follows.
    #[error("more loads one behind the other than the kernel side follows")]
    TooDeep,
    /// There is no room for another window.
    #[error("there is no room for another window")]
    NoRoom,
}

/// A word behind pointers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// From `self` to the address of its first byte: the steps load pointers, `add` is the last offset.
    pub chain: Chain,
}

impl Window {
    /// The offsets before each load, the last one that of the window: what a capture of the kernel side takes.
    #[must_use]
    pub fn offsets(&self) -> Vec<i64> {
        self.chain.steps.iter().map(|step| step.offset).chain([self.chain.add]).collect()
    }

    /// The window that bytes at the end of some loads fall into: a whole word, where they do not lie across two.
    fn around(steps: &[Step], offset: i64, len: u8) -> Self {
        let word = offset.div_euclid(WINDOW as i64).saturating_mul(WINDOW as i64);
        let fits = i128::from(offset) + i128::from(len) <= i128::from(word) + WINDOW as i128;
        let add = if fits { word } else { offset };
        Self { chain: Chain { start: Start::Own, steps: steps.to_vec(), add } }
    }
}

impl Windows {
    /// What a profile needs, as far as there is room. What matters most comes first: the metrics as
    /// [`Metric::ALL`] lists them, what tells maps apart, the checks, the label.
    #[must_use]
    pub fn of(profile: &Profile, room: Room) -> Self {
        let chains = profile.chains();
        let plan = Plan { profile, chains: &chains, room };
        let mut windows = Self::default();
        for (metric, _, _) in Metric::ALL {
            if let Some(expression) = profile.metric(*metric)
                && plan.add(&mut windows, metric.text(), expression)
            {
                windows.metrics.push(*metric);
            }
        }
        if let Identity::Table(key) = &profile.identity {
            plan.add(&mut windows, "identity", key);
        }
        for field in profile.growth.iter().flat_map(|growth| &growth.fields) {
            let field = &profile.fields[usize::from(*field)];
            plan.add(&mut windows, &field.name, &field.expression);
        }
        for check in &profile.checks {
            plan.add(&mut windows, &check.text, &check.expression);
        }
        if let Some(expression) = profile.label.as_ref().and_then(|label| label.expression.as_ref()) {
            plan.add(&mut windows, "label", expression);
        }
        windows
    }
}

struct Plan<'a> {
    profile: &'a Profile,
    chains: &'a [Option<Chain>],
    room: Room,
}

impl Plan<'_> {
    /// Adds what an expression needs: all of it or nothing.
    fn add(&self, windows: &mut Windows, what: &str, expression: &Expression) -> bool {
        match self.with(windows, expression) {
            Ok(more) => {
                (windows.header, windows.windows) = more;
                true
            }
            Err(missing) => {
                windows.missing.push((what.to_owned(), missing));
                false
            }
        }
    }

    fn with(&self, windows: &Windows, expression: &Expression) -> Result<(usize, Vec<Window>), Missing> {
        let (mut header, mut more) = (windows.header, windows.windows.clone());
        let loads = self.loads(expression);
        if loads.others || loads.chains.iter().any(|chain| chain.start != Start::Own) {
            return Err(Missing::Computed);
        }
        for chain in &loads.chains {
            if !chain.fits(self.room.loads) {
                return Err(Missing::TooDeep);
            }
            // Each load of the chain is a place whose bytes are needed: the pointers come first.
            for (depth, step) in chain.steps.iter().enumerate() {
                match in_header(depth, step).filter(|_| self.room.block) {
                    Some(end) => header = header.max(end),
                    None => {
                        let window = Window::around(&chain.steps[..depth], step.offset, step.width.bytes());
                        if !more.contains(&window) {
                            more.push(window);
                        }
                    }
                }
            }
        }
        if more.len() > self.room.windows { Err(Missing::NoRoom) } else { Ok((header, more)) }
    }

    /// All loads of an expression, with those of the fields and metrics that it names.
    fn loads(&self, expression: &Expression) -> Loads {
        let mut all = Loads::default();
        let mut seen = BTreeSet::new();
        let mut waiting = vec![expression];
        while let Some(expression) = waiting.pop() {
            let loads = expression.chains(self.chains);
            all.others |= loads.others;
            all.chains.extend(loads.chains);
            for name in expression.names().into_iter().filter(|name| seen.insert(*name)) {
                match name {
                    Name::Field(index) => {
                        waiting.extend(
                            self.profile.fields.get(usize::from(index)).map(|field| &field.expression),
                        );
                    }
                    Name::Metric(metric) => waiting.extend(self.profile.metric(metric)),
                    _ => {}
                }
            }
        }
        all
    }
}

/// Where a load of `self` ends within the block of bytes there, up to a whole word. `None`: it is not in it.
fn in_header(depth: usize, step: &Step) -> Option<usize> {
    let end = usize::try_from(step.offset).ok()?.checked_add(usize::from(step.width.bytes()))?;
    (depth == 0 && end <= HEADER).then(|| end.next_multiple_of(WINDOW))
}

/// A memory of what was captured at one moment. All else cannot be read: it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pieces: Vec<(u64, Vec<u8>)>,
}

impl Snapshot {
    /// From the bytes at `own`, and the values of the windows in their order (`None`: it could not be read). Where
    /// a window is, the pointers say that were captured with it.
    #[must_use]
    pub fn new(windows: &Windows, own: Address, header: Option<&[u8]>, values: &[Option<u64>]) -> Self {
        let mut snapshot = Self::default();
        let header = header.map(|bytes| &bytes[..bytes.len().min(windows.header)]);
        snapshot.pieces.extend(header.map(|bytes| (own.0, bytes.to_vec())));
        for (window, value) in windows.windows.iter().zip(values) {
            let at = snapshot.address(&window.chain, own.0);
            let piece = at.zip(*value).map(|(at, value)| (at, value.to_le_bytes().to_vec()));
            snapshot.pieces.extend(piece);
        }
        snapshot
    }

    fn address(&self, chain: &Chain, own: u64) -> Option<u64> {
        let mut at = own;
        for step in &chain.steps {
            let mut word = [0; 8];
            debug_assert!(matches!(step.width, Width::U64 | Width::I64 | Width::F64));
            self.read(Address(at.checked_add_signed(step.offset)?), &mut word).ok()?;
            at = u64::from_le_bytes(word);
        }
        at.checked_add_signed(chain.add)
    }

    fn byte(&self, at: u64) -> Option<u8> {
        let of = |(start, bytes): &(u64, Vec<u8>)| {
            bytes.get(usize::try_from(at.checked_sub(*start)?).ok()?).copied()
        };
        self.pieces.iter().find_map(of)
    }
}

impl Memory for Snapshot {
    fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
        let error = ReadError::NotCaptured { at, len: into.len() };
        for (offset, byte) in (0..).zip(into) {
            let value = at.plus(offset).and_then(|at| self.byte(at.0));
            *byte = value.ok_or_else(|| error.clone())?;
        }
        Ok(())
    }
}

/// Memory with some bytes of it at hand already: they are read from there, all else from what lies beneath.
#[derive(Clone, Copy)]
pub struct Overlay<'a> {
    /// Where the bytes are from.
    pub at: Address,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where all else is read; `None`: it cannot be.
    pub beneath: Option<&'a dyn Memory>,
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay")
            .field("at", &self.at)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl Overlay<'_> {
    /// The bytes from `at` on, where all of them are at hand.
    fn at_hand(&self, at: Address, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(at.0.checked_sub(self.at.0)?).ok()?;
        self.bytes.get(start..start.checked_add(len)?)
    }
}

impl Memory for Overlay<'_> {
    fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
        match (self.at_hand(at, into.len()), self.beneath) {
            (Some(bytes), _) => {
                into.copy_from_slice(bytes);
                Ok(())
            }
            (None, Some(beneath)) => beneath.read(at, into),
            (None, None) => Err(ReadError::NotCaptured { at, len: into.len() }),
        }
    }

    fn read_many(&self, requests: &mut [Request<'_>]) -> Vec<Result<(), ReadError>> {
        match self.beneath {
            Some(beneath) if !requests.iter().any(|it| self.at_hand(it.at, it.into.len()).is_some()) => {
                beneath.read_many(requests)
            }
            _ => requests.iter_mut().map(|request| self.read(request.at, request.into)).collect(),
        }
    }
}
