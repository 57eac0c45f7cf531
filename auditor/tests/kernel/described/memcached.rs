//! memcached: started with a socket of its own, loaded, and asked for `stats`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::Range;
use std::os::unix::net::UnixStream;

use super::suite::{Room, Suite, User};
use crate::harness::{PATIENCE, Process, Scene, wait_until};

/// How many orders are given before their answers are read.
const BATCH: u64 = 1000;

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Memcached {
    process: Process,
    answers: BufReader<UnixStream>,
    orders: UnixStream,
    _room: Room,
}

/// What `stats` says of the hash table and of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stats {
    pub(crate) items: u64,
    pub(crate) bytes: u64,
    pub(crate) hash_bytes: u64,
    pub(crate) hash_power: u64,
    pub(crate) is_expanding: bool,
}

impl Memcached {
    /// Starts it.
    pub(crate) fn start(scene: &Scene, suite: Suite) -> Self {
        let room = suite.room();
        let mut command = suite.command(User::Root, "/usr/bin/memcached");
        command.args(["-u", "root", "-m", "512", "-t", "2", "-s", &room.inside("socket")]);
        let process = scene.start("memcached", &mut command);
        let mut orders = None;
        wait_until("memcached listens", PATIENCE, || {
            orders = UnixStream::connect(room.path("socket")).ok();
            orders.is_some()
        });
        let orders = orders.unwrap();
        orders.set_read_timeout(Some(PATIENCE)).unwrap();
        let answers = BufReader::new(orders.try_clone().unwrap());
        Self { process, answers, orders, _room: room }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn tell(&mut self, keys: Range<u64>, order: impl Fn(u64) -> String, answer: &str) {
        let mut first = keys.start;
        while first < keys.end {
            let end = (first + BATCH).min(keys.end);
            let orders: String = (first..end).map(&order).collect();
            self.orders.write_all(orders.as_bytes()).unwrap();
            (first..end).for_each(|key| assert_eq!(self.line(), answer, "{key}"));
            first = end;
        }
    }

    /// Sets small values.
    pub(crate) fn set(&mut self, keys: Range<u64>) {
        self.tell(keys, |key| format!("set k{key} 0 0 1\r\nx\r\n"), "STORED");
    }

    /// Deletes them.
    pub(crate) fn delete(&mut self, keys: Range<u64>) {
        self.tell(keys, |key| format!("delete k{key}\r\n"), "DELETED");
    }

    /// What it says of its hash table.
    pub(crate) fn stats(&mut self) -> Stats {
        self.orders.write_all(b"stats\r\n").unwrap();
        let mut rows = Vec::new();
        while rows.last().is_none_or(|row| row != "END") {
            let line = self.line();
            rows.push(line);
        }
        let find = |name: &str| -> u64 {
            let mut values = rows
                .iter()
                .filter_map(|row| row.strip_prefix("STAT ")?.strip_prefix(name)?.strip_prefix(' '));
            values.next().unwrap_or_else(|| panic!("no {name} in {rows:?}")).parse().unwrap()
        };
        Stats {
            items: find("curr_items"),
            bytes: find("bytes"),
            hash_bytes: find("hash_bytes"),
            hash_power: find("hash_power_level"),
            is_expanding: find("hash_is_expanding") == 1,
        }
    }

    /// Waits until the table has as many buckets as its entries ask for: it looks once a second.
    pub(crate) fn wait_to_expand(&mut self, power: u64) {
        wait_until("the table has grown", PATIENCE, || {
            let stats = self.stats();
            stats.hash_power == power && !stats.is_expanding
        });
    }
}
