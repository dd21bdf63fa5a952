//! Chance as a dependency, so that a test can repeat it.

use std::sync::{Mutex, PoisonError};

/// Where random bytes come from.
pub trait Rng: std::fmt::Debug + Send + Sync {
    /// Fills `bytes` with chance.
    fn fill(&self, bytes: &mut [u8]);

    /// A number below `end`, which is at least 1. Its bias is below one in 2⁶⁴ ÷ `end`.
    fn below(&self, end: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes) % end.max(1)
    }
}

/// The same numbers for the same seed, for tests. Never for secrets.
#[derive(Debug)]
pub struct SeededRng(Mutex<u64>);

impl SeededRng {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// The next number of `SplitMix64` (Steele, Lea, Flood 2014).
    fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.next().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (first, second, other) = (SeededRng::new(7), SeededRng::new(7), SeededRng::new(8));
        let numbers = |rng: &SeededRng| (0..5).map(|_| rng.below(u64::MAX)).collect::<Vec<_>>();
        let drawn = numbers(&first);
        assert_eq!(drawn, numbers(&second));
        assert_ne!(drawn, numbers(&other));
    }

    #[test]
    fn numbers_stay_below_their_end() {
        let rng = SeededRng::new(1);
        assert!((0..1000).all(|_| rng.below(10) < 10));
        assert_eq!(rng.below(0), 0);
    }
}
