//! Go's maps: the classic ones with buckets (to 1.23) and the Swiss ones (from 1.24), by what the
//! runtime keeps in memory alone.

pub mod bucket;
pub mod census;
pub mod cost;
pub mod debug;
pub mod gather;
pub mod gc;
pub mod hands;
pub mod heap;
pub mod held;
pub mod hooks;
pub mod instance;
#[cfg(test)]
pub(crate) mod made;
pub mod owners;
pub mod places;
pub mod ranges;
pub mod reader;
pub mod scan;
mod scavenger;
pub mod sizes;
pub mod swiss;
pub mod types;
pub mod writers;

/// Which maps a Go program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Buckets with overflow chains (src/runtime/map.go, to 1.23).
    Bucket,
    /// Swiss tables (src/internal/runtime/maps, from 1.24).
    Swiss,
}
