//! Policies and rules, as hosts are told of them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What becomes of a connection that no rule decides.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum DefaultAction {
    #[default]
    Allow,
    Deny,
}

/// Policies of an earlier tier are asked before all those of a later one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    Admin,
    #[default]
    Normal,
    Baseline,
}

/// A policy's place among the others. Its rules are objects of their own.
///
/// A host that knows rules of a policy and not the policy itself, since its master is of
/// the version before, takes it for [`PolicyView::unplaced`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    pub uid: String,
    pub tenant: String,
    pub name: String,
    #[serde(default)]
    pub tier: Tier,
    /// Within the tier the lower one is asked first; policies of equal order are one.
    #[serde(default = "default_order")]
    pub order: u16,
    /// Its verdicts are counted and reported, and not enforced.
    #[serde(default)]
    pub staged: bool,
}

/// The order of policies that name none: others can be put before and after them.
pub const DEFAULT_ORDER: u16 = 1000;

/// The highest order: a decision in the kernel's tables has 14 bits for it.
pub const LAST_ORDER: u16 = 16_383;

fn default_order() -> u16 {
    DEFAULT_ORDER
}

impl PolicyView {
    /// A policy of which only the name is known: in the normal tier, of the default order,
    /// enforced.
    pub fn unplaced(tenant: &str, name: &str) -> PolicyView {
        PolicyView {
            uid: String::new(),
            tenant: tenant.to_owned(),
            name: name.to_owned(),
            tier: Tier::default(),
            order: DEFAULT_ORDER,
            staged: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    In,
    Out,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Allow,
    Deny,
    /// The policies of the tier have no more say; the next tier is asked.
    Pass,
}

/// An inclusive range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

/// An inclusive range of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AddressRange {
    pub first: IpAddr,
    pub last: IpAddr,
}

/// A rule with its names resolved. The peer is the other side than the policy's group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleView {
    pub uid: String,
    pub tenant: String,
    pub policy: String,
    pub id: String,
    /// A global resource, from 16, never used again; below are the built-in verdicts.
    pub number: u32,
    pub direction: Direction,
    pub priority: u32,
    pub action: Action,
    /// Number of the peer's group; a rule whose group is unknown matches nothing.
    pub peer_group: Option<u32>,
    /// The peer's addresses, from addresses, CIDRs, ranges, or a network, without the
    /// exceptions: in order, IPv4 first, neither meeting nor touching; empty means any.
    pub peer_addresses: Vec<AddressRange>,
    /// The own address that an incoming rule is limited to; empty means any.
    pub own_addresses: Vec<AddressRange>,
    pub protocol: Option<u8>,
    /// The destination port, when it is a single one; see [`port_ranges`](Self::port_ranges).
    pub port: Option<u16>,
    /// The destination ports, when there are several: in order, neither meeting nor touching.
    #[serde(default)]
    pub ports: Vec<PortRange>,
    /// Type of ICMP or ICMPv6; only with one of these protocols.
    #[serde(default)]
    pub icmp_type: Option<u8>,
    /// Only with a type.
    #[serde(default)]
    pub icmp_code: Option<u8>,
    /// Each new connection that the rule decides is reported.
    #[serde(default)]
    pub log: bool,
    /// Connections that the rule has let in stay when it is revoked.
    #[serde(default)]
    pub keep_established: bool,
}

impl RuleView {
    /// The destination ports, whichever field names them; none means any.
    pub fn port_ranges(&self) -> impl Iterator<Item = PortRange> + '_ {
        let single = self.port.map(|port| PortRange {
            first: port,
            last: port,
        });
        single.into_iter().chain(self.ports.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn previous() -> serde_json::Value {
        json!({
            "uid": "u", "tenant": "t", "policy": "p", "id": "1", "number": 16, "direction": "in",
            "priority": 1, "action": "allow", "peerGroup": null, "peerAddresses": [],
            "ownAddresses": [], "protocol": 6, "port": 80
        })
    }

    #[test]
    fn a_rule_of_the_version_before_means_what_it_meant() {
        let view: RuleView = serde_json::from_value(previous()).unwrap();
        let http = PortRange {
            first: 80,
            last: 80,
        };
        assert_eq!(view.port_ranges().collect::<Vec<_>>(), [http]);
        assert_eq!((view.icmp_type, view.icmp_code), (None, None));
        assert!(!view.log && !view.keep_established);
    }

    #[test]
    fn the_version_before_finds_all_that_it_knows() {
        let view: RuleView = serde_json::from_value(previous()).unwrap();
        let now = serde_json::to_value(view).unwrap();
        for (field, value) in previous().as_object().unwrap() {
            assert_eq!(now.get(field), Some(value), "{field}");
        }
    }

    #[test]
    fn a_policy_of_a_name_alone_is_a_normal_one() {
        let named = json!({"uid": "", "tenant": "t", "name": "p"});
        let view: PolicyView = serde_json::from_value(named).unwrap();
        assert_eq!(view, PolicyView::unplaced("t", "p"));
    }
}
