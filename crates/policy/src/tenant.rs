//! A tenant's policy as plain values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contiv_datapath_abi::policy::{
    Action, Direction, RULE_DEFAULT, RULE_DEFAULT_DENY_IN, RULE_DEFAULT_DENY_OUT, SubjectKey,
};
use contiv_model::agent::{self, AddressRange, DefaultAction, GroupView, PolicyView, RuleView};

/// All that the verdicts of one tenant depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantPolicy {
    /// The policies of each group, by the group's number. Group 0 is no group.
    pub groups: BTreeMap<u32, BTreeSet<String>>,
    /// What groups do with connections that no rule decides; a group that is absent allows them.
    pub defaults: BTreeMap<u32, Defaults>,
    /// Where policies stand among each other; one that is absent has the default place.
    pub policies: BTreeMap<String, Placement>,
    /// In no particular order; a rule whose policy no group has is not in force. Shared, so that
    /// a policy that differs in one rule costs one rule.
    pub rules: Vec<Arc<PolicyRule>>,
}

/// A group's answer, per direction, where no rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// For connections that members receive: anything but [`Action::Deny`] allows.
    pub receiving: Action,
    /// For connections that members open.
    pub sending: Action,
}

impl Default for Defaults {
    fn default() -> Self {
        Defaults {
            receiving: Action::Allow,
            sending: Action::Allow,
        }
    }
}

impl Defaults {
    /// The action and the built-in rule of a direction.
    pub fn decide(self, direction: Direction) -> (Action, u32) {
        match (direction, self.receiving, self.sending) {
            (Direction::In, Action::Deny, _) => (Action::Deny, RULE_DEFAULT_DENY_IN),
            (Direction::Out, _, Action::Deny) => (Action::Deny, RULE_DEFAULT_DENY_OUT),
            _ => (Action::Allow, RULE_DEFAULT),
        }
    }
}

/// Policies of one tier are judged together, before those of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    Admin,
    #[default]
    Normal,
    Baseline,
}

impl Tier {
    /// In the order in which they are judged.
    pub const ALL: [Tier; 3] = [Tier::Admin, Tier::Normal, Tier::Baseline];

    /// As in the keys of the tables.
    pub(crate) fn number(self) -> u32 {
        match self {
            Tier::Admin => SubjectKey::ADMIN,
            Tier::Normal => SubjectKey::NORMAL,
            Tier::Baseline => SubjectKey::BASELINE,
        }
    }
}

/// Where a policy stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placement {
    pub tier: Tier,
    /// Among the policies of the tier the higher wins, whatever the rules' priorities; at most
    /// 16383. Policies of the same order are one set of rules.
    pub order: u16,
    /// Evaluated, and not enforced.
    pub staged: bool,
}

/// One rule. The *subject* is a member of a group that has the rule's policy, the
/// *peer* is the other side of the connection. All conditions must hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PolicyRule {
    /// From 16, unique, names the rule in verdicts, flows and counters.
    pub number: u32,
    /// The policy that the rule belongs to.
    pub policy: String,
    /// The rule's name within the policy, for people.
    pub id: String,
    /// Connections that the subject receives, or those that it opens.
    pub direction: Direction,
    /// The higher wins; at most 255, and 1 to 100 for rules of users.
    pub priority: u32,
    pub action: Action,
    /// The peer is in this group; `Some(0)`, an unknown group, is met by no peer.
    pub peer_group: Option<u32>,
    /// The peer's address is in one of these; any when empty.
    pub peer_addresses: Vec<AddressRange>,
    /// And in none of these.
    pub peer_except: Vec<AddressRange>,
    /// The subject's own address is in one of these; any when empty.
    pub own_addresses: Vec<AddressRange>,
    /// ICMP (1) stands for ICMPv6 (58) too, unless the rule names ICMP types.
    pub protocol: Option<u8>,
    /// Destination port, of TCP and UDP alone; any when empty.
    pub ports: Vec<PortRange>,
    /// ICMP messages, of the protocol that the rule must name then; any when empty.
    pub icmp: Vec<IcmpMessage>,
    /// An event for each connection that the rule decides.
    pub log: bool,
    /// Connections that the rule has allowed are not judged again: neither its removal nor the
    /// arrival of others cuts them. Without meaning unless the rule allows.
    pub keep_established: bool,
}

/// Ports from the first to the last, both included; none when they are in the wrong order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

