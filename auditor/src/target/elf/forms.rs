//! How a compiler names what it makes of a function, and what a mangled name means. Text in, text out.
//!
//! Of `resize` a compiler may leave `resize.constprop.0` (some argument is always the same),
//! `resize.isra.0` (arguments were taken apart or out), `resize.lto_priv.0` and `resize.llvm.123` (two
//! source files have one), `resize.part.0` (a piece, while the rest is inlined into the callers) and
//! `resize.cold` (what is hardly ever run). A profile says `resize`.

use std::fmt::{self, Write as _};

/// What a name of a compiler's is of the function that is named in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// The function under its own name.
    Whole,
    /// All of the function, in one of maybe several copies. The arguments after the first need not be where
    /// they would be.
    Copy,
    /// A piece of it, which the inlined rest calls (`.part`).
    Part,
}

/// Longest mangled name that is looked into, and longest text that comes of one. Those of generic Rust functions
/// are some thousand bytes long.
const NAME: usize = 16 << 10;

/// Shortest word that is taken for a name of the program's own.
const WORD: usize = 10;

/// What may follow a dot behind a name, and what the name is then; `None`: not one to be found by it.
const SUFFIXES: [(&str, Option<Form>); 8] = [
    ("lto_priv", Some(Form::Copy)),
    ("isra", Some(Form::Copy)),
    ("constprop", Some(Form::Copy)),
    ("llvm", Some(Form::Copy)),
    ("__uniq", Some(Form::Copy)),
    ("localalias", Some(Form::Whole)),
    ("part", Some(Form::Part)),
    ("cold", None),
];

/// A name without what compilers and linkers put behind it: `resize` of `resize.isra.0` and `resize@@V2`.
pub(super) fn base(name: &str) -> &str {
    let name = name.split_once('@').map_or(name, |(name, _version)| name);
    let end = name.match_indices('.').map(|(at, _)| at).find(|&at| {
        let word = name[at + 1..].split('.').next().unwrap_or_default();
        at > 0 && SUFFIXES.iter().any(|(suffix, _)| *suffix == word)
    });
    &name[..end.unwrap_or(name.len())]
}

/// What `found` is of the function `wanted`; `None`: nothing, or what is hardly ever run of it.
#[must_use]
pub fn form(found: &str, wanted: &str) -> Option<Form> {
    if found == wanted {
        return Some(Form::Whole);
    }
    let rest = found.strip_prefix(wanted)?;
    if rest.starts_with('@') {
        return Some(Form::Whole);
    }
    let words = rest.strip_prefix('.')?.split('.');
    let mut form = Form::Whole;
    for word in words {
        let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            let (_, is) = SUFFIXES.iter().find(|(suffix, _)| *suffix == word)?;
            form = form.max((*is)?);
        }
    }
    Some(form)
}

/// Whether the name is that of what is hardly ever run of a function.
pub(in crate::target) fn is_cold(name: &str) -> bool {
    name.split('.').skip(1).any(|word| word == "cold")
}

/// A name as the source has it: with all types where Rust or C++ mangled it, without Rust's hash, without what the
/// compiler put behind it. A name that is not mangled is itself.
#[must_use]
pub fn demangled(name: &str) -> String {
    let name = base(&name[..name.floor_char_boundary(NAME)]);
    rust(name).or_else(|| cpp(name)).unwrap_or_else(|| name.to_owned())
}

/// The words of a regular expression that are in the mangled name of whatever it fits: mangling leaves names as they
/// are. Most names of a large program need not be demangled then. Words that demanglers make of less (`unsigned`,
/// `basic_string`) are left out by their looks, and so is all of an expression with other signs than `.*`.
#[must_use]
pub fn certain_words(expression: &str) -> Vec<&str> {
    let pieces =
        expression.split(".*").flat_map(|piece| piece.split(['<', '>', ':', ',', ' ', '^', '$', '&', '-']));
    let words: Vec<&str> = pieces.collect();
    let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !words.iter().all(is_word) {
        return Vec::new();
    }
    let is_own = |word: &&str| {
        let is_marked = word.bytes().any(|byte| byte == b'_' || byte.is_ascii_uppercase());
        word.len() >= WORD && is_marked && !word.starts_with("basic_")
    };
    words.into_iter().filter(is_own).collect()
}

