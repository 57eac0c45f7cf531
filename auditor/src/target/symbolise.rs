//! Names for addresses of a process: function, source line, inlined callers.
//!
//! Nothing is read before the first name is asked for. What has been named stays named when the
//! process ends; what has not can still be, if [`Symboliser::prepare`] was called while it lived and
//! its files are where it saw them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use blazesym::symbolize::source::{Process, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer, cache};
use rustc_hash::FxHashMap;

use crate::audit::unit::{Address, Pid};

/// Most addresses whose names are kept. At about 150 bytes each, 2.5 MB.
const KEPT: usize = 1 << 14;
/// Most characters of one frame. Names of generic functions can be thousands long.
const FRAME: usize = 240;

/// Names addresses.
#[derive(Debug, Default)]
pub struct Symboliser {
    /// Costs tens of MB on large programs, so it is made when it is needed.
    reader: Option<Symbolizer>,
    kept: FxHashMap<(Pid, Address), Vec<String>>,
    /// A panic inside the reader ends its use.
    broken: bool,
}

impl Symboliser {
    /// Reads nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers where the files of a process are mapped, so that names can be found when it has
    /// ended. Files it maps later are found as long as it lives.
    pub fn prepare(&mut self, pid: Pid) {
        self.guarded(|reader| {
            let mut process = cache::Process::new(pid.0.into());
            process.cache_perf_map = false;
            // Failing means that it has ended already; then there is nothing to remember.
            let _remembered = reader.cache(&cache::Cache::Process(process)).is_ok();
        });
    }

    /// Lets go of what was read of symbol files, some 10 MB: nothing new was asked for in a while. What comes later
    /// is read again.
    pub fn rest(&mut self, pid: Pid) {
        self.reader = None;
        self.prepare(pid);
    }

    /// The frames of a call stack, innermost first, as [`crate::audit::fact::Stack`] wants them.
    /// Addresses after the first are taken for return addresses: the call is just before them.
    /// Inlined functions come as frames of their own, so there may be more frames than addresses. What
    /// `known` names needs no symbol file.
    #[must_use]
    pub fn frames(
        &mut self,
        pid: Pid,
        stack: &[Address],
        known: &dyn Fn(Address) -> Option<Vec<String>>,
    ) -> Vec<String> {
        let calls: Vec<Address> = stack.iter().enumerate().map(|(depth, &at)| call_site(depth, at)).collect();
        let mut missing: Vec<Address> =
            calls.iter().copied().filter(|&call| !self.kept.contains_key(&(pid, call))).collect();
        missing.sort_unstable();
        missing.dedup();
        self.keep(missing.iter().filter_map(|&call| Some(((pid, call), known(call)?))).collect());
        missing.retain(|&call| !self.kept.contains_key(&(pid, call)));
        if !missing.is_empty() {
            self.learn(pid, &missing);
        }
        let named = |(&call, &at): (&Address, &Address)| {
            self.kept.get(&(pid, call)).cloned().unwrap_or_else(|| vec![at.to_string()])
        };
        calls.iter().zip(stack).flat_map(named).collect()
    }

    /// Unknown addresses are not kept: their file may yet be mapped.
    fn learn(&mut self, pid: Pid, addresses: &[Address]) {
        let numbers: Vec<u64> = addresses.iter().map(|address| address.0).collect();
        let mut names = self.names(pid, &numbers);
        if names.iter().any(Vec::is_empty) {
            // A file that was mapped after `prepare`.
            self.prepare(pid);
            names = self.names(pid, &numbers);
        }
        let known = addresses.iter().zip(names).filter(|(_, frames)| !frames.is_empty());
        self.keep(known.map(|(&address, frames)| ((pid, address), frames)).collect());
    }

    fn keep(&mut self, mut names: Vec<((Pid, Address), Vec<String>)>) {
        if self.kept.len() + names.len() > KEPT {
            self.kept.clear();
        }
        names.truncate(KEPT);
        self.kept.extend(names);
    }

