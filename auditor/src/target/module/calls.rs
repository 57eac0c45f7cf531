//! What a function calls: where, and what is there. By this a function without a name is found by its
//! callers, and the moment in a function at which something happens by the call that does it.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::{Module, ModuleError, Symbol};
use crate::audit::unit::Address;
use crate::target::elf::{Form, Linkage, Slot};
use crate::target::module::Named;

/// Most bytes of a function that are looked at.
const BODY: u64 = 1 << 20;
/// Most calls of a function that are listed.
const CALLS: usize = 1 << 16;
/// Bytes of the longest stub that leads to another file: `endbr64; bnd jmp [rip+n]`, padded.
const STUB: usize = 16;

/// What a function calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// In the order of their places.
    pub all: Vec<Call>,
    /// Whether the whole function could be decoded.
    pub is_complete: bool,
}

/// A call, or the jump at the end of a function that is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Bytes from the function's start to the instruction.
    pub offset: u64,
    /// With which instruction.
    pub kind: CallKind,
    /// What is called.
    pub callee: Callee,
}

/// With which instruction a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// `call`: it comes back.
    Call,
    /// `jmp`: it returns to the caller's caller.
    TailJump,
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A function of the same file.
    Here {
        /// What it is called; `None`: it has no name.
        name: Option<String>,
        /// Where it is; its size may be known without its name.
        symbol: Symbol,
    },
    /// A function of another file.
    Elsewhere {
        /// What it is called.
        name: String,
    },
}

/// Why a place that is named by a call is not found.
#[derive(Debug, thiserror::Error)]
pub enum CallsError {
    /// The function that calls.
    #[error("{file} has no function {name}: it is of another version, or stripped")]
    NoFunction {
        /// Of which file.
        file: String,
        /// Which function.
        name: String,
    },
    /// Its end.
    #[error("where {name} of {file} ends is not known, so what it calls is not")]
    NoEnd {
        /// Of which file.
        file: String,
        /// Which function.
        name: String,
    },
    /// Its bytes.
    #[error("the code of {name} cannot be read: {error}")]
    Unreadable {
        /// Which function.
        name: String,
        /// Why.
        error: String,
    },
    /// It calls less than that.
    #[error("{name} of {file} has {count} calls that leave it, so none of number {nth} (counted from 0)")]
    TooFew {
        /// Of which file.
        file: String,
        /// Which function.
        name: String,
        /// How many there are.
        count: usize,
        /// Which was wanted.
        nth: usize,
    },
    /// It does not call that often.
    #[error("{name} of {file} calls {callee} {count} times, so none is number {nth} (counted from 0)")]
    NotCalled {
        /// Of which file.
        file: String,
        /// Which function.
        name: String,
        /// What it should call.
        callee: String,
        /// How often it does.
        count: usize,
        /// Which was wanted.
        nth: usize,
    },
    /// The callee is in another file.
    #[error("call {nth} of {name} of {file} leads to {callee} of another file: name that one")]
    Elsewhere {
        /// Of which file.
        file: String,
        /// Which function.
        name: String,
        /// Which of its calls.
        nth: usize,
        /// What it calls.
        callee: String,
    },
}

/// A call within a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// The function.
    pub function: Named,
    /// Bytes from its start to the call.
    pub offset: u64,
}

impl Module {
    /// Every direct call in a function, and every jump out of it that is one: to the address of another
    /// function, or through the loader's slots. Jumps within it, and those on a condition (which lead to its
    /// own cold part), are none; nor are calls of what only a register or a table knows. A jump to what
    /// is no function's start is none where the file says where functions start.
    ///
    /// # Errors
    /// [`CallsError::NoEnd`], [`CallsError::Unreadable`].
    pub fn calls_in(&self, function: &Named) -> Result<Calls, CallsError> {
        let code = self.code(function)?;
        let Some(start) = self.linked(function.symbol.address) else { return Ok(Calls::default()) };
        let linkage = self.linkage();
        let mut calls = Calls { all: Vec::new(), is_complete: true };
        let mut decoder = Decoder::with_ip(64, &code, start, DecoderOptions::NONE);
        while decoder.can_decode() {
            let at = decoder.decode();
            if at.is_invalid() || calls.all.len() == CALLS {
                calls.is_complete = false;
                break;
            }
            let Some((kind, aim)) = leaving(&at, start..start + code.len() as u64) else { continue };
            let callee = match aim {
                Aim::Address(address) => self.callee_at(address, kind, linkage),
                Aim::Slot(slot) => linkage.slot(slot).and_then(|slot| self.behind(slot, linkage)),
            };
            let call = |callee| Call { offset: at.ip() - start, kind, callee };
            calls.all.extend(callee.map(call));
        }
        calls.is_complete &= function.symbol.size <= BODY;
        Ok(calls)
    }