fn rust(name: &str) -> Option<String> {
    let symbol = rustc_demangle::try_demangle(name).ok()?;
    let mut text = Bounded::default();
    write!(text, "{symbol:#}").ok()?;
    Some(text.0)
}

fn cpp(name: &str) -> Option<String> {
    if !name.starts_with("_Z") {
        return None;
    }
    let symbol = cpp_demangle::BorrowedSymbol::new(name.as_bytes()).ok()?;
    let mut text = Bounded::default();
    symbol.structured_demangle(&mut text, &cpp_demangle::DemangleOptions::default()).ok()?;
    Some(text.0)
}

/// Text that refuses to grow: a short name may mean a very long one.
#[derive(Debug, Default)]
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > NAME {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_suffix_of_a_compiler_is_seen_through_and_cold_code_is_not_the_function() {
        let of_resize = |found| form(found, "resize");
        assert_eq!(of_resize("resize"), Some(Form::Whole));
        assert_eq!(of_resize("resize@@VERS_2.0"), Some(Form::Whole));
        assert_eq!(of_resize("resize.localalias"), Some(Form::Whole));
        for copy in ["lto_priv.0", "isra.0", "constprop.12", "llvm.1234567890", "isra.0.constprop.1"] {
            let name = format!("resize.{copy}");
            assert_eq!((form(&name, "resize"), base(&name)), (Some(Form::Copy), "resize"));
        }
        assert_eq!(of_resize("resize.part.0"), Some(Form::Part));
        assert_eq!(of_resize("resize.constprop.0.part.0"), Some(Form::Part));
        for other in
            ["resize.cold", "resize.isra.0.cold", "resize.cold.1", "resized", "resize.0x", "resize.", "siz"]
        {
            assert_eq!(of_resize(other), None, "{other}");
        }
    }

    #[test]
    fn a_name_with_dots_of_its_own_keeps_them() {
        assert_eq!(base("runtime.mapassign_fast64"), "runtime.mapassign_fast64");
        assert_eq!(base(".cold"), ".cold");
        assert_eq!(form("runtime.mapassign", "runtime"), None);
        assert_eq!(form("resize.isra.0", "resize.isra.0"), Some(Form::Whole));
    }

    #[test]
    fn names_of_rust_and_of_c_plus_plus_are_as_in_the_source() {
        let legacy = "_ZN9hashbrown3raw21RawTable$LT$T$C$A$GT$14reserve_rehash17h0123456789abcdefE";
        assert_eq!(demangled(legacy), "hashbrown::raw::RawTable<T,A>::reserve_rehash");
        assert_eq!(demangled(&format!("{legacy}.llvm.123")), demangled(legacy));
        assert_eq!(demangled("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
        assert_eq!(
            demangled("_ZNKSt8__detail20_Prime_rehash_policy11_M_next_bktEm"),
            "std::__detail::_Prime_rehash_policy::_M_next_bkt(unsigned long) const"
        );
        assert_eq!(demangled("dictresize.lto_priv.0"), "dictresize");
        assert_eq!(demangled("_Z!"), "_Z!");
    }

    #[test]
    fn the_words_of_an_expression_that_must_be_in_the_mangled_name_are_told_where_that_is_certain() {
        assert_eq!(certain_words("RawTable<.*>.*reserve_rehash"), ["reserve_rehash"]);
        assert_eq!(certain_words("^OrderedHashTable<.*unsigned long>::Rehash$"), ["OrderedHashTable"]);
        for unsure in
            ["reserve_rehash|OrderedHashTable", "(reserve_rehash)?", "reserve_rehash[0-9]", "basic_string"]
        {
            assert!(certain_words(unsure).is_empty(), "{unsure}");
        }
        let mangled = "_ZN9hashbrown3raw21RawTable$LT$T$C$A$GT$14reserve_rehash17h0123456789abcdefE";
        assert!(certain_words("RawTable<.*>.*reserve_rehash").iter().all(|word| mangled.contains(word)));
    }

    proptest! {
        #[test]
        fn a_name_whatever_it_is_comes_out_bounded(
            name in prop_oneof!["(_Z|_R)[A-Za-z0-9_$.]{0,300}", "(_ZN|_RI|_ZS)(S_|B_|[0-9]|I|E|T){0,400}", ".{0,60}"],
        ) {
            prop_assert!(demangled(&name).len() <= NAME);
            prop_assert!(name.starts_with(base(&name)));
            let _form = form(&name, base(&name));
        }
    }
}
