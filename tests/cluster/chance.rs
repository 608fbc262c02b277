//! Chance that can be had again: its seed is printed.

use std::time::{SystemTime, UNIX_EPOCH};

/// Numbers that look random (xorshift).
pub(crate) struct Chance(u64);

impl Chance {
    /// By the seed in `CONTIV_SEED`, or another one each time.
    pub(crate) fn new() -> Self {
        let given = std::env::var("CONTIV_SEED").ok();
        let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.map_or(1, |now| now.subsec_nanos().into())
        });
        println!("CONTIV_SEED={seed}");
        // From zero there is no way on.
        Self(seed | 1)
    }

    /// A number from 0 to `end`, which is none of them.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}
