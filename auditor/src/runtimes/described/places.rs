//! Where the probes of a profile go in one file.

use super::arguments::Arguments;
use super::profile::{Place, Probe};
use crate::runtimes::hook::Spot;
use crate::target::elf::certain_words;
use crate::target::module::{Module, Named, Semaphore, StaticProbe, Symbol};

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
    /// What it is given.
    pub(super) arguments: Arguments,
}

impl Found {
    /// A place that tells no type, given what calls are.
    pub(super) const fn new(name: String, spot: Spot) -> Self {
        Self { name, spot, shown: None, arguments: Arguments::OfCall }
    }
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
        Place::Usdt { provider, name } => static_probes(provider, name, module),
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
                    vec![Found::new(name, Spot::Amid(shown, site.function.symbol, site.offset))]
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
    Found { shown: Some(shown), ..Found::new(named.name.clone(), Spot::Found(named.name, named.symbol)) }
}

fn missing(what: &str, why: &str) -> Found {
    Found::new(what.to_owned(), Spot::Missing(what.to_owned(), why.to_owned()))
}

/// The places of a static probe. The file need not have names of functions.
fn static_probes(provider: &str, name: &str, module: &Module) -> Vec<Found> {
    let shown = format!("{provider}:{name}");
    let found = module.static_probes(provider, name);
    if found.is_empty() {
        return vec![missing(&shown, "the file has no such static probe (.note.stapsdt)")];
    }
    found.into_iter().take(MOST).map(|probe| static_probe(&shown, probe)).collect()
}

fn static_probe(shown: &str, probe: StaticProbe) -> Found {
    let symbol = Symbol { address: probe.address, file_offset: Some(probe.file_offset), size: 0 };
    let semaphore = match probe.semaphore {
        Semaphore::None => None,
        Semaphore::At(offset) => Some(offset),
        Semaphore::Nowhere => {
            return missing(shown, "what would switch it on is not in the file (its semaphore)");
        }
    };
    let spot = Spot::Static(shown.to_owned(), symbol, semaphore);
    Found { arguments: Arguments::OfNote(probe.arguments), ..Found::new(shown.replace(':', "_"), spot) }
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
        Some((function, start)) => Found::new(
            format!("{}_{:x}", function.name, offset - start),
            Spot::Amid(shown, function.symbol, offset - start),
        ),
        None => missing(&shown, "the file does not say in which function it is"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::elf::made::{BIAS, Made};

    #[test]
    fn a_static_probe_is_found_wherever_it_was_inlined_and_never_where_it_cannot_be_switched_on() {
        let probes = [
            ("db", "grow", 0x1004, 0, "8@%rbx"),
            ("db", "grow", 0x1010, 0x1200, "8@%r15"),
            ("db", "grow", 0x1020, 0x99999, "8@%r15"),
        ];
        let module = Made::default()
            .section(".text", 0x1000, &[0x90; 0x800])
            .static_probes(&probes)
            .stripped()
            .mapped();
        let found = static_probes("db", "grow", &module);
        let spots: Vec<(u64, Option<u64>)> = found
            .iter()
            .filter_map(|found| match &found.spot {
                Spot::Static(_, symbol, semaphore) => Some((symbol.address.0 - BIAS, *semaphore)),
                _ => None,
            })
            .collect();
        assert_eq!(spots, [(0x1004, None), (0x1010, Some(0x1200))]);
        assert!(matches!(&found[2].spot, Spot::Missing(_, why) if why.contains("semaphore")));
        assert!(
            matches!(&static_probes("db", "shrink", &module)[..], [one] if matches!(one.spot, Spot::Missing(..)))
        );
    }
}