    /// Frames for each address, none where it is unknown.
    fn names(&mut self, pid: Pid, addresses: &[u64]) -> Vec<Vec<String>> {
        self.guarded(|reader| {
            names_by(reader, pid, MapFiles::Use, addresses)
                .or_else(|| names_by(reader, pid, MapFiles::Avoid, addresses))
        })
        .flatten()
        .unwrap_or_else(|| vec![Vec::new(); addresses.len()])
    }

    /// Debug information is the target's own and may be anything: a parser that panics over it must
    /// not take the audit with it.
    fn guarded<T>(&mut self, work: impl FnOnce(&Symbolizer) -> T) -> Option<T> {
        if self.broken {
            return None;
        }
        let reader = self.reader.get_or_insert_with(new_reader);
        let done = catch_unwind(AssertUnwindSafe(|| work(reader))).ok();
        if done.is_none() {
            self.broken = true;
            self.reader = None;
        }
        done
    }
}

/// Without the host's debug files: they may not be those of the target's root, and naming one frame
/// of a libc by its debug file takes 8 MB.
fn new_reader() -> Symbolizer {
    Symbolizer::builder().set_debug_dirs(Some::<[&str; 0]>([])).build()
}

/// Whether files are opened by `/proc/PID/map_files`, which is always the right file but goes with
/// the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MapFiles {
    Use,
    Avoid,
}

fn names_by(
    reader: &Symbolizer,
    pid: Pid,
    map_files: MapFiles,
    addresses: &[u64],
) -> Option<Vec<Vec<String>>> {
    let mut process = Process::new(pid.0.into());
    // A file of JIT names is the target's own, unbounded, and names no map function.
    process.perf_map = false;
    process.vdso = false;
    process.map_files = map_files == MapFiles::Use;
    let found = reader.symbolize(&Source::Process(process), Input::AbsAddr(addresses)).ok()?;
    Some(found.iter().map(frames_of).collect())
}

/// The instruction to name: a return address is behind its call, maybe in the next function.
fn call_site(depth: usize, at: Address) -> Address {
    Address(if depth == 0 { at.0 } else { at.0.saturating_sub(1) })
}

/// Innermost first: the source line of a call belongs to the function that contains it.
fn frames_of(found: &Symbolized<'_>) -> Vec<String> {
    let Symbolized::Sym(symbol) = found else { return Vec::new() };
    let Sym { name, code_info, inlined, .. } = symbol;
    let inner =
        inlined.iter().rev().map(|function| frame(&function.name, line_of(function.code_info.as_ref())));
    inner.chain([frame(name, line_of(code_info.as_deref()))]).collect()
}

fn line_of(code: Option<&CodeInfo<'_>>) -> Option<(String, u32)> {
    let code = code?;
    Some((code.file.to_string_lossy().into_owned(), code.line?))
}

/// `function` or `function (file:line)`, cut and printable.
pub(super) fn frame(name: &str, line: Option<(String, u32)>) -> String {
    let place = line.map(|(file, line)| format!(" ({file}:{line})"));
    let place: String = printable(&place.unwrap_or_default()).take(FRAME / 2).collect();
    let room = FRAME - place.chars().count();
    let cut = name.chars().count() > room;
    let name: String = printable(name).take(if cut { room - 1 } else { room }).collect();
    format!("{name}{}{place}", if cut { "…" } else { "" })
}

