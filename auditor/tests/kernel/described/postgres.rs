//! PostgreSQL: a cluster of its own, a session whose statements come one by one, and what
//! pg_backend_memory_contexts says of that session.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::Signal;

use super::suite::{Room, Suite, User};
use crate::harness::{PATIENCE, Process, Scene, wait_until};

/// A server that runs, with one session.
#[derive(Debug)]
pub(crate) struct Postgres {
    /// Ended first.
    session: Session,
    server: Option<Process>,
    suite: Suite,
    room: Room,
}

/// Somebody who asks the server.
#[derive(Debug)]
pub(crate) struct Session {
    process: Process,
    output: PathBuf,
    /// What it has said so far, in bytes, and how often it was asked.
    read: usize,
    asked: u64,
    backend: u32,
}

/// A memory context of a hash table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    /// The name of the table.
    pub(crate) name: String,
    pub(crate) total: u64,
    pub(crate) free: u64,
}

impl Suite {
    const fn postgres(self) -> u32 {
        match self {
            Self::Bookworm => 15,
            Self::Trixie => 17,
        }
    }
}

impl Postgres {
    /// Makes a cluster, starts its server and opens a session.
    pub(crate) fn start(scene: &Scene, suite: Suite) -> Self {
        Self::start_with(scene, suite, &[])
    }

    /// The same with more settings.
    pub(crate) fn start_with(scene: &Scene, suite: Suite, settings: &[&str]) -> Self {
        let room = suite.room();
        let program = |name: &str| format!("/usr/lib/postgresql/{}/bin/{name}", suite.postgres());
        let mut cluster = suite.command(User::Postgres, &program("initdb"));
        cluster.args(["-D", &room.inside("data"), "--locale=C", "-E", "UTF8", "-A", "trust", "--no-sync"]);
        scene.start("initdb", &mut cluster).end_by_itself().well();
        let mut server = suite.command(User::Postgres, &program("postgres"));
        server.args(["-D", &room.inside("data"), "-k", &room.inside("")]);
        // A release's root has no /dev/shm.
        let always = ["listen_addresses=", "fsync=off", "dynamic_shared_memory_type=sysv", "autovacuum=off"];
        for setting in always.iter().chain(settings) {
            server.args(["-c", setting]);
        }
        let mut server = scene.start("postgres", &mut server);
        server.wait_to_say("ready to accept connections");
        let session = Session::open(scene, suite, &room, "psql");
        Self { session, server: Some(server), suite, room }
    }

    /// One more session, by that name.
    pub(crate) fn another(&self, scene: &Scene, name: &str) -> Session {
        Session::open(scene, self.suite, &self.room, name)
    }

    /// The process that all others come of.
    pub(crate) fn postmaster(&self) -> u32 {
        self.server.as_ref().expect("it runs until this is dropped").pid()
    }
}

impl std::ops::Deref for Postgres {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl std::ops::DerefMut for Postgres {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Session {
    fn open(scene: &Scene, suite: Suite, room: &Room, name: &str) -> Self {
        let psql = format!("/usr/lib/postgresql/{}/bin/psql", suite.postgres());
        let mut session = suite.command(User::Postgres, &psql);
        session
            .args(["-h", &room.inside(""), "-d", "postgres", "-XqAt", "-v", "ON_ERROR_STOP=1"])
            .stdin(Stdio::piped());
        let process = scene.start(name, &mut session);
        let output = scene.path(&format!("{name}.out"));
        let mut started = Self { process, output, read: 0, asked: 0, backend: 0 };
        started.backend = started.ask("SELECT pg_backend_pid();")[0].parse().unwrap();
        started
    }

    /// The process that serves the session.
    pub(crate) fn backend(&self) -> u32 {
        self.backend
    }

    /// Has statements run, and gives what they said, line by line.
    pub(crate) fn ask(&mut self, statements: &str) -> Vec<String> {
        self.asked += 1;
        let mark = format!("done {}\n", self.asked);
        self.process.tell(&format!("{statements}\n\\echo {}", mark.trim_end()));
        let mut said = String::new();
        wait_until("the session answers", PATIENCE, || {
            let ended = self.process.has_ended();
            said = fs::read_to_string(&self.output).unwrap_or_default().split_off(self.read);
            assert!(said.ends_with(&mark) || !ended, "the session ended: {}", self.process.stderr());
            said.ends_with(&mark)
        });
        self.read += said.len();
        said.trim_end_matches(&mark).lines().map(str::to_owned).collect()
    }

    /// Prepares statements, each of which is an entry of a hash table.
    pub(crate) fn prepare(&mut self, statements: std::ops::Range<u64>) {
        let all = statements.fold(String::new(), |mut all, number| {
            writeln!(all, "PREPARE s{number} AS SELECT {number};").unwrap();
            all
        });
        self.ask(&all);
    }

    /// The contexts of hash tables with that name, as the session sees them.
    pub(crate) fn tables(&mut self, name: &str) -> Vec<Context> {
        let rows = self.ask(&format!(
            "SELECT name, total_bytes, free_bytes FROM pg_backend_memory_contexts WHERE name = '{name}';"
        ));
        let context = |row: &String| {
            let mut words = row.split('|');
            let name = words.next().unwrap().to_owned();
            let mut number = || words.next().unwrap().parse().unwrap();
            Context { name, total: number(), free: number() }
        };
        rows.iter().map(context).collect()
    }
}

impl Drop for Postgres {
    /// A server that is killed leaves its processes and its shared memory behind.
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        if std::thread::panicking() {
            server.signal(Signal::SIGQUIT);
            std::thread::sleep(std::time::Duration::from_millis(500));
        } else {
            server.end_by(Signal::SIGINT).well();
        }
    }
}
