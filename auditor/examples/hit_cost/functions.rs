//! The functions that are probed: nothing but the instruction that the probe sits on and a way out,
//! so that a call costs a nanosecond or two and a hit is all that is measured.

use std::arch::naked_asm;

/// A probed function.
pub(crate) type Function = extern "C" fn(u64);

/// One class of probe sites.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    /// What it is called in the results.
    pub(crate) name: &'static str,
    /// The symbol to probe.
    pub(crate) symbol: &'static str,
    /// The same, to call.
    pub(crate) function: Function,
    /// Calls of one measurement: some 20 ms with a probe.
    pub(crate) calls: u64,
    /// Whether the return is probed, too.
    pub(crate) pair: bool,
}

/// All of them.
pub(crate) static CLASSES: [Class; 6] = [
    Class { name: "nop", symbol: "hit_cost_nop", function: hit_cost_nop, calls: 40_000, pair: false },
    Class { name: "push", symbol: "hit_cost_push", function: hit_cost_push, calls: 40_000, pair: false },
    Class { name: "jmp", symbol: "hit_cost_jmp", function: hit_cost_jmp, calls: 40_000, pair: false },
    Class { name: "jcc", symbol: "hit_cost_jcc", function: hit_cost_jcc, calls: 40_000, pair: false },
    Class { name: "single step", symbol: "hit_cost_sub", function: hit_cost_sub, calls: 5_000, pair: false },
    Class {
        name: "nop and return",
        symbol: "hit_cost_nop",
        function: hit_cost_nop,
        calls: 20_000,
        pair: true,
    },
];

#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn hit_cost_nop(_key: u64) {
    naked_asm!("nop", "ret")
}

#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn hit_cost_push(_key: u64) {
    naked_asm!("push rbp", "pop rbp", "ret")
}

#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn hit_cost_jmp(_key: u64) {
    naked_asm!("jmp 2f", "2: ret")
}

#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn hit_cost_jcc(_key: u64) {
    naked_asm!("jne 2f", "2: ret")
}

#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn hit_cost_sub(_key: u64) {
    naked_asm!("sub rsp, 8", "add rsp, 8", "ret")
}
