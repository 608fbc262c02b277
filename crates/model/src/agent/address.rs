//! Addresses before there is an endpoint, and the networks of engines that they are for.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Which of our objects an engine's network stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DockerNetwork {
    /// The engine's id of the network.
    pub id: String,
    pub host: String,
    pub tenant: String,
    pub network: String,
    pub group: Option<String>,
    /// Held for this Docker network by `--aux-address`.
    #[serde(default)]
    pub aux_addresses: Vec<IpAddr>,
    /// Set for a network of a Swarm, which is one and the same on all hosts: masters keep it
    /// without a host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swarm: Option<SwarmLife>,
}

/// A start of the allocator of a Swarm's manager, which reserves all that it has once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SwarmLife {
    pub life: String,
    /// When the masters heard of it, in milliseconds since 1970.
    #[serde(default)]
    pub since: u64,
}

/// For whom an address is asked, or given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Asker {
    /// The engine's own containers.
    #[default]
    Engine,
    /// A node of a Swarm, for its tasks.
    Node,
    /// The leading manager of a Swarm, in this life: it reserves, and nothing expires.
    Manager { life: String },
}

/// Where an address is to come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolRef {
    pub tenant: String,
    pub network: String,
    pub group: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressRequest {
    pub pool: PoolRef,
    pub ipv6: bool,
    /// A wish; the lowest free address otherwise.
    pub address: Option<IpAddr>,
    #[serde(default)]
    pub by: Asker,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressGrant {
    pub address: IpAddr,
    pub prefix_len: u8,
}

/// A hint: honoured only when no live endpoint and no other owner holds the address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressRelease {
    pub pool: PoolRef,
    pub address: IpAddr,
    #[serde(default)]
    pub by: Asker,
}
