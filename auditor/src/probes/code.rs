//! The object's maps and programs, made and loaded without aya's loader, one by one. Worth a module
//! because that loader decodes all of the kernel's own BTF before it does anything, which takes as
//! long as all else of attaching, and because it cannot load a program for multi links: docs/decisions/0010.
//!
//! For kernels that have multi links, so nothing is asked of the kernel that those may lack. aya's
//! types read and write the maps that are made here.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use aya::maps::{Map, MapData};
use aya_obj::btf::BtfFeatures;
use aya_obj::generated::bpf_map_type;
use aya_obj::{EbpfSectionKind, Object};

use super::bpf::{self, Program, Use};
use super::object::{LoadError, OBJECT, Settings, fd_of};

/// Room for the verifier's log.
const LOG_BYTES: usize = 4 << 20;
/// How much of its end goes into an error.
const LOG_LINES: usize = 12;

/// Maps by their names.
pub(super) type Maps = BTreeMap<String, Map>;

/// The code of the object, pointed at maps.
#[derive(Debug)]
pub(super) struct Code {
    object: Object,
    types: Option<OwnedFd>,
}

/// Makes the maps and points the code at them.
///
/// # Errors
/// [`LoadError`] when the kernel refuses a map.
pub(super) fn load(settings: &Settings) -> Result<(Code, Maps), LoadError> {
    let mut object = parse()?;
    let globals = settings.globals();
    let bytes = globals.iter().map(|(name, value)| (*name, (value.as_slice(), true)));
    object.patch_map_data(bytes.collect()).map_err(damaged)?;
    let maps = object
        .maps
        .iter()
        .map(|(name, definition)| Ok((name.clone(), create(name, definition)?)))
        .collect::<Result<Maps, LoadError>>()?;
    let code = Code::of(object, maps.iter().map(|(name, map)| (name.as_str(), map)))?;
    Ok((code, maps))
}

fn parse() -> Result<Object, LoadError> {
    if OBJECT.is_empty() {
        return Err(LoadError::NoObject);
    }
    Object::parse(OBJECT).map_err(damaged)
}

fn damaged(error: impl std::fmt::Display) -> LoadError {
    LoadError::Damaged(error.to_string())
}

fn create(name: &str, definition: &aya_obj::Map) -> Result<Map, LoadError> {
    let made = MapData::create(definition.clone(), name, None)
        .map_err(|error| LoadError::Create(Box::new(error)))?;
    if definition.section_kind() == EbpfSectionKind::Rodata {
        let frozen = bpf::freeze(made.fd().as_fd(), definition.data());
        frozen.map_err(|error| LoadError::Bpf { what: "map freeze", error })?;
    }
    match bpf_map_type::try_from(definition.map_type()) {
        Ok(bpf_map_type::BPF_MAP_TYPE_ARRAY) => Ok(Map::Array(made)),
        Ok(bpf_map_type::BPF_MAP_TYPE_HASH) => Ok(Map::HashMap(made)),
        Ok(bpf_map_type::BPF_MAP_TYPE_LRU_HASH) => Ok(Map::LruHashMap(made)),
        Ok(bpf_map_type::BPF_MAP_TYPE_PERCPU_ARRAY) => Ok(Map::PerCpuArray(made)),
        Ok(bpf_map_type::BPF_MAP_TYPE_PROG_ARRAY) => Ok(Map::ProgramArray(made)),
        Ok(bpf_map_type::BPF_MAP_TYPE_RINGBUF) => Ok(Map::RingBuf(made)),
        Ok(bpf_map_type::BPF_MAP_TYPE_STACK_TRACE) => Ok(Map::StackTraceMap(made)),
        _ => Err(damaged(format_args!("a map of type {}", definition.map_type()))),
    }
}

