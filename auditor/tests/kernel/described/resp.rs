//! The protocol of Redis, spoken by hand over a socket: just enough to give orders and to read the answers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Nothing,
    Text(String),
    Number(i64),
    List(Vec<Self>),
    Refused(String),
}

/// How many orders are given before their answers are read.
const BATCH: usize = 1000;
/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    answers: BufReader<UnixStream>,
    orders: UnixStream,
}

impl Connection {
    /// Connects, if somebody listens.
    pub(crate) fn to(socket: &Path) -> Option<Self> {
        let orders = UnixStream::connect(socket).ok()?;
        orders.set_read_timeout(Some(PATIENCE)).unwrap();
        let answers = BufReader::new(orders.try_clone().unwrap());
        Some(Self { answers, orders })
    }

    /// Gives one order and reads its answer, which may be a refusal.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Reply {
        self.orders.write_all(&order(words)).unwrap();
        self.answer()
    }

    /// Gives many orders, none of which may be refused.
    pub(crate) fn tell(&mut self, orders: impl IntoIterator<Item = Vec<String>>) {
        let mut orders = orders.into_iter().peekable();
        while orders.peek().is_some() {
            let mut bytes = Vec::new();
            let mut given = 0;
            for words in orders.by_ref().take(BATCH) {
                bytes.extend(order(&words.iter().map(String::as_str).collect::<Vec<_>>()));
                given += 1;
            }
            self.orders.write_all(&bytes).unwrap();
            for _ in 0..given {
                let answer = self.answer();
                assert!(!matches!(answer, Reply::Refused(_)), "{answer:?}");
            }
        }
    }

    fn answer(&mut self) -> Reply {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let (kind, rest) = line.trim_end().split_at(1);
        match kind {
            "+" => Reply::Text(rest.to_owned()),
            "-" => Reply::Refused(rest.to_owned()),
            ":" => Reply::Number(rest.parse().unwrap()),
            "$" => self.text(rest.parse().unwrap()),
            "*" => Reply::List((0..rest.parse::<i64>().unwrap()).map(|_| self.answer()).collect()),
            _ => panic!("no answer: {line:?}"),
        }
    }

    fn text(&mut self, length: i64) -> Reply {
        let Ok(length) = usize::try_from(length) else { return Reply::Nothing };
        let mut bytes = vec![0; length + 2];
        self.answers.read_exact(&mut bytes).unwrap();
        Reply::Text(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }
}

fn order(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    bytes
}

impl Reply {
    /// The text that it must be.
    pub(crate) fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("no text: {self:?}") };
        text
    }

    /// The number that it must be.
    pub(crate) fn number(&self) -> u64 {
        let Self::Number(number) = self else { panic!("no number: {self:?}") };
        u64::try_from(*number).unwrap()
    }

    /// What a list of names and values has under that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::List(list) = self else { panic!("no list: {self:?}") };
        list.chunks_exact(2).find(|pair| pair[0] == Self::Text(name.to_owned())).map(|pair| &pair[1])
    }
}
