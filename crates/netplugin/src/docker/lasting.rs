//! What has been so for a while: engines take their time between one step and the next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What is so, and since when.
#[derive(Debug, Default)]
pub(super) struct Lasting(BTreeMap<String, Instant>);

impl Lasting {
    /// Takes in what is so now, and forgets all else.
    pub(super) fn note<'a>(&mut self, found: impl IntoIterator<Item = &'a str>, now: Instant) {
        let found: BTreeSet<&str> = found.into_iter().collect();
        self.0.retain(|id, _| found.contains(id.as_str()));
        for id in found {
            self.0.entry(id.to_owned()).or_insert(now);
        }
    }

    /// Whether it has been so for this long.
    pub(super) fn is_ripe(&self, id: &str, least: Duration, now: Instant) -> bool {
        let since = self.0.get(id);
        since.is_some_and(|since| now.duration_since(*since) >= least)
    }

    /// Whether anything has been so for less than this.
    pub(super) fn has_younger(&self, than: Duration, now: Instant) -> bool {
        let mut all = self.0.values();
        all.any(|since| now.duration_since(*since) < than)
    }
}