/// A name goes to terminals: nothing in it may steer one.
fn printable(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn own() -> Pid {
        Pid(std::process::id())
    }

    #[inline(never)]
    fn landmark_of_the_symboliser() -> u64 {
        std::hint::black_box(5)
    }

    #[test]
    fn what_is_known_otherwise_is_asked_for_once_and_by_the_place_of_the_call() {
        let mut symboliser = Symboliser::new();
        let known =
            |at: Address| (at.0 == 0x1f).then(|| vec!["main.inner".to_owned(), "main.outer".to_owned()]);
        let stack = [Address(0x10), Address(0x20)];
        assert_eq!(symboliser.frames(own(), &stack, &known), ["0x10", "main.inner", "main.outer"]);
        assert_eq!(symboliser.frames(own(), &stack, &|_| None), ["0x10", "main.inner", "main.outer"]);
    }

    #[test]
    fn our_own_function_has_its_name_and_line() {
        let at = Address(landmark_of_the_symboliser as *const () as u64);
        let frames = Symboliser::new().frames(own(), &[at], &|_| None);
        let last = frames.last().unwrap();
        assert!(last.contains("symbolise::tests::landmark_of_the_symboliser"), "{frames:?}");
        assert!(last.contains("(symbolise.rs:"), "{frames:?}");
        assert_eq!(landmark_of_the_symboliser(), 5);
    }

    #[test]
    fn what_was_read_is_let_go_and_read_again_when_something_new_comes() {
        let mut symboliser = Symboliser::new();
        let start = landmark_of_the_symboliser as *const () as u64;
        let first = symboliser.frames(own(), &[Address(start)], &|_| None);
        symboliser.rest(own());
        assert_eq!(symboliser.frames(own(), &[Address(start)], &|_| None), first, "it stays named");
        let new = symboliser.frames(own(), &[Address(0x10), Address(start + 2)], &|_| None);
        assert!(new.last().unwrap().contains("landmark_of_the_symboliser"), "{new:?}");
    }

    #[test]
    fn an_unknown_address_is_shown_as_it_is() {
        let frames =
            Symboliser::new().frames(own(), &[Address(0x10), Address(0x20), Address(u64::MAX)], &|_| None);
        assert_eq!(frames, ["0x10", "0x20", "0xffffffffffffffff"]);
    }

    #[test]
    fn a_process_that_never_was_has_no_names() {
        assert_eq!(Symboliser::new().frames(Pid(0x3fff_fff0), &[Address(0x1234)], &|_| None), ["0x1234"]);
        assert!(Symboliser::new().frames(own(), &[], &|_| None).is_empty());
    }

    #[test]
    fn a_return_address_is_named_by_the_call_before_it() {
        let start = landmark_of_the_symboliser as *const () as u64;
        let frames = Symboliser::new().frames(own(), &[Address(0x10), Address(start + 1)], &|_| None);
        assert!(frames[1].contains("landmark_of_the_symboliser"), "{frames:?}");
        let frames = Symboliser::new().frames(own(), &[Address(0x10), Address(start)], &|_| None);
        assert!(!frames[1].contains("landmark_of_the_symboliser"), "{frames:?}");
    }

    #[test]
    fn long_and_hostile_names_are_cut_and_made_harmless() {
        let info = |file: &str| CodeInfo {
            dir: None,
            file: std::ffi::OsString::from(file).into(),
            line: Some(7),
            column: None,
            _non_exhaustive: (),
        };
        let long = frame(&"x".repeat(5000), line_of(Some(&info("a.rs"))));
        assert_eq!(long.chars().count(), FRAME);
        assert!(long.ends_with("… (a.rs:7)"));
        assert_eq!(frame("a\u{1b}[2Jb\n", None), "a\u{fffd}[2Jb\u{fffd}");
        assert!(frame("f", line_of(Some(&info(&"y".repeat(5000))))).chars().count() <= FRAME);
        assert_eq!(frame("f", line_of(Some(&info("b.c")))), "f (b.c:7)");
    }

    #[test]
    fn names_are_found_in_a_process_that_has_ended_if_it_was_prepared() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "target::symbolise::tests::sleeps_when_asked"])
            .env("AUDITOR_TEST_SLEEP", "1")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
        while !line.contains("landmark 0x") {
            line.clear();
            assert!(std::io::BufRead::read_line(&mut output, &mut line).unwrap() > 0);
        }
        let digits = line.trim().rsplit("0x").next().unwrap();
        let at = Address(u64::from_str_radix(digits, 16).unwrap());
        let mut symboliser = Symboliser::new();
        symboliser.prepare(Pid(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        let frames = symboliser.frames(Pid(child.id()), &[at], &|_| None);
        assert!(frames.last().unwrap().contains("landmark_of_the_symboliser"), "{frames:?}");
    }

    /// The child of the test above; on its own it does nothing.
    #[test]
    fn sleeps_when_asked() {
        use std::io::Write as _;
        if std::env::var_os("AUDITOR_TEST_SLEEP").is_some() {
            let at = landmark_of_the_symboliser as *const () as u64;
            writeln!(std::io::stdout(), "landmark {at:#x}").unwrap();
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
    }
}
