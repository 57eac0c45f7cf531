//! What this kernel and these rights offer. Facts only; `plan.rs` decides from them and
//! `auditor doctor` prints them.

use std::io;

use super::btf::{Btf, Name, Type};
use super::image::Image;

/// Where the kernel keeps its own types.
const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";
/// The number that kernels with optimised uprobes use between themselves and their trampoline
/// (arch/x86/entry/syscalls/syscall_64.tbl, 6.18: `336 64 uprobe`).
const SYS_UPROBE: libc::c_long = 336;
/// The first release whose probes bring a cookie of their own: `bpf_get_attach_cookie` of
/// include/uapi/linux/bpf.h, 5.15. Hooks are told apart by it.
const FIRST_WITH_COOKIES: (u32, u32) = (5, 15);

/// What this host offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Kernel release as (major, minor).
    pub release: (u32, u32),
    /// Its whole name, `uname -r`.
    pub release_name: String,
    /// What the kernel does with a probe on a 5-byte nop.
    pub nop5: Nop5,
    /// Where the kernel's structures have what the programs read; `Err`: why that is not known.
    pub types: Result<KernelTypes, String>,
    /// Effective capabilities, bit n is capability n of `include/uapi/linux/capability.h`.
    pub capabilities: u64,
}

/// What the kernel does with a probe on a 5-byte nop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nop5 {
    /// Nothing special: no kernel before 6.18 does.
    Plain,
    /// It becomes a call to a trampoline that a forked child does not have: the child dies.
    Deadly,
    /// A later generation that moved to 10-byte nops.
    Safe,
}

/// Offsets into kernel structures, from BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelTypes {
    /// `offsetof(struct mm_struct, rss_stat)`.
    pub mm_rss_stat: u32,
    /// Distance between two counters.
    pub rss_stride: u32,
    /// Where the value is in a counter.
    pub rss_value: u32,
    /// `offsetof(struct task_struct, mm)`.
    pub task_mm: u32,
    /// `offsetof(struct task_struct, tgid)`.
    pub task_tgid: u32,
    /// `offsetof(struct task_struct, flags)`.
    pub task_flags: u32,
    /// Whether `sched_process_exit` says that the last thread goes (and comes before the memory
    /// does): 6.16 and later.
    pub exit_before_mm: bool,
    /// Whether `mark_victim` is given a task rather than a pid; `None`: no such tracepoint.
    pub oom_gives_task: Option<bool>,
    /// The functions that do the memory syscalls, by their numbers; `None`: not all are described.
    pub memory_syscalls: Option<[u32; MEMORY_SYSCALLS]>,
}

/// Capabilities that matter here.
pub mod capability {
    /// `CAP_DAC_READ_SEARCH`.
    pub const DAC_READ_SEARCH: u32 = 2;
    /// `CAP_SYS_PTRACE`.
    pub const SYS_PTRACE: u32 = 19;
    /// `CAP_SYS_ADMIN`.
    pub const SYS_ADMIN: u32 = 21;
    /// `CAP_PERFMON`.
    pub const PERFMON: u32 = 38;
    /// `CAP_BPF`.
    pub const BPF: u32 = 39;
}

impl Host {
    /// Asks this host.
    #[must_use]
    pub fn ask() -> Self {
        let release_name = nix::sys::utsname::uname()
            .map(|name| name.release().to_string_lossy().into_owned())
            .unwrap_or_default();
        Self {
            release: parse_release(&release_name),
            release_name,
            nop5: ask_nop5(),
            types: ask_types(),
            capabilities: parse_capabilities(
                &std::fs::read_to_string("/proc/self/status").unwrap_or_default(),
            ),
        }
    }

    /// Whether `uprobe_multi` links see every thread of the process they are for. Linux has them from
    /// 6.6 on, but compared the pid filter with the thread and not with the process until "bpf: fix
    /// multi-uprobe PID filtering logic", which is in 6.10.
    #[must_use]
    pub const fn has_sound_multi_links(&self) -> bool {
        self.release.0 > 6 || (self.release.0 == 6 && self.release.1 >= 10)
    }

    /// Why no hook can work on this kernel, if so.
    #[must_use]
    pub fn too_old(&self) -> Option<String> {
        (self.release < FIRST_WITH_COOKIES).then(|| {
            let (name, (major, minor)) = (&self.release_name, FIRST_WITH_COOKIES);
            format!("Linux {name} is too old: hooks are told apart by attach cookies, which Linux has from {major}.{minor} on")
        })
    }

    /// Whether a capability is effective.
    #[must_use]
    pub const fn can(&self, capability: u32) -> bool {
        self.capabilities >> capability & 1 == 1
    }
}

/// How many memory syscalls there are.
pub const MEMORY_SYSCALLS: usize = 5;

/// Types that the programs need to know something of, the types of raw tracepoints, and functions.
const NAMES: [Name<'_>; 5 + MEMORY_SYSCALLS] = [
    Name::structure("mm_struct"),
    Name::structure("task_struct"),
    Name::structure("percpu_counter"),
    Name::typedef("btf_trace_sched_process_exit"),
    Name::typedef("btf_trace_mark_victim"),
    Name::function("__x64_sys_mmap"),
    Name::function("__x64_sys_munmap"),
    Name::function("__x64_sys_mremap"),
    Name::function("__x64_sys_brk"),
    Name::function("__x64_sys_madvise"),
];

