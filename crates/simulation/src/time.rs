//! The time of day of each machine, which follows virtual time, but for jumps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::time::Instant;

/// When runs begin: some day in 2026, in milliseconds since 1970.
const BEGIN: u64 = 1_780_000_000_000;

/// One machine's clock; clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct WallClock {
    begin: Instant,
    /// Milliseconds by which it is wrong.
    skew: Arc<AtomicI64>,
}

impl WallClock {
    pub(crate) fn new(begin: Instant) -> WallClock {
        WallClock {
            begin,
            skew: Arc::default(),
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        let passed = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let right = BEGIN + passed;
        right.saturating_add_signed(self.skew.load(Ordering::Relaxed))
    }

    /// Sets it wrong by so many milliseconds.
    pub(crate) fn set_skew(&self, milliseconds: i64) {
        self.skew.store(milliseconds, Ordering::Relaxed);
    }
}
