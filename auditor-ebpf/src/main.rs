//! The BPF programs. Built for `bpfel-unknown-none` by `cargo xtask build`; what they send is in the
//! library of this crate.
//!
//! Programs are named by what they capture and never by a runtime: a hook's attach cookie is the
//! index of the spec that says what to do. Order of reading: `programs/hook.rs`, `capture.rs`,
//! `keep.rs`, `send.rs`, `emit.rs`.
#![no_std]
#![no_main]
#![cfg_attr(target_arch = "bpf", feature(core_intrinsics))]
#![cfg_attr(target_arch = "bpf", expect(internal_features, reason = "see atomic.rs"))]

mod atomic;
mod capture;
mod config;
mod emit;
mod keep;
mod maps;
mod programs;
mod send;
mod stack;
mod thread;

/// Without it the kernel refuses helpers that are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
