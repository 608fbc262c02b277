//! What the compiler refuses.

use thiserror::Error;

use crate::PolicyRule;

/// The share of a host's tables that one tenant may take.
///
/// The worst cases that reach them are in `docs/adr/0010-policy-to-full-depth.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries of profiles, counted before equal profiles are stored once.
    pub decisions: usize,
    /// Peer prefixes and own prefixes of all rule sets.
    pub prefixes: usize,
    /// Peer groups that rules name, added up over all rule sets.
    pub peer_groups: usize,
    /// A prefix around this many others of its set is *wide*: looked for apart, so that its rules
    /// are not repeated for each of them.
    pub wide: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            decisions: 1 << 19,
            prefixes: 1 << 17,
            peer_groups: 1 << 17,
            wide: 64,
        }
    }
}

/// Why a policy was not compiled. Nothing of it is in force; what was, stays.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// The tenant's rules are too many, or too many of their prefixes lie in each other.
    #[error(
        "rule {rule} of policy {policy}: with it the tenant's rules need more than {limit} \
         {what}; merge rules, or name fewer ports on prefixes that enclose others"
    )]
    TooLarge {
        policy: String,
        rule: String,
        what: &'static str,
        limit: usize,
    },
    /// The order of rules has eight bits for the priority.
    #[error("rule {rule} of policy {policy}: priority {priority} is above 255")]
    Priority {
        policy: String,
        rule: String,
        priority: u32,
    },
    /// Verdicts name rules by number, so numbers must be unique and not built in.
    #[error("rule {rule} of policy {policy}: number {number} is built in or another rule's")]
    Number {
        policy: String,
        rule: String,
        number: u32,
    },
    /// The order of rules has fourteen bits for the policy.
    #[error("policy {policy}: order {order} is above 16383")]
    Order { policy: String, order: u16 },
    /// The keys of the tables have no room for the number.
    #[error("group {group}: group numbers are at most 65535")]
    Group { group: u32 },
}

impl PolicyError {
    /// The policy and the id of the rule that it is about.
    pub fn rule(&self) -> Option<(&str, &str)> {
        match self {
            PolicyError::TooLarge { policy, rule, .. }
            | PolicyError::Priority { policy, rule, .. }
            | PolicyError::Number { policy, rule, .. } => Some((policy, rule)),
            PolicyError::Order { .. } | PolicyError::Group { .. } => None,
        }
    }

    pub(crate) fn too_large(rule: &PolicyRule, what: &'static str, limit: usize) -> PolicyError {
        PolicyError::TooLarge {
            policy: rule.policy.clone(),
            rule: rule.id.clone(),
            what,
            limit,
        }
    }
}
