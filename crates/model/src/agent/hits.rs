//! What rules have decided, as hosts count it.
//!
//! The kernel counts from 0 when a host boots or its tables are made anew: that begins another
//! *life*, whose name goes with every report. Within one, totals only grow, so that a master
//! keeps the latest of each life that it heard of, and adds them up.

use serde::{Deserialize, Serialize};

/// Totals of rules on one host: all of them, or those that have changed since the last report
/// that the master took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HitsReport {
    /// Totals of one life never go back.
    pub life: String,
    /// When it began, in milliseconds since 1970.
    pub since: u64,
    pub totals: Vec<RuleTotals>,
}

/// What one rule has decided since its life began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleTotals {
    /// As in [`RuleView::number`](super::RuleView::number). Below 16 for what is built in, of all
    /// tenants together.
    pub rule: u32,
    #[serde(flatten)]
    pub totals: Totals,
    /// When the rule was hit last, in milliseconds since 1970, as far as the host knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_hit: Option<u64>,
}

/// Figures that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Totals {
    /// Of the connections that the rule has allowed, answers included; or that it has dropped.
    pub packets: u64,
    pub bytes: u64,
    /// About which the rule has decided, for or against.
    pub connections: u64,
    /// What it would have decided, instead of another rule, if its policy were not staged.
    pub staged_packets: u64,
    pub staged_bytes: u64,
    pub staged_connections: u64,
}

impl Totals {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Totals) -> Totals {
        self.by(other, u64::saturating_add)
    }

    /// The greater of each figure.
    #[must_use]
    pub fn greater(self, other: Totals) -> Totals {
        self.by(other, u64::max)
    }

    /// Whether nothing was counted.
    pub fn is_zero(&self) -> bool {
        *self == Totals::default()
    }

    fn by(self, other: Totals, of: impl Fn(u64, u64) -> u64) -> Totals {
        Totals {
            packets: of(self.packets, other.packets),
            bytes: of(self.bytes, other.bytes),
            connections: of(self.connections, other.connections),
            staged_packets: of(self.staged_packets, other.staged_packets),
            staged_bytes: of(self.staged_bytes, other.staged_bytes),
            staged_connections: of(self.staged_connections, other.staged_connections),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_that_an_older_host_does_not_count_are_nought() {
        let text = json!({"rule": 17, "packets": 3, "bytes": 180});
        let read: RuleTotals = serde_json::from_value(text).unwrap();
        assert_eq!((read.totals.packets, read.totals.connections), (3, 0));
        assert_eq!(read.last_hit, None);
        assert!(!read.totals.is_zero());
    }
}
