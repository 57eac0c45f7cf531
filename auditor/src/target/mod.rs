//! Looks at a process: /proc, ELF, memory. IO, no BPF, no opinion about maps.
//!
//! Reading order: [`process`] (is it there, may we look), [`maps`] and [`module`] (which files it
//! executes, where), [`elf`] (what is in a file), [`memory`] (what is in its memory), [`usage`] and
//! [`cgroup`] (how much it holds and may hold), [`family`] (its children, and what they share), [`symbolise`] (what its addresses are called),
//! [`page_map`] (what of it is in RAM), [`allocator`], [`arenas`] and [`block`] (whose `malloc` it has, what glibc's holds, and how long a block of it is), [`own`] (what the auditor itself costs), [`launch`] (a program held before its first instruction).
//!
//! `parse_*` understand text or bytes and touch nothing; `open_*` take the directory where proc is
//! mounted and call them, so tests build a /proc of their own.

pub mod allocator;
pub mod arenas;
pub mod arrivals;
pub mod block;
pub mod cgroup;
pub mod donor;
pub mod elf;
pub mod family;
pub mod faults;
pub mod go;
pub mod launch;
pub mod maps;
pub mod memory;
pub mod module;
pub mod own;
pub mod packages;
pub mod page_map;
pub mod pidfd;
pub mod pressure;
pub mod proc;
pub mod process;
pub mod symbolise;
pub mod usage;
