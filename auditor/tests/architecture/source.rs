//! Reads Rust source just far enough: comments and strings blanked, tests cut off, names and functions
//! found. Line numbers stay as they are in the file.
//!
//! It is no parser. It knows the shapes that rustfmt gives to code, and that is what it is shown.

use std::collections::BTreeSet;

/// One source file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Code outside tests; what is blanked became spaces, line breaks stay.
    pub(crate) code: String,
    /// The file begins with `//!`.
    pub(crate) has_header: bool,
    /// Names of the files below this one that are compiled for tests only: `#[cfg(test)] mod x;`.
    pub(crate) test_modules: Vec<String>,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// From its `fn` to its closing brace.
    pub(crate) lines: usize,
}

impl Source {
    /// Reads a file's text.
    pub(crate) fn read(text: &str) -> Self {
        let code = blanked(text);
        let test_modules = test_modules(&code);
        Self { has_header: text.starts_with("//!"), test_modules, code: without_tests(code) }
    }

    /// Lines up to the last that holds anything outside tests and comments.
    pub(crate) fn lines(&self) -> usize {
        self.code.trim_end().lines().count()
    }

    /// Whether the word occurs as a word.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        words(&self.code).any(|(at, found)| found == word && !is_raw(&self.code, at))
    }

    /// Whether an attribute allows a lint without giving a reason that is checked.
    pub(crate) fn allows_lints(&self) -> bool {
        let squeezed: String = self.code.split_whitespace().collect();
        squeezed.match_indices("allow(").any(|(at, _)| {
            let before = &squeezed[..at];
            before.ends_with("#[") || before.ends_with("#![") || before.ends_with(',') && in_attribute(before)
        })
    }

    /// Every function outside tests.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let found = words(&self.code).filter(|(_, word)| *word == "fn");
        found.filter_map(|(at, _)| function(&self.code[at..])).collect()
    }

    /// What the file names of its own crate, as paths from the root: `crate::a::b` is `[a, b]`.
    /// `module` is the path of the module that the file is.
    pub(crate) fn own_paths(&self, module: &[String], crate_name: &str) -> BTreeSet<Vec<String>> {
        let mut paths = BTreeSet::new();
        for (at, word) in words(&self.code) {
            if word == "crate" || word == crate_name {
                tree(&self.code[at + word.len()..], &mut Vec::new(), &mut paths);
            } else if word == "super" && !self.code[..at].trim_end().ends_with("super::") {
                let (levels, rest) = supers(&self.code[at..]);
                let mut base = module[..module.len().saturating_sub(levels)].to_vec();
                tree(rest, &mut base, &mut paths);
            }
        }
        paths.retain(|path| !path.is_empty());
        paths
    }

    /// Which of these crates the file names: `name::...` where a path begins, or `use name`. A module of
    /// our own by that name, declared or imported here, is no crate.
    pub(crate) fn crates<'a>(&self, known: &[&'a str]) -> BTreeSet<&'a str> {
        let imported = self.own_paths(&[], "crate");
        let is_ours = |name: &str| {
            let is_last = |path: &Vec<String>| {
                path.iter().rfind(|part| *part != "self").is_some_and(|part| part == name)
            };
            self.declares(name) || imported.iter().any(is_last)
        };
        let begins = |at: usize| {
            let before = self.code[..at].trim_end();
            !before.ends_with("::") && !before.ends_with('.') && !inside_own_group(before)
        };
        let names = |(at, word): &(usize, &str)| {
            let rest = &self.code[at + word.len()..];
            let used = self.code[..*at].trim_end().ends_with("use") && rest.starts_with([';', ' ']);
            (rest.starts_with("::") || used) && begins(*at)
        };
        let found: BTreeSet<&str> = words(&self.code).filter(names).map(|(_, word)| word).collect();
        known.iter().copied().filter(|name| found.contains(name) && !is_ours(name)).collect()
    }

    fn declares(&self, module: &str) -> bool {
        words(&self.code).any(|(at, word)| word == module && self.code[..at].trim_end().ends_with("mod"))
    }
}

/// Blanks comments, strings and characters.
fn blanked(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let (length, keep) = match literal(rest, raw_word) {
            Some(length) => (length, false),
            None => (first.len_utf8(), true),
        };
        let piece = &rest[..length];
        if keep {
            code.push_str(piece);
        } else {
            code.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = &rest[length..];
    }
    code
}

/// The length of the comment, string or character that begins here.
fn literal(text: &str, inside_word: bool) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    if text.starts_with('\'') {
        return character(text);
    }
    if inside_word && !text.starts_with('"') {
        return None;
    }
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        let after = text.strip_prefix(prefix).unwrap_or_default();
        after.starts_with('"') || prefix.ends_with('r') && after.trim_start_matches('#').starts_with('"')
    })?;
    let body = &text[prefix.len()..];
    let end = if prefix.ends_with('r') { raw_string(body) } else { string(body) };
    Some(prefix.len() + end)
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let step = match rest {
            _ if rest.starts_with("/*") => (1, 2),
            _ if rest.starts_with("*/") => (-1, 2),
            _ => (0, rest.chars().next().map_or(1, char::len_utf8)),
        };
        depth += step.0;
        at += step.1;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// A character, but no lifetime: `'a'`, `'\n'`, `'\u{1f}'`.