fn ask_types() -> Result<KernelTypes, String> {
    let bytes = Image::open(KERNEL_BTF)
        .map_err(|error| format!("{KERNEL_BTF}: {error} (the kernel needs CONFIG_DEBUG_INFO_BTF)"))?;
    let (btf, found) = Btf::find(bytes.as_ref(), NAMES).map_err(|error| format!("{KERNEL_BTF}: {error}"))?;
    read_types(&btf, found).map_err(|missing| format!("{KERNEL_BTF} does not describe {missing}"))
}

/// From 6.2 `rss_stat` is `struct percpu_counter[NR_MM_COUNTERS]`, before that
/// `struct mm_rss_stat { atomic_long_t count[NR_MM_COUNTERS]; }`.
fn read_types(btf: &Btf<'_>, found: [Option<Type>; NAMES.len()]) -> Result<KernelTypes, &'static str> {
    const MEMBERS: u32 = 4;
    let [mm, task, counter, exit, victim, mmap, munmap, mremap, brk, madvise] = found;
    let offset = |of: Option<Type>, member| btf.member_offset(of?, member);
    let size = mm.and_then(|mm| btf.member_size(mm, "rss_stat")).ok_or("mm_struct.rss_stat")?;
    let rss_stride = size / MEMBERS;
    let rss_value = if rss_stride > 8 { offset(counter, "count").ok_or("percpu_counter.count")? } else { 0 };
    let arguments = |of: Option<Type>| btf.tracepoint_arguments(of?);
    Ok(KernelTypes {
        mm_rss_stat: offset(mm, "rss_stat").ok_or("mm_struct.rss_stat")?,
        rss_stride,
        rss_value,
        task_mm: offset(task, "mm").ok_or("task_struct.mm")?,
        task_tgid: offset(task, "tgid").ok_or("task_struct.tgid")?,
        task_flags: offset(task, "flags").ok_or("task_struct.flags")?,
        exit_before_mm: arguments(exit).is_some_and(|arguments| arguments.len() >= 2),
        oom_gives_task: arguments(victim).and_then(|arguments| arguments.first().copied()),
        memory_syscalls: all([mmap, munmap, mremap, brk, madvise]),
    })
}

/// Their numbers, where none is missing.
fn all(functions: [Option<Type>; MEMORY_SYSCALLS]) -> Option<[u32; MEMORY_SYSCALLS]> {
    functions.iter().all(Option::is_some).then(|| functions.map(|function| function.map_or(0, Type::id)))
}

/// Calls the trampoline's number from ordinary code: each generation answers in its own way.
fn ask_nop5() -> Nop5 {
    // SAFETY: where the number means something it checks that the caller is its trampoline and
    // refuses; it takes no arguments.
    let answer = unsafe { libc::syscall(SYS_UPROBE) };
    match (answer, io::Error::last_os_error().raw_os_error()) {
        (-1, Some(libc::ENOSYS)) => Nop5::Plain,
        (-1, Some(libc::EPROTO)) => Nop5::Safe,
        _ => Nop5::Deadly,
    }
}

fn parse_release(name: &str) -> (u32, u32) {
    let mut numbers = name.split(['.', '-', '+']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn parse_capabilities(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_many_distributions_are_read() {
        assert_eq!(parse_release("6.18.44-fc-v657"), (6, 18));
        assert_eq!(parse_release("6.1.0-25-amd64"), (6, 1));
        assert_eq!(parse_release("7.2-rc3+"), (7, 2));
        assert_eq!(parse_release("nonsense"), (0, 0));
    }

    #[test]
    fn capabilities_are_read_from_the_status_file() {
        assert_eq!(parse_capabilities("Name:\tx\nCapEff:\t000001fffeffffff\n"), 0x1ff_feff_ffff);
        assert_eq!(parse_capabilities(""), 0);
    }

    #[test]
    fn multi_links_are_used_from_the_release_on_that_filters_by_process() {
        let host = |release| Host { release, ..Host::ask() };
        assert!([(6, 10), (6, 18), (7, 0)].map(host).iter().all(Host::has_sound_multi_links));
        assert!(![(5, 15), (6, 6), (6, 9)].map(host).iter().any(Host::has_sound_multi_links));
    }

    #[test]
    fn a_kernel_without_cookies_is_too_old_and_told_which_has_them() {
        let host = |release| Host { release, release_name: "5.10.0-32".to_owned(), ..Host::ask() };
        let said = host((5, 14)).too_old().unwrap();
        assert!(said.contains("5.10.0-32") && said.contains("from 5.15 on"), "{said}");
        assert_eq!([(5, 15), (6, 1)].map(|release| host(release).too_old()), [None, None]);
    }

    #[test]
    fn this_host_can_be_asked() {
        let host = Host::ask();
        assert!(host.release.0 >= 5);
        assert_eq!(host.nop5, ask_nop5(), "the answer is the same each time");
    }
}