    /// What the `nth` call (from 0) that leaves the function `name` leads to.
    ///
    /// # Errors
    /// [`CallsError`].
    pub fn callee_of(&self, name: &str, nth: usize) -> Result<Named, CallsError> {
        let function = self.calling(name)?;
        let calls = self.calls_in(&function)?.all;
        let (file, name) = (self.shown(), name.to_owned());
        let Some(call) = calls.get(nth) else {
            return Err(CallsError::TooFew { file, name, count: calls.len(), nth });
        };
        match &call.callee {
            Callee::Here { name: called, symbol } => {
                let called = called.clone().unwrap_or_else(|| format!("callee {nth} of {name}"));
                Ok(Named { name: called, form: Form::Whole, symbol: *symbol })
            }
            Callee::Elsewhere { name: callee } => {
                Err(CallsError::Elsewhere { file, name, nth, callee: callee.clone() })
            }
        }
    }

    /// Where the function `name` calls `callee` for the `nth` time (from 0, by place). The callee may have
    /// another form ([`Module::functions_like`]), and be in another file.
    ///
    /// # Errors
    /// [`CallsError`].
    pub fn call_site(&self, name: &str, callee: &str, nth: usize) -> Result<CallSite, CallsError> {
        let function = self.calling(name)?;
        let wanted: Vec<Address> =
            self.functions_like(callee).iter().map(|named| named.symbol.address).collect();
        let is_wanted = |call: &&Call| match &call.callee {
            Callee::Here { symbol, .. } => wanted.contains(&symbol.address),
            Callee::Elsewhere { name } => name == callee,
        };
        let calls = self.calls_in(&function)?;
        let sites: Vec<u64> = calls.all.iter().filter(is_wanted).map(|call| call.offset).collect();
        match sites.get(nth) {
            Some(&offset) => Ok(CallSite { function, offset }),
            None => Err(CallsError::NotCalled {
                file: self.shown(),
                name: name.to_owned(),
                callee: callee.to_owned(),
                count: sites.len(),
                nth,
            }),
        }
    }

    /// The function that holds a byte of the file, by its name or by where functions begin: a stripped file
    /// tells the latter, too. What is decoded from its start on has the instructions that there are.
    #[must_use]
    pub fn function_around(&self, file_offset: u64) -> Option<Named> {
        let elf = self.elf().ok()?;
        let address = elf.address_of(file_offset)?;
        let by_name = self.tables().find_map(|table| {
            let symbol = table.function_at(address).filter(|symbol| symbol.size != 0)?;
            self.named(Form::Whole, &symbol)
        });
        by_name.or_else(|| {
            let (start, end) = self.linkage().around(address)?;
            let symbol = self.symbol_of(start, end - start)?;
            Some(Named { name: format!("{:#x}", elf.offset_of(start)?), form: Form::Whole, symbol })
        })
    }

