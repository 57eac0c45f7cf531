//! Places in files of real processes, found from outside and held against what the program itself says: functions without
//! names by who calls them, calls by what is called, names by lenders; in other namespaces, through the
//! loader, in files that are gone, in libraries that come later.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use auditor::audit::unit::{Address, Pid};
use auditor::target::arrivals::Arrivals;
use auditor::target::donor::{Donors, Proof};
use auditor::target::module::{Module, modules};

use crate::harness::{Process, Scene, fixture, json, number, rows};

/// How gcc links calls to other files: through stubs that are filled when they are first used, at once, with
/// protected jumps, not at all, and in a program that is linked to an address.
const VARIANTS: [(&str, &[&str]); 5] = [
    ("lazy", &["-Wl,-z,lazy", "-fcf-protection=none"]),
    ("now", &["-Wl,-z,now", "-fcf-protection=none"]),
    ("protected", &["-Wl,-z,now", "-Wl,-z,ibtplt", "-fcf-protection=full"]),
    ("without stubs", &["-fno-plt"]),
    ("fixed", &["-no-pie", "-fno-pie"]),
];

/// Runs a tool of binutils or gcc.
fn tool(name: &str, args: &[&str]) {
    let output = Command::new(name).args(args).output().unwrap();
    assert!(output.status.success(), "{name} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn source(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/fixtures").join(name);
    path.to_str().unwrap().to_owned()
}

/// Builds the program as its developers have it: `places`, beside `libmark.so`.
fn build(scene: &Scene, flags: &[&str]) -> String {
    let (folder, program) = (scene.name(""), scene.name("places"));
    let library = scene.name("libmark.so");
    tool("gcc", &["-shared", "-fPIC", "-O2", "-o", &library, &source("mark.c")]);
    let (program_source, library_path) = (source("places.c"), format!("-Wl,-rpath,{folder}"));
    let fixed = [
        "-O2",
        "-g",
        "-rdynamic",
        "-Wl,--build-id",
        "-o",
        &program,
        &program_source,
        "-L",
        &folder,
        "-lmark",
    ];
    tool("gcc", &[&fixed[..], &[&library_path], flags].concat());
    program
}

fn start(scene: &Scene, command: &mut Command) -> Process {
    let mut target = scene.start("target", command.stdin(Stdio::piped()));
    target.wait_to_say("ready");
    target
}

/// What the program said of a part, most lately.
fn said(target: &Process, part: &str) -> Address {
    let said = target.stdout();
    let line = said.lines().rfind(|line| line.split(' ').next() == Some(part)).unwrap();
    let digits = line.rsplit("0x").next().unwrap();
    Address(u64::from_str_radix(digits, 16).unwrap())
}

fn main_of(pid: u32) -> Module {
    modules(Pid(pid)).unwrap().into_iter().find(Module::is_main).unwrap()
}

