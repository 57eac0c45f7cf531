//! What somebody who slipped on the keyboard may have meant.

/// Letters of a word that are looked at.
const LOOKED_AT: usize = 32;

/// At most three names that a few slips of the finger would make of this one, nearest first.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let word: String = word.to_lowercase().chars().take(LOOKED_AT).collect();
    let mut near: Vec<_> = names
        .map(|known| (slips(&word, known), known))
        .filter(|(slips, known)| *slips <= known.len() / 3 + 1 || (word.len() > 2 && known.contains(&word)))
        .collect();
    near.sort_unstable();
    near.into_iter().map(|(_, known)| known).take(3).collect()
}

/// Letters to put in, take out or change to get from one word to the other (Levenshtein).
fn slips(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (n, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], n + 1);
        for (m, other) in to.iter().enumerate() {
            let change = diagonal + usize::from(letter != *other);
            diagonal = row[m + 1];
            row[m + 1] = change.min(diagonal + 1).min(row[m] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (from, to, count) in [("map", "map", 0), ("", "map", 3), ("mpa", "map", 2), ("maps", "map", 1)] {
            assert_eq!(slips(from, to), count, "{from} {to}");
        }
    }
}