fn character(text: &str) -> Option<usize> {
    let body = &text[1..];
    let first = body.chars().next()?;
    if first == '\\' {
        let escape = body[1..].chars().next()?.len_utf8();
        return body[1 + escape..].find('\'').map(|at| at + 3 + escape);
    }
    body[first.len_utf8()..].starts_with('\'').then_some(2 + first.len_utf8())
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> usize {
    let hashes = text.bytes().take_while(|byte| *byte == b'#').count();
    let end = format!("\"{}", "#".repeat(hashes));
    text[hashes + 1..].find(&end).map_or(text.len(), |at| hashes + 1 + at + end.len())
}

/// What tests are marked with.
const MARK: &str = "#[cfg(test)]";

/// The names in `#[cfg(test)] mod x;`.
fn test_modules(code: &str) -> Vec<String> {
    let marked = code.match_indices(MARK).map(|(at, _)| &code[at + MARK.len()..]);
    let declared = marked.filter(|rest| rest[..item(rest)].ends_with(';'));
    let name = |rest: &str| {
        words(rest).skip_while(|(_, word)| *word != "mod").nth(1).map(|(_, word)| word.to_owned())
    };
    declared.filter_map(name).collect()
}

/// Blanks each module under `#[cfg(test)]`.
fn without_tests(mut code: String) -> String {
    while let Some(start) = code.find(MARK) {
        let end = start + MARK.len() + item(&code[start + MARK.len()..]);
        let blank: String = code[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        code.replace_range(start..end, &blank);
    }
    code
}

/// The length of the item that begins here: up to its closing brace or its semicolon.
fn item(code: &str) -> usize {
    match code.find(['{', ';']) {
        Some(at) if code[at..].starts_with('{') => at + braces(&code[at..]),
        Some(at) => at + 1,
        None => code.len(),
    }
}

/// From an opening brace to behind the closing one.
fn braces(code: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The function whose `fn` is here; `None` for a type such as `fn(u8)` and for a declaration.
fn function(code: &str) -> Option<Function> {
    let (_, name) = words(code).nth(1).filter(|(at, _)| code["fn".len()..*at].trim().is_empty())?;
    let open = body(code)?;
    let whole = &code[..open + braces(&code[open..])];
    Some(Function { name: name.to_owned(), lines: whole.lines().count() })
}

/// Where the body begins: the first brace outside parentheses and brackets, unless a semicolon ends the
/// declaration before it.
fn body(code: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Identifiers and keywords with their places.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let starts = code.char_indices().filter(move |(at, c)| is_word(*c) && !code[..*at].ends_with(is_word));
    starts.map(move |(at, _)| {
        let rest = &code[at..];
        (at, &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())])
    })
}

fn is_raw(code: &str, at: usize) -> bool {
    code[..at].ends_with("r#")
}

fn in_attribute(before: &str) -> bool {
    before.rfind("cfg_attr(").is_some_and(|at| !before[at..].contains(']'))
}

/// How many `super::` stand in a row, and what follows the last `super`.
fn supers(code: &str) -> (usize, &str) {
    let mut levels = 1;
    let mut rest = &code["super".len()..];
    while let Some(next) = rest.strip_prefix("::super") {
        levels += 1;
        rest = next;
    }
    (levels, rest)
}

/// Reads `::a::{b, c::d}` and gathers every path in it. Returns how far it read.
fn tree(code: &str, base: &mut Vec<String>, paths: &mut BTreeSet<Vec<String>>) -> usize {
    let depth = base.len();
    let mut at = 0;
    while let Some(rest) = code[at..].strip_prefix("::") {
        if rest.starts_with('{') {
            at += 2 + group(rest, base, paths);
            base.truncate(depth);
            return at;
        }
        let Some((0, word)) = words(rest).next() else { break };
        base.push(word.to_owned());
        at += 2 + word.len();
    }
    paths.insert(base.clone());
    base.truncate(depth);
    at
}

/// Reads `{b, c::d}` below `base`.
fn group(code: &str, base: &mut Vec<String>, paths: &mut BTreeSet<Vec<String>>) -> usize {
    let end = braces(code);
    let mut at = 1;
    while at < end {
        let starts_word = code[at..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if starts_word {
            // A member reads like the rest of a path once its `::` is put before it.
            let member = format!("::{}", &code[at..end]);
            at += tree(&member, base, paths) - 2;
        } else {
            at += code[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    end
}

/// Whether the text ends inside the braces of `use crate::...{` or `use super::...{`.
fn inside_own_group(before: &str) -> bool {
    let Some(at) = before.rfind("use ") else { return false };
    let statement = &before[at + "use ".len()..];
    let own = ["crate::", "super::", "self::"].iter().any(|start| statement.starts_with(start));
    own && !statement.contains(';') && statement.contains('{')
}
