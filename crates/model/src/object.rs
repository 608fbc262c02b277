//! The configuration objects of the REST API, field for field as clients of
//! the original Contiv know them.

mod fields;
mod key;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use fields::{fields_of, no_such_field};
pub use key::Keyed;

/// A tenant: a name space of its own for networks, groups, policies and addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Tenant {
    /// `tenantName`.
    pub key: String,
    pub tenant_name: String,
    /// Kept for old clients, never acted upon.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default_network: String,
}

/// A network: one or two subnets, isolated from, or routed to, its tenant's other networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Network {
    /// `tenantName:networkName`.
    pub key: String,
    pub tenant_name: String,
    pub network_name: String,
    /// `data` (default) or `infra`.
    pub nw_type: String,
    /// `vlan` or `vxlan`.
    pub encap: String,
    /// VLAN tag or VNI; 0 lets netmaster choose the lowest free one.
    pub pkt_tag: u32,
    /// `a.b.c.d/len`, or a range of it, `a.b.c.d-e.f.g.h/len`.
    pub subnet: String,
    pub gateway: String,
    pub ipv6_subnet: String,
    pub ipv6_gateway: String,
    /// The tag that Docker networks are mapped by in Swarm mode.
    pub cfgd_tag: String,
}

/// A group of endpoints of one network, the subject of policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointGroup {
    /// `tenantName:groupName`.
    pub key: String,
    pub tenant_name: String,
    pub group_name: String,
    pub network_name: String,
    /// `a.b.c.d` or `a.b.c.d-e.f.g.h`, carved out of the network's addresses.
    pub ip_pool: String,
    pub policies: Vec<String>,
    pub cfgd_tag: String,
    /// `allow` (default) or `deny`: connections to members that no rule decides.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default_action_in: String,
    /// `allow` (default) or `deny`: connections that members open and that no rule decides.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default_action_out: String,
}

/// A named set of rules, and its place among the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    /// `tenantName:policyName`.
    pub key: String,
    pub tenant_name: String,
    pub policy_name: String,
    /// `admin`, `normal` (default) or `baseline`: the tiers are asked in this order.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tier: String,
    /// 0 to 16383, 1000 when absent: within a tier the lower one is asked first, and
    /// policies of equal order are one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
    /// The policy's verdicts are counted and reported, and not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staged: Option<bool>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// One rule of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// `tenantName:policyName:ruleId`.
    pub key: String,
    pub tenant_name: String,
    pub policy_name: String,
    pub rule_id: String,
    /// `in` or `out`, seen from the group that the policy is attached to.
    pub direction: String,
    /// 1 to 100, the higher number wins; 0 means 1.
    pub priority: u32,
    pub from_endpoint_group: String,
    pub to_endpoint_group: String,
    pub from_network: String,
    pub to_network: String,
    /// Addresses, CIDRs and ranges of either family, separated by commas.
    pub from_ip_address: String,
    pub to_ip_address: String,
    /// Exceptions, in the same form, each inside of `fromIpAddress`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from_ip_except: String,
    /// The same for `toIpAddress`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub to_ip_except: String,
    /// `tcp`, `udp`, `icmp`, another name, a number, or empty for every protocol.
    pub protocol: String,
    /// Destination port; 0 for every port.
    pub port: u32,
    /// Several destination ports, `80,443,8000-8100`, instead of `port`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ports: String,
    /// Type of ICMP or ICMPv6, with one of these protocols alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u32>,
    /// Code of that type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u32>,
    /// `allow`, `deny`, or `pass`: the policies of the next tier decide.
    pub action: String,
    /// Each new connection that the rule decides is reported.
    #[serde(skip_serializing_if = "is_false")]
    pub log: bool,
    /// Connections that the rule has let in stay when it is deleted or changed.
    #[serde(skip_serializing_if = "is_false")]
    pub keep_established: bool,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// Settings of the whole fabric; the one object is called `global`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Global {
    pub key: String,
    pub name: String,
    /// `default`, `aci` or `aci-opflex`.
    #[serde(rename = "networkInfraType")]
    pub network_infra_type: String,
    /// `first-last`, within 1 to 4094.
    pub vlans: String,
    /// `first-last`, within 1 to 65535, at most 16000 wide.
    pub vxlans: String,
    /// `bridge` or `routing`.
    pub fwd_mode: String,
    /// `proxy` or `flood`.
    pub arp_mode: String,
    /// A /16; every endpoint has an address of it that is unique on its host.
    pub pvt_subnet: String,
    /// The UDP port at which hosts take what others send for their endpoints; 4789 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vxlan_port: Option<u32>,
}

/// Whether a field has the value that old clients, who do not know it, take it to have.
fn is_false(value: &bool) -> bool {
    !value
}
