//! Puts a profile together: each string, function and place once, numbered as they come.

use std::collections::BTreeMap;

use super::message::{Function, Label, Line, Location, Profile, Text, ValueType};
use crate::render::export::{Frame, text};

/// The one mapping: the target's executable.
const EXECUTABLE: u64 = 1;

/// A profile that grows.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) profile: Profile,
    strings: BTreeMap<String, Text>,
    functions: BTreeMap<(Text, Text), u64>,
    locations: BTreeMap<(u64, i64), u64>,
}

impl Builder {
    pub(super) fn new() -> Self {
        let (strings, functions, locations) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut builder = Self { profile: Profile::default(), strings, functions, locations };
        builder.string(String::new());
        builder
    }

    /// The number of a string, which is harmless already.
    pub(super) fn string(&mut self, text: impl Into<String>) -> Text {
        let (text, table) = (text.into(), &mut self.profile.string_table);
        if let Some(known) = self.strings.get(&text) {
            return *known;
        }
        let number = Text::try_from(table.len()).unwrap_or(Text::MAX);
        table.push(text.clone());
        self.strings.insert(text, number);
        number
    }

    pub(super) fn sample_type(&mut self, kind: &str, unit: &str) {
        let of = ValueType { kind: self.string(kind), unit: self.string(unit) };
        self.profile.sample_type.push(of);
    }

    pub(super) fn comment(&mut self, words: &str) {
        let words = self.string(words);
        self.profile.comment.push(words);
    }

    /// A frame of the target.
    pub(super) fn frame(&mut self, frame: &str) -> u64 {
        let Frame { function, file, line } = Frame::of(frame);
        self.location(text(function), text(file), line)
    }

    /// A frame of ours: a map, or what stands for something that is not known.
    pub(super) fn pseudo(&mut self, name: impl Into<String>) -> u64 {
        self.location(name.into(), String::new(), 0)
    }

    fn location(&mut self, function: String, file: String, line: i64) -> u64 {
        let function_id = self.function(function, file);
        let next = self.profile.location.len() as u64 + 1;
        let id = *self.locations.entry((function_id, line)).or_insert(next);
        if id == next {
            let line = vec![Line { function_id, line }];
            self.profile.location.push(Location { id, mapping_id: EXECUTABLE, line });
        }
        id
    }

    fn function(&mut self, name: String, file: String) -> u64 {
        let (name, filename) = (self.string(name), self.string(file));
        let next = self.profile.function.len() as u64 + 1;
        let id = *self.functions.entry((name, filename)).or_insert(next);
        if id == next {
            self.profile.function.push(Function { id, name, system_name: name, filename });
        }
        id
    }

    pub(super) fn word(&mut self, key: &str, word: impl Into<String>) -> Label {
        Label { key: self.string(key), str: self.string(word), num: 0, num_unit: 0 }
    }

    pub(super) fn number(&mut self, key: &str, num: u64, unit: &str) -> Label {
        let num = bounded(num);
        Label { key: self.string(key), str: 0, num, num_unit: self.string(unit) }
    }
}

/// A number as a profile can have it.
pub(super) fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
