//! The kernel side. The only folder that names aya.
//!
//! `host` says what this kernel offers, `site` where in a function a probe is cheap and safe, `plan`
//! decides, `place` does. `kernel` is the loaded object, `events` the kernel events it listens to,
//! `ring` and `decode` what comes back.

mod bpf;
pub mod btf;
mod code;
pub mod decode;
pub mod events;
pub mod host;
mod image;
pub mod kernel;
pub mod object;
pub mod place;
pub mod plan;
mod programs;
pub mod readiness;
pub mod ring;
pub mod site;
