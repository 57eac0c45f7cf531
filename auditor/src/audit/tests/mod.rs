//! The core as a whole: facts go in one after the other, the report is looked at. What a part does
//! by itself is tested beside it.
//!
//! Each file is marked as a test by itself, so that it is known for one without its parent.

#[cfg(test)]
mod births;
#[cfg(test)]
mod census;
#[cfg(test)]
mod drawn;
#[cfg(test)]
mod findings;
#[cfg(test)]
mod growths;
#[cfg(test)]
mod hostile;
#[cfg(test)]
pub(super) mod made;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tally;
#[cfg(test)]
mod totals;