    /// The bytes of a function in the file, at most 1 MiB.
    ///
    /// # Errors
    /// [`CallsError::NoEnd`] where neither its symbol nor the next function's start says how long it is;
    /// [`CallsError::Unreadable`].
    pub fn code(&self, function: &Named) -> Result<Vec<u8>, CallsError> {
        let no_end = || CallsError::NoEnd { file: self.shown(), name: function.name.clone() };
        let unreadable = |error: &ModuleError| CallsError::Unreadable {
            name: function.name.clone(),
            error: error.to_string(),
        };
        let offset = function.symbol.file_offset.ok_or_else(no_end)?;
        let size = match function.symbol.size {
            0 => self
                .linked(function.symbol.address)
                .and_then(|start| self.size_at(start))
                .ok_or_else(no_end)?,
            size => size,
        };
        self.bytes_at_file_offset(offset, size.min(BODY) as usize).map_err(|error| unreadable(&error))
    }

    fn calling(&self, name: &str) -> Result<Named, CallsError> {
        let no_function = || CallsError::NoFunction { file: self.shown(), name: name.to_owned() };
        self.functions_like(name).into_iter().next().ok_or_else(no_function)
    }

    /// What is at an address that is called. A stub leads on to what its slot names.
    fn callee_at(&self, address: u64, kind: CallKind, linkage: &Linkage) -> Option<Callee> {
        if let Some(callee) = self.stub_at(address).and_then(|slot| self.behind(linkage.slot(slot)?, linkage))
        {
            return Some(callee);
        }
        let is_start = kind == CallKind::Call || !linkage.knows_starts() || linkage.starts_at(address);
        is_start.then(|| self.here(address, linkage))?
    }

    fn behind(&self, slot: &Slot, linkage: &Linkage) -> Option<Callee> {
        match slot {
            Slot::Here(address) => self.here(*address, linkage),
            // Most often the file calls its own function so when others might replace it.
            Slot::Named(name) => {
                let own = self.elf().ok()?.symbol(name);
                let here = own.and_then(|own| self.here(own.address, linkage));
                Some(here.unwrap_or_else(|| Callee::Elsewhere { name: name.clone() }))
            }
        }
    }

    fn here(&self, address: u64, linkage: &Linkage) -> Option<Callee> {
        let named = self.tables().find_map(|table| table.symbols_at(address).min_by_key(|one| one.locality));
        let size = named.as_ref().map_or(0, |symbol| symbol.size);
        let size = if size == 0 { end_of(address, linkage).map_or(0, |end| end - address) } else { size };
        let name = named.map(|symbol| symbol.name.into_owned());
        Some(Callee::Here { name, symbol: self.symbol_of(address, size)? })
    }

    /// The slot through which the stub at an address jumps, if it is one.
    fn stub_at(&self, address: u64) -> Option<u64> {
        let offset = self.elf().ok()?.offset_of(address)?;
        let bytes = self.bytes_at_file_offset(offset, STUB).ok()?;
        let mut decoder = Decoder::with_ip(64, &bytes, address, DecoderOptions::NONE);
        let first = decoder.decode();
        let jump = if first.mnemonic() == Mnemonic::Endbr64 { decoder.decode() } else { first };
        (jump.flow_control() == FlowControl::IndirectBranch).then(|| slot_of(&jump))?
    }

    fn symbol_of(&self, address: u64, size: u64) -> Option<Symbol> {
        let elf = self.elf().ok()?;
        let placed = Address(address.wrapping_add(self.load_bias()?));
        Some(Symbol { address: placed, file_offset: elf.offset_of(address), size })
    }

    fn size_at(&self, start: u64) -> Option<u64> {
        end_of(start, self.linkage()).map(|end| end - start)
    }

    /// An address of the process, as it is in the file.
    fn linked(&self, address: Address) -> Option<u64> {
        Some(address.0.wrapping_sub(self.load_bias()?))
    }

    fn shown(&self) -> String {
        let path = self.path();
        path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
    }
}

/// Where the function at an address ends, if one begins there.
fn end_of(address: u64, linkage: &Linkage) -> Option<u64> {
    linkage.around(address).filter(|(start, _)| *start == address).map(|(_, end)| end)
}

/// Where an instruction leads.
#[derive(Clone, Copy, Debug)]
enum Aim {
    Address(u64),
    Slot(u64),
}

