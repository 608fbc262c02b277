//! What happened in a run, counted: a kind of event that never comes proves nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How often what happened; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counts: Mutex<BTreeMap<&'static str, u64>>,
    lost: AtomicU64,
}

impl Tally {
    /// It happened once more.
    pub(crate) fn add(&self, what: &'static str) {
        *self.counts().entry(what).or_default() += 1;
    }

    /// An answer may have been lost, by what happened once more.
    pub(crate) fn lose(&self, what: &'static str) {
        self.0.lost.fetch_add(1, Ordering::Relaxed);
        self.add(what);
    }

    /// How often an answer may have been lost.
    pub(crate) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// All that was counted.
    pub(crate) fn all(&self) -> Counts {
        let counts = self.counts();
        let counted = counts.iter().map(|(what, n)| ((*what).to_owned(), *n));
        Counts(counted.collect())
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often what happened in one run, or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    pub(crate) fn add(&mut self, other: &Counts) {
        for (what, n) in &other.0 {
            *self.0.entry(what.clone()).or_default() += n;
        }
    }

    /// How often it happened.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, n) in &self.0 {
            writeln!(f, "{n:9} {what}")?;
        }
        Ok(())
    }
}
