//! Sets of small numbers as one bit each, and how many of them lie below a number.

/// Bits of a word.
const WORD: u64 = 64;

/// A set of numbers below a bound.
#[derive(Clone, Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Room for the numbers below `bound`; none of them is in it. Memory is touched where it is used.
    pub(super) fn new(bound: u64) -> Self {
        Self { words: vec![0; usize::try_from(bound.div_ceil(WORD)).unwrap_or(0)] }
    }

    /// Whether it holds the number.
    pub(super) fn has(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Adds a number and says whether it is new. What is not below the bound never is.
    pub(super) fn add(&mut self, number: u64) -> bool {
        let (word, bit) = place(number);
        let Some(word) = self.words.get_mut(word) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Adds the numbers of another set.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, more)| *word |= more);
    }

    /// How many numbers it holds.
    pub(super) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Counts, so that [`Ranked::rank`] takes one step.
    pub(super) fn ranked(self) -> Ranked {
        let mut below = 0_u32;
        let ranks = self.words.iter().map(|word| {
            let rank = below;
            below = below.saturating_add(word.count_ones());
            rank
        });
        Ranked { ranks: ranks.collect(), words: self.words }
    }
}

/// A set that is complete: 1.5 bits a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranked {
    words: Vec<u64>,
    /// How many numbers of the set lie below those of each word.
    ranks: Vec<u32>,
}

impl Ranked {
    /// How many numbers of the set lie below this one, if it is in the set.
    #[inline]
    pub(super) fn rank(&self, number: u64) -> Option<usize> {
        let (index, bit) = place(number);
        let word = *self.words.get(index)?;
        if word & bit == 0 {
            return None;
        }
        let before = (word & (bit - 1)).count_ones() as usize;
        Some(*self.ranks.get(index)? as usize + before)
    }

    /// How many numbers it holds.
    pub(super) fn len(&self) -> usize {
        let last = self.words.last().map_or(0, |word| word.count_ones());
        (self.ranks.last().copied().unwrap_or(0) + last) as usize
    }

    /// The numbers in a range of at least one, each with its rank, in order.
    pub(super) fn within(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, usize)> {
        let (first, last) = (from / WORD, to.saturating_sub(1) / WORD);
        (first..=last).flat_map(move |index| self.of_word(index, from, to))
    }

    /// Hands on the same, quicker.
    #[inline]
    pub(super) fn each_within(&self, from: u64, to: u64, mut each: impl FnMut(u64, usize)) {
        for index in from / WORD..=to.saturating_sub(1) / WORD {
            let at = usize::try_from(index).unwrap_or(usize::MAX);
            let Some((word, rank)) = self.words.get(at).zip(self.ranks.get(at)) else { return };
            let mut left = word & mask(index, from, to);
            if left == 0 {
                continue;
            }
            let before = word & !mask(index, from, u64::MAX);
            let mut rank = *rank as usize + before.count_ones() as usize;
            while left != 0 {
                each(index * WORD + u64::from(left.trailing_zeros()), rank);
                (left, rank) = (left & (left - 1), rank + 1);
            }
        }
    }

    fn of_word(&self, index: u64, from: u64, to: u64) -> impl Iterator<Item = (u64, usize)> {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let word = self.words.get(at).copied().unwrap_or(0);
        let rank = self.ranks.get(at).copied().unwrap_or(0) as usize;
        let mut left = word & mask(index, from, to);
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros())?;
            left &= left - 1;
            let before = (word & ((1 << bit) - 1)).count_ones() as usize;
            Some((index * WORD + u64::from(bit), rank + before))
        })
    }
}

/// The bits of a word that stand for numbers in the range.
fn mask(index: u64, from: u64, to: u64) -> u64 {
    let start = index * WORD;
    let low = from.saturating_sub(start).min(WORD);
    let high = to.saturating_sub(start).min(WORD);
    ones(high) & !ones(low)
}

/// As many ones, at most 64.
fn ones(count: u64) -> u64 {
    if count >= WORD { u64::MAX } else { (1 << count) - 1 }
}

fn place(number: u64) -> (usize, u64) {
    (usize::try_from(number / WORD).unwrap_or(usize::MAX), 1 << (number % WORD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_set_of_bits_answers_as_a_set_of_numbers(
            numbers in proptest::collection::btree_set(0_u64..1000, 0..200),
            from in 0_u64..1100,
            len in 1_u64..1100,
        ) {
            let mut bits = Bits::new(1000);
            for &number in &numbers {
                prop_assert!(bits.add(number));
                prop_assert!(!bits.add(number));
            }
            let ranked = bits.clone().ranked();
            for number in 0..1100 {
                let rank = numbers.range(..number).count();
                prop_assert_eq!(bits.has(number), numbers.contains(&number));
                prop_assert_eq!(ranked.rank(number), numbers.contains(&number).then_some(rank));
            }
            prop_assert_eq!(ranked.len(), numbers.len());
            let expected: Vec<_> =
                numbers.range(from..from + len).map(|&n| (n, numbers.range(..n).count())).collect();
            let mut each = Vec::new();
            ranked.each_within(from, from + len, |number, rank| each.push((number, rank)));
            prop_assert_eq!(&each, &expected);
            prop_assert_eq!(ranked.within(from, from + len).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn what_is_beyond_the_bound_is_never_in_the_set() {
        let mut bits = Bits::new(64);
        assert!(!bits.add(64) && !bits.add(u64::MAX));
        assert!(!bits.has(u64::MAX) && bits.clone().ranked().rank(u64::MAX).is_none());
        assert_eq!(bits.ranked().within(u64::MAX - 1, u64::MAX).count(), 0);
    }
}
