//! From a key to 64 hash bits: the low ones choose the bucket, the top byte is kept in it.

/// How well the keys of a map are spread over its buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Every bucket is as likely as any other.
    Even,
    /// Only one bucket in [`CLUSTER`] is ever chosen, so that chains are that much longer.
    Clustered,
}

/// Keys per chain of a clustered map over those of an even one. At load factor 6.5 a chain then
/// holds about 100 keys, and all chains together use 3/4 of the overflow buckets that would
/// start a growth to the same size: long, but neither endless nor growing without pause.
pub(crate) const CLUSTER: u64 = 16;

/// A seeded hash function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash {
    seed: u64,
    kept_bits: u64,
}

impl Hash {
    /// The function of this seed and spread.
    pub(crate) const fn new(seed: u64, spread: Spread) -> Self {
        let kept_bits = match spread {
            Spread::Even => u64::MAX,
            Spread::Clustered => !(CLUSTER - 1),
        };
        Self { seed, kept_bits }
    }

    /// The hash of `key`.
    #[inline]
    pub(crate) const fn of(self, key: u64) -> u64 {
        mix(key ^ self.seed) & self.kept_bits
    }
}

/// Spreads every input bit over all output bits, one to one: the finaliser of SplitMix64
/// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[inline]
pub(crate) const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_hash_fills_buckets_evenly() {
        let hash = Hash::new(7, Spread::Even);
        let mut filled = [0u32; 64];
        (0..64_000).for_each(|key| filled[(hash.of(key) & 63) as usize] += 1);
        assert!(filled.iter().all(|&keys| (800..1200).contains(&keys)), "{filled:?}");
    }

    #[test]
    fn a_clustered_hash_uses_one_bucket_in_sixteen() {
        let hash = Hash::new(7, Spread::Clustered);
        let mut filled = [0u32; 64];
        (0..64_000).for_each(|key| filled[(hash.of(key) & 63) as usize] += 1);
        assert_eq!(filled.iter().filter(|&&keys| keys > 0).count(), 4);
    }
}