impl From<agent::PortRange> for PortRange {
    fn from(range: agent::PortRange) -> Self {
        PortRange {
            first: range.first,
            last: range.last,
        }
    }
}

impl From<u16> for PortRange {
    fn from(port: u16) -> Self {
        PortRange {
            first: port,
            last: port,
        }
    }
}

/// An ICMP or ICMPv6 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpMessage {
    /// Its type.
    pub kind: u8,
    /// Any when absent.
    pub code: Option<u8>,
}

impl PolicyRule {
    /// A rule of priority 1 about every connection of a direction; `id` is the number.
    pub fn new(number: u32, policy: &str, direction: Direction, action: Action) -> PolicyRule {
        PolicyRule {
            number,
            policy: policy.to_owned(),
            id: number.to_string(),
            direction,
            priority: 1,
            action,
            peer_group: None,
            peer_addresses: Vec::new(),
            peer_except: Vec::new(),
            own_addresses: Vec::new(),
            protocol: None,
            ports: Vec::new(),
            icmp: Vec::new(),
            log: false,
            keep_established: false,
        }
    }

    /// Whether the rule says anything of the peer's address.
    pub fn names_peer_addresses(&self) -> bool {
        !(self.peer_addresses.is_empty() && self.peer_except.is_empty())
    }
}

impl TenantPolicy {
    /// The policy of the tenant whose groups, policies and rules these are.
    pub fn from_views<'a>(
        groups: impl IntoIterator<Item = &'a GroupView>,
        policies: impl IntoIterator<Item = &'a PolicyView>,
        rules: impl IntoIterator<Item = &'a RuleView>,
    ) -> TenantPolicy {
        let mut tenant = TenantPolicy::default();
        for group in groups {
            let policies = group.policies.iter().cloned().collect();
            tenant.groups.insert(group.number, policies);
            let defaults = Defaults::from(group);
            if defaults != Defaults::default() {
                tenant.defaults.insert(group.number, defaults);
            }
        }
        for policy in policies {
            let placement = Placement::from(policy);
            if placement != Placement::default() {
                tenant.policies.insert(policy.name.clone(), placement);
            }
        }
        let rules = rules
            .into_iter()
            .map(|view| Arc::new(PolicyRule::from(view)));
        tenant.rules = rules.collect();
        tenant
    }

    /// Where a policy stands.
    pub fn placement(&self, policy: &str) -> Placement {
        self.policies.get(policy).copied().unwrap_or_default()
    }

    /// What a group does with connections that no rule decides.
    pub fn defaults_of(&self, group: u32) -> Defaults {
        self.defaults.get(&group).copied().unwrap_or_default()
    }
}

impl From<&GroupView> for Defaults {
    fn from(view: &GroupView) -> Self {
        let action = |wire| match wire {
            DefaultAction::Allow => Action::Allow,
            DefaultAction::Deny => Action::Deny,
        };
        Defaults {
            receiving: action(view.default_action_in),
            sending: action(view.default_action_out),
        }
    }
}

impl From<&PolicyView> for Placement {
    /// On the wire the lower order is asked first; here the higher wins, counted from the
    /// order that policies have which name none.
    fn from(view: &PolicyView) -> Self {
        Placement {
            tier: match view.tier {
                agent::Tier::Admin => Tier::Admin,
                agent::Tier::Normal => Tier::Normal,
                agent::Tier::Baseline => Tier::Baseline,
            },
            order: agent::LAST_ORDER.saturating_sub(view.order),
            staged: view.staged,
        }
    }
}

impl From<&RuleView> for PolicyRule {
    fn from(view: &RuleView) -> Self {
        let direction = match view.direction {
            agent::Direction::In => Direction::In,
            agent::Direction::Out => Direction::Out,
        };
        let action = match view.action {
            agent::Action::Allow => Action::Allow,
            agent::Action::Deny => Action::Deny,
            agent::Action::Pass => Action::Pass,
        };
        PolicyRule {
            id: view.id.clone(),
            priority: view.priority,
            peer_group: view.peer_group,
            peer_addresses: view.peer_addresses.clone(),
            own_addresses: view.own_addresses.clone(),
            protocol: view.protocol,
            ports: view.port_ranges().map(PortRange::from).collect(),
            icmp: view
                .icmp_type
                .map(|kind| IcmpMessage {
                    kind,
                    code: view.icmp_code,
                })
                .into_iter()
                .collect(),
            log: view.log,
            keep_established: view.keep_established,
            ..PolicyRule::new(view.number, &view.policy, direction, action)
        }
    }
}