/// How an instruction leaves the function, and where to.
fn leaving(at: &Instruction, function: std::ops::Range<u64>) -> Option<(CallKind, Aim)> {
    let kind = match at.flow_control() {
        FlowControl::Call | FlowControl::IndirectCall => CallKind::Call,
        FlowControl::UnconditionalBranch | FlowControl::IndirectBranch => CallKind::TailJump,
        _ => return None,
    };
    if at.op0_kind() == OpKind::NearBranch64 {
        let target = at.near_branch_target();
        return (!function.contains(&target)).then_some((kind, Aim::Address(target)));
    }
    Some((kind, Aim::Slot(slot_of(at)?)))
}

/// The slot that `call [rip+n]` or `jmp [rip+n]` goes through.
fn slot_of(at: &Instruction) -> Option<u64> {
    let is_slot = at.op0_kind() == OpKind::Memory
        && at.memory_base() == Register::RIP
        && at.memory_index() == Register::None;
    is_slot.then(|| at.memory_displacement64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::elf::made::{BIAS, Made};
    use proptest::prelude::*;

    /// A call or jump of 5 bytes.
    fn to(opcode: u8, from: u64, target: u64) -> Vec<u8> {
        [&[opcode][..], &(target.wrapping_sub(from + 5) as i32).to_le_bytes()].concat()
    }

    /// What goes through a slot, of 6 bytes: `call [rip+n]` is 0x15, `jmp [rip+n]` 0x25.
    fn through(opcode: u8, from: u64, slot: u64) -> Vec<u8> {
        [&[0xff, opcode][..], &(slot.wrapping_sub(from + 6) as i32).to_le_bytes()].concat()
    }

    /// The function `work` at 0x1000, and what it calls.
    fn text() -> Vec<u8> {
        let mut text = vec![0x90; 0x800];
        let mut put =
            |at: u64, bytes: &[u8]| text[(at - 0x1000) as usize..][..bytes.len()].copy_from_slice(bytes);
        put(0x1000, &[0x55]);
        put(0x1001, &to(0xe8, 0x1001, 0x1100));
        put(0x1006, &to(0xe8, 0x1006, 0x1500));
        put(0x100b, &through(0x15, 0x100b, 0x2008));
        put(0x1011, &[0x0f, 0x85, 0xe9, 3, 0, 0]);
        put(0x1017, &[0xff, 0xd0]);
        put(0x1019, &to(0xe9, 0x1019, 0x1000));
        put(0x101e, &to(0xe8, 0x101e, 0x1520));
        put(0x1023, &to(0xe9, 0x1023, 0x1404));
        put(0x1028, &to(0xe9, 0x1028, 0x1200));
        put(0x1500, &through(0x25, 0x1500, 0x2000));
        put(0x1520, &[0xf3, 0x0f, 0x1e, 0xfa, 0xf2]);
        put(0x1525, &through(0x25, 0x1525, 0x2000));
        text
    }

    fn file() -> Made {
        Made::default()
            .section(".text", 0x1000, &text())
            .section(".got.plt", 0x2000, &[0; 24])
            .imported("free", 0x2000)
            .relative(0x2008, 0x1300)
            .starts(0x3000, &[0x1000, 0x1100, 0x1200, 0x1300, 0x1400, 0x1500])
            .exported("work", 0x1000, 0x2d)
            .function("helper.constprop.0", 0x1100, 8)
    }

    fn callees(module: &Module) -> Vec<(u64, String)> {
        let work = module.functions_like("work").remove(0);
        let calls = module.calls_in(&work).unwrap();
        assert!(calls.is_complete);
        let shown = |call: &Call| match &call.callee {
            Callee::Here { name, symbol } => {
                format!("{}@{:x}+{:x}", name.as_deref().unwrap_or("?"), symbol.address.0 - BIAS, symbol.size)
            }
            Callee::Elsewhere { name } => name.clone(),
        };
        calls.all.iter().map(|call| (call.offset, shown(call))).collect()
    }

    #[test]
    fn calls_lead_through_stubs_and_slots_and_jumps_within_and_to_cold_code_are_none() {
        let expected = [
            (0x01, "helper.constprop.0@1100+8"),
            (0x06, "free"),
            (0x0b, "?@1300+100"),
            (0x1e, "free"),
            (0x28, "?@1200+100"),
        ];
        assert_eq!(callees(&file().mapped()), expected.map(|(at, name)| (at, name.to_owned())));
    }

    #[test]
    fn a_function_without_a_name_is_the_callee_of_one_that_has_a_name() {
        let module = file().stripped().mapped();
        let callee = module.callee_of("work", 4).unwrap();
        assert_eq!((callee.symbol.address, callee.symbol.size), (Address(BIAS + 0x1200), 0x100));
        assert_eq!(callee.symbol.file_offset, Some(0x1200));
        assert_eq!(module.callee_of("work", 0).unwrap().symbol.address, Address(BIAS + 0x1100));
        let reason = |name, nth| module.callee_of(name, nth).unwrap_err().to_string();
        assert!(reason("work", 1).contains("free of another file"), "{}", reason("work", 1));
        assert!(reason("work", 5).contains("5 calls that leave it"), "{}", reason("work", 5));
        assert!(reason("works", 0).contains("no function works"));
    }

    #[test]
    fn a_call_is_found_by_its_callee_through_any_stub_and_under_any_of_its_names() {
        let module = file().mapped();
        let at = |callee, nth| module.call_site("work", callee, nth).map(|site| site.offset);
        assert_eq!(at("free", 0).unwrap(), 0x06);
        assert_eq!(at("free", 1).unwrap(), 0x1e);
        assert_eq!(at("helper", 0).unwrap(), 0x01);
        assert!(at("free", 2).unwrap_err().to_string().contains("calls free 2 times"));
        assert!(at("malloc", 0).unwrap_err().to_string().contains("0 times"));
    }

    #[test]
    fn a_place_belongs_to_the_function_around_it_in_a_stripped_file_too() {
        let module = file().stripped().mapped();
        let around = |offset| module.function_around(offset).map(|named| (named.name, named.symbol.size));
        assert_eq!(around(0x1028), Some(("work".to_owned(), 0x2d)));
        assert_eq!(around(0x1234), Some(("0x1200".to_owned(), 0x100)));
        assert_eq!(around(0x0), None);
        assert_eq!(module.code(&module.function_around(0x1234).unwrap()).unwrap().len(), 0x100);
    }

    #[test]
    fn a_function_whose_end_nobody_knows_is_refused_with_its_name() {
        let module = Made::default().section(".text", 0x1000, &text()).function("work", 0x1000, 0).mapped();
        let refused = module.callee_of("work", 0).unwrap_err().to_string();
        assert!(refused.contains("where work of made ends is not known"), "{refused}");
    }

    #[test]
    fn the_calls_of_a_real_function_lead_to_real_functions() {
        let own = crate::target::module::modules(crate::audit::unit::Pid(std::process::id())).unwrap();
        let libc = own.iter().find(|module| module.path().to_string_lossy().contains("libc.so")).unwrap();
        let puts = libc.functions_like("puts").remove(0);
        let calls = libc.calls_in(&puts).unwrap();
        assert!(calls.is_complete && !calls.all.is_empty());
        for call in &calls.all {
            let Callee::Here { symbol, .. } = &call.callee else { continue };
            assert!(libc.file().contains(symbol.address), "{call:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn no_mutation_of_a_file_makes_a_search_panic(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..40),
        ) {
            let mut bytes = file().file();
            let tables = bytes.len() - 0x10000;
            for (at, byte, in_code) in changes {
                let place = if in_code { 0x1000 + at.index(0x2100) } else { 0x10000 + at.index(tables) };
                bytes[place] = byte;
            }
            let module = Module::captured(crate::target::elf::made::mapped("/x"), bytes);
            for nth in 0..3 {
                let _callee = module.callee_of("work", nth);
                let _site = module.call_site("work", "free", nth);
            }
            let _around = module.function_around(0x1234);
            let _object = module.object_at(Address(BIAS + 0x1234));
            let _matches = module.functions_where(4, &[], &|_| true);
        }
    }
}
