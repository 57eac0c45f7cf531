//! Where the probes of a profile go in one file.

use super::profile::{Place, Probe};
use crate::runtimes::hook::Spot;
use crate::target::elf::certain_words;
use crate::target::module::{Module, Named};

/// Most functions that one pattern is probed at.
const MOST: usize = 64;

/// A place, with what its name says of the type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What it is called in the names of hooks: the function.
    pub(super) name: String,
    /// Where.
    pub(super) spot: Spot,
    /// The name of the function as the source has it, where that may tell a type.
    pub(super) shown: Option<String>,
}

/// The places of a probe; one that is nowhere is told as missing.
pub(super) fn find(probe: &Probe, module: &Module) -> Vec<Found> {
    match &probe.at {
        Place::Symbol(name) => functions(name, module),
        Place::Regex(pattern) => {
            let words = certain_words(pattern.as_str());
            let matches = module.functions_where(MOST, &words, &|shown| pattern.is_match(shown));
            let found: Vec<Found> = matches.found.into_iter().map(at).collect();
            if found.is_empty() {
                vec![missing(pattern.as_str(), "no function of the file matches it")]
            } else {
                found
            }
        }
        Place::Usdt { provider, name } => {
            let shown = format!("{provider}:{name}");
            vec![missing(&shown, "static probes of profiles are not placed yet: name the function instead")]
        }
        Place::Offset { offset, build_id } => vec![offset_of(*offset, build_id.as_deref(), module)],
        Place::Callee { of, nth } => {
            let shown = format!("callee {nth} of {of}");
            match module.callee_of(of, *nth as usize) {
                Ok(named) => vec![Found { name: format!("{of}_callee_{nth}"), ..at(named) }],
                Err(error) => vec![missing(&shown, &error.to_string())],
            }
        }
        Place::Call { symbol, call, nth } => {
            let shown = format!("{symbol} calls {call}");
            match module.call_site(symbol, call, *nth as usize) {
                Ok(site) => {
                    let name = format!("{symbol}_{call}");
                    vec![Found {
                        name,
                        spot: Spot::Amid(shown, site.function.symbol, site.offset),
                        shown: None,
                    }]
                }
                Err(error) => vec![missing(&shown, &error.to_string())],
            }
        }
    }
}

fn functions(name: &str, module: &Module) -> Vec<Found> {
    let found: Vec<Found> = module.functions_like(name).into_iter().take(MOST).map(at).collect();
    if found.is_empty() {
        return vec![missing(name, "the program has no such symbol: it is of another version, or stripped")];
    }
    found
}

fn at(named: Named) -> Found {
    let shown = named.shown();
    Found { name: named.name.clone(), spot: Spot::Found(named.name, named.symbol), shown: Some(shown) }
}

fn missing(what: &str, why: &str) -> Found {
    Found { name: what.to_owned(), spot: Spot::Missing(what.to_owned(), why.to_owned()), shown: None }
}

/// An offset means something in one build alone.
fn offset_of(offset: u64, build_id: Option<&str>, module: &Module) -> Found {
    let shown = format!("{offset:#x}");
    let own = module.elf().ok().and_then(|elf| elf.build_id().map(str::to_owned));
    if let Some(wanted) = build_id
        && own.as_deref() != Some(wanted)
    {
        let of = own.unwrap_or_else(|| "none".to_owned());
        return missing(&shown, &format!("the offset is of the build {wanted}, the file's build id is {of}"));
    }
    let around = module.function_around(offset);
    let start = around.as_ref().and_then(|function| function.symbol.file_offset);
    match around.zip(start) {
        Some((function, start)) => Found {
            name: format!("{}_{:x}", function.name, offset - start),
            spot: Spot::Amid(shown, function.symbol, offset - start),
            shown: None,
        },
        None => missing(&shown, "the file does not say in which function it is"),
    }
}
