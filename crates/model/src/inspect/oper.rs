//! The `Oper` half of inspect documents, in the spelling of the original.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Condition;

/// What is in a tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TenantOper {
    pub total_networks: u64,
    #[serde(rename = "totalEPGs")]
    pub total_epgs: u64,
    pub total_policies: u64,
    pub total_endpoints: u64,
    pub networks: Vec<NetworkOper>,
    pub endpoint_groups: Vec<GroupOper>,
    pub conditions: Vec<Condition>,
}

/// A network's tag, addresses and endpoints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkOper {
    /// The VLAN tag; 0 for a VXLAN network.
    pub pkt_tag: u32,
    /// The VNI; the VLAN tag for a VLAN network.
    pub external_pkt_tag: u32,
    pub num_endpoints: u64,
    pub allocated_addresses_count: u64,
    /// Addresses and ranges, `10.1.1.1, 10.1.1.5-10.1.1.9`; the gateway counts.
    #[serde(rename = "allocatedIPAddresses")]
    pub allocated_ip_addresses: String,
    #[serde(rename = "availableIPAddresses")]
    pub available_ip_addresses: String,
    pub endpoints: Vec<EndpointOper>,
    /// `cfgdTag`, or `network.tenant`.
    pub network_tag: String,
    pub conditions: Vec<Condition>,
}

/// A group's tag, addresses and endpoints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupOper {
    /// As in [`NetworkOper`], of the group's network.
    pub pkt_tag: u32,
    pub external_pkt_tag: u32,
    pub num_endpoints: u64,
    pub endpoints: Vec<EndpointOper>,
    /// As in [`NetworkOper`], for the addresses of the group's pool.
    #[serde(rename = "allocatedIPAddresses")]
    pub allocated_ip_addresses: String,
    #[serde(rename = "availableIPAddresses")]
    pub available_ip_addresses: String,
    /// `cfgdTag`, or `group.tenant`.
    pub group_tag: String,
    pub conditions: Vec<Condition>,
}

/// The endpoints of the groups that have a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyOper {
    /// `EPOCH.NUMBER` of the last change to the policy, to its rules, to which groups have it, or to
    /// what these do where no rule matches.
    pub revision: String,
    /// The live hosts, and how far each is.
    pub hosts: Vec<PolicyHost>,
    pub num_endpoints: u64,
    pub endpoints: Vec<EndpointOper>,
    pub conditions: Vec<Condition>,
}

/// What a live host enforces of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PolicyHost {
    pub host: String,
    /// Everything up to this revision, `EPOCH.NUMBER`, is in its kernel.
    pub applied: String,
    /// `current`; `behind` while it enforces an earlier revision; `refused` when it could not put
    /// this one in force and keeps the policies of the tenant that it had; or `idle` while it has no
    /// endpoint of the tenant and so is not told of the policy.
    pub state: String,
    /// Why it is refused, in one word; empty when it is not.
    pub reason: String,
    /// For people: the same, and what helps.
    pub message: String,
}

/// The number that names a rule in verdicts and counters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleOper {
    pub number: u32,
    pub conditions: Vec<Condition>,
}

/// The tags in use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GlobalOper {
    /// VLAN tags and VNIs in use.
    pub num_networks: u64,
    pub default_network: String,
    /// Tags and ranges, `1-3, 112`.
    pub vlans_in_use: String,
    pub vxlans_in_use: String,
    /// The lowest VNI that is free.
    #[serde(rename = "freeVXLANsStart")]
    pub free_vxlans_start: u32,
    pub cluster_mode: String,
    pub conditions: Vec<Condition>,
}

/// One interface of one container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointOper {
    pub tenant: String,
    /// `network.tenant`.
    pub network: String,
    #[serde(rename = "endpointID")]
    pub endpoint_id: String,
    /// The group; empty for an endpoint of a plain network.
    pub service_name: String,
    /// The group's number; 0 without a group.
    pub endpoint_group_id: u32,
    /// `group:tenant`; empty without a group.
    pub endpoint_group_key: String,
    /// The IPv4 address, then the IPv6 address if there is one.
    pub ip_address: Vec<String>,
    pub mac_address: String,
    pub homing_host: String,
    /// The host's end of the link.
    pub intf_name: String,
    /// The host's address in the overlay; empty while it has none.
    #[serde(rename = "vtepIP")]
    pub vtep_ip: String,
    /// In one string, as [`printed_labels`] makes it.
    pub labels: String,
    #[serde(rename = "containerID")]
    pub container_id: String,
    pub container_name: String,
    /// `v` and the name of the host's end of the link.
    pub virtual_port: String,
    /// The address of the private subnet, unique on the host; empty until the host reports it.
    pub private_address: String,
    /// Dropped packets by reason.
    pub drops: BTreeMap<String, u64>,
    pub conditions: Vec<Condition>,
}

/// Labels in one string, `map[app:web tier:front]`, as clients of the original know them.
pub fn printed_labels(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}:{v}")).collect();
    format!("map[{}]", pairs.join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, to_value};

    use super::*;

    fn names(document: Value) -> Vec<String> {
        let object = document.as_object().unwrap();
        object.keys().cloned().collect()
    }

    #[test]
    fn fields_have_the_names_that_clients_of_the_original_read() {
        for (document, expected) in [
            (
                to_value(NetworkOper::default()).unwrap(),
                "allocatedAddressesCount allocatedIPAddresses availableIPAddresses conditions \
                 endpoints externalPktTag networkTag numEndpoints pktTag",
            ),
            (
                to_value(GroupOper::default()).unwrap(),
                "allocatedIPAddresses availableIPAddresses conditions endpoints externalPktTag \
                 groupTag numEndpoints pktTag",
            ),
            (
                to_value(TenantOper::default()).unwrap(),
                "conditions endpointGroups networks totalEPGs totalEndpoints totalNetworks \
                 totalPolicies",
            ),
            (
                to_value(GlobalOper::default()).unwrap(),
                "clusterMode conditions defaultNetwork freeVXLANsStart numNetworks vlansInUse \
                 vxlansInUse",
            ),
            (
                to_value(EndpointOper::default()).unwrap(),
                "conditions containerID containerName drops endpointGroupId endpointGroupKey \
                 endpointID homingHost intfName ipAddress labels macAddress network \
                 privateAddress serviceName tenant virtualPort vtepIP",
            ),
        ] {
            let mut names = names(document);
            names.sort();
            assert_eq!(names.join(" "), expected);
        }
    }

    #[test]
    fn labels_are_one_string() {
        let labels = [("tier", "front"), ("app", "web")].map(|(k, v)| (k.into(), v.into()));
        assert_eq!(printed_labels(&labels.into()), "map[app:web tier:front]");
        assert_eq!(printed_labels(&BTreeMap::new()), "map[]");
    }
}
