//! The core as a whole: facts go in one after the other, the report is looked at. What a part does
//! by itself is tested beside it.

mod births;
mod growths;
mod hostile;
mod made;
mod simulated;
mod totals;
