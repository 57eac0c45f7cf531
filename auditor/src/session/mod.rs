//! The live loop.
pub mod governor;
pub mod sampler;
pub mod translate;
