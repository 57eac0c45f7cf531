//! The kernel side. The only folder that names aya.

pub mod btf;
pub mod decode;
pub mod events;
pub mod host;
pub mod kernel;
mod multi;
pub mod object;
pub mod place;
pub mod plan;
pub mod ring;
