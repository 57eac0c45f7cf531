//! What somebody who slipped on the keyboard may have meant.

use strsim::levenshtein;

/// Letters of a word that are looked at.
const LOOKED_AT: usize = 32;

/// At most three names that a few slips of the finger would make of this one, nearest first.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let word: String = word.to_lowercase().chars().take(LOOKED_AT).collect();
    let mut near: Vec<_> = names
        .map(|known| (levenshtein(&word, known), known))
        .filter(|(slips, known)| *slips <= known.len() / 3 + 1 || (word.len() > 2 && known.contains(&word)))
        .collect();
    near.sort_unstable();
    near.into_iter().map(|(_, known)| known).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_slips_are_forgiven_and_the_nearest_comes_first() {
        let names = || ["stranded", "resident", "rss", "headroom", "unplaced"].into_iter();
        assert_eq!(nearest("strandd", names()), ["stranded"]);
        assert_eq!(nearest("RSS", names())[0], "rss");
        assert_eq!(nearest("room", names()), ["headroom"]);
        assert!(nearest("no such thing at all", names()).is_empty());
        assert!(nearest(&"x".repeat(100_000), names()).is_empty());
    }
}
