//! Every threshold of every rule, as `rules.toml` has them, and how a user's file lies over that. What each
//! is for stands in `rules.toml`, which is the only place where the defaults are.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::value::{Percent, Size, Span};

/// The defaults, with a comment on each.
pub const DEFAULTS: &str = include_str!("../../../rules.toml");

/// The most bytes that thresholds may take: a recording may bring any text.
const MOST: usize = 1 << 16;

/// Why thresholds were not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// They are far longer than anybody needs.
    #[error("{0} bytes of thresholds are more than the {MOST} that are read")]
    TooLong(usize),
    /// Not what it should be; says where and what.
    #[error("{0}")]
    Wrong(String),
}

/// Sections with their keys: as they are, and as a user's file has them, where all may be missing.
macro_rules! sections {
    ($($section:ident: $Section:ident { $($key:ident: $kind:ty,)* })*) => {
        /// All thresholds.
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Thresholds {
            $(pub(in crate::audit) $section: $Section,)*
            /// How many entries a map of a type, or of a name, is to have.
            #[serde(default)]
            pub(super) expect: BTreeMap<String, u64>,
        }

        $(
            #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(in crate::audit) struct $Section { $(pub(in crate::audit) $key: $kind,)* }
        )*

        /// What a user's file may have.
        mod partial {
            use super::{BTreeMap, Deserialize, Percent, Size, Span};

            #[derive(Default, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub(super) struct Thresholds {
                $(pub(super) $section: $Section,)*
                pub(super) expect: BTreeMap<String, u64>,
            }

            $(
                #[derive(Default, Deserialize)]
                #[serde(default, deny_unknown_fields)]
                pub(super) struct $Section { $(pub(super) $key: Option<$kind>,)* }
            )*
        }

        impl Thresholds {
            fn overlay(&mut self, over: partial::Thresholds) {
                $($(if let Some(value) = over.$section.$key { self.$section.$key = value; })*)*
                self.expect.extend(over.expect);
            }
        }
    };
}

sections! {
    watch: Watch { settled: Span, quiet: Span, }
    never_shrinks: NeverShrinks { full: Percent, lost: Percent, least: Size, }
    oversized: Oversized { full: Percent, least: Size, }
    presized_and_empty: PresizedAndEmpty { full: Percent, least: Size, }
    many_small: ManySmall { size: Size, maps: u64, least: Size, }
    grew_without_more_live: GrewWithoutMoreLive { flat: Percent, rise: Percent, least: Size, }
    overflow_chains: OverflowChains { slots: u64, buckets: u64, }
    bad_hash: BadHash { times: u64, buckets: u64, deleted: Percent, }
    stalled_evacuation: StalledEvacuation { after: Span, least: Size, }
    growth_storm: GrowthStorm { per_second: u64, }
    avalanche: Avalanche { growths: u64, within: Span, least: Size, maps: u64, together: Span, together_least: Size, }
    key_leak: KeyLeak { over: Percent, rise: Percent, watched: Span, points: u64, }
    churn: Churn { turnover: Percent, flat: Percent, least: Size, }
    growth_stall: GrowthStall { longest: Span, }
    gc_pressure: GcPressure { pauses: Span, cycles: u64, }
    old_and_new_peak: OldAndNewPeak { extra: Size, of_limit: Percent, }
    next_growth_exceeds_headroom: NextGrowthExceedsHeadroom { soon: Span, near: Percent, }
    allocator_retention: AllocatorRetention { least: Size, of_rss: Percent, }
    fragmentation: Fragmentation { free: Percent, least: Size, }
    lazily_freed_is_not_a_leak: LazilyFreed { least: Size, }
    not_a_map: NotAMap { share: Percent, least: Size, rise: Size, rise_of_limit: Percent, }
}

impl Default for Thresholds {
    fn default() -> Self {
        toml::from_str(DEFAULTS).expect("the embedded thresholds are whole: a test reads them")
    }
}

impl Thresholds {
    /// Lays a text over these: the keys that it has take the place of those here.
    ///
    /// # Errors
    /// [`RulesError`], with line and column; nothing is changed then.
    pub fn lay_over(&mut self, text: &str) -> Result<(), RulesError> {
        if text.len() > MOST {
            return Err(RulesError::TooLong(text.len()));
        }
        let over = toml::from_str(text).map_err(|error| RulesError::Wrong(error.to_string()))?;
        self.overlay(over);
        Ok(())
    }

