//! A tenant's policy as plain values.

use std::collections::{BTreeMap, BTreeSet};

use contiv_datapath_abi::policy::{Action, Direction};
use contiv_model::agent::{self, AddressRange, GroupView, RuleView};

/// All that the verdicts of one tenant depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantPolicy {
    /// The policies of each group, by the group's number. Group 0 is no group.
    pub groups: BTreeMap<u32, BTreeSet<String>>,
    /// In no particular order; a rule whose policy no group has is not in force.
    pub rules: Vec<PolicyRule>,
}

/// One rule. The *subject* is a member of a group that has the rule's policy, the
/// *peer* is the other side of the connection. All conditions must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRule {
    /// From 16, unique, names the rule in verdicts, flows and counters.
    pub number: u32,
    /// The policy that the rule belongs to.
    pub policy: String,
    /// The rule's name within the policy, for people.
    pub id: String,
    /// Connections that the subject receives, or those that it opens.
    pub direction: Direction,
    /// Precedence before the priority, the higher wins: 0 while policies have no
    /// order among themselves; tiers and orders of policies go here.
    pub order: u16,
    /// The higher wins; at most 255, and 1 to 100 for rules of users.
    pub priority: u32,
    pub action: Action,
    /// The peer is in this group; `Some(0)`, an unknown group, is met by no peer.
    pub peer_group: Option<u32>,
    /// The peer's address is in one of these; any when empty.
    pub peer_addresses: Vec<AddressRange>,
    /// The subject's own address is in one of these; any when empty.
    pub own_addresses: Vec<AddressRange>,
    /// ICMP (1) stands for ICMPv6 (58) too.
    pub protocol: Option<u8>,
    /// Destination port, of TCP and UDP alone.
    pub port: Option<u16>,
}

impl TenantPolicy {
    /// The policy of the tenant whose groups and rules these are.
    pub fn from_views<'a>(
        groups: impl IntoIterator<Item = &'a GroupView>,
        rules: impl IntoIterator<Item = &'a RuleView>,
    ) -> TenantPolicy {
        TenantPolicy {
            groups: groups
                .into_iter()
                .map(|group| (group.number, group.policies.iter().cloned().collect()))
                .collect(),
            rules: rules.into_iter().map(PolicyRule::from).collect(),
        }
    }
}

impl From<&RuleView> for PolicyRule {
    fn from(view: &RuleView) -> Self {
        PolicyRule {
            number: view.number,
            policy: view.policy.clone(),
            id: view.id.clone(),
            direction: match view.direction {
                agent::Direction::In => Direction::In,
                agent::Direction::Out => Direction::Out,
            },
            order: 0,
            priority: view.priority,
            action: match view.action {
                // Without tiers there is no one to pass to but the default, which allows.
                agent::Action::Allow | agent::Action::Pass => Action::Allow,
                agent::Action::Deny => Action::Deny,
            },
            peer_group: view.peer_group,
            peer_addresses: view.peer_addresses.clone(),
            own_addresses: view.own_addresses.clone(),
            protocol: view.protocol,
            port: view.port,
        }
    }
}
