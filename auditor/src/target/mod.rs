//! Looks at a process: /proc, ELF, memory. IO, no BPF, no opinion about maps.

pub mod launch;
pub mod memory;
pub mod module;