fn resize_of(module: &Module) -> Vec<Address> {
    module.functions_like("resize").iter().map(|named| named.symbol.address).collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_stripped_program_has_its_static_functions_and_its_calls_where_it_says() {
    for (variant, flags) in VARIANTS {
        let scene = Scene::new();
        let program = build(&scene, flags);
        tool("strip", &[&program]);
        let target = start(&scene, &mut Command::new(&program));
        let module = main_of(target.pid());
        assert!(resize_of(&module).is_empty(), "it is stripped");
        let resize =
            module.callee_of("places_expand", 0).unwrap_or_else(|error| panic!("{variant}: {error}"));
        assert_eq!(resize.symbol.address, said(&target, "resize"), "{variant}");
        assert!(resize.symbol.size > 8, "{variant}: where the next function begins is known");
        for (nth, part) in [(0, "first"), (1, "second")] {
            let site = module.call_site("places_rehash", "mark", nth).unwrap();
            assert_eq!(site.function.symbol.address, said(&target, "rehash"));
            let behind = said(&target, part).0 - site.function.symbol.address.0;
            let code = module.code(&site.function).unwrap();
            let len = match code[site.offset as usize..] {
                [0xe8, ..] => 5,
                [0xff, 0x15, ..] => 6,
                ref other => panic!("{variant}: no call: {:x?}", &other[..6]),
            };
            assert_eq!(site.offset + len, behind, "{variant}, {part}");
        }
        let places_table = module.object("places_table").unwrap().symbol;
        assert_eq!((places_table.address, places_table.size), (said(&target, "table"), 16), "{variant}");
        let within = Address(places_table.address.0 + 8);
        assert_eq!(module.object_at(within), Some(("places_table".to_owned(), 8)));
    }
}

/// Splits a program as distributions do: `places` is stripped, `places.debug` has the names.
fn split(scene: &Scene, program: &str) -> String {
    let debug = scene.name("places.debug");
    tool("objcopy", &["--only-keep-debug", program, &debug]);
    tool("strip", &[program]);
    tool("objcopy", &[&format!("--add-gnu-debuglink={debug}"), program]);
    debug
}

/// Where a debug package would put it, below a root.
fn install(root: &Path, module: &Module, debug: &str) {
    let id = module.elf().unwrap().build_id().unwrap().to_owned();
    let folder = root.join("usr/lib/debug/.build-id").join(&id[..2]);
    fs::create_dir_all(&folder).unwrap();
    fs::copy(debug, folder.join(format!("{}.debug", &id[2..]))).unwrap();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_objcopy_split_off_lends_by_each_of_its_proofs() {
    let scene = Scene::new();
    let program = build(&scene, &[]);
    let rebuilt = scene.path("rebuilt");
    fs::create_dir(&rebuilt).unwrap();
    tool(
        "objcopy",
        &["--remove-section=.note.gnu.build-id", &program, rebuilt.join("places").to_str().unwrap()],
    );
    let debug = split(&scene, &program);
    let target = start(&scene, &mut Command::new(&program));
    let resize = said(&target, "resize");
    let borrow = |roots: &[&Path], given: &[PathBuf]| {
        let module = main_of(target.pid());
        let roots = roots.iter().map(|root| root.to_path_buf()).collect();
        module.borrow_symbols(&Donors::in_roots(roots, given));
        assert_eq!(resize_of(&module), [resize]);
        module.lender().unwrap().proof()
    };
    let root = scene.path("root");
    install(&root, &main_of(target.pid()), &debug);
    assert_eq!(borrow(&[&root], &[]), Proof::BuildId);
    assert_eq!(borrow(&[Path::new("/")], &[]), Proof::BuildId, "beside the program, by its link");
    assert_eq!(borrow(&[], &[PathBuf::from(&debug)]), Proof::BuildId);
    assert_eq!(borrow(&[], &[rebuilt.join("places")]), Proof::Code);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn names_that_a_program_has_inside_packed_by_xz_are_read() {
    let scene = Scene::new();
    let program = build(&scene, &[]);
    let (names, packed) = (scene.name("names"), scene.name("names.xz"));
    tool("objcopy", &["--only-keep-debug", "--strip-debug", &program, &names]);
    tool("xz", &["--keep", &names]);
    tool("strip", &[&program]);
    tool("objcopy", &[&format!("--add-section=.gnu_debugdata={packed}"), &program]);
    let target = start(&scene, &mut Command::new(&program));
    let module = main_of(target.pid());
    module.borrow_symbols(&Donors::default());
    assert_eq!(module.lender().unwrap().proof(), Proof::Embedded);
    assert_eq!(resize_of(&module), [said(&target, "resize")]);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_program_of_other_namespaces_is_looked_into_and_its_own_root_lends_first() {
    let scene = Scene::new();
    let program = build(&scene, &[]);
    let debug = split(&scene, &program);
    let hidden = scene.name("hidden");
    fs::create_dir(&hidden).unwrap();
    // Its file and its debug files are on a file system that only it sees.
    let script = "mount --make-rprivate / && mount -t tmpfs none \"$1\" && cp \"$2\" \"$1/places\" && \
                  mkdir -p /usr/lib/debug && mount -t tmpfs none /usr/lib/debug && exec \"$1/places\"";
    let mut command = Command::new("unshare");
    command.args([
        "-m",
        "-p",
        "--fork",
        "--mount-proc",
        "--kill-child",
        "sh",
        "-c",
        script,
        "sh",
        &hidden,
        &program,
    ]);
    let target = start(&scene, &mut command);
    let children = format!("/proc/{0}/task/{0}/children", target.pid());
    let pid: u32 = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    assert!(!Path::new(&hidden).join("places").exists(), "it is seen from here");
    let module = main_of(pid);
    assert_eq!(module.path(), Path::new(&hidden).join("places"));
    assert_eq!(module.callee_of("places_expand", 0).unwrap().symbol.address, said(&target, "resize"));
    let root = PathBuf::from(format!("/proc/{pid}/root"));
    install(&root, &module, &debug);
    module.borrow_symbols(&Donors::of(Pid(pid), &[]));
    assert!(module.lender().unwrap().path().starts_with(&root), "{:?}", module.lender());
    assert_eq!(resize_of(&module), [said(&target, "resize")]);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_program_that_its_loader_runs_is_the_main_file_whatever_its_title() {
    let scene = Scene::new();
    let program = build(&scene, &[]);
    let mut command = Command::new("/lib64/ld-linux-x86-64.so.2");
    let mut target = start(&scene, command.args(["--argv0", "another", &program]));
    for _ in 0..2 {
        let module = main_of(target.pid());
        assert_eq!(module.path(), Path::new(&program));
        assert_eq!(resize_of(&module), [said(&target, "resize")]);
        target.ask("title", "titled");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_program_whose_file_was_replaced_is_looked_into_as_it_runs() {
    let scene = Scene::new();
    let program = build(&scene, &[]);
    let debug = split(&scene, &program);
    let target = start(&scene, &mut Command::new(&program));
    fs::remove_file(&program).unwrap();
    fs::copy("/bin/true", &program).unwrap();
    let module = main_of(target.pid());
    assert!(module.file().deleted);
    assert_eq!(module.callee_of("places_expand", 0).unwrap().symbol.address, said(&target, "resize"));
    module.borrow_symbols(&Donors::of(Pid(target.pid()), &[PathBuf::from(debug)]));
    assert_eq!(resize_of(&module), [said(&target, "resize")]);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_library_that_is_loaded_later_is_told_once() {
    let scene = Scene::new();
    let program = build(&scene, &[]);
    let plugin = scene.name("plugin.so");
    tool("gcc", &["-shared", "-fPIC", "-O2", "-o", &plugin, &source("mark.c")]);
    let mut target = start(&scene, &mut Command::new(&program));
    let pid = Pid(target.pid());
    let mut arrivals = Arrivals::after(pid, &modules(pid).unwrap());
    assert!(arrivals.look().unwrap().is_empty());
    target.ask(&format!("load {plugin}"), "loaded");
    let new = arrivals.look().unwrap();
    assert_eq!(new.iter().map(Module::path).collect::<Vec<_>>(), [Path::new(&plugin)]);
    assert!(new[0].symbol("mark").is_some());
    assert!(arrivals.look().unwrap().is_empty());
}

/// The demo map, in a program that was stripped of the names by which it is recognised.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_stripped_target_is_audited_by_the_symbols_of_its_unstripped_build_and_no_others() {
    let scene = Scene::new();
    let unstripped = scene.fixture(&fixture::HELD).to_str().unwrap().to_owned();
    let stripped = scene.name("stripped");
    tool("strip", &["-o", &stripped, &unstripped]);
    let mut target = scene.start("held", Command::new(&stripped).stdin(Stdio::piped()));
    target.ask("make", "done");
    let pid = target.pid().to_string();
    let census = ["census", "-p", &pid, "-f", "json", "--min-bytes", "0"];
    scene.audit(census).refused(3, &["no hash map"]);
    let look = scene.audit(census.iter().chain(&["--symbols", &unstripped])).well();
    let report = json(&look.stdout);
    assert_eq!(rows(&report, "/maps").len(), 1);
    assert_eq!(number(&report, "/maps/0/live"), 1_200_000);
    let other = build(&scene, &[]);
    scene
        .audit(census.iter().chain(&["--symbols", &other]))
        .refused(3, &["--symbols", &other, "beside the nearest", "its build id is"]);
    scene.audit(census.iter().chain(&["--symbols", "/nowhere"])).refused(3, &["/nowhere lends no symbols"]);
}
