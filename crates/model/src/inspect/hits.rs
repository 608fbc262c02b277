//! What rules have decided, over all hosts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer of `GET /api/v1/hits/`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct HitsDocument {
    /// Figures are complete from here on, in milliseconds since 1970; absent before any host has
    /// reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// The hosts that figures are of.
    pub hosts: Vec<String>,
    /// Every rule that is asked for, those without a hit too.
    pub rules: Vec<RuleHits>,
}

/// What one rule has decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleHits {
    /// Empty for what is decided where no rule matches, in all tenants together.
    pub tenant: String,
    /// Empty for what is decided where no rule matches.
    pub policy: String,
    /// The rule's id; `default`, `default-deny-in` or `default-deny-out` where no rule matches.
    pub rule: String,
    /// Names the rule in events.
    pub number: u32,
    pub direction: String,
    pub action: String,
    /// The rule's policy is evaluated and not enforced.
    pub staged: bool,
    pub packets: u64,
    pub bytes: u64,
    pub connections: u64,
    /// What its action would have been taken on, instead of another rule's, while its policy was
    /// staged.
    pub staged_packets: u64,
    pub staged_bytes: u64,
    pub staged_connections: u64,
    /// In milliseconds since 1970; absent when it is not known or there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_hit: Option<u64>,
    /// Where it was hit, the names of hosts.
    pub hosts: Vec<String>,
}

impl RuleHits {
    /// Whether it has decided anything, or would have.
    pub fn is_hit(&self) -> bool {
        let packets = self.packets > 0 || self.staged_packets > 0;
        packets || self.connections > 0 || self.staged_connections > 0
    }
}
