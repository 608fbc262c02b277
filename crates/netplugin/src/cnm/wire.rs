//! The bodies that the engine sends and expects, as in libnetwork's
//! `drivers/remote/api` and `ipams/remote/api`.
//!
//! Whatever is absent or null reads as empty; fields that are not named here are
//! the engine's own business.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Options of a call, by label.
pub(crate) type Labels = Map<String, Value>;

/// Where user options (`-o`, `--driver-opt`) are found among the labels.
pub(crate) const GENERIC: &str = "com.docker.network.generic";
pub(crate) const INTERNAL: &str = "com.docker.network.internal";
pub(crate) const PORT_MAP: &str = "com.docker.network.portmap";
/// The kind of an address request, and the kind that asks for a gateway.
pub(crate) const ADDRESS_TYPE: &str = "RequestAddressType";
pub(crate) const GATEWAY_TYPE: &str = "com.docker.network.gateway";

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Implements {
    pub(crate) implements: [&'static str; 2],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NetworkCapabilities {
    /// Whether the engine's own store holds the network, or the swarm's.
    pub(crate) scope: &'static str,
    pub(crate) connectivity_scope: &'static str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CreateNetwork {
    #[serde(rename = "NetworkID")]
    pub(crate) network_id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) options: Labels,
    #[serde(rename = "IPv4Data", deserialize_with = "nullable")]
    pub(crate) ipv4_data: Vec<IpamData>,
    #[serde(rename = "IPv6Data", deserialize_with = "nullable")]
    pub(crate) ipv6_data: Vec<IpamData>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AllocateNetwork {
    #[serde(rename = "NetworkID")]
    pub(crate) network_id: String,
    /// The user's (`-o`), on their own.
    #[serde(deserialize_with = "nullable")]
    pub(crate) options: BTreeMap<String, String>,
    #[serde(rename = "IPv4Data", deserialize_with = "nullable")]
    pub(crate) ipv4_data: Vec<IpamData>,
    #[serde(rename = "IPv6Data", deserialize_with = "nullable")]
    pub(crate) ipv6_data: Vec<IpamData>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Allocated {
    /// What the nodes' drivers are told.
    pub(crate) options: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct IpamData {
    pub(crate) pool: String,
    /// With prefix length.
    pub(crate) gateway: String,
    /// With prefix length, by the name that the user gave it.
    #[serde(deserialize_with = "nullable")]
    pub(crate) aux_addresses: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct NetworkRef {
    #[serde(rename = "NetworkID")]
    pub(crate) network_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct CreateEndpoint {
    #[serde(rename = "NetworkID")]
    pub(crate) network_id: String,
    #[serde(rename = "EndpointID")]
    pub(crate) endpoint_id: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) interface: Interface,
    #[serde(deserialize_with = "nullable")]
    pub(crate) options: Labels,
}

/// Addresses with prefix length; an empty field is for the driver to fill.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Interface {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) address: String,
    #[serde(rename = "AddressIPv6", skip_serializing_if = "String::is_empty")]
    pub(crate) address_ipv6: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) mac_address: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CreatedEndpoint {
    /// Only what the request left empty: the engine takes anything else for an error.
    pub(crate) interface: Interface,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct EndpointRef {
    #[serde(rename = "EndpointID")]
    pub(crate) endpoint_id: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OperInfo {
    pub(crate) value: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Join {
    #[serde(rename = "NetworkID")]
    pub(crate) network_id: String,
    #[serde(rename = "EndpointID")]
    pub(crate) endpoint_id: String,
    pub(crate) sandbox_key: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Joined {
    pub(crate) interface_name: InterfaceName,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) gateway: String,
    #[serde(rename = "GatewayIPv6", skip_serializing_if = "String::is_empty")]
    pub(crate) gateway_ipv6: String,
    /// Keeps the engine from adding a second interface, past all policy.
    pub(crate) disable_gateway_service: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InterfaceName {
    /// The link that the engine moves into the container.
    pub(crate) src_name: String,
    /// What it is called there, before its number.
    pub(crate) dst_prefix: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AddressSpaces {
    pub(crate) local_default_address_space: &'static str,
    pub(crate) global_default_address_space: &'static str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RequestPool {
    /// Which of ours it is, see [`AddressSpaces`].
    pub(crate) address_space: String,
    pub(crate) pool: String,
    pub(crate) sub_pool: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) v6: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Pool {
    #[serde(rename = "PoolID")]
    pub(crate) pool_id: String,
    pub(crate) pool: IpNet,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RequestAddress {
    #[serde(rename = "PoolID")]
    pub(crate) pool_id: String,
    pub(crate) address: String,
    #[serde(deserialize_with = "nullable")]
    pub(crate) options: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Address {
    /// With prefix length.
    pub(crate) address: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ReleaseAddress {
    #[serde(rename = "PoolID")]
    pub(crate) pool_id: String,
    pub(crate) address: String,
}

/// `{}`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Nothing {}

/// The user's option of this name among the labels of a call.
pub(crate) fn user_option<'a>(labels: &'a Labels, name: &str) -> Option<&'a str> {
    labels
        .get(GENERIC)?
        .get(name)?
        .as_str()
        .filter(|value| !value.is_empty())
}

fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
