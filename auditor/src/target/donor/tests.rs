//! Lenders, real and false, made by hand and by hand laid where distributions have them.

use std::fs;

use super::*;
use crate::target::elf::made::{Made, mapped};

const ID: [u8; 4] = [0xab, 0xcd, 0xef, 0x01];
const OTHER_ID: [u8; 4] = [1, 2, 3, 4];
const CODE: [u8; 64] = [0x90; 64];

/// A program as its developers have it.
fn whole() -> Made {
    Made::default().section(".text", 0x1000, &CODE).build_id(&ID).function("resize", 0x1010, 16)
}

/// The same as it is shipped, and mapped.
fn shipped() -> Module {
    Module::captured(mapped("/usr/bin/made"), whole().stripped().file())
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(root: &Path, path: &str, bytes: Vec<u8>) -> PathBuf {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// What comes of looking in these roots, and by which proof `resize` was found.
fn borrow(module: &Module, roots: &[&Path], given: &[PathBuf]) -> Option<Proof> {
    let donors = Donors::in_roots(roots.iter().map(|root| root.to_path_buf()).collect(), given);
    module.borrow_symbols(&donors);
    assert_eq!(module.functions_like("resize").len(), usize::from(module.lender().is_some()));
    module.lender().map(Lender::proof)
}

fn reasons(module: &Module, given: &[PathBuf]) -> Vec<String> {
    let borrowed = module.borrow_symbols(&Donors::in_roots(Vec::new(), given));
    borrowed.declined.iter().map(|declined| declined.why.to_string()).collect()
}

#[test]
fn a_debug_file_lends_by_the_build_id_and_the_targets_root_goes_first() {
    let (target, ours) = (folder(), folder());
    let path = "usr/lib/debug/.build-id/ab/cdef01.debug";
    write(ours.path(), path, whole().debug_information_alone().file());
    let module = shipped();
    assert_eq!(borrow(&module, &[target.path(), ours.path()], &[]), Some(Proof::BuildId));
    assert_eq!(module.lender().unwrap().path(), ours.path().join(path));
    let resize = module.functions_like("resize").remove(0);
    assert_eq!((resize.symbol.file_offset, resize.symbol.size), (Some(0x1010), 16));
    assert_eq!(module.code(&resize).unwrap(), [0x90; 16], "the bytes are the shipped file's");
    write(target.path(), path, whole().debug_information_alone().file());
    let module = shipped();
    borrow(&module, &[target.path(), ours.path()], &[]);
    assert!(module.lender().unwrap().path().starts_with(target.path()));
}

#[test]
fn a_debug_file_of_another_build_under_the_right_name_is_declined() {
    let root = folder();
    let other = Made::default().build_id(&OTHER_ID).function("resize", 0x1010, 16);
    write(root.path(), "usr/lib/debug/.build-id/ab/cdef01.debug", other.file());
    let module = shipped();
    assert_eq!(borrow(&module, &[root.path()], &[]), None);
    let declined = &module.borrow_symbols(&Donors::default()).declined[0];
    assert!(declined.why.to_string().contains("its build id is 01020304, not abcdef01"), "{}", declined.why);
}

#[test]
fn a_file_that_is_linked_to_lends_by_its_checksum_and_not_with_another() {
    let plain = Made::default().section(".text", 0x1000, &CODE);
    let debug = plain.clone().function("resize", 0x1010, 16).debug_information_alone().file();
    let linked = |checksum: u32| {
        let section = [b"made.debug\0\0", &checksum.to_le_bytes()[..]].concat();
        let file = plain.clone().section(".gnu_debuglink", 0, &section).file();
        Module::captured(mapped("/usr/bin/made"), file)
    };
    for place in ["usr/bin/made.debug", "usr/bin/.debug/made.debug", "usr/lib/debug/usr/bin/made.debug"] {
        let root = folder();
        write(root.path(), place, debug.clone());
        assert_eq!(
            borrow(&linked(crc32fast::hash(&debug)), &[root.path()], &[]),
            Some(Proof::Checksum),
            "{place}"
        );
        let other = linked(7);
        assert_eq!(borrow(&other, &[root.path()], &[]), None);
        let why = other.borrow_symbols(&Donors::default()).declined[0].why.to_string();
        assert!(why.contains("its checksum is not the one that the file has"), "{why}");
    }
}

#[test]
fn a_rebuilt_file_lends_by_equal_code_though_its_build_id_differs() {
    let root = folder();
    let rebuilt =
        Made::default().section(".text", 0x1000, &CODE).build_id(&OTHER_ID).function("resize", 0x1010, 16);
    let given = [write(root.path(), "rebuilt", rebuilt.file())];
    assert_eq!(borrow(&shipped(), &[], &given), Some(Proof::Code));
}

#[test]
fn what_differs_is_said() {
    let root = folder();
    let with_code = |address: u64, code: &[u8]| {
        Made::default().section(".text", address, code).build_id(&OTHER_ID).function("resize", 0x1010, 16)
    };
    let mut changed = CODE;
    changed[0x21] = 0x91;
    for (made, part) in [
        (with_code(0x1000, &changed), "its code differs from 0x1021 on"),
        (with_code(0x1000, &CODE[1..]), "its code has 63 bytes, not 64"),
        (with_code(0x1100, &CODE), "its code is at 0x1100, not at 0x1000"),
        (with_code(0x1000, &CODE).debug_information_alone(), "it has no code (.text) to compare"),
        (with_code(0x1000, &CODE).stripped(), "it is stripped itself"),
    ] {
        let given = [write(root.path(), "given", made.file())];
        let reasons = reasons(&shipped(), &given);
        assert!(reasons[0].contains(part), "{reasons:?}");
        let misfits = misfits(&given, &[shipped()]);
        assert!(misfits[0].contains(part) && misfits[0].contains("/given"), "{misfits:?}");
    }
    let nowhere = [root.path().join("nowhere")];
    assert!(misfits(&nowhere, &[shipped()])[0].contains("cannot open"));
    let fitting = [write(root.path(), "fits", whole().file())];
    assert!(misfits(&fitting, &[shipped()]).is_empty());
}

#[test]
fn the_nearest_file_is_the_one_a_misfit_is_held_against() {
    let root = folder();
    let other = Made::default().section(".text", 0x1000, &[0xc3; 64]).function("resize", 0x1010, 16);
    let given = [write(root.path(), "given", other.file())];
    let far = Made::default().section(".text", 0x1000, &[0x90; 500]);
    let far = Module::captured(mapped("/usr/lib/far.so"), far.file());
    let misfits = misfits(&given, &[far, shipped()]);
    assert!(misfits[0].contains("beside the nearest, /usr/bin/made"), "{misfits:?}");
}

#[test]
fn a_file_with_symbols_of_its_own_borrows_none() {
    let root = folder();
    let given = [write(root.path(), "given", whole().function("other", 0x1020, 16).file())];
    let module = Module::captured(mapped("/usr/bin/made"), whole().file());
    module.borrow_symbols(&Donors::in_roots(Vec::new(), &given));
    assert!(module.lender().is_none() && module.functions_like("other").is_empty());
}

#[test]
fn a_hostile_lender_is_declined_or_lends_but_never_panics() {
    let root = folder();
    let good = whole().file();
    for at in 0x10000..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        let given = [write(root.path(), "given", bad)];
        let module = shipped();
        module.borrow_symbols(&Donors::in_roots(Vec::new(), &given));
        let _found = module.functions_like("resize");
        let _object = module.object_at(crate::audit::unit::Address(0x7000_0000_1010));
    }
}
