//! Builds the C programs of `fixtures/` with gcc.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Scene;

impl Scene {
    /// Builds `fixtures/NAME.c` with these flags.
    pub(crate) fn fixture(&self, name: &str, flags: &[&str]) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/fixtures").join(name);
        let program = self.path(name);
        let built = Command::new("gcc")
            .args(["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-fno-omit-frame-pointer"])
            .arg("-o")
            .args([&program, &source.with_extension("c")])
            .args(flags)
            .output()
            .expect("the kernel tier builds small C programs: it needs gcc");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        program
    }
}