impl Code {
    /// Points the code at maps that exist already.
    ///
    /// # Errors
    /// [`LoadError::Damaged`] when the object asks for others.
    pub(super) fn against<'a>(maps: impl Iterator<Item = (&'a str, &'a Map)>) -> Result<Self, LoadError> {
        Self::of(parse()?, maps)
    }

    fn of<'a>(mut object: Object, maps: impl Iterator<Item = (&'a str, &'a Map)>) -> Result<Self, LoadError> {
        let definitions = mem::take(&mut object.maps);
        let found =
            maps.filter_map(|(name, map)| Some((name, fd_of(map)?.as_raw_fd(), definitions.get(name)?)));
        let text = object.functions.keys().map(|(section, _)| *section).collect();
        object.relocate_maps(found, &text).map_err(damaged)?;
        object.relocate_calls(&text).map_err(damaged)?;
        let types = load_types(&mut object)?;
        Ok(Self { object, types })
    }

    /// Loads one program.
    ///
    /// # Errors
    /// [`LoadError::Verifier`] when the kernel refuses it; [`LoadError::Bpf`] with `EINVAL` for
    /// [`Use::Multi`] where it is older than 6.6.
    pub(super) fn load(&self, name: &'static str, usage: Use) -> Result<OwnedFd, LoadError> {
        let found = self.object.programs.get(name).ok_or(LoadError::Missing(name))?;
        let function = self.object.functions.get(&found.function_key()).ok_or(LoadError::Missing(name))?;
        let types = self.types.as_ref().map(OwnedFd::as_fd);
        let program = Program { name, usage, function, license: &found.license, types };
        bpf::load_program(&program, &mut []).or_else(|error| match error.kind() {
            io::ErrorKind::InvalidInput if usage == Use::Multi => {
                Err(LoadError::Bpf { what: "program load", error })
            }
            // Some kernels allow no program at functions; the verifier has not even seen it then.
            io::ErrorKind::PermissionDenied if matches!(usage, Use::Return(_)) => {
                Err(LoadError::Bpf { what: "program load", error })
            }
            _ => load_with_log(&program, name),
        })
    }
}

/// What describes the functions of the object. Without it the kernel refuses the one program that has
/// a helper call one of them back, and takes the others. Every kind of type that a compiler may write
/// is known from Linux 6.0 on.
fn load_types(object: &mut Object) -> Result<Option<OwnedFd>, LoadError> {
    let all = BtfFeatures::new(true, true, true, true, true, true, true, true);
    let Some(types) = object.fixup_and_sanitize_btf(&all).map_err(damaged)? else { return Ok(None) };
    let loaded = bpf::load_types(&types.to_bytes());
    Ok(loaded.map_err(|error| log::debug!("the object's types: {error}")).ok())
}

/// Loads once more with a log, since a log makes loading slower.
fn load_with_log(program: &Program<'_>, name: &'static str) -> Result<OwnedFd, LoadError> {
    let mut log = vec![0; LOG_BYTES];
    bpf::load_program(program, &mut log).map_err(|error| LoadError::Verifier {
        name,
        error,
        log: last_lines(&log),
    })
}

fn last_lines(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.trim_end_matches('\0').trim_end().lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probes::host::Host;
    use crate::probes::object::{Log, Reach};
    use auditor_ebpf::program;

    fn settings() -> Settings {
        Settings {
            rss_step: 1 << 20,
            types: Host::ask().types.ok(),
            page_shift: 12,
            log: Log::Off,
            reach: Reach::One,
        }
    }

    /// Instructions that the verifier walked; Linux tells from 5.16 on.
    fn walked(program: &OwnedFd) -> u64 {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", program.as_raw_fd())).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix("verified_insns:")).unwrap();
        line.trim().parse().unwrap()
    }

    /// Without it the kernel runs them where a preempted thread and its successor overwrite each other.
    #[cfg(not(no_ebpf_object))]
    #[test]
    fn programs_in_user_code_have_the_tail_call_that_keeps_them_on_the_threads_stack() {
        const CALL: u8 = 0x85;
        const TAIL_CALL: i32 = 12;
        let object = parse().unwrap();
        for name in [program::HOOK, program::HOOK_RETURN] {
            let function = &object.functions[&object.programs[name].function_key()];
            let is_tail_call = |insn: &aya_obj::generated::bpf_insn| {
                insn.code == CALL && insn.src_reg() == 0 && insn.imm == TAIL_CALL
            };
            assert!(function.instructions.iter().any(is_tail_call), "{name}");
        }
    }

    #[test]
    #[ignore = "needs root: cargo xtask test"]
    fn the_verifier_has_little_to_walk() {
        let (code, _maps) = load(&settings()).unwrap();
        for (name, usage, most) in [
            (program::HOOK, Use::Multi, 4_000),
            (program::HOOK_RETURN, Use::Multi, 600),
            (program::RSS, Use::Tracepoint, 800),
            (program::EXIT, Use::Tracepoint, 600),
        ] {
            let walked = walked(&code.load(name, usage).unwrap());
            assert!(walked < most, "{name}: {walked}");
        }
    }

    #[test]
    #[ignore = "needs root: cargo xtask test"]
    fn a_refused_program_comes_with_the_last_words_of_the_verifier() {
        let (mut code, _maps) = load(&settings()).unwrap();
        code.types = None;
        let refused = code.load(program::EXIT, Use::Tracepoint).unwrap_err().to_string();
        assert!(refused.contains("`exit`") && refused.contains("btf func_info"), "{refused}");
    }
}