    /// A text that says how many entries maps of a type, or of a name, are to have.
    #[must_use]
    pub fn expecting<'a>(expected: impl IntoIterator<Item = (&'a str, u64)>) -> Option<String> {
        let lines: Vec<String> =
            expected.into_iter().map(|(name, entries)| format!("{} = {entries}\n", quoted(name))).collect();
        (!lines.is_empty()).then(|| format!("[expect]\n{}", lines.concat()))
    }
}

/// A basic string of TOML.
fn quoted(name: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in name.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => quoted += &format!("\\U{:08X}", u32::from(letter)),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::unit::{Bytes, Nanos};

    fn laid_over(text: &str) -> Result<Thresholds, String> {
        let mut thresholds = Thresholds::default();
        thresholds.lay_over(text).map(|()| thresholds).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_changes_what_it_names_and_nothing_else() {
        let changed = laid_over("[stalled_evacuation]\nafter = \"1s\"\n").unwrap();
        assert_eq!(changed.stalled_evacuation.after, Span(Nanos(1_000_000_000)));
        let back = Thresholds { stalled_evacuation: Thresholds::default().stalled_evacuation, ..changed };
        assert_eq!(back, Thresholds::default());
        assert_eq!(laid_over("").unwrap(), Thresholds::default());
        assert_eq!(laid_over(DEFAULTS).unwrap(), Thresholds::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_column() {
        let wrong = [
            ("[never_shrinks]\nleast = 5\n", "line 2, column 9", "a size"),
            ("[never_shrinks]\nleast = \"5s\"\n", "line 2, column 9", "\"5s\" is not a size"),
            ("\n[never_shrink]\n", "line 2, column 2", "expected one of"),
            ("[watch]\nquite = \"5s\"\n", "line 2, column 1", "`settled` or `quiet`"),
            ("[many_small]\nmaps = \"5\"\n", "line 2, column 8", "u64"),
            ("[expect]\n\"map[int]int\" = -1\n", "line 2, column 17", "-1"),
            ("[watch", "line 1, column 7", ""),
        ];
        for (text, place, words) in wrong {
            let error = laid_over(text).unwrap_err();
            assert!(error.contains(place) && error.contains(words), "{text:?}: {error}");
        }
    }

    #[test]
    fn every_threshold_has_a_comment_of_its_own_or_shares_that_of_one_of_its_name() {
        let mut told = Vec::new();
        let mut comment = false;
        for line in DEFAULTS.lines() {
            let key = line.split(" = ").next().unwrap_or_default();
            match line.chars().next() {
                Some('#') => comment = true,
                Some('[') | None => comment = false,
                Some(_) => {
                    assert!(comment || told.contains(&key), "{line}");
                    told.push(key);
                }
            }
        }
        assert!(told.len() > 40);
    }

    #[test]
    fn expectations_are_thresholds_too_whatever_types_are_called() {
        let name = "map[string]\"x\\\u{1}\"";
        let text = Thresholds::expecting([(name, 7), ("b", 8)]).unwrap();
        let thresholds = laid_over(&text).unwrap();
        assert_eq!(thresholds.expect.get(name), Some(&7));
        assert_eq!(Thresholds::expecting([]), None);
    }

    #[test]
    fn a_text_that_is_too_long_is_not_read() {
        assert!(laid_over(&"#".repeat(MOST + 1)).unwrap_err().contains("more than"));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "\\PC{0,200}") {
            let mut thresholds = Thresholds::default();
            if thresholds.lay_over(&text).is_err() {
                prop_assert_eq!(thresholds, Thresholds::default());
            }
        }

        #[test]
        fn any_name_can_be_expected(name in any::<String>()) {
            let text = Thresholds::expecting([(name.as_str(), 3)]).unwrap();
            prop_assert_eq!(laid_over(&text).unwrap().expect.get(&name).copied(), Some(3));
        }
    }

    #[test]
    fn sizes_and_times_are_those_of_the_file() {
        let thresholds = Thresholds::default();
        assert_eq!(thresholds.never_shrinks.least, Size(Bytes(1 << 20)));
        assert_eq!(thresholds.watch.quiet, Span(Nanos(5_000_000_000)));
    }
}
