//! Redis and Valkey: started without files and ports, loaded, and asked for MEMORY STATS and DEBUG HTSTATS.

use std::ops::Range;
use std::path::Path;

use super::resp::{Connection, Reply};
use super::suite::{Room, Suite, User};
use crate::harness::{PATIENCE, Process, Scene, wait_until};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// 7.0, of Debian 12.
    Redis7,
    /// 8.0, of Debian 13.
    Redis8,
    /// 8.1, of Debian 13.
    Valkey,
}

/// A table as DEBUG HTSTATS tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Redis: buckets. Valkey: entries for which there is room.
    pub(crate) size: u64,
    /// Entries in it.
    pub(crate) live: u64,
}

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Redis {
    process: Process,
    connection: Connection,
    _room: Room,
}

impl Server {
    fn suite(self) -> Suite {
        match self {
            Self::Redis7 => Suite::Bookworm,
            Self::Redis8 | Self::Valkey => Suite::Trixie,
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Redis7 | Self::Redis8 => "/usr/bin/redis-server",
            Self::Valkey => "/usr/bin/valkey-server",
        }
    }

    /// The file whose code runs: the server's is a link to it.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Redis7 | Self::Redis8 => "/redis-check-rdb",
            Self::Valkey => "/valkey-check-rdb",
        }
    }

    /// Starts it.
    pub(crate) fn start(self, scene: &Scene) -> Redis {
        let room = self.suite().room();
        let mut command = self.suite().command(User::Root, self.program());
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--enable-debug-command", "yes"]);
        command.args(["--unixsocket", &room.inside("socket"), "--dir", &room.inside("")]);
        let process = scene.start("redis", &mut command);
        let connection = connected(&room.path("socket"));
        Redis { process, connection, _room: room }
    }
}

fn connected(socket: &Path) -> Connection {
    let mut connection = None;
    wait_until("the server listens", PATIENCE, || {
        connection = Connection::to(socket);
        connection.is_some()
    });
    connection.unwrap()
}

fn key(number: u64) -> String {
    format!("key:{number}")
}

impl Redis {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Gives one order.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Reply {
        let answer = self.connection.ask(words);
        assert!(!matches!(answer, Reply::Refused(_)), "{words:?}: {answer:?}");
        answer
    }

    /// Sets small values.
    pub(crate) fn set(&mut self, keys: Range<u64>) {
        self.connection.tell(keys.map(|number| vec!["SET".to_owned(), key(number), "v".to_owned()]));
    }

    /// Deletes them.
    pub(crate) fn delete(&mut self, keys: Range<u64>) {
        self.connection.tell(keys.map(|number| vec!["DEL".to_owned(), key(number)]));
    }

    /// Sets values until the table of the database is being replaced by another; returns how many keys there are.
    /// From then on entries move with orders alone, and not with time.
    pub(crate) fn set_until_it_rehashes(&mut self, mut keys: u64) -> u64 {
        self.ask(&["CONFIG", "SET", "activerehashing", "no"]);
        // First as many as there is room for, then one.
        while let [table] = self.tables()[..] {
            let room = table.size.saturating_sub(table.live).max(1);
            self.set(keys..keys + room);
            keys += room;
            assert!(keys < 10_000_000, "it never rehashes");
        }
        keys
    }

    /// Deletes values until the only table of the database is that small; entries move with time from then on.
    pub(crate) fn delete_until_it_shrinks(&mut self, keys: Range<u64>, size: u64) {
        self.ask(&["CONFIG", "SET", "activerehashing", "yes"]);
        self.delete(keys);
        wait_until(
            "it has shrunk",
            PATIENCE,
            || matches!(self.tables()[..], [Table { size: now, .. }] if now <= size),
        );
    }

    /// The bytes of the first database's keys, as MEMORY STATS counts them; none if it is empty.
    pub(crate) fn main_bytes(&mut self) -> Option<u64> {
        let stats = self.ask(&["MEMORY", "STATS"]);
        Some(stats.get("db.0")?.get("overhead.hashtable.main").unwrap().number())
    }

    /// The tables of the first database's keys: two while entries move.
    pub(crate) fn tables(&mut self) -> Vec<Table> {
        let told = self.ask(&["DEBUG", "HTSTATS", "0"]);
        tables(told.text())
    }
}

/// The tables in what HTSTATS says of the keys, which comes before what it says of their ends.
fn tables(told: &str) -> Vec<Table> {
    let keys = told.split("[Expires HT]").next().unwrap();
    let numbers = |name: &str| -> Vec<u64> {
        let rows = keys.lines().filter_map(|line| line.trim().strip_prefix(name));
        rows.map(|number| number.trim().parse().unwrap()).collect()
    };
    let lives = [numbers("number of elements:"), numbers("number of entries:")].concat();
    numbers("table size:").into_iter().zip(lives).map(|(size, live)| Table { size, live }).collect()
}
