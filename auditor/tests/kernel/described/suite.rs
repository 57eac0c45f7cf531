//! Releases of Debian: `cargo xtask setup` unpacks their servers, each release into a folder that is the root of the
//! programs that are started here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
}

/// Who runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// As the tests are.
    Root,
    /// For those that refuse to be.
    Postgres,
}

/// A folder in the root of a release, for the files and sockets of one server.
#[derive(Debug)]
pub(crate) struct Room {
    suite: Suite,
    folder: tempfile::TempDir,
}

impl Suite {
    /// Its root.
    pub(crate) fn root(self) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/suites");
        let folder = std::env::var_os("AUDITOR_SUITES_FOLDER").map_or(folder, PathBuf::from);
        let root = folder.join(match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        });
        assert!(root.join("usr/bin").is_dir(), "{} is missing: cargo xtask setup gets it", root.display());
        root.canonicalize().unwrap()
    }

    /// A program of it, which sees nothing but that release.
    pub(crate) fn command(self, user: User, program: &str) -> Command {
        let mut command = Command::new("chroot");
        if user == User::Postgres {
            command.arg("--userspec=970:970");
        }
        command.arg(self.root()).arg(program).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin").env("LC_ALL", "C");
        command
    }

    /// A new, empty room, in which everybody may write.
    pub(crate) fn room(self) -> Room {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::Builder::new().prefix("t").tempdir_in(self.root().join("tmp")).unwrap();
        set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        Room { suite: self, folder }
    }
}

impl Room {
    /// A path in it, as everybody else sees it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same path, as programs of the release see it.
    pub(crate) fn inside(&self, name: &str) -> String {
        let root = self.suite.root();
        let path = self.path(name);
        Path::new("/").join(path.strip_prefix(root).unwrap()).to_str().unwrap().to_owned()
    }
}
